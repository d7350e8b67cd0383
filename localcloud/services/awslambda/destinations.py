"""Event invoke configurations: how often an asynchronous event is tried, and where its result goes.

moto gaps: it keeps them, the first one for ever, and does nothing with them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.exceptions import ValidationException
from moto.awslambda.models import LambdaBackend, LambdaFunction

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.events.behaviour import deliver

Json = dict[str, Any]

#: The attempts after the first one, unless a configuration says otherwise.
RETRIES = 2
SERVICES = {"lambda", "sns", "sqs"}


def configuration(fn: LambdaFunction) -> Json:
    """The event invoke configuration of a function; empty where it has none."""
    return dict(fn.event_invoke_config[-1].config) if fn.event_invoke_config else {}


def retries(fn: LambdaFunction) -> int:
    """How often an event is tried again."""
    return int(configuration(fn).get("MaximumRetryAttempts", RETRIES))


def send(
    cloud: Cloud, fn: LambdaFunction, request: str, event: Any, result: str, *, failed: bool, attempts: int
) -> None:
    """Send the result of an asynchronous event to the function's destination, if it has one.

    Args:
        cloud: The function's cloud.
        fn: The function.
        request: The id of the request.
        event: What it was called with.
        result: Its response, as JSON.
        failed: Whether the last attempt failed.
        attempts: How often it ran.
    """
    kind = "OnFailure" if failed else "OnSuccess"
    destination = (configuration(fn).get("DestinationConfig") or {}).get(kind, {}).get("Destination")
    if not destination:
        return
    record = {
        "version": "1.0",
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        "requestContext": {
            "requestId": request,
            "functionArn": f"{fn.function_arn}:{fn.version}",
            "condition": "RetriesExhausted" if failed else "Success",
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": str(fn.version),
            **({"functionError": "Unhandled"} if failed else {}),
        },
        "responsePayload": json.loads(result or "null"),
    }
    hand_over(cloud, fn, destination, json.dumps(record))


def hand_over(cloud: Cloud, fn: LambdaFunction, destination: str, payload: str) -> None:
    """Deliver a result of a function, or what it did not take, as the function's role.

    Raises:
        PermissionError: The role may not.
    """
    actions = service_calls.ACTIONS.get(destination.split(":")[2], ())
    needed = [Need(action, destination) for action in actions]
    service_calls.check_role(cloud, str(fn.role), fn.function_name, *needed)
    deliver(cloud, destination, payload)


@wrap(LambdaBackend, "put_function_event_invoke_config")
def _put(original: Any, self: LambdaBackend, function_name: str, config: Json) -> Any:
    for kind, place in (config.get("DestinationConfig") or {}).items():
        _check(kind, place.get("Destination") or "")
    self.get_function(function_name).event_invoke_config.clear()
    return original(self, function_name, config)


@replace(LambdaBackend, "update_function_event_invoke_config")
def _update(self: LambdaBackend, function_name: str, config: Json) -> Any:
    before = configuration(self.get_function(function_name))
    return self.put_function_event_invoke_config(function_name, {**before, **config})


def _check(kind: str, destination: str) -> None:
    if destination and destination.removeprefix("arn:aws:").partition(":")[0] not in SERVICES:
        reason = "The local cloud sends results only to functions, topics and queues"
        raise ValidationException(destination, f"destinationConfig.{kind[0].lower()}{kind[1:]}.destination", reason)
