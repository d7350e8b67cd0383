"""Weeks, averages, what stands out, and what may come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines_in_memory import MemorySeries
from workloads.movie_rental.model import Rental
from workloads.movie_rental.trends import anomalies, forecast, moving_average, weekly
from workloads.movie_rental.views import trends

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def series(*days: tuple[int, str | None], start: datetime = MONDAY) -> MemorySeries:
    made = MemorySeries()
    made.save(
        [
            Rental(number, start + timedelta(days=day), 1, "1", "Title", 1, category, Decimal("2.99"))
            for number, (day, category) in enumerate(days)
        ]
    )
    return made


def shown(values: list[int]) -> str:
    """What a person reads of trends, without the table."""
    return "\n".join(line for line in trends(counts(values), None).shown if isinstance(line, str))


def counts(values: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"all": values}, index=pd.date_range(MONDAY.date(), periods=len(values), freq="7D"))


class TestWeeks:
    def test_begin_on_monday_and_end_with_the_last_whole_one(self) -> None:
        table = weekly(series((0, "Drama"), (6, "Drama"), (7, "Action"), (13, None), (14, "Drama")))
        assert [f"{week:%m-%d}" for week in table.index] == ["03-02", "03-09"]
        assert table["all"].tolist() == [2, 2]
        assert table["Drama"].tolist() == [2, 0]
        assert table["none"].tolist() == [0, 1]

    def test_without_rentals_are_zero_between_others_and_absent_before_the_first(self) -> None:
        table = weekly(series((0, "Drama"), (27, "Drama")), weeks=10)
        assert table["all"].tolist() == [1, 0, 0, 1]

    def test_leave_out_the_one_in_which_rentals_began(self) -> None:
        daily = [(day, "Drama") for day in range(2, 56) for _ in range(10)]
        table = weekly(series(*daily), weeks=26)
        assert table["all"].tolist() == [70] * 7
        assert anomalies(table).empty

    def test_keep_the_first_one_asked_for_if_there_were_rentals_before_it(self) -> None:
        table = weekly(series((4, "Drama"), (9, "Drama"), (20, "Drama")), weeks=2)
        assert [f"{week:%m-%d}" for week in table.index] == ["03-09", "03-16"]
        assert table["all"].tolist() == [1, 1]

    def test_are_none_before_one_is_over(self) -> None:
        assert weekly(series((2, "Drama"), (6, "Drama"), (8, "Drama"))).empty

    def test_a_category_may_be_called_all(self) -> None:
        table = weekly(series((0, "all"), (1, "Drama"), (6, "all")))
        assert table["all"].tolist() == [3]
        assert table["category all"].tolist() == [2]

    def test_of_nobody_are_none(self) -> None:
        assert weekly(MemorySeries()).empty

    @settings(max_examples=25)
    @given(st.lists(st.integers(0, 200), min_size=1, max_size=60))
    def test_hold_every_rental_of_the_whole_weeks(self, days: list[int]) -> None:
        table = weekly(series(*((day, f"c{day % 3}") for day in days)), weeks=40)
        begin, end = -(-min(days) // 7) * 7, (max(days) + 1) // 7 * 7  # the first and the last Monday
        assert table["all"].sum() == sum(begin <= day < end for day in days)
        assert len(table) == max(0, end - begin) // 7
        assert (table.drop(columns="all").sum(axis=1) == table["all"]).all()


def test_the_moving_average_looks_back_only() -> None:
    assert moving_average(counts([4, 8, 0, 4, 20]))["all"].tolist() == [4, 6, 4, 4, 8]


class TestAnomalies:
    def test_a_week_far_from_the_others_stands_out(self) -> None:
        found = anomalies(counts([50, 55, 48, 52, 160, 51, 49, 5]))
        assert [(f"{one.week:%m-%d}", one.rentals) for one in found.itertuples()] == [("03-30", 160), ("04-20", 5)]
        assert found["score"].iloc[0] > 3.5
        assert found["score"].iloc[1] < -3.5

    def test_what_chance_does_to_small_counts_is_none(self) -> None:
        chance = np.random.default_rng(0)
        rare = [anomalies(counts(chance.poisson(level, 30).tolist())) for level in (1, 5, 20, 100) for _ in range(25)]
        assert sum(map(len, rare)) < 0.005 * 100 * 30

    def test_of_three_weeks_nobody_knows_what_is_usual(self) -> None:
        assert anomalies(counts([1, 1, 1000])).empty


class TestForecast:
    def test_a_level_stays_and_a_trend_goes_on_ever_slower(self) -> None:
        level = forecast([20] * 10)
        assert level
        assert level.expected == pytest.approx([20] * 4)
        rising = forecast([10.0 * week for week in range(1, 20)])
        assert rising
        steps = np.diff([190, *rising.expected])
        assert (steps > 0).all()
        assert (np.diff(steps) < 0).all()
        assert rising.error < rising.naive_error

    def test_is_within_its_bounds_and_never_below_nothing(self) -> None:
        chance = np.random.default_rng(1)
        found = forecast(chance.poisson(3, 20).tolist(), weeks=8)
        assert found
        assert all(
            0 <= low <= middle <= high for low, middle, high in zip(found.low, found.expected, found.high, strict=True)
        )
        widths = np.subtract(found.high, found.low)
        assert widths[-1] >= widths[0]

    def test_the_bounds_hold_four_of_five_weeks(self) -> None:
        chance = np.random.default_rng(2)
        inside = 0
        for _ in range(300):
            weeks = chance.poisson(40, 25)
            found = forecast(weeks[:-1].tolist(), weeks=1)
            assert found
            inside += found.low[0] <= weeks[-1] <= found.high[0]
        assert 0.7 < inside / 300 < 0.9

    def test_of_few_weeks_there_is_none(self) -> None:
        assert forecast([1, 2, 3]) is None
        assert forecast(list(range(8))) is None
        assert forecast(list(range(9)))

    def test_pays_on_noise_around_a_level_and_not_on_a_random_walk(self) -> None:
        chance = np.random.default_rng(3)
        levels = [forecast(chance.poisson(50, 40).tolist()) for _ in range(40)]
        walks = [forecast((500 + np.cumsum(chance.normal(0, 20, 40))).tolist()) for _ in range(40)]
        assert sum(coming.pays for coming in levels if coming) >= 36
        assert sum(coming.pays for coming in walks if coming) <= 12


class TestShown:
    def test_a_forecast_that_is_no_better_than_last_week_again_is_not_given(self) -> None:
        chance = np.random.default_rng(3)
        steps = [int(value) for value in 500 + np.cumsum(chance.normal(0, 20, 40))]
        assert not forecast(steps).pays  # type: ignore[union-attr]
        told = shown(steps)
        assert "no better than expecting last week again" in told
        assert "the weeks to come" not in told

    def test_one_that_is_better_is_given_with_its_error(self) -> None:
        told = shown(np.random.default_rng(0).poisson(50, 40).tolist())
        assert "the weeks to come: 5" in told or "the weeks to come: 4" in told
        assert "expecting the week before again" in told
