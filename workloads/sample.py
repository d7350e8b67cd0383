"""Sample data: a small stand-in, marked so that no figure measured on it passes for one of real data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from workloads.storage import locate

MARK = "SAMPLE.md"
_TEXT = "This is sample data, written by `groundwork data sample`: figures measured on it say nothing of real data.\n"


def marked(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a sample with the one that marks them."""
    return {**files, MARK: _TEXT.encode()}


def is_sample(data: str) -> bool:
    """Return whether a folder, or the folder of a file, is marked as sample data; an s3:// URI may be either, too.

    A job's role may read only what lies below the folder of its data, so a URI is not asked whether it is a file: only
    the name of a file has a suffix.
    """
    folders = [data]
    if PurePosixPath(data).suffix and not Path(data).is_dir():
        folders.append(data.rpartition("/")[0] or ".")
    return any((locate(folder) / MARK).is_file() for folder in folders)
