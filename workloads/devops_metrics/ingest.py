"""From a CSV file into a store: several writers, a bounded number of batches in memory, every line accounted for."""

from __future__ import annotations

import csv
import io
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from contract.errors import InputError
from terminal import files
from workloads.devops_metrics.reader import BATCH_ROWS, Fault
from workloads.replaceable import check_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from workloads.devops_metrics.reader import Batch, Reader
    from workloads.timeseries.store import MetricStore, Written

COMPLETE_SECONDS = 300
"""How often rollups are brought up to date while a file is followed, in seconds."""

COLUMNS = ("line", "reason", "text")
"""Of a quarantine."""


@dataclass
class Tally:
    """How far an ingestion is. `lines` is `written` + `quarantined`.

    Attributes:
        lines: Lines read, without header and blank lines.
        written: Rows of the file that the store holds now, each for a time and dimensions of its own. A row of an
            earlier run for the same time and dimensions is replaced.
        quarantined: Lines that were malformed, repeated the time and dimensions of an earlier line of the file, or were
            refused by the store.
        repeated: How many of the quarantined ones repeated.
        requests: Requests sent.
        metered_kib: KiB that AWS bills for.
        position: Bytes of the file that are done.
        seconds: Time since the start.
    """

    lines: int = 0
    written: int = 0
    quarantined: int = 0
    repeated: int = 0
    requests: int = 0
    metered_kib: int = 0
    position: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Lines per second."""
        return self.lines / self.seconds if self.seconds else 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: count + getattr(other, name) for name, count in asdict(self).items()})

    def totals(self) -> dict[str, float]:
        """Return the counts by their names, without the position."""
        return {name: count for name, count in asdict(self).items() if name != "position"}


class Quarantine:
    """A CSV file of the lines that could not be written: line number, reason, and the line itself.

    It is there only if there is such a line; one from an earlier run is replaced or removed when this run ends.

    Args:
        path: Where it goes.
        columns: Its columns; further ones come first.

    Raises:
        InputError: Another file is there.
    """

    def __init__(self, path: Path, columns: tuple[str, ...] = COLUMNS) -> None:
        check_table(path, columns)
        self._path, self._columns = path, columns
        self._file: io.TextIOWrapper | None = None
        self._writing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file:
            self._file.detach()
            self._writing.close()  # also after an error: what is known of the lines until then is worth reading
        elif kind is None:
            self._path.unlink(missing_ok=True)

    def add(self, faults: Sequence[Fault | Sequence[str]]) -> None:
        """Write faults down, or lines of another quarantine."""
        if not faults:
            return
        try:
            if self._file is None:
                binary = self._writing.enter_context(files.replacing(self._path))
                self._file = io.TextIOWrapper(binary, encoding="utf-8", newline="", write_through=True)
                csv.writer(self._file).writerow(self._columns)
            csv.writer(self._file).writerows(faults)
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self._path}: The file cannot be written: {error.strerror}.") from error


def ingest(
    reader: Reader,
    store: MetricStore,
    quarantine: Quarantine,
    *,
    writers: int = 4,
    batch_rows: int = BATCH_ROWS,
    version: int | None = None,
    rollups: bool = True,
    progress: Callable[[Tally], None] = lambda _tally: None,
) -> Tally:
    """Write a whole file.

    Reading waits while twice as many batches as writers are under way, so memory does not grow with the file, nor when
    the store is slow.

    Args:
        reader: The file.
        store: Where its rows go.
        quarantine: Where the other lines go.
        writers: Batches written at the same time.
        batch_rows: Lines of a batch.
        version: Of all rows; by default the time of the start in milliseconds, so that the latest run counts.
        rollups: Bring the store's rollups up to date. Without, raw rows answer for the windows that were written to.
        progress: Called after every batch.

    Returns:
        What became of the lines.

    Raises:
        InputError: The store refuses the rows, or the quarantine cannot be written.
        UnavailableError: The store cannot be reached. What was written before stays, and the same command completes it.
    """
    tally = Tally()
    began = time.perf_counter()
    version = version or time.time_ns() // 10**6
    under_way: deque[tuple[Batch, Future[Written]]] = deque()

    def settle() -> None:
        batch, future = under_way.popleft()
        result = future.result()
        faults = batch.faults + [Fault(row.line, reason, row.text) for row, reason in result.rejected]
        quarantine.add(sorted(faults))
        tally.lines += len(batch.rows) + len(batch.faults)
        tally.written += result.rows
        tally.quarantined += len(faults)
        tally.repeated += batch.repeated
        tally.requests += result.requests
        tally.metered_kib += result.metered_kib
        tally.position = batch.position
        tally.seconds = time.perf_counter() - began
        progress(tally)

    completed = time.monotonic()
    with ThreadPoolExecutor(writers, thread_name_prefix="writer") as pool:
        try:
            for batch in reader.batches(batch_rows):
                under_way.append((batch, pool.submit(store.write, batch.rows, version)))
                idle = not batch.rows and not batch.faults  # at the end of a file that is followed
                due = rollups and reader.follow and time.monotonic() - completed > COMPLETE_SECONDS
                while under_way and (idle or due or len(under_way) >= 2 * writers or under_way[0][1].done()):
                    settle()
                if due:
                    store.complete()
                    completed = time.monotonic()
            while under_way:
                settle()
            if rollups:
                store.complete()
            tally.seconds = time.perf_counter() - began
        except BaseException:
            for _, future in under_way:
                future.cancel()
            raise
    return tally
