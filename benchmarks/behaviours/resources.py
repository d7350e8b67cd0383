"""What the behaviours share: clients, small resources with names of their own, and patience."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3

SECONDS = 20
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": ["lambda.amazonaws.com", "batch.amazonaws.com", "ec2.amazonaws.com"]},
            }
        ],
    }
)


class BehaviourError(AssertionError):
    """The behaviour does not hold."""


@cache
def client(service: str) -> Any:
    """Return a client of the endpoint in the environment."""
    return boto3.client(service)


def name() -> str:
    """Return a new name, which every service takes."""
    return f"b-{uuid.uuid4().hex[:12]}"


def expect(holds: object, what: str) -> None:
    """Require that something holds.

    Raises:
        BehaviourError: It does not.
    """
    if not holds:
        raise BehaviourError(what)


def eventually(probe: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Call `probe` until its result is true, and return that.

    Raises:
        BehaviourError: It stays false until the time is up.
    """
    end = time.monotonic() + seconds
    while True:
        if result := probe():
            return result
        expect(time.monotonic() < end, what)
        time.sleep(0.2)


def never(probe: Callable[[], Any], what: str, seconds: float = 3) -> None:
    """Require that the result of `probe` stays false for some seconds.

    Raises:
        BehaviourError: It becomes true.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        expect(not probe(), what)
        time.sleep(0.2)


def refused(call: Callable[[], Any], words: str) -> None:
    """Require that a request is refused with these words.

    Raises:
        BehaviourError: It is taken, or refused with others.
    """
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever the SDK raises
        expect(words in str(error), f"refused with {error}, without {words!r}")
    else:
        raise BehaviourError(f"taken, instead of refused with {words!r}")


def role() -> str:
    """Create a role; its ARN."""
    return str(client("iam").create_role(RoleName=name(), AssumeRolePolicyDocument=TRUST)["Role"]["Arn"])


def queue(policy: dict[str, Any] | None = None) -> tuple[str, str]:
    """Create a queue; its URL and its ARN."""
    sqs = client("sqs")
    attributes = {"Policy": json.dumps(policy)} if policy else {}
    url = sqs.create_queue(QueueName=name(), Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return str(url), str(arn)


def messages(url: str) -> list[Any]:
    """Read the bodies of the messages in a queue, without taking them."""
    received = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in received.get("Messages", [])]


def archive(code: str) -> bytes:
    """Pack a function's code."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("index.py", code)
    return buffer.getvalue()


def function(code: str, **settings: Any) -> dict[str, Any]:
    """Create a function from its code, whose handler is ``handler``; its configuration."""
    created: dict[str, Any] = client("lambda").create_function(
        FunctionName=name(),
        Runtime="python3.13",
        Role=role(),
        Handler="index.handler",
        Code={"ZipFile": archive(code)},
        **settings,
    )
    return created


def lines(group: str) -> list[str]:
    """Read the messages of a log group; none if it is not there."""
    logs = client("logs")
    try:
        return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def logged(group: str, words: str) -> bool:
    """Tell whether a line of a log group contains these words."""
    return any(words in line for line in lines(group))


def topic_to(queue_arn: str) -> str:
    """Create a topic that sends its messages, as they are, to a queue; its ARN."""
    sns = client("sns")
    topic = sns.create_topic(Name=name())["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes=raw)
    return str(topic)
