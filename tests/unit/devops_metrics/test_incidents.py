"""What is an incident in a single series, what is none, and how many alarms there are at most."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from contract.errors import InputError
from workloads.devops_metrics.anomalies import Alarms, find_incidents

Series = pd.Series
DAYS, A_DAY, AN_HOUR = 14, 288, 12  # in windows of five minutes
TIMES = pd.date_range("2026-11-02", periods=DAYS * A_DAY, freq="5min", tz="UTC")  # a Monday
AFTERNOON = np.sin((np.arange(len(TIMES)) % A_DAY / A_DAY - 0.4) * 2 * np.pi)


def noise(seed: int = 0, deviation: float = 2.0) -> Series:
    """Noise with a memory of some minutes around 50."""
    chance = np.random.default_rng(seed)
    steps = chance.normal(0, deviation, len(TIMES) + 20)
    return pd.Series(50 + np.convolve(steps, 0.8 ** np.arange(20), "valid")[: len(TIMES)] * 0.6, TIMES)


def bursts(seed: int = 0, a_day: int = 4, length: int = 5) -> Series:
    """Nothing, and bursts of a million at no fixed hour."""
    chance = np.random.default_rng(seed)
    values = np.zeros(len(TIMES))
    for day in range(DAYS):
        for start in day * A_DAY + chance.integers(0, A_DAY - length, a_day):
            values[start : start + length] = 1e6 * chance.uniform(0.95, 1.05, length)
    return pd.Series(values, TIMES)


def at(day: float) -> int:
    return round(day * A_DAY)


def six_weeks(heights: list[int]) -> Series:
    """Noise, and a high window every five days."""
    weeks = [noise(seed).set_axis(TIMES + timedelta(days=DAYS * seed)) for seed in range(3)]
    values = pd.concat(weeks)
    for place, height in enumerate(heights):
        values.iloc[at(5 * (place + 1))] += height
    return values


def incidents(values: Series, *, per_day: float = 5.0, **alarms: float) -> pd.DataFrame:
    return find_incidents({"web-1": values.to_frame("cpu")}, Alarms(per_day=per_day, **alarms))


def only(values: Series) -> tuple[float, float, float]:
    """Start and end, in days, and score of the only incident."""
    [incident] = incidents(values).itertuples()
    return (incident.start - TIMES[0]) / timedelta(1), (incident.end - TIMES[0]) / timedelta(1), incident.score


class TestNoIncident:
    @pytest.mark.parametrize(
        "usual",
        [
            noise,
            lambda seed: noise(seed) + 20 * AFTERNOON,
            lambda seed: noise(seed) + 20 * AFTERNOON * np.where(TIMES.day_of_week >= 5, 0.3, 1),
            bursts,
            lambda seed: bursts(seed, a_day=12),
            lambda seed: noise(seed) + bursts(seed, a_day=3) / 25_000,
            lambda seed: noise(seed, 0.5) + 40 * (np.arange(len(TIMES)) % A_DAY < 6),  # every night
            lambda seed: pd.Series(np.random.default_rng(seed).poisson(2, len(TIMES)).astype(float), TIMES),
            lambda seed: pd.Series(np.random.default_rng(seed).poisson(0.001, len(TIMES)).astype(float), TIMES),
            lambda _seed: pd.Series(7.0, TIMES),
            lambda _seed: pd.Series(0.0, TIMES),
        ],
        ids=[
            "noise",
            "days",
            "quiet weekends",
            "idle with bursts",
            "idle with many bursts",
            "jobs several times a day",
            "a nightly job",
            "counts",
            "rare events",
            "constant",
            "nothing",
        ],
    )
    def test_is_what_happens_on_every_day(self, usual: Callable[[int], Series]) -> None:
        assert sum(len(incidents(usual(seed))) for seed in range(5)) <= 1  # in ten weeks

    def test_is_in_too_short_a_history(self) -> None:
        values = noise()[:50]
        values.iloc[30] = 1000
        assert incidents(values).empty

    def test_is_where_nothing_was_reported(self) -> None:
        values = noise()
        values.iloc[at(6) : at(7.5)] = np.nan
        assert incidents(values).empty
        assert incidents(values.dropna()).empty


class TestIncident:
    @pytest.mark.parametrize("height", [1e7, 2e7, 1e9])
    def test_is_a_burst_ten_times_as_high_as_the_others(self, height: float) -> None:
        values = bursts()
        values.iloc[at(9) : at(9) + 5] = height
        start, end, score = only(values)
        assert (start, end) == pytest.approx((9, 9 + 25 / 1440), abs=2 / 24)
        assert height / 2e6 < score < height / 0.5e6  # so many times as high as usual bursts

    def test_is_a_burst_ten_times_as_long_as_the_others(self) -> None:
        values = bursts()
        values.iloc[at(9) : at(9) + 50] = 1e6
        start, end, _ = only(values)
        assert (start, end) == pytest.approx((9, 9 + 250 / 1440), abs=2 / 24)

    def test_is_a_single_window_far_out(self) -> None:
        values = noise()
        values.iloc[at(9)] += 40
        start, end, score = only(values)
        assert (start, end) == pytest.approx((9, 9 + 5 / 1440))
        assert 4 < score < 10

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("unit", [1e306, 1e-300, -1.0])
    def test_is_the_same_in_any_unit(self, unit: float) -> None:
        values = noise()
        values.iloc[at(9)] += 40
        assert only(values * unit) == pytest.approx(only(values))

    def test_is_an_outage_in_the_middle_of_the_daily_peak(self) -> None:
        values = noise() + 20 * AFTERNOON
        peak = int(np.argmax(AFTERNOON[:A_DAY])) / A_DAY
        values.iloc[at(9 + peak) : at(9 + peak) + 2 * AN_HOUR] = 30.0  # as at night
        start, end, _ = only(values)
        assert (start, end) == pytest.approx((9 + peak, 9 + peak + 2 / 24), abs=2 / 24)

    def test_is_a_small_distance_that_lasts(self) -> None:
        values = noise()
        values.iloc[at(9) : at(9) + 6 * AN_HOUR] += 6  # which single windows reach on many days
        assert incidents(noise()).empty
        start, end, _ = only(values)
        assert (start, end) == pytest.approx((9, 9.25), abs=4 / 24)

    @pytest.mark.parametrize("season", [0, 10])
    @pytest.mark.parametrize("day", [4, 7, 12])
    @pytest.mark.parametrize("step", [25, -25])
    def test_is_a_change_of_level_once_and_the_new_level_is_usual(self, season: int, day: int, step: int) -> None:
        values = noise() + season * AFTERNOON
        values.iloc[at(day) :] += step
        start, end, _ = only(values)
        assert start == pytest.approx(day, abs=1 / 24)
        assert end < day + 1.1

    def test_is_found_on_the_new_level_too(self) -> None:
        values = noise()
        values.iloc[at(5) :] += 25
        values.iloc[at(10) : at(10) + 3] += 40
        assert [(one.start - TIMES[0]).days for one in incidents(values).itertuples()] == [5, 10]

    @pytest.mark.parametrize("stuck", [50.0, 60.0])
    def test_is_a_signal_that_is_stuck(self, stuck: float) -> None:
        values = noise() + AFTERNOON
        values.iloc[at(9) : at(9) + 9 * AN_HOUR] = stuck
        found = incidents(values)
        assert len(found) >= 1
        assert found["end"].max() == TIMES[at(9) + 9 * AN_HOUR - 1] + timedelta(minutes=5)

    def test_is_not_a_signal_that_rests_at_zero(self) -> None:
        values = bursts(a_day=6)
        values.iloc[at(9) : at(9.6)] = 0
        assert incidents(values).empty

    def test_of_several_signals_at_once_is_one_and_names_the_furthest_out(self) -> None:
        table = pd.DataFrame({"cpu": noise(1), "memory": noise(2)})
        table.iloc[at(9) : at(9) + 12, 0] += 25
        table.iloc[at(9) + 3 : at(9) + 15, 1] += 50
        [incident] = find_incidents({"web-1": table}, Alarms(per_day=5)).itertuples()
        assert incident.signal == "memory"

    @pytest.mark.parametrize("rows", ["1min", "5min", "1h"])
    def test_is_found_at_any_distance_of_rows(self, rows: str) -> None:
        times = pd.date_range(TIMES[0], TIMES[-1], freq=rows)
        values = pd.Series(np.random.default_rng(0).normal(50, 2, len(times)), times)
        values[(times >= TIMES[at(9)]) & (times < TIMES[at(9.25)])] += 30
        start, end, _ = only(values)
        assert (start, end) == pytest.approx((9, 9.25), abs=2 / 24)


class TestAlarms:
    def test_are_at_most_so_many_a_day_and_the_furthest_out_stay(self) -> None:
        values = six_weeks(heights=[30, 80, 40, 70, 50, 60])
        assert len(incidents(values)) == 6
        kept = incidents(values, per_day=0.05)
        assert [round((one.start - TIMES[0]) / timedelta(1)) for one in kept.itertuples()] == [10, 20]
        assert len(incidents(values, per_day=0)) == 1

    def test_share_the_budget_of_a_fleet(self) -> None:
        fleet = {"web-0": six_weeks(heights=[80] * 6), "web-1": six_weeks(heights=[]), "web-2": six_weeks(heights=[])}
        tables = {host: values.to_frame("cpu") for host, values in fleet.items()}
        assert len(find_incidents(tables, Alarms(per_day=0.05))) == 6
        assert len(find_incidents({"web-0": tables["web-0"]}, Alarms(per_day=0.05))) == 2

    def test_are_not_raised_by_a_new_host(self) -> None:
        values = noise()
        values.iloc[at(0.6)] += 80
        table = {"web-1": values.to_frame("cpu")}
        assert find_incidents(table).empty
        assert len(find_incidents(table, Alarms(probation=timedelta(hours=12)))) == 1
        assert len(find_incidents(table, since=TIMES[0])) == 1  # it was there before
        assert find_incidents(table, since=TIMES[0] - timedelta(days=1)).empty

    def test_need_more_where_more_series_are_watched(self) -> None:
        values = noise()
        values.iloc[at(9)] += 16
        assert 2 < only(values)[2] < 2.6
        fleet = {f"web-{number}": noise(number).to_frame("cpu") for number in range(1, 64)}
        assert find_incidents({"web-0": values.to_frame("cpu"), **fleet}, Alarms(per_day=5)).empty

    def test_have_scores_that_can_be_compared_where_nothing_is_usual(self) -> None:
        values = pd.Series(0.0, TIMES)
        values.iloc[[at(5), at(9)]] = [1e6, 3e6]
        scores = incidents(values)["score"]
        assert np.isfinite(scores).all()
        assert scores[1] == pytest.approx(3 * scores[0])


def test_a_wrong_time_is_named_instead_of_counting_windows_for_ever() -> None:
    values = pd.concat([pd.Series([1.0], pd.DatetimeIndex(["1970-01-01"], tz="UTC")), noise()])
    values.index = values.index.where(values.index > pd.Timestamp("1971", tz="UTC"), pd.Timestamp("1700", tz="UTC"))
    with pytest.raises(InputError, match="The rows between 1700-01-01"):
        incidents(values)
