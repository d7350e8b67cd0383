"""Rounds of a migration, in which several engines are filled at the same time.

In a round each lane writes at least one batch of its stream, and those that are faster go on until the slowest has
written its first. A round is one transaction of the new database, which keeps everybody else from writing, except the
rounds of other partitions, and whose end records how far the streams are. So it is in as a whole, or it is written
again, which changes nothing.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from contract.errors import GroundworkError, TemporaryError
from workloads.errors import RefusedRowError
from workloads.movie_rental import database
from workloads.movie_rental.database import SHARED
from workloads.movie_rental.streams import Erased, Stream, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from workloads.movie_rental.engines import Engines
    from workloads.movie_rental.partitions import Partition
    from workloads.movie_rental.ports import Embedder
    from workloads.movie_rental.quarantine import Quarantine
    from workloads.movie_rental.source import Source


@dataclass
class _Lane:
    """A stream on its way, and what the round under way has done of it.

    Attributes:
        stream: Which.
        partition: Of which partition its rows are.
        position: Key of the last row that is in.
        total: Rows that there were above the first position.
        batches: The rows above the position.
        moved: Rows that are in.
        ended: Whether there are no more.
        taken: Keys of the rows that the round has written.
        refused: Keys of the rows that an engine has refused in the round.
    """

    stream: Stream
    partition: int
    position: int
    total: int
    batches: Iterator[Sequence[Any]]
    moved: int = 0
    ended: bool = False
    taken: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)


class _Round:
    """When the lanes of a round stop: once each has written a batch, or one has failed.

    Args:
        lanes: How many.
    """

    def __init__(self, lanes: int) -> None:
        self._lock = threading.Lock()
        self._first = lanes  # lanes that have not written a batch
        self._failed = False

    def passed(self) -> None:
        """Say that a lane has written its first batch, or has none."""
        with self._lock:
            self._first -= 1

    def failed(self) -> None:
        """Let all lanes stop after the batch that they write."""
        self._failed = True

    @property
    def has_failed(self) -> bool:
        """Whether a lane has failed, so that the round will be written again."""
        return self._failed

    @property
    def over(self) -> bool:
        """Whether a lane stops before its next batch."""
        return self._failed or self._first <= 0


@dataclass(frozen=True)
class Migration:
    """What all batches of a migration share.

    Attributes:
        source: The old database.
        engines: The new ones.
        embedder: Makes the movies' vectors.
        quarantine: Where rows go that an engine refuses; None: the first one ends it.
        progress: Told a stream, how many of its rows are in, and how many there are to do.
        began: Who had been erased when it began.
        refuse_if_in_use: Raises `InputError` if the new system has changed something that must not be written over.
    """

    source: Source
    engines: Engines
    embedder: Embedder
    quarantine: Quarantine | None
    progress: Callable[[str, int, int], None]
    began: Erased
    refuse_if_in_use: Callable[[], None]

    def run(self, partition: Partition, positions: Mapping[str, int], *, resumed: bool) -> dict[str, int]:
        """Move every stream of the partition on from where it is; rows moved, by stream.

        A stream that had come to its end goes on too: the old database may have got rows since, and other streams may
        refer to them.

        Args:
            partition: What is moved.
            positions: The keys behind which the streams go on.
            resumed: Whether rows that these refer to may come from another state of the old database.
        """
        loaders = self.engines.loaders.of(partition.number) if partition.in_bulk and self.engines.loaders else None
        every = streams(self.source, self.engines, self.embedder, partition.films, loaders)
        waiting = [stream for stream in every if stream.shared == (partition.number == SHARED)]
        moved = {stream.name: 0 for stream in waiting}
        lanes: dict[str, _Lane] = {}
        with ThreadPoolExecutor(thread_name_prefix="migration") as threads:
            while waiting or lanes:
                behind = {stream.name for stream in waiting} | {lane.stream.name for lane in lanes.values()}
                for stream in [*waiting]:
                    if stream.lane not in lanes and stream.behind not in behind:
                        lanes[stream.lane] = self._begun(stream, partition, positions.get(stream.name, 0))
                        waiting.remove(stream)
                self._round([*lanes.values()], threads, resumed=resumed)
                for name, lane in [*lanes.items()]:
                    moved[lane.stream.name] = lane.moved
                    self.progress(lane.stream.name, lane.moved, lane.total)
                    if lane.ended:
                        del lanes[name]
        return moved

    def _begun(self, stream: Stream, partition: Partition, position: int) -> _Lane:
        total = self.source.count(*stream.counted, position, partition.films)
        self.progress(stream.name, 0, total)
        return _Lane(stream, partition.number, position, total, stream.batches(position))

    def _round(self, lanes: Sequence[_Lane], threads: ThreadPoolExecutor, *, resumed: bool) -> None:
        """Write at least one batch of each lane, and record how far they are."""
        connection = self.engines.ledger.connection
        at = lanes[0].stream.name
        try:
            with database.asking("The new database"), connection.transaction():
                erased = self._begin(lanes[0].partition)
                this = _Round(len(lanes))
                writing = [threads.submit(self._advance, lane, this, erased, resumed=resumed) for lane in lanes]
                try:
                    wait(writing)
                finally:  # if somebody interrupts it, too: no lane may use the connection behind the transaction
                    this.failed()
                    wait(writing)
                for lane, written in zip(lanes, writing, strict=True):
                    at = lane.stream.name
                    written.result()
                for lane in lanes:
                    at = lane.stream.name
                    self._settle(lane)
                if self.quarantine:
                    self.quarantine.save(connection)
        except GroundworkError as error:
            _advise(error, at)
            raise

    def _advance(self, lane: _Lane, this: _Round, erased: Erased, *, resumed: bool) -> None:
        """Write batches of a lane until the round is over."""
        lane.taken, lane.refused, first = [], [], True
        try:
            while first or not this.over:
                keys, refused = self._written(lane.stream, lane.batches, this, erased, resumed=resumed)
                if not keys:
                    lane.ended = True
                    return
                lane.refused += refused
                lane.taken += [key for key in keys if key not in refused]
                lane.moved += len(keys) - len(refused)
                lane.position = keys[-1]
                if first:
                    first = False
                    this.passed()
        except BaseException:
            this.failed()
            raise
        finally:
            if first:
                this.passed()

    def _written(
        self, stream: Stream, batches: Iterator[Sequence[Any]], this: _Round, erased: Erased, *, resumed: bool
    ) -> tuple[list[int], set[int]]:
        """Write the batches that engines take together; return the keys of their rows, and those of refused ones."""
        keys: list[int] = []
        refused: set[int] = set()
        for batch in islice(batches, stream.batches_at_once):
            refused |= self._write(stream, stream.prepare(batch), erased, resumed=resumed)
            keys += [stream.key(row) for row in batch]
            if this.has_failed:
                return keys, refused
        for key, error in stream.load().items():
            self._refuse(stream, key, error)
            refused.add(key)
        return keys, refused

    def _settle(self, lane: _Lane) -> None:
        """Do what a lane has to do while nobody else writes, and record how far it is."""
        lane.stream.settle(lane.taken, lane.refused)
        self.engines.ledger.connection.execute(
            "INSERT INTO checkpoints (stream, partition, position, rows) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (stream, partition) "
            "DO UPDATE SET position = excluded.position, rows = checkpoints.rows + excluded.rows",
            [lane.stream.name, lane.partition, lane.position, len(lane.taken)],
        )

    def bring(self, stream: Stream, keys: Collection[int]) -> int:
        """Write the rows of some keys; return how many the old database has. What a migration has recorded stays."""
        connection = self.engines.ledger.connection
        brought = 0
        for batch in stream.batches(min(keys) - 1):
            chosen = [row for row in batch if stream.key(row) in keys]
            if chosen:
                with database.asking("The new database"), connection.transaction():
                    refused = self._write(stream, stream.prepare(chosen), self._begin(), resumed=False)
                    brought += len(chosen) - len(refused)
                    stream.settle({stream.key(row) for row in chosen}.difference(refused), refused)
                    if self.quarantine:
                        self.quarantine.save(connection)
                self.progress(stream.name, brought, len(keys))
            if stream.key(batch[-1]) >= max(keys):
                break
        return brought

    def _begin(self, partition: int | None = None) -> Erased:
        """Let nobody else write until the end of the transaction, and nobody have changed what it writes over.

        Args:
            partition: Only of this one; the others may be written by other processes.
        """
        connection = self.engines.ledger.connection
        if partition is None:
            database.lock(connection, exclusive=True)
        else:
            database.lock_partition(connection, partition)
        connection.execute("SELECT set_config('movie_rental.migrating', 'on', true)")
        self.refuse_if_in_use()
        return Erased.read(connection, self.source)

    def _write(self, stream: Stream, rows: Sequence[Any], erased: Erased, *, resumed: bool) -> set[int]:
        """Write rows; if an engine refuses them, halve them until the refused rows are known. Return their keys.

        Raises:
            RefusedRowError: An engine refuses a row, and there is no quarantine.
        """
        try:
            stream.write(rows, erased)
        except RefusedRowError as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                halves = (rows[:middle], rows[middle:])
                return {key for half in halves for key in self._write(stream, half, erased, resumed=resumed)}
            outdated = resumed or erased != self.began
            key = stream.key(rows[0])
            self._refuse(stream, key, error, final=not (outdated and of_another_snapshot(error)))
            return {key}
        return set()

    def _refuse(self, stream: Stream, key: int, error: RefusedRowError, *, final: bool = True) -> None:
        """Leave a row out, if it will never be taken and there is a quarantine.

        Raises:
            RefusedRowError: It is not left out.
        """
        if not self.quarantine or not final:
            error.advice = (
                "What was written before stays. Correct the row in the old database and migrate again, or leave "
                "rows like it out with --quarantine FILE."
            )
            raise error
        table, _ = stream.counted
        self.quarantine.add(table, key, str(error))
        self.source.leave_out(table, key)


def _advise(error: GroundworkError, stream: str) -> None:
    """Say how to go on."""
    if isinstance(error, TemporaryError):
        error.advice = f"What was moved stays. The same command goes on with this stream: {stream}."
    else:
        error.advice = error.advice or (
            f"What was moved stays. Once this is corrected, the same command goes on with this stream: {stream}."
        )


def of_another_snapshot(error: RefusedRowError) -> bool:
    """Whether a row does not fit those that came from an earlier snapshot, or lacks what an erasure has removed."""
    return isinstance(error.__cause__, (ForeignKeyViolation, UniqueViolation))
