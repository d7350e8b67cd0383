"""CloudWatch alarms: evaluated every second over sliding windows, so that nobody waits for a full minute.

moto gaps: alarms stay in the state they are given, composite alarms do not exist, and nothing is notified.
"""

import json
import operator
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, MetricAggregatedDatum, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse

from localcloud.account import ACCOUNT, REGION
from localcloud.background import background, client
from localcloud.events import deliver, publish
from localcloud.expressions import Grammar, Test
from localcloud.hooks import after, instead
from localcloud.metric_math import calculate

BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


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


def evaluate_alarms() -> None:
    """Bring every alarm's state up to date, composite ones last."""
    now, alarms = datetime.now(UTC), list(cloudwatch_backends[ACCOUNT][REGION].alarms.values())
    for alarm in alarms:
        if alarm.rule is None:
            _evaluate(alarm, now)
    states = {key: alarm.state_value for alarm in alarms for key in (alarm.name, alarm.alarm_arn)}
    for alarm in alarms:
        if alarm.rule is not None:
            value = "ALARM" if RULES.parse(alarm.rule)(states) else "OK"
            if value != alarm.state_value:
                alarm.update_state(f"{alarm.rule} is {value == 'ALARM'}", "{}", value)


def _state_of(term: str) -> Test[dict[str, str]]:
    if term in ("TRUE", "FALSE"):
        return lambda _states: term == "TRUE"
    wanted, _, name = term.rstrip(") \n").partition("(")
    return lambda states: states.get(name.strip(" \"'")) == wanted.strip()


RULES: Grammar[dict[str, str]] = Grammar(
    r"(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"[^\"]*\"|'[^']*'|[^\s()\"']+)\s*\)|TRUE|FALSE",
    _state_of,
    ("AND", "OR", "NOT"),
)


def _evaluate(alarm: Alarm, now: datetime) -> None:
    count = int(alarm.evaluation_periods)
    needed = int(alarm.datapoints_to_alarm or count)
    period = timedelta(seconds=_period(alarm))
    points = [_point(alarm, now - period * (age + 1), now - period * age) for age in reversed(range(count))]
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


def _period(alarm: Alarm) -> int:
    return int(alarm.period or next(q.metric_stat.period for q in alarm.metric_data_queries if q.metric_stat))


def _point(alarm: Alarm, begin: datetime, end: datetime) -> float | None:
    if not alarm.metric_data_queries:
        dimensions = _dimensions(alarm.dimensions)
        chosen = alarm.statistic or alarm.extended_statistic or ""
        return _statistic((alarm.namespace, alarm.metric_name), dimensions, chosen, begin, end)
    values: dict[str, float | None] = {}
    for query in alarm.metric_data_queries:
        if stat := query.metric_stat:
            dimensions = _dimensions(stat.metric.dimensions)
            metric = stat.metric.namespace, stat.metric.metric_name
            values[query.id] = _statistic(metric, dimensions, stat.stat, begin, end)
    for query in alarm.metric_data_queries:
        if query.expression:
            values[query.id] = calculate(query.expression, values)
    returned = [query.id for query in alarm.metric_data_queries if str(query.return_data).lower() == "true"]
    return values[returned[0] if returned else alarm.metric_data_queries[-1].id]


def _statistic(
    metric: tuple[str, str], dimensions: dict[str, str], statistic: str, begin: datetime, end: datetime
) -> float | None:
    found: list[Any] = [
        datum
        for datum in list(cloudwatch_backends[ACCOUNT][REGION].metric_data)
        if (datum.namespace, datum.name) == metric
        and begin < _utc(datum.timestamp) <= end
        and _dimensions(datum.dimensions) == dimensions
    ]
    if not found:
        return None
    sums = [(d.sum, d.sample_count) if isinstance(d, MetricAggregatedDatum) else (d.value, 1.0) for d in found]
    total, count = (sum(column) for column in zip(*sums, strict=True))
    simple = {
        "Sum": total,
        "SampleCount": count,
        "Average": total / count,
        "Minimum": min(d.min if isinstance(d, MetricAggregatedDatum) else d.value for d in found),
        "Maximum": max(d.max if isinstance(d, MetricAggregatedDatum) else d.value for d in found),
    }
    if statistic in simple or len(found) == 1:
        return float(simple.get(statistic, simple["Average"]))
    values = [d.value for d in found if not isinstance(d, MetricAggregatedDatum)]
    return float(quantiles(values, n=1000, method="inclusive")[round(float(statistic[1:]) * 10) - 1])


def _dimensions(pairs: Iterable[Any]) -> dict[str, str]:
    return {pair.name: pair.value for pair in pairs}


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@after(Alarm, "__init__")
def _created(_: None, alarm: Alarm, *_args: Any, **_kwargs: Any) -> None:
    alarm.state_value = "INSUFFICIENT_DATA"


@instead(CloudWatchBackend, "put_metric_alarm")
def _put_metric_alarm(original: Any, self: CloudWatchBackend, name: str, *args: Any, **kwargs: Any) -> Alarm:
    """A change of an alarm keeps its state."""
    before = self.alarms.get(name)
    alarm: Alarm = original(self, name, *args, **kwargs)
    if before:
        alarm.state_value, alarm.state_reason = before.state_value, before.state_reason
    return alarm


@instead(Alarm, "update_state")
def _update_state(original: Any, self: Alarm, reason: str, reason_data: str, state_value: str) -> None:
    """Every change of state, by evaluation or by hand, triggers its actions."""
    before = self.state_value
    original(self, reason, reason_data, state_value)
    if before == state_value:
        return
    actions = {"ALARM": self.alarm_actions, "OK": self.ok_actions, "INSUFFICIENT_DATA": self.insufficient_data_actions}
    for action in actions[state_value] if self.actions_enabled else []:
        background(_act, action, self, before, reason)
    publish("aws.cloudwatch", "CloudWatch Alarm State Change", _described(self, before, reason), [self.alarm_arn])


def _act(action: str, alarm: Alarm, before: str, reason: str) -> None:
    if ":sns:" in action:
        subject = f'{alarm.state_value}: "{alarm.name}" in US East (N. Virginia)'
        message = json.dumps(_notification(alarm, before, reason))
        client("sns").publish(TopicArn=action, Subject=subject[:100], Message=message)
    elif ":lambda:" in action:
        event = {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.alarm_arn,
            "accountId": ACCOUNT,
            "time": f"{alarm.state_updated_timestamp:%Y-%m-%dT%H:%M:%S.000+0000}",
            "region": REGION,
            "alarmData": _described(alarm, before, reason),
        }
        deliver(action, json.dumps(event))
    else:
        raise NotImplementedError(f"alarm {alarm.name}: the local cloud has no action {action}")


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
        "Statistic": (alarm.statistic or alarm.extended_statistic or "").upper(),
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


# A composite alarm is an alarm with a rule, which moto's model knows and its API does not.
setattr(CloudWatchResponse, "put_composite_alarm", CloudWatchResponse.put_metric_alarm)  # noqa: B010
