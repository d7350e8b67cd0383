"""From the old database into every engine: side by side, in batches, idempotent, and resumable at any point.

Each stream of rows (`streams.py`) goes to its engines in order of a key, and several do so at the same time, in rounds
(`rounds.py`). Once a round is in, the key of each stream's last row is recorded in the new database; a migration that
starts again goes on behind it. A batch that was written but not recorded is written again, which changes nothing:
every write replaces what has the same identity.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Literal

from contract.errors import InputError
from workloads.errors import RefusedRowError
from workloads.movie_rental import database
from workloads.movie_rental.embeddings import LatentSemanticModel, TitanEmbedder, restored
from workloads.movie_rental.rounds import Migration, of_another_snapshot
from workloads.movie_rental.source import TABLES
from workloads.movie_rental.streams import Erased, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from workloads.movie_rental.engines import Engines
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

    Returns:
        Rows moved, by stream.

    Raises:
        RefusedRowError: A row cannot be migrated. The old database is checked before anything is written; a row that an
            engine refuses all the same ends the migration, and what was written before stays.
        InputError: The new system is in use, or an engine refuses.
        UnavailableError: An engine cannot be reached. What is in stays, and the same command goes on from there.
    """
    connection = engines.ledger.connection
    with database.asking(engines.ledger.url):
        if overwrite:
            _refuse_copies_out_twice(source, engines)
        else:
            _refuse_if_in_use(source, engines)
    source.check(quarantine)
    with database.asking(engines.ledger.url):
        if restart:
            connection.execute("DELETE FROM checkpoints")
        connection.execute("DELETE FROM checkpoints WHERE source <> %s", [source.identity])
        positions: dict[str, int] = dict(connection.execute("SELECT stream, position FROM checkpoints").fetchall())
        embedder = _model(source, connection, embeddings, resuming=bool(positions))
    if quarantine and positions:
        for table, row in quarantine.resume():
            source.leave_out(table, row)
    engines.index.create(embedder.dimension)
    moved = None
    while moved is None:
        began = Erased.read(connection, source)
        migration = Migration(
            source,
            engines,
            embedder,
            overwrite,
            quarantine,
            progress,
            began,
            lambda: _refuse_if_in_use(source, engines),
        )
        try:
            moved = migration.run(positions)
        except RefusedRowError as error:
            if not (of_another_snapshot(error) and (positions or Erased.read(connection, source) != began)):
                raise
            with database.asking(engines.ledger.url):
                connection.execute("DELETE FROM checkpoints")
            positions = {}
    with database.asking(engines.ledger.url):
        connection.execute("DELETE FROM checkpoints")
    engines.index.refresh()
    return moved


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
    """
    connection = engines.ledger.connection
    with database.asking(engines.ledger.url):
        _refuse_if_in_use(source, engines)
        began = Erased.read(connection, source)
        embedder = engines.embedder()
    engines.index.create(embedder.dimension)
    migration = Migration(
        source,
        engines,
        embedder,
        overwrite=False,
        quarantine=quarantine,
        progress=progress,
        began=began,
        refuse_if_in_use=lambda: _refuse_if_in_use(source, engines),
    )
    chosen = [stream for stream in streams(source, engines, embedder) if rows.get(stream.name)]
    brought = {stream.name: migration.bring(stream, frozenset(rows[stream.name])) for stream in chosen}
    engines.index.refresh()
    return brought


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
