"""What happens to rentals, as it stands on the queue, in the graph and in the time series.

The function `rental_projector` follows the same rules; what both compute is in `contract/rentals.py`:

- In the graph `Customer.id` and `Movie.id` are texts, `RENTED.rentalId` is a whole number, `RENTED.at` as the event's.
- A point of the time series has the dimensions `category` (as `category_dimension` writes it) and `store`, and the
  measures `value` (BIGINT, 1) and `amount` (BIGINT, whole cents: no floats for money).
- Its time is the event's to the millisecond; the nanoseconds below tell rentals of one millisecond apart, and
  let the same rental always write the same point (`point_time`).
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from workloads.movie_rental.model import Movie

EventType = Literal["rented", "returned", "customer_erased"]

_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Event:
    """One thing that happened; in the outbox and on the queue as JSON.

    Attributes:
        event_id: UUID; the same however often it is sent.
        type: What happened.
        customer_id: Whose rental; events of one customer keep their order.
        at: When, as `text_of` writes it.
        rental_id: Which rental; None for `customer_erased`, as all that follow.
        film_id: MovieID of the film.
        store_id: The store that lent it.
        title: Its title; None for `returned`, as the two that follow.
        category: Its first category; None for a film without one.
        amount: What was paid, exactly: `2.99`.
    """

    event_id: str
    type: EventType
    customer_id: str
    at: str
    rental_id: int | None = None
    film_id: str | None = None
    store_id: str | None = None
    title: str | None = None
    category: str | None = None
    amount: str | None = None

    @staticmethod
    def new_id() -> str:
        """Return an identity that no other event has."""
        return str(uuid.uuid4())

    @classmethod
    def rented(cls, rental_id: int, customer_id: int, movie: Movie, store_id: int, at: datetime) -> Self:
        """Tell that a movie was lent at its rate."""
        return cls(
            event_id=cls.new_id(),
            type="rented",
            customer_id=str(customer_id),
            at=text_of(at),
            rental_id=rental_id,
            film_id=movie.id,
            store_id=str(store_id),
            title=movie.title,
            category=movie.genre,
            amount=str(movie.rental_rate.quantize(_CENT)),
        )

    @classmethod
    def returned(cls, rental_id: int, customer_id: int, film_id: str, store_id: int, at: datetime) -> Self:
        """Tell that a copy came back."""
        return cls(cls.new_id(), "returned", str(customer_id), text_of(at), rental_id, film_id, str(store_id))

    @classmethod
    def erased(cls, customer_id: int, at: datetime) -> Self:
        """Tell that a customer must be forgotten."""
        return cls(cls.new_id(), "customer_erased", str(customer_id), text_of(at))

    def body(self) -> str:
        """Return the event as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def text_of(moment: datetime) -> str:
    """Return a moment as events and the graph hold it: `2022-05-24T21:54:33.000Z`, to the millisecond below."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
