"""Alarms: their states, why, the graph behind each, what happened to it, and the mails that it sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request

from localcloud.console import charts, metrics, reading
from localcloud.console.views import images, mailbox

blueprint = Blueprint("alarms", __name__)

KINDS = ["MetricAlarm", "CompositeAlarm"]
#: So many periods of its metric does an alarm's graph show around those that it looks at, and at least an hour.
SHOWN_PERIODS = 12
_ORDER = {"ALARM": 0, "INSUFFICIENT_DATA": 2, "OK": 1}


@dataclass(frozen=True)
class Alarm:
    """An alarm.

    Attributes:
        name: Its name.
        description: What its owner says about it.
        status: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``.
        reason: Why it has that state.
        since: Since when.
        rule: When it rings, in words.
        settings: All that CloudWatch describes of it.
    """

    name: str
    description: str
    status: str
    reason: str
    since: datetime | None
    rule: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Happening:
    """An item of the history of an alarm.

    Attributes:
        alarm: The alarm's name.
        time: When it happened.
        kind: ``ConfigurationUpdate``, ``StateUpdate`` or ``Action``.
        summary: CloudWatch's sentence.
        before: The former state, if it changed.
        status: The new one.
        reason: Why it changed.
    """

    alarm: str
    time: datetime
    kind: str
    summary: str
    before: str
    status: str
    reason: str


def all_alarms(*names: str) -> list[Alarm]:
    """Return the alarms of these names, or all; those that ring come first."""
    chosen = {"AlarmNames": list(names)} if names else {}
    paginator = reading.client("cloudwatch").get_paginator("describe_alarms")
    described = paginator.paginate(AlarmTypes=KINDS, **chosen).build_full_result()
    alarms = [_alarm(row) for key in ("MetricAlarms", "CompositeAlarms") for row in described.get(key, [])]
    return sorted(alarms, key=lambda alarm: (_ORDER[alarm.status], alarm.name))


def history(name: str = "") -> list[Happening]:
    """Return what happened to an alarm, or to all of them, the latest first."""
    chosen = {"AlarmName": name} if name else {}
    items = reading.listed(
        "cloudwatch",
        "describe_alarm_history",
        "AlarmHistoryItems",
        AlarmTypes=KINDS,
        ScanBy="TimestampDescending",
        **chosen,
    )
    return [_happening(item) for item in items]


def _happening(item: dict[str, Any]) -> Happening:
    data = json.loads(item.get("HistoryData") or "{}")
    old, new = data.get("oldState", {}), data.get("newState", {})
    return Happening(
        alarm=item["AlarmName"],
        time=item["Timestamp"],
        kind=item["HistoryItemType"],
        summary=item["HistorySummary"],
        before=old.get("stateValue", ""),
        status=new.get("stateValue", ""),
        reason=new.get("stateReason", ""),
    )


def _alarm(row: dict[str, Any]) -> Alarm:
    return Alarm(
        name=row["AlarmName"],
        description=row.get("AlarmDescription", ""),
        status=row["StateValue"],
        reason=row.get("StateReason", ""),
        since=reading.utc(row.get("StateTransitionedTimestamp") or row.get("StateUpdatedTimestamp")),
        rule=row.get("AlarmRule") or _rule(row),
        settings=row,
    )


def _rule(row: dict[str, Any]) -> str:
    """Say when a metric alarm rings."""
    if "MetricName" not in row:
        return "a metric math expression"
    sign = {
        "GreaterThanOrEqualToThreshold": "≥",
        "GreaterThanThreshold": ">",
        "LessThanThreshold": "<",
        "LessThanOrEqualToThreshold": "≤",
    }.get(row["ComparisonOperator"], row["ComparisonOperator"])
    statistic = row.get("Statistic") or row.get("ExtendedStatistic")
    needed, looked_at = row.get("DatapointsToAlarm") or row["EvaluationPeriods"], row["EvaluationPeriods"]
    return (
        f"{statistic} of {row['MetricName']} {sign} {row['Threshold']:g} in {needed} of {looked_at} "
        f"{'period' if looked_at == 1 else 'periods'} of {row['Period']} s; missing data are "
        f"{row.get('TreatMissingData', 'missing')}"
    )


def metric_of(alarm: Alarm) -> metrics.Metric | None:
    """Return the metric that an alarm watches; None for one with an expression or a rule over other alarms."""
    row = alarm.settings
    statistic = str(row.get("Statistic") or row.get("ExtendedStatistic") or "")
    if "MetricName" not in row or not metrics.is_known(statistic):
        return None
    return metrics.Metric(
        namespace=row["Namespace"],
        name=row["MetricName"],
        dimensions={dimension["Name"]: dimension["Value"] for dimension in row.get("Dimensions", [])},
        statistic=statistic,
        period=int(row["Period"]),
        label=f"{row['MetricName']} ({statistic})",
    )


def chart_of(alarm: Alarm, end: datetime) -> charts.Chart | None:
    """Return the graph behind an alarm: its metric, its threshold, and when its state changed; None if it has none."""
    metric = metric_of(alarm)
    if metric is None:
        return None
    looked_at = metric.period * (int(alarm.settings["EvaluationPeriods"]) + SHOWN_PERIODS)
    begin = end - timedelta(seconds=max(looked_at, 3600))
    [series] = metrics.read([metric], begin, end)
    threshold = float(alarm.settings["Threshold"])
    return charts.Chart(
        begin=begin,
        end=end,
        series=[series],
        thresholds=[charts.Threshold(threshold, f"threshold {threshold:g}")],
        moments=[charts.Moment(item.time, "in alarm") for item in history(alarm.name) if item.status == "ALARM"][:1],
        left=series.unit,
    )


@blueprint.get("/alarms")
def show_all() -> str:
    """Show all alarms beside the newest mails."""
    return render_template("alarms.html", alarms=all_alarms(), mails=mailbox.all_mails(reading.cloud().folder)[:8])


@blueprint.get("/alarms/<path:name>")
def show(name: str) -> str:
    """Show an alarm."""
    alarm = _named(name)
    mails = [mail for mail in mailbox.all_mails(reading.cloud().folder) if name in mail.subject or name in mail.body]
    return render_template(
        "alarm.html", alarm=alarm, chart=chart_of(alarm, datetime.now(UTC)), history=history(name)[:50], mails=mails
    )


@blueprint.get("/graphs/alarm/<path:name>")
def graph(name: str) -> Response:
    """Draw the graph behind an alarm."""
    alarm = _named(name)
    return images.drawn(chart_of(alarm, images.end(request.args)), request.args)


def _named(name: str) -> Alarm:
    return reading.existing(next(iter(all_alarms(name)), None), f"There is no alarm {name}.")
