"""Renting and returning: each a transaction. One copy is never out twice, whatever happens at the same time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from workloads.storefront.schema import Copy, Film, Member, Rental, UtcTime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

MOST_OPEN_RENTALS = 5
LATE_FEE = Decimal("1.00")  # a day begun
HISTORY = 50


class Refused(Exception):  # noqa: N818 - an answer, not a mistake
    """The rental cannot be; the message tells the member why."""


class Unknown(Exception):  # noqa: N818 - as above
    """There is no such film, store or rental of this member."""


def rent(session: Session, member_id: int, film_id: int, store_id: int) -> Rental:
    """Rent a copy of a film that is in a store. The caller commits.

    It locks the member first, so that requests of one member come one after the other, then the copies that the store
    has of the film, so that requests for it do. Should another way into the database ever take a copy at the same
    moment, the insert fails on the unique `open_copy_id`, and `database.transact` tries again.

    Raises:
        Unknown: There is no copy of that film in that store, or no such member.
        Refused: All copies are out, the member has the film already, or has too many.
    """
    member = session.get(Member, member_id, with_for_update=True)
    film = session.get(Film, film_id)
    copies_of_film = (
        select(Copy.copy_id).where(Copy.film_id == film_id, Copy.store_id == store_id).order_by(Copy.copy_id)
    )
    copies = session.scalars(copies_of_film.with_for_update()).all()
    if not (member and film and copies):
        raise Unknown
    if not member.active:
        raise Refused("Your membership is not active. Please ask at the counter.")
    rented = session.scalars(
        select(Copy.film_id).join(Rental, Rental.open_copy_id == Copy.copy_id).where(Rental.member_id == member_id)
    ).all()
    if film_id in rented:
        raise Refused(f"You have {titled(film.title)} already.")
    if len(rented) >= MOST_OPEN_RENTALS:
        raise Refused(f"You have {len(rented)} films; please return one first ({MOST_OPEN_RENTALS} at a time).")
    out = session.scalars(select(Rental.open_copy_id).where(Rental.open_copy_id.in_(copies))).all()
    copy_id = next((copy for copy in copies if copy not in out), None)
    if copy_id is None:
        raise Refused(f"Every copy of {titled(film.title)} in that store has just gone out.")
    moment = now(session)
    rental = Rental(
        copy_id=copy_id,
        member_id=member_id,
        rented_at=moment,
        due_at=moment + timedelta(days=film.rental_days),
        price=film.rental_rate,
        late_fee=Decimal(0),
    )
    session.add(rental)
    session.flush()
    return rental


def return_film(session: Session, member_id: int, rental_id: int) -> Rental:
    """Return what a member has rented; a second time changes nothing. The caller commits.

    Raises:
        Unknown: The member has no such rental.
    """
    rental = session.scalar(
        select(Rental).where(Rental.rental_id == rental_id, Rental.member_id == member_id).with_for_update()
    )
    if not rental:
        raise Unknown
    if rental.returned_at is None:
        rental.returned_at = now(session)
        rental.late_fee = late_fee(rental.due_at, rental.returned_at, rental.copy.film.replacement_cost)
    return rental


def open_rentals(session: Session, member_id: int) -> Sequence[Rental]:
    """Return what a member has, the first due first."""
    return _with_films(session, member_id, open_now=True)


def past_rentals(session: Session, member_id: int) -> Sequence[Rental]:
    """Return the `HISTORY` rentals that a member returned last, the latest first."""
    return _with_films(session, member_id, open_now=False)


def count_past_rentals(session: Session, member_id: int) -> int:
    """Return how many rentals a member has returned."""
    returned = select(func.count()).where(Rental.member_id == member_id, Rental.returned_at.is_not(None))
    return session.scalar(returned) or 0


def _with_films(session: Session, member_id: int, *, open_now: bool) -> Sequence[Rental]:
    returned = Rental.returned_at.is_not(None)
    chosen = select(Rental).where(Rental.member_id == member_id, ~returned if open_now else returned)
    order = (Rental.due_at, Rental.rental_id) if open_now else (Rental.returned_at.desc(), Rental.rental_id.desc())
    copy = joinedload(Rental.copy, innerjoin=True)
    films = copy.joinedload(Copy.film, innerjoin=True).selectinload(Film.categories)
    stores = copy.joinedload(Copy.store, innerjoin=True)
    return session.scalars(chosen.order_by(*order).options(films, stores).limit(HISTORY)).all()


def now(session: Session) -> datetime:
    """Return the time to the second by the database's clock, because two machines may rent a film and take it back."""
    moment: datetime = session.scalar(select(func.utc_timestamp(type_=UtcTime)))  # type: ignore[assignment]
    return moment


def late_fee(due: datetime, returned: datetime, replacement_cost: Decimal) -> Decimal:
    """Return a dollar for each day begun after a film was due, at most what the film costs."""
    days = -((due - returned) // timedelta(days=1))
    return min(max(days, 0) * LATE_FEE, replacement_cost)


def titled(name: str) -> str:
    """Return a name as people write it: `ACADEMY DINOSAUR` is Academy Dinosaur."""
    return " ".join(word.capitalize() for word in name.split())
