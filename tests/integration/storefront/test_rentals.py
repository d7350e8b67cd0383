"""One copy is never out twice, however many want it at the same moment; what was rented stays rented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from workloads.storefront.database import transact
from workloads.storefront.load import load_database
from workloads.storefront.rentals import (
    MOST_OPEN_RENTALS,
    Refused,
    Unknown,
    open_rentals,
    past_rentals,
    rent,
    return_film,
)
from workloads.storefront.schema import Copy, Film, Member, Rental

from .conftest import COMPANY, Shop

Result = TypeVar("Result")
THREADS = 24


@pytest.fixture(autouse=True)
def _nothing_out(shop: Shop) -> None:
    shop.return_all()


def at_once(shop: Shop, works: list[Callable[[Session], Result]]) -> list[Result | Exception]:
    """What each does in a transaction of its own, all beginning at the same moment."""
    start = Barrier(len(works))

    def one(work: Callable[[Session], Result]) -> Result | Exception:
        start.wait()
        try:
            return transact(shop.sessions, work)
        except (Refused, Unknown) as error:
            return error

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(one, works))


def members(shop: Shop, count: int) -> list[int]:
    with shop.sessions() as session:
        return list(session.scalars(select(Member.member_id).where(Member.active).limit(count)))


def a_place_with_copies(shop: Shop, least: int = 2) -> tuple[int, int, int]:
    """A film, a store, and how many copies it has there."""
    with shop.sessions() as session:
        counted = select(Copy.film_id, Copy.store_id, func.count()).group_by(Copy.film_id, Copy.store_id)
        film, store, count = session.execute(counted.having(func.count() >= least).limit(1)).one()
        return film, store, count


def test_many_who_want_the_last_copies_get_each_copy_once(shop: Shop) -> None:
    film, store, copies = a_place_with_copies(shop)
    who = members(shop, THREADS)
    for _ in range(4):
        results = at_once(
            shop, [lambda session, member=member: rent(session, member, film, store).copy_id for member in who]
        )
        got = [result for result in results if isinstance(result, int)]
        refused = [result for result in results if isinstance(result, Refused)]
        assert len(got) == len(set(got)) == copies
        assert len(refused) == len(who) - copies
        assert all("has just gone out" in str(one) for one in refused)
        shop.return_all()


def test_renting_and_returning_at_once_loses_and_doubles_nothing(shop: Shop) -> None:
    film, store, copies = a_place_with_copies(shop)

    def rent_and_return(member: int) -> Counter[str]:
        done = Counter[str]()
        for _ in range(6):
            try:
                rented = transact(shop.sessions, lambda session: rent(session, member, film, store)).rental_id
            except Refused:
                done["refused"] += 1
                continue
            transact(shop.sessions, partial(return_film, member_id=member, rental_id=rented))
            done["rented"] += 1
        return done

    before = count_rentals(shop)
    with ThreadPoolExecutor(THREADS) as threads:
        done = sum(threads.map(rent_and_return, members(shop, THREADS)), Counter[str]())
    assert done.total() == 6 * THREADS
    assert done["rented"] >= copies
    assert count_rentals(shop) - before == done["rented"]
    with shop.sessions() as session:
        assert session.scalar(select(func.count()).where(Rental.returned_at.is_(None))) == 0


def count_rentals(shop: Shop) -> int:
    with shop.sessions() as session:
        return session.scalar(select(func.count()).select_from(Rental)) or 0


def test_a_film_is_rented_and_returned_by_the_clock_of_the_database(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FastClock(datetime):
        """A machine whose clock is two days ahead."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=2)

    shop.return_all()
    copy, member = shop.free_copy(), shop.member()
    with shop.sessions.begin() as session:
        rental = rent(session, member.member_id, copy.film_id, copy.store_id).rental_id
    monkeypatch.setattr("workloads.storefront.rentals.datetime", FastClock, raising=False)
    with shop.sessions.begin() as session:
        returned = return_film(session, member.member_id, rental)
    assert returned.returned_at
    assert returned.rented_at <= returned.returned_at < returned.rented_at + timedelta(days=1)


def test_a_member_who_sends_the_form_many_times_gets_one_copy(shop: Shop) -> None:
    film, store, _ = a_place_with_copies(shop)
    [member] = members(shop, 1)
    results = at_once(shop, [lambda session: rent(session, member, film, store).rental_id] * 8)
    assert sum(isinstance(result, int) for result in results) == 1
    assert all("already" in str(result) for result in results if not isinstance(result, int))


def test_a_member_who_rents_many_films_at_once_gets_no_more_than_allowed(shop: Shop) -> None:
    [member] = members(shop, 1)
    with shop.sessions() as session:
        places = session.execute(select(Copy.film_id, func.min(Copy.store_id)).group_by(Copy.film_id).limit(9)).all()
    results = at_once(shop, [lambda session, place=place: rent(session, member, *place).rental_id for place in places])
    assert sum(isinstance(result, int) for result in results) == MOST_OPEN_RENTALS
    assert len([result for result in results if isinstance(result, Refused)]) == len(places) - MOST_OPEN_RENTALS


def test_the_database_itself_refuses_a_second_open_rental_of_a_copy(shop: Shop) -> None:
    copy = shop.free_copy()
    one, other = members(shop, 2)
    statement = text(
        "INSERT INTO rental (copy_id, member_id, rented_at, due_at, price, late_fee)"
        " VALUES (:copy, :member, UTC_TIMESTAMP(), UTC_TIMESTAMP(), 1, 0)"
    )
    with shop.engine.begin() as connection:
        connection.execute(statement, {"copy": copy.copy_id, "member": one})
    with pytest.raises(IntegrityError, match="open_copy_id"), shop.engine.begin() as connection:
        connection.execute(statement, {"copy": copy.copy_id, "member": other})


def test_a_rental_has_the_films_price_and_due_date_and_is_gone_from_the_shelf(shop: Shop) -> None:
    copy, [member] = shop.free_copy(), members(shop, 1)
    rented = transact(shop.sessions, lambda session: rent(session, member, copy.film_id, copy.store_id))
    with shop.sessions() as session:
        [held] = open_rentals(session, member)
        film = session.get_one(Film, copy.film_id)
        assert held.rental_id == rented.rental_id
        assert held.price == film.rental_rate
        assert held.due_at - held.rented_at == timedelta(days=film.rental_days)
        assert abs(datetime.now(UTC) - held.rented_at) < timedelta(minutes=5)


def test_returning_twice_counts_once_and_late_days_cost(shop: Shop) -> None:
    copy, [member] = shop.free_copy(), members(shop, 1)
    rental_id = transact(shop.sessions, lambda session: rent(session, member, copy.film_id, copy.store_id)).rental_id
    with shop.engine.begin() as connection:
        connection.execute(
            text("UPDATE rental SET due_at = UTC_TIMESTAMP() - INTERVAL 49 HOUR WHERE rental_id = :id"),
            {"id": rental_id},
        )
    results = at_once(shop, [lambda session: return_film(session, member, rental_id).returned_at] * 6)
    assert len(set(results)) == 1
    with shop.sessions() as session:
        assert past_rentals(session, member)[0].late_fee == Decimal("3.00")
        assert open_rentals(session, member) == []


def test_nobody_returns_what_another_rented(shop: Shop) -> None:
    copy, (one, other) = shop.free_copy(), members(shop, 2)
    rental_id = transact(shop.sessions, lambda session: rent(session, one, copy.film_id, copy.store_id)).rental_id
    with pytest.raises(Unknown):
        transact(shop.sessions, lambda session: return_film(session, other, rental_id))


@pytest.mark.parametrize(("film", "store"), [(10**6, 1), (1, 10**6), (-1, 1), (0, 0)])
def test_films_and_stores_that_are_not_there_are_unknown(shop: Shop, film: int, store: int) -> None:
    [member] = members(shop, 1)
    with pytest.raises(Unknown):
        transact(shop.sessions, lambda session: rent(session, member, film, store))


def test_loading_again_leaves_what_happened_here(shop: Shop) -> None:
    copy, [member] = shop.free_copy(), members(shop, 1)
    rented = transact(shop.sessions, lambda session: rent(session, member, copy.film_id, copy.store_id))
    card = shop.member().card_number
    load_database(shop.engine, COMPANY, lambda *_: None)
    with shop.sessions() as session:
        assert [one.rental_id for one in open_rentals(session, member)] == [rented.rental_id]
        assert session.get_one(Member, shop.member().member_id).card_number == card
