"""Rebuild search index, graph and time series from the library and the ledger."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from contract.rentals import NOBODY
from workloads.movie_rental import database, queries
from workloads.movie_rental.interrupted_loads import leave_to_queries
from workloads.movie_rental.model import Rental

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workloads.movie_rental.engines import Engines

_MOVIES, _ROWS = 500, 4000  # of a batch


def rebuild(engines: Engines, progress: Callable[[str, int], None] = lambda *_: None) -> dict[str, int]:
    """Write everything that is derived from the two; what is there already stays, except films that were removed.

    Args:
        engines: Where.
        progress: Told what is written, and how many of it are.

    Returns:
        How many movies, customers and rentals.

    Raises:
        InputError: An engine refuses.
        UnavailableError: An engine cannot be reached; the same command does it again.
        TemporaryError: A process is migrating.
    """
    done = {"movies": 0, "customers": 0, "rentals": 0}
    films: dict[int, tuple[str, str | None]] = {}  # title and category, by film
    leave_to_queries(engines)
    engines.index.create(engines.embedder().dimension)
    movies = engines.library.all()
    while batch := list(islice(movies, _MOVIES)):
        engines.index.save(batch)
        engines.graph.save_movies(batch)
        films |= {int(movie.id): (movie.title, movie.genre) for movie in batch if movie.id.isdecimal()}
        done["movies"] += len(batch)
        progress("movies", done["movies"])
    removals = engines.library.removals()  # after the films: some of those may have been removed since they were read
    while removed := list(islice(removals, _MOVIES)):
        engines.index.remove(removed)
    engines.index.refresh()

    def write_customers(rows: Sequence[tuple[Any, ...]]) -> None:
        engines.graph.save_customers([number for (number,) in rows])

    def write_rentals(rows: Sequence[tuple[Any, ...]]) -> None:
        rentals = []
        for number, at, customer, film, store, amount in rows:
            title, category = films.get(film, (f"film {film}", None))
            rentals.append(Rental(number, at, customer, str(film), title, store, category, amount))
        engines.graph.save_rentals([rental for rental in rentals if str(rental.customer_id) != NOBODY])
        engines.series.save(rentals)

    for name, query, write in (
        ("customers", "ledger_customers.sql", write_customers),
        ("rentals", "ledger_rentals.sql", write_rentals),
    ):
        after = 0
        while rows := _page(engines, query, after, write):
            after = rows[-1][0]
            done[name] += len(rows)
            progress(name, done[name])
    return done


def _page(
    engines: Engines, query: str, after: int, write: Callable[[Sequence[tuple[Any, ...]]], None]
) -> list[tuple[Any, ...]]:
    """Write a page of the ledger's rows; nobody is erased between the reading and the writing."""
    connection = engines.ledger.connection
    with database.asking(engines.ledger.url), connection.transaction():
        database.lock(connection)
        values = {"after": after, "limit": _ROWS}
        rows = connection.execute(queries.load(query).text, values).fetchall()
        if rows:
            write(rows)
    return rows
