"""The old database: a PostgreSQL database of the shape of Pagila or Sakila, read as it is at one moment.

A copy of Sakila for MySQL in PostgreSQL, as pgloader makes it, is read too: its tables may be in a schema of their own,
booleans may be numbers, and sets may be texts with commas.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Self

from psycopg import sql

from contract.errors import InputError
from workloads.errors import RefusedRowError
from workloads.movie_rental import database, queries
from workloads.movie_rental.model import Movie, Rental
from workloads.rental_company.tables import TABLES as COMPANY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import date
    from types import TracebackType

    from workloads.movie_rental.quarantine import Quarantine

Films = tuple[int, int]  # a range of their numbers, both ends included
EVERY_FILM: Films = (-(2**63), 2**63 - 1)

_NEEDED = [*COMPANY]
_FETCHED = 2000  # rows a request to the server
_FAULTS_SHOWN = 10
_TIMES = {"customer": ("create_date",), "rental": ("rental_date", "return_date"), "payment": ("payment_date",)}
_KNOWS_VALID_INPUT = 160000  # the version of PostgreSQL that has pg_input_is_valid
_FILM_OF = {
    "film": "film",
    "inventory": "inventory",
    "rental": "rental LEFT JOIN inventory USING (inventory_id)",
    "payment": "payment LEFT JOIN rental USING (rental_id) LEFT JOIN inventory USING (inventory_id)",
}  # old tables whose rows belong to a film, each with what leads to it; rows without one are those of film 0
_DIVIDED = """
    SELECT percentile_disc(%s::float[]) WITHIN GROUP (ORDER BY film_id)
    FROM (SELECT film_id FROM film UNION ALL SELECT film_id FROM rental JOIN inventory USING (inventory_id)) rows
"""
_TYPE = """
    SELECT format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attname = %s AND NOT attisdropped
"""
_SCHEMAS = """
    SELECT table_schema FROM information_schema.tables WHERE table_name = ANY(%s)
    GROUP BY table_schema HAVING count(*) = %s
"""


@dataclass(frozen=True)
class Table:
    """A relational table that moves: what it is in the old database, and in the new.

    Attributes:
        name: Of the new table.
        old: The old one.
        old_key: Its key.
        select: Its rows in the old database, columns named as the new ones, the key first; `{where}` restricts them.
        columns: The new columns; the first is the key.
    """

    name: str
    old: str
    old_key: str
    select: str
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key's column."""
        return self.columns[0]

    @property
    def shared(self) -> bool:
        """Whether its rows belong to no film."""
        return self.old not in _FILM_OF


def _table(name: str, source: str, *columns: str) -> Table:
    """Return a table of which each column is `new` or `new = expression of the old table`."""
    pairs = [column.split(" = ", 1) for column in columns]
    listed = ", ".join(f"{pair[-1]} AS {pair[0]}" for pair in pairs)
    select = f"SELECT * FROM (SELECT {listed} FROM {source}) old {{where}}"  # noqa: S608 - names of ours
    return Table(name, source, pairs[0][-1], select, tuple(pair[0] for pair in pairs))


def _truth(table: str, column: str) -> str:
    """A column that is true, 1, or not there: in Pagila a boolean, in Sakila for MySQL a number, if it is there."""
    return f"coalesce(to_jsonb({table})->>'{column}', '1') IN ('1', 'true')"


TABLES = (
    _table("countries", "country", "country_id", "name = country"),
    _table("cities", "city", "city_id", "name = city", "country_id"),
    _table(
        *("addresses", "address", "address_id", "street = address", "street2 = address2", "district", "city_id"),
        *("postal_code", "phone"),
    ),
    _table("stores", "store", "store_id", "address_id"),
    _table(
        *("staff", "staff", "staff_id", "first_name", "last_name", "email", "username"),
        *(f"active = {_truth('staff', 'active')}", "store_id", "address_id"),
    ),
    _table("managers", "store", "store_id", "staff_id = manager_staff_id"),
    _table(
        *("customers", "customer", "customer_id", "store_id", "first_name", "last_name", "email", "address_id"),
        *(f"active = {_truth('customer', 'activebool')} AND {_truth('customer', 'active')}",),
        *("created = create_date::date",),
    ),
    _table("inventory", "inventory", "inventory_id", "film_id", "store_id"),
    _table(
        *("rentals", "rental", "rental_id", "rented_at = rental_date::timestamptz"),
        *("returned_at = return_date::timestamptz", "inventory_id", "customer_id", "staff_id"),
    ),
    _table(
        *("payments", "payment", "payment_id", "rental_id", "customer_id", "staff_id"),
        *("amount = amount::numeric(7, 2)", "paid_at = payment_date::timestamptz"),
    ),
)
"""In an order in which no row refers to one that comes later. Times without a zone are in UTC, as the connection's."""


class Source:
    """The old database, read in one transaction, so that what is being sold meanwhile does not tear it apart.

    Args:
        url: `postgresql://user:password@host:port/database`.
        snapshot: What another process that reads it at the moment calls the state that it sees; empty: as it is now.

    Raises:
        InputError: It lacks a table.
        UnavailableError: It cannot be reached.
    """

    def __init__(self, url: str, snapshot: str = "") -> None:
        self.url = url
        self._snapshot = snapshot
        self._connection = database.connect(url)
        self._left_out: dict[str, set[int]] = {table: set() for table in _NEEDED}
        self._cursors = count()

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self._connection.close()
            raise
        return self

    def _begin(self) -> None:
        """Begin the transaction in which everything is read, and check that the tables are there."""
        with database.asking(self.url):
            self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if self._snapshot:
                self._connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(self._snapshot)))
            missing = self._missing()
            if missing and len(schemas := self._connection.execute(_SCHEMAS, [_NEEDED, len(_NEEDED)]).fetchall()) == 1:
                self._connection.execute("SELECT set_config('search_path', quote_ident(%s), true)", schemas[0])
                missing = self._missing()
        if missing:
            raise InputError(
                f"{database.shown(self.url)}: This is not a film rental company's database: it has no table "
                f"{', '.join(missing)}."
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def _missing(self) -> list[str]:
        """Return the tables that are not there."""
        rows = self._connection.execute("SELECT t FROM unnest(%s::text[]) t WHERE to_regclass(t) IS NULL", [_NEEDED])
        return [name for (name,) in rows]

    def check(self, quarantine: Quarantine | None = None) -> None:
        """Look for rows that no engine can take, such as films without a title, or times that do not exist.

        Args:
            quarantine: Where they go; from then on they are left out of all that is read.

        Raises:
            RefusedRowError: There are some, and there is no quarantine; the message says how many, which, and why.
            InputError: A column of times holds something else, which a quarantine does not help.
        """
        self._check_times()
        with database.asking(self.url):
            limit = {"limit": None if quarantine else _FAULTS_SHOWN}
            faults = self._connection.execute(queries.load("source_faults.sql").text, limit).fetchall()
        if quarantine:
            for table, number, reason, _ in faults:
                quarantine.add(table, number, f"{table.capitalize()} {number}: {reason}")
                self.leave_out(table, number)
        elif faults:
            count = faults[0][3]
            listed = "; ".join(f"{table} {number}: {reason}" for table, number, reason, _ in faults)
            more = f"; and {count - len(faults):,} more" if count > len(faults) else ""
            raise RefusedRowError(
                f"{database.shown(self.url)}: There are rows that cannot be migrated ({count:,}): {listed}{more}. "
                "Nothing was written. Correct these rows in the old database and migrate again, or leave them out with "
                "--quarantine FILE."
            )

    def _check_times(self) -> None:
        """See that the columns of times hold times; they may be written as text.

        Raises:
            InputError: They do not; the message names the column, or the row.
        """
        for table, column in ((table, column) for table, columns in _TIMES.items() for column in columns):
            with database.asking(self.url):
                rows = self._connection.execute(_TYPE, [table, column]).fetchall()
            if not rows:
                raise InputError(f"{database.shown(self.url)}: The table {table} has no column {column}.")
            [(kind,)] = rows
            if kind.startswith(("date", "timestamp")):
                continue
            if kind not in {"text", "character", "character varying"}:
                raise InputError(
                    f"{database.shown(self.url)}: The column {column} of {table} is of type {kind}, and must hold "
                    f"times. Convert it with ALTER TABLE {table} ALTER {column} TYPE timestamp USING an expression."
                )
            self._check_texts(table, column)

    def _check_texts(self, table: str, column: str) -> None:
        if self._connection.info.server_version < _KNOWS_VALID_INPUT:
            return
        key, place = sql.Identifier(f"{table}_id"), sql.Identifier(column)
        query = sql.SQL("SELECT {}, {} FROM {} WHERE NOT pg_input_is_valid({}, 'timestamptz') ORDER BY 1 LIMIT %s")
        with database.asking(self.url):
            rows = self._connection.execute(query.format(key, place, sql.Identifier(table), place), [_FAULTS_SHOWN])
            faults = "; ".join(f"{table} {number}: its {column} is {text!r}" for number, text in rows)
        if faults:
            raise InputError(
                f"{database.shown(self.url)}: There are texts that are no times: {faults}. Nothing was written. "
                f"Correct these rows, or set {column} to NULL where it is not known, and migrate again."
            )

    def leave_out(self, table: str, row: int) -> None:
        """Read no more a row of one of the old tables, by its key."""
        self._left_out[table].add(row)

    def left_out(self, table: str) -> Collection[int]:
        """Return the rows of one of the old tables that are not read, by key."""
        return self._left_out[table]

    def count(self, table: str, key: str, after: int = 0, films: Films = EVERY_FILM) -> int:
        """Return how many rows one of its tables has above a key, of some films."""
        counted = f"SELECT count(*) FROM {table} WHERE {key} > %(after)s" + _restricted(table, key, key, films)  # noqa: S608
        with database.asking(self.url):
            [(rows,)] = self._connection.execute(counted.encode(), {"after": after})
        return int(rows)

    def snapshot(self) -> str:
        """Return what other processes call the state that this one sees, as long as it reads."""
        with database.asking(self.url):
            [(name,)] = self._connection.execute("SELECT pg_export_snapshot()")
        return str(name)

    def divided(self, parts: int) -> list[Films]:
        """Return ranges of films that have about as many films and rentals each, in order; together all numbers."""
        with database.asking(self.url):
            [(last,)] = self._connection.execute(_DIVIDED, [[number / parts for number in range(1, parts)]])
        lowest, highest = EVERY_FILM
        cuts = [*((last or []) if parts > 1 else []), highest]
        cuts += [highest] * (parts - len(cuts))  # a company without films
        return [*zip([lowest, *(cut + 1 if cut < highest else cut for cut in cuts[:-1])], cuts, strict=True)]

    def among(self, table: str, key: str, keys: Sequence[int]) -> int:
        """Return how many of some keys one of its tables has."""
        counted = sql.SQL("SELECT count(*) FROM {} WHERE {} = ANY(%s)").format(
            sql.Identifier(table), sql.Identifier(key)
        )
        with database.asking(self.url):
            [(rows,)] = self._connection.execute(counted, [keys])
        return int(rows)

    def copies_out(self, copies: Sequence[int]) -> list[tuple[int, int]]:
        """Return those of some copies that are out, each with its rental."""
        with database.asking(self.url):
            return self._connection.execute(queries.load("source_copies_out.sql").text, {"copies": copies}).fetchall()

    def inhabited(self, addresses: Collection[int], without: Collection[int]) -> frozenset[int]:
        """Return those of some addresses that belong to anybody but these customers."""
        if not addresses:
            return frozenset()
        values = {"addresses": [*addresses], "without": [*without]}
        with database.asking(self.url):
            rows = self._connection.execute(queries.load("source_inhabited.sql").text, values).fetchall()
        return frozenset(number for (number,) in rows)

    @cached_property
    def identity(self) -> str:
        """What tells this database, with these tables, from another that is or was at the same address."""
        with database.asking(self.url):
            [(number, table)] = self._connection.execute(
                "SELECT oid, 'rental'::regclass::oid FROM pg_database WHERE datname = current_database()"
            )
        return f"{database.shown(self.url)} ({number}, {table})"

    @property
    def connection(self) -> database.Connection:
        """The connection, with which `verify` compares."""
        return self._connection

    def table(self, table: Table, after: int, size: int, films: Films = EVERY_FILM) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a table with a key above one, of some films, by key, in batches."""
        restriction = f"WHERE {table.key} > %(after)s AND {table.key} <> ALL(%(without_{table.old})s)"
        restriction += _restricted(table.old, table.key, table.old_key, films)
        statement = table.select.format(where=restriction) + f" ORDER BY {table.key}"
        yield from self._batches(table.name, statement, after, size)

    def films(self, after: int = 0, size: int = 500, films: Films = EVERY_FILM) -> Iterator[list[Movie]]:
        """Films of a range with a number above one, by number, in batches."""
        for batch in self._batches("films", queries.load("source_films.sql").text, after, size, films):
            yield [_movie(row) for row in batch]

    def rentals(self, after: int = 0, size: int = 2000, films: Films = EVERY_FILM) -> Iterator[list[Rental]]:
        """Rentals of some films with a number above one, by number, in batches."""
        for batch in self._batches("rentals", queries.load("source_rentals.sql").text, after, size, films):
            yield [
                Rental(number, at, customer, str(film), title, store, category, amount)
                for number, at, customer, film, title, store, category, amount in batch
            ]

    def customers(self, after: int = 0, size: int = 2000) -> Iterator[list[int]]:
        """Numbers of customers above one, in order, in batches."""
        statement = (
            "SELECT customer_id FROM customer WHERE customer_id > %(after)s "
            "AND customer_id <> ALL(%(without_customer)s) ORDER BY customer_id"
        )
        for batch in self._batches("customers", statement, after, size):
            yield [number for (number,) in batch]

    def rentals_by_day(self) -> list[tuple[date, int]]:
        """Return each day on which somebody rented, in UTC, with the number of rentals, in order."""
        return self.ask("source_rentals_by_day.sql")

    def days(self, size: int = 2000) -> Iterator[list[tuple[Any, ...]]]:
        """Day, category, store, rentals and what was paid for them, by day, in batches."""
        yield from self._batches("days", queries.load("source_rental_days.sql").text, 0, size)

    def ask(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query of `queries/`, which is told by `without_TABLE` what to leave out."""
        without = {f"without_{table}": [*rows] for table, rows in self._left_out.items()}
        with database.asking(self.url):
            return self._connection.execute(queries.load(query).text.encode(), {**without, **values}).fetchall()

    def _batches(
        self, name: str, statement: str, after: int, size: int, films: Films = EVERY_FILM
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Through a cursor on the server, so that memory does not grow with the answer. Several may be open at once."""
        name = f"read_{name}_{next(self._cursors)}"
        with database.asking(self.url), self._connection.cursor(name) as cursor:
            cursor.itersize = _FETCHED
            without = {f"without_{table}": [*rows] for table, rows in self._left_out.items()}
            within = {"lowest": films[0], "highest": films[1]}
            cursor.execute(statement.encode(), {"after": after, **within, **without})
            while batch := list(islice(cursor, size)):
                yield batch


def _restricted(table: str, key: str, old_key: str, films: Films) -> str:
    """Return the condition that the rows of an old table belong to some films; empty for all of them."""
    if films == EVERY_FILM:
        return ""
    within = f"coalesce(film_id, 0) BETWEEN {films[0]:d} AND {films[1]:d}"
    return f" AND {key} IN (SELECT {table}.{old_key} FROM {_FILM_OF[table]} WHERE {within})"  # noqa: S608 - ours


def _movie(row: tuple[Any, ...]) -> Movie:
    number, title, description, year, language, rating, length, rate, replacement, days, features, genres, cast = row
    return Movie(
        id=str(number),
        title=title,
        year=year,
        genres=tuple(genres or ()),
        cast=tuple(cast or ()),
        description=description,
        language=language,
        rating=rating,
        length=length,
        rental_rate=rate,
        replacement_cost=replacement,
        rental_duration=days,
        special_features=tuple(features or ()),
    )
