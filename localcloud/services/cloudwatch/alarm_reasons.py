"""Why an alarm is in its state, in CloudWatch's sentences and as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from moto.cloudwatch.models import Alarm

COMPARISONS = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
#: How the sentences write the treatment of missing data.
TREATMENTS = {"breaching": "Breaching", "notBreaching": "NonBreaching", "ignore": "Ignored", "missing": "Missing"}


def sentence(alarm: Alarm, state: str, points: Sequence[float | None], breaching: Sequence[bool], now: datetime) -> str:
    """Return the reason for an alarm's state.

    Args:
        alarm: The alarm.
        state: The new state.
        points: The datapoints from the oldest to the newest; None for a missing one.
        breaching: For each datapoint that is not missing, whether it breaches the threshold.
        now: The end of the newest period.
    """
    count = len(points)
    if state == "INSUFFICIENT_DATA":
        were = "datapoint was" if count == 1 else "datapoints were"
        return f"Insufficient Data: {count} {were} unknown."
    received = [
        (value, time) for value, time in zip(points, _begins(alarm, count, now), strict=True) if value is not None
    ]
    missing = count - len(received)
    treatment = TREATMENTS[alarm.treat_missing_data or "missing"]
    if not received:
        periods, datapoints = _counted(count, "period"), _counted(missing, "missing datapoint")
        were = "was" if missing == 1 else "were"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} and {datapoints} {were} treated as "
            f"[{treatment}]."
        )
    is_alarm = state == "ALARM"
    deciding = [point for point, breaches in zip(received, breaching, strict=True) if breaches == is_alarm] or received
    values = ", ".join(f"{value} ({time:%d/%m/%y %H:%M:%S})" for value, time in reversed(deciding))
    many = len(deciding) > 1
    summary = f"{len(deciding)} out of the last {count} datapoints" if count > 1 else "1 datapoint"
    was = f"{'were' if many else 'was'}{'' if is_alarm else ' not'} {COMPARISONS[alarm.comparison_operator]}"
    transition = "OK -> ALARM" if is_alarm else "ALARM -> OK"
    needed = _counted(int(alarm.datapoints_to_alarm or count), "datapoint")
    minimum = f" (minimum {needed} for {transition} transition)" if count > 1 else ""
    return f"Threshold Crossed: {summary} [{values}] {was} the threshold ({float(alarm.threshold)}){minimum}."


def data(alarm: Alarm, points: Sequence[float | None], now: datetime) -> str:
    """Return the data that decided the state, as JSON."""
    begins = [*zip(points, _begins(alarm, len(points), now), strict=True)]
    received = [(value, time) for value, time in begins if value is not None]
    evaluated = [
        {"timestamp": _stamp(time)} | ({} if value is None else {"value": value}) for value, time in reversed(begins)
    ]
    reasons: dict[str, Any] = {
        "version": "1.0",
        "queryDate": _stamp(now),
        **({"startDate": _stamp(received[0][1])} if received else {}),
        **({"unit": alarm.unit} if alarm.unit else {}),
        "statistic": alarm.statistic,
        "period": int(alarm.period),
        "recentDatapoints": [value for value, _ in received],
        "threshold": float(alarm.threshold),
        "evaluatedDatapoints": evaluated,
    }
    return json.dumps(reasons)


def _begins(alarm: Alarm, count: int, now: datetime) -> list[datetime]:
    """Return the beginnings of the periods, the oldest first."""
    period = timedelta(seconds=int(alarm.period))
    return [now - period * age for age in range(count, 0, -1)]


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}+0000"
