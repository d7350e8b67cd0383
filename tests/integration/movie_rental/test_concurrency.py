"""Two things at once: an erasure beside a migration or a rebuild, sales in the old system and in the new."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from contract.errors import InputError
from workloads.movie_rental import catalogue, customer, database
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.migrate import migrate
from workloads.movie_rental.model import Customer, Movie
from workloads.movie_rental.rebuild import rebuild
from workloads.movie_rental.source import Source
from workloads.movie_rental.verify import verify

from .conftest import Servers

ERASED = 5
WAITING: LiteralString = "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted"


def run(url: str, engines: Engines, **options: Any) -> dict[str, int]:
    with Source(url) as source:
        return migrate(source, engines, **options)


def different(url: str, engines: Engines) -> list[str]:
    with Source(url) as source:
        return [f"{one.engine}: {one.kind}" for one in verify(source, engines) if not one.equal]


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
            while eraser.is_alive() and not observer.execute(WAITING, [process]).fetchone():
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


def test_a_rebuild_takes_out_a_film_whose_removal_never_reached_the_index(servers: Servers) -> None:
    url, made = servers.source("removed"), servers.new()
    run(url, made)
    movie = next(iter(made.library.all())).id
    assert made.index.get(movie)
    made.library.remove(movie)  # and the function that follows the library has given this change up
    rebuild(made)
    assert made.index.get(movie) is None


def test_an_address_that_an_erasure_removes_during_a_migration_comes_for_its_next_customer(servers: Servers) -> None:
    url, made = servers.source("moved_in"), servers.new()
    run(url, made)
    with database.connect(url) as connection:
        [(address,)] = connection.execute("SELECT address_id FROM customer WHERE customer_id = %s", [ERASED])
        connection.execute("DELETE FROM customer WHERE customer_id <> %s AND address_id = %s", [ERASED, address])
        connection.execute("UPDATE customer SET address_id = %s WHERE customer_id = 6", [address])
    others = beside(servers, made)

    def erase(stream: str, done: int, _total: int) -> None:
        if (stream, done) == ("stores", 0):
            customer.erase(others, ERASED)

    run(url, made, progress=erase)
    known = made.ledger.customer(6)
    assert known
    assert known.address_id == address


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


def free_copy(engines: Engines) -> tuple[Movie, int]:
    """A movie and a store that has a copy of it."""
    [(film, store)] = engines.ledger.connection.execute("""
        SELECT film_id, store_id FROM inventory i
        WHERE NOT EXISTS (SELECT FROM rentals r WHERE r.inventory_id = i.inventory_id AND returned_at IS NULL) LIMIT 1
    """).fetchall()
    movie = engines.library.get(str(film))
    assert movie
    return movie, store


def rent(engines: Engines, who: int) -> int:
    """Rent in the new system; the rental's number."""
    rental = engines.ledger.rent(who, *free_copy(engines)).rental_id
    assert rental
    return rental


class Shop:
    """The old system at work on its database."""

    def __init__(self, url: str) -> None:
        self._connection = database.connect(url)

    def rent(self, who: int) -> int:
        [(rental,)] = self._connection.execute(
            """
            INSERT INTO rental (rental_id, rental_date, inventory_id, customer_id, staff_id, last_update)
            SELECT (SELECT max(rental_id) + 1 FROM rental), now(), inventory_id, %s, 1, now() FROM inventory i
            WHERE NOT EXISTS (SELECT FROM rental r WHERE r.inventory_id = i.inventory_id AND r.return_date IS NULL)
            ORDER BY inventory_id DESC LIMIT 1 RETURNING rental_id
            """,
            [who],
        ).fetchall()
        self._connection.execute(
            "INSERT INTO payment SELECT max(payment_id) + 1, %s, 1, %s, 2.99, now() FROM payment", [who, rental]
        )
        return int(rental)

    def take_back(self, rental: int) -> None:
        self._connection.execute("UPDATE rental SET return_date = now() WHERE rental_id = %s", [rental])

    def join(self) -> int:
        [(number,)] = self._connection.execute("""
            INSERT INTO customer
            SELECT max(customer_id) + 1, 1, 'New', 'Customer', NULL, 5, true, now(), now(), 1 FROM customer
            RETURNING customer_id
        """).fetchall()
        return int(number)

    def open_copy(self) -> tuple[int, int]:
        """A rental that is not back, with its copy."""
        [found] = self._connection.execute(
            "SELECT rental_id, inventory_id FROM rental WHERE return_date IS NULL ORDER BY rental_id LIMIT 1"
        ).fetchall()
        return found  # type: ignore[return-value]

    def execute(self, statement: LiteralString, *values: object) -> None:
        self._connection.execute(statement, values)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def shop(servers: Servers, request: pytest.FixtureRequest) -> Iterator[tuple[str, Shop]]:
    """An old database of this test's own, and the shop that works on it."""
    url = servers.source(f"shop_{abs(hash(request.node.name))}")
    made = Shop(url)
    yield url, made
    made.close()


class TestANewSystemInUse:
    def change_customer(self, engines: Engines) -> None:
        known = engines.ledger.customer(3)
        assert known
        engines.ledger.change_customer(replace(known, email="new@example.org"))

    def give_back(self, engines: Engines) -> None:
        [(rental,)] = engines.ledger.connection.execute(
            "SELECT rental_id FROM rentals WHERE returned_at IS NULL ORDER BY 1 LIMIT 1"
        ).fetchall()
        engines.ledger.give_back(rental)

    def put_movie(self, engines: Engines) -> None:
        engines.ledger.ask("change_movie.sql", movie="7")

    @pytest.mark.parametrize(
        ("change", "counts"),
        [
            (change_customer, r"\(customers: 1\).*too \(customers: 1\)"),
            (give_back, r"\(rentals: 1\).*too \(rentals: 1\)"),
            (lambda _, engines: rent(engines, 3), r"\(payments: 1, rentals: 1\).*too \(none of them yet\)"),
            (put_movie, r"\(movies: 1\).*too \(movies: 1\)"),
        ],
        ids=["customer", "return", "rental", "movie"],
    )
    def test_is_not_written_over_without_being_asked(
        self, company: Engines, old: str, change: Callable[..., Any], counts: str
    ) -> None:
        change(self, company)
        before = company.ledger.connection.execute("SELECT * FROM customers, rentals ORDER BY 1, 10").fetchall()
        with pytest.raises(InputError, match=f"The new system is in use.*{counts}") as refused:
            run(old, company)
        assert (refused.value.exit_code, "--overwrite" in refused.value.advice) == (2, True)
        assert company.ledger.connection.execute("SELECT * FROM customers, rentals ORDER BY 1, 10").fetchall() == before
        run(old, company, overwrite=True)
        if change.__name__ != "<lambda>":
            assert different(old, company) == []
            run(old, company)  # what was written over does not count as a change

    def test_that_comes_into_use_during_a_migration_ends_it(self, servers: Servers, company: Engines, old: str) -> None:
        shops = beside(servers, company)

        def open_shops(stream: str, done: int, _total: int) -> None:
            if (stream, done) == ("inventory", 0):
                self.change_customer(shops)
                self.give_back(shops)

        with pytest.raises(InputError, match=r"customers: 1, rentals: 1.*customers: 1, rentals: 1"):
            run(old, company, progress=open_shops)
        known = company.ledger.customer(3)
        assert known
        assert known.email == "new@example.org"

    def test_a_film_that_is_changed_during_a_batch_of_films_is_not_written_over(
        self, servers: Servers, company: Engines, old: str, tmp_path: Path
    ) -> None:
        others, file = beside(servers, company), tmp_path / "attributes.json"
        file.write_text('{"Length": 4711}')
        shop = threading.Thread(target=catalogue.put, args=(others, "7", file))
        [(process,)] = others.ledger.connection.execute("SELECT pg_backend_pid()")
        with database.connect(company.ledger.url) as observer:

            def change(name: str) -> None:
                if name != "save" or shop.ident:
                    return
                shop.start()
                while shop.is_alive() and not observer.execute(WAITING, [process]).fetchone():
                    time.sleep(0.01)

            watched = replace(company, library=Watched(company.library, change))
            with suppress(InputError):  # which says, where there are more batches, that the new system is in use
                run(old, watched)
            shop.join()
        movie = company.library.get("7")
        assert movie
        assert movie.length == 4711
        with pytest.raises(InputError, match=r"The new system is in use.*movies: 1"):
            run(old, company)

    def test_with_a_copy_that_is_out_in_both_systems_is_refused_by_name(
        self, servers: Servers, shop: tuple[str, Shop]
    ) -> None:
        url, old_shop = shop
        made = servers.new()
        rental, copy = old_shop.open_copy()
        old_shop.take_back(rental)
        run(url, made)
        made.ledger.connection.execute(
            "INSERT INTO rentals (rented_at, inventory_id, customer_id, staff_id) VALUES (now(), %s, 3, 1)", [copy]
        )
        old_shop.execute("UPDATE rental SET return_date = NULL WHERE rental_id = %s", rental)
        with pytest.raises(InputError, match=rf"copy {copy} by rental \d+ here and by rental {rental} in the old"):
            run(url, made, overwrite=True)

    def test_an_erasure_is_no_use(self, company: Engines, old: str) -> None:
        customer.erase(company, ERASED)
        run(old, company)
        assert different(old, company) == []


def freeze(servers: Servers, url: str, *, frozen: bool) -> None:
    """Let connections to an old database from now on only read, or write again."""
    state = "on" if frozen else "off"
    with database.connect(servers.postgresql_url) as connection:
        connection.execute(
            f'ALTER DATABASE "{url.rpartition("/")[2]}" SET default_transaction_read_only = {state}'  # type: ignore[arg-type]
        )


def test_a_cut_over_loses_nothing_with_traffic_on_both_sides(servers: Servers, shop: tuple[str, Shop]) -> None:
    url, old_shop = shop
    made = servers.new()
    sold: list[int] = []

    def sell(_stream: str, done: int, _total: int) -> None:
        if done == 0:
            sold.append(old_shop.rent(3))

    run(url, made, progress=sell)  # 1. the first migration, while the old shops sell
    old_shop.take_back(sold[0])
    newcomer = old_shop.join()
    old_shop.rent(newcomer)
    assert different(url, made)
    freeze(servers, url, frozen=True)  # 2. freeze
    old_shop.close()
    with closing(Shop(url)) as frozen, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        frozen.rent(3)
    run(url, made)  # 3. the last catch-up
    assert different(url, made) == []  # 4. verify
    assert len(made.graph.rented(newcomer)) == 1
    # The way back, before the switch: the old shops go on, and nothing is lost. Then frozen again, and caught up.
    freeze(servers, url, frozen=False)
    with closing(Shop(url)) as thawed:
        thawed.rent(newcomer)
    freeze(servers, url, frozen=True)
    run(url, made)
    assert different(url, made) == []
    lent = rent(made, newcomer)  # 5. the switch: the new shops sell
    made.ledger.give_back(sold[1])
    with pytest.raises(InputError, match="The new system is in use"):
        run(url, made)
    # The way back, after the switch: what the old database lacks is marked.
    changed = made.ledger.connection.execute("SELECT rental_id FROM rentals WHERE changed_at IS NOT NULL ORDER BY 1")
    assert [number for (number,) in changed] == [sold[1], lent]
    assert len(made.graph.rented(newcomer)) == 2


class TestAnInterruptedMigrationOfADatabaseThatChanges:
    """Between two attempts the old shops go on: the second reads another snapshot."""

    @staticmethod
    def interrupt(url: str, engines: Engines, stream: str) -> None:
        def stop(name: str, done: int, _total: int) -> None:
            if name == stream and done == 0:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(url, engines, progress=stop)

    @pytest.mark.parametrize("stream", ["inventory", "rentals", "payments", "who rented what, and when"])
    def test_new_customers_with_rentals_arrive(self, servers: Servers, shop: tuple[str, Shop], stream: str) -> None:
        url, old_shop = shop
        made = servers.new()
        self.interrupt(url, made, stream)
        old_shop.rent(old_shop.join())
        run(url, made)
        assert different(url, made) == []

    def test_a_customer_with_a_lower_number_arrives(self, servers: Servers, shop: tuple[str, Shop]) -> None:
        url, old_shop = shop
        made = servers.new()
        self.interrupt(url, made, "rentals")
        old_shop.execute("""
            INSERT INTO customer VALUES (9000, 1, 'Late', 'Commit', NULL, 5, true, '2025-01-01', now(), 1)
        """)
        old_shop.rent(9000)
        run(url, made)
        assert different(url, made) == []

    def test_a_copy_that_came_back_and_went_out_again_arrives(self, servers: Servers, shop: tuple[str, Shop]) -> None:
        url, old_shop = shop
        made = servers.new()
        rental, copy = old_shop.open_copy()
        self.interrupt(url, made, "payments")
        old_shop.take_back(rental)
        old_shop.execute(
            """
            INSERT INTO rental SELECT max(rental_id) + 1, now(), %s, 3, NULL, 1, now() FROM rental
        """,
            copy,
        )
        run(url, made)
        assert made.ledger.connection.execute(
            "SELECT returned_at FROM rentals WHERE rental_id = %s", [rental]
        ).fetchone() != (None,)
        run(url, made)
        assert different(url, made) == []
