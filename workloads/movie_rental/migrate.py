"""From the old database into every engine: side by side, in batches, idempotent, and resumable at any point.

Each stream of rows (`streams.py`) goes to its engines in order of a key, and several do so at the same time, in rounds
(`rounds.py`). Once a round is in, the key of each stream's last row is recorded in the new database; a migration that
starts again goes on behind it. A batch that was written but not recorded is written again, which changes nothing:
every write replaces what has the same identity. Several processes may share a migration (`partitions.py`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal

from contract.errors import InputError
from workloads.errors import RefusedRowError
from workloads.movie_rental import database, partitions
from workloads.movie_rental.bulk import LEAST_RENTALS, Choice
from workloads.movie_rental.embeddings import LatentSemanticModel, TitanEmbedder, restored
from workloads.movie_rental.interrupted_loads import complete, leave_to_queries
from workloads.movie_rental.partitions import Share
from workloads.movie_rental.rounds import Migration, of_another_snapshot
from workloads.movie_rental.source import TABLES
from workloads.movie_rental.streams import Erased, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from workloads.movie_rental.engines import Engines
    from workloads.movie_rental.partitions import Partition
    from workloads.movie_rental.ports import Embedder
    from workloads.movie_rental.quarantine import Quarantine
    from workloads.movie_rental.source import Source

Embeddings = Literal["local", "bedrock"]
_FITTED = 20_000  # films at most that a model is fitted on, so that memory does not grow with the library


def migrate(
    source: Source,
    engines: Engines,
    *,
    embeddings: Embeddings = "local",
    restart: bool = False,
    overwrite: bool = False,
    quarantine: Quarantine | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    share: Share | None = None,
    bulk: Choice = "auto",
) -> dict[str, int]:
    """Bring everything into its engines; go on where an interrupted migration of this source stopped.

    Args:
        source: The old database.
        engines: The new ones.
        embeddings: What makes the movies' vectors.
        restart: Start from the first row even if a migration was interrupted.
        overwrite: Write the old database's state over what the new system has changed.
        quarantine: Where rows go that can never be migrated; without it, the first one ends the migration.
        progress: Told a stream, how many of its rows are in, and how many there are to do.
        share: What this process moves of it; None: everything.
        bulk: Whether the first migration fills graph and library by the engines' bulk loaders.

    Returns:
        Rows that this process moved, by stream.

    Raises:
        RefusedRowError: A row cannot be migrated. The old database is checked before anything is written; a row that an
            engine refuses all the same ends the migration, and what was written before stays.
        InputError: The new system is in use, an engine refuses, or an unfinished migration has other partitions.
        UnavailableError: An engine cannot be reached. What is in stays, and the same command goes on from there.
        TemporaryError: Another process moves the same partition.
    """
    share = share or Share()
    begin(source, engines, share, restart=restart, overwrite=overwrite, quarantine=quarantine, bulk=bulk)
    try:
        moving = _Moving(source, engines, embeddings, overwrite, quarantine, progress)
        with database.asking(engines.ledger.url):
            return moving.run(share)
    finally:
        if quarantine:
            quarantine.write()


def begin(
    source: Source,
    engines: Engines,
    share: Share,
    *,
    restart: bool = False,
    overwrite: bool = False,
    quarantine: Quarantine | None = None,
    bulk: Choice = "auto",
) -> None:
    """Check that a migration is possible, and begin it, or join the unfinished one; nothing is moved.

    Raises:
        RefusedRowError: There are rows that cannot be migrated, and no quarantine.
        InputError: The new system is in use, or an unfinished migration has other partitions; or bulk loaders are
            asked for that there are not, or that would write over what is there.
        TemporaryError: A new one has to begin, and other processes are at work on the former.
    """
    share.check()
    connection = engines.ledger.connection
    with database.asking(engines.ledger.url):
        if overwrite:
            _refuse_copies_out_twice(source, engines)
        else:
            _refuse_if_in_use(source, engines)
    source.check(quarantine)
    with database.asking(engines.ledger.url):
        in_bulk = _may_load_in_bulk(engines, bulk, overwrite=overwrite)
        partitions.opened(
            connection,
            source,
            share,
            restart=restart,
            in_bulk=in_bulk,
            begins_in_bulk=lambda: _begins_in_bulk(source, engines, bulk, in_bulk),
        )
        _leave_out(source, connection, quarantine)
        if quarantine:
            quarantine.save(connection)


@dataclass
class _Moving:
    """A process on its way through the partitions of a migration.

    Attributes:
        source: The old database.
        engines: The new ones.
        embeddings: What makes the movies' vectors.
        overwrite: Whether it may write over what the new system has changed.
        quarantine: Where rows go that can never be migrated.
        progress: Told a stream, how many of its rows are in, and how many there are to do.
        fresh: Whether this process has moved the shared rows, all of them, as it sees the old database.
    """

    source: Source
    engines: Engines
    embeddings: Embeddings
    overwrite: bool
    quarantine: Quarantine | None
    progress: Callable[[str, int, int], None]
    fresh: bool = False

    def run(self, share: Share) -> dict[str, int]:
        """Move the shared rows, if no other process has, and the process's partitions; rows moved, by stream."""
        connection = self.engines.ledger.connection
        shared, *others = partitions.current(connection)
        with partitions.held(connection, shared.number):
            if partitions.is_done(connection, shared.number):
                moved: Counter[str] = Counter()
                embedder = self.engines.embedder()
            else:
                resuming = bool(partitions.positions(connection, shared.number))
                embedder = _model(self.source, connection, self.embeddings, resuming=resuming)
                self.engines.index.create(embedder.dimension)
                moved = self._moved(shared, embedder)
                partitions.complete(connection, shared.number)
        _leave_out(self.source, connection, self.quarantine)
        for partition in others if share.partition is None else [others[share.partition]]:
            with partitions.held(connection, partition.number):
                if not partitions.is_done(connection, partition.number):
                    moved += self._moved(partition, embedder, shared)
                    partitions.complete(connection, partition.number)
        _leave_out(self.source, connection, self.quarantine)
        self.engines.index.refresh()
        return {stream.name: moved[stream.name] for stream in streams(self.source, self.engines, embedder)}

    def _moved(self, partition: Partition, embedder: Embedder, shared: Partition | None = None) -> Counter[str]:
        """Move a partition; start over, with the shared rows, if it refers to what an earlier attempt did not see."""
        connection = self.engines.ledger.connection
        if self.engines.loaders:
            complete(self.engines.loaders.of(partition.number), self.engines)
        again: Counter[str] = Counter()
        while True:
            positions = partitions.positions(connection, partition.number)
            resumed = bool(positions) or not (self.fresh or shared is None)
            began = Erased.read(connection, self.source)
            migration = Migration(
                self.source, self.engines, embedder, self.quarantine, self.progress, began, self._refuse_if_in_use
            )
            try:
                moved = Counter(migration.run(partition, positions, resumed=resumed))
            except RefusedRowError as error:
                erased = Erased.read(connection, self.source) != began
                if not (of_another_snapshot(error) and (resumed or erased)):
                    raise
                partitions.forget(connection, partition.number)
                partition = replace(partition, in_bulk=False)
                if shared is not None:
                    with partitions.held(connection, shared.number):
                        partitions.forget(connection, shared.number)
                        again = self._moved(replace(shared, in_bulk=False), embedder)
                        partitions.complete(connection, shared.number)
            else:
                if shared is None:
                    self.fresh = not positions
                return moved + again

    def _refuse_if_in_use(self) -> None:
        if not self.overwrite:
            _refuse_if_in_use(self.source, self.engines)


def bring(
    source: Source,
    engines: Engines,
    rows: Mapping[str, Collection[int]],
    *,
    quarantine: Quarantine | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, int]:
    """Bring some rows into their engines, such as those in which `verify` has found differences.

    Args:
        source: The old database.
        engines: The new ones.
        rows: Their keys in the old database, by stream. Keys that it does not have are passed over.
        quarantine: Where rows go that can never be migrated; without it, the first one ends it.
        progress: Told a stream, how many of its rows are in, and how many there are to do.

    Returns:
        Rows brought, by stream.

    Raises:
        RefusedRowError: A row cannot be migrated. What was written before stays.
        InputError: The new system is in use, nothing was migrated yet, or an engine refuses.
        UnavailableError: An engine cannot be reached. What is in stays.
        TemporaryError: A process is migrating, and the stack has bulk loaders.
    """
    connection = engines.ledger.connection
    with database.asking(engines.ledger.url):
        _refuse_if_in_use(source, engines)
        leave_to_queries(engines)
        began = Erased.read(connection, source)
        embedder = engines.embedder()
    engines.index.create(embedder.dimension)
    migration = Migration(
        source, engines, embedder, quarantine, progress, began, lambda: _refuse_if_in_use(source, engines)
    )
    chosen = [stream for stream in streams(source, engines, embedder) if rows.get(stream.name)]
    brought = {stream.name: migration.bring(stream, frozenset(rows[stream.name])) for stream in chosen}
    engines.index.refresh()
    return brought


def _leave_out(source: Source, connection: database.Connection, quarantine: Quarantine | None) -> None:
    """Read no more what the migration has left out so far, also by other processes."""
    for table, row in quarantine.resume(connection) if quarantine else ():
        source.leave_out(table, row)


def _refuse_if_in_use(source: Source, engines: Engines) -> None:
    """Refuse to write over what the new system has changed.

    Raises:
        InputError: It has changed something; the message says how much of it would be overwritten.
    """
    changes = engines.ledger.ask("changes.sql")
    if not changes:
        return
    places = {table.name: (table.old, table.old_key) for table in TABLES} | {"movies": ("film", "film_id")}
    since = min(change["since"] for change in changes)
    changed = ", ".join(f"{change['name']}: {change['rows']:,}" for change in changes)
    counts = {change["name"]: source.among(*places[change["name"]], change["keys"]) for change in changes}
    lost = ", ".join(f"{name}: {count:,}" for name, count in counts.items() if count) or "none of them yet"
    error = InputError(
        f"{database.shown(engines.ledger.url)}: The new system is in use. It has changed rows since "
        f"{since:%Y-%m-%d %H:%M} UTC ({changed}). A migration would write the state of the old database over those "
        f"that the old database has, too ({lost})."
    )
    error.advice = "To do so all the same, migrate with --overwrite."
    raise error


def _may_load_in_bulk(engines: Engines, bulk: Choice, *, overwrite: bool) -> bool:
    """Return whether bulk loaders may fill engines, which write without looking.

    Raises:
        InputError: They are asked for, and may not.
    """
    if bulk == "always" and not engines.loaders:
        raise InputError("--bulk always: The stack has no bucket for bulk loads. Deploy it again, or use --bulk never.")
    if bulk == "always" and overwrite:
        raise InputError("--bulk always: Bulk loaders cannot write over what is there. Leave out --overwrite.")
    return bulk != "never" and bool(engines.loaders) and not overwrite


def _begins_in_bulk(source: Source, engines: Engines, bulk: Choice, allowed: bool) -> bool:
    """Return whether bulk loaders fill engines in a new migration. What the former one has begun to load is completed.

    Raises:
        InputError: They are asked for, and the engines hold something.
    """
    if engines.loaders:
        complete(engines.loaders, engines)
    if not allowed or (bulk == "auto" and source.count("rental", "rental_id") < LEAST_RENTALS):
        return False
    if engines.graph.is_empty() and engines.library.is_empty():
        return True
    if bulk == "always":
        raise InputError("--bulk always: Graph or library hold something already. Use --bulk never to add what is new.")
    return False


def _refuse_copies_out_twice(source: Source, engines: Engines) -> None:
    """Refuse to bring over rentals of copies that the new system has lent to somebody else.

    Raises:
        InputError: There are such copies.
    """
    lent = {row["inventory_id"]: row["rental_id"] for row in engines.ledger.ask("copies_out.sql")}
    twice = {copy: rental for copy, rental in source.copies_out([*lent]) if lent[copy] != rental}
    if twice:
        copy, rental = min(twice.items())
        raise InputError(
            f"{database.shown(engines.ledger.url)}: Copies are out in both systems ({len(twice):,}), such as copy "
            f"{copy} by rental {lent[copy]} here and by rental {rental} in the old database. A copy can be out once. "
            "Take these copies back in one of the two systems, then migrate again."
        )


def _model(source: Source, connection: database.Connection, embeddings: Embeddings, *, resuming: bool) -> Embedder:
    """Return the model that an interrupted migration began with; else a new one, which is kept for those who search."""
    model = connection.execute("SELECT name, content FROM models").fetchone()
    if resuming and model:
        return restored(*model)
    if embeddings == "bedrock":
        embedder: Embedder = TitanEmbedder()
        content = b""
    else:
        texts = (movie.text for batch in source.films() for movie in batch)
        every = max(1, -(-source.count("film", "film_id") // _FITTED))
        embedder = local = LatentSemanticModel.fit(islice(texts, 0, None, every))
        content = local.saved()
    with connection.transaction():
        connection.execute("DELETE FROM models")
        connection.execute("INSERT INTO models VALUES (%s, %s)", [embedder.name, content])
    return embedder
