"""The streams of a migration: which rows go to which engine, and how a batch of them is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg import sql

from contract.errors import phrase
from workloads.errors import RefusedRowError
from workloads.movie_rental import database
from workloads.movie_rental.model import Removal
from workloads.movie_rental.source import EVERY_FILM, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from workloads.movie_rental.bulk import PartitionLoaders
    from workloads.movie_rental.engines import Engines
    from workloads.movie_rental.loads import Refused
    from workloads.movie_rental.model import Movie, Rental
    from workloads.movie_rental.ports import Embedder, GraphWriter, MovieWriter
    from workloads.movie_rental.source import Films, Source, Table

MOVIES, MOVIES_IN_GRAPH = "movies", "movies in the graph"
IN_GRAPH, RENTED = "people in the graph", "who rented what, and when"
"""Streams besides those of the relational tables, which have the tables' names."""

_TABLE_ROWS, _FILMS, _FILMS_IN_GRAPH, _RENTALS = 5000, 100, 500, 4000  # rows of a batch
_LOADED_AT_ONCE = {"library": 250, "graph": 50}  # batches of a bulk load
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
        lane: The streams of a lane are written one after the other, because they go to the same engines. Streams of
            different lanes may be written at the same time.
        behind: The stream of another lane that has to be in before this one begins; empty if there is none.
        counted: The old table and its key that tell how many are left.
        shared: Whether its rows belong to no film.
        batches: The rows above a key.
        key: Of a row.
        write: Brings a batch into its engines, without those who were erased. It does not use the ledger's connection,
            unless the stream is one of tables.
        prepare: Adds what a batch needs before it is written, which may then be done more than once and in parts.
        settle: Called after batches, when no lane writes, with the keys of the rows that are in and of those refused.
        batches_at_once: Batches after which `load` is called.
        load: Lets engines take the batches that were written since, where `write` only prepares that. Returns the rows
            that an engine has refused, by key.
    """

    name: str
    lane: Literal["tables", "library", "graph"]
    behind: str
    counted: tuple[str, str]
    shared: bool
    batches: Callable[[int], Iterator[Sequence[Any]]]
    key: Callable[[Any], int]
    write: Callable[[Sequence[Any], Erased], None]
    prepare: Callable[[Sequence[Any]], Sequence[Any]] = lambda rows: rows
    settle: Callable[[Collection[int], Collection[int]], None] = lambda *_: None
    batches_at_once: int = 1
    load: Callable[[], Refused] = dict


def streams(
    source: Source,
    engines: Engines,
    embedder: Embedder,
    films: Films = EVERY_FILM,
    loaders: PartitionLoaders | None = None,
) -> Iterator[Stream]:
    """Yield all streams: those of the tables, of the library with its index, and of the graph with the time series.

    Those that are not shared have only rows of some films. With bulk loaders, these fill library and graph.
    """
    if not loaders:
        yield from _streams(source, engines, embedder, films, library=engines.library, graph_writer=engines.graph)
        return

    def load_movies() -> Refused:
        refused = loaders.library.load()
        engines.index.remove([Removal(str(film), version=1) for film in refused])
        return refused

    loads: dict[str, Callable[[], Refused]] = {"library": load_movies, "graph": loaders.graph.load}
    for stream in _streams(source, engines, embedder, films, library=loaders.library, graph_writer=loaders.graph):
        load = loads.get(stream.lane)
        yield replace(stream, batches_at_once=_LOADED_AT_ONCE[stream.lane], load=load) if load else stream


def _streams(
    source: Source,
    engines: Engines,
    embedder: Embedder,
    films: Films,
    *,
    library: MovieWriter,
    graph_writer: GraphWriter,
) -> Iterator[Stream]:
    """Yield all streams.

    The old database's references are checked by PostgreSQL, and its films by DynamoDB. So who rented what begins once
    the tables are in, and a film that DynamoDB refuses is taken out of the graph, where it may be already. All but the
    tables begin behind the customers: the tables until then are so small that they would wait for the others.
    """
    connection = engines.ledger.connection
    index, graph, series = engines.index, engines.graph, engines.series  # connected here

    def relational(table: Table) -> Stream:
        return Stream(
            name=table.name,
            lane="tables",
            behind="",
            counted=(table.old, table.old_key),
            shared=table.shared,
            batches=lambda after: source.table(table, after, _TABLE_ROWS, EVERY_FILM if table.shared else films),
            key=lambda row: int(row[0]),
            write=lambda rows, erased: _write_rows(connection, table, erased.spared(table, rows)),
        )

    def embedded(movies: Sequence[Movie]) -> list[Movie]:
        vectors = embedder.embed([movie.text for movie in movies])
        return [movie.embedded(vector) for movie, vector in zip(movies, vectors, strict=True)]

    def write_films(movies: Sequence[Movie], _: Erased) -> None:
        index.save(library.save(movies))

    def settle_films(taken: Collection[int], refused: Collection[int]) -> None:
        films = [str(film) for film in (*taken, *refused)]
        connection.execute("DELETE FROM changed_movies WHERE movie_id = ANY(%s)", [films])
        for film in refused:
            graph.remove_movie(str(film))

    def write_films_in_graph(movies: Sequence[Movie], _: Erased) -> None:
        unknown = source.left_out("film")
        graph_writer.save_movies([movie for movie in movies if int(movie.id) not in unknown])

    def write_customers(customers: Sequence[int], erased: Erased) -> None:
        graph_writer.save_customers([number for number in customers if number not in erased.customers])

    def write_rentals(rentals: Sequence[Rental], erased: Erased) -> None:
        nobody, unknown = erased.customers | {0}, source.left_out("film")
        attributable = [r for r in rentals if r.customer_id not in nobody and int(r.movie_id) not in unknown]
        graph_writer.save_rentals(attributable)
        series.save(rentals)

    for table in TABLES:
        yield relational(table)
    yield Stream(
        name=MOVIES,
        lane="library",
        behind="customers",
        counted=("film", "film_id"),
        shared=False,
        batches=lambda after: source.films(after, _FILMS, films),
        key=lambda movie: int(movie.id),
        prepare=embedded,
        write=write_films,
        settle=settle_films,
    )
    yield Stream(
        name=MOVIES_IN_GRAPH,
        lane="graph",
        behind="customers",
        counted=("film", "film_id"),
        shared=False,
        batches=lambda after: source.films(after, _FILMS_IN_GRAPH, films),
        key=lambda movie: int(movie.id),
        write=write_films_in_graph,
    )
    yield Stream(
        name=IN_GRAPH,
        lane="graph",
        behind="customers",
        counted=("customer", "customer_id"),
        shared=True,
        batches=lambda after: source.customers(after, _RENTALS),
        key=int,
        write=write_customers,
    )
    yield Stream(
        name=RENTED,
        lane="graph",
        behind=TABLES[-1].name,
        counted=("rental", "rental_id"),
        shared=False,
        batches=lambda after: source.rentals(after, _RENTALS, films),
        key=lambda rental: int(rental.id),
        write=write_rentals,
    )


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


def continue_numbers(connection: database.Connection, table: Table) -> None:
    """Let new rows get numbers that were never used: in the old database, in the new one, or before an erasure."""
    [(sequence,)] = connection.execute("SELECT pg_get_serial_sequence(%s, %s)", [table.name, table.key])
    if sequence:
        name, key = sql.Identifier(table.name), sql.Identifier(table.key)
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(name))  # no new numbers now
        statement = "SELECT setval(%s, greatest((SELECT max({}) FROM {}), (SELECT last_value FROM {}), {}))"
        erased = _ERASED_NUMBERS.get(table.name, sql.SQL("NULL"))
        sequence_name = sql.Identifier(*sequence.split("."))
        connection.execute(sql.SQL(statement).format(key, name, sequence_name, erased), [sequence])
