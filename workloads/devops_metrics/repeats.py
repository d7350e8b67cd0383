"""Finds rows that come a second time, at any distance, with memory for a few batches only."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from io import BufferedRandom

    from workloads.timeseries.columns import Columns, Integers
    from workloads.timeseries.row import Dimensions

_RUN_ROWS = 1 << 17  # that are held in memory before they go to disk
_REMEMBERED = 1 << 16  # series
_BYTES = 24  # of a row on disk
_FILE = 1 << 48  # lines of a file are fewer
_NEVER = np.iinfo(np.int64).min
#: Odd, so that no two times have one product modulo 2^64 (Knuth, The Art of Computer Programming, section 6.4).
_SPREAD = np.int64(-7046029254386353131)


class _Run(NamedTuple):
    """Rows, by key.

    A key is the hash of dimensions and a hash of the time, one on top of the other: equal keys of one time are of equal
    dimensions.

    Attributes:
        keys: Sorted, shape (n,).
        times: Microseconds, shape (n,).
        lines: The numbers of lines and files, shape (n,).
    """

    keys: Integers
    times: Integers
    lines: Integers

    @classmethod
    def of(cls, keys: Integers, times: Integers, lines: Integers) -> Self:
        """Return a run of rows in any order."""
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], times[order], lines[order])

    def find(self, keys: Integers, times: Integers) -> Integers:
        """Return the lines of rows, and 0 for those that are not here."""
        lines = np.zeros(len(keys), np.int64)
        place, end = (np.searchsorted(self.keys, keys, side) for side in ("left", "right"))
        while (here := place < end).any():  # once, unless another time has the same key
            here[here] = self.times[place[here]] == times[here]
            lines[here] = self.lines[place[here]]
            place = place + 1
        return lines


class _Written(NamedTuple):
    """A run on disk.

    Attributes:
        start: Where it begins in the file.
        rows: How many it has.
        oldest: The earliest of its times.
        newest: The latest.
    """

    start: int
    rows: int
    oldest: int
    newest: int


class Repeats:
    """Remembers the times and dimensions of rows, in 24 bytes each, in a temporary file.

    A row that is later than all rows of its series is a new one. Others are looked for among those that came before: in
    runs of a hundred thousand rows, each sorted, and read only if it has times of that period.

    Dimensions are kept as 64 bits of their BLAKE2 hash: among 100,000 hosts, two share one with a probability of 3e-10.
    The file has no name, so that it is gone when this is closed, or when the process ends.

    Raises:
        InputError: The disk is full, here and in `remember`.
    """

    def __init__(self) -> None:
        self._number = 0  # of the file; log rotation begins another
        self._file: BufferedRandom | None = None
        self._held: list[_Run] = []
        self._written: list[_Written] = []
        self._newest: dict[int, int] = {}  # time of a series
        self._forgotten = _NEVER  # the newest time of series that are no longer in `_newest`

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def begin_another_file(self) -> None:
        """Count lines from 1 again."""
        self._number += 1

    def remember(self, rows: Columns) -> dict[int, str]:
        """Remember rows.

        Returns:
            By the positions of rows that repeat an earlier one: which line that is.
        """
        if not len(rows):
            return {}
        hashes = np.fromiter(map(_hash, rows.dimensions), np.int64, len(rows.dimensions))
        times, series, lines = rows.times, rows.series, rows.lines + self._number * _FILE
        order = np.lexsort((times, series))
        same = np.zeros(len(rows), np.bool_)
        same[1:] = (np.diff(series[order]) == 0) & (np.diff(times[order]) == 0)
        first = lines[order][np.maximum.accumulate(np.where(same, 0, np.arange(len(rows))))]
        earlier = np.zeros(len(rows), np.int64)
        earlier[order[same]] = first[same]
        keys = hashes[series] ^ (times * _SPREAD)
        late = np.flatnonzero(times <= self._advance(hashes, times, series))
        if len(late):
            before = self._find(keys[late], times[late])
            earlier[late] = np.where(before > 0, before, earlier[late])
        new = earlier == 0
        self._hold(_Run.of(keys[new], times[new], lines[new]))
        return {at: self._named(earlier[at]) for at in np.flatnonzero(earlier).tolist()}

    def _named(self, line: int) -> str:
        number, line = divmod(int(line), _FILE)
        return f"line {line}" + (" of the file before its rotation" if number != self._number else "")

    def _advance(self, hashes: Integers, times: Integers, series: Integers) -> Integers:
        """Return the newest time that the series of each row had, and remember the one that it has now."""
        before = np.array([self._newest.get(series_hash, self._forgotten) for series_hash in hashes.tolist()])
        now = before.copy()
        np.maximum.at(now, series, times)
        if len(self._newest) > _REMEMBERED:
            self._forgotten = max(self._forgotten, *self._newest.values())
            self._newest.clear()
        self._newest.update(zip(hashes.tolist(), now.tolist(), strict=True))
        return np.asarray(before[series])

    def _find(self, keys: Integers, times: Integers) -> Integers:
        oldest, newest = times.min(), times.max()
        lines = np.zeros(len(keys), np.int64)
        for run in self._held:
            lines += run.find(keys, times)
        for written in self._written:
            if written.oldest <= newest and written.newest >= oldest:
                lines += self._read(written).find(keys, times)
        return lines

    def _hold(self, run: _Run) -> None:
        self._held.append(run)
        if sum(len(held.keys) for held in self._held) < _RUN_ROWS:
            return
        run = _Run.of(*(np.concatenate(column) for column in zip(*self._held, strict=True)))
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with this
            start = self._file.seek(0, 2)
            for column in run:
                self._file.write(column.data)
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"The rows that were read cannot be remembered in the folder for temporary files: {phrase(error)}. "
                f"They take {_BYTES} bytes each. The environment variable TMPDIR names another folder."
            ) from error
        self._written.append(_Written(start, len(run.keys), int(run.times.min()), int(run.times.max())))
        self._held.clear()

    def _read(self, written: _Written) -> _Run:
        assert self._file  # noqa: S101 - there is a run in it
        self._file.seek(written.start)
        return _Run(*np.fromfile(self._file, np.int64, 3 * written.rows).reshape(3, written.rows))


@lru_cache(maxsize=_REMEMBERED)
def _hash(dimensions: Dimensions) -> int:
    digest = blake2b(repr(dimensions).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
