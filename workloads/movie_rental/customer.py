"""All that is known of one customer, and their erasure from every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.errors import InputError

if TYPE_CHECKING:
    from workloads.movie_rental.engines import Engines


@dataclass(frozen=True)
class Known:
    """What is known of a customer.

    Attributes:
        person: Name, address, store, sums (PostgreSQL).
        rentals: What they rented, with titles of the library, the latest first.
        graph: How many rentals the graph has of them.
        waiting: How many of their events have not been sent.
    """

    person: dict[str, Any]
    rentals: list[dict[str, Any]]
    graph: int
    waiting: int


@dataclass(frozen=True)
class Trace:
    """What an engine still holds about a customer.

    Attributes:
        engine: Which engine.
        kind: What it holds: customers, rentals and so on.
        before: How much there was.
        left: How much there is.
    """

    engine: str
    kind: str
    before: int
    left: int


def known(engines: Engines, customer_id: int) -> Known:
    """Return everything that the engines hold about a customer.

    Raises:
        InputError: There is no such customer.
    """
    persons = engines.ledger.ask("customer.sql", customer=customer_id)
    if not persons:
        raise InputError(f"Customer {customer_id}: There is no customer of that number, or not any more.")
    titles: dict[int, str] = {int(movie): title for _, movie, title in engines.graph.rented(customer_id)}
    rentals = engines.ledger.ask("customer_rentals.sql", customer=customer_id)
    for rental in rentals:
        rental["title"] = titles.get(rental["film_id"]) or _title(engines, rental["film_id"])
    [traces] = engines.ledger.ask("traces_of_customer.sql", customer=customer_id)
    return Known(persons[0], rentals, len(engines.graph.rented(customer_id)), traces["outbox"])


def _title(engines: Engines, film: int) -> str:
    movie = engines.library.get(str(film))
    return movie.title if movie else f"film {film}"


def erase(engines: Engines, customer_id: int) -> list[Trace]:
    """Remove a customer from every engine, and check that nothing of them is left.

    The relational database goes first: with it the event `customer_erased` is in the outbox, so the projections follow
    even if this ends in between, and events that are under way cannot bring the customer back. Rentals and payments
    stay in the books without a name. The library, the search index and the time series know movies and sums, nobody by
    name or number; what tells rentals of a moment apart in the time series leads to a rental that is nobody's any more.

    Raises:
        InputError: There was never such a customer.
        UnavailableError: An engine cannot be reached; the same command goes on.
    """
    before = _traces(engines, customer_id)
    erased = engines.ledger.erase_customer(customer_id)
    if not erased and not engines.ledger.ask("erasure.sql", customer=customer_id):
        raise InputError(f"Customer {customer_id}: There never was a customer of that number.")
    engines.graph.erase_customer(customer_id)
    after = _traces(engines, customer_id)
    return [Trace(*place, before[place], after[place]) for place in before]


def _traces(engines: Engines, customer_id: int) -> dict[tuple[str, str], int]:
    [rows] = engines.ledger.ask("traces_of_customer.sql", customer=customer_id)
    traces = {("PostgreSQL", name): int(count) for name, count in rows.items()}
    traces["Neptune", "the customer"] = int(engines.graph.has_customer(customer_id))
    traces["Neptune", "rentals"] = len(engines.graph.rented(customer_id))
    return traces
