"""CloudWatch alarms: evaluated every second over sliding windows, so that nobody waits for a full minute.

moto gaps: alarms stay in the state they are given, and nothing is notified.
"""

import json
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, Statistics, cloudwatch_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud, log
from localcloud.hooks import after, wrap
from localcloud.services.cloudwatch import actions, alarm_settings
from localcloud.services.events.behaviour import deliver, publish
from localcloud.services.kms import key_policies

BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass
class Failing:
    """The names of the alarms whose last evaluation failed, which is logged once."""

    names: set[str] = field(default_factory=set)


def judge(
    points: Sequence[float | None],
    breaches: Callable[[float], bool],
    *,
    evaluated: int,
    needed: int,
    missing: str,
    state: str,
) -> str:
    """The state of an alarm, as CloudWatch's documentation tabulates it.

    Args:
        points: Datapoints from the oldest to the newest, None where there is none; may go back further than
            ``evaluated``.
        breaches: Whether a value breaches the threshold.
        evaluated: The N of "M out of N".
        needed: The M.
        missing: ``breaching``, ``notBreaching``, ``ignore`` or ``missing``.
        state: The state now, which ``ignore`` keeps.
    """
    known = [point for point in points if point is not None][-evaluated:]
    filled = evaluated - len(known)
    breaching = sum(breaches(point) for point in known) + (filled if missing == "breaching" else 0)
    if missing == "missing":
        if not known:
            return "INSUFFICIENT_DATA"
        needed = min(needed, len(known))
    if missing == "ignore" and breaching < needed and breaching == len(known):
        return state
    return "ALARM" if breaching >= needed else "OK"


def evaluate_alarms(cloud: Cloud) -> None:
    """Bring every alarm's state up to date."""
    now, backend = datetime.now(UTC), cloudwatch_backends[ACCOUNT][REGION]
    failing = cloud.state(Failing).names
    metrics: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for datum in list(backend.metric_data):
        metrics[datum.namespace, datum.name].append(datum)
    for alarm in list(backend.alarms.values()):
        try:
            _evaluate(alarm, metrics[alarm.namespace, alarm.metric_name], now)
        except Exception:  # noqa: BLE001 (an alarm that cannot be evaluated must not keep the others from it)
            if alarm.name not in failing:
                log.exception("alarm %s cannot be evaluated", alarm.name)
            failing.add(alarm.name)
        else:
            failing.discard(alarm.name)


def _evaluate(alarm: Alarm, metric: list[Any], now: datetime) -> None:
    count = int(alarm.evaluation_periods)
    needed = int(alarm.datapoints_to_alarm or count)
    points = _points(alarm, metric, count, now)
    threshold, breach = float(alarm.threshold), BREACHES[alarm.comparison_operator]
    state = judge(
        points,
        lambda point: breach(point, threshold),
        evaluated=count,
        needed=needed,
        missing=alarm.treat_missing_data or "missing",
        state=alarm.state_value,
    )
    if state != alarm.state_value:
        values = [point for point in points if point is not None]
        reason = f"Threshold Crossed: {needed} out of the last {count} datapoints"
        reason += f" {values} decide against the threshold ({threshold}) ({alarm.comparison_operator})."
        data = json.dumps({"version": "1.0", "recentDatapoints": values, "threshold": threshold})
        alarm.update_state(reason, data, state)


def _points(alarm: Alarm, metric: list[Any], count: int, now: datetime) -> list[float | None]:
    """The metric's statistic in each of the last ``count`` periods, the oldest first; None where there are no data."""
    dimensions = _named(alarm.dimensions)
    data = [datum for datum in metric if _named(datum.dimensions) == dimensions]
    period = timedelta(seconds=int(alarm.period))
    points: list[float | None] = []
    for age in reversed(range(count)):
        begin, end = now - period * (age + 1), now - period * age
        within = Statistics([alarm.statistic], begin)
        within.metric_data = [datum for datum in data if begin < _utc(datum.timestamp) <= end]
        point: Any = within.get_statistics_for_type(alarm.statistic) if within.metric_data else None
        points.append(None if point is None else float(point))
    return points


def _named(dimensions: Iterable[Any]) -> dict[str, str]:
    return {dimension.name: dimension.value for dimension in dimensions}


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@after(Alarm, "__init__")
def _created(_: None, alarm: Alarm, *_args: Any, **_kwargs: Any) -> None:
    alarm.state_value = "INSUFFICIENT_DATA"


@wrap(CloudWatchBackend, "put_metric_alarm")
def _put_metric_alarm(original: Any, self: CloudWatchBackend, name: str, **settings: Any) -> Alarm:
    """A change of an alarm keeps its state."""
    alarm_settings.check(name, settings)
    before = self.alarms.get(name)
    alarm: Alarm = original(self, name, **settings)
    if before:
        alarm.state_value, alarm.state_reason = before.state_value, before.state_reason
    return alarm


@wrap(Alarm, "update_state")
def _update_state(  # noqa: PLR0917 (moto's parameters)
    cloud: Cloud, original: Any, self: Alarm, reason: str, reason_data: str, state_value: str
) -> None:
    """Every change of state, by evaluation or by hand, triggers its actions."""
    before = self.state_value
    original(self, reason, reason_data, state_value)
    if before == state_value:
        return
    of_state = {"ALARM": self.alarm_actions, "OK": self.ok_actions, "INSUFFICIENT_DATA": self.insufficient_data_actions}
    for action in of_state[state_value] if self.actions_enabled else []:
        cloud.background(_act, cloud, action, self, before, reason)
    publish(
        cloud, "aws.cloudwatch", "CloudWatch Alarm State Change", _described(self, before, reason), [self.alarm_arn]
    )


def _act(cloud: Cloud, action: str, alarm: Alarm, before: str, reason: str) -> None:
    if ":sns:" in action:
        subject = f'{alarm.state_value}: "{alarm.name}" in US East (N. Virginia)'
        message = json.dumps(_notification(alarm, before, reason))
        sender = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": alarm.alarm_arn}
        key_policies.check(action, "cloudwatch.amazonaws.com", context=sender)
        cloud.client("sns").publish(TopicArn=action, Subject=subject[:100], Message=message)
    elif ":lambda:" in action:
        event = {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.alarm_arn,
            "accountId": ACCOUNT,
            "time": f"{alarm.state_updated_timestamp:%Y-%m-%dT%H:%M:%S.000+0000}",
            "region": REGION,
            "alarmData": _described(alarm, before, reason),
        }
        deliver(cloud, action, json.dumps(event))
    else:
        actions.perform(cloud, action, alarm)


def _described(alarm: Alarm, before: str, reason: str) -> dict[str, Any]:
    time = f"{alarm.state_updated_timestamp:%Y-%m-%dT%H:%M:%S.000+0000}"
    return {
        "alarmName": alarm.name,
        "state": {
            "value": alarm.state_value,
            "reason": reason,
            "reasonData": alarm.state_reason_data,
            "timestamp": time,
        },
        "previousState": {"value": before},
        "configuration": {"description": alarm.description},
    }


def _notification(alarm: Alarm, before: str, reason: str) -> dict[str, Any]:
    """What CloudWatch writes to a topic."""
    trigger = {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "Statistic": alarm.statistic.upper(),
        "Dimensions": [{"name": dimension.name, "value": dimension.value} for dimension in alarm.dimensions],
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "missing",
    }
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "NewStateValue": alarm.state_value,
        "NewStateReason": reason,
        "StateChangeTime": f"{alarm.state_updated_timestamp:%Y-%m-%dT%H:%M:%S.000+0000}",
        "Region": "US East (N. Virginia)",
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "Trigger": trigger,
    }
