"""The partitions of a migration: ranges of films, which several processes may move at the same time.

With a film go its copies, their rentals and the payments for these, in every engine. So no partition refers to rows of
another one, except to the shared rows, which belong to no film: those have a partition of their own, which the first
process moves while the others wait. The plan and what is in are recorded in the new database.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from psycopg.errors import LockNotAvailable

from contract.errors import InputError, TemporaryError
from workloads.movie_rental import database
from workloads.movie_rental.database import MOST_PARTITIONS, SHARED
from workloads.movie_rental.source import EVERY_FILM, TABLES
from workloads.movie_rental.streams import continue_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workloads.movie_rental.source import Films, Source

RUN = "MOVIE_RENTAL_RUN"
"""The run of a migration, in the environment of its processes."""

_PATIENCE = "150s"  # longer than PostgreSQL needs to see that the machine of another process is gone


@dataclass(frozen=True)
class Share:
    """What one process moves of a migration.

    Attributes:
        partitions: How many there are.
        partition: Which one it moves, from 0; None: all of them, one after the other.
        run: What the processes of a migration have in common, and no other has. A process of a new run goes on with an
            unfinished migration, also with partitions that were done. Empty: a process that joins whichever there is.
    """

    partitions: int = 1
    partition: int | None = None
    run: str = field(default_factory=lambda: str(uuid4()))

    @classmethod
    def of_process(cls, partitions: int, partition: int | None) -> Share:
        """Return the share of this process, whose run is in its environment, or is the array job that it belongs to.

        Raises:
            InputError: There are too few or too many partitions, or none of that number.
        """
        share = cls(partitions)
        if partition is not None:
            array, _, _ = os.environ.get("AWS_BATCH_JOB_ID", "").rpartition(":")
            share = cls(partitions, partition, os.environ.get(RUN, "") or array)
        share.check()
        return share

    def check(self) -> None:
        """Refuse numbers that cannot be.

        Raises:
            InputError: There are too few or too many partitions, or none of that number.
        """
        if not 1 <= self.partitions <= MOST_PARTITIONS:
            raise InputError(f"--partitions {self.partitions}: Choose a number from 1 to {MOST_PARTITIONS}.")
        if self.partition is not None and not 0 <= self.partition < self.partitions:
            raise InputError(
                f"--partition {self.partition}: The partitions are numbered from 0 to {self.partitions - 1}. Choose "
                "one of them, or another number of --partitions."
            )


@dataclass(frozen=True)
class Partition:
    """A partition of the migration under way.

    Attributes:
        number: From 0; `SHARED` for what belongs to no film.
        films: The range of its films' numbers, both ends included.
        done: Whether it is in.
        in_bulk: Whether the engines' bulk loaders fill graph and library.
    """

    number: int
    films: Films = EVERY_FILM
    done: bool = False
    in_bulk: bool = False


@dataclass(frozen=True)
class Moved:
    """What a migration has moved of one partition so far.

    Attributes:
        partition: Which.
        rows: How many rows are in, by stream.
    """

    partition: Partition
    rows: dict[str, int]


def opened(
    connection: database.Connection,
    source: Source,
    share: Share,
    *,
    restart: bool = False,
    in_bulk: bool = False,
    begins_in_bulk: Callable[[], bool] = lambda: False,
) -> list[Partition]:
    """Return the partitions of the unfinished migration of a source, or of a new one, which then begins.

    Args:
        connection: To the new database.
        source: The old one.
        share: What this process moves.
        restart: Begin a new one in any case.
        in_bulk: Whether bulk loaders may go on to fill the engines, if they have begun to.
        begins_in_bulk: Asked when a new one begins: whether bulk loaders fill the engines.

    Raises:
        InputError: The unfinished migration has another number of partitions, or only one of them is to restart.
        TemporaryError: A new one has to begin, and other processes are at work on the former.
    """
    if restart and not share.run:
        raise InputError(
            f"--partition {share.partition}: One partition cannot begin again without the others. Leave out "
            "--partition, or --restart."
        )
    with connection.transaction():
        database.lock_plan(connection)
        rows = connection.execute("SELECT source, run, done FROM partitions").fetchall()
        ours = bool(rows) and rows[0][0] == source.identity
        same_run = bool(rows) and rows[0][1] == share.run
        unfinished = any(not done for _, _, done in rows)
        if ours and (same_run or (unfinished and not restart)):
            if len(rows) - 1 != share.partitions:
                raise _of_another_number(len(rows) - 1, share)
            if share.run and not same_run:  # the old database may have got rows since, also of what was done
                connection.execute("UPDATE partitions SET run = %s, done = false", [share.run])
            if not in_bulk:
                connection.execute("UPDATE partitions SET in_bulk = false")
        else:
            _begin(connection, source, share, in_bulk=begins_in_bulk())
        return current(connection)


def _begin(connection: database.Connection, source: Source, share: Share, *, in_bulk: bool) -> None:
    """Replace the former migration by one that has moved nothing yet.

    Raises:
        TemporaryError: Other processes are at work on it.
    """
    if not database.no_partition_held(connection):
        raise TemporaryError(
            "Another process is migrating into this database. Wait until it has ended, or end it, and run the same "
            "command again."
        )
    connection.execute("DELETE FROM partitions")
    connection.execute("DELETE FROM quarantined")
    ranges = [(SHARED, EVERY_FILM), *enumerate(source.divided(share.partitions))]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO partitions (partition, source, run, in_bulk, lowest, highest) VALUES (%s, %s, %s, %s, %s, %s)",
            [(number, source.identity, share.run, in_bulk, *films) for number, films in ranges],
        )


def _of_another_number(begun: int, share: Share) -> InputError:
    return InputError(
        f"--partitions {share.partitions}: An unfinished migration into this database has {begun}. Go on with "
        f"--partitions {begun}, or begin again from the first row with --restart (in a job of AWS Batch, with its "
        "array's size, or with MOVIE_RENTAL_RESTART=1 in its environment)."
    )


def current(connection: database.Connection) -> list[Partition]:
    """Return the partitions of the migration that was begun last, the shared one first."""
    rows = connection.execute("SELECT partition, lowest, highest, done, in_bulk FROM partitions ORDER BY partition")
    return [Partition(number, (lowest, highest), done, in_bulk) for number, lowest, highest, done, in_bulk in rows]


@contextmanager
def held(connection: database.Connection, number: int) -> Iterator[None]:
    """Let no other process move a partition meanwhile. The shared one is waited for as long as another moves it.

    Raises:
        TemporaryError: Another process has been moving it for some minutes.
    """
    try:
        database.hold(connection, number, patience="0" if number == SHARED else _PATIENCE)
    except LockNotAvailable as error:
        raise TemporaryError(
            f"Partition {number}: Another process is moving it. Wait until that process has ended, or end it, and run "
            "the same command again."
        ) from error
    try:
        yield
    finally:
        database.release(connection, number)


def is_done(connection: database.Connection, number: int) -> bool:
    """Return whether a partition is in."""
    [(done,)] = connection.execute("SELECT done FROM partitions WHERE partition = %s", [number])
    return bool(done)


def positions(connection: database.Connection, number: int) -> dict[str, int]:
    """Return the keys of the last rows that are in, by stream."""
    rows = connection.execute("SELECT stream, position FROM checkpoints WHERE partition = %s", [number])
    return dict(rows.fetchall())


def forget(connection: database.Connection, *numbers: int) -> None:
    """Let partitions begin from their first rows, which may have changed since bulk loaders have loaded them."""
    with connection.transaction():
        connection.execute(
            "UPDATE partitions SET done = false, in_bulk = false WHERE partition = ANY(%s)", [[*numbers]]
        )
        connection.execute("DELETE FROM checkpoints WHERE partition = ANY(%s)", [[*numbers]])


def complete(connection: database.Connection, number: int) -> None:
    """Record that a partition is in. Behind the last one, new rows get numbers that were never used."""
    with connection.transaction():
        database.lock_plan(connection)
        connection.execute("UPDATE partitions SET done = true WHERE partition = %s", [number])
        [(left,)] = connection.execute("SELECT count(*) FROM partitions WHERE NOT done")
        if not left:
            database.lock(connection, exclusive=True)
            for table in TABLES:
                continue_numbers(connection, table)


def moved(connection: database.Connection) -> Sequence[Moved]:
    """Return what the migration has moved of each partition, the shared one first; over all attempts."""
    rows: dict[int, dict[str, int]] = {}
    for number, stream, count in connection.execute("SELECT partition, stream, rows FROM checkpoints ORDER BY stream"):
        rows.setdefault(number, {})[stream] = count
    return [Moved(partition, rows.get(partition.number, {})) for partition in current(connection)]
