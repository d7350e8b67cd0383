"""What is kept of the database is at most a second old, and asked for once."""

from __future__ import annotations

from typing import cast

import pytest
from sqlalchemy.orm import Session

from workloads.storefront.kept import Kept

SESSION = cast("Session", None)  # the questions here need no database


class Films:
    """A database that counts how often it is asked, and the clock beside it."""

    def __init__(self) -> None:
        self.films = 1000
        self.asked = 0
        self.now = 50.0
        self.away = False

    def count(self, _: Session) -> int:
        self.asked += 1
        if self.away:
            raise ConnectionError
        return self.films

    def clock(self) -> float:
        return self.now


@pytest.fixture
def database() -> Films:
    return Films()


@pytest.fixture
def kept(database: Films) -> Kept[int]:
    return Kept(database.count, database.clock)


def test_the_database_is_asked_once_a_second(database: Films, kept: Kept[int]) -> None:
    for _ in range(10):
        assert [kept(SESSION) for _ in range(100)] == [1000] * 100
        database.now += 1
    assert database.asked == 10


def test_an_answer_is_given_for_less_than_a_second(database: Films, kept: Kept[int]) -> None:
    kept(SESSION)
    database.films = 1001
    database.now += 0.99
    assert kept(SESSION) == 1000
    database.now += 0.01
    assert kept(SESSION) == 1001


def test_while_one_asks_again_the_others_take_the_former_answer(database: Films) -> None:
    others = list[int]()

    def count(session: Session) -> int:
        if database.asked:
            others.append(kept(session))  # a request that comes while this one waits for the database
        return database.count(session)

    kept = Kept(count, database.clock)
    kept(SESSION)
    database.films = 1001
    database.now += 1
    assert kept(SESSION) == 1001
    assert others == [1000]
    assert database.asked == 2


def test_an_outage_does_not_prolong_the_former_answer(database: Films, kept: Kept[int]) -> None:
    kept(SESSION)
    database.now += 1
    database.away = True
    for _ in range(2):
        with pytest.raises(ConnectionError):
            kept(SESSION)
    database.away = False
    database.films = 1001
    assert kept(SESSION) == 1001
