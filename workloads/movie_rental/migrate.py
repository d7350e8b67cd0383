"""From the old database into every engine: in batches, idempotent, and resumable at any point.

Each stream of rows goes to its engines in order of a key. Once a batch is in, the key of its last row is recorded in
the new database (for relational tables in the same transaction); a migration that starts again goes on behind it. A
batch that was written but not recorded is written again, which changes nothing: every write replaces what has the same
identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg import sql
from psycopg.errors import ForeignKeyViolation, UniqueViolation

from contract.errors import GroundworkError, InputError, TemporaryError, phrase
from workloads.errors import RefusedRowError
from workloads.movie_rental import database
from workloads.movie_rental.embeddings import LatentSemanticModel, TitanEmbedder, restored
from workloads.movie_rental.source import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from workloads.movie_rental.engines import Engines
    from workloads.movie_rental.model import Movie
    from workloads.movie_rental.ports import Embedder
    from workloads.movie_rental.quarantine import Quarantine
    from workloads.movie_rental.source import Source, Table

MOVIES, IN_GRAPH, RENTED = "movies", "people in the graph", "who rented what, and when"
"""Streams besides those of the relational tables, which have the tables' names."""

Embeddings = Literal["local", "bedrock"]
_TABLE_ROWS, _FILMS, _RENTALS = 5000, 500, 4000  # rows of a batch
_ERASED_NUMBERS = {
    "customers": sql.SQL("(SELECT max(customer_id) FROM erasures)"),
    "addresses": sql.SQL("(SELECT max(address_id) FROM erasures)"),
}


@dataclass(frozen=True)
class Erased:
    """Who was erased, by number: they do not come back.

    Attributes:
        customers: Customers.
        addresses: Addresses that nobody else had.
    """

    customers: frozenset[int]
    addresses: frozenset[int]

    @classmethod
    def read(cls, connection: database.Connection, source: Source) -> Erased:
        """Return the customers that the new database remembers as erased, without addresses that others now live at."""
        rows = connection.execute("SELECT customer_id, address_id FROM erasures").fetchall()
        customers = frozenset(row[0] for row in rows)
        addresses = frozenset(row[1] for row in rows if row[1])
        return cls(customers, addresses - source.inhabited(addresses, without=customers))

    @classmethod
    def nobody(cls) -> Erased:
        """Return an empty record: nobody was erased."""
        return cls(frozenset(), frozenset())

    def spared(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a table without those of erased customers."""
        if not self.customers:
            return rows
        erased = {"customers": self.customers, "addresses": self.addresses}.get(table.name)
        if erased is not None:
            return [row for row in rows if row[0] not in erased]
        if "customer_id" not in table.columns:
            return rows
        at = table.columns.index("customer_id")
        return [(*row[:at], None, *row[at + 1 :]) if row[at] in self.customers else row for row in rows]


@dataclass(frozen=True)
class Stream:
    """Rows that go to engines in order of a key.

    Attributes:
        name: What they are.
        counted: The old table and its key that tell how many are left.
        batches: The rows above a key.
        key: Of a row.
        write: Brings a batch into its engines, without those who were erased.
        finish: Called behind the last batch.
    """

    name: str
    counted: tuple[str, str]
    batches: Callable[[int], Iterator[Sequence[Any]]]
    key: Callable[[Any], int]
    write: Callable[[Sequence[Any], Erased], None]
    finish: Callable[[], None] = lambda: None


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
        try:
            moved = _Migration(source, engines, embedder, overwrite, quarantine, progress, began).run(positions)
        except RefusedRowError as error:
            if not (_of_another_snapshot(error) and (positions or Erased.read(connection, source) != began)):
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
    migration = _Migration(source, engines, embedder, False, quarantine, progress, began)  # noqa: FBT003
    streams = [stream for stream in _streams(source, engines, embedder) if rows.get(stream.name)]
    brought = {stream.name: migration.bring(stream, frozenset(rows[stream.name])) for stream in streams}
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


def _of_another_snapshot(error: RefusedRowError) -> bool:
    """Whether a row does not fit those that came from an earlier snapshot, or lacks what an erasure has removed."""
    return isinstance(error.__cause__, (ForeignKeyViolation, UniqueViolation))


@dataclass(frozen=True)
class _Migration:
    """What all batches of a migration share."""

    source: Source
    engines: Engines
    embedder: Embedder
    overwrite: bool
    quarantine: Quarantine | None
    progress: Callable[[str, int, int], None]
    began: Erased  # who had been erased when it began

    def run(self, positions: Mapping[str, int]) -> dict[str, int]:
        """Move every stream on from where it is; rows moved, by stream.

        A stream that had come to its end goes on too: the old database may have got rows since, and later streams may
        refer to them.
        """
        moved: dict[str, int] = {}
        for stream in _streams(self.source, self.engines, self.embedder):
            try:
                moved[stream.name] = self._move(stream, positions.get(stream.name, 0), resumed=bool(positions))
            except TemporaryError as error:
                error.advice = f"What was moved stays. The same command goes on with this stream: {stream.name}."
                raise
            except GroundworkError as error:
                error.advice = error.advice or (
                    "What was moved stays. Once this is corrected, the same command goes on with this stream: "
                    f"{stream.name}."
                )
                raise
        return moved

    def _move(self, stream: Stream, position: int, *, resumed: bool) -> int:
        connection = self.engines.ledger.connection
        total = self.source.count(*stream.counted, position)
        moved = 0
        self.progress(stream.name, moved, total)
        for batch in stream.batches(position):
            with database.asking("The new database"), connection.transaction():
                self._begin()
                refused = self._write(stream, batch, Erased.read(connection, self.source), resumed=resumed)
                if self.quarantine:
                    self.quarantine.save()
                position = stream.key(batch[-1])
                _record(connection, stream.name, self.source, position)
            moved += len(batch) - refused
            self.progress(stream.name, moved, total)
        with database.asking("The new database"), connection.transaction():
            self._begin()
            stream.finish()
            _record(connection, stream.name, self.source, position)
        return moved

    def bring(self, stream: Stream, keys: Collection[int]) -> int:
        """Write the rows of some keys; return how many the old database has. What a migration has recorded stays."""
        connection = self.engines.ledger.connection
        brought = 0
        for batch in stream.batches(min(keys) - 1):
            chosen = [row for row in batch if stream.key(row) in keys]
            if chosen:
                with database.asking("The new database"), connection.transaction():
                    self._begin()
                    erased = Erased.read(connection, self.source)
                    brought += len(chosen) - self._write(stream, chosen, erased, resumed=False)
                    if self.quarantine:
                        self.quarantine.save()
                self.progress(stream.name, brought, len(keys))
            if stream.key(batch[-1]) >= max(keys):
                break
        return brought

    def _begin(self) -> None:
        """Let nobody else write until the end of the transaction, and nobody have changed what it writes over."""
        connection = self.engines.ledger.connection
        database.lock(connection, exclusive=True)
        connection.execute("SELECT set_config('movie_rental.migrating', 'on', true)")
        if not self.overwrite:
            _refuse_if_in_use(self.source, self.engines)

    def _write(self, stream: Stream, rows: Sequence[Any], erased: Erased, *, resumed: bool) -> int:
        """Write rows; if an engine refuses them, halve them until the refused rows are known. Return their number.

        Raises:
            RefusedRowError: An engine refuses a row, and there is no quarantine.
        """
        try:
            stream.write(rows, erased)
        except RefusedRowError as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                halves = (rows[:middle], rows[middle:])
                return sum(self._write(stream, half, erased, resumed=resumed) for half in halves)
            outdated = resumed or erased != self.began
            if not self.quarantine or (outdated and _of_another_snapshot(error)):
                error.advice = (
                    "What was written before stays. Correct the row in the old database and migrate again, or leave "
                    "rows like it out with --quarantine FILE."
                )
                raise
            table, _ = stream.counted
            self.quarantine.add(table, stream.key(rows[0]), str(error))
            self.source.leave_out(table, stream.key(rows[0]))
            return 1
        return 0


def _record(connection: database.Connection, stream: str, source: Source, position: int) -> None:
    connection.execute(
        "INSERT INTO checkpoints (stream, source, position) VALUES (%s, %s, %s) "
        "ON CONFLICT (stream) DO UPDATE SET position = excluded.position",
        [stream, source.identity, position],
    )


def _streams(source: Source, engines: Engines, embedder: Embedder) -> Iterator[Stream]:
    connection = engines.ledger.connection

    def relational(table: Table) -> Stream:
        return Stream(
            table.name,
            (table.old, table.old_key),
            lambda after: source.table(table, after, _TABLE_ROWS),
            lambda row: int(row[0]),
            lambda rows, erased: _write_rows(connection, table, erased.spared(table, rows)),
            lambda: _continue_numbers(connection, table),
        )

    def write_films(movies: Sequence[Movie], _: Erased) -> None:
        vectors = embedder.embed([movie.text for movie in movies])
        embedded = [movie.embedded(vector) for movie, vector in zip(movies, vectors, strict=True)]
        connection.execute("DELETE FROM changed_movies WHERE movie_id = ANY(%s)", [[movie.id for movie in movies]])
        saved = engines.library.save(embedded)
        engines.index.save(saved)
        engines.graph.save_movies(saved)

    def write_customers(customers: Sequence[int], erased: Erased) -> None:
        engines.graph.save_customers([number for number in customers if number not in erased.customers])

    def write_rentals(rentals: Sequence[Any], erased: Erased) -> None:
        nobody, unknown = erased.customers | {0}, source.left_out("film")
        attributable = [r for r in rentals if r.customer_id not in nobody and int(r.movie_id) not in unknown]
        engines.graph.save_rentals(attributable)
        engines.series.save(rentals)

    for table in TABLES:
        yield relational(table)
    yield Stream(
        MOVIES,
        ("film", "film_id"),
        lambda after: source.films(after, _FILMS),
        lambda movie: int(movie.id),
        write_films,
    )
    yield Stream(
        IN_GRAPH,
        ("customer", "customer_id"),
        lambda after: source.customers(after, _RENTALS),
        int,
        write_customers,
    )
    yield Stream(
        RENTED,
        ("rental", "rental_id"),
        lambda after: source.rentals(after, _RENTALS),
        lambda rental: int(rental.id),
        write_rentals,
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
        texts = (movie.text for batch in source.films(0, _FILMS) for movie in batch)
        embedder = local = LatentSemanticModel.fit(texts)
        content = local.saved()
    with connection.transaction():
        connection.execute("DELETE FROM models")
        connection.execute("INSERT INTO models VALUES (%s, %s)", [embedder.name, content])
    return embedder


def _write_rows(connection: database.Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, or correct those that are there.

    Raises:
        RefusedRowError: PostgreSQL refuses one of them; the message is about the first.
    """
    if not rows:
        return
    try:
        with connection.transaction():
            _upsert(connection, table, rows)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        detail = (
            error.diag.message_detail or ""
        )  # others than "Key (...) ..." show the whole row, with what is personal
        reason = ": ".join(filter(None, [error.diag.message_primary, detail if detail.startswith("Key ") else ""]))
        raise RefusedRowError(
            f"{table.old.capitalize()} {rows[0][0]}: PostgreSQL refuses it: {phrase(reason or error)}."
        ) from error


def _upsert(connection: database.Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, or correct those that are there."""
    name, moved = sql.Identifier(table.name), sql.Identifier(f"moved_{table.name}")
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    changed = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in (*table.columns[1:], "changed_at")
    )
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} (LIKE {}) ON COMMIT DELETE ROWS").format(moved, name)
    )
    connection.execute(sql.SQL("DELETE FROM {}").format(moved))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(moved, columns)) as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT ({}) DO UPDATE SET {}").format(
            name, columns, columns, moved, sql.Identifier(table.key), changed
        )
    )


def _continue_numbers(connection: database.Connection, table: Table) -> None:
    """Let new rows get numbers that were never used: in the old database, in the new one, or before an erasure."""
    [(sequence,)] = connection.execute("SELECT pg_get_serial_sequence(%s, %s)", [table.name, table.key])
    if sequence:
        name, key = sql.Identifier(table.name), sql.Identifier(table.key)
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(name))  # no new numbers now
        statement = "SELECT setval(%s, greatest((SELECT max({}) FROM {}), (SELECT last_value FROM {}), {}))"
        erased = _ERASED_NUMBERS.get(table.name, sql.SQL("NULL"))
        sequence_name = sql.Identifier(*sequence.split("."))
        connection.execute(sql.SQL(statement).format(key, name, sequence_name, erased), [sequence])
