"""The lock of a cloud's folder, which its server holds for as long as it lives.

The operating system drops the lock with the process, however that ends. So the lock says whether a cloud is running,
and which process runs it; a file that was left behind says neither.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from localcloud.errors import LocalCloudError

NAME = "cloud.lock"
#: Seconds in which whoever only looks at the lock has let go of it again.
PATIENCE = 0.5


class HeldError(LocalCloudError):
    """Another process holds the lock."""


class Lock:
    """Held until it is closed, in this process and in those that were given its file descriptor.

    Args:
        folder: The cloud's folder, which is there.
        descriptor: Of the lock's file, where another process has taken the lock for this one.

    Raises:
        HeldError: Another process holds it.
        LocalCloudError: The file cannot be written or locked.
    """

    def __init__(self, folder: Path, descriptor: int | None = None) -> None:
        path = self._path = folder / NAME
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional in the standard library
            self.descriptor = descriptor
            return
        try:
            self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LocalCloudError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            _take(self.descriptor)
            os.truncate(self.descriptor, 0)
        except BlockingIOError as error:
            os.close(self.descriptor)
            raise HeldError(f"Another process holds {path}.") from error
        except OSError as error:
            os.close(self.descriptor)
            raise LocalCloudError(f"{path} cannot be locked: {error.strerror}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.descriptor)  # not unlocked: a process that has the descriptor, too, goes on holding it

    def sign(self) -> None:
        """Write down that this process is the one that `holder` names."""
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)

    def is_in_place(self) -> bool:
        """Return whether the folder is still there, with the file that is locked."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self._path.stat())
        except OSError:
            return False


def is_held(folder: Path) -> bool:
    """Return whether a process holds a folder's lock.

    Raises:
        LocalCloudError: The lock cannot be read.
    """
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise LocalCloudError(f"{folder / NAME} cannot be read: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(folder: Path) -> int | None:
    """Return the process that holds a folder's lock and has signed it; None if there is none.

    A process counts only if it has the lock's file open: its number may long belong to another program.
    """
    path = folder / NAME
    if not is_held(folder):
        return None
    with contextlib.suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int(path.read_text()))
        if any(path.samefile(file.path) for file in process.open_files()):
            return process.pid
    return None


def _take(descriptor: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)
