"""Everything that can happen to the company, in any order, with crashes between any two steps.

PostgreSQL is real, because its transactions and locks are what is tested; the other engines are in memory, where a
crash can be put before and after each of their calls. Messages are projected by the stack's own function, in any order
and more than once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contract.errors import InputError
from contract.rentals import NO_CATEGORY
from tests.engines_in_memory import MemoryGraph, MemoryLibrary, MemorySearchIndex, MemorySeries
from workloads.movie_rental import customer, database, rounds
from workloads.movie_rental.embeddings import LatentSemanticModel
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.events import Event
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.load import create_database, load
from workloads.movie_rental.migrate import migrate
from workloads.movie_rental.model import Customer, Rental
from workloads.movie_rental.outbox import relay
from workloads.movie_rental.partitions import Share
from workloads.movie_rental.rebuild import rebuild
from workloads.movie_rental.source import Source
from workloads.movie_rental.verify import verify
from workloads.rental_company.generated import GeneratedCompany
from workloads.rental_company.tables import TABLES

from .conftest import Servers
from .test_projections import function

#: A longer search, such as 250 examples, is asked for by this variable.
EXAMPLES = int(os.environ.get("INTERLEAVINGS", "12"))
STEPS = 40
PARTITIONS = 2  # of a migration
PERSON = Customer(0, 1, "New", "Customer", "new@example.org", 1, active=True, created=date(2026, 1, 2))
#: A company of a few customers and rentals, so that what happens concerns the same ones again and again.
SMALL = """
    DELETE FROM payment WHERE customer_id > 4 OR rental_id > 60;
    DELETE FROM rental WHERE customer_id > 4 OR rental_id > 60;
    DELETE FROM customer WHERE customer_id > 4;
"""
#: At which call of an engine the process ends, and whether before or after it; None: it does not.
CRASH = st.none() | st.tuples(st.integers(0, 6), st.sampled_from(["before", "after"]))

WHO = st.integers(1, 6)  # customers; 5 and 6 only once they have joined


class CrashError(Exception):
    """The process ends here."""


class Crashing:
    """An engine whose process ends at one of its calls, before or after it."""

    def __init__(self, engine: Any, tick: Callable[[str], None]) -> None:
        self._engine, self._tick = engine, tick

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._tick("before")
            answer = method(*arguments, **named)
            self._tick("after")
            return answer

        return call


class AtLeastOnceQueue:
    """A queue that keeps messages until they are taken, and drops no duplicates."""

    def __init__(self) -> None:
        self.messages: list[Event] = []

    def send(self, events: list[Event]) -> list[str]:
        """Keep events."""
        self.messages += events
        return []


class InTurn:
    """Runs the lanes of a migration one after the other, so that the same choices lead to the same steps."""

    def __init__(self, **_: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> Future[Any]:
        """Do it now."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except CrashError as crash:
            done.set_exception(crash)
        return done


class World:
    """The databases, which all examples share, and what puts them back to the beginning."""

    def __init__(self, servers: Servers, projector: ModuleType) -> None:
        self.source = create_database(servers.postgresql_url, "interleaved_old")
        load(GeneratedCompany(0.01), self.source, replace=True)
        self.old = database.connect(self.source)
        self.old.execute(SMALL)
        self.old.execute("CREATE SCHEMA beginning")
        for name in TABLES:
            self.old.execute(f"CREATE TABLE beginning.{name} AS TABLE public.{name}")  # type: ignore[arg-type]
        url = create_database(servers.postgresql_url, "interleaved_new")
        self.ledger, self.other = PostgresLedger(url), PostgresLedger(url)
        self.projector = projector

    def reset(self) -> None:
        """Empty the new database, and bring the old one back to its beginning."""
        tables = ", ".join(TABLES)
        self.old.execute(f"TRUNCATE {tables}")  # type: ignore[arg-type]
        for name in TABLES:
            self.old.execute(f"INSERT INTO {name} TABLE beginning.{name}")  # type: ignore[arg-type]
        names = self.ledger.connection.execute(
            "SELECT string_agg(tablename, ', ') FROM pg_tables WHERE schemaname = 'public' AND tablename <> %s",
            ["schema_versions"],
        ).fetchall()[0][0]
        self.ledger.connection.execute(f"TRUNCATE {names} RESTART IDENTITY")

    def close(self) -> None:
        """End the connections."""
        self.old.close()
        self.ledger.close()
        self.other.close()


class Company(RuleBasedStateMachine):
    """What the old shops, the new shops, and the operators do."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.reset()
        self.queue = AtLeastOnceQueue()
        engines: Any = (MemoryLibrary(), MemorySearchIndex(), MemoryGraph(), MemorySeries(), self.queue)
        self.engines = Engines(self.world.ledger, *engines)
        self.erased: set[int] = set()  # whose erasure has returned
        self.given: set[int] = set()  # the numbers that customers of the new system have or had
        self.migrated = False  # everything that the old database had at the last migration
        self.caught_up = False
        self.in_use = False
        self.before_projecting: Callable[[], None] = lambda: None  # happens before each write of the projector
        self._project_into_memory()

    def _project_into_memory(self) -> None:
        graph, series, projector = self.engines.graph, self.engines.series, self.world.projector

        def query(text: str, **values: Any) -> None:
            self.before_projecting()
            if text == projector.ERASE:
                graph.erase_customer(int(values["customer"]))
            else:
                at = datetime.fromisoformat(values["at"])
                lent = (values["movie"], values["title"], 0, None, Decimal(0))
                graph.save_rentals([Rental(values["rental"], at, int(values["customer"]), *lent)])

        def write_line(event: dict[str, Any]) -> None:
            self.before_projecting()
            category = None if event["category"] == NO_CATEGORY else event["category"]
            counted = (event["store"], category, Decimal(event["cents"]) / 100)
            series.save([Rental(event["rental"], event["moment"], 0, event["movie"], event["title"], *counted)])

        projector.query, projector.write_line = query, write_line  # type: ignore[attr-defined]

    def crashing(self, crash: tuple[int, str] | None) -> Engines:
        """The engines; at the given call of one but PostgreSQL, before or after it, the process ends."""
        if crash is None:
            return self.engines
        left, ends = crash

        def tick(moment: str) -> None:
            nonlocal left
            if moment == ends:
                left -= 1
                if left < 0:
                    raise CrashError

        parts = ("library", "index", "graph", "series", "queue")
        return replace(self.engines, **{name: Crashing(getattr(self.engines, name), tick) for name in parts})

    def attempt(self, work: Callable[[Engines], Any], crash: tuple[int, str] | None) -> bool:
        """Whether it came to its end."""
        try:
            work(self.crashing(crash))
        except CrashError:
            return False
        return True

    @initialize(opened=st.booleans())
    def it_begins(self, opened: bool) -> None:
        """Half of the runs begin with the old shops only, half just after the cut-over."""
        if opened:
            self.somebody_migrates(None)

    # The old shops, until the new ones open

    @precondition(lambda self: not self.in_use)
    @rule(who=WHO)
    def the_old_shop_lends(self, who: int) -> None:
        self.world.old.execute(
            """
            WITH lent AS (
                INSERT INTO rental (rental_id, rental_date, inventory_id, customer_id, staff_id, last_update)
                SELECT (SELECT max(rental_id) + 1 FROM rental), now(), inventory_id, %s, 1, now() FROM inventory i
                WHERE NOT EXISTS (SELECT FROM rental r WHERE r.inventory_id = i.inventory_id AND r.return_date IS NULL)
                  AND EXISTS (SELECT FROM customer WHERE customer_id = %s) LIMIT 1 RETURNING rental_id
            )
            INSERT INTO payment
            SELECT (SELECT max(payment_id) + 1 FROM payment), %s, 1, rental_id, 2.99, now() FROM lent
            """,
            [who, who, who],
        )
        self.caught_up = False

    @precondition(lambda self: not self.in_use)
    @rule()
    def the_old_shop_takes_back(self) -> None:
        self.world.old.execute("""
            UPDATE rental SET return_date = now()
            WHERE rental_id = (SELECT max(rental_id) FROM rental WHERE return_date IS NULL)
        """)
        self.caught_up = False

    @precondition(lambda self: not self.in_use)
    @rule()
    def the_old_shop_gets_a_customer(self) -> None:
        self.world.old.execute("""
            INSERT INTO customer
            SELECT greatest(max(customer_id), 4) + 1, 1, 'New', 'Customer', NULL, 5, true, now(), now(), 1 FROM customer
        """)
        self.caught_up = False

    # The operators

    @rule(crash=CRASH)
    def somebody_migrates(self, crash: tuple[int, str] | None) -> None:
        def work(engines: Engines) -> None:
            with Source(self.world.source) as source:
                migrate(source, engines, share=Share(PARTITIONS))

        if self.world.ledger.ask("changes.sql"):
            with pytest.raises(InputError, match="The new system is in use"):
                work(self.engines)
            return
        self.migrated = self.caught_up = self.attempt(work, crash)

    @precondition(lambda self: self.migrated)
    @rule(crash=CRASH)
    def somebody_rebuilds(self, crash: tuple[int, str] | None) -> None:
        self.attempt(rebuild, crash)

    @rule(who=WHO, at=st.integers(0, 12), work=st.sampled_from(["migrate", "rebuild"]))
    def somebody_is_erased_while_others_work(self, who: int, at: int, work: str) -> None:
        erase = self.erasing(who, at)
        if work == "migrate" and not self.world.ledger.ask("changes.sql"):
            with Source(self.world.source) as source:
                migrate(source, self.engines, progress=erase, share=Share(PARTITIONS))
            self.migrated = self.caught_up = True
        elif self.migrated:
            rebuild(self.engines, erase)

    @precondition(lambda self: self.migrated)
    @rule(at=st.integers(1, 3), place=st.integers(0, 30))
    def somebody_is_erased_while_their_rental_is_sent(self, at: int, place: int) -> None:
        waiting = self.world.ledger.waiting(100)
        if waiting:
            _, event = waiting[place % len(waiting)]
            erase = self.erasing(int(event.customer_id), at)
            queue: Any = Crashing(self.queue, erase)
            relay(self.world.ledger, queue)

    @precondition(lambda self: self.queue.messages)
    @rule(at=st.integers(1, 2), place=st.integers(0, 30), again=st.booleans())
    def somebody_is_erased_while_their_rental_is_projected(self, at: int, place: int, again: bool) -> None:
        event = self.queue.messages[place % len(self.queue.messages)]
        self.before_projecting = self.erasing(int(event.customer_id), at)
        self.a_message_is_projected(place, again)
        self.before_projecting = lambda: None

    def erasing(self, who: int, at: int) -> Callable[..., None]:
        """What erases a customer, over a connection of its own, when it is called for the given time."""
        others, count = replace(self.engines, ledger=self.world.other), 0

        def erase(*_: Any) -> None:
            nonlocal count
            count += 1
            if count == at:
                self.erase(others, who)

        return erase

    @rule(who=WHO, crash=CRASH)
    def somebody_is_erased(self, who: int, crash: tuple[int, str] | None) -> None:
        self.attempt(lambda engines: self.erase(engines, who), crash)

    def erase(self, engines: Engines, who: int) -> None:
        try:
            customer.erase(engines, who)
        except InputError:  # nobody has had this number here
            return
        self.erased.add(who)

    # The new shops

    @precondition(lambda self: self.migrated)
    @rule(who=WHO)
    def the_new_shop_lends(self, who: int) -> None:
        copies = self.world.ledger.connection.execute("""
            SELECT film_id, store_id FROM inventory i
            WHERE NOT EXISTS (SELECT FROM rentals r WHERE r.inventory_id = i.inventory_id AND returned_at IS NULL)
            LIMIT 1
        """).fetchall()
        for film, store in copies:
            movie = self.engines.library.get(str(film))
            assert movie
            if self.world.ledger.customer(who):
                self.in_use |= bool(self.world.ledger.rent(who, movie, store))

    @precondition(lambda self: self.migrated)
    @rule(latest=st.booleans())
    def the_new_shop_takes_back(self, latest: bool) -> None:
        rentals = self.world.ledger.connection.execute(
            "SELECT rental_id FROM rentals WHERE returned_at IS NULL ORDER BY rental_id"
        ).fetchall()
        if rentals:
            [rental] = rentals[-1 if latest else 0]
            self.in_use |= bool(self.world.ledger.give_back(rental))

    @precondition(lambda self: self.migrated)
    @rule()
    def the_new_shop_gets_a_customer(self) -> None:
        number = self.world.ledger.add_customer(PERSON).id
        assert number not in self.given
        self.in_use = True

    # The events

    @rule(crash=CRASH)
    def the_relay_runs(self, crash: tuple[int, str] | None) -> None:
        self.attempt(lambda engines: relay(engines.ledger, engines.queue), crash)

    @precondition(lambda self: self.queue.messages)
    @rule(place=st.integers(0, 30), again=st.booleans())
    def a_message_is_projected(self, place: int, again: bool) -> None:
        messages = self.queue.messages
        event = messages[place % len(messages)]
        self.world.projector.project(self.world.projector.read(event.body()))
        if not again:
            messages.remove(event)

    # The promises

    @invariant()
    def nobody_who_was_erased_comes_back(self) -> None:
        assert [who for who in self.erased if self.engines.graph.has_customer(who)] == []
        assert [who for who in self.erased if self.world.ledger.customer(who)] == []

    @invariant()
    def numbers_are_remembered(self) -> None:
        self.given |= {one for (one,) in self.world.ledger.connection.execute("SELECT customer_id FROM customers")}

    @invariant()
    def the_graph_has_no_rental_that_the_ledger_lacks(self) -> None:
        ledger = {number for (number,) in self.world.ledger.connection.execute("SELECT rental_id FROM rentals")}
        assert {number for _, _, number, _ in self.engines.graph.facts("rentals")} <= ledger

    def teardown(self) -> None:
        """When everything has come to rest, the projections are what the ledger says."""
        if not self.migrated and not self.in_use:
            with Source(self.world.source) as source:
                migrate(source, self.engines, share=Share(PARTITIONS))
            self.caught_up = True
        while self.world.ledger.waiting():
            relay(self.world.ledger, self.queue)  # type: ignore[arg-type]
        for event in self.queue.messages[::-1]:
            self.world.projector.project(self.world.projector.read(event.body()))
        ledger = self.world.ledger.connection
        lent = "SELECT customer_id::text, rental_id FROM rentals WHERE customer_id IS NOT NULL"
        graph = {(who, number) for who, _, number, _ in self.engines.graph.facts("rentals")}
        assert graph == {*ledger.execute(lent).fetchall()}
        people = {number for (number,) in ledger.execute("SELECT customer_id::text FROM customers")}
        assert {who for (who,) in self.engines.graph.facts("customers")} <= people
        days = self.engines.series.daily(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1))
        [sums] = ledger.execute(
            "SELECT (SELECT count(*) FROM rentals), (SELECT 100 * sum(amount)::numeric FROM payments)"
        )
        assert (days["rentals"].sum(), days["cents"].sum()) == sums
        self.nobody_who_was_erased_comes_back()
        if self.caught_up and not self.in_use:
            with Source(self.world.source) as source:
                assert [one.kind for one in verify(source, self.engines) if not one.equal] == []


@pytest.fixture(scope="module")
def world(servers: Servers) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        variables = {"ATTEMPTS": "3", "ENGINE": "influxdb", "DATABASE": "d", "TABLE": "t", "DEAD_LETTERS": "none"}
        projector = function("rental_projector", patch, **variables, GRAPH_ENDPOINT="http://localhost:9")
        model = LatentSemanticModel.fit(["a robot in space", "a dog at sea"])
        patch.setattr(LatentSemanticModel, "fit", lambda *_: model)  # which is slow, and not what is tested
        patch.setattr(rounds, "ThreadPoolExecutor", InTurn)
        made = World(servers, projector)
        yield made
        made.close()


def test_promises_hold_in_any_order_and_with_crashes(world: World) -> None:
    Company.world = world
    run_state_machine_as_test(
        Company,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=[*HealthCheck]
        ),
    )
