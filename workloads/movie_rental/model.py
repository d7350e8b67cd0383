"""What the company deals in: movies, customers, rentals; and what it answers. Every engine holds its part."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from contract.documents import document
from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from numpy.typing import NDArray

Item = dict[str, Any]
"""A movie by attribute, as boto3 reads and writes it: `Decimal`, `bytes`, lists."""

#: Attributes in the order of the fields; what else an item has is free-form.
_ATTRIBUTES = {
    "MovieID": "id",
    "MovieTitle": "title",
    "Year": "year",
    "Genres": "genres",
    "Cast": "cast",
    "Director": "director",
    "Description": "description",
    "Language": "language",
    "Rating": "rating",
    "Length": "length",
    "RentalRate": "rental_rate",
    "ReplacementCost": "replacement_cost",
    "RentalDuration": "rental_duration",
    "SpecialFeatures": "special_features",
    "Embedding": "embedding",
    "Version": "version",
}
_NUMBERS = ("year", "length", "rental_duration", "version")
_LISTS = ("genres", "cast", "special_features")


@dataclass(frozen=True)
class Movie:
    """A film of the library.

    Attributes:
        id: MovieID.
        title: MovieTitle.
        year: Of release; None if unknown, as all that may be None.
        genres: Its categories, the first one first.
        cast: Names of its actors.
        director: Its director.
        description: What it is about.
        language: Of the sound.
        rating: For whom it is: `PG-13`.
        length: Minutes.
        rental_rate: What a rental costs, exactly.
        replacement_cost: What a lost copy costs, exactly.
        rental_duration: Days that the rate is for.
        special_features: What else is on the disc.
        embedding: Its vector: float32, little endian; empty if it has none.
        version: How often it was written; 0 before the first time.
        more: Free-form attributes.
    """

    id: str
    title: str
    year: int | None = None
    genres: tuple[str, ...] = ()
    cast: tuple[str, ...] = ()
    director: str | None = None
    description: str | None = None
    language: str | None = None
    rating: str | None = None
    length: int | None = None
    rental_rate: Decimal = Decimal("0.00")
    replacement_cost: Decimal = Decimal("0.00")
    rental_duration: int | None = None
    special_features: tuple[str, ...] = ()
    embedding: bytes = b""
    version: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def genre(self) -> str | None:
        """The first category."""
        return self.genres[0] if self.genres else None

    @property
    def text(self) -> str:
        """What an embedding is made of."""
        return " . ".join(filter(None, [self.title, self.description, " ".join(self.genres), " ".join(self.cast)]))

    def item(self) -> Item:
        """Return the movie as an item of the table, without attributes whose value is unknown."""
        item: Item = dict(self.more)
        for attribute, name in _ATTRIBUTES.items():
            value = getattr(self, name)
            if value is None or (name == "embedding" and not value):
                continue
            if name in _NUMBERS:
                value = Decimal(value)
            item[attribute] = list(value) if name in _LISTS else value
        if self.genre:
            item["Genre"] = self.genre
        return item

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Self:
        """Return the movie that an item holds.

        Raises:
            InputError: An attribute has a value from which its field cannot be read. Anyone who may write to the table
                can put such an item there.
        """
        values: dict[str, Any] = {}
        for attribute, name in _ATTRIBUTES.items():
            if (value := item.get(attribute)) is None:
                continue
            try:
                if name in _NUMBERS:
                    value = int(value)
                elif name in _LISTS:
                    value = tuple(value)
                elif name == "embedding":
                    value = bytes(value)
                    np.frombuffer(value, dtype="<f4")
            except (TypeError, ValueError, ArithmeticError) as error:
                movie = f"Movie {item['MovieID']} ({item['MovieTitle']})"
                kind = "a whole number" if name in _NUMBERS else "a list" if name in _LISTS else "a vector"
                raise InputError(f"{movie}: Its attribute {attribute} is not {kind}: {phrase(value)}.") from error
            values[name] = value
        fixed = {*_ATTRIBUTES, "Genre"}
        return cls(**values, more={key: value for key, value in item.items() if key not in fixed})

    def document(self) -> dict[str, Any]:
        """Return the movie as a document of the search index: the item's attributes as JSON knows them."""
        return document(self.item())

    @property
    def vector(self) -> NDArray[np.float32]:
        """The embedding as numbers; empty if it has none."""
        return np.frombuffer(self.embedding, dtype="<f4")

    def content(self) -> Item:
        """Return the item without what the engines add: embedding and version."""
        item = self.item()
        item.pop("Embedding", None)
        del item["Version"]
        return item

    def embedded(self, vector: NDArray[np.float32]) -> Self:
        """Return the movie with a vector; a vector of zeros counts as no vector."""
        return replace(self, embedding=vector.astype("<f4").tobytes() if np.any(vector) else b"")


@dataclass(frozen=True)
class Removal:
    """That a movie is not in the library any more.

    Attributes:
        movie_id: MovieID.
        version: Of the removal: later than any version that the movie had, and earlier than any that it will have.
    """

    movie_id: str
    version: int


@dataclass(frozen=True)
class Customer:
    """A customer.

    Attributes:
        id: Number; 0 before the database gave one.
        store_id: Their store.
        first_name: Name.
        last_name: Name.
        email: Address for mail; None if unknown.
        address_id: Where they live.
        active: Whether they may rent.
        created: Since when they are a customer.
    """

    id: int
    store_id: int
    first_name: str
    last_name: str
    email: str | None
    address_id: int
    active: bool
    created: date


@dataclass(frozen=True)
class Rental:
    """A rental, as graph and time series see it.

    Attributes:
        id: Number.
        at: When it was rented.
        customer_id: Who rented.
        movie_id: What.
        title: Its title.
        store_id: Where.
        category: Its first category; None if it has none.
        amount: What was paid for it, exactly.
    """

    id: int
    at: datetime
    customer_id: int
    movie_id: str
    title: str
    store_id: int
    category: str | None
    amount: Decimal


@dataclass(frozen=True)
class Recommendation:
    """A movie that a customer may like.

    Attributes:
        movie_id: MovieID.
        title: Its title.
        score: The higher, the more.
        people: How many people who are like the customer rented it.
    """

    movie_id: str
    title: str
    score: float
    people: int


@dataclass(frozen=True)
class Hit:
    """A movie that was found.

    Attributes:
        movie_id: MovieID.
        title: Its title.
        genre: Its first category; None if it has none.
        year: Of release; None if unknown.
        score: How well it fits; comparable within one search only.
        highlights: Pieces of its text, what was searched between `<em>` and `</em>`, by attribute.
    """

    movie_id: str
    title: str
    genre: str | None
    year: int | None
    score: float
    highlights: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchResults:
    """The movies that match a search.

    Attributes:
        hits: Best first.
        total: How many movies match. A search by meaning counts its hits: every movie matches to some degree.
        facets: How many of all that match have which value, commonest first, by attribute.
    """

    hits: Sequence[Hit]
    total: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
