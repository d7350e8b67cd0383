"""Two things at once: an erasure beside a migration or a rebuild, sales in the old system and in the new."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from workloads.movie_rental import customer, database
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.migrate import migrate
from workloads.movie_rental.model import Customer
from workloads.movie_rental.rebuild import rebuild
from workloads.movie_rental.source import Source
from workloads.movie_rental.verify import verify

from .conftest import Servers

ERASED = 5


def run(url: str, engines: Engines, **options: Any) -> dict[str, int]:
    with Source(url) as source:
        return migrate(source, engines, **options)


def different(url: str, engines: Engines) -> list[str]:
    with Source(url) as source:
        return [f"{one.engine}: {one.what}" for one in verify(source, engines) if not one.equal]


def beside(servers: Servers, engines: Engines) -> Engines:
    """The same engines as another process has them: with a connection of its own to the ledger."""
    ledger = PostgresLedger(engines.ledger.url)
    servers.opened.append(ledger)
    return replace(engines, ledger=ledger)


@pytest.fixture(scope="module")
def old(servers: Servers) -> str:
    return servers.source("concurrent")


@pytest.fixture
def company(servers: Servers, old: str) -> Engines:
    made = servers.new()
    run(old, made)
    return made


class Watched:
    """An engine before each of whose calls something else happens."""

    def __init__(self, engine: Any, before: Callable[[str], None]) -> None:
        self._engine, self._before = engine, before

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._before(name)
            return method(*arguments, **named)

        return call


@contextmanager
def erasing_at(call: str, servers: Servers, engines: Engines) -> Iterator[Engines]:
    """Engines with which somebody erases a customer just before the graph is called: until that is done, or waits."""
    others = beside(servers, engines)
    eraser = threading.Thread(target=customer.erase, args=(others, ERASED))
    [(process,)] = others.ledger.connection.execute("SELECT pg_backend_pid()")
    with database.connect(engines.ledger.url) as observer:

        def erase(name: str) -> None:
            if name != call or eraser.ident:
                return
            eraser.start()
            while (
                eraser.is_alive()
                and not observer.execute("SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", [process]).fetchone()
            ):
                time.sleep(0.01)

        yield replace(engines, graph=Watched(engines.graph, erase))
        eraser.join()


class TestAnErasedCustomerDoesNotComeBack:
    @pytest.mark.parametrize("stream", ["customers", "rentals", "people in the graph", "who rented what, and when"])
    def test_when_they_are_erased_between_two_batches_of_a_migration(
        self, servers: Servers, company: Engines, old: str, stream: str
    ) -> None:
        others = beside(servers, company)

        def erase(name: str, done: int, _total: int) -> None:
            if (name, done) == (stream, 0):
                customer.erase(others, ERASED)

        run(old, company, progress=erase)
        assert [trace.left for trace in customer.erase(company, ERASED)] == [0, 0, 0, 0, 0, 0]
        assert different(old, company) == []

    @pytest.mark.parametrize("call", ["save_customers", "save_rentals"])
    @pytest.mark.parametrize("work", ["migrate", "rebuild"])
    def test_when_they_are_erased_while_a_batch_is_written(
        self, servers: Servers, company: Engines, old: str, call: str, work: str
    ) -> None:
        with erasing_at(call, servers, company) as watched:
            run(old, watched) if work == "migrate" else rebuild(watched)
        assert not company.graph.has_customer(ERASED)
        assert different(old, company) == []

    @pytest.mark.parametrize("what", ["customers", "rentals"])
    def test_when_they_are_erased_between_two_batches_of_a_rebuild(
        self, servers: Servers, company: Engines, old: str, what: str
    ) -> None:
        others = beside(servers, company)

        def erase(name: str, _count: int) -> None:
            if name == what and customer.erase(others, ERASED):
                company.graph.run("erase_customer.cypher", customer=str(ERASED))  # type: ignore[attr-defined]

        rebuild(company, erase)
        rebuild(company)
        assert not company.graph.has_customer(ERASED)
        assert different(old, company) == []

    def test_when_their_mark_in_the_graph_is_not_there_yet(self, company: Engines, old: str) -> None:
        company.ledger.erase_customer(ERASED)  # and this process ends before it reaches the graph
        run(old, company)
        rebuild(company)
        customer.erase(company, ERASED)
        assert different(old, company) == []

    def test_though_somebody_else_lives_at_their_address_by_now(self, servers: Servers) -> None:
        url, made = servers.source("neighbours"), servers.new()
        run(url, made)
        with database.connect(url) as connection:
            [(address,)] = connection.execute("SELECT address_id FROM customer WHERE customer_id = %s", [ERASED])
            connection.execute("DELETE FROM customer WHERE customer_id <> %s AND address_id = %s", [ERASED, address])
            customer.erase(made, ERASED)
            connection.execute("UPDATE customer SET address_id = %s WHERE customer_id = 6", [address])
        run(url, made)
        assert different(url, made) == []


def test_numbers_of_erased_customers_are_not_given_again(company: Engines, old: str) -> None:
    person = Customer(0, 1, "Only", "Briefly", None, 1, active=True, created=date(2026, 1, 2))
    briefly = company.ledger.add_customer(person).id
    customer.erase(company, briefly)
    run(old, company)
    again = company.ledger.add_customer(person).id
    assert again > briefly
    assert customer.erase(company, again)[0].before == 1
    company.ledger.connection.execute("ALTER TABLE customers ALTER customer_id RESTART WITH 1")  # as from a copy
    run(old, company)
    assert company.ledger.add_customer(person).id > again
