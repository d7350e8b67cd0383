"""Compare the old database with every engine: the number of rows and their content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from contract.rentals import category_dimension, cents
from workloads.movie_rental import database
from workloads.movie_rental.events import text_of
from workloads.movie_rental.migrate import Erased
from workloads.movie_rental.source import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from workloads.movie_rental.engines import Engines
    from workloads.movie_rental.model import Item, Rental
    from workloads.movie_rental.source import Source, Table

_RANGE = 1 << 64


@dataclass(frozen=True)
class Content:
    """What a database or engine holds, in two numbers that do not depend on the order of its rows.

    Attributes:
        rows: How many.
        hash: Sum of the rows' hashes, modulo 2^64.
    """

    rows: int
    hash: int

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Content:
        """Return the content of rows that JSON can hold; `Decimal` counts exactly."""
        count = total = 0
        for row in rows:
            text = json.dumps(row, sort_keys=True, default=str, ensure_ascii=False)
            total += int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
            count += 1
        return cls(count, total % _RANGE)

    def __add__(self, other: Content) -> Content:
        """Return what both hold together."""
        return Content(self.rows + other.rows, (self.hash + other.hash) % _RANGE)


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    Attributes:
        engine: Which engine.
        what: What of it.
        source: What should be there.
        target: What is there.
    """

    engine: str
    what: str
    source: Content
    target: Content

    @property
    def equal(self) -> bool:
        """Whether no row is missing, superfluous or different."""
        return self.source == self.target


def verify(source: Source, engines: Engines, progress: Callable[[str], None] = lambda _: None) -> Iterator[Comparison]:
    """Compare everything, engine by engine.

    Args:
        source: The old database.
        engines: The new ones.
        progress: Told what is compared next.

    Raises:
        InputError: An engine refuses.
        UnavailableError: An engine cannot be reached.
    """
    connection = engines.ledger.connection
    with database.asking(engines.ledger.url):
        erased = Erased.read(connection, source)
    for table in TABLES:
        progress(table.name)
        with database.asking(source.url):
            restriction = f"WHERE {table.key} <> ALL(%(without)s)"
            without = [*source.left_out(table.old)]
            source_content = _table(source.connection, table, table.select.format(where=restriction), erased, without)
        with database.asking(engines.ledger.url):
            select = f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - names of ours
            target_content = _table(connection, table, select, Erased.nobody())
        yield Comparison("PostgreSQL", table.name, source_content, target_content)
    yield from _movies(source, engines, progress)
    yield from _graph(source, engines, erased, progress)
    yield _series(source, engines, progress)


def _table(
    connection: database.Connection, table: Table, select: str, erased: Erased, without: Sequence[int] = ()
) -> Content:
    """Let the database count and hash the rows, so that it sends none of them."""
    erased_numbers = [*erased.customers]
    if table.name in {"customers", "addresses"}:
        erased_numbers = erased_numbers if table.name == "customers" else [*erased.addresses]
        select = f"SELECT * FROM ({select}) every WHERE {table.key} <> ALL(%(gone)s)"  # noqa: S608 - names of ours
    elif "customer_id" in table.columns:
        columns = ", ".join(table.columns).replace(
            "customer_id", "CASE WHEN customer_id <> ALL(%(gone)s) THEN customer_id END AS customer_id"
        )
        select = f"SELECT {columns} FROM ({select}) every"  # noqa: S608
    digest = "('x' || left(md5(compared::text), 16))::bit(64)::bigint::numeric"
    statement = f"SELECT count(*), coalesce(sum({digest}), 0) FROM ({select}) compared"  # noqa: S608
    [(rows, total)] = connection.execute(statement.encode(), {"gone": erased_numbers, "without": without})
    return Content(int(rows), int(total) % _RANGE)


def _movies(source: Source, engines: Engines, progress: Callable[[str], None]) -> Iterator[Comparison]:
    progress("movies in the library")
    old = documents = movies = vectors = indexed_vectors = indexed_movies = Content(0, 0)
    for batch in source.films():
        old += Content.of(movie.content() for movie in batch)
        documents += Content.of(_without_additions(movie.document()) for movie in batch)
    for movie in engines.library.all():  # only once: a scan is the most expensive read
        movies += Content.of([movie.content()])
        vectors += Content.of([(movie.id, movie.version, movie.vector.tolist())])
    yield Comparison("DynamoDB", "movies", old, movies)
    progress("movies in the search index")
    for document in engines.index.all():
        indexed_movies += Content.of([_without_additions(document)])
        indexed_vectors += Content.of([(document["MovieID"], document["Version"], document.get("Embedding", []))])
    yield Comparison("OpenSearch", "movies", documents, indexed_movies)
    yield Comparison("OpenSearch", "vectors and versions (of DynamoDB)", vectors, indexed_vectors)


def _without_additions(document: Item) -> Item:
    return {name: value for name, value in document.items() if name not in {"Embedding", "Version"}}


def _graph(source: Source, engines: Engines, erased: Erased, progress: Callable[[str], None]) -> Iterator[Comparison]:
    progress("the graph")
    graph = engines.graph
    customers = (
        (str(customer),) for batch in source.customers() for customer in batch if customer not in erased.customers
    )
    yield Comparison("Neptune", "customers", Content.of(customers), Content.of(graph.facts("customers")))
    movies = genres = cast = Content(0, 0)
    for batch in source.films():
        movies += Content.of((movie.id, movie.title) for movie in batch)
        genres += Content.of((movie.id, name) for movie in batch for name in dict.fromkeys(movie.genres))
        cast += Content.of((movie.id, name) for movie in batch for name in dict.fromkeys(movie.cast))
    yield Comparison("Neptune", "movies", movies, Content.of(graph.facts("movies")))
    yield Comparison("Neptune", "in genre", genres, Content.of(graph.facts("genres")))
    yield Comparison("Neptune", "acted in", cast, Content.of(graph.facts("cast")))
    rentals = (
        (str(r.customer_id), r.movie_id, r.id, text_of(r.at))
        for batch in source.rentals()
        for r in batch
        if r.customer_id and r.customer_id not in erased.customers and int(r.movie_id) not in source.left_out("film")
    )
    yield Comparison("Neptune", "rented", Content.of(rentals), Content.of(graph.facts("rentals")))


def _series(source: Source, engines: Engines, progress: Callable[[str], None]) -> Comparison:
    """Compare the sums for each day, category and store; the engine computes its own."""
    progress("the time series")
    days: dict[tuple[str, str, str], list[int]] = {}
    first, last = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
    count = 0
    for batch in source.rentals():
        for rental in batch:
            first, last = min(first, rental.at), max(last, rental.at)
            sums = days.setdefault(_day(rental), [0, 0])
            sums[0] += 1
            sums[1] += cents(rental.amount)
            count += 1
    source_rows = sorted((*key, *sums) for key, sums in days.items())
    target_rows: list[tuple[Any, ...]] = []
    if count:
        midnight = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        table = engines.series.daily(midnight, last + timedelta(days=1))
        target_rows = [
            (f"{row.day:%Y-%m-%d}", str(row.category), str(row.store), int(str(row.rentals)), int(str(row.cents)))
            for row in table.itertuples(index=False)
        ]
    source_content, target_content = Content.of(source_rows), Content.of(target_rows)
    expected = Content(count, source_content.hash)
    actual = Content(sum(row[3] for row in target_rows), target_content.hash)
    return Comparison("Timestream", "rentals (by day, category and store)", expected, actual)


def _day(rental: Rental) -> tuple[str, str, str]:
    return f"{rental.at.astimezone(UTC):%Y-%m-%d}", category_dimension(rental.category), str(rental.store_id)
