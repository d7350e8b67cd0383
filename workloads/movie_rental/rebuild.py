"""Search index, graph and time series, made anew from what they are made of: the library and the ledger."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from workloads.movie_rental import database, queries
from workloads.movie_rental.model import Rental

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloads.movie_rental.engines import Engines

_MOVIES, _RENTALS = 500, 4000  # of a batch


def rebuild(engines: Engines, progress: Callable[[str, int], None] = lambda *_: None) -> dict[str, int]:
    """Write everything that is derived; what is there already stays.

    Args:
        engines: Where.
        progress: Told what is written, and how many of it are.

    Returns:
        How many movies, customers and rentals.

    Raises:
        InputError: An engine refuses.
        UnavailableError: An engine cannot be reached; the same command does it again.
    """
    done = {"movies": 0, "customers": 0, "rentals": 0}
    known: dict[int, tuple[str, str | None]] = {}  # title and category, by film
    engines.index.create(engines.embedder().dimension)
    movies = engines.library.all()
    while batch := list(islice(movies, _MOVIES)):
        engines.index.save(batch)
        engines.graph.save_movies(batch)
        known |= {int(movie.id): (movie.title, movie.genre) for movie in batch if movie.id.isdecimal()}
        done["movies"] += len(batch)
        progress("movies", done["movies"])
    engines.index.refresh()
    with database.asking(engines.ledger.url):
        rows = engines.ledger.connection.execute("SELECT customer_id FROM customers ORDER BY customer_id").fetchall()
    engines.graph.save_customers([number for (number,) in rows])
    done["customers"] = len(rows)
    rentals = _rentals(engines, known)
    while lent := list(islice(rentals, _RENTALS)):
        engines.graph.save_rentals([rental for rental in lent if rental.customer_id])
        engines.series.save(lent)
        done["rentals"] += len(lent)
        progress("rentals", done["rentals"])
    return done


def _rentals(engines: Engines, known: dict[int, tuple[str, str | None]]) -> Iterator[Rental]:
    """Rentals of the ledger; an erased customer's are nobody's: number 0."""
    with (
        database.asking(engines.ledger.url),
        engines.ledger.connection.transaction(),
        engines.ledger.connection.cursor("ledger_rentals") as cursor,
    ):
        cursor.itersize = _RENTALS
        cursor.execute(queries.load("ledger_rentals.sql").text.encode())
        for number, at, customer, film, store, amount in cursor:
            title, category = known.get(film, (f"film {film}", None))
            yield Rental(number, at, customer, str(film), title, store, category, amount)
