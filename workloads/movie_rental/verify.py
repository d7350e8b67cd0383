"""Compare the old database with every engine: the number of rows and their content.

What can be counted and hashed where it is stays there: relational tables by ranges of keys, the rentals of the graph by
customer, the time series by day. Only where two hashes differ, rows are looked at one by one. Both sides work at the
same time. Rows are counted by queries of their own, which do not join what the migration joins.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from contract.rentals import category_dimension, cents
from workloads.movie_rental import database
from workloads.movie_rental.events import text_of
from workloads.movie_rental.source import TABLES
from workloads.movie_rental.streams import IN_GRAPH, MOVIES, MOVIES_IN_GRAPH, RENTED, Erased

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from workloads.movie_rental.engines import Engines
    from workloads.movie_rental.model import Item, Movie, Rental
    from workloads.movie_rental.source import Source, Table

    Contents = dict[Any, "Content"]  # by a key: of a row, or of a range of them
    Key = Callable[[str], int | str | None]
    Place = tuple[str, str]  # category and store
    Sums = dict[Place, tuple[int, int]]  # rentals and cents

_RANGE = 1 << 64
_encode = json.JSONEncoder(sort_keys=True, default=str, ensure_ascii=False).encode
_KEYS = 4096  # keys of a range of a table
_RANGES = 4096  # of movies, and of customers
_RENTALS = 10_000  # of the time series a request, at most as many sums
_ALL_TIME = (datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC))  # in nanoseconds, of 64 bits


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
            total += int.from_bytes(hashlib.blake2b(_encode(row).encode(), digest_size=8).digest())
            count += 1
        return cls(count, total % _RANGE)

    def __add__(self, other: Content) -> Content:
        """Return what both hold together."""
        return Content(self.rows + other.rows, (self.hash + other.hash) % _RANGE)


_NOTHING = Content(0, 0)


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    Attributes:
        engine: Which engine.
        kind: What is compared: customers, rentals and so on.
        source: What should be there.
        target: What is there.
        stream: The stream of a migration that brings it.
        rows: The rows of that stream, by key, that are not there or not the same.
        foreign: Ids of what differs and cannot come from the old database, whose ids are numbers.
    """

    engine: str
    kind: str
    source: Content
    target: Content
    stream: str = ""
    rows: frozenset[int] = frozenset()
    foreign: frozenset[str] = frozenset()

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
    with database.asking(engines.ledger.url):
        erased = Erased.read(engines.ledger.connection, source)
    with ThreadPoolExecutor() as threads:
        at_once = _AtOnce(source, engines, erased, threads)
        for table in TABLES:
            progress(table.name)
            yield at_once.table(table)
        progress("movies")
        yield from at_once.movies()
        progress("rentals in the graph")
        yield at_once.rentals()
        progress("the time series")
        yield at_once.series()


def differing(compared: Iterable[Comparison]) -> dict[str, frozenset[int]]:
    """Return the rows of the old database that an engine lacks or holds differently: their keys, by stream."""
    rows: dict[str, frozenset[int]] = {}
    for comparison in compared:
        if comparison.rows:
            rows[comparison.stream] = rows.get(comparison.stream, frozenset()) | comparison.rows
    return rows


def _total(contents: Contents) -> Content:
    return sum(contents.values(), _NOTHING)


def _differing(source: Contents, target: Contents) -> list[Any]:
    """Return the keys whose content is not the same on both sides."""
    return [key for key in source.keys() | target.keys() if source.get(key) != target.get(key)]


def _range(identity: str) -> int:
    """Return the range of a movie or a customer; those of a range have a hash in common."""
    return zlib.crc32(identity.encode()) % _RANGES


def _within(ranges: Collection[int]) -> Key:
    """Return the key that tells apart what is in some ranges, and leaves out everything else."""
    return lambda identity: identity if _range(identity) in ranges else None


def _gathered(pairs: Iterable[tuple[str, Content]], key: Key) -> Contents:
    """Return the content by a key of what it belongs to."""
    contents: Contents = {}
    for identity, content in pairs:
        if (place := key(identity)) is not None:
            contents[place] = contents.get(place, _NOTHING) + content
    return contents


@dataclass(frozen=True)
class _AtOnce:
    """Comparisons whose two sides are read at the same time, each by a thread."""

    source: Source
    engines: Engines
    erased: Erased
    threads: ThreadPoolExecutor

    # Relational tables

    def table(self, table: Table) -> Comparison:
        """Compare a table by ranges of keys, and the rows of the ranges that differ."""
        key = f"{table.key} / {_KEYS}"
        source, target = self._table(table, key)
        rows: set[int] = set()
        for number in _differing(source, target):
            span = (number * _KEYS, (number + 1) * _KEYS - 1)
            rows.update(_differing(*self._table(table, table.key, span)))
        return Comparison("PostgreSQL", table.name, _total(source), _total(target), table.name, frozenset(rows))

    def _table(self, table: Table, key: str, span: tuple[int, int] | None = None) -> tuple[Contents, Contents]:
        without = [*self.source.left_out(table.old)]
        restriction = f"WHERE {table.key} <> ALL(%(without)s)" + (f" AND {_between(table, span)}" if span else "")
        theirs = table.select.format(where=restriction)
        ours = f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - names of ours
        ours += f" WHERE {_between(table, span)}" if span else ""
        here = self.threads.submit(
            _hashed, self.engines.ledger.url, self.engines.ledger.connection, table, ours, key, Erased.nobody()
        )
        there = _hashed(self.source.url, self.source.connection, table, theirs, key, self.erased, without)
        return there, here.result()

    # Movies

    def movies(self) -> Iterator[Comparison]:
        """Compare library, index and graph by ranges of movies and customers, and what is in the ranges that differ."""
        contents = self._movies(_range)
        differing = {name: set(_differing(*both)) for name, both in contents.items()}
        ids: dict[tuple[str, str], list[str]] = {}
        if ranges := set[int]().union(*differing.values()):
            ids = {name: _differing(*both) for name, both in self._movies(_within(ranges)).items()}
        for (engine, kind), (source, target) in contents.items():
            stream = MOVIES if engine != "Neptune" else IN_GRAPH if kind == "customers" else MOVIES_IN_GRAPH
            different = ids.get((engine, kind), [])
            rows = frozenset(int(number) for number in different if number.isdecimal())
            foreign = frozenset(identity for identity in different if not identity.isdecimal())
            yield Comparison(engine, kind, _total(source), _total(target), stream, rows, foreign)

    def _movies(self, key: Key) -> dict[tuple[str, str], tuple[Contents, Contents]]:
        """Read films, items, documents and nodes once each; return what both sides hold, by engine and kind."""
        library, index = self.threads.submit(self._library, key), self.threads.submit(self._index, key)
        graph, people = self.threads.submit(self._graph, key), self.threads.submit(self._people, key)
        films = self._films(key)
        customers = (
            (str(number), Content.of([(str(number),)]))
            for batch in self.source.customers()
            for number in batch
            if number not in self.erased.customers
        )
        films["customers"] = _gathered(customers, key)
        items, vectors = library.result()
        documents, indexed_vectors = index.result()
        nodes = graph.result()
        return {
            ("DynamoDB", "movies"): (films["items"], items),
            ("OpenSearch", "movies"): (films["documents"], documents),
            ("OpenSearch", "vectors and versions (of DynamoDB)"): (vectors, indexed_vectors),
            ("Neptune", "customers"): (films["customers"], people.result()),
            ("Neptune", "movies"): (films["movies"], nodes["movies"]),
            ("Neptune", "in genre"): (films["genres"], nodes["genres"]),
            ("Neptune", "acted in"): (films["cast"], nodes["cast"]),
        }

    def _films(self, key: Key) -> dict[str, Contents]:
        """Return what should be there of the films of the old database, by what it is."""
        contents: dict[str, Contents] = defaultdict(dict)
        for movie in (movie for batch in self.source.films() for movie in batch):
            if (place := key(movie.id)) is None:
                continue
            _add(contents, place, _expected(movie))
        return contents

    def _library(self, key: Key) -> tuple[Contents, Contents]:
        """Return the library's movies, and their vectors and versions, in one scan: the most expensive read."""
        movies: Contents = {}
        vectors: Contents = {}
        unreadable: list[Item] = []
        for movie in self.engines.library.all(unreadable.append):
            if (place := key(movie.id)) is not None:
                movies[place] = movies.get(place, _NOTHING) + Content.of([movie.content()])
                vector = Content.of([(movie.id, movie.version, movie.vector.astype("<f8").tobytes().hex())])
                vectors[place] = vectors.get(place, _NOTHING) + vector
        for item in unreadable:
            if (place := key(item["MovieID"])) is not None:
                movies[place] = movies.get(place, _NOTHING) + Content.of([item])
        return movies, vectors

    def _index(self, key: Key) -> tuple[Contents, Contents]:
        documents: Contents = {}
        vectors: Contents = {}
        for document in self.engines.index.all():
            number = str(document.get("MovieID", "a document without MovieID"))
            if (place := key(number)) is not None:
                documents[place] = documents.get(place, _NOTHING) + Content.of([_without_additions(document)])
                vector = Content.of([(number, document.get("Version"), _packed(document.get("Embedding", [])))])
                vectors[place] = vectors.get(place, _NOTHING) + vector
        return documents, vectors

    def _graph(self, key: Key) -> dict[str, Contents]:
        contents: dict[str, Contents] = defaultdict(dict)
        for movie, title, genres, cast in self.engines.graph.movies():
            if (place := key(str(movie))) is not None:
                _add(contents, place, _nodes(movie, title, genres, cast))
        return contents

    def _people(self, key: Key) -> Contents:
        return _gathered(((str(row[0]), Content.of([row])) for row in self.engines.graph.facts("customers")), key)

    # Rentals

    def rentals(self) -> Comparison:
        """Compare the rentals by ranges of customers, and those of the customers that differ."""
        source, target = self._rentals(_range)
        rows: frozenset[int] = frozenset()
        if ranges := set(_differing(source, target)):
            customers = set(_differing(*self._rentals(_within(ranges))))
            there = set(self.engines.graph.rentals_of(sorted(customers)))
            rows = frozenset(
                rental.id
                for rental in self._every_rental()
                if str(rental.customer_id) in customers
                and (str(rental.customer_id), rental.movie_id, rental.id, text_of(rental.at)) not in there
            )
        return Comparison("Neptune", "rented", _total(source), _total(target), RENTED, rows)

    def _rentals(self, key: Key) -> tuple[Contents, Contents]:
        held = self.threads.submit(lambda: _gathered(_counted(self.engines.graph.rental_digests()), key))
        sold = self.source.ask("source_rental_digests.sql", erased=[*self.erased.customers])
        return _gathered(_counted(sold), key), held.result()

    def _every_rental(self) -> Iterator[Rental]:
        return (rental for batch in self.source.rentals() for rental in batch)

    # Time series

    def series(self) -> Comparison:
        """Compare the days, and the sums for each category and store of those that differ."""
        spans = _spans(self.source.rentals_by_day())
        recorded = self.threads.submit(lambda: _by_day(self._recorded(spans)))
        source, target = _by_day(self._sold()), recorded.result()
        rows: frozenset[int] = frozenset()
        if days := {*_differing(source, target)}:
            sold = {(day, place): sums for day, places in self._sold() if day in days for place, sums in places.items()}
            midnights = (datetime.combine(day, time(tzinfo=UTC)) for day in sorted(days))
            spans = ((midnight, midnight + timedelta(days=1)) for midnight in midnights)
            recorded_sums = {
                (day, place): sums for day, places in self._recorded(spans) for place, sums in places.items()
            }
            places = {place for place in sold if sold[place] != recorded_sums.get(place)}
            rows = frozenset(rental.id for rental in self._every_rental() if _place(rental) in places)
        name = "rentals (by day, category and store)"
        return Comparison("Timestream", name, _total(source), _total(target), RENTED, rows)

    def _sold(self) -> Iterator[tuple[date, Sums]]:
        """Yield each day on which the old company rented, with its sums."""
        rows = (row for batch in self.source.days() for row in batch)
        return _summed(
            (day, (category_dimension(category), str(store)), rentals, cents(paid))
            for day, category, store, rentals, paid in rows
        )

    def _recorded(self, spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[date, Sums]]:
        """Yield each day of some spans for which the time series has rentals, with its sums."""
        for start, end in spans:
            table = self.engines.series.daily(start, end)
            places = zip(table["category"], table["store"], strict=True)
            sums = (table["rentals"].tolist(), table["cents"].tolist())
            yield from _summed(zip(table["day"].dt.date, places, *sums, strict=True))


def _between(table: Table, span: tuple[int, int]) -> str:
    return f"{table.key} BETWEEN {span[0]} AND {span[1]}"


def _hashed(  # noqa: PLR0917 - the parts of one query
    url: str,
    connection: database.Connection,
    table: Table,
    select: str,
    key: str,
    erased: Erased,
    without: Sequence[int] = (),
) -> Contents:
    """Let the database count and hash rows by a key, so that it sends none of them."""
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
    statement = f"SELECT {key}, count(*), sum({digest}) FROM ({select}) compared GROUP BY 1"  # noqa: S608
    with database.asking(url):
        rows = connection.execute(statement.encode(), {"gone": erased_numbers, "without": [*without]}).fetchall()
    return {number: Content(int(count), int(total) % _RANGE) for number, count, total in rows}


def _counted(rows: Iterable[tuple[str, int, int]]) -> Iterator[tuple[str, Content]]:
    return ((str(customer), Content(count, int(digest))) for customer, count, digest in rows)


def _expected(movie: Movie) -> dict[str, list[Any]]:
    """Return what each engine should hold of a movie: rows, by what they are."""
    return {
        "items": [movie.content()],
        "documents": [_without_additions(movie.document())],
        **_nodes(movie.id, movie.title, dict.fromkeys(movie.genres), dict.fromkeys(movie.cast)),
    }


def _nodes(movie: str, title: str, genres: Iterable[str], cast: Iterable[str]) -> dict[str, list[Any]]:
    """Return what the graph holds of a movie: rows, by what they are."""
    return {
        "movies": [(movie, title)],
        "genres": [(movie, name) for name in genres],
        "cast": [(movie, name) for name in cast],
    }


def _add(contents: dict[str, Contents], place: int | str, rows_by_kind: dict[str, list[Any]]) -> None:
    """Add the content of rows, by what they are, at a place."""
    for kind, rows in rows_by_kind.items():
        if rows:
            contents[kind][place] = contents[kind].get(place, _NOTHING) + Content.of(rows)


def _without_additions(document: Item) -> Item:
    return {name: value for name, value in document.items() if name not in {"Embedding", "Version"}}


def _packed(vector: Sequence[float]) -> str:
    """Return a vector's numbers as they are in memory: to write them out in decimals takes ten times as long."""
    return struct.pack(f"<{len(vector)}d", *vector).hex()


def _summed(rows: Iterable[tuple[date, Place, int, int]]) -> Iterator[tuple[date, Sums]]:
    """Yield each day with its sums, from rows by day: day, category and store, rentals, cents."""
    for day, rows_of_day in groupby(rows, key=itemgetter(0)):
        sums: Sums = {}
        for _, place, rentals, income in rows_of_day:
            others, other_income = sums.get(place, (0, 0))
            sums[place] = (others + rentals, other_income + income)
        yield day, sums


def _by_day(days: Iterable[tuple[date, Sums]]) -> Contents:
    """Return the content of each day: its rentals, and the hash of its sums."""
    return {
        day: Content(sum(rentals for rentals, _ in sums.values()), Content.of([sorted(sums.items())]).hash)
        for day, sums in days
    }


def _place(rental: Rental) -> tuple[date, Place]:
    """Return the day of a rental, and its category and store."""
    return rental.at.astimezone(UTC).date(), (category_dimension(rental.category), str(rental.store_id))


def _spans(rentals_by_day: Iterable[tuple[date, int]]) -> Iterator[tuple[datetime, datetime]]:
    """Yield spans that cover all time, and end between days; they are of many rentals, or of one day."""
    start, end = _ALL_TIME
    rentals = 0
    for day, count in rentals_by_day:
        if rentals and rentals + count > _RENTALS:
            midnight = datetime.combine(day, time(tzinfo=UTC))
            yield start, midnight
            start, rentals = midnight, 0
        rentals += count
    yield start, end
