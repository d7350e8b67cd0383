"""Marks of the windows whose rollups may be older than their rows.

A run marks a window before it writes rows of it, and clears its mark when the window's rollups were computed from rows
that were read afterwards. A run that was killed leaves its marks, so its windows are answered by raw rows until the
same file is ingested again or `groundwork devops-metrics rollup` repairs them.

Several runs may write to one window. Each has a mark of its own there: a point whose time is the start of the window
and the run's number in nanoseconds. Its field `pending` counts up with every change, and is negative when the mark is
cleared. A run that finds, after it has written rollups or cleared its marks, that a mark of another run has changed
meanwhile computes the rollups again. So the rollups that are written last come from rows that were read last, whatever
the order of requests. InfluxDB makes a write visible before it answers, which this relies on.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import secrets
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workloads.timeseries.plan import Marks
from workloads.timeseries.rollups import FIVE_MINUTES, HOUR, MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from workloads.timeseries.influxdb import InfluxDB

_WINDOW = FIVE_MINUTES * MICROSECONDS
_RUNS = FIVE_MINUTES * 10**9  # numbers that runs can have


@contextmanager
def run_of(file: Path) -> Iterator[int]:
    """Give the number of a run that ingests a file: the same for each run of this file on this machine.

    So a run clears the marks that a killed one has left. Of runs at the same time, only the first has this number.
    """
    if not file.is_file():  # a pipe
        yield secrets.randbelow(_RUNS)
        return
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another run has it, or the file system has no locks
            yield secrets.randbelow(_RUNS)
            return
        yield run_named(f"{socket.gethostname()} {file.resolve()}")


def run_named(name: str) -> int:
    """Return the number of all runs of a name, of which no two may run at the same time."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % _RUNS


class MarkKeeper:
    """The marks of one run, among those of others. Times are microseconds since 1970.

    Args:
        store: Where rollups are.
        measurement: The measurement that holds the marks.
        run: The number of the run.
    """

    def __init__(self, store: InfluxDB, measurement: str, run: int | None = None) -> None:
        self._store, self._measurement = store, measurement
        self._run = secrets.randbelow(_RUNS) if run is None else run
        self._changes = itertools.count(time.time_ns() // 10**6)  # higher than the number of any earlier change

    def set(self, windows: Iterable[int]) -> None:
        """Mark windows, by their starts."""
        self._write((window * 1000 + self._run, next(self._changes)) for window in windows)

    def clear(self, windows: Iterable[int]) -> None:
        """Clear the marks of this run."""
        self._write((window * 1000 + self._run, -next(self._changes)) for window in windows)

    def of_others(self, start: int, end: int) -> dict[int, int]:
        """Return the marks of the other runs: `pending` by the time in nanoseconds."""
        where = f"time >= {start * 1000} AND time < {end * 1000}"
        marks = {
            int(moment): int(pending)
            for group in self._store.query(f'SELECT "pending" FROM "{self._measurement}" WHERE {where}', "ns")  # noqa: S608
            for moment, pending in group["values"]
        }
        return {moment: pending for moment, pending in marks.items() if moment % _RUNS != self._run}

    def clear_of_others(self, marks: dict[int, int]) -> None:
        """Clear marks of other runs, which somebody says have ended."""
        self._write((moment, -pending) for moment, pending in marks.items() if pending > 0)

    def read(self, start: int, end: int) -> Marks:
        """Return what all marks of the hours that a period touches say."""
        hour = HOUR * MICROSECONDS
        where = f'FROM "{self._measurement}" WHERE time >= {start - start % hour}u AND time < {end + -end % hour}u'
        statements = (
            f'SELECT min("pending") AS "least" {where} GROUP BY time({HOUR}s) fill(none)',
            f'SELECT "pending" {where} AND "pending" > 0',
        )
        marks = Marks()
        for group in self._store.query(";".join(statements)):
            for moment, value in group["values"]:
                if group["columns"][1] == "pending":
                    marks.pending.add(moment - moment % _WINDOW)
                elif value < 0:
                    marks.rolled.add(moment)
        return marks

    def first(self) -> int | None:
        """Return the time of the first mark."""
        for group in self._store.query(f'SELECT first("pending") FROM "{self._measurement}"'):  # noqa: S608
            return int(group["values"][0][0])
        return None

    def _write(self, marks: Iterable[tuple[int, int]]) -> None:
        self._store.write_lines(f"{self._measurement} pending={pending}i {moment}" for moment, pending in marks)
