"""Machines whose clocks differ by minutes write to the same engines, and nothing is lost or turned round."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.functions import with_time
from workloads.movie_rental.events import Event
from workloads.movie_rental.model import Rental
from workloads.movie_rental.timeseries import TimestreamSeries
from workloads.timeseries.liveanalytics import LiveAnalytics

from .conftest import Servers
from .test_contract import TOKYO, _stocked, customer
from .test_projections import function

MINUTES = 10 * 60
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
RENTAL = Rental(11, AT, 5, TOKYO.id, TOKYO.title, 1, TOKYO.genre, Decimal("2.99"))


class LateClock(datetime):
    """A clock that is ten minutes late."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) - timedelta(seconds=MINUTES)


@pytest.fixture
def series(servers: Servers) -> TimestreamSeries:
    """Trends in which a machine whose clock is ten minutes ahead has written a rental."""
    made = servers.liveanalytics()
    with pytest.MonkeyPatch.context() as patch:
        ahead = time.time_ns() + MINUTES * 10**9
        patch.setattr(time, "time_ns", lambda: ahead)
        made.save([replace(RENTAL, amount=Decimal("1.00"))])
    return made


def sums(series: TimestreamSeries) -> list[tuple[int, int]]:
    days = series.daily(AT - timedelta(days=1), AT + timedelta(days=1))
    return [*zip(days["rentals"], days["cents"], strict=True)]


def test_what_a_machine_with_the_right_clock_writes_later_counts(series: TimestreamSeries) -> None:
    series.save([RENTAL, replace(RENTAL, id=12)])
    assert sums(series) == [(2, 598)]


def test_an_event_that_comes_late_is_done_and_changes_nothing(
    series: TimestreamSeries, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(series.store, LiveAnalytics)
    variables = {
        "ATTEMPTS": "3",
        "ENGINE": "liveanalytics",
        "DEAD_LETTERS": "none",
        "GRAPH_ENDPOINT": servers.graph_url,
    }
    projector = function(
        "rental_projector", monkeypatch, DATABASE=series.store.database, TABLE=series.store.table, **variables
    )
    event = Event.rented(11, 5, replace(TOKYO, rental_rate=RENTAL.amount), 1, AT)
    attributes = {"MessageGroupId": "5", "ApproximateReceiveCount": "1"}
    records = [{"messageId": "1", "body": event.body(), "attributes": attributes}]
    assert projector.handler({"Records": records}, with_time(60)) == {"batchItemFailures": []}
    assert sums(series) == [(1, 100)]


def test_a_film_is_rented_and_returned_by_the_clock_of_the_database(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = _stocked(servers)
    rental = ledger.rent(ledger.add_customer(customer()).id, TOKYO, 1).rental_id
    assert rental
    monkeypatch.setattr("workloads.movie_rental.ledger.datetime", LateClock, raising=False)
    ledger.give_back(rental)
    [(in_order,)] = ledger.connection.execute("SELECT returned_at > rented_at FROM rentals").fetchall()
    assert in_order
