"""Rows of the old database that can never be migrated, in a CSV file: table, row, and reason."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from contract.errors import InputError
from terminal import files
from workloads.replaceable import check_table

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.movie_rental.source import Source

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
        self._saved: int | None = None  # rows

    def add(self, table: str, row: int, reason: str) -> None:
        """Leave out a row of a table of the old database, by its key."""
        self.rows[table, row] = reason

    def resume(self, source: Source) -> None:
        """Go on with what an interrupted migration left out.

        Raises:
            InputError: The file cannot be read.
        """
        for (table, row), reason in read(self.path).items():
            if (table, row) not in self.rows:
                self.add(table, row, reason)
                source.leave_out(table, row)

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
    """The rows of a quarantine, with their reasons; none where there is no file.

    Raises:
        InputError: The file cannot be read, or is no quarantine.
    """
    check_table(path, COLUMNS)
    try:
        content = path.read_text(encoding="utf-8") if path.exists() else ""
        return {(table, int(row)): reason for table, row, reason in [*csv.reader(io.StringIO(content))][1:]}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: The file is not a quarantine, whose columns are {', '.join(COLUMNS)}.") from error
