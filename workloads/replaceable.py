"""Whether a file that nobody has named may be replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def check_table(path: Path, columns: Sequence[str]) -> None:
    """See that a CSV file may be replaced: there is none, it is empty, or it begins with these columns.

    Raises:
        InputError: Something else is there, or it cannot be read.
    """
    if not path.exists():
        return
    try:
        empty = path.is_file() and not path.stat().st_size
        with path.open(encoding="utf-8", errors="replace") as file:
            begins_right = path.is_file() and file.readline().rstrip("\r\n") == ",".join(columns)
    except OSError as error:
        raise InputError(f"{path}: The file cannot be read: {error.strerror}.") from error
    if not (empty or begins_right):
        header = ",".join(columns)
        raise InputError(f"{path}: The file is not replaced, as it does not begin with {header}. Choose another name.")
