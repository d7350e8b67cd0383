"""The first page costs no more when the catalogue grows, and tells how many films there were a second ago or later."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from flask import Flask
from sqlalchemy import event, text

from workloads.storefront import catalogue
from workloads.storefront.kept import KEPT_SECONDS, Kept
from workloads.storefront.site import Site

from .conftest import COMPANY, Shop, Visitor

FILMS = COMPANY.count("film")
NEW_FILM = 900_001


@dataclass
class Process:
    """A process of the site whose clock stands still until it is moved, and the statements that it sends."""

    app: Flask
    statements: list[str]
    now: float = 0.0

    def total(self, address: str = "/") -> int:
        """How many films a member's page says that there are."""
        answer = Visitor(self.app).client.get(address, headers={"Cookie": "a=b"})  # which Apache would not keep
        found = re.search(r'<h2 id="found">\s*([\d,]+) film', answer.text)
        assert found
        return int(found[1].replace(",", ""))


def process(shop: Shop) -> Process:
    made = Process(shop.app(), [])
    site: Site = made.app.extensions["storefront"]
    made.app.extensions["storefront"] = replace(
        site,
        categories=Kept(catalogue.categories, lambda: made.now),
        film_count=Kept(catalogue.count_films, lambda: made.now),
    )
    event.listen(site.engine, "before_cursor_execute", lambda _1, _2, statement, *_: made.statements.append(statement))
    return made


@pytest.fixture
def processes(shop: Shop) -> Iterator[list[Process]]:
    """Two processes that serve the same shop."""
    made = [process(shop), process(shop)]
    yield made
    for one in made:
        one.app.extensions["storefront"].engine.dispose()


@pytest.fixture
def add_film(shop: Shop) -> Iterator[Callable[[], None]]:
    """Adds a film of the first category, with a copy; both are gone after the test."""
    columns = "title, description, language, rental_days, rental_rate, replacement_cost, features"
    statements = [
        f"INSERT INTO film (film_id, {columns}) SELECT {NEW_FILM}, {columns} FROM film LIMIT 1",  # noqa: S608
        f"INSERT INTO film_category (film_id, category_id) VALUES ({NEW_FILM}, 1)",  # noqa: S608
        f"INSERT INTO copy SELECT {NEW_FILM}, {NEW_FILM}, min(store_id) FROM store",  # noqa: S608
    ]

    def execute(statements: list[str]) -> None:
        with shop.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    yield lambda: execute(statements)
    execute([f"DELETE FROM {table} WHERE film_id = {NEW_FILM}" for table in ("copy", "film_category", "film")])  # noqa: S608


def test_pages_of_all_films_count_them_once_a_second(processes: list[Process]) -> None:
    one = processes[0]
    for seconds in range(1, 4):
        for address in ("/", "/?page=2", "/") * 5:
            assert one.total(address) == FILMS
        counts = [statement for statement in one.statements if statement.startswith("SELECT count(")]
        assert len(counts) == seconds
        one.now += KEPT_SECONDS


def test_a_page_of_all_films_takes_one_statement(processes: list[Process]) -> None:
    one = processes[0]
    one.total()
    one.statements.clear()
    one.total()
    assert len(one.statements) == 1


def test_every_process_tells_the_right_total_a_second_after_a_film_is_added(
    processes: list[Process], add_film: Callable[[], None]
) -> None:
    assert [one.total() for one in processes] == [FILMS, FILMS]
    add_film()
    assert [one.total() for one in processes] == [FILMS, FILMS]
    for one in processes:
        one.now += KEPT_SECONDS
    assert [one.total() for one in processes] == [FILMS + 1, FILMS + 1]


@pytest.mark.parametrize("address", ["/?category=1", "/?q=a", "/?available=yes", "/?available=yes&category=1&q=a"])
def test_a_search_counts_what_matches_now(processes: list[Process], add_film: Callable[[], None], address: str) -> None:
    before = processes[0].total(address)
    add_film()
    assert processes[0].total(address) == before + 1


def test_films_in_store_now_are_counted_without_those_that_were_rented_just_now(
    processes: list[Process], shop: Shop
) -> None:
    film, member = shop.free_copy().film_id, shop.member().member_id
    before = processes[0].total("/?available=yes")
    with shop.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO rental (copy_id, member_id, rented_at, due_at, price, late_fee) "
                "SELECT copy_id, :member, UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0, 0 FROM copy WHERE film_id = :film"
            ),
            {"member": member, "film": film},
        )
    assert [one.total("/?available=yes") for one in processes] == [before - 1] * 2
    shop.return_all()


def test_a_page_of_all_films_is_read_from_an_index_in_its_order(shop: Shop) -> None:
    statement = catalogue._page(catalogue.Search(), 1).compile(shop.engine, compile_kwargs={"literal_binds": True})
    with shop.engine.connect() as connection:
        plan = connection.execute(text(f"EXPLAIN {statement}")).mappings().all()
    [page] = [step for step in plan if step["select_type"] == "DERIVED"]
    assert (page["table"], page["key"], page["Extra"]) == ("film", "by_title", "Using index")
