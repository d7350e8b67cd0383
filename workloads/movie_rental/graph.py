"""Neptune as the graph of who rented what, in openCypher.

Cast and rentals, the many connections, are looked for and created where they are missing: that takes half of what MERGE
takes on both ends and the connection. Within one query it would write what is named twice twice, so nothing is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from workloads.aws import asking_aws
from workloads.movie_rental import queries
from workloads.movie_rental.events import text_of
from workloads.movie_rental.model import Recommendation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workloads.movie_rental.model import Movie, Rental
    from workloads.movie_rental.ports import Fact

_WRITTEN_AT_ONCE = 500  # movies or rentals a query: a transaction each
_PAGE = 1000
_CUSTOMERS = 100  # whose rentals are asked for at once


class NeptuneGraph:
    """The graph in a Neptune cluster.

    Args:
        endpoint: `https://host:port`.
        attempts: How often a query is tried: concurrent writers are told to try again.
    """

    def __init__(self, endpoint: str, attempts: int = 5) -> None:
        self._endpoint = endpoint
        retries: Any = {"mode": "standard", "total_max_attempts": attempts}
        config = Config(retries=retries, connect_timeout=5, read_timeout=120)
        self._client: Any = boto3.client("neptunedata", endpoint_url=endpoint, config=config)

    def run(self, query: str, **parameters: object) -> list[dict[str, Any]]:
        """Return the rows of a query of `queries/`.

        Raises:
            InputError: Neptune refuses the query.
            UnavailableError: Neptune cannot be reached, or cannot do it now.
        """
        return self.ask(queries.load(query).text, parameters)

    def ask(self, text: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return the rows of a query in openCypher.

        Raises:
            InputError: Neptune refuses the query.
            UnavailableError: Neptune cannot be reached, or cannot do it now.
        """
        with asking_aws(self._endpoint, service="Neptune"):
            response = self._client.execute_open_cypher_query(
                openCypherQuery=text, parameters=json.dumps(parameters, ensure_ascii=False)
            )
        rows: list[dict[str, Any]] = response["results"]
        return rows

    def explain(self, text: str, parameters: Mapping[str, object]) -> str:
        """Return the plan of a query in openCypher, as Neptune prints it; the query is not run."""
        with asking_aws(self._endpoint, service="Neptune"):
            response = self._client.execute_open_cypher_explain_query(
                openCypherQuery=text, parameters=json.dumps(parameters, ensure_ascii=False), explainMode="static"
            )
            plan: bytes = response["results"].read()
        return plan.decode().strip()

    def is_empty(self) -> bool:
        """Return whether the graph has no node."""
        return not self.run("any_node.cypher")

    def save_movies(self, movies: Sequence[Movie]) -> None:
        """Write movies with their genres and cast."""
        for start in range(0, len(movies), _WRITTEN_AT_ONCE):
            batch = movies[start : start + _WRITTEN_AT_ONCE]
            rows = [{"id": m.id, "title": m.title, "genres": m.genres, "cast": m.cast} for m in batch]
            self.run("save_movies.cypher", movies=[{"id": m.id, "title": m.title} for m in batch])
            self.run("forget_genres.cypher", movies=rows)
            self.run("forget_cast.cypher", movies=rows)
            genres = [{"movie": m.id, "name": name} for m in batch for name in dict.fromkeys(m.genres)]
            self.run("save_genres.cypher", pairs=genres)
            cast = [{"movie": m.id, "name": name} for m in batch for name in dict.fromkeys(m.cast)]
            self.run("save_cast.cypher", pairs=cast)

    def save_customers(self, customers: Sequence[int]) -> None:
        """Write customers: their numbers only."""
        self.run("save_customers.cypher", customers=[str(customer) for customer in customers])

    def save_rentals(self, rentals: Sequence[Rental]) -> None:
        """Write who rented what."""
        rentals = [*{rental.id: rental for rental in rentals}.values()]
        for start in range(0, len(rentals), _WRITTEN_AT_ONCE):
            rows = [
                {
                    "customer": str(rental.customer_id),
                    "movie": rental.movie_id,
                    "title": rental.title,
                    "rentalId": rental.id,
                    "at": text_of(rental.at),
                }
                for rental in rentals[start : start + _WRITTEN_AT_ONCE]
            ]
            self.run("save_rentals.cypher", rentals=rows)

    def rented(self, customer_id: int) -> list[tuple[int, str, str]]:
        """Return number, MovieID and title of each rental of a customer, by number."""
        rows = self.run("rented.cypher", customer=str(customer_id))
        return [(int(row["rentalId"]), row["id"], row["title"]) for row in rows]

    def has_customer(self, customer_id: int) -> bool:
        """Return whether the graph has a customer."""
        return bool(self.run("has_customer.cypher", customer=str(customer_id))[0]["customers"])

    def recommend(self, customer_id: int, limit: int = 10) -> list[Recommendation]:
        """Return what people with the same rentals rented, best first; for a new customer, the popular movies."""
        rows = self.run("recommend.cypher", customer=str(customer_id), limit=limit)
        if not rows and not self.rented(customer_id):
            rows = self.run("popular.cypher", limit=limit)
        return [Recommendation(row["id"], row["title"], float(row["score"]), int(row["people"])) for row in rows]

    def remove_movie(self, movie_id: str) -> None:
        """Remove a movie and its rentals."""
        self.run("remove_movie.cypher", movie=movie_id)

    def erase_customer(self, customer_id: int) -> None:
        """Remove a customer and what they rented."""
        self.run("erase_customer.cypher", customer=str(customer_id))

    def movies(self) -> Iterator[tuple[str, str, list[str], list[str]]]:
        """Yield id, title, genres and cast of each movie, page by page, in no order."""
        for page in self._pages("all_movies.cypher"):
            yield from ((row["key"], row["title"], row["genres"], row["cast"]) for row in page)

    def facts(self, fact: Fact) -> Iterator[tuple[Any, ...]]:
        """Yield all facts of a kind that the graph holds, page by page, in no order.

        Customers: id. Movies: id, title. Genres, cast: id of the movie, name. Rentals: customer, movie, number, time.
        """
        match fact:
            case "movies":
                yield from ((movie, title) for movie, title, _, _ in self.movies())
            case "genres":
                yield from ((movie, name) for movie, _, genres, _ in self.movies() for name in genres)
            case "cast":
                yield from ((movie, name) for movie, _, _, cast in self.movies() for name in cast)
            case "customers":
                yield from ((row["key"],) for page in self._pages("all_customers.cypher") for row in page)
            case "rentals":
                for first, last in self._customers():
                    rows = self.run("all_rentals.cypher", after=first, to=last)
                    yield from (tuple(row.values()) for row in rows)

    def _pages(self, query: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of a query that goes by `key`, page by page."""
        after = ""
        while rows := self.run(query, after=after, limit=_PAGE):
            yield rows
            after = rows[-1]["key"]

    def _customers(self) -> Iterator[tuple[str, str]]:
        """Yield the ids behind which a page of customers begins, and with which it ends."""
        after = ""
        for page in self._pages("all_customers.cypher"):
            yield after, (after := page[-1]["key"])

    def rental_digests(self) -> Iterator[tuple[str, int, int]]:
        """Yield each customer who rented, how many rentals that were, and the sum of their digests, page by page.

        The digest of a rental is a number below 2^31 - 1, to which its number, customer, movie and time contribute.
        """
        for first, last in self._customers():
            for row in self.run("rental_digests.cypher", after=first, to=last):
                yield row["key"], int(row["rentals"]), int(row["digest"] or 0)

    def rentals_of(self, customers: Sequence[str]) -> Iterator[tuple[str, str, int, str]]:
        """Yield customer, movie, number and time of what some customers rented."""
        for start in range(0, len(customers), _CUSTOMERS):
            for row in self.run("rentals_of.cypher", customers=customers[start : start + _CUSTOMERS]):
                yield row["key"], row["movie"], int(row["rentalId"]), row["at"]
