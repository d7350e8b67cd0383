"""Rows of the old database that can never be migrated, in a CSV file: table, row, and reason."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from contract.errors import InputError
from terminal import files
from workloads.delimited import read_cells
from workloads.replaceable import check_table

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("table", "row", "reason")


class Quarantine:
    """The file of rows that are left out. It is replaced as a whole, so that it is always complete.

    Args:
        path: Where it goes.

    Raises:
        InputError: Another file is there.
    """

    def __init__(self, path: Path) -> None:
        check_table(path, COLUMNS)
        self.path = path
        self.rows: dict[tuple[str, int], str] = {}
        self._saved: int | None = None  # rows that the file has

    def add(self, table: str, row: int, reason: str) -> None:
        """Leave out a row of a table of the old database, by its key."""
        self.rows[table, row] = reason

    def resume(self) -> list[tuple[str, int]]:
        """Go on with what an interrupted migration left out, and return those rows, by table and key.

        Raises:
            InputError: The file cannot be read.
        """
        before = read(self.path)
        self.rows = before | self.rows
        return [*before]

    def save(self) -> None:
        """Write the file, unless it has these rows already. Without rows there is none.

        Raises:
            InputError: The file cannot be written.
        """
        if self._saved == len(self.rows):
            return
        if self.rows:
            text = io.StringIO(newline="")
            table = csv.writer(text)
            table.writerow(COLUMNS)
            table.writerows((*place, reason) for place, reason in sorted(self.rows.items()))
            files.write(self.path, text.getvalue().encode())
        else:
            self.path.unlink(missing_ok=True)
        self._saved = len(self.rows)


def read(path: Path) -> dict[tuple[str, int], str]:
    """Return the rows of a quarantine, with their reasons; none where there is no file.

    Raises:
        InputError: The file cannot be read, or is not a quarantine.
    """
    check_table(path, COLUMNS)
    try:
        content = path.read_bytes() if path.exists() else b""
        if not content:
            return {}
        return {(table, int(row)): reason for table, row, reason in read_cells(content, str(path), COLUMNS).rows}
    except OSError as error:
        raise InputError(f"{path}: The file cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path}: The file is not a quarantine, whose columns are {', '.join(COLUMNS)}.") from error
