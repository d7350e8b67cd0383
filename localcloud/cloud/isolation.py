"""Isolation: within a service, one request after another.

moto gap: its server answers each request in a thread of its own, and its services look before they write. Two requests
could create one name or get one version number, two conditional writes could both succeed, and a collection changed
while another request listed it. Here the requests to one service follow each other; services work side by side.

A request that waits, for a message, a function, a program or another service, stays outside, or the service would stand
still. What it changes there it changes under the service's lock (`Cloud.lock`), which threads that change a service
without a request take, too.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from moto.events.models import EventsBackend
from moto.logs.models import LogsBackend, LogStream
from moto.s3 import notifications
from moto.sqs.models import Message, SQSBackend

from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

#: moto's names of the services whose requests follow each other, with the operations that wait and stay outside.
#: CloudFormation is not one of them: a deployment uses the other services, and is watched meanwhile.
SERVICES: dict[str, set[str]] = {
    "apigateway": set(),
    "apigatewayv2": set(),
    "autoscaling": set(),
    "awslambda": {"invocations", "invoke-async"},
    "batch": set(),
    "budgets": set(),
    "cloudwatch": set(),
    "dynamodb": set(),
    "ec2": set(),
    "ecs": set(),
    "elb": set(),
    "elbv2": set(),
    "events": set(),
    "iam": set(),
    "kms": set(),
    "logs": {"PutLogEvents"},  # a subscription's function gets them first
    "rds": {
        f"{verb}{kind}"
        for verb in ("Create", "Delete", "Modify", "Reboot", "Start", "Stop")
        for kind in ("DBCluster", "DBInstance")
    }
    | {
        "RestoreDBClusterFromSnapshot",
        "RestoreDBClusterToPointInTime",
        "RestoreDBInstanceFromDBSnapshot",
        "RestoreDBInstanceToPointInTime",
    },
    "s3": {"UploadPart"},  # large, and nothing is looked up before it is written
    "scheduler": set(),
    "secretsmanager": {"RotateSecret"},
    "sns": {"Publish", "PublishBatch"},
    "sqs": {"ReceiveMessage"},
    "ssm": set(),
    "stepfunctions": set(),
    "timestreaminfluxdb": {"CreateDbInstance", "DeleteDbInstance"},
    "timestreamwrite": {"Query"},
}


def isolated(create: Callable[[Any], Any], lock: Callable[[str], AbstractContextManager[bool]]) -> Callable[[Any], Any]:
    """Make moto's function that creates a service's application create one that answers a request at a time.

    Args:
        create: moto's function.
        lock: Returns the lock of a service; it is called for each request.
    """

    def create_isolated(service: str) -> Application:
        application: Application = create(service)
        if service not in SERVICES:
            return application

        def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if _operation(service, environ) in SERVICES[service]:
                return application(environ, start_response)
            with lock(service):
                return application(environ, start_response)

        return call

    return create_isolated


def _operation(service: str, environ: dict[str, Any]) -> str:
    """Return the operation that a request names, in its header, its form or the end of its path."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    query = parse_qs(environ.get("QUERY_STRING", ""))
    if service == "s3":
        return "UploadPart" if "partNumber" in query else ""
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(form)
        query |= parse_qs(form.decode(errors="replace"))
    return str(query.get("Action", [environ.get("PATH_INFO", "").rpartition("/")[2]])[0])


@dataclass
class StreamState:
    """The lock under which log events are appended to a log stream."""

    appending: AbstractContextManager[bool] = field(default_factory=threading.RLock)


# What other services and threads change without a request.


@wrap(LogsBackend, "create_log_group", "create_log_stream", "ensure_log_group", "ensure_log_stream")
def _change_logs(cloud: Cloud, original: Any, *args: Any, **kwargs: Any) -> Any:
    with cloud.lock("logs"):
        return original(*args, **kwargs)


@wrap(EventsBackend, "put_events")
def _put_events(cloud: Cloud, original: Any, *args: Any, **kwargs: Any) -> Any:
    with cloud.lock("events"):
        return original(*args, **kwargs)


@wrap(LogStream, "put_log_events")
def _put_log_events(cloud: Cloud, original: Any, self: LogStream, log_events: list[dict[str, Any]]) -> str:
    with cloud.state(StreamState, self).appending:
        return str(original(self, log_events))


@wrap(SQSBackend, "receive_message")
def _receive_message(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud, original: Any, self: SQSBackend, name: str, count: int, wait: int, visibility: int, *attributes: Any
) -> list[Message]:
    """Take what there is, or wait for it: taking is one step, so that no two receivers take the same message."""
    end = time.monotonic() + wait
    while True:
        with cloud.lock("sqs"):
            messages: list[Message] = original(self, name, count, 0, visibility, *attributes)
        if messages or time.monotonic() >= end:
            return messages
        self.get_queue(name).wait_for_messages(1)


@wrap(notifications, "send_event")
def _send_event(cloud: Cloud, original: Any, *event: Any, **key: Any) -> None:
    """A bucket tells functions and topics what happened after its answer, as on AWS."""
    cloud.background(partial(original, *event, **key))
