"""CloudWatch alarms: evaluated every second over sliding windows, so that nobody waits for a full minute.

moto gaps: alarms stay in the state they are given, and nothing is notified.
"""

from __future__ import annotations

import json
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from moto.cloudwatch.models import Alarm, CloudWatchBackend, Statistics, cloudwatch_backends

from localcloud.access import service_calls
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud, log
from localcloud.hooks import after, wrap
from localcloud.services.cloudwatch import (
    actions,
    alarm_history,
    alarm_mail,
    alarm_reasons,
    alarm_settings,
    composite_alarms,
)
from localcloud.services.events.behaviour import deliver, publish

BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

#: What an alarm keeps when its settings change.
STATE = (
    "state_value",
    "state_reason",
    "state_reason_data",
    "state_updated_timestamp",
    "state_transitioned_timestamp",
)


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
    """Return the state of an alarm, as CloudWatch's documentation tabulates it.

    Args:
        points: Datapoints from the oldest to the newest, None for a missing one; there may be more of them than
            ``evaluated``.
        breaches: Whether a value breaches the threshold.
        evaluated: The N of "M out of N".
        needed: The M.
        missing: ``breaching``, ``notBreaching``, ``ignore`` or ``missing``.
        state: The present state, which ``ignore`` keeps.
    """
    received = [point for point in points if point is not None][-evaluated:]
    filled = evaluated - len(received)
    breaching = sum(breaches(point) for point in received) + (filled if missing == "breaching" else 0)
    if missing == "missing":
        if not received:
            return "INSUFFICIENT_DATA"
        needed = min(needed, len(received))
    if missing == "ignore" and breaching < needed and breaching == len(received):
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
            if alarm.rule is not None:
                composite_alarms.evaluate(alarm)
            else:
                _evaluate(alarm, metrics[alarm.namespace, alarm.metric_name], now)
        except Exception:  # noqa: BLE001 - an alarm that cannot be evaluated must not keep the others from it
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
        breaching = [breach(point, threshold) for point in points if point is not None]
        reason = alarm_reasons.sentence(alarm, state, points, breaching, now)
        alarm.update_state(reason, alarm_reasons.data(alarm, points, now), state)


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
    unset: Any = None  # or they would be described as empty
    alarm.state_reason_data, alarm.metric_data_queries = unset, alarm.metric_data_queries or unset
    vars(alarm)["state_transitioned_timestamp"] = alarm.state_updated_timestamp  # moto answers with it


@wrap(CloudWatchBackend, "put_metric_alarm")
def _put_metric_alarm(cloud: Cloud, original: Any, self: CloudWatchBackend, name: str, **settings: Any) -> Alarm:
    """A change of an alarm keeps its state."""
    if settings.get("rule") is None:
        alarm_settings.check(name, settings)
    before = self.alarms.get(name)
    alarm: Alarm = original(self, name=name, **settings)
    if before:
        for state in STATE:
            vars(alarm)[state] = vars(before)[state]
    verb = "updated" if before else "created"
    kind = {"type": "Update" if before else "Create"}
    alarm_history.keep(cloud, alarm, "ConfigurationUpdate", f'Alarm "{name}" {verb}', kind)
    return alarm


@wrap(CloudWatchBackend, "delete_alarms")
def _delete_alarms(cloud: Cloud, original: Any, self: CloudWatchBackend, alarm_names: list[str]) -> None:
    alarms = [self.alarms[name] for name in alarm_names if name in self.alarms]
    original(self, alarm_names)
    for alarm in alarms:
        alarm_history.keep(cloud, alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" deleted', {"type": "Delete"})


@wrap(Alarm, "update_state")
def _update_state(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud, original: Any, self: Alarm, reason: str, reason_data: str, state_value: str
) -> None:
    """Every change of state, by evaluation or by hand, triggers its actions."""
    previous = _state(self)
    before = alarm_history.state(self.state_value, self.state_reason, self.state_reason_data)
    original(self, reason, reason_data, state_value)
    if previous["value"] == state_value:
        return
    vars(self)["state_transitioned_timestamp"] = self.state_updated_timestamp
    states = {"oldState": before, "newState": alarm_history.state(state_value, reason, reason_data)}
    summary = f"Alarm updated from {previous['value']} to {state_value}"
    alarm_history.keep(cloud, self, "StateUpdate", summary, states)
    of_state = {"ALARM": self.alarm_actions, "OK": self.ok_actions, "INSUFFICIENT_DATA": self.insufficient_data_actions}
    for action in of_state[state_value] if self.actions_enabled else []:
        cloud.background(_perform, cloud, action, self, previous, reason)
    publish(cloud, "aws.cloudwatch", "CloudWatch Alarm State Change", _described(self, previous), [self.alarm_arn])


def _perform(cloud: Cloud, action: str, alarm: Alarm, previous: dict[str, Any], reason: str) -> None:
    """Do what an alarm wants done, and remember how it went."""
    history = {"actionState": "Succeeded", "stateUpdateTimestamp": _stamp(alarm.state_updated_timestamp)}
    history |= {"notificationResource": action}
    try:
        _act(cloud, action, alarm, previous, reason)
    except Exception as error:
        history |= {"actionState": "Failed", "error": str(error)}
        alarm_history.keep(
            cloud, alarm, "Action", f"Failed to execute action {action}. Received error: {error}", history
        )
        raise
    alarm_history.keep(cloud, alarm, "Action", f"Successfully executed action {action}", history)


def _act(cloud: Cloud, action: str, alarm: Alarm, previous: dict[str, Any], reason: str) -> None:
    if ":sns:" in action:
        before = str(previous["value"])
        notification = json.dumps(_notification(alarm, before, reason))
        message = json.dumps({"default": notification, "email": alarm_mail.text(alarm, before, reason)})
        sender = {"aws:sourceaccount": ACCOUNT, "aws:sourcearn": alarm.alarm_arn}
        service_calls.check(cloud, "cloudwatch.amazonaws.com", action, alarm.alarm_arn, sender)
        cloud.client("sns").publish(
            TopicArn=action, Subject=alarm_mail.subject(alarm), Message=message, MessageStructure="json"
        )
    elif ":lambda:" in action:
        service_calls.check(cloud, "lambda.alarms.cloudwatch.amazonaws.com", action, alarm.alarm_arn)
        event = {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.alarm_arn,
            "accountId": ACCOUNT,
            "time": _stamp(alarm.state_updated_timestamp),
            "region": REGION,
            "alarmData": _described(alarm, previous),
        }
        deliver(cloud, action, json.dumps(event))
    else:
        actions.perform(cloud, action, alarm)


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.000+0000}"


def _state(alarm: Alarm) -> dict[str, Any]:
    """Return the state of an alarm as events have it."""
    data = {"reasonData": alarm.state_reason_data} if alarm.state_reason_data else {}
    time = _stamp(alarm.state_updated_timestamp)
    return {"value": alarm.state_value, "reason": alarm.state_reason, **data, "timestamp": time}


def _described(alarm: Alarm, previous: dict[str, Any]) -> dict[str, Any]:
    configuration = {"alarmRule": alarm.rule} if alarm.rule is not None else _metrics(alarm)
    description = {"description": alarm.description} if alarm.description else {}
    return {
        "alarmName": alarm.name,
        "state": _state(alarm),
        "previousState": previous,
        "configuration": description | configuration,
    }


def _metrics(alarm: Alarm) -> dict[str, Any]:
    metric = {"namespace": alarm.namespace, "name": alarm.metric_name, "dimensions": _named(alarm.dimensions)}
    statistic = {"metric": metric, "period": int(alarm.period), "stat": alarm.statistic}
    identifier = str(uuid5(NAMESPACE_URL, alarm.alarm_arn))
    return {"metrics": [{"id": identifier, "metricStat": statistic, "returnData": True}]}


def _notification(alarm: Alarm, before: str, reason: str) -> dict[str, Any]:
    """Return what CloudWatch writes to a topic."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _stamp(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": reason,
        "StateChangeTime": _stamp(alarm.state_updated_timestamp),
        "Region": alarm_mail.REGION_NAME,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        **({"AlarmRule": alarm.rule} if alarm.rule is not None else {"Trigger": _trigger(alarm)}),
    }


def _trigger(alarm: Alarm) -> dict[str, Any]:
    return {
        "MetricName": alarm.metric_name,
        "Namespace": alarm.namespace,
        "StatisticType": "Statistic",
        "Statistic": alarm.statistic.upper(),
        **({"Unit": alarm.unit} if alarm.unit else {}),
        "Dimensions": [{"value": dimension.value, "name": dimension.name} for dimension in alarm.dimensions],
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        **({"DatapointsToAlarm": alarm.datapoints_to_alarm} if alarm.datapoints_to_alarm else {}),
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "missing",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }
