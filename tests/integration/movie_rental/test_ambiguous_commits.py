"""The connection breaks while a transaction ends: whoever tries again neither doubles nor loses anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ConnectionClosedError

from contract.errors import InputError, UnavailableError
from tests.breaking_proxy import BreakingProxy, Moment
from tests.engines_in_memory import MemoryQueue
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.model import Movie, Removal
from workloads.movie_rental.outbox import relay

from .conftest import Servers
from .test_contract import TOKYO, _stocked, customer

State = list[tuple[Any, ...]]
#: All that renting, returning and erasing write.
STATE = """
    SELECT (SELECT count(*) FROM rentals), (SELECT count(*) FROM rentals WHERE returned_at IS NULL),
           (SELECT count(*) FROM payments), (SELECT count(*) FROM customers), (SELECT count(*) FROM erasures),
           (SELECT string_agg(event->>'type', ' ' ORDER BY place) FROM outbox)
"""


@pytest.fixture
def ledger(servers: Servers) -> PostgresLedger:
    return _stocked(servers)


@pytest.fixture(params=["before", "after"])
def broken(ledger: PostgresLedger, request: pytest.FixtureRequest) -> Callable[[Callable[..., Any]], None]:
    """Does something over a connection that breaks before or after the database has committed it."""
    moment: Moment = request.param

    def do(work: Callable[[PostgresLedger], Any]) -> None:
        address = urlsplit(ledger.url)
        with BreakingProxy(address.port or 0, b"COMMIT", moment) as proxy:
            url = ledger.url.replace(f":{address.port}/", f":{proxy.port}/") + "?sslmode=disable"
            proxy.word = b"nothing that anybody says"
            with closing(PostgresLedger(url)) as breaking:
                proxy.word = b"COMMIT"
                with pytest.raises(UnavailableError):
                    work(breaking)
            assert proxy.broken == 1

    return do


def state(ledger: PostgresLedger) -> State:
    return ledger.connection.execute(STATE).fetchall()


def test_a_rental_that_is_requested_again_is_made_once(ledger: PostgresLedger, broken: Callable[..., None]) -> None:
    who = ledger.add_customer(customer()).id
    broken(lambda breaking: breaking.rent(who, TOKYO, 1, "one"))
    event = ledger.rent(who, TOKYO, 1, "one")
    assert ledger.rent(who, TOKYO, 1, "one").rental_id == event.rental_id
    assert state(ledger) == [(1, 1, 1, 1, 0, "rented")]


def test_a_return_that_is_repeated_is_told_once(ledger: PostgresLedger, broken: Callable[..., None]) -> None:
    rental = ledger.rent(ledger.add_customer(customer()).id, TOKYO, 1).rental_id
    assert rental
    broken(lambda breaking: breaking.give_back(rental))
    ledger.give_back(rental)
    assert state(ledger) == [(1, 0, 1, 1, 0, "rented returned")]


def test_an_erasure_that_is_repeated_is_told_once(ledger: PostgresLedger, broken: Callable[..., None]) -> None:
    who = ledger.add_customer(customer(address_id=2)).id
    ledger.rent(who, TOKYO, 1)
    broken(lambda breaking: breaking.erase_customer(who))
    ledger.erase_customer(who)
    assert state(ledger) == [(1, 1, 1, 0, 1, "rented customer_erased")]


def test_locks_of_a_client_whose_machine_is_gone_are_released_within_two_minutes(ledger: PostgresLedger) -> None:
    """The server behind the test's front has no TCP connections, so only what it is asked for can be seen."""
    asked = ledger.connection.info.get_parameters()
    of_server = dict(re.findall(r"-c tcp_(keepalives_\w+)=(\d+)", asked["options"]))
    of_client = {name: asked[name] for name in of_server}
    assert of_server == of_client
    assert int(of_client["keepalives_idle"]) + 6 * int(of_client["keepalives_interval"]) == 120
    assert of_client["keepalives_count"] == "6"


def test_a_new_customer_whose_creation_is_known_to_nobody_gets_no_number_of_somebody_else(
    ledger: PostgresLedger, broken: Callable[..., None]
) -> None:
    broken(lambda breaking: breaking.add_customer(customer()))
    numbers = [ledger.add_customer(customer()).id for _ in range(2)]
    known = ledger.connection.execute("SELECT customer_id FROM customers").fetchall()
    assert len({number for (number,) in known}) == len(known)
    assert {*numbers} <= {number for (number,) in known}


class Outage:
    """A queue whose answer is lost."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue

    def send(self, events: Any) -> list[str]:
        """Send, and say nothing of it."""
        self._queue.send(events)
        raise UnavailableError("The queue does not answer.")


def test_events_whose_sending_is_in_doubt_are_sent_again_under_the_same_identity(ledger: PostgresLedger) -> None:
    event = ledger.rent(ledger.add_customer(customer()).id, TOKYO, 1)
    queue = MemoryQueue()
    with pytest.raises(UnavailableError):
        relay(ledger, Outage(queue))
    assert relay(ledger, queue) == 1
    assert queue.events == [event]


class LostResponses:
    """A client of DynamoDB that loses the first response to each write, and repeats the request, as botocore does.

    Args:
        client: The client.
        meanwhile: What happens before the request is repeated.
    """

    def __init__(self, client: Any, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._client, self._meanwhile = client, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_item(self, **request: Any) -> Any:
        """Write an item, twice."""
        self._client.put_item(**request)
        self._meanwhile()
        return self._client.put_item(**request)


class TestAFilmWhoseWriteIsRepeatedByTheClient:
    @pytest.fixture
    def library(self, servers: Servers) -> DynamoLibrary:
        return servers.library()

    def test_is_created_changed_and_removed_once(self, library: DynamoLibrary) -> None:
        library._client = LostResponses(library._client)
        first = library.put(Movie("1", "Fog", more={"Notes": {"reel": 3}, "Logo": b"a"}))
        assert (first.version, library.put(Movie("1", "Fog", length=90, version=1)).version) == (1, 2)
        assert library.get("1") == Movie("1", "Fog", length=90, version=2)
        assert library.remove("1") == Removal("1", 3)

    def test_is_not_written_over_what_somebody_else_wrote_in_between(self, library: DynamoLibrary) -> None:
        first = library.put(Movie("1", "Fog"))
        client = library._client

        def somebody_else() -> None:
            library._client = client
            library.put(Movie("1", "Fog", length=91, version=2))

        library._client = LostResponses(client, somebody_else)
        with pytest.raises(InputError, match="changed by somebody else"):
            library.put(Movie("1", "Fog", length=90, version=first.version))
        assert library.get("1") == Movie("1", "Fog", length=91, version=3)

    def test_may_be_put_again_by_people_who_got_no_answer(self, library: DynamoLibrary) -> None:
        client = library._client

        class Broken(LostResponses):
            def put_item(self, **request: Any) -> Any:
                self._client.put_item(**request)
                raise ConnectionClosedError(endpoint_url="http://dynamodb")

        library._client = Broken(client)
        with pytest.raises(UnavailableError):
            library.put(Movie("1", "Fog"))
        library._client = client
        known = library.get("1")
        assert known == Movie("1", "Fog", version=1)
