"""The named questions: each aggregates in the store, and computes the rest in the same way for all."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from contract.errors import InputError
from workloads.devops_metrics.anomalies import WINDOW, Alarms, find_anomalies
from workloads.timeseries.store import Aggregation, Column, Period

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.timeseries.store import MetricStore

FIVE_MINUTES = timedelta(minutes=5)
WEEK = timedelta(days=7)
FINE = timedelta(days=2)
"""The longest period that `fleet-cpu` and `error-rate` answer in steps of five minutes."""
_APPLICATION = ("Application_ID", "Application_Name")
#: A host is remarkable this many robust standard deviations from its fleet.
_FAR = 3.5  # Iglewicz and Hoaglin (1993): How to Detect and Handle Outliers
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_SMALLEST_FLEET = 3


@dataclass(frozen=True)
class Query:
    """A named question.

    Attributes:
        summary: What it answers, in a line.
        period: The period that it covers by default.
        run: Asks a store.
        aggregation: Its first request to the store for a period, for showing the statements; None: it reads the
            description.
    """

    summary: str
    period: timedelta
    run: Callable[[MetricStore, Period], pd.DataFrame]
    aggregation: Callable[[Period], Aggregation] | None


FLEET = Aggregation(tuple(Column(f"p{percent}", "percentile", "CPU_Usage", percent) for percent in (50, 90, 99)))
LOAD = Aggregation(
    (
        Column("cpu", "mean", "CPU_Usage"),
        Column("deviation", "deviation", "CPU_Usage"),
        Column("memory", "mean", "Memory_Usage"),
        Column("throughput", "mean", "Network_Throughput"),
        Column("rows", "count", "CPU_Usage"),
    ),
    by=_APPLICATION,
)
STATUS = Aggregation(
    (
        Column("responses", "count", "HTTP_Status"),
        *(
            Column(f"s{kind}xx", "count", "HTTP_Status", between=(100 * kind, 100 * kind + 100))
            for kind in (2, 3, 4, 5)
        ),
    ),
)
SEEN = Aggregation((Column("cpu", "mean", "CPU_Usage"),), by=_APPLICATION, window=FIVE_MINUTES)
FILLED = Aggregation(SEEN.columns, by=_APPLICATION, window=FIVE_MINUTES, interpolate=True)
HOURLY = Aggregation(
    (Column("cpu", "mean", "CPU_Usage"), Column("throughput", "mean", "Network_Throughput")),
    by=_APPLICATION,
    window=timedelta(hours=1),
)
SIGNALS = Aggregation(
    (
        Column("cpu", "mean", "CPU_Usage"),
        Column("memory", "mean", "Memory_Usage"),
        Column("throughput", "mean", "Network_Throughput"),
        Column("responses", "count", "HTTP_Status"),
        Column("errors", "count", "HTTP_Status", between=(500, 600)),
    ),
    by=_APPLICATION,
    window=WINDOW,
)


def stepwise(question: Aggregation, period: Period) -> Aggregation:
    """Return a question with windows of five minutes, or of an hour where a figure could not show as many."""
    hourly = period.end - period.start > FINE
    return replace(question, window=timedelta(hours=1) if hourly else FIVE_MINUTES)


def fleet_cpu(store: MetricStore, period: Period) -> pd.DataFrame:
    """Return percentiles of CPU usage over all rows, every five minutes or every hour."""
    return store.aggregate(stepwise(FLEET, period), period)


def busiest(store: MetricStore, period: Period) -> pd.DataFrame:
    """Return applications by mean CPU usage."""
    return store.aggregate(LOAD, period).sort_values(
        ["cpu", "Application_ID"], ascending=[False, True], ignore_index=True
    )


def noisiest(store: MetricStore, period: Period) -> pd.DataFrame:
    """Return applications by how much their CPU usage varies, relative to its mean."""
    table = store.aggregate(LOAD, period)[[*_APPLICATION, "cpu", "deviation"]]
    table["variation"] = table["deviation"] / table["cpu"]
    return table.sort_values(["variation", "Application_ID"], ascending=[False, True], ignore_index=True)


def error_rate(store: MetricStore, period: Period) -> pd.DataFrame:
    """Return the share of responses of each status class, every five minutes or every hour."""
    table = store.aggregate(stepwise(STATUS, period), period)
    for kind in (2, 3, 4, 5):
        table[f"{kind}xx"] = table.pop(f"s{kind}xx") / table["responses"]
    return table


def gaps(store: MetricStore, period: Period) -> pd.DataFrame:
    """Return the mean CPU usage of windows without reports, interpolated linearly between their neighbours."""
    keys = FILLED.keys
    table = store.aggregate(FILLED, period)
    reported = pd.MultiIndex.from_frame(store.aggregate(SEEN, period)[keys])
    return table[~pd.MultiIndex.from_frame(table[keys]).isin(reported)].reset_index(drop=True)


def week_over_week(store: MetricStore, period: Period) -> pd.DataFrame:
    """Return each application's last seven days beside the seven before, over the hours that both have."""
    middle = period.end - WEEK
    now = store.aggregate(HOURLY, Period(middle, period.end))
    before = store.aggregate(HOURLY, Period(middle - WEEK, middle))
    before["time"] += WEEK
    both = now.merge(before, on=HOURLY.keys, suffixes=("", "_before"))
    values = ["cpu", "cpu_before", "throughput", "throughput_before"]
    table = both.groupby(list(_APPLICATION), as_index=False)[values].mean()
    for name in ("cpu", "throughput"):
        table[f"{name}_change"] = table[name] / table[f"{name}_before"] - 1
    return table.sort_values(["cpu_change", "Application_ID"], ascending=[False, True], ignore_index=True)


def deviating_hosts(store: MetricStore, period: Period) -> pd.DataFrame:
    """Return hosts (Application_ID) whose mean CPU or memory is far from their fleet's median (Application_Name)."""
    table = store.aggregate(LOAD, period)
    fleets = table.groupby("Application_Name")
    scores = {}
    for name in ("cpu", "memory"):
        middle = fleets[name].transform("median")
        distance = (table[name] - middle).abs()
        spread = distance.groupby(table["Application_Name"]).transform("median") * _MAD_TO_DEVIATION
        # In a uniform fleet the spread is almost 0; a deviation of one percent of the level is not remarkable.
        scores[f"{name}_score"] = (table[name] - middle) / spread.clip(lower=0.01 * middle.abs() + 1e-9)
        table[f"fleet_{name}"] = middle
    far = pd.DataFrame(scores).abs().max(axis=1)
    large = fleets["cpu"].transform("size") >= _SMALLEST_FLEET
    chosen = table.assign(**scores, far=far)[(far > _FAR) & large]
    columns = [*_APPLICATION, "cpu", "fleet_cpu", "cpu_score", "memory", "fleet_memory", "memory_score"]
    return chosen.sort_values(["far", "Application_ID"], ascending=[False, True], ignore_index=True)[columns]


def anomalies(store: MetricStore, period: Period, alarms: Alarms | None = None) -> pd.DataFrame:
    """Return incidents: stretches in which a measure of an application left its usual course."""
    return find_anomalies(store.aggregate(SIGNALS, period), alarms, pd.Timestamp(period.start))


def retention(store: MetricStore, _period: Period) -> pd.DataFrame:
    """Return whether the store keeps what it should: retention, oldest and newest row, when the first rows go."""
    description = store.describe()
    now = datetime.now(UTC)
    verdict = "empty"
    goes = None
    if description.oldest:
        verdict = "keeps everything for ever"
        if description.retention:
            goes = description.oldest + description.retention
            verdict = "nothing older than the retention" if goes > now else "holds rows older than its retention"
    return pd.DataFrame(
        [
            {
                "place": description.place,
                "rows": description.rows,
                "oldest": description.oldest,
                "newest": description.newest,
                "retention_days": description.retention / timedelta(days=1) if description.retention else None,
                "oldest_goes": goes,
                "verdict": verdict,
            }
        ]
    )


_DAY = timedelta(days=1)
QUERIES: dict[str, Query] = {
    "fleet-cpu": Query(
        "p50, p90 and p99 of CPU usage over all hosts, in steps", _DAY, fleet_cpu, partial(stepwise, FLEET)
    ),
    "busiest": Query("applications by mean CPU usage", _DAY, busiest, lambda _: LOAD),
    "noisiest": Query("applications by how much their CPU usage varies", _DAY, noisiest, lambda _: LOAD),
    "error-rate": Query("share of responses by status class, in steps", _DAY, error_rate, partial(stepwise, STATUS)),
    "gaps": Query("windows without data, filled by interpolation", _DAY, gaps, lambda _: FILLED),
    "week-over-week": Query(
        "each application's week beside the week before", 2 * WEEK, week_over_week, lambda _: HOURLY
    ),
    "deviating-hosts": Query("hosts far from the median of their fleet", _DAY, deviating_hosts, lambda _: LOAD),
    "anomalies": Query("incidents: measures that left their usual course", 2 * WEEK, anomalies, lambda _: SIGNALS),
    "retention": Query("what is kept, and for how long", _DAY, retention, None),
}


def ask(store: MetricStore, name: str, period: Period | None = None) -> pd.DataFrame:
    """Return a store's answer to a named question, over the question's usual period by default.

    Raises:
        InputError: There is no question of that name, or the store refuses it.
        UnavailableError: The store cannot be reached.
    """
    query = find(name)
    return query.run(store, period or Period.last(query.period))


def find(name: str) -> Query:
    """Return the query of that name.

    Raises:
        InputError: There is no such query; the message names the nearest.
    """
    if name not in QUERIES:
        near = difflib.get_close_matches(name, QUERIES, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise InputError(f"There is no question {name}.{meant} There are {', '.join(QUERIES)}.")
    return QUERIES[name]
