"""The film rental company's engines in memory, for tests that run without a server.

They keep the promises of `ports.py`, and the same contract tests hold them and the real engines to it.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from contract.errors import InputError, UnavailableError
from contract.rentals import NOBODY, category_dimension, cents, point_time
from workloads.movie_rental.events import Event, text_of
from workloads.movie_rental.model import Customer, Hit, Recommendation, Removal, SearchResults
from workloads.movie_rental.tastes import Tastes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.movie_rental.model import Item, Movie, Rental
    from workloads.movie_rental.ports import Fact


class MemoryLibrary:
    """The film library in a dictionary."""

    def __init__(self) -> None:
        self._movies: dict[str, Movie] = {}
        self._removals: dict[str, Removal] = {}

    def save(self, movies: Sequence[Movie]) -> list[Movie]:
        """Write movies; those as the library has them already stay."""
        saved = []
        for movie in movies:
            before = self._movies.get(movie.id)
            if not before or replace(movie, version=before.version) != before:
                self._movies[movie.id] = replace(movie, version=self._version(movie.id) + 1)
                self._removals.pop(movie.id, None)
            saved.append(self._movies[movie.id])
        return saved

    def is_empty(self) -> bool:
        """Return whether it holds nothing, not even what a removed movie leaves."""
        return not (self._movies or self._removals)

    def put(self, movie: Movie) -> Movie:
        """Create or change one movie, if it still has the version that the caller read."""
        before = self._movies.get(movie.id)
        if (before.version if before else 0) != movie.version:
            raise InputError(f"Movie {movie.id}: The movie was changed by somebody else. Read it again.")
        self._movies[movie.id] = replace(movie, version=self._version(movie.id) + 1)
        self._removals.pop(movie.id, None)
        return self._movies[movie.id]

    def _version(self, movie_id: str) -> int:
        last = self._movies.get(movie_id) or self._removals.get(movie_id)
        return last.version if last else 0

    def get(self, movie_id: str) -> Movie | None:
        """The movie; None if there is none."""
        return self._movies.get(movie_id)

    def remove(self, movie_id: str) -> Removal | None:
        """Remove a movie; the removal, also if it was removed before; None if there never was one."""
        if movie := self._movies.pop(movie_id, None):
            self._removals[movie_id] = Removal(movie_id, movie.version + 1)
        return self._removals.get(movie_id)

    def removals(self) -> Iterator[Removal]:
        """Every movie that was removed and not created again, in no order."""
        return iter([*self._removals.values()])

    def by_genre(self, genre: str) -> Iterator[tuple[str, str]]:
        """MovieID and title of a genre's movies, by title."""
        return self._where(lambda movie: movie.genre == genre)

    def by_year(self, year: int) -> Iterator[tuple[str, str]]:
        """MovieID and title of a year's movies, by title."""
        return self._where(lambda movie: movie.year == year)

    def _where(self, condition: Any) -> Iterator[tuple[str, str]]:
        chosen = [movie for movie in self._movies.values() if condition(movie)]
        return ((movie.id, movie.title) for movie in sorted(chosen, key=lambda movie: movie.title.encode()))

    def all(self, unreadable: Callable[[Item], object] | None = None) -> Iterator[Movie]:  # noqa: ARG002
        """Every movie, in no order; all items are movies."""
        return iter([*self._movies.values()])


class MemorySearchIndex:
    """The search index: words that are equal or a letter or two apart, and vectors one by one."""

    _FIELDS: Mapping[str, float] = {"MovieTitle": 3, "Cast": 2, "Director": 2, "Genres": 1, "Description": 1}

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, Any]] = {}
        self._versions: dict[str, int] = {}  # also of removed documents
        self._dimension: int | None = None

    def create(self, dimension: int) -> None:
        """Make the index for vectors of a length, unless it is there."""
        if self._dimension not in (None, dimension):
            raise InputError(
                f"The index is for vectors of {self._dimension} numbers, but the model makes vectors of {dimension}."
            )
        self._dimension = dimension

    def save(self, movies: Sequence[Movie]) -> None:
        """Write movies; a document of a later version stays."""
        for movie in movies:
            self.write(movie.id, movie.version, movie.document())

    def refresh(self) -> None:
        """Everything is found at once."""

    def get(self, movie_id: str) -> dict[str, Any] | None:
        """The document; None if there is none."""
        return self._documents.get(movie_id)

    def remove(self, removals: Sequence[Removal]) -> None:
        """Remove movies; a document of a later version stays."""
        for removal in removals:
            self.write(removal.movie_id, removal.version, None)

    def write(self, movie_id: str, version: int, document: dict[str, Any] | None, *, strictly: bool = False) -> None:
        """Write or remove a document; one of a later version stays, and one of the same if this is strict."""
        if self._versions.get(movie_id, 0) < version + (not strictly):
            self._documents.pop(movie_id, None)
            if document:
                self._documents[movie_id] = document
            self._versions[movie_id] = version

    def full_text(self, text: str, *, genre: str | None = None, limit: int = 10) -> SearchResults:
        """Movies that have these words, or nearly these, best first; with facets and highlights."""
        words = _words(text)
        found: list[Hit] = []
        for document in self._documents.values():
            if genre is not None and genre.casefold() != document.get("Genre", "").casefold():
                continue
            score, highlights = 0.0, {}
            for field, weight in self._FIELDS.items():
                value = document.get(field) or ""
                content = " ".join(value) if isinstance(value, list) else value
                marked = re.sub(r"\w+", lambda word: _marked(word[0], words), content)
                hits = marked.count("<em>")
                if hits:
                    highlights[field] = [marked]
                    score += weight * hits / (1 + math.log1p(len(_words(content))))
            if score:
                found.append(_hit(document, score, highlights))
        found.sort(key=lambda hit: (-hit.score, hit.movie_id))
        matching = [self._documents[hit.movie_id] for hit in found]
        facets = {
            "Genres": Counter(genre for document in matching for genre in document["Genres"]),
            "Rating": Counter(document["Rating"] for document in matching if "Rating" in document),
            "Language": Counter(document["Language"] for document in matching if "Language" in document),
        }
        best = {name: dict(counts.most_common(10)) for name, counts in facets.items()}
        return SearchResults(found[:limit], len(found), best)

    def nearest(self, vector: NDArray[np.float32], limit: int = 10) -> SearchResults:
        """Movies whose vectors point in the most similar direction, best first."""
        scored = [
            _hit(document, (1 + float(np.dot(vector, document["Embedding"]))) / 2, {})
            for document in self._documents.values()
            if "Embedding" in document
        ]
        scored.sort(key=lambda hit: (-hit.score, hit.movie_id))
        return SearchResults(scored[:limit], len(scored[:limit]))

    def all(self) -> Iterator[dict[str, Any]]:
        """Every document, in no order."""
        return iter([*self._documents.values()])


def _hit(document: Mapping[str, Any], score: float, highlights: Mapping[str, Sequence[str]]) -> Hit:
    return Hit(
        document["MovieID"], document["MovieTitle"], document.get("Genre"), document.get("Year"), score, highlights
    )


_WHOLE_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ß": "ss", "æ": "ae"})  # no letter with an accent


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.lower().translate(_WHOLE_LETTERS))
    return re.findall(r"\w+", "".join(letter for letter in plain if not unicodedata.combining(letter)))


def _marked(word: str, wanted: Sequence[str]) -> str:
    [plain] = _words(word) or [""]
    near = any(_distance(plain, one) <= _allowed(one) and plain[:1] == one[:1] for one in wanted)
    return f"<em>{word}</em>" if near else word


def _allowed(word: str) -> int:
    """Wrong letters that are forgiven: OpenSearch's `fuzziness: AUTO`."""
    return 0 if len(word) < 3 else 1 if len(word) < 6 else 2


@lru_cache(maxsize=1 << 16)
def _distance(one: str, other: str) -> int:
    """Levenshtein's edit distance."""
    if abs(len(one) - len(other)) > 2:
        return 3
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row[0] = row[0], at
        for place, letter2 in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != letter2))
    return row[-1]


def rental_digest(customer: str, movie: str, number: int, at: str) -> int:
    """Mix what is known of a rental in a prime field."""
    prime = 2**31 - 1
    moment = int("".join(filter(str.isdecimal, at)))
    mixed = number * 1103515245 + int(customer) * 1220703125 + int(movie) * 1566083941 + moment * 1812433253
    mixed %= prime
    return mixed * mixed % prime


class MemoryGraph:
    """Who rented what, as sets of neighbours."""

    def __init__(self) -> None:
        self._movies: dict[str, Movie | None] = {}
        self._titles: dict[str, str] = {}
        self._rentals: dict[str, dict[int, tuple[str, str]]] = {}  # by customer and number: movie, time
        self._erased: set[str] = set()

    def is_empty(self) -> bool:
        """Return whether it holds nothing, not even the mark of an erased customer."""
        return not (self._movies or self._rentals or self._erased)

    def save_movies(self, movies: Sequence[Movie]) -> None:
        """Write movies with their genres and cast."""
        for movie in movies:
            self._movies[movie.id], self._titles[movie.id] = movie, movie.title

    def save_customers(self, customers: Sequence[int]) -> None:
        """Write customers: their numbers only."""
        for customer in {*map(str, customers)} - self._erased:
            self._rentals.setdefault(customer, {})

    def save_rentals(self, rentals: Sequence[Rental]) -> None:
        """Write who rented what."""
        for rental in rentals:
            if str(rental.customer_id) in self._erased:
                continue
            self._titles.setdefault(rental.movie_id, rental.title)
            self._movies.setdefault(rental.movie_id, None)
            self._rentals.setdefault(str(rental.customer_id), {})[rental.id] = (rental.movie_id, text_of(rental.at))

    def rented(self, customer_id: int) -> list[tuple[int, str, str]]:
        """Number, MovieID and title of what a customer rented, by number."""
        found = self._rentals.get(str(customer_id), {})
        return [(number, movie, self._titles[movie]) for number, (movie, _) in sorted(found.items())]

    def has_customer(self, customer_id: int) -> bool:
        """Whether the graph knows a customer."""
        return str(customer_id) in self._rentals

    def recommend(self, customer_id: int, limit: int = 10) -> list[Recommendation]:
        """What people rented who rented what the customer rented; the popular ones for a new customer."""
        tastes = Tastes({who: {movie for movie, _ in rentals.values()} for who, rentals in self._rentals.items()})
        return [
            Recommendation(liked.movie_id, self._titles[liked.movie_id], liked.score, liked.people)
            for liked in tastes.recommend(str(customer_id), limit)
        ]

    def remove_movie(self, movie_id: str) -> None:
        """Remove a movie and who rented it."""
        self._movies.pop(movie_id, None)
        for customer, rentals in self._rentals.items():
            self._rentals[customer] = {number: one for number, one in rentals.items() if one[0] != movie_id}

    def erase_customer(self, customer_id: int) -> None:
        """Remove a customer and what they rented."""
        self._erased.add(str(customer_id))
        self._rentals.pop(str(customer_id), None)

    def movies(self) -> Iterator[tuple[str, str, list[str], list[str]]]:
        """Id, title, genres and cast of each movie, in no order."""
        for movie, known in self._movies.items():
            genres, cast = (known.genres, known.cast) if known else ((), ())
            yield movie, self._titles[movie], [*dict.fromkeys(genres)], [*dict.fromkeys(cast)]

    def facts(self, fact: Fact) -> Iterator[tuple[Any, ...]]:
        """All that the graph holds of a kind, in no order."""
        whole = [movie for movie in self._movies.values() if movie]
        match fact:
            case "customers":
                yield from ((customer,) for customer in self._rentals)
            case "movies":
                yield from ((movie, self._titles[movie]) for movie in self._movies)
            case "genres":
                yield from ((movie.id, name) for movie in whole for name in dict.fromkeys(movie.genres))
            case "cast":
                yield from ((movie.id, name) for movie in whole for name in dict.fromkeys(movie.cast))
            case "rentals":
                for customer, rentals in self._rentals.items():
                    yield from ((customer, movie, number, at) for number, (movie, at) in rentals.items())

    def rental_digests(self) -> Iterator[tuple[str, int, int]]:
        """Each customer who rented, how many rentals that were, and the sum of their digests."""
        for customer, rentals in self._rentals.items():
            if rentals:
                digests = (rental_digest(customer, movie, number, at) for number, (movie, at) in rentals.items())
                yield customer, len(rentals), sum(digests)

    def rentals_of(self, customers: Sequence[str]) -> Iterator[tuple[str, str, int, str]]:
        """The rentals of some customers."""
        return (fact for fact in self.facts("rentals") if fact[0] in customers)


class MemorySeries:
    """The time series as points by their time and dimensions."""

    def __init__(self) -> None:
        self._points: dict[tuple[int, str, str], tuple[datetime, int]] = {}

    def save(self, rentals: Sequence[Rental]) -> None:
        """Write rentals; the same rental is the same point."""
        for rental in rentals:
            key = (point_time(rental.at, rental.id), category_dimension(rental.category), str(rental.store_id))
            self._points[key] = (rental.at.astimezone(UTC), cents(rental.amount))

    def daily(self, start: datetime, end: datetime) -> pd.DataFrame:
        """`day`, `category`, `store`, `rentals`, `cents` for each day with rentals, sorted."""
        rows = [
            (at.replace(hour=0, minute=0, second=0, microsecond=0), category, store, 1, amount)
            for (_, category, store), (at, amount) in self._points.items()
            if start <= at < end
        ]
        names = ["day", "category", "store"]
        table = pd.DataFrame(rows, columns=[*names, "rentals", "cents"])
        table["day"] = pd.to_datetime(table["day"], utc=True).astype("datetime64[us, UTC]")
        summed = table.groupby(names, as_index=False, sort=True)[["rentals", "cents"]].sum()
        return summed.astype({"rentals": "int64", "cents": "int64"})

    def newest(self) -> datetime | None:
        """When the last rental was; None if there is none."""
        return max((at for at, _ in self._points.values()), default=None)


class MemoryLedger:
    """Customers, rentals and the outbox; copies are given by film and store.

    Args:
        copies: How many copies of a film a store has.
    """

    def __init__(self, copies: Mapping[tuple[str, int], int]) -> None:
        self._copies = dict(copies)
        self._customers: dict[int, Customer] = {}
        self._rentals: dict[int, tuple[int, str, int, bool]] = {}  # customer, film, store, whether it is out
        self._outbox: dict[int, Event] = {}
        self._requests: dict[str | None, Event] = {}
        self._numbers = itertools.count(1)

    def add_customer(self, customer: Customer) -> Customer:
        """Create a customer; with the number they got."""
        made = replace(customer, id=next(self._numbers))
        self._customers[made.id] = made
        return made

    def customer(self, customer_id: int) -> Customer | None:
        """The customer; None if there is none."""
        return self._customers.get(customer_id)

    def change_customer(self, customer: Customer) -> None:
        """Replace a customer's data."""
        if customer.id not in self._customers:
            raise InputError(f"Customer {customer.id}: There is no customer of that number.")
        self._customers[customer.id] = customer

    def erase_customer(self, customer_id: int) -> bool:
        """Remove a customer's data."""
        if not self._customers.pop(customer_id, None):
            return False
        self._rentals = {
            number: (0 if rental[0] == customer_id else rental[0], *rental[1:])
            for number, rental in self._rentals.items()
        }
        self._outbox = {
            place: replace(event, customer_id=NOBODY) if event.customer_id == str(customer_id) else event
            for place, event in self._outbox.items()
            if event.customer_id != str(customer_id) or event.type == "rented"
        }
        self._tell(Event.erased(customer_id, datetime.now(UTC)))
        return True

    def rent(self, customer_id: int, movie: Movie, store_id: int, request: str | None = None) -> Event:
        """Lend a copy of a movie."""
        who = self._customers.get(customer_id)
        if not who:
            raise InputError(f"Customer {customer_id}: There is no customer of that number.")
        if request in self._requests:
            made = self._requests[request]
            if (made.customer_id, made.film_id, made.store_id) != (str(customer_id), movie.id, str(store_id)):
                raise InputError(f"Request {request}: The request has made another rental. Give this one another id.")
            return made
        if not who.active:
            raise InputError(f"Customer {customer_id}: The customer is not active, and may not rent.")
        out = sum(rental[1:] == (movie.id, store_id, True) for rental in self._rentals.values())
        if out >= self._copies.get((movie.id, store_id), 0):
            raise InputError(f"{movie.title}: Store {store_id} has no copy that is not lent. Try another store.")
        number = next(self._numbers)
        self._rentals[number] = (customer_id, movie.id, store_id, True)
        event = self._tell(Event.rented(number, customer_id, movie, store_id, datetime.now(UTC)))
        if request:
            self._requests[request] = event
        return event

    def give_back(self, rental_id: int) -> Event | None:
        """Take a copy back; None if it is back already."""
        if rental_id not in self._rentals:
            raise InputError(f"Rental {rental_id}: There is no rental of that number.")
        customer, film, store, out = self._rentals[rental_id]
        if not out:
            return None
        self._rentals[rental_id] = (customer, film, store, False)
        event = Event.returned(rental_id, customer, film, store, datetime.now(UTC))
        return self._tell(event) if customer else event

    def _tell(self, event: Event) -> Event:
        self._outbox[next(self._numbers)] = event
        return event

    def waiting(self, limit: int = 10) -> list[tuple[int, Event]]:
        """Events that have not been sent, oldest first, one a customer, with their place in the outbox."""
        first: dict[str, tuple[int, Event]] = {}
        for place, event in self._outbox.items():
            first.setdefault(event.customer_id, (place, event))
        return [*first.values()][:limit]

    def sent(self, places: Sequence[int]) -> None:
        """Forget events of the outbox."""
        for place in places:
            self._outbox.pop(place, None)


class MemoryQueue:
    """A queue that keeps what it got, once each.

    Args:
        refused: How many sends fail first.
    """

    def __init__(self, refused: int = 0) -> None:
        self.events: list[Event] = []
        self._refused = refused

    def send(self, events: Sequence[Event]) -> list[str]:
        """Keep events, and return the event_ids of those that did not get through."""
        failed = []
        for event in events:
            if self._refused:
                self._refused -= 1
                failed.append(event.event_id)
            elif all(known.event_id != event.event_id for known in self.events):
                self.events.append(event)
        if len(failed) == len(events):
            raise UnavailableError(f"The queue does not take {len(failed)} events now.")
        return failed
