"""Within a service requests follow each other; what waits, and other services, go on beside them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from localcloud.cloud.context import Cloud
from localcloud.cloud.isolation import isolated

FORM = "application/x-www-form-urlencoded"
CLOUD = Cloud(Path.cwd(), "http://localhost")


def _is_held(service: str) -> bool:
    """Whether another thread would have to wait for the service."""
    taken = []

    def take() -> None:
        lock: Any = CLOUD.lock(service)
        taken.append(lock.acquire(blocking=False))
        if taken[0]:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return not taken[0]


def _held_during(service: str, looked_at: str = "", **request: Any) -> bool:
    """Send a request to a service; whether that service, or the one to look at, is held meanwhile."""
    held = []

    def application(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        held.append(_is_held(looked_at or service))
        return [environ["wsgi.input"].read()]

    body = request.pop("body", b"")
    answer = isolated(lambda _: application, CLOUD.lock)(service)({"wsgi.input": BytesIO(body), **request}, None)
    assert b"".join(answer) == body
    assert not _is_held(looked_at or service)
    return held[0]


@pytest.mark.parametrize(
    ("service", "request_"),
    [
        ("dynamodb", {"HTTP_X_AMZ_TARGET": "DynamoDB_20120810.PutItem"}),
        ("sqs", {"HTTP_X_AMZ_TARGET": "AmazonSQS.SendMessage"}),
        ("iam", {"CONTENT_TYPE": f"{FORM}; charset=utf-8", "body": b"Action=CreateRole&RoleName=r"}),
        ("s3", {"REQUEST_METHOD": "PUT", "PATH_INFO": "/bucket/key"}),
        ("awslambda", {"REQUEST_METHOD": "POST", "PATH_INFO": "/2015-03-31/functions"}),
    ],
)
def test_a_request_has_its_service_to_itself(service: str, request_: dict[str, Any]) -> None:
    assert _held_during(service, **request_)


@pytest.mark.parametrize(
    ("service", "request_"),
    [
        ("sqs", {"HTTP_X_AMZ_TARGET": "AmazonSQS.ReceiveMessage"}),
        ("sqs", {"CONTENT_TYPE": FORM, "body": b"Action=ReceiveMessage&QueueUrl=q"}),
        ("sns", {"CONTENT_TYPE": FORM, "body": b"Action=Publish&Message=%FF"}),
        ("rds", {"CONTENT_TYPE": FORM, "body": b"Action=CreateDBInstance"}),
        ("awslambda", {"PATH_INFO": "/2015-03-31/functions/f/invocations"}),
        ("s3", {"QUERY_STRING": "partNumber=1&uploadId=u"}),
        ("logs", {"HTTP_X_AMZ_TARGET": "Logs_20140328.PutLogEvents"}),
    ],
)
def test_a_request_that_waits_does_not_hold_its_service(service: str, request_: dict[str, Any]) -> None:
    assert not _held_during(service, **request_)


def test_services_work_side_by_side() -> None:
    assert not _held_during("dynamodb", looked_at="sqs", HTTP_X_AMZ_TARGET="DynamoDB_20120810.PutItem")


def test_services_that_change_each_other_share_a_lock() -> None:
    assert _held_during("autoscaling", looked_at="ec2", CONTENT_TYPE=FORM, body=b"Action=CreateAutoScalingGroup")


def test_what_an_unknown_service_does_is_left_alone() -> None:
    application = object()
    assert isolated(lambda _: application, CLOUD.lock)("kinesis") is application
