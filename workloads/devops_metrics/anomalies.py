"""Incidents in monitoring data: a signal goes much further from its usual course than it goes on a busy day.

The usual course is a level, which may change and then stays, and a season of the day and the week where the history
shows one. Distances from it are not measured in standard deviations, of which an idle signal has none and a bursty one
has too many, but in what the signal itself does on a busy day. So what happens every day is not an incident, whatever
it looks like, and a burst that is ten times as high or as long as the others is one. The method looks back at a
finished period; it does not predict.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import log2
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.devops_metrics.simulate import Incident

    Series = pd.Series[float]

WINDOW = timedelta(minutes=5)
#: Fewer windows with a value say nothing about what is usual.
LEAST_WINDOWS = 56

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SIGNALS = ("cpu", "memory", "throughput", "errors")
#: More windows than this are a wrong time in the file.
_MOST_WINDOWS = 10_000_000
#: Signals beyond this, or below its inverse, are scaled, so that sums and ratios stay finite; scores have no unit.
_LARGEST = 1e100
#: Windows that an incident of an application must have: a deployment, which disturbs one, is none.
_SHORTEST = 2
#: Unusual windows that lie this close together are one incident.
_JOINED = _HOUR
#: Each doubling of the number of series asks that much more of an incident. It halves the false alarms of a series:
#: those of simulated fleets fell by two thirds for each 0.2.
_PER_DOUBLING = 0.12

#: Lengths over which a signal is averaged before it is judged; the first is the single window.
_AVERAGES = (timedelta(0), _HOUR, 3 * _HOUR, 9 * _HOUR)
#: A change of level is the median of so long after a moment, less the median of so long before it.
_AFTER, _BEFORE = 6 * _HOUR, 24 * _HOUR
#: A signal that stands still for less than twice this long is not stuck.
_STILL, _STILL_WINDOWS = 2 * _HOUR, 6
#: One day in four is busy: the quantile of the days' extremes. A history that is shorter than so many days is cut into
#: as many parts, which count as days.
_BUSY, _LEAST_DAYS = 0.75, 14
#: A busy day reaches at least so many standard deviations: what normal noise in windows of five minutes does.
_NOISE = 3.5
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
#: A season, or a change of level, is believed if it takes at least 30 % off the mean absolute distance.
_GAIN = 0.7
#: Days of history that are needed to tell hours of the day, weekends, and days of the week apart.
_FOR_HOURS, _FOR_WEEKENDS, _FOR_WEEKDAYS = 4, 13, 27
_SATURDAY = 5
_LEVEL_LASTS = 2 * _DAY
_CUTS = 200  # moments at which a change of level is looked for


@dataclass(frozen=True)
class Alarms:
    """How readily an alarm is raised.

    Attributes:
        per_day: At most so many incidents a day for each host, as a mean over all hosts and days. The furthest out are
            kept; one is always allowed.
        distance: The score above which a window is unusual, if a single series is watched: 2 is twice as far as on a
            busy day. Where many are watched it is higher, or false alarms would grow with the fleet.
        probation: A host raises no alarm for so long after its first row, or for a tenth of its history if that is
            shorter.
    """

    per_day: float = 0.15
    distance: float = 2.0
    probation: timedelta = _DAY


@dataclass(frozen=True)
class Detection:
    """How many incidents were found, and how many of the findings are right.

    Attributes:
        precision: Share of the stretches that were found which overlap an incident of that application.
        recall: Share of the incidents that overlap a stretch that was found for that application.
        detected: Number of stretches that were detected.
        incidents: Number of incidents.
    """

    precision: float
    recall: float
    detected: int
    incidents: int


def find_anomalies(
    signals: pd.DataFrame, alarms: Alarms | None = None, since: pd.Timestamp | None = None
) -> pd.DataFrame:
    """Find the stretches in which an application left its usual course.

    Args:
        signals: `time`, `Application_ID`, `Application_Name`, `cpu`, `memory`, `throughput`, `responses`, `errors`, for
            each application and window.
        alarms: How readily an alarm is raised.
        since: See `find_incidents`.

    Returns:
        `Application_ID`, `Application_Name`, `start`, `end`, `signal`, `score` (see `find_incidents`), by start.
    """
    hosts: dict[Hashable, pd.DataFrame] = {}
    for names, rows in signals.groupby(["Application_ID", "Application_Name"], sort=True):
        hosts[names] = rows.set_index("time")[[*_SIGNALS, "responses"]]
    incidents = find_incidents(hosts, alarms, since, _SHORTEST)
    applications = pd.DataFrame(
        incidents["host"].tolist(), columns=["Application_ID", "Application_Name"], dtype=object
    )
    return pd.concat([applications, incidents[["start", "end", "signal", "score"]]], axis=1)


def find_incidents(
    hosts: Mapping[Hashable, pd.DataFrame],
    alarms: Alarms | None = None,
    since: pd.Timestamp | None = None,
    shortest: int = 1,
) -> pd.DataFrame:
    """Find the incidents of hosts. What several signals of a host do at the same time is one incident.

    Args:
        hosts: The signals of each host: a numeric column each, indexed by time. They are averaged in windows of five
            minutes, or of the usual distance of two rows where that is longer. A count `errors` beside a count
            `responses` is judged by the share of errors.
        alarms: How readily an alarm is raised.
        since: Hosts that have a row within an hour of this are not new, and so not on probation; by default all are.
        shortest: Windows that an incident must have.

    Returns:
        `host`, `signal` (the furthest out), `start`, `end` (of the last window), `score` (the highest `unusualness`),
        by start.

    Raises:
        InputError: The rows of a host lie more than ten million windows apart.
    """
    alarms = alarms or Alarms()
    scores = {host: _scores(signals) for host, signals in hosts.items()}
    watched = sum(len(table.score.columns) for table in scores.values())
    limit = alarms.distance + _PER_DOUBLING * log2(max(watched, 1))
    incidents: list[dict[str, Any]] = []
    watched_for = timedelta(0)
    for host, table in scores.items():
        first, history = table.score.index[0], table.score.index[-1] - table.score.index[0]
        new = since is None or first > since + _HOUR
        earliest = first + min(alarms.probation, history / 10) if new else first
        incidents_of_host = _incidents(table, limit, shortest)
        incidents += [{"host": host, **incident} for incident in incidents_of_host if incident["start"] >= earliest]
        watched_for += history
    incidents.sort(key=lambda incident: incident["score"], reverse=True)
    incidents = incidents[: max(1, round(alarms.per_day * (watched_for / _DAY)))]
    incidents.sort(key=lambda incident: incident["start"])
    return pd.DataFrame(incidents, columns=["host", "signal", "start", "end", "score"])


def unusualness(values: Series, grain: float = 0.0) -> pd.DataFrame:
    """Measure how far a signal is from its usual course, in units of how far it goes on a busy day.

    Args:
        values: Indexed by time, in windows of equal length; NaN where nothing was reported.
        grain: What a single event adds to the value of a window, where the signal counts events. A busy day is one
            with two of them close together, at least.

    Returns:
        `score` of each window, at least 0; 1 is as far as the signal goes on one day in four; 0 where nothing is known.
        It is the highest of several views of the signal: its distance above or below the usual course, singly and
        averaged over hours; a change of its level, up or down; and how long it has not moved at all. Averages are also
        high beside what makes them high; `here` leaves them out there, to tell where an incident begins and ends.
    """
    window = values.index[1] - values.index[0]
    passed = values.index - values.index[0]
    days = np.asarray(passed // max(window, min(pd.Timedelta(_DAY), passed[-1] / _LEAST_DAYS)))
    level, season = _usual(values, window)
    course = (values - season).interpolate(limit=_windows(_HOUR, window))
    lengths = [_windows(length, window) for length in _AVERAGES]
    averages = [_average(course - level, length) for length in lengths]
    change = _change(course, window)
    smallest = 0.001 * float(values.abs().median())
    least = [max(_noise(view), 2 * grain / length, smallest) for view, length in zip(averages, lengths, strict=True)]
    still = _standing_still(values)
    views = [still / _busy_day(still, days, max(_windows(_STILL, window), _STILL_WINDOWS))]
    beside = []
    for sign in (1, -1):
        busy = [_busy_day(sign * view, days, floor) for view, floor in zip(averages, least, strict=True)]
        distances = [sign * view / unit for view, unit in zip(averages, busy, strict=True)]
        views += distances[:2]
        for view, average in zip(distances[2:], averages[2:], strict=True):
            present = sign * averages[1] >= sign * average / 2  # the hour contributes to the longer average
            views.append(view.where(present))
            beside.append(view.mask(present))
        views.append(sign * change / _busy_day(sign * change, days, max(_noise(change), busy[0] / 2)))
    local = pd.concat(views, axis=1).max(axis=1)
    score = pd.concat([local, *beside], axis=1).max(axis=1)
    return pd.DataFrame({"score": score, "here": local}).clip(lower=0).fillna(0.0)


def evaluate(anomalies: pd.DataFrame, incidents: Sequence[Incident]) -> Detection:
    """Compare the anomalies that were found with the incidents that are known to have happened."""
    stretches = list(zip(anomalies["Application_ID"], anomalies["start"], anomalies["end"], strict=True))

    def overlap(stretch: tuple[str, pd.Timestamp, pd.Timestamp], incident: Incident) -> bool:
        identity, start, end = stretch
        return identity == incident.application_id and start < incident.end and end > incident.start

    right = sum(any(overlap(stretch, incident) for incident in incidents) for stretch in stretches)
    detected = sum(any(overlap(stretch, incident) for stretch in stretches) for incident in incidents)
    return Detection(
        precision=right / len(stretches) if stretches else 1.0,
        recall=detected / len(incidents) if incidents else 1.0,
        detected=len(stretches),
        incidents=len(incidents),
    )


# Scores and incidents of one host


class _Scores(NamedTuple):
    """The unusualness of each signal of a host, a column each, in windows of equal length."""

    score: pd.DataFrame
    here: pd.DataFrame


def _scores(signals: pd.DataFrame) -> _Scores:
    """Return those of the signals that have values enough."""
    table = signals.sort_index()
    window = pd.Timedelta(WINDOW)
    if len(table) > 1:
        window = max(window, pd.Timedelta(np.median(np.diff(table.index))))
    if (table.index[-1] - table.index[0]) / window > _MOST_WINDOWS:
        raise InputError(
            f"The rows between {table.index[0]} and {table.index[-1]} are more than {_MOST_WINDOWS:,} windows of "
            f"{window}. One of the times may be wrong."
        )
    largest = table.abs().max()
    table = table / largest.where((largest > _LARGEST) | (largest < 1 / _LARGEST) & (largest > 0), 1.0)
    windows = table.resample(window, origin="start")
    regular = windows.mean()
    counts = (table.fillna(0) % 1 == 0).all() & (largest < _LARGEST)  # whole numbers count events
    grain = (counts / max(1.0, windows.size().median())).to_dict()
    if {"errors", "responses"} <= set(table):
        responses = windows["responses"].sum()
        regular["errors"] = windows["errors"].sum() / responses.where(responses > 0)
        grain["errors"] = 1 / max(1.0, float(responses.median()))
        regular = regular.drop(columns="responses")
    if "throughput" in regular and not (regular["throughput"] < 0).any():
        regular["throughput"], grain["throughput"] = _in_proportion(regular["throughput"]), 0.0
    judged = {
        name: unusualness(values, grain[name]) for name, values in regular.items() if values.count() >= LEAST_WINDOWS
    }
    return _Scores(
        pd.DataFrame({name: table["score"] for name, table in judged.items()}, index=regular.index),
        pd.DataFrame({name: table["here"] for name, table in judged.items()}, index=regular.index),
    )


def _in_proportion(traffic: Series) -> Series:
    """Make the noise of traffic, which varies in proportion to its level, as large at a high level as at a low one."""
    return (1 + traffic / traffic[traffic > 0].median()).map(np.log)


def _incidents(scores: _Scores, limit: float, shortest: int) -> list[dict[str, Any]]:
    """Return the runs of at least `shortest` windows in which a signal is beyond the limit."""
    beyond = scores.score.max(axis=1) > limit
    times = beyond.index[beyond]
    if times.empty:
        return []
    window = beyond.index[1] - beyond.index[0]
    breaks = np.flatnonzero(np.diff(times) > max(pd.Timedelta(_JOINED), 1.5 * window))
    incidents = []
    for begin, last in zip(times[[0, *(breaks + 1)]], times[[*breaks, -1]], strict=True):
        highest = scores.score[begin:last].max()
        local = scores.here[begin:last].max(axis=1) > limit
        start, end = local.index[local][[0, -1]] if local.any() else (begin, last)
        if (last - begin) / window >= shortest - 1:
            incident = {"signal": highest.idxmax(), "start": start, "end": end + window, "score": float(highest.max())}
            incidents.append(incident)
    return incidents


def _windows(length: timedelta, window: pd.Timedelta) -> int:
    return max(1, round(length / window))


# The usual course


def _usual(values: Series, window: pd.Timedelta) -> tuple[Series, Series]:
    """Return the level and the season of a signal, each estimated on what the other leaves."""
    season = pd.Series(0.0, values.index)
    for _ in range(2):
        level = _level(values - season, window)
        season = _season(values - level)
    return level, season


def _level(values: Series, window: pd.Timedelta) -> Series:
    """Return the median of each stretch between two changes of level."""
    width = max(pd.Timedelta(_HOUR), window)
    hourly = values.resample(width, origin="start").median()
    levels = _piecewise(np.asarray(hourly, dtype=np.float64), max(4, _windows(_LEVEL_LASTS, width)))
    return pd.Series(levels, hourly.index).reindex(values.index, method="ffill")


def _piecewise(values: NDArray[np.float64], shortest: int) -> NDArray[np.float64]:
    """Return medians of segments of a history: a regression tree over time, absolute errors (Breiman et al., 1984)."""
    cuts = range(shortest, len(values) - shortest + 1, 1 + len(values) // _CUTS)
    errors = [_error(values[:cut]) + _error(values[cut:]) for cut in cuts]
    if errors and min(errors) < _GAIN * _error(values):
        cut = cuts[int(np.argmin(errors))]
        return np.concatenate([_piecewise(values[:cut], shortest), _piecewise(values[cut:], shortest)])
    return np.full(len(values), np.nanmedian(values) if np.isfinite(values).any() else 0.0)


def _error(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.abs(finite - np.median(finite)).sum()) if len(finite) else 0.0


def _season(values: Series) -> Series:
    """Return the median of the same hour of all days, of workdays or weekends, or of the same day of the week.

    It is the finest of these that the history suffices for and that pays; the median of all values where none does.
    """
    index = pd.DatetimeIndex(values.index)
    history = (index[-1] - index[0]) / pd.Timedelta(_DAY)
    weekday = index.day_of_week
    weekend = np.asarray(weekday) >= _SATURDAY
    season = pd.Series(values.median(), index)
    for needed, kinds in ((_FOR_HOURS, []), (_FOR_WEEKENDS, [weekend]), (_FOR_WEEKDAYS, [weekday])):
        finer = values.groupby([index.hour, *kinds]).transform("median")
        if history >= needed and (values - finer).abs().mean() < _GAIN * (values - season).abs().mean():
            season = finer
    return season


# Views of a signal, and what they are on a busy day


def _average(values: Series, windows: int) -> Series:
    return values.rolling(windows, min_periods=max(1, windows // 2), center=True).mean()


def _change(values: Series, window: pd.Timedelta) -> Series:
    """Return the median of the hours after each moment, less that of the hours before it.

    The first already differs when half of its hours do; moved by that half, a change does not begin before it happens.
    """
    after, before = _windows(_AFTER, window), _windows(_BEFORE, window)
    backwards = values[::-1].rolling(after, min_periods=max(1, after // 2)).median()
    change = backwards[::-1] - values.rolling(before, min_periods=max(1, before // 2)).median().shift(1)
    return change.shift(after // 2)


def _standing_still(values: Series) -> Series:
    """For how many windows the value has been the same; at zero a signal is idle, not stuck."""
    same = values.diff().eq(0) & values.ne(0)
    return same.groupby((~same).cumsum()).cumsum().astype(float)


def _noise(view: Series) -> float:
    return _NOISE * _MAD_TO_DEVIATION * float((view - view.median()).abs().median())


def _busy_day(view: Series, days: NDArray[np.int64], least: float) -> float:
    """Return what a view reaches on one day in four, but at least a given value.

    Where most days reach nothing at all, it is at least a tenth of what the others reach, so that scores stay finite.
    """
    extremes = view.groupby(days).max()
    tenth = extremes[extremes > 0].median() / 10
    return float(np.nanmax([extremes.quantile(_BUSY), tenth, least, np.finfo(float).tiny]))
