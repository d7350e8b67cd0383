"""SQS: the order and the duplicates of FIFO queues, dead letters and their way back, and presigned requests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localcloud import LocalCloud
from tests.integration.localcloud.test_queues import refusal


@pytest.fixture
def fifo(cloud: LocalCloud) -> Callable[..., str]:
    def make(**attributes: str) -> str:
        settings = {"FifoQueue": "true", "ContentBasedDeduplication": "true", **attributes}
        url: str = cloud.client("sqs").create_queue(QueueName=f"{uuid.uuid4().hex}.fifo", Attributes=settings)[
            "QueueUrl"
        ]
        return url

    return make


def send(sqs: Any, url: str, *bodies: str) -> list[dict[str, Any]]:
    """Send messages whose group is the first part of their body."""
    return [sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body.partition("-")[0]) for body in bodies]


def receive(sqs: Any, url: str, most: int = 10, **more: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, **more).get(
        "Messages", []
    )
    return messages


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Body"] for message in messages]


def test_a_group_waits_for_its_messages_in_flight(cloud: LocalCloud, fifo: Callable[..., str]) -> None:
    sqs, url = cloud.client("sqs"), fifo()
    send(sqs, url, "a-1", "b-1", "a-2", "a-3")
    first = receive(sqs, url, 2)
    assert bodies(first) == ["a-1", "a-2"]
    assert bodies(receive(sqs, url)) == ["b-1"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
    assert receive(sqs, url) == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first[1]["ReceiptHandle"])
    assert bodies(receive(sqs, url)) == ["a-3"]


def test_a_message_that_is_visible_again_comes_before_those_behind_it(
    cloud: LocalCloud, fifo: Callable[..., str]
) -> None:
    sqs, url = cloud.client("sqs"), fifo()
    send(sqs, url, "a-1", "a-2", "b-1")
    first = receive(sqs, url, 2)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"], VisibilityTimeout=0)
    assert bodies(receive(sqs, url)) == ["b-1", "a-1"]


def test_a_deleted_message_still_counts_as_sent(cloud: LocalCloud, fifo: Callable[..., str]) -> None:
    sqs, url = cloud.client("sqs"), fifo()
    first = send(sqs, url, "a-1")[0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=receive(sqs, url)[0]["ReceiptHandle"])
    again, other = send(sqs, url, "a-1", "a-2")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert int(other["SequenceNumber"]) > int(first["SequenceNumber"])
    assert bodies(receive(sqs, url)) == ["a-2"]


def test_the_scope_of_deduplication_may_be_the_group(cloud: LocalCloud, fifo: Callable[..., str]) -> None:
    sqs = cloud.client("sqs")
    for scope, arriving in (("queue", 1), ("messageGroup", 2)):
        url = fifo(DeduplicationScope=scope)
        for group in ("a", "b"):
            sqs.send_message(QueueUrl=url, MessageBody="same", MessageGroupId=group)
        assert len(receive(sqs, url)) == arriving, scope


def test_settings_of_fifo_queues_can_be_changed_there_only(cloud: LocalCloud, fifo: Callable[..., str]) -> None:
    sqs, url = cloud.client("sqs"), fifo()
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"ContentBasedDeduplication": "false"})
    code, _ = refusal(sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="a")
    assert code == "InvalidParameterValue"
    standard = sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
    code, _ = refusal(sqs.set_queue_attributes, QueueUrl=standard, Attributes={"DeduplicationScope": "queue"})
    assert code == "InvalidAttributeName"


def test_a_queue_that_exists_says_which_attribute_differs(cloud: LocalCloud) -> None:
    sqs, name = cloud.client("sqs"), uuid.uuid4().hex
    sqs.create_queue(QueueName=name)
    _, message = refusal(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "5"})
    assert message.endswith("a different value for attribute DelaySeconds")


def dead_letters(sqs: Any) -> tuple[str, str, str]:
    """Put one message into a new dead-letter queue; return the URLs of its source and of it, and its ARN."""
    dead = sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    source = sqs.create_queue(QueueName=uuid.uuid4().hex, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    sqs.send_message(QueueUrl=source, MessageBody="letter")
    for _ in range(2):
        receive(sqs, source, VisibilityTimeout=0)
    return source, dead, arn


def test_a_move_task_takes_dead_letters_back_to_where_they_came_from(
    cloud: LocalCloud, eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    sqs = cloud.client("sqs")
    source, dead, arn = dead_letters(sqs)
    letter = receive(sqs, dead, VisibilityTimeout=0, MessageSystemAttributeNames=["DeadLetterQueueSourceArn"])[0]
    assert letter["Attributes"]["DeadLetterQueueSourceArn"].endswith(source.rpartition("/")[2])
    sqs.start_message_move_task(SourceArn=arn)
    eventually(lambda: sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"] == "COMPLETED")
    task = sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]
    assert (task["ApproximateNumberOfMessagesMoved"], "TaskHandle" in task) == (1, False)
    assert bodies(receive(sqs, source)) == ["letter"]


def test_move_tasks_that_cannot_be_are_refused(cloud: LocalCloud) -> None:
    sqs = cloud.client("sqs")
    source, _, arn = dead_letters(sqs)
    ordinary = sqs.get_queue_attributes(QueueUrl=source, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert refusal(sqs.start_message_move_task, SourceArn=ordinary)[1].startswith("Source queue must be configured")
    code, message = refusal(sqs.start_message_move_task, SourceArn=arn, DestinationArn=f"{arn}x")
    assert (code, "DestinationArn" in message) == ("ResourceNotFoundException", True)
    assert refusal(sqs.cancel_message_move_task, TaskHandle="none")[0] == "InvalidParameterValue"


def test_a_presigned_request_reaches_the_queue_that_it_names(cloud: LocalCloud) -> None:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]

    def get(action: str) -> str:
        request = AWSRequest("GET", url, params={"Action": action, "AttributeName.1": "QueueArn"})
        keys = cloud.environment()
        credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
        SigV4QueryAuth(credentials, "sqs", sqs.meta.region_name).add_auth(request)
        try:
            with urllib.request.urlopen(request.prepare().url) as response:  # noqa: S310 - the cloud's own address
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.read().decode())

    assert url.rpartition("/")[2] in get("GetQueueAttributes")
    assert "<Message>The action Nothing is not valid for this endpoint.</Message>" in get("Nothing")
    assert "<Code>InvalidAction</Code>" in get("ListQueues")
