"""PostgreSQL as the company's ledger: customers, rentals, payments, and the outbox."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, cast

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from contract.errors import InputError
from workloads.movie_rental import database, queries
from workloads.movie_rental.events import Event
from workloads.movie_rental.model import Customer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from workloads.movie_rental.model import Movie


class PostgresLedger:
    """The ledger in a PostgreSQL database.

    Args:
        url: `postgresql://user:password@host:port/database`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = database.connect(url)
        try:
            with database.asking(url):
                database.upgrade(self._connection)
        except BaseException:
            self.close()
            raise

    @property
    def connection(self) -> database.Connection:
        """The connection, for code that moves thousands of rows."""
        return self._connection

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def add_customer(self, customer: Customer) -> Customer:
        """Create a customer. Return them with their number."""
        with database.asking(self.url), self._transaction():
            [row] = self._connection.execute(queries.load("add_customer.sql").text, asdict(customer))
        return Customer(*row)

    def customer(self, customer_id: int) -> Customer | None:
        """Return the customer; None if there is no such customer."""
        with database.asking(self.url):
            row = self._one(queries.load("read_customer.sql").text, {"id": customer_id})
        return Customer(*row) if row else None

    def change_customer(self, customer: Customer) -> None:
        """Replace a customer's data."""
        with database.asking(self.url), self._transaction():
            changed = self._one(queries.load("change_customer.sql").text, asdict(customer))
        if not changed:
            raise InputError(f"Customer {customer.id}: There is no customer of that number.")

    def erase_customer(self, customer_id: int) -> bool:
        """Remove a customer's data, and remember the number so that no migration brings them back."""
        with database.asking(self.url), self._transaction(exclusive=True):
            erased = self._one(queries.load("erase_customer.sql").text, {"customer": customer_id})
            if not erased:
                return False
            address = self._one(queries.load("erase_address.sql").text, {"address": erased[0]})
            self._connection.execute(
                "INSERT INTO erasures (customer_id, address_id) VALUES (%s, %s)",
                [customer_id, address[0] if address else None],
            )
            self._tell(Event.erased(customer_id, self._now()))
        return True

    def rent(self, customer_id: int, movie: Movie, store_id: int, request: str | None = None) -> Event:
        """Lend a copy of a movie: rental, payment and event in one transaction.

        Who takes the same copy in the same instant loses against the index `rentals_out`, and looks for another. Who
        makes the same request again, in the same instant or after the connection broke, gets what it has made.
        """
        with database.asking(self.url):
            while True:
                try:
                    with self._transaction():
                        return self._rent(customer_id, movie, store_id, request)
                except UniqueViolation as error:
                    if error.diag.constraint_name not in ("rentals_out", "rentals_request"):
                        raise

    def _rent(self, customer_id: int, movie: Movie, store_id: int, request: str | None) -> Event:
        now = self._now()
        film = int(movie.id) if movie.id.isdecimal() else 0  # a movie of another id has no copies
        customer = self._one("SELECT active FROM customers WHERE customer_id = %s FOR SHARE", [customer_id])
        if not customer:
            raise InputError(f"Customer {customer_id}: There is no customer of that number.")
        if made := self._one(queries.load("rental_of_request.sql").text, {"request": request}):
            rental, at, *whose, amount = made
            if whose != [customer_id, film, store_id]:
                raise InputError(f"Request {request}: The request has made another rental. Give this one another id.")
            return replace(Event.rented(rental, customer_id, movie, store_id, at), amount=str(amount))
        if not customer[0]:
            raise InputError(f"Customer {customer_id}: The customer is not active, and may not rent.")
        copy = self._one(queries.load("available_copy.sql").text, {"film": film, "store": store_id})
        clerk = self._one(queries.load("clerk.sql").text, {"store": store_id})
        if not copy or not clerk:
            raise InputError(f"{movie.title}: Store {store_id} has no copy that is not lent. Try another store.")
        [(rental,)] = self._connection.execute(
            "INSERT INTO rentals (rented_at, inventory_id, customer_id, staff_id, request) VALUES (%s, %s, %s, %s, %s) "
            "RETURNING rental_id",
            [now, copy[0], customer_id, clerk[0], request],
        )
        self._connection.execute(
            "INSERT INTO payments (rental_id, customer_id, staff_id, amount, paid_at) VALUES (%s, %s, %s, %s, %s)",
            [rental, customer_id, clerk[0], movie.rental_rate, now],
        )
        return self._tell(Event.rented(rental, customer_id, movie, store_id, now))

    def give_back(self, rental_id: int) -> Event | None:
        """Take a copy back: rental and event in one transaction; None if it is back already."""
        with database.asking(self.url), self._transaction():
            now = self._now()
            row = self._one(queries.load("open_rental.sql").text, {"rental": rental_id})
            if not row:
                raise InputError(f"Rental {rental_id}: There is no rental of that number.")
            _, customer, returned, film, store = row
            if returned:
                return None
            self._connection.execute("UPDATE rentals SET returned_at = %s WHERE rental_id = %s", [now, rental_id])
            event = Event.returned(rental_id, customer or 0, str(film), store, now)
            return self._tell(event) if customer else event  # an erased customer's rental interests nobody else

    def _now(self) -> datetime:
        """Return the time by the database's clock, so that the times of two machines can be compared."""
        [(now,)] = self._connection.execute("SELECT clock_timestamp()")
        return cast("datetime", now)

    @contextmanager
    def _transaction(self, *, exclusive: bool = False) -> Iterator[None]:
        with self._connection.transaction():
            database.lock(self._connection, exclusive=exclusive)
            yield

    def _tell(self, event: Event) -> Event:
        """Put an event into the outbox, in the transaction under way."""
        self._connection.execute(
            "INSERT INTO outbox (customer_id, event) VALUES (%s, %s)", [int(event.customer_id), Jsonb(asdict(event))]
        )
        return event

    def waiting(self, limit: int = 10) -> list[tuple[int, Event]]:
        """Return events that were not sent, oldest first, one for each customer, with their place in the outbox."""
        with database.asking(self.url):
            rows = self._connection.execute(queries.load("waiting_events.sql").text, {"limit": limit}).fetchall()
        return [(place, Event(**event)) for place, event in rows]

    def sent(self, places: Sequence[int]) -> None:
        """Forget events of the outbox."""
        with database.asking(self.url):
            self._connection.execute("DELETE FROM outbox WHERE place = ANY(%s)", [list(places)])

    def ask(self, query: str, **values: object) -> list[dict[str, Any]]:
        """Return the rows of a query of `queries/`, by column."""
        with database.asking(self.url), self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(queries.load(query).text, values).fetchall()

    def _one(self, statement: str, values: Any) -> tuple[Any, ...] | None:
        return self._connection.execute(statement, values).fetchone()
