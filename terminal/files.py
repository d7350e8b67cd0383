"""Writes files so that a reader sees the old content or the new, and never a part of it."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTIAL = ".part"  # how the name of a file ends that is still being written; it begins with a dot


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when the block ends, flushed to the disk.

    Missing folders are made, and the process's umask says who may read the file. If the block raises an exception,
    `path` stays as it was, and the new file is removed.

    Raises:
        InputError: The file cannot be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name[:100]}.{secrets.token_hex(4)}{PARTIAL}"
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(f"{path}: The file cannot be written: {error.strerror}.") from error
        raise


def write(path: Path, content: bytes) -> None:
    """Write a file as `replacing` does.

    Raises:
        InputError: The file cannot be written.
    """
    with replacing(path) as file:
        file.write(content)
