"""Rows on their way through S3 into an engine that loads them from there.

A load is a folder, `PLACE/LOAD/`. Its rows are put there in batches. Once `BEGUN` is beside them, the engine has been
asked to load them, and the folder goes when it has. Loading twice must change nothing: what an interrupted process
leaves is loaded again by the next one.
"""

from __future__ import annotations

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

    def put(self, name: str, content: str) -> None:
        """Put a file into the next load."""
        self._files += 1
        (self._folder / f"{ROWS}/{self._files:06d}-{name}").write(content.encode())

    def load(self) -> Refused:
        """Load what was put, and remove it; return the rows that the engine has refused, by number."""
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
