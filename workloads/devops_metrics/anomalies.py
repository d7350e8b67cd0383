"""Incidents in monitoring data: robust z-scores against what is usual for the time of day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloads.devops_metrics.simulate import Incident

WINDOW = timedelta(minutes=5)
#: Robust standard deviations at which a window is unusual, and how many such windows in a row make an incident.
THRESHOLD = 5.0
LASTING = 4
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_SEASONAL_DAYS = 5  # fewer say nothing about a time of day
_BRIDGE = 3  # windows that may be usual within an incident
_SIGNALS = ("cpu", "memory", "throughput", "errors")


@dataclass(frozen=True)
class Detection:
    """How well incidents were found.

    Attributes:
        precision: Share of the found stretches that overlap an incident of that application.
        recall: Share of the incidents that overlap a stretch found for that application.
        found: Stretches.
        incidents: Incidents.
    """

    precision: float
    recall: float
    found: int
    incidents: int


def find_anomalies(signals: pd.DataFrame) -> pd.DataFrame:
    """Stretches in which an application left its usual course.

    What is usual is the median of the same time of day (workdays and weekends apart) where there are enough days, and
    of the whole period elsewhere. The distance is measured in robust standard deviations of the application.

    Args:
        signals: `time`, `Application_ID`, `Application_Name`, `cpu`, `memory`, `throughput`, `responses`, `errors`, for
            each application and window.

    Returns:
        `Application_ID`, `Application_Name`, `start`, `end`, `signal` (the furthest), `score` (its distance), by start.
    """
    found: list[dict[str, object]] = []
    for (identity, name), table in signals.groupby(["Application_ID", "Application_Name"], sort=True):
        scores = score(table)
        for first, last in _stretches(scores.abs().max(axis=1) > THRESHOLD):
            inside = scores.loc[first:last]
            signal = str(inside.abs().max().idxmax())
            peak = int(inside[signal].abs().argmax())
            found.append(
                {
                    "Application_ID": identity,
                    "Application_Name": name,
                    "start": first,
                    "end": last + WINDOW,
                    "signal": signal,
                    "score": float(inside[signal].iloc[peak]),
                }
            )
    columns = ["Application_ID", "Application_Name", "start", "end", "signal", "score"]
    return pd.DataFrame(found, columns=columns).sort_values(["start", "Application_ID"], ignore_index=True)


def score(table: pd.DataFrame) -> pd.DataFrame:
    """Robust z-scores of one application's signals, by window; windows without data have none (NaN)."""
    table = table.set_index("time").sort_index()
    share = table["errors"] / table["responses"].where(table["responses"] > 0)
    usual_share = table["errors"].sum() / max(1, table["responses"].sum())
    # Errors of a window are few and discrete: their spread is that of the binomial distribution, not the median's.
    spread = np.sqrt(max(usual_share, 0.001) * (1 - usual_share) / table["responses"].clip(lower=1))
    scores = {"errors": (share - usual_share) / spread.clip(lower=0.05)}
    for name in ("cpu", "memory", "throughput"):
        values = np.log1p(table[name]) if name == "throughput" else table[name]
        residual = values - _usual(values)
        deviation = _MAD_TO_DEVIATION * residual.abs().median()
        scores[name] = residual / max(float(deviation), 0.01 * float(values.abs().median()), 1e-9)
    return pd.DataFrame(scores)[list(_SIGNALS)]


def _usual(values: pd.Series[float]) -> pd.Series[float]:
    """The median of the same time of the day, on workdays or weekends; of all where there are too few days."""
    index = pd.DatetimeIndex(values.index)
    time_of_day = index.hour * 60 + index.minute
    group = [index.day_of_week >= 5, time_of_day]  # noqa: PLR2004 - Saturday
    median = values.groupby(group).transform("median")
    days = pd.Series(index.date, index=values.index).groupby(group).transform("nunique")
    flat = values.median()
    return median.where(days >= _SEASONAL_DAYS, flat) if (days < _SEASONAL_DAYS).all() else median


def _stretches(unusual: pd.Series[bool]) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last window of each run of unusual windows that lasts, small interruptions bridged."""
    times = list(unusual.index[unusual])
    runs: list[list[pd.Timestamp]] = []
    for time in times:
        if runs and time - runs[-1][-1] <= (_BRIDGE + 1) * WINDOW:
            runs[-1].append(time)
        else:
            runs.append([time])
    return [(run[0], run[-1]) for run in runs if len(run) >= LASTING]


def evaluate(found: pd.DataFrame, incidents: Sequence[Incident]) -> Detection:
    """Compare what was found with what is known to have happened."""
    stretches = list(zip(found["Application_ID"], found["start"], found["end"], strict=True))

    def overlap(stretch: tuple[str, pd.Timestamp, pd.Timestamp], incident: Incident) -> bool:
        identity, start, end = stretch
        return identity == incident.application_id and start < incident.end and end > incident.start

    right = sum(any(overlap(stretch, incident) for incident in incidents) for stretch in stretches)
    seen = sum(any(overlap(stretch, incident) for stretch in stretches) for incident in incidents)
    return Detection(
        precision=right / len(stretches) if stretches else 1.0,
        recall=seen / len(incidents) if incidents else 1.0,
        found=len(stretches),
        incidents=len(incidents),
    )
