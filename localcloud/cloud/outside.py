"""Temporary folders outside a cloud's own, for the few things that cannot be in there.

Those are copies that a program must reach which root runs as somebody else, who may not enter root's folders, and
short paths into a cloud's folder whose own path is too long. Each folder carries a mark that its process keeps
locked, so that a folder whose process has ended, however that happened, can be told and removed.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PLACE = Path("/tmp")  # noqa: S108 - everybody can reach it; the folders in it are made safely
PREFIX = "localcloud-"
MARK = ".localcloud-temporary"

_marks: dict[Path, int] = {}  # of this process's folders, open and locked


def make(*, public: bool = False) -> Path:
    """Make a folder that lasts until it is removed, at most as long as this process.

    Args:
        public: Whether other users of the machine may read what is in it.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=PLACE))
    fresh = folder / f"{MARK}.new"
    mark = os.open(fresh, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(mark, fcntl.LOCK_EX)
    fresh.rename(folder / MARK)  # so that nobody meets it unlocked
    _marks[folder] = mark
    if public:
        folder.chmod(0o755)
    return folder


def remove(folder: Path) -> None:
    """Remove one of this process's folders, unless it is removed already."""
    shutil.rmtree(folder, ignore_errors=True)
    mark = _marks.pop(folder, None)
    if mark is not None:
        os.close(mark)


def remove_all() -> None:
    """Remove all of this process's folders."""
    for folder in list(_marks):
        remove(folder)


atexit.register(remove_all)


def sweep() -> None:
    """Remove the folders of this user's processes that were killed."""
    for folder in PLACE.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # the folder is not a copy, or it is in use
            if folder.lstat().st_uid != os.getuid():
                continue
            mark = os.open(folder / MARK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(mark)


def open_to_all(folder: Path) -> bool:
    """Return whether everybody can reach a folder: neither it nor one above it is private."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
