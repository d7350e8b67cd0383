"""What each port promises, kept by the engine in memory and by the real one alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from contract.errors import InputError, UnavailableError
from contract.rentals import NOBODY
from tests.engines_in_memory import (
    MemoryGraph,
    MemoryLedger,
    MemoryLibrary,
    MemoryQueue,
    MemorySearchIndex,
    MemorySeries,
    rental_digest,
)
from workloads.movie_rental.events import text_of
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.model import Customer, Movie, Removal, Rental
from workloads.movie_rental.outbox import relay
from workloads.movie_rental.ports import Graph, Ledger, Library, SearchIndex, TimeSeries

from .conftest import Servers

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CASABLANCA = Movie(
    "1",
    "Casablanca Nights",
    1962,
    ("Drama", "Classics"),
    ("Ingrid Bergman", "Zoë O'Brien-Łukasz"),
    "Michael Curtiz",
    "A bartender and a pilot must part in the fog",
    "English",
    "PG",
    102,
    Decimal("2.99"),
    Decimal("19.90"),
    3,
    ("Trailers",),
).embedded(np.array([1, 0], np.float32))
TOKYO = Movie(
    "2", "映画 🎬 Tokyo", 2021, ("Drama",), rating="R", language="Japanese", rental_rate=Decimal("0.07")
).embedded(np.array([0.6, 0.8], np.float32))
PLAIN = Movie("3", "Nothing Known")


@pytest.fixture(scope="module", params=["memory", "real"])
def fresh(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Makes an engine that holds nothing, by the name of its port."""
    made: dict[str, Callable[[], Any]] = {
        "library": MemoryLibrary,
        "index": MemorySearchIndex,
        "graph": MemoryGraph,
        "ledger": lambda: MemoryLedger({("1", 1): 1, ("2", 1): 2}),
    }
    if request.param == "real":
        servers: Servers = request.getfixturevalue("servers")
        return lambda port: _stocked(servers) if port == "ledger" else getattr(servers, port)()
    return lambda port: made[port]()


def _stocked(servers: Servers) -> PostgresLedger:
    """A ledger with one copy of film 1 and two of film 2."""
    ledger = servers.ledger()
    ledger.connection.execute("""
        INSERT INTO countries VALUES (1, 'Elsewhere');
        INSERT INTO cities VALUES (1, 'Somewhere', 1);
        INSERT INTO addresses VALUES (1, 'Street 1', NULL, 'Middle', 1, '12345', '555'),
                                     (2, 'Street 2', NULL, 'Middle', 1, '12345', '556');
        INSERT INTO stores VALUES (1, 1);
        INSERT INTO staff VALUES (1, 'A', 'Clerk', NULL, 'clerk', true, 1, 1);
        INSERT INTO inventory (film_id, store_id) VALUES (1, 1), (2, 1), (2, 1);
    """)
    return ledger


@pytest.fixture(scope="module")
def library(fresh: Callable[[str], Any]) -> Library:
    made: Library = fresh("library")
    return made


class TestLibrary:
    def test_a_library_is_empty_until_a_movie_was_saved_and_not_even_its_removal_empties_it(
        self, fresh: Callable[[str], Any]
    ) -> None:
        made = fresh("library")
        assert made.is_empty()
        made.save([PLAIN])
        assert not made.is_empty()
        made.remove(PLAIN.id)
        assert not made.is_empty()

    def test_what_is_saved_comes_back_as_it_was(self, library: Library) -> None:
        saved = library.save([CASABLANCA, TOKYO, replace(PLAIN, more={"Awards": ["Best Fog"], "Notes": {"reel": 3}})])
        assert [movie.version for movie in saved] == [1, 1, 1]
        assert library.get("1") == replace(CASABLANCA, version=1)
        assert library.get("2") == replace(TOKYO, version=1)
        found = library.get("3")
        assert found
        assert found.item()["Awards"] == ["Best Fog"]
        assert "Genre" not in found.item()
        assert "Embedding" not in found.item()
        assert library.get("nowhere") is None

    def test_prices_are_exact(self, library: Library) -> None:
        for cents in range(0, 1000, 37):
            price = Decimal(cents) / 100
            library.save([replace(PLAIN, id="price", rental_rate=price)])
            found = library.get("price")
            assert found
            assert found.rental_rate == price
        assert library.remove("price")

    def test_saving_what_is_there_changes_nothing_and_saving_a_change_counts(self, library: Library) -> None:
        library.save([CASABLANCA])
        before = library.get("1")
        assert before
        assert library.save([CASABLANCA])[0].version == before.version
        changed = library.save([replace(CASABLANCA, rating="R")])[0]
        assert (changed.version, changed.rating) == (before.version + 1, "R")
        library.save([CASABLANCA])

    def test_a_change_to_a_movie_that_somebody_else_changed_is_refused(self, library: Library) -> None:
        first = library.put(Movie("put", "First"))
        assert first.version == 1
        second = library.put(replace(first, length=90))
        assert second.version == 2
        with pytest.raises(InputError, match="changed by somebody else"):
            library.put(replace(first, length=91))
        with pytest.raises(InputError, match="changed by somebody else"):
            library.put(Movie("put", "First"))
        found = library.get("put")
        assert found
        assert found.length == 90

    def test_a_new_title_leaves_no_second_movie(self, library: Library) -> None:
        library.put(Movie("renamed", "Before"))
        found = library.get("renamed")
        assert found
        library.put(replace(found, title="After"))
        assert [movie.title for movie in library.all() if movie.id == "renamed"] == ["After"]
        assert library.remove("renamed") == Removal("renamed", 3)

    def test_the_versions_of_a_removed_movie_go_on_counting(self, library: Library) -> None:
        library.put(Movie("again", "Once", length=90))
        assert library.remove("again") == library.remove("again") == Removal("again", 2)
        assert library.remove("never") is None
        assert library.get("again") is None
        assert "again" not in {movie.id for movie in library.all()}
        assert Removal("again", 2) in [*library.removals()]
        assert library.put(Movie("again", "Twice")) == Movie("again", "Twice", version=3)
        assert "again" not in {removal.movie_id for removal in library.removals()}
        library.remove("again")
        assert library.save([Movie("again", "Twice")]) == [Movie("again", "Twice", version=5)]
        library.remove("again")

    def test_genres_and_years_list_their_movies_by_title(self, library: Library) -> None:
        library.save([CASABLANCA, TOKYO])
        assert [*library.by_genre("Drama")] == [("1", "Casablanca Nights"), ("2", "映画 🎬 Tokyo")]
        assert [*library.by_year(2021)] == [("2", "映画 🎬 Tokyo")]
        assert [*library.by_genre("Western")] == []

    def test_all_of_many_come(self, library: Library) -> None:
        many = [Movie(f"many-{number}", f"Title {number}", description="x" * 12_000) for number in range(110)]
        library.save(many)  # more than a request takes, and more than a page holds
        assert {movie.id for movie in many} <= {movie.id for movie in library.all()}


@pytest.fixture(scope="module")
def index(fresh: Callable[[str], Any]) -> SearchIndex:
    made: SearchIndex = fresh("index")
    made.create(2)
    made.save([replace(movie, version=1) for movie in (CASABLANCA, TOKYO, PLAIN)])
    made.refresh()
    return made


class TestSearchIndex:
    def test_a_document_has_the_items_attributes(self, index: SearchIndex) -> None:
        found = index.get("1")
        assert found
        assert found == replace(CASABLANCA, version=1).document()
        assert (found["RentalRate"], found["Embedding"], found["Genre"]) == (2.99, [1.0, 0.0], "Drama")
        assert index.get("nowhere") is None

    @pytest.mark.parametrize("text", ["casablanca", "Casablnca", "CASABLANKA nigts", "bergman", "Lukasz", "fog pilot"])
    def test_words_are_found_though_a_letter_or_two_is_wrong(self, index: SearchIndex, text: str) -> None:
        assert index.full_text(text).hits[0].movie_id == "1"

    def test_what_nobody_wrote_is_not_found(self, index: SearchIndex) -> None:
        answer = index.full_text("xylophone")
        assert (answer.total, [*answer.hits]) == (0, [])

    def test_titles_in_any_script_are_found(self, index: SearchIndex) -> None:
        assert index.full_text("映画").hits[0].title == "映画 🎬 Tokyo"

    def test_what_matched_is_highlighted(self, index: SearchIndex) -> None:
        [hit] = index.full_text("casablanka").hits
        assert "<em>Casablanca</em>" in hit.highlights["MovieTitle"][0]

    def test_facets_count_all_that_match(self, index: SearchIndex) -> None:
        answer = index.full_text("casablanca tokyo nothing", limit=1)
        assert answer.total == 3
        assert answer.facets["Genres"] == {"Drama": 2, "Classics": 1}
        assert answer.facets["Rating"] == {"PG": 1, "R": 1}
        assert len(answer.hits) == 1

    def test_one_genre_only(self, index: SearchIndex) -> None:
        assert index.full_text("casablanca tokyo nothing", genre="Drama").total == 2

    def test_the_nearest_vectors_come_first_and_what_has_none_never(self, index: SearchIndex) -> None:
        hits = index.nearest(np.array([0.8, 0.6], np.float32)).hits
        assert [hit.movie_id for hit in hits] == ["2", "1"]
        assert [round(hit.score, 4) for hit in hits] == [0.98, 0.9]

    def test_an_earlier_version_never_replaces_a_later_one(self, index: SearchIndex) -> None:
        index.save([replace(PLAIN, id="versions", title="Second", version=2)])
        index.save([replace(PLAIN, id="versions", title="First", version=1), replace(PLAIN, version=1)])
        found = index.get("versions")
        assert found
        assert found["MovieTitle"] == "Second"
        index.save([replace(PLAIN, id="versions", title="Second, again", version=2)])
        found = index.get("versions")
        assert found
        assert found["MovieTitle"] == "Second, again"
        index.remove([Removal("versions", 1)])
        assert index.get("versions")
        index.remove([Removal("versions", 3), Removal("never", 1)])
        index.save([replace(PLAIN, id="versions", version=2)])
        assert index.get("versions") is None

    def test_making_it_again_changes_nothing_but_vectors_of_another_length_are_refused(
        self, index: SearchIndex
    ) -> None:
        index.create(2)
        with pytest.raises(InputError, match="vectors of 2 numbers"):
            index.create(3)
        assert len([*index.all()]) == 3


def rental(number: int, customer: int, movie: str, **changes: Any) -> Rental:
    made = Rental(
        number, NOON + timedelta(hours=number), customer, movie, f"Title {movie}", 1, "Drama", Decimal("2.99")
    )
    return replace(made, **changes)


@pytest.fixture
def graph(fresh: Callable[[str], Any]) -> Graph:
    made: Graph = fresh("graph")
    made.save_movies([CASABLANCA, TOKYO, PLAIN, *(Movie(str(number), f"Title {number}") for number in range(4, 9))])
    made.save_customers([1, 2, 3, 4, 99])
    return made


class TestGraph:
    def test_a_graph_is_empty_until_something_was_saved_and_the_mark_of_an_erased_customer_is_something(
        self, fresh: Callable[[str], Any]
    ) -> None:
        made = fresh("graph")
        assert made.is_empty()
        made.erase_customer(1)
        assert not made.is_empty()
        other = fresh("graph")
        other.save_movies([PLAIN])
        assert not other.is_empty()

    RENTALS = (
        *(rental(number, 1, movie) for number, movie in enumerate("12", 1)),
        *(rental(number, 2, movie) for number, movie in enumerate("1245", 10)),
        *(rental(number, 3, movie) for number, movie in enumerate("256", 20)),
        *(rental(number, 4, movie) for number, movie in enumerate("78", 30)),
    )

    def test_what_people_rented_who_rented_what_you_rented(self, graph: Graph) -> None:
        graph.save_rentals(self.RENTALS)
        found = graph.recommend(1)
        # Customer 2 shares both films of 1 (2/sqrt(2*4)), customer 3 one (1/sqrt(2*3)), customer 4 none.
        assert [(one.movie_id, one.people) for one in found] == [("5", 2), ("4", 1), ("6", 1)]
        assert [one.score for one in found] == pytest.approx([2 / 8**0.5 + 1 / 6**0.5, 2 / 8**0.5, 1 / 6**0.5])
        assert found[0].title == "Title 5"
        assert len(graph.recommend(1, limit=1)) == 1

    def test_a_new_customer_is_recommended_what_most_people_rented(self, graph: Graph) -> None:
        graph.save_rentals(self.RENTALS)
        assert [(one.movie_id, one.people) for one in graph.recommend(99, limit=3)] == [("2", 3), ("1", 2), ("5", 2)]

    def test_renting_twice_the_same_counts_once(self, graph: Graph) -> None:
        graph.save_rentals([*self.RENTALS, rental(50, 2, "5"), rental(51, 1, "1")])
        assert [one.movie_id for one in graph.recommend(1)] == ["5", "4", "6"]

    def test_saving_again_changes_nothing(self, graph: Graph) -> None:
        for _ in range(2):
            graph.save_rentals(self.RENTALS)
            graph.save_movies([CASABLANCA, TOKYO])
            graph.save_customers([1, 2, 3])
        assert len([*graph.facts("rentals")]) == len(self.RENTALS)
        assert sorted(graph.facts("customers")) == [("1",), ("2",), ("3",), ("4",), ("99",)]
        assert sorted(graph.facts("genres")) == [("1", "Classics"), ("1", "Drama"), ("2", "Drama")]
        assert sorted(graph.facts("cast")) == [("1", "Ingrid Bergman"), ("1", "Zoë O'Brien-Łukasz")]
        assert ("1", "1", 1, text_of(self.RENTALS[0].at)) in set(graph.facts("rentals"))
        assert graph.rented(1) == [(1, "1", "Title 1"), (2, "2", "Title 2")] or graph.rented(1) == [
            (1, "1", "Casablanca Nights"),
            (2, "2", "映画 🎬 Tokyo"),
        ]

    def test_rentals_are_counted_and_hashed_by_customer(self, graph: Graph) -> None:
        graph.save_rentals(self.RENTALS)
        rentals = [(str(one.customer_id), one.movie_id, one.id, text_of(one.at)) for one in self.RENTALS]
        for customer, count, digest in graph.rental_digests():
            theirs = [one for one in rentals if one[0] == customer]
            assert (count, digest) == (len(theirs), sum(rental_digest(*one) for one in theirs))
            assert sorted(graph.rentals_of([customer, "77"])) == sorted(theirs)
        assert {who for who, *_ in graph.rental_digests()} == {who for who, *_ in rentals}

    def test_a_rental_named_twice_is_one_and_its_time_may_be_corrected(self, graph: Graph) -> None:
        [once] = rentals = [rental(7, 1, "2")]
        corrected = replace(once, at=once.at + timedelta(hours=1))
        for saved in (rentals * 2, [corrected]):
            graph.save_rentals(saved)
            assert [*graph.facts("rentals")] == [("1", "2", 7, text_of(saved[-1].at))]

    def test_a_movie_that_changes_loses_what_it_had(self, graph: Graph) -> None:
        graph.save_movies([replace(CASABLANCA, genres=("Drama",), cast=("Humphrey Bogart",), title="Casablanca")])
        assert sorted(graph.facts("genres")) == [("1", "Drama"), ("2", "Drama")]
        assert sorted(graph.facts("cast")) == [("1", "Humphrey Bogart")]
        assert ("1", "Casablanca") in set(graph.facts("movies"))

    def test_what_is_removed_is_gone_with_its_connections(self, graph: Graph) -> None:
        graph.save_rentals(self.RENTALS)
        graph.erase_customer(2)
        graph.remove_movie("7")
        assert graph.rented(2) == []
        assert {fact[0] for fact in graph.facts("rentals")} == {"1", "3", "4"}
        assert graph.rented(4) == [(31, "8", "Title 8")]
        assert (graph.has_customer(2), graph.has_customer(4)) == (False, True)

    def test_an_erased_customer_does_not_come_back_by_what_is_written_late(self, graph: Graph) -> None:
        graph.save_rentals(self.RENTALS)
        graph.erase_customer(2)
        graph.erase_customer(5)  # nobody knew them yet
        graph.save_customers([2, 3, 5, 6])
        graph.save_rentals([*self.RENTALS, rental(60, 5, "1")])
        assert [number for number in range(1, 7) if graph.has_customer(number)] == [1, 3, 4, 6]
        assert {fact[0] for fact in graph.facts("rentals")} == {"1", "3", "4"}


@pytest.fixture(params=["memory", "influxdb", "liveanalytics"])
def series(request: pytest.FixtureRequest) -> TimeSeries:
    if request.param == "memory":
        return MemorySeries()
    servers: Servers = request.getfixturevalue("servers")
    return servers.series() if request.param == "influxdb" else servers.liveanalytics()


class TestTimeSeries:
    def test_rentals_are_summed_by_day_category_and_store(self, series: TimeSeries) -> None:
        assert series.newest() is None
        rentals = [
            rental(1, 1, "1"),
            rental(2, 1, "2", amount=Decimal("0.07")),
            rental(3, 1, "2", store_id=2),
            rental(4, 1, "3", category=None),
            rental(40, 1, "1"),
        ]
        for _ in range(2):
            series.save(rentals)
        found = series.daily(NOON - timedelta(days=1), NOON + timedelta(days=9))
        rows = [(f"{row.day:%m-%d}", row.category, row.store, row.rentals, row.cents) for row in found.itertuples()]
        assert rows == [
            ("03-02", "Drama", "1", 2, 306),
            ("03-02", "Drama", "2", 1, 299),
            ("03-02", "none", "1", 1, 299),
            ("03-04", "Drama", "1", 1, 299),
        ]
        newest = series.newest()
        assert newest
        assert abs(newest - rentals[-1].at) < timedelta(milliseconds=1)
        assert series.daily(NOON + timedelta(days=9), NOON + timedelta(days=10)).empty

    def test_rentals_of_the_same_moment_stay_apart(self, series: TimeSeries) -> None:
        series.save([rental(number, 1, "1", at=NOON) for number in range(1, 1500)])
        [row] = series.daily(NOON - timedelta(days=1), NOON + timedelta(days=1)).itertuples()
        assert (row.rentals, row.cents) == (1499, 1499 * 299)


@pytest.fixture
def ledger(fresh: Callable[[str], Any]) -> Ledger:
    made: Ledger = fresh("ledger")
    return made


def customer(**changes: Any) -> Customer:
    return replace(
        Customer(0, 1, "Ünï", "Cödé 名", "u@example.org", 1, active=True, created=date(2026, 1, 2)), **changes
    )


class TestLedger:
    def test_a_customer_is_created_read_changed_and_erased(self, ledger: Ledger) -> None:
        made = ledger.add_customer(customer())
        assert made.id > 0
        assert ledger.customer(made.id) == made
        ledger.change_customer(replace(made, email=None, last_name="O'Brien"))
        changed = ledger.customer(made.id)
        assert changed
        assert (changed.email, changed.last_name) == (None, "O'Brien")
        assert ledger.erase_customer(made.id)
        assert ledger.customer(made.id) is None
        assert not ledger.erase_customer(made.id)
        with pytest.raises(InputError, match="There is no customer of that number"):
            ledger.change_customer(made)

    def test_renting_and_returning_are_told_once_each(self, ledger: Ledger) -> None:
        who = ledger.add_customer(customer()).id
        event = ledger.rent(who, CASABLANCA, 1)
        assert (event.type, event.customer_id, event.film_id, event.title) == (
            "rented",
            str(who),
            "1",
            CASABLANCA.title,
        )
        assert (event.category, event.store_id, event.amount) == ("Drama", "1", "2.99")
        assert event.rental_id
        with pytest.raises(InputError, match="Store 1 has no copy that is not lent"):
            ledger.rent(who, CASABLANCA, 1)
        assert ledger.waiting() == [(ledger.waiting()[0][0], event)]
        back = ledger.give_back(event.rental_id)
        assert back
        assert (back.type, back.rental_id, back.film_id) == ("returned", event.rental_id, "1")
        assert ledger.give_back(event.rental_id) is None
        again = ledger.rent(who, CASABLANCA, 1)
        queue = MemoryQueue()
        assert relay(ledger, queue) == 3
        assert queue.events == [event, back, again]
        assert ledger.waiting() == []

    def test_a_request_that_is_made_again_rents_once(self, ledger: Ledger) -> None:
        who = ledger.add_customer(customer()).id
        event = ledger.rent(who, TOKYO, 1, "request-1")
        again = ledger.rent(who, TOKYO, 1, "request-1")
        assert replace(again, event_id=event.event_id) == event
        assert [waiting for _, waiting in ledger.waiting()] == [event]
        with pytest.raises(InputError, match="Request request-1: The request has made another rental"):
            ledger.rent(who, CASABLANCA, 1, "request-1")
        assert ledger.rent(who, TOKYO, 1, "request-2").rental_id != event.rental_id

    def test_who_may_not_rent_is_told_why_and_nothing_is_written(self, ledger: Ledger) -> None:
        inactive = ledger.add_customer(customer(active=False)).id
        with pytest.raises(InputError, match="not active"):
            ledger.rent(inactive, CASABLANCA, 1)
        with pytest.raises(InputError, match="There is no customer of that number"):
            ledger.rent(4711, CASABLANCA, 1)
        with pytest.raises(InputError, match="no copy that is not lent"):
            ledger.rent(ledger.add_customer(customer()).id, replace(PLAIN, id="streamed-only"), 1)
        with pytest.raises(InputError, match="There is no rental of that number"):
            ledger.give_back(4711)
        assert ledger.waiting() == []

    def test_events_wait_in_the_order_of_their_customer_until_the_queue_has_them(self, ledger: Ledger) -> None:
        one, two = ledger.add_customer(customer()).id, ledger.add_customer(customer()).id
        events = [ledger.rent(one, CASABLANCA, 1), ledger.rent(two, TOKYO, 1), ledger.rent(one, TOKYO, 1)]
        assert [event for _, event in ledger.waiting()] == events[:2]
        with pytest.raises(UnavailableError, match="The queue does not take"):
            relay(ledger, MemoryQueue(refused=2))
        queue = MemoryQueue(refused=1)
        assert relay(ledger, queue) == 3
        assert queue.events == [events[1], events[0], events[2]]

    def test_rentals_that_wait_when_their_customer_is_erased_are_sent_without_the_customer(
        self, ledger: Ledger
    ) -> None:
        who = ledger.add_customer(customer(address_id=2)).id
        returned = ledger.rent(who, TOKYO, 1)
        assert returned.rental_id
        ledger.give_back(returned.rental_id)
        lent = ledger.rent(who, TOKYO, 1)
        ledger.erase_customer(who)
        queue = MemoryQueue()
        relay(ledger, queue)
        nameless = [replace(event, customer_id=NOBODY) for event in (returned, lent)]
        assert [event for event in queue.events if event.customer_id == NOBODY] == nameless
        [event] = [event for event in queue.events if event not in nameless]
        assert (event.type, event.customer_id, event.rental_id) == ("customer_erased", str(who), None)
        assert lent.rental_id
        back = ledger.give_back(lent.rental_id)
        assert back
        assert ledger.waiting() == []


def test_two_copies_are_lent_twice_however_many_want_them_at_once(servers: Servers) -> None:
    ledger = _stocked(servers)
    who = [ledger.add_customer(customer()).id for _ in range(8)]
    others = [PostgresLedger(ledger.url) for _ in who]
    servers.opened += others

    def rent(place: int) -> str:
        try:
            return others[place].rent(who[place], TOKYO, 1).type
        except InputError as error:
            return str(error)

    with ThreadPoolExecutor(len(who)) as pool:
        answers = [*pool.map(rent, range(len(who)))]
    assert answers.count("rented") == 2
    assert sum("no copy that is not lent" in answer for answer in answers) == 6
    assert [count for (count,) in ledger.connection.execute("SELECT count(*) FROM outbox")] == [2]
