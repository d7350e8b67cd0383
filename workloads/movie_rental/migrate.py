"""From the old database into every engine: in batches, idempotent, and resumable at any point.

Each stream of rows goes to its engines in order of a key. Once a batch is in, the key of its last row is recorded in
the new database (for relational tables in the same transaction); who starts again goes on behind it. A batch that was
written but not recorded is written again, which changes nothing: every write replaces what has the same identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg import sql

from contract.errors import GroundworkError, phrase
from workloads.errors import RefusedRowError
from workloads.movie_rental import database
from workloads.movie_rental.embeddings import LatentSemanticModel, TitanEmbedder, restored
from workloads.movie_rental.source import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workloads.movie_rental.engines import Engines
    from workloads.movie_rental.model import Movie
    from workloads.movie_rental.ports import Embedder
    from workloads.movie_rental.source import Source, Table

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
        addresses: Addresses that were theirs alone.
    """

    customers: frozenset[int]
    addresses: frozenset[int]

    @classmethod
    def read(cls, connection: database.Connection, source: Source) -> Erased:
        """Those whom the new database remembers; an address at which somebody else lives by now comes back."""
        rows = connection.execute("SELECT customer_id, address_id FROM erasures").fetchall()
        customers = frozenset(row[0] for row in rows)
        addresses = frozenset(row[1] for row in rows if row[1])
        return cls(customers, addresses - source.inhabited(addresses, without=customers))

    @classmethod
    def nobody(cls) -> Erased:
        """No one."""
        return cls(frozenset(), frozenset())

    def spared(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """The rows of a table without them."""
        if not self.customers:
            return rows
        gone = {"customers": self.customers, "addresses": self.addresses}.get(table.name)
        if gone is not None:
            return [row for row in rows if row[0] not in gone]
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
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, int]:
    """Bring everything into its engines; go on where an interrupted migration of this source stopped.

    Args:
        source: The old database.
        engines: The new ones.
        embeddings: What makes the movies' vectors.
        restart: Start from the first row even if a migration was interrupted.
        progress: Told a stream, how many of its rows are in, and how many there are to do.

    Returns:
        Rows moved, by stream.

    Raises:
        RefusedRowError: A row cannot be migrated. The old database is checked before anything is written; a row that an
            engine refuses all the same ends the migration, and what was written before stays.
        InputError: An engine refuses.
        UnavailableError: An engine cannot be reached. What is in stays, and the same command goes on from there.
    """
    source.check()
    connection, name = engines.ledger.connection, database.shown(source.url)
    with database.asking(engines.ledger.url):
        if restart:
            connection.execute("DELETE FROM checkpoints")
        connection.execute("DELETE FROM checkpoints WHERE source <> %s", [name])
        rows = connection.execute("SELECT stream, position, done FROM checkpoints").fetchall()
        positions = {stream: (position, done) for stream, position, done in rows}
        embedder = _model(source, connection, embeddings, resuming=bool(positions))
    engines.index.create(embedder.dimension)
    moved: dict[str, int] = {}
    for stream in _streams(source, engines, embedder):
        position, done = positions.get(stream.name, (0, False))
        moved[stream.name] = 0
        if not done:
            try:
                moved[stream.name] = _move(stream, source, connection, position, progress)
            except RefusedRowError as error:
                error.advice = (
                    "What was written before stays. Correct the row in the old database, then migrate again: it "
                    f"goes on with this stream: {stream.name}."
                )
                raise
            except GroundworkError as error:
                error.advice = f"What was moved stays. The same command goes on with this stream: {stream.name}."
                raise
    with database.asking(engines.ledger.url):
        connection.execute("DELETE FROM checkpoints")
    engines.index.refresh()
    return moved


def _move(
    stream: Stream,
    source: Source,
    connection: database.Connection,
    position: int,
    progress: Callable[[str, int, int], None],
) -> int:
    table, key = stream.counted
    total = source.count(table, key, position)
    moved = 0
    progress(stream.name, moved, total)
    for batch in stream.batches(position):
        with database.asking("The new database"), connection.transaction():
            database.lock(connection, exclusive=True)
            stream.write(batch, Erased.read(connection, source))
            _record(connection, stream.name, source, stream.key(batch[-1]), done=False)
        moved += len(batch)
        position = stream.key(batch[-1])
        progress(stream.name, moved, total)
    with database.asking("The new database"), connection.transaction():
        database.lock(connection, exclusive=True)
        stream.finish()
        _record(connection, stream.name, source, position, done=True)
    return moved


def _record(connection: database.Connection, stream: str, source: Source, position: int, *, done: bool) -> None:
    connection.execute(
        "INSERT INTO checkpoints VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (stream) DO UPDATE SET position = excluded.position, done = excluded.done",
        [stream, database.shown(source.url), position, done],
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
        saved = engines.library.save(embedded)
        engines.index.save(saved)
        engines.graph.save_movies(saved)

    def write_customers(customers: Sequence[int], erased: Erased) -> None:
        engines.graph.save_customers([number for number in customers if number not in erased.customers])

    def write_rentals(rentals: Sequence[Any], erased: Erased) -> None:
        nobody = erased.customers | {0}
        engines.graph.save_rentals([rental for rental in rentals if rental.customer_id not in nobody])
        engines.series.save(rentals)

    for table in TABLES:
        yield relational(table)
    yield Stream(
        "movies",
        ("film", "film_id"),
        lambda after: source.films(after, _FILMS),
        lambda movie: int(movie.id),
        write_films,
    )
    yield Stream(
        "people in the graph",
        ("customer", "customer_id"),
        lambda after: source.customers(after, _RENTALS),
        int,
        write_customers,
    )
    yield Stream(
        "who rented what, and when",
        ("rental", "rental_id"),
        lambda after: source.rentals(after, _RENTALS),
        lambda rental: int(rental.id),
        write_rentals,
    )


def _model(source: Source, connection: database.Connection, embeddings: Embeddings, *, resuming: bool) -> Embedder:
    """The model that an interrupted migration began with; else a new one, which is kept for those who search."""
    found = connection.execute("SELECT name, content FROM models").fetchone()
    if resuming and found:
        return restored(*found)
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
    """Insert rows, or correct those that are there; where PostgreSQL refuses them, halve them until it is known which.

    Raises:
        RefusedRowError: It refuses a row.
    """
    try:
        with connection.transaction():
            _upsert(connection, table, rows)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(rows) > 1:
            half = len(rows) // 2
            _write_rows(connection, table, rows[:half])
            _write_rows(connection, table, rows[half:])
            return
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
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in table.columns[1:]
    )
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE IF NOT EXISTS {} (LIKE {}) ON COMMIT DELETE ROWS").format(moved, name)
    )
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(moved, columns)) as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT ({}) DO UPDATE SET {}").format(
            name, columns, columns, moved, sql.Identifier(table.key), changed
        )
    )


def _continue_numbers(connection: database.Connection, table: Table) -> None:
    """Let new rows get numbers that nothing ever had: neither in the old database, nor here, nor before an erasure."""
    [(sequence,)] = connection.execute("SELECT pg_get_serial_sequence(%s, %s)", [table.name, table.key])
    if sequence:
        name, key = sql.Identifier(table.name), sql.Identifier(table.key)
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(name))  # nobody takes a number
        statement = "SELECT setval(%s, greatest((SELECT max({}) FROM {}), (SELECT last_value FROM {}), {}))"
        erased = _ERASED_NUMBERS.get(table.name, sql.SQL("NULL"))
        given = sql.Identifier(*sequence.split("."))
        connection.execute(sql.SQL(statement).format(key, name, given, erased), [sequence])
