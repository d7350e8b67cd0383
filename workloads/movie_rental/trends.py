"""Trends: rentals by category and week, what is usual, what stands out, and what may come.

Methods, chosen for short series of counts: a trailing moving average; anomalies by robust z-scores of square roots
(the square root of a Poisson count has a standard deviation of one half, whatever its level: Anscombe, 1948); a
forecast by Holt's linear trend, damped (Gardner and McKenzie, 1985), whose constants are those that would have
forecast the weeks before best. How good it is, is measured on weeks that had no part in the choice of the constants,
beside the forecast that needs no method: last week again.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workloads.differences import independent_difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloads.differences import Difference
    from workloads.movie_rental.ports import TimeSeries

WEEK = timedelta(days=7)
AVERAGE_WEEKS = 4
_FAR = 3.5  # Iglewicz and Hoaglin (1993): How to Detect and Handle Outliers
_SMALLEST_HISTORY = 4  # weeks: of fewer nobody knows what is usual
_LEARNED = 4  # forecasts that choose the first constants; the later weeks measure how good such a choice is
_MEASURED = 4  # weeks that measure it, at least
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_POISSON = 0.5  # standard deviation of the square root of a count
_DAMPING = 0.9
_STEPS = (0.1, 0.3, 0.5, 0.7, 0.9)
_WIDE = 1.2816  # normal quantile: 80 % lie within


@dataclass(frozen=True)
class Forecast:
    """What may come.

    Attributes:
        expected: Rentals of each week to come.
        low: Four of five outcomes are above it and below `high`, if the errors stay what they were.
        high: See `low`.
        error: Mean absolute error of forecasts one week ahead, of weeks that had no part in choosing the constants.
        naive_error: The same, for the same weeks, of expecting the week before again.
        difference: `error` less `naive_error`, with what is judged of it.
    """

    expected: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    error: float
    naive_error: float
    difference: Difference

    @property
    def pays(self) -> bool:
        """Whether it was better than expecting the week before again."""
        return self.error < self.naive_error


def weekly(series: TimeSeries, weeks: int = 26, until: datetime | None = None) -> pd.DataFrame:
    """Rentals by category and week; weeks begin on Mondays, in UTC, and those without rentals are 0.

    Args:
        series: Where.
        weeks: How many, back from the last whole one.
        until: The end; by default that of the last rental.

    Returns:
        One row a week, one column a category, and `all`; empty if no whole week has a rental. A category of that name
        is `category all`. All weeks are whole: the one that is under way is left out unless the last rental is of its
        Sunday, and so is the one in which rentals begin after a week without any, unless they begin on its Monday.
    """
    nothing = pd.DataFrame({"all": pd.Series(dtype="int64")})
    newest = until or series.newest()
    if newest is None:
        return nothing
    day = newest.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    end = _monday(day + timedelta(days=1))
    start = end - weeks * WEEK
    daily = series.daily(start - WEEK, end)  # the week before tells whether rentals began in the first one
    daily["week"] = daily["day"] - pd.to_timedelta(daily["day"].dt.day_of_week, unit="D")
    inside = daily[daily["day"] >= start]
    if inside.empty:
        return nothing
    week = inside["week"].min()
    if inside["day"].min() > week and not (daily["week"] == week - WEEK).any():
        week += WEEK
    index = pd.date_range(week, end, freq="7D", inclusive="left", name="week")
    table = inside[inside["week"].isin(index)].pivot_table(
        index="week", columns="category", values="rentals", aggfunc="sum", fill_value=0
    )
    table.columns.name = None
    table = table.reindex(index, fill_value=0).astype("int64").rename(columns={"all": "category all"})
    table.insert(0, "all", table.sum(axis=1))
    return table


def _monday(day: datetime) -> datetime:
    return day - timedelta(days=day.weekday())


def moving_average(counts: pd.DataFrame, weeks: int = AVERAGE_WEEKS) -> pd.DataFrame:
    """Return the mean of each week and those before it; of fewer weeks at the start."""
    return counts.rolling(weeks, min_periods=1).mean()


def anomalies(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the weeks in which a category was rented much more, or less, than in its other weeks.

    Returns:
        `week`, `category`, `rentals`, `usual` (the median), `score` (robust standard deviations), by week.
    """
    rows: list[dict[str, object]] = []
    if len(counts) >= _SMALLEST_HISTORY:
        for category in counts:
            roots = np.sqrt(counts[category] + 3 / 8)
            middle = float(roots.median())
            spread = max(_MAD_TO_DEVIATION * float((roots - middle).abs().median()), _POISSON)
            scores = (roots - middle) / spread
            for week, rentals, score in zip(counts.index, counts[category], scores, strict=True):
                if abs(score) > _FAR:
                    usual = float(counts[category].median())
                    row = {"week": week, "category": str(category), "rentals": rentals, "usual": usual, "score": score}
                    rows.append(row)
    table = pd.DataFrame(rows, columns=["week", "category", "rentals", "usual", "score"])
    return table.sort_values(["week", "category"], ignore_index=True)


def forecast(counts: Sequence[float], weeks: int = 4) -> Forecast | None:
    """Forecast the weeks to come; None where fewer than nine are known, too few to say how good a forecast is."""
    if len(counts) <= _LEARNED + _MEASURED:
        return None
    runs = [_holt(counts, weeks, *steps) for steps in itertools.product(_STEPS, _STEPS)]
    errors = np.array([run[1] for run in runs])
    ahead, residuals = runs[_best(errors)]
    deviation = float(np.sqrt(np.mean(np.square(residuals))))
    widths = [_WIDE * deviation * math.sqrt(step) for step in range(1, weeks + 1)]
    measured = np.abs([errors[_best(errors[:, :week]), week] for week in range(_LEARNED, errors.shape[1])])
    naive = np.abs(np.diff(counts)[_LEARNED:])
    return Forecast(
        tuple(max(0.0, value) for value in ahead),
        tuple(max(0.0, value - width) for value, width in zip(ahead, widths, strict=True)),
        tuple(max(0.0, value + width) for value, width in zip(ahead, widths, strict=True)),
        float(np.mean(measured)),
        float(np.mean(naive)),
        independent_difference((measured - naive).tolist()),
    )


def _best(errors: NDArray[np.float64]) -> int:
    """Return the index of the row with the smallest mean square."""
    return int(np.argmin(np.mean(np.square(errors), axis=1)))


def _holt(counts: Sequence[float], weeks: int, level_step: float, trend_step: float) -> tuple[list[float], list[float]]:
    """Forecasts of the weeks to come, and the errors one week ahead of those that were."""
    level, trend = float(counts[0]), 0.0
    errors = []
    for value in counts[1:]:
        expected = level + _DAMPING * trend
        errors.append(value - expected)
        before, level = level, expected + level_step * (value - expected)
        trend = trend_step * (level - before) + (1 - trend_step) * _DAMPING * trend
    damping = np.cumsum(_DAMPING ** np.arange(1, weeks + 1))
    return [level + float(sum_) * trend for sum_ in damping], errors
