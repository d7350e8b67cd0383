"""Rows of the old database that can never be migrated: in the new database, and in a CSV file."""

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

    from workloads.movie_rental.database import Connection

COLUMNS = ("table", "row", "reason")


class Quarantine:
    """The rows that are left out. All processes of a migration keep theirs in the new database.

    Args:
        path: Where it goes.

    Raises:
        InputError: Another file is there.
    """

    def __init__(self, path: Path) -> None:
        check_table(path, COLUMNS)
        self.path = path
        self.rows: dict[tuple[str, int], str] = {}
        self._saved: set[tuple[str, int]] = set()  # rows that the new database has

    def add(self, table: str, row: int, reason: str) -> None:
        """Leave out a row of a table of the old database, by its key."""
        self.rows[table, row] = reason

    def resume(self, connection: Connection) -> list[tuple[str, int]]:
        """Go on with what the migration has left out so far, also by other processes, and return those rows."""
        before = kept(connection)
        self.rows = before | self.rows
        self._saved |= before.keys()
        return [*before]

    def save(self, connection: Connection) -> None:
        """Keep the rows in the new database."""
        new = [(*place, reason) for place, reason in self.rows.items() if place not in self._saved]
        if new:
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO quarantined VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", new)
            self._saved |= {(table, key) for table, key, _ in new}

    def write(self) -> None:
        """Replace the file. Without rows there is none.

        Raises:
            InputError: The file cannot be written.
        """
        if self.rows:
            text = io.StringIO(newline="")
            table = csv.writer(text)
            table.writerow(COLUMNS)
            table.writerows((*place, reason) for place, reason in sorted(self.rows.items()))
            files.write(self.path, text.getvalue().encode())
        else:
            self.path.unlink(missing_ok=True)


def kept(connection: Connection) -> dict[tuple[str, int], str]:
    """Return the rows that the last migration has left out, with their reasons, whichever process has met them."""
    rows = connection.execute("SELECT old_table, key, reason FROM quarantined ORDER BY 1, 2").fetchall()
    return {(table, key): reason for table, key, reason in rows}


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
