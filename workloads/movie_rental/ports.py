"""What the workload asks of its engines: one small interface for each.

Every method raises `InputError` when its engine refuses, and `UnavailableError` when the engine cannot be reached or
cannot do it now; what was written before stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from workloads.movie_rental.database import Connection
    from workloads.movie_rental.events import Event
    from workloads.movie_rental.model import Customer, Item, Movie, Recommendation, Removal, Rental, SearchResults

#: What the graph holds, by what a row of `Graph.facts` tells.
Fact = Literal["customers", "movies", "genres", "cast", "rentals"]


class MovieWriter(Protocol):
    """What brings movies into the library: its own requests, or its bulk loader."""

    def save(self, movies: Sequence[Movie]) -> list[Movie]:
        """Write movies; those as the library has them already stay. The movies with their versions."""


class Library(MovieWriter, Protocol):
    """The film library (DynamoDB)."""

    def put(self, movie: Movie) -> Movie:
        """Create or change one movie, if it still has the version that the caller read (0: there is none).

        Raises:
            InputError: Somebody else changed it in between.
        """

    def is_empty(self) -> bool:
        """Return whether it holds nothing, not even what a removed movie leaves."""

    def get(self, movie_id: str) -> Movie | None:
        """Return the movie; None if there is none."""

    def remove(self, movie_id: str) -> Removal | None:
        """Remove a movie; the removal, also if it was removed before; None if there never was one."""

    def removals(self) -> Iterator[Removal]:
        """Return every movie that was removed and not created again, in no order."""

    def by_genre(self, genre: str) -> Iterator[tuple[str, str]]:
        """MovieID and title of a genre's movies, by title."""

    def by_year(self, year: int) -> Iterator[tuple[str, str]]:
        """MovieID and title of a year's movies, by title."""

    def all(self, unreadable: Callable[[Item], object] | None = None) -> Iterator[Movie]:
        """Return every movie, in no order.

        Args:
            unreadable: Called with each item that is not a movie.

        Raises:
            InputError: An item is not a movie, and `unreadable` is missing.
        """


class SearchIndex(Protocol):
    """The search index (OpenSearch). A document of an earlier version never replaces a later one."""

    def create(self, dimension: int) -> None:
        """Make the index for vectors of a length, unless it is there.

        Raises:
            InputError: It is there with another length.
        """

    def save(self, movies: Sequence[Movie]) -> None:
        """Write movies."""

    def refresh(self) -> None:
        """Let what was written be found."""

    def get(self, movie_id: str) -> dict[str, Any] | None:
        """Return the document; None if there is none."""

    def remove(self, removals: Sequence[Removal]) -> None:
        """Remove movies; a document of a later version stays."""

    def full_text(self, text: str, *, genre: str | None = None, limit: int = 10) -> SearchResults:
        """Movies that have these words, or nearly these, best first; with facets and highlights."""

    def nearest(self, vector: NDArray[np.float32], limit: int = 10) -> SearchResults:
        """Movies whose vectors point in the most similar direction, best first."""

    def all(self) -> Iterator[dict[str, Any]]:
        """Return every document, in no order."""


class GraphWriter(Protocol):
    """What fills the graph: its own queries, or its bulk loader."""

    def save_movies(self, movies: Sequence[Movie]) -> None:
        """Write movies with their genres and cast."""

    def save_customers(self, customers: Sequence[int]) -> None:
        """Write customers: their numbers only."""

    def save_rentals(self, rentals: Sequence[Rental]) -> None:
        """Write who rented what."""


class Graph(GraphWriter, Protocol):
    """Who rented what (Neptune)."""

    def is_empty(self) -> bool:
        """Return whether it holds nothing, not even the mark of an erased customer."""

    def rented(self, customer_id: int) -> list[tuple[int, str, str]]:
        """Return number, MovieID and title of what a customer rented, by number."""

    def has_customer(self, customer_id: int) -> bool:
        """Return whether the graph knows a customer."""

    def recommend(self, customer_id: int, limit: int = 10) -> list[Recommendation]:
        """What people rented who rented what the customer rented, best first; the popular ones for a new customer."""

    def remove_movie(self, movie_id: str) -> None:
        """Remove a movie and who rented it."""

    def erase_customer(self, customer_id: int) -> None:
        """Remove a customer and what they rented."""

    def movies(self) -> Iterator[tuple[str, str, list[str], list[str]]]:
        """Return id, title, genres and cast of each movie, in no order."""

    def facts(self, fact: Fact) -> Iterator[tuple[Any, ...]]:
        """Return all that the graph holds of a kind, in no order."""

    def rental_digests(self) -> Iterator[tuple[str, int, int]]:
        """Return each customer who rented, how many rentals that were, and the sum of their digests."""

    def rentals_of(self, customers: Sequence[str]) -> Iterator[tuple[str, str, int, str]]:
        """Return the rentals of some customers, as `facts` returns all."""


class TimeSeries(Protocol):
    """How many rentals of which category, when (Timestream)."""

    def save(self, rentals: Sequence[Rental]) -> None:
        """Write rentals; the same rental is the same point."""

    def daily(self, start: datetime, end: datetime) -> pd.DataFrame:
        """`day`, `category`, `store`, `rentals`, `cents` for each day with rentals, sorted."""

    def newest(self) -> datetime | None:
        """Return when the last rental was; None if there is none."""


class Ledger(Protocol):
    """Customers, rentals, payments, and the outbox (PostgreSQL)."""

    def add_customer(self, customer: Customer) -> Customer:
        """Create a customer; with the number they got."""

    def customer(self, customer_id: int) -> Customer | None:
        """Return the customer; None if there is none."""

    def change_customer(self, customer: Customer) -> None:
        """Replace a customer's data.

        Raises:
            InputError: There is no such customer.
        """

    def erase_customer(self, customer_id: int) -> bool:
        """Remove a customer's data; what they paid stays in the books, nobody's. Whether there was one.

        One transaction, with the event `customer_erased` in the outbox.
        """

    def rent(self, customer_id: int, movie: Movie, store_id: int, request: str | None = None) -> Event:
        """Lend a copy of a movie: rental, payment and event in one transaction.

        Args:
            customer_id: Who rents.
            movie: What.
            store_id: Where.
            request: An id that nobody else uses. The same request rents once, however often it is made; afterwards it
                returns an event of the same rental, which is not sent again.

        Raises:
            InputError: No such customer, not active, no copy is left in the store, or the request has made another
                rental.
        """

    def give_back(self, rental_id: int) -> Event | None:
        """Take a copy back: rental and event in one transaction; None if it is back already.

        Raises:
            InputError: There is no such rental.
        """

    def waiting(self, limit: int = 10) -> list[tuple[int, Event]]:
        """Events that have not been sent, oldest first, one a customer, with their place in the outbox."""

    def sent(self, places: Sequence[int]) -> None:
        """Forget events of the outbox."""


class RelationalLedger(Ledger, Protocol):
    """A ledger that is a database of its own, for whoever asks in SQL: migration, comparison, and reports.

    Attributes:
        url: Where the database is, for messages.
    """

    url: str

    @property
    def connection(self) -> Connection:
        """The connection, for whoever moves rows by the thousand."""

    def ask(self, query: str, **values: object) -> list[dict[str, Any]]:
        """Answer a query of `queries/`: a dictionary by column for each row."""


class Queue(Protocol):
    """Where events go (SQS, first in, first out by customer)."""

    def send(self, events: Sequence[Event]) -> list[str]:
        """Send up to ten events of different customers, and return the event_ids of those that did not get through.

        Raises:
            InputError: The queue refuses all of them.
            UnavailableError: It cannot take any of them now.
        """


class Embedder(Protocol):
    """Turns text into vectors.

    Attributes:
        name: Which model, with what makes it different from others.
        dimension: Length of its vectors.
    """

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 for each text, or of zeros where the model knows none of its words."""
