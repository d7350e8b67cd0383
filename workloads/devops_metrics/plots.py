"""One figure for each named question. Without seaborn and pyplot, which take seconds to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib import style
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from contract.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from workloads.timeseries.store import MetricStore, Period

_SHOWN = 12  # applications that fit into a figure
_CURVES = {
    "fleet-cpu": (("p99", "p90", "p50"), 1, "CPU usage, %"),
    "error-rate": (("4xx", "5xx"), 100, "share of responses, %"),
}
_BARS = {
    "busiest": ("cpu", "mean CPU usage, %"),
    "noisiest": ("variation", "standard deviation of CPU usage / mean"),
    "week-over-week": ("cpu_change", "change of CPU usage against the week before, as a share"),
    "deviating-hosts": ("cpu_score", "robust standard deviations from the fleet's CPU usage"),
}


def plot(name: str, table: pd.DataFrame, store: MetricStore, period: Period) -> Figure:
    """Draw the answer to a named question.

    Args:
        name: The question.
        table: Its answer.
        store: Asked for the course of the measures around anomalies.
        period: What was asked about.

    Raises:
        InputError: There is nothing to draw.
    """
    if table.empty:
        raise InputError(f"Question {name}: The answer is empty, so there is nothing to draw.")
    if name == "anomalies":
        return _incidents(table, store, period)
    with style.context("seaborn-v0_8-whitegrid"):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        axes = figure.subplots()
    if name in _CURVES:
        columns, factor, label = _CURVES[name]
        for column in columns:
            axes.plot(table["time"], factor * table[column], label=column, linewidth=1)
        axes.legend()
        _dates(axes, label)
    elif name in _BARS:
        column, label = _BARS[name]
        _bars(axes, table, column, label)
    elif name == "gaps":
        for identity, rows in list(table.groupby("Application_ID"))[:_SHOWN]:
            axes.plot(rows["time"], rows["cpu"], ".", label=str(identity))
        axes.legend(ncols=2, fontsize="small")
        _dates(axes, "interpolated CPU usage, %")
    else:
        raise InputError(f"Question {name}: There is no figure for this question. Leave --plot out.")
    axes.set_title(f"{name}, {period.start:%Y-%m-%d %H:%M} to {period.end:%Y-%m-%d %H:%M} UTC", fontsize="medium")
    return figure


def _bars(axes: Axes, table: pd.DataFrame, column: str, label: str) -> None:
    rows = table.head(_SHOWN).iloc[::-1]
    axes.barh(rows["Application_ID"], rows[column], color="C0")
    axes.set_xlabel(label)


def _dates(axes: Axes, label: str) -> None:
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylabel(label)


def _incidents(table: pd.DataFrame, store: MetricStore, period: Period) -> Figure:
    """Draw a panel for each application with incidents: the signal that was furthest out, its incidents shaded."""
    from workloads.devops_metrics.queries import SIGNALS

    signals = store.aggregate(SIGNALS, period)
    signals["errors"] = 100 * signals["errors"] / signals["responses"].where(signals["responses"] > 0)
    worst = table.assign(size=table["score"].abs()).sort_values("size", ascending=False)
    identities = list(dict.fromkeys(worst["Application_ID"]))[:_SHOWN]
    labels = {"cpu": "CPU, %", "memory": "memory, %", "throughput": "throughput", "errors": "errors, %"}
    figure = Figure(figsize=(10, 1.5 * len(identities) + 0.6), layout="constrained")
    panels = figure.subplots(len(identities), sharex=True, squeeze=False)[:, 0]
    for axes, identity in zip(panels, identities, strict=True):
        rows = worst[worst["Application_ID"] == identity]
        signal = rows.iloc[0]["signal"]
        course = signals[signals["Application_ID"] == identity]
        axes.plot(course["time"], course[signal], linewidth=0.6, color="0.35")
        for start, end in zip(rows["start"], rows["end"], strict=True):
            axes.axvspan(start, end, color="C3", alpha=0.45, linewidth=0)
        _dates(axes, labels[signal])
        axes.set_title(identity, fontsize="small", loc="left", pad=2)
    return figure
