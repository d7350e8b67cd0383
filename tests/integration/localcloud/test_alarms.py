"""Alarms: their history, what they say about their states, and alarms on other alarms."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import queue


def alarm(cloud: LocalCloud, **settings: Any) -> str:
    """A new alarm's name, which is also the name of its metric."""
    name = uuid.uuid4().hex
    needed: dict[str, Any] = {
        "Namespace": "Shop",
        "MetricName": name,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloud.client("cloudwatch").put_metric_alarm(AlarmName=name, **{**needed, **settings})
    return name


def composite(cloud: LocalCloud, rule: str, **settings: Any) -> str:
    name = uuid.uuid4().hex
    cloud.client("cloudwatch").put_composite_alarm(AlarmName=name, AlarmRule=rule, **settings)
    return name


def state(cloud: LocalCloud, name: str) -> str:
    kinds = ["MetricAlarm", "CompositeAlarm"]
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=kinds)
    (described,) = found["MetricAlarms"] + found["CompositeAlarms"]
    return str(described["StateValue"])


def ring(cloud: LocalCloud, name: str, value: str = "ALARM") -> None:
    cloud.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=value, StateReason="by hand")


def history(cloud: LocalCloud, name: str, **filters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = cloud.client("cloudwatch").describe_alarm_history(AlarmName=name, **filters)[
        "AlarmHistoryItems"
    ]
    return items


def test_an_alarm_has_a_history(cloud: LocalCloud, eventually: Any) -> None:
    topic = cloud.client("sns").create_topic(Name=uuid.uuid4().hex)["TopicArn"]
    missing = f"{topic}-missing"
    name = alarm(cloud, AlarmActions=[topic, missing], TreatMissingData="ignore")
    ring(cloud, name)
    assert eventually(lambda: len(history(cloud, name)) == 4)
    summaries = {item["HistorySummary"].partition(". Received")[0] for item in history(cloud, name)}
    assert summaries == {
        f'Alarm "{name}" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        f"Successfully executed action {topic}",
        f"Failed to execute action {missing}",
    }
    (update,) = history(cloud, name, HistoryItemType="StateUpdate")
    data = json.loads(update["HistoryData"])
    assert data["oldState"]["stateValue"] == "INSUFFICIENT_DATA"
    assert data["newState"] == {"stateValue": "ALARM", "stateReason": "by hand"}
    oldest = history(cloud, name, ScanBy="TimestampAscending", MaxRecords=1)
    assert [item["HistoryItemType"] for item in oldest] == ["ConfigurationUpdate"]


def test_an_alarm_says_which_datapoint_crossed_the_threshold(cloud: LocalCloud, eventually: Any) -> None:
    name = alarm(cloud, Threshold=2, TreatMissingData="notBreaching")
    cloud.client("cloudwatch").put_metric_data(Namespace="Shop", MetricData=[{"MetricName": name, "Value": 5}])
    assert eventually(lambda: state(cloud, name) == "ALARM")
    (described,) = cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert described["StateReason"].startswith("Threshold Crossed: 1 datapoint [5.0 (")
    assert described["StateReason"].endswith(")] was greater than the threshold (2.0).")
    data = json.loads(described["StateReasonData"])
    assert data["recentDatapoints"] == [5.0]
    assert data["threshold"] == 2
    assert described["StateTransitionedTimestamp"] == described["StateUpdatedTimestamp"]


def test_alarms_of_a_metric_are_those_with_its_dimensions(cloud: LocalCloud) -> None:
    dimensions = [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]
    name = alarm(cloud, Dimensions=dimensions)
    alarms = cloud.client("cloudwatch").describe_alarms_for_metric
    found = alarms(MetricName=name, Namespace="Shop", Dimensions=dimensions[::-1])["MetricAlarms"]
    assert [described["AlarmName"] for described in found] == [name]
    assert not alarms(MetricName=name, Namespace="Shop")["MetricAlarms"]
    assert not alarms(MetricName=name, Namespace="Shop", Dimensions=dimensions, Period=300)["MetricAlarms"]


def test_a_composite_alarm_follows_its_rule(cloud: LocalCloud, eventually: Any) -> None:
    url, arn = queue(cloud)
    topic = cloud.client("sns").create_topic(Name=uuid.uuid4().hex)["TopicArn"]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    first, second = (alarm(cloud, TreatMissingData="ignore") for _ in range(2))
    rule = f'ALARM("{first}") AND NOT (OK({second}) OR FALSE)'
    name = composite(cloud, rule, AlarmActions=[topic])
    assert eventually(lambda: state(cloud, name) == "OK")
    ring(cloud, first)
    assert eventually(lambda: state(cloud, name) == "ALARM")
    (described,) = cloud.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])[
        "CompositeAlarms"
    ]
    assert described["AlarmRule"] == rule
    assert f":alarm:{first} transitioned to ALARM" in described["StateReason"]
    assert eventually(lambda: cloud.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages"))
    ring(cloud, second, "OK")
    assert eventually(lambda: state(cloud, name) == "OK")
    assert not cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])["CompositeAlarms"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("ALARM(never-made)", "never-made"),
        ("ALARM(", "cannot read"),
        ("TRUE AND", "ends too early"),
        ("(TRUE", "closing parenthesis"),
        ("TRUE TRUE", "unexpected"),
    ],
)
def test_a_rule_that_cannot_be_judged_is_refused(cloud: LocalCloud, rule: str, words: str) -> None:
    with pytest.raises(ClientError) as error:
        composite(cloud, rule)
    assert error.value.response["Error"]["Code"] == "ValidationError"
    assert words in error.value.response["Error"]["Message"]


def test_a_composite_alarm_must_not_lead_back_to_itself(cloud: LocalCloud) -> None:
    first = composite(cloud, "TRUE")
    second = composite(cloud, f"ALARM({first})")
    with pytest.raises(ClientError, match="leads back"):
        cloud.client("cloudwatch").put_composite_alarm(AlarmName=first, AlarmRule=f"ALARM({second})")


def test_queries_without_a_label_are_told_apart(cloud: LocalCloud) -> None:
    now = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
    statistics = [("Sum", 60), ("Minimum", 60)]
    queries = [
        {
            "Id": statistic.lower(),
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": period, "Stat": statistic},
        }
        for statistic, period in statistics
    ]
    found = cloud.client("cloudwatch").get_metric_data(MetricDataQueries=queries, StartTime=now[0], EndTime=now[1])
    assert [series["Label"] for series in found["MetricDataResults"]] == ["m Sum", "m Minimum"]
    assert found["Messages"] == []
    (alone,) = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries[:1], StartTime=now[0], EndTime=now[1]
    )["MetricDataResults"]
    assert alone["Label"] == "m"


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("set_alarm_state", {"AlarmName": "x", "StateValue": "BAD", "StateReason": "r"}, "ValidationError"),
        (
            "put_metric_data",
            {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1, "Values": [1.0]}]},
            "InvalidParameterCombination",
        ),
        (
            "get_metric_statistics",
            {
                "Namespace": "N",
                "MetricName": "m",
                "StartTime": "2026-01-01T00:00:00Z",
                "EndTime": "2026-01-03T00:00:00Z",
                "Period": 60,
                "Statistics": ["Sum"],
            },
            "InvalidParameterCombination",
        ),
    ],
)
def test_what_cloudwatch_does_not_take_is_refused(
    cloud: LocalCloud, operation: str, parameters: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(cloud.client("cloudwatch"), operation)(**parameters)
    assert error.value.response["Error"]["Code"] == code
