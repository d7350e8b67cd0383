"""The report: an e-mail that names the instances an alarm is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest

from tests.functions import load


@pytest.fixture(scope="module")
def queue(aws: None) -> str:
    """Where the topic delivers, instead of a mailbox."""
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns = boto3.client("sns")
    sns.subscribe(TopicArn=sns.create_topic(Name="alarms")["TopicArn"], Protocol="sqs", Endpoint=arn)
    return url


@pytest.fixture
def mail(queue: str) -> Callable[[], dict[str, Any]]:
    """The one message sent."""
    sqs = boto3.client("sqs")

    def one() -> dict[str, Any]:
        [message] = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        content: dict[str, Any] = json.loads(message["Body"])
        return content

    return one


@pytest.fixture(scope="module")
def reporter(aws: None) -> ModuleType:
    return load("termination_report")


Mail = Callable[[], dict[str, Any]]


@pytest.fixture
def recorded(table: Any) -> Callable[..., None]:
    """A termination as the logger leaves it in the table."""

    def put(instance_id: str, *, minutes_ago: int = 0, counted: bool = True, reason: str = "User initiated") -> None:
        at = (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat(timespec="seconds")
        line = {
            "instanceId": instance_id,
            "class": "person-or-program",
            "group": "web",
            "reason": reason,
            "instanceType": "t3.micro",
            "zone": "us-east-1b",
            "terminatedAt": at,
        }
        table.put_item(Item={"instanceId": instance_id, "recordedAt": at, "counted": counted, "line": json.dumps(line)})

    return put


Recorded = Callable[..., None]


def test_the_report_names_the_counted_instances_of_the_alarms_window(
    reporter: ModuleType, recorded: Recorded, table: Any, mail: Mail
) -> None:
    recorded("i-0000000000000000b", minutes_ago=1)
    recorded("i-0000000000000000a", minutes_ago=6)
    recorded("i-00000000000expected", counted=False)
    recorded("i-00000000000000old", minutes_ago=60)
    table.put_item(Item={"instanceId": "i-claimed", "run": "1"})

    assert reporter.handler({"alarmData": {"alarmName": "Shop/Terminations"}}, None) == 2

    sent = mail()
    assert sent["Subject"] == "Terminated: i-0000000000000000a, i-0000000000000000b"
    assert "counted by the alarm: 2" in sent["Message"]
    assert "Stack:   Shop\nRegion:  us-east-1\nAccount: 123456789012" in sent["Message"]
    assert (
        "i-0000000000000000a\n    Type: t3.micro\n    Zone: us-east-1b\n    Group: web\n    Cause: person-or-program "
        "(somebody called the API, or the machine shut itself down)\n    AWS says: User initiated"
    ) in sent["Message"]
    console = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    assert f"{console}#alarmsV2:alarm/Shop%2FTerminations\n" in sent["Message"]
    assert sent["Message"].endswith(f"{console}#logsV2:log-groups/log-group/$252Faws$252Flambda$252FShop-Logger")
    assert "expected" not in sent["Message"]
    assert "old" not in sent["Message"]


def test_a_mass_termination_is_told_in_one_mail_that_sns_takes(
    reporter: ModuleType, recorded: Recorded, mail: Mail
) -> None:
    for number in range(104):
        recorded(f"i-{number:017d}", reason="x" * 12_000)  # a page of a scan holds 1 MB: more than one is read
    assert reporter.handler({}, None) == 104
    sent = mail()
    assert len(sent["Subject"]) <= 100
    assert "counted by the alarm: 104" in sent["Message"]
    assert "... and 4 more: see the log." in sent["Message"]
    assert len(sent["Message"].encode()) < 256 * 1024


def test_without_a_record_the_mail_points_to_the_log(reporter: ModuleType, table: Any, mail: Mail) -> None:
    assert reporter.handler({}, None) == 0
    assert mail()["Subject"] == "Terminated: see the log"


def test_a_termination_recorded_before_lines_had_a_type_is_reported_too(
    reporter: ModuleType, table: Any, mail: Mail
) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"instanceId": "i-1", "class": "aws", "group": "", "reason": "", "terminatedAt": at}
    table.put_item(Item={"instanceId": "i-1", "recordedAt": at, "counted": True, "line": json.dumps(line)})
    assert reporter.handler({}, None) == 1
    assert "    Type: not known any more\n    Zone: not known any more\n    Group: none\n" in mail()["Message"]
