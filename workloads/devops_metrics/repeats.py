"""Finds rows that come a second time, at any distance, with memory for a few pages only."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIND = "SELECT file, line FROM rows WHERE time = ? AND series = ?"


class Repeats:
    """Remembers the times and dimensions of rows, about 30 bytes each, in a temporary database on disk.

    Dimensions are kept as 64 bits of their BLAKE2 hash: among 100,000 hosts, two share one with a probability of 3e-10.
    SQLite deletes the database when this is closed, or when the process ends.

    Raises:
        InputError: The disk is full, here and in `remember`.
    """

    def __init__(self) -> None:
        self._file = 0  # log rotation begins another
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -2048"):  # KiB
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute(
            "CREATE TABLE rows (time INTEGER, series INTEGER, file INTEGER, line INTEGER, PRIMARY KEY (time, series)) "
            "WITHOUT ROWID"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def begin_another_file(self) -> None:
        """Count lines from 1 again."""
        self._file += 1

    def remember(self, rows: Sequence[tuple[int, int, tuple[str, ...]]]) -> dict[int, str]:
        """Remember rows, each given as its line, its time and its dimensions.

        Returns:
            For the lines that repeat an earlier one: which that is.
        """
        keys = [(time, _series(dimensions), self._file, line) for line, time, dimensions in rows]
        try:
            before = self._database.total_changes
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?)", keys)
            self._database.execute("COMMIT")
            every_row_is_new = self._database.total_changes - before == len(rows)
            return {} if every_row_is_new else dict(self._repeated(keys))
        except sqlite3.Error as error:
            raise InputError(
                f"The rows that were read cannot be remembered in the folder for temporary files: {phrase(error)}. "
                "They take 30 bytes each. The environment variable TMPDIR names another folder."
            ) from error

    def _repeated(self, keys: Sequence[tuple[int, int, int, int]]) -> Iterator[tuple[int, str]]:
        for time, series, file, line in keys:
            first_file, first_line = self._database.execute(_FIND, (time, series)).fetchone()
            if (first_file, first_line) != (file, line):
                yield line, f"line {first_line}" + (" of the file before its rotation" if first_file != file else "")


@lru_cache(maxsize=4096)
def _series(dimensions: tuple[str, ...]) -> int:
    digest = blake2b(repr(dimensions).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
