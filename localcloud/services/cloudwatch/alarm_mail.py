"""The e-mail about an alarm: CloudWatch gives topics a text for people beside the JSON for programs.

The text follows mails that people have quoted, such as the one in
https://docs.aws.amazon.com/awssupport/latest/user/cloudwatch-metrics-ta.html; nobody documents the one of a composite
alarm, whose rule stands here where others have their threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from moto.cloudwatch.models import Alarm

from localcloud.cloud.account import ACCOUNT, REGION

REGION_NAME = "US East (N. Virginia)"
_ALARM_COLUMN, _METRIC_COLUMN = 28, 37


def subject(alarm: Alarm) -> str:
    """Return the subject, of at most 100 characters, which is what SNS takes."""
    return f'{alarm.state_value}: "{alarm.name}" in {REGION_NAME}'[:100]


def text(alarm: Alarm, before: str, reason: str) -> str:
    """Return the text.

    Args:
        alarm: The alarm, in its new state.
        before: The state before.
        reason: Why the state changed.
    """
    moment = f"{alarm.state_updated_timestamp:%A %d %B, %Y %H:%M:%S} UTC"
    opening = (
        f'You are receiving this email because your Amazon CloudWatch Alarm "{alarm.name}" in the {REGION_NAME} region '
        f'has entered the {alarm.state_value} state, because "{reason}" at "{moment}".'
    )
    address = f"https://{REGION}.console.aws.amazon.com/cloudwatch/deeplink.js?region={REGION}"
    actions = {
        "OK": alarm.ok_actions,
        "ALARM": alarm.alarm_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    sections = [
        opening,
        f"View this alarm in the AWS Management Console:\n{address}#alarmsV2:alarm/{quote(alarm.name, safe='')}",
        _section("Alarm Details", _ALARM_COLUMN, {
            "Name": alarm.name,
            "Description": alarm.description or "",
            "State Change": f"{before} -> {alarm.state_value}",
            "Reason for State Change": reason,
            "Timestamp": moment,
            "AWS Account": ACCOUNT,
            "Alarm Arn": alarm.alarm_arn,
        }),
        *([f"Alarm Rule:\n- {alarm.rule}"] if alarm.rule is not None else _watched(alarm)),
        "\n".join(["\nState Change Actions:", *(f"- {state}:{_listed(arns)}" for state, arns in actions.items()), ""]),
    ]  # fmt: skip
    return "\n\n".join(sections)


def _watched(alarm: Alarm) -> list[str]:
    """Say what a metric alarm watches, and when it rings."""
    evaluated = int(alarm.evaluation_periods)
    needed = int(alarm.datapoints_to_alarm or evaluated)
    rule = (
        f"{alarm.comparison_operator} {float(alarm.threshold)} for at least {needed} of the last {evaluated} period(s)"
    )
    return [
        f"Threshold:\n- The alarm is in the ALARM state when the metric is {rule} of {alarm.period} seconds.",
        _section("Monitored Metric", _METRIC_COLUMN, {
            "MetricNamespace": alarm.namespace,
            "MetricName": alarm.metric_name,
            "Dimensions": " ".join(f"[{dimension.name} = {dimension.value}]" for dimension in alarm.dimensions),
            "Period": f"{alarm.period} seconds",
            "Statistic": alarm.statistic,
            "Unit": alarm.unit or "not specified",
            "TreatMissingData": alarm.treat_missing_data or "missing",
        }),
    ]  # fmt: skip


def _section(title: str, column: int, values: dict[str, str]) -> str:
    lines = [f"- {name + ':':{column}}{value}".rstrip() for name, value in values.items()]
    return "\n".join([f"{title}:", *lines])


def _listed(actions: Iterable[str]) -> str:
    return "".join(f" [{action}]" for action in actions)
