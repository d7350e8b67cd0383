"""Sample data: a small stand-in, marked so that no figure measured on it passes for one of real data."""

from __future__ import annotations

from workloads.storage import locate

MARK = "SAMPLE.md"
_TEXT = "This is sample data, written by `groundwork data sample`: figures measured on it say nothing of real data.\n"


def marked(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of a sample with the one that marks them."""
    return {**files, MARK: _TEXT.encode()}


def is_sample(data: str) -> bool:
    """Whether a folder, or the folder of a file, is marked as sample data; an s3:// URI may be either, too."""
    folder = locate(data)
    if folder.is_file():
        folder = locate(data.rpartition("/")[0] or ".")
    return (folder / MARK).is_file()
