"""Movies as items and documents, events and their points, rankings fused, quality measured."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.rentals import category_dimension, cents, point_time
from tests.engines_in_memory import MemoryGraph, MemorySearchIndex
from workloads.differences import means_something
from workloads.movie_rental.events import Event, text_of
from workloads.movie_rental.model import Hit, Movie, Rental
from workloads.movie_rental.quality import judgements, ndcg, recommendation_quality, search_quality
from workloads.movie_rental.search import fuse
from workloads.movie_rental.verify import Content

TEXT = st.text(min_size=1, max_size=20)
TEXTS = st.lists(TEXT, max_size=4).map(tuple)
NUMBER = st.none() | st.integers(0, 3000)
PRICE = st.integers(0, 10**7).map(lambda whole: Decimal(whole).scaleb(-2))
MOVIES = st.builds(
    Movie,
    id=TEXT,
    title=TEXT,
    year=NUMBER,
    genres=TEXTS,
    cast=TEXTS,
    director=st.none() | TEXT,
    description=st.none() | TEXT,
    language=st.none() | TEXT,
    rating=st.none() | TEXT,
    length=NUMBER,
    rental_rate=PRICE,
    replacement_cost=PRICE,
    rental_duration=NUMBER,
    special_features=TEXTS,
    embedding=st.lists(st.floats(-1, 1, width=32), max_size=4).map(lambda v: np.array(v, "<f4").tobytes()),
    version=st.integers(0, 10**6),
    more=st.dictionaries(st.sampled_from(["Awards", "Notes"]), TEXT),
)


class TestMovie:
    @given(MOVIES)
    def test_an_item_holds_all_of_it(self, movie: Movie) -> None:
        assert Movie.of(movie.item()) == movie

    @given(MOVIES)
    def test_a_document_is_json_with_the_items_attributes(self, movie: Movie) -> None:
        document = json.loads(json.dumps(movie.document()))
        assert document.keys() == movie.item().keys()
        assert Decimal(str(document["RentalRate"])) == movie.rental_rate
        assert np.array(document.get("Embedding", []), np.float32).tolist() == movie.vector.tolist()

    def test_what_is_unknown_is_absent(self) -> None:
        item = Movie("1", "Title").item()
        assert not {"Genre", "Director", "Embedding", "Year"} & item.keys()
        assert Movie("1", "Title", genres=("Drama", "War")).item()["Genre"] == "Drama"

    def test_a_vector_of_zeros_is_none(self) -> None:
        assert Movie("1", "Title").embedded(np.zeros(3, np.float32)).embedding == b""


class TestEvents:
    def test_times_are_utc_to_the_millisecond(self) -> None:
        moment = datetime(2022, 5, 24, 23, 54, 33, 123999, tzinfo=timezone(timedelta(hours=2)))
        assert text_of(moment) == "2022-05-24T21:54:33.123Z"
        assert datetime.fromisoformat(text_of(moment)) == moment.replace(microsecond=123000)

    @given(st.integers(1, 7 * 10**15), st.integers(1, 10**6 - 1))
    def test_a_point_is_the_millisecond_and_the_rental(self, microseconds: int, rental: int) -> None:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
        moment = point_time(at, rental)
        assert moment % 10**6 == rental
        assert abs(moment / 10**9 - at.timestamp()) < 0.002
        assert point_time(datetime.fromisoformat(text_of(at)), rental) == moment

    @pytest.mark.parametrize(
        ("category", "dimension"),
        [
            ("Sci-Fi, a=b", "Sci-Fi, a=b"),
            ("Film\nnoir", "Film noir"),
            ("\r\n\tFilm\x00\x7fnoir\n", "Film noir"),
            ("back\\slash", "back\\slash"),
            ("end\\\\", "end/"),
            ("a\\, b\\\nc", "a/, b/ c"),
            (" \n", "none"),
            ("", "none"),
            (None, "none"),
        ],
    )
    def test_a_category_is_a_dimension_that_both_engines_can_hold(self, category: str | None, dimension: str) -> None:
        assert category_dimension(category) == dimension

    @given(st.integers(0, 10**9))
    def test_amounts_are_exact(self, whole: int) -> None:
        assert cents(Decimal(whole) / 100) == whole

    def test_a_fraction_of_a_cent_is_refused(self) -> None:
        with pytest.raises(ValueError, match="fractions of a cent"):
            cents(Decimal("0.001"))

    def test_the_body_has_what_the_projections_read(self) -> None:
        movie = Movie("9", "Ünï", genres=("Drama",), rental_rate=Decimal("2.9"))
        body = json.loads(Event.rented(7, 3, movie, 2, datetime(2026, 1, 1, tzinfo=UTC)).body())
        assert body.pop("event_id")
        assert body == {
            "type": "rented",
            "rental_id": 7,
            "customer_id": "3",
            "film_id": "9",
            "title": "Ünï",
            "category": "Drama",
            "store_id": "2",
            "at": "2026-01-01T00:00:00.000Z",
            "amount": "2.90",
        }


class TestContent:
    @given(st.lists(st.tuples(TEXT, st.integers())), st.randoms())
    def test_does_not_depend_on_the_order(self, rows: list[tuple[str, int]], chance: Any) -> None:
        shuffled = chance.sample(rows, len(rows))
        assert Content.of(rows) == Content.of(shuffled)

    @given(st.lists(st.integers(), min_size=1))
    def test_a_row_less_more_twice_or_changed_shows(self, rows: list[int]) -> None:
        content = Content.of(rows)
        assert content != Content.of(rows[1:])
        assert content != Content.of([*rows, rows[0]])
        assert content != Content.of([rows[0] + 1, *rows[1:]])


def hit(movie: str) -> Hit:
    return Hit(movie, f"Title {movie}", None, None, 1.0)


def test_what_two_rankings_agree_on_comes_first() -> None:
    fused = fuse([hit("a"), hit("b"), hit("c")], [hit("c"), hit("b"), hit("d")])
    assert [one.movie_id for one in fused] == ["c", "b", "a", "d"]
    assert fused[0].score == pytest.approx(1 / 63 + 1 / 61)


class TestQuality:
    def test_ndcg(self) -> None:
        grades = {"a": 3, "b": 1}
        assert ndcg(["a", "b"], grades) == 1
        assert ndcg(["x", "y"], grades) == 0
        assert ndcg(["b", "a"], grades) == pytest.approx((1 + 7 / np.log2(3)) / (7 + 1 / np.log2(3)))

    def test_tastes_are_found_where_there_are_any_and_not_where_there_are_none(self) -> None:
        chance = np.random.default_rng(0)
        start = datetime(2026, 1, 1, tzinfo=UTC)

        def graph(*, taste: bool) -> MemoryGraph:
            made, rentals = MemoryGraph(), []
            made.save_movies([Movie(str(movie), f"Title {movie}") for movie in range(200)])
            for customer in range(120):
                liked = np.arange(200)[np.arange(200) % 10 == customer % 10] if taste else np.arange(200)
                for film in chance.choice(liked, 12, replace=False):
                    number = len(rentals)
                    at = start + timedelta(hours=number)
                    rentals.append(Rental(number, at, customer, str(film), "Title", 1, None, Decimal(1)))
            made.save_rentals(rentals)
            return made

        tasted, blind = recommendation_quality(graph(taste=True)), recommendation_quality(graph(taste=False))
        assert (tasted.customers, tasted.films) == (120, 200)
        assert tasted.graph > 0.9
        assert tasted.popular < 0.5
        assert blind.graph - blind.margin < blind.random + 0.05
        assert tasted.less_popular["mean"] == pytest.approx(tasted.graph - tasted.popular)
        assert tasted.less_random["mean"] == pytest.approx(tasted.graph - tasted.random)
        assert means_something(tasted.less_popular)
        assert means_something(tasted.less_random)
        assert not means_something(blind.less_random)
        assert 0.1 < blind.random < 0.2  # 1 - (1 - 3/191)^10, about

    def test_judgements_are_made_by_rule_and_the_same_every_time(self) -> None:
        movies = [
            Movie(
                str(number),
                f"{chr(ord('a') + number) * 8} No",
                genres=(("Drama", "Horror")[number % 2],),
                cast=(f"Actor {number % 5}",),
                description=f"A Tale of a {('Shark', 'Pilot', 'Cook')[number % 3]} And a Dog who must Find a Car",
            )
            for number in range(26)
        ]
        judged = judgements(movies)
        assert judged == judgements(movies)
        kinds = {one.kind for one in judged}
        assert kinds == {"typo", "story", "actor", "alike"}
        assert all(one.grades and max(one.grades.values()) <= 3 for one in judged)
        story = next(one for one in judged if one.kind == "story" and "shark" in one.text)
        assert max(story.grades.values()) == 3

        class Model:
            name, dimension = "none", 2

            def embed(self, texts: Any) -> Any:
                return np.zeros((len(texts), 2), np.float32)

        index = MemorySearchIndex()
        index.save(movies)
        found = search_quality(index, Model(), judged)
        assert found["typo"].means["text"] > 0.9
        assert found["typo"].means["meaning"] == 0
        assert means_something(found["typo"].both_less("meaning"))
        assert found["all"].both_less("text")["mean"] == pytest.approx(
            found["all"].means["both"] - found["all"].means["text"]
        )
