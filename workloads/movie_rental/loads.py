"""Rows on their way through S3 into an engine that loads them from there.

A load is a folder, `PLACE/LOAD/`. Its rows are put there in files. Once `BEGUN` is beside them, the engine has been
asked to load them, and the folder goes when it has. Loading twice must change nothing: what an interrupted process
leaves is loaded again by the next one.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from tenacity import wait_exponential

from contract.errors import InputError
from workloads.errors import RefusedRowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.storage import Bucket

ROWS = "rows"
POLLED = wait_exponential(multiplier=0.1, max=5)
"""Seconds between two questions how far a load is."""

Refused = Mapping[int, RefusedRowError]
"""Rows that an engine has refused, by number."""

_BEGUN = "BEGUN"
_FILE_CHARACTERS = 2_000_000


class Loads:
    """Rows on their way through S3.

    Args:
        place: Where loads are put.
        complete: Lets the engine load what is in a folder, and waits until it has. Returns the rows that it has
            refused, by number.
    """

    def __init__(self, place: Bucket, complete: Callable[[Bucket], Refused]) -> None:
        self._place, self._complete = place, complete
        self._begin()

    def _begin(self) -> None:
        self._folder, self._files = self._place / str(uuid4()), 0
        self._open: dict[str, io.StringIO] = {}

    def put(self, name: str, rows: str, header: str = "") -> None:
        """Put rows into the next load.

        Args:
            name: Of their files, which are numbered; rows of one name come into one file until it is large enough.
            rows: Lines, each with its end.
            header: The line with which each file begins.
        """
        file = self._open.setdefault(name, io.StringIO(newline=""))
        if not file.tell():
            file.write(header)
        file.write(rows)
        if file.tell() >= _FILE_CHARACTERS:
            self._close(name)

    def _close(self, name: str) -> None:
        self._files += 1
        content = self._open.pop(name).getvalue().encode()
        (self._folder / f"{ROWS}/{self._files:06d}-{name}").write(content)

    def load(self) -> Refused:
        """Load what was put, and remove it; return the rows that the engine has refused, by number."""
        for name in [*self._open]:
            self._close(name)
        if not self._files:
            return {}
        (self._folder / _BEGUN).write(b"")
        refused = self._complete(self._folder)
        _remove(self._folder)
        self._begin()
        return refused

    def finish(self) -> bool:
        """Complete what an interrupted process has begun to load, and drop the rest.

        Returns:
            Whether it had begun anything.
        """
        begun = False
        for name in sorted({name.partition("/")[0] for name in self._place.names()}):
            if (self._place / name / _BEGUN).is_file():
                with suppress(InputError):  # such a load has ended too, and its rows are moved again
                    self._complete(self._place / name)
                begun = True
            _remove(self._place / name)
        return begun


def _remove(folder: Bucket) -> None:
    """Remove a load; `BEGUN` goes last, so that what is left is loaded again."""
    for name in sorted(folder.names(), key=lambda name: name == _BEGUN):
        (folder / name).delete()
