"""Alarms of CloudWatch."""

from __future__ import annotations

import time
from typing import Any

from behaviours.resources import client, eventually, expect, lines, messages, name, queue, refused, topic_to


def _alarm(**settings: Any) -> str:
    """Create an alarm over a metric of its own, one value of which is too many; its name, and the metric's."""
    alarm = name()
    usual = {
        "Namespace": "Behaviours",
        "MetricName": alarm,
        "Statistic": "Sum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }
    client("cloudwatch").put_metric_alarm(AlarmName=alarm, **{**usual, **settings})
    return alarm


def _state(alarm: str) -> str:
    described = client("cloudwatch").describe_alarms(AlarmNames=[alarm], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (description,) = described["MetricAlarms"] + described["CompositeAlarms"]
    return str(description["StateValue"])


def _put(metric: str) -> None:
    data = [{"MetricName": metric, "Value": 1}]
    client("cloudwatch").put_metric_data(Namespace="Behaviours", MetricData=data)


def an_alarm_rings_after_a_metric_filter() -> None:
    """An alarm rings when a log line matches a metric filter."""
    logs, group = client("logs"), name()
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    metric = {"metricName": group, "metricNamespace": "Behaviours", "metricValue": "1"}
    logs.put_metric_filter(
        logGroupName=group, filterName="errors", filterPattern="ERROR", metricTransformations=[metric]
    )
    alarm = _alarm(MetricName=group)
    event = {"timestamp": int(time.time() * 1000), "message": "ERROR: no space left"}
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])
    expect(lines(group), "the line is not there")
    eventually(lambda: _state(alarm) == "ALARM", "the alarm does not ring")


def an_alarm_tells_its_topic() -> None:
    """An alarm that rings tells its topic, with the state and its reason."""
    url, arn = queue()
    alarm = _alarm(AlarmActions=[topic_to(arn)])
    _put(alarm)
    (message,) = eventually(lambda: messages(url), "no message")
    expect((message["AlarmName"], message["NewStateValue"]) == (alarm, "ALARM"), f"the message is {message}")


def an_alarm_becomes_ok_again() -> None:
    """An alarm is OK again when its metric is."""
    alarm = _alarm()
    _put(alarm)
    eventually(lambda: _state(alarm) == "ALARM", "the alarm does not ring")
    eventually(lambda: _state(alarm) == "OK", "the alarm does not end")


def missing_data_can_ring() -> None:
    """An alarm that treats missing data as breaching rings without any."""
    alarm = _alarm(TreatMissingData="breaching")
    eventually(lambda: _state(alarm) == "ALARM", "the alarm does not ring")


def a_composite_alarm_follows() -> None:
    """A composite alarm rings when the alarm that it names does."""
    alarm, both = _alarm(), name()
    client("cloudwatch").put_composite_alarm(AlarmName=both, AlarmRule=f'ALARM("{alarm}")')
    _put(alarm)
    eventually(lambda: _state(both) == "ALARM", "the composite alarm does not ring")


def an_impossible_action_is_refused() -> None:
    """An alarm whose action CloudWatch cannot take is refused."""
    refused(lambda: _alarm(AlarmActions=["arn:aws:nothing:us-east-1:123456789012:here"]), "ValidationError")
