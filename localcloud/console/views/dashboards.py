"""CloudWatch's dashboards, laid out in 24 columns as AWS shows them, with what the local cloud has measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort, render_template, request

from localcloud.console import charts, metrics, reading, widgets
from localcloud.console.views import alarms, images, logs

blueprint = Blueprint("dashboards", __name__)

#: Seconds for which an address of a picture stays the same, so that an unchanged page does not load it again.
STEP = 15
#: Rows of values that the table below a chart has at most.
SHOWN_VALUES = 30
SHOWN_LOG_LINES = 20


@dataclass(frozen=True)
class Shown:
    """A widget with its data.

    Attributes:
        widget: The widget.
        chart: The chart of a metric widget.
        alarms: The alarms of an alarm widget.
        lines: The newest lines of a log widget's groups.
        sentence: What a chart shows, in words.
    """

    widget: widgets.Widget
    chart: charts.Chart | None = None
    alarms: tuple[alarms.Alarm, ...] = ()
    lines: tuple[dict[str, Any], ...] = ()
    sentence: str = ""

    @property
    def table(self) -> list[tuple[datetime, list[float | None]]]:
        """The values of the chart by time, the latest first."""
        series = self.chart.series if self.chart else []
        by_time = [dict(zip(line.times, line.values, strict=True)) for line in series]
        times = sorted({moment for line in by_time for moment in line}, reverse=True)
        return [(moment, [line.get(moment) for line in by_time]) for moment in times[:SHOWN_VALUES]]


def board(name: str, chosen: dict[str, str]) -> widgets.Board:
    """Return a dashboard by its name.

    Raises:
        UnprocessableEntity: CloudWatch would not take its body.
    """
    body = reading.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    try:
        return widgets.board(body, chosen)
    except (ValueError, LookupError, TypeError, AttributeError):
        abort(422, f"The body of the dashboard {name} is not one that CloudWatch takes.")


def chart(widget: widgets.Widget, begin: datetime, end: datetime) -> charts.Chart | None:
    """Return the chart of a metric widget; None if it has none of its own."""
    if not widget.metrics:
        of_alarms = alarms.all_alarms(*widget.alarms) if widget.alarms else []
        return alarms.chart_of(of_alarms[0], end) if of_alarms else None
    series = metrics.read(widget.metrics, begin, end)
    (left, left_limits), (right, right_limits) = widget.axis("left"), widget.axis("right")
    return charts.Chart(
        begin=begin,
        end=end,
        series=series,
        thresholds=widget.thresholds,
        moments=widget.moments,
        stacked=bool(widget.properties.get("stacked")),
        left=left or _unit(series, right=False),
        right=right or _unit(series, right=True),
        limits=(left_limits, right_limits),
    )


def _unit(series: list[metrics.Series], *, right: bool) -> str:
    """Return the unit that all series of an axis have; empty if they have several or none."""
    units = {line.unit for line in series if line.metric.right == right and line.values}
    return units.pop() if len(units) == 1 else ""


def sentence(shown: charts.Chart) -> str:
    """Say what a chart shows: the latest value of each line."""
    if not any(line.values for line in shown.series):
        return "No data in this span of time."
    latest = [
        f"{line.metric.label} {charts.short(line.latest)}{f' {line.unit}' if line.unit not in {'', 'Count'} else ''}"
        for line in shown.series
        if line.latest is not None
    ]
    silent = [line.metric.label for line in shown.series if not line.values]
    return f"Latest: {', '.join(latest)}." + (f" No data: {', '.join(silent)}." if silent else "")


def _shown(widget: widgets.Widget, begin: datetime, end: datetime) -> Shown:
    if widget.kind == "metric":
        drawn = chart(widget, begin, end)
        return Shown(widget, chart=drawn, sentence=sentence(drawn) if drawn else "")
    if widget.kind == "alarm":
        listed = alarms.all_alarms(*widget.alarms) if widget.alarms else []
        return Shown(widget, alarms=tuple(listed))
    if widget.kind == "log":
        return Shown(
            widget, lines=tuple(logs.newest(logs.sources(widget.properties.get("query", "")), SHOWN_LOG_LINES))
        )
    return Shown(widget)


@blueprint.get("/dashboards")
def show_all() -> str:
    """Show which dashboards there are."""
    entries = reading.listed("cloudwatch", "list_dashboards", "DashboardEntries")
    return render_template("dashboards.html", dashboards=sorted(entries, key=lambda entry: str(entry["DashboardName"])))


@blueprint.get("/dashboards/<name>")
def show(name: str) -> str:
    """Show a dashboard."""
    until = int(time.time()) // STEP * STEP + STEP
    end = datetime.fromtimestamp(until, UTC)
    span = images.span(request.args)
    begin = end - images.SPANS[span][1]
    shown = board(name, request.args)
    return render_template(
        "dashboard.html",
        name=name,
        choices=shown.choices,
        widgets=[_shown(widget, begin, end) for widget in shown.widgets],
        spans=[(key, label) for key, (label, _) in images.SPANS.items()],
        span=span,
        until=until,
        query={choice.name: choice.chosen for choice in shown.choices} | {"span": span},
    )


@blueprint.get("/graphs/dashboard/<name>/<int:number>")
def graph(name: str, number: int) -> Response:
    """Draw a metric widget of a dashboard, by its number in the dashboard's body."""
    end = images.end(request.args)
    begin = end - images.SPANS[images.span(request.args)][1]
    of_number = (widget for widget in board(name, request.args).widgets if widget.number == number)
    widget = reading.existing(next(of_number, None), "The dashboard has no such widget.")
    return images.drawn(chart(widget, begin, end), request.args)
