"""Lambda functions: how often they were called, how long they took, cold and warm starts, errors, newest calls."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, render_template

from localcloud.console import metrics, reading
from localcloud.console.views import logs

blueprint = Blueprint("functions", __name__)

SINCE = timedelta(days=1)
SHOWN_CALLS, SHOWN_LINES = 40, 120
_REPORT = re.compile(
    r"REPORT RequestId: (?P<request>\S+)\s+Duration: (?P<duration>[\d.]+) ms.*?Max Memory Used: (?P<memory>\d+) MB"
    r"(?:\s+Init Duration: (?P<init>[\d.]+) ms)?",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True)
class Function:
    """A function with its figures of the last day.

    Attributes:
        name: Its name.
        details: All that Lambda describes of it.
        invocations: How often it was called.
        errors: How many calls failed.
        throttles: How many calls were refused because too many ran.
        duration: The mean duration, in milliseconds; None if it was not called.
    """

    name: str
    details: dict[str, Any]
    invocations: int
    errors: int
    throttles: int
    duration: float | None

    @property
    def status(self) -> str:
        """What its figures mean, as a status of AWS: a function that nobody called is neither good nor bad."""
        if not self.invocations:
            return "INSUFFICIENT_DATA"
        return "FAILED" if self.errors else "OK"


@dataclass(frozen=True)
class Call:
    """A call, as the function's log reports it.

    Attributes:
        time: When it ended.
        request: Its id.
        duration: Milliseconds.
        memory: The most memory that it used, in MB.
        start: Milliseconds that a cold start took; None for a warm one.
    """

    time: datetime | None
    request: str
    duration: float
    memory: int
    start: float | None


def all_functions(*names: str) -> list[Function]:
    """Return the functions of these names, or all, with their figures; by name."""
    rows = reading.listed("lambda", "list_functions", "Functions")
    rows = sorted(
        (row for row in rows if not names or row["FunctionName"] in names), key=lambda row: str(row["FunctionName"])
    )
    wanted = [
        metrics.Metric(
            "AWS/Lambda", name, {"FunctionName": row["FunctionName"]}, statistic, period=int(SINCE.total_seconds())
        )
        for row in rows
        for name, statistic in (
            ("Invocations", "Sum"),
            ("Errors", "Sum"),
            ("Throttles", "Sum"),
            ("Duration", "Average"),
        )
    ]
    end = datetime.now(UTC)
    series = iter(metrics.read(wanted, end - SINCE, end))
    functions = []
    for row in rows:
        invocations, errors, throttles, duration = (next(series) for _ in range(4))
        counts = [int(sum(line.values)) for line in (invocations, errors, throttles)]
        functions.append(Function(row["FunctionName"], row, counts[0], counts[1], counts[2], duration.latest))
    return functions


def calls(lines: Iterable[dict[str, Any]]) -> list[Call]:
    """Return the calls that log lines report, in the order of the lines."""
    reports = [(line, _REPORT.search(line["message"])) for line in lines]
    return [
        Call(
            time=reading.utc(line["timestamp"]),
            request=report["request"],
            duration=float(report["duration"]),
            memory=int(report["memory"]),
            start=float(report["init"]) if report["init"] else None,
        )
        for line, report in reports
        if report
    ]


def log_group(function: Function) -> str:
    """Return the name of a function's log group."""
    chosen = function.details.get("LoggingConfig", {}).get("LogGroup")
    return str(chosen or f"/aws/lambda/{function.name}")


@blueprint.get("/functions")
def show_all() -> str:
    """Show all functions."""
    return render_template("functions.html", functions=all_functions())


@blueprint.get("/functions/<name>")
def show(name: str) -> str:
    """Show a function."""
    function = reading.existing(next(iter(all_functions(name)), None), f"There is no function {name}.")
    client, group = reading.client("logs"), log_group(function)
    try:
        lines = logs.newest([group], 2000)
    except client.exceptions.ResourceNotFoundException:  # it has not been called
        lines = []
    return render_template(
        "function.html",
        function=function,
        calls=calls(lines)[:SHOWN_CALLS],
        lines=lines[:SHOWN_LINES][::-1],
        group=group,
        sources=reading.listed("lambda", "list_event_source_mappings", "EventSourceMappings", FunctionName=name),
    )
