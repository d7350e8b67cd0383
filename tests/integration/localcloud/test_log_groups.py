"""CloudWatch Logs: what it says about groups, and what it refuses."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud


@pytest.fixture
def group(cloud: LocalCloud) -> str:
    name = f"/shop/{uuid.uuid4().hex}/orders"
    cloud.client("logs").create_log_group(logGroupName=name)
    return name


def test_groups_are_found_by_a_part_of_their_names(cloud: LocalCloud, group: str) -> None:
    logs, part = cloud.client("logs"), group.split("/")[2][:24]  # the longest that ListLogGroups takes
    (described,) = logs.describe_log_groups(logGroupNamePattern=part)["logGroups"]
    assert (described["logGroupName"], described["logGroupClass"]) == (group, "STANDARD")
    (listed,) = logs.list_log_groups(logGroupNamePattern=part)["logGroups"]
    assert listed["logGroupArn"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    assert not logs.describe_log_groups(logGroupNamePattern="never-made")["logGroups"]


@pytest.mark.parametrize(
    ("operation", "parameters", "code", "words"),
    [
        (
            "describe_log_groups",
            {"logGroupNamePattern": "a", "logGroupNamePrefix": "b"},
            "InvalidParameterException",
            "mutually exclusive",
        ),
        (
            "describe_log_streams",
            {"logGroupName": "a", "logGroupIdentifier": "a"},
            "ValidationException",
            "mutually exclusive",
        ),
    ],
)
def test_parameters_that_exclude_each_other_are_refused(
    cloud: LocalCloud, operation: str, parameters: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(cloud.client("logs"), operation)(**parameters)
    assert error.value.response["Error"]["Code"] == code
    assert words in error.value.response["Error"]["Message"]


def test_a_stream_that_does_not_exist_is_not_taken_for_a_group(cloud: LocalCloud, group: str) -> None:
    with pytest.raises(ClientError, match="The specified log stream does not exist"):
        cloud.client("logs").get_log_events(logGroupName=group, logStreamName="no")


def test_responses_say_that_they_are_json(cloud: LocalCloud, group: str) -> None:
    response = cloud.client("logs").filter_log_events(logGroupName=group)
    assert response["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/x-amz-json-1.1"


def test_a_filter_pattern_can_be_tested(cloud: LocalCloud) -> None:
    messages = ['{"code": 500}', '{"code": 200}', "noise"]
    matches = cloud.client("logs").test_metric_filter(filterPattern="{ $.code > 400 }", logEventMessages=messages)
    assert [(match["eventNumber"], match["eventMessage"]) for match in matches["matches"]] == [(1, messages[0])]


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("", [0, 1, 2, 3]),
        ("terminated", [0, 2]),
        ('{ $.event = "terminated" }', [0]),
        ("{ $.count > 1 }", [1]),
        ('"was terminated"', [2]),
    ],
)
def test_events_are_found_by_a_pattern(cloud: LocalCloud, pattern: str, numbers: list[int]) -> None:
    logs, group = cloud.client("logs"), f"patterns-{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="stream")
    messages = ['{"event": "terminated"}', '{"event": "launched", "count": 2}', "instance was terminated", "INIT_START"]
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": message} for number, message in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName="stream", logEvents=events)
    found = logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
    assert [messages.index(event["message"]) for event in found] == numbers


def test_a_malformed_pattern_is_refused(cloud: LocalCloud) -> None:
    logs, group = cloud.client("logs"), f"patterns-{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="stream")
    event = {"timestamp": int(time.time() * 1000), "message": "{}"}
    logs.put_log_events(logGroupName=group, logStreamName="stream", logEvents=[event])
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.filter_log_events(logGroupName=group, filterPattern='{ $.event = "x"')
