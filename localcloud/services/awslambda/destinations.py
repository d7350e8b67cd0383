"""Event invoke configurations: how often an asynchronous event is tried, and where its result goes.

moto gaps: it keeps them, the first one for ever, and does nothing with them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from moto.awslambda.exceptions import ValidationException
from moto.awslambda.models import EventInvokeConfig, LambdaBackend, LambdaFunction

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, replace, wrap
from localcloud.services.events.behaviour import deliver

Json = dict[str, Any]

#: The attempts after the first one, unless a configuration says otherwise.
RETRIES = 2
#: The condition of a result of a function that has not failed.
SUCCESS = "Success"
#: The pause before the second attempt on AWS, in seconds; before the third it is twice as long.
PAUSE_SECONDS = 60
#: The seconds for which an event is kept, unless a configuration says otherwise.
AGE_SECONDS = 21600
SERVICES = {"events", "lambda", "s3", "sns", "sqs"}


def configuration(fn: LambdaFunction) -> Json:
    """Return the event invoke configuration of a function; empty where it has none."""
    return dict(fn.event_invoke_config[-1].config) if fn.event_invoke_config else {}


def outcome(fn: LambdaFunction, attempts: int) -> str:
    """Return why a failed event is not tried again, in Lambda's words; empty if it is.

    Args:
        fn: The function.
        attempts: How often it has failed to handle the event.
    """
    if attempts > int(configuration(fn).get("MaximumRetryAttempts", RETRIES)):
        return "RetriesExhausted"
    age = PAUSE_SECONDS * attempts * (attempts + 1) // 2  # on AWS, at the next attempt
    return "EventAgeExceeded" if age >= int(configuration(fn).get("MaximumEventAgeInSeconds") or AGE_SECONDS) else ""


def send(
    cloud: Cloud, fn: LambdaFunction, request: str, event: Any, result: str, *, condition: str, attempts: int
) -> None:
    """Send the result of an asynchronous event to the function's destination, if it has one.

    Args:
        cloud: The function's cloud.
        fn: The function.
        request: The id of the request.
        event: What it was called with.
        result: Its response, as JSON.
        condition: ``Success``, or why it is not tried again, in Lambda's words.
        attempts: How often it ran.
    """
    failed = condition != SUCCESS
    kind = "OnFailure" if failed else "OnSuccess"
    destination = (configuration(fn).get("DestinationConfig") or {}).get(kind, {}).get("Destination")
    if not destination:
        return
    now, function = datetime.now(UTC), f"{fn.function_arn.removesuffix(f':{fn.version}')}:{fn.version}"
    record = {
        "version": "1.0",
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "requestContext": {
            "requestId": request,
            "functionArn": function,
            "condition": condition,
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
    key = f"aws/lambda/async/{fn.function_name}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{request}"
    about = {"DetailType": f"Lambda Function Invocation Result - {'Failure' if failed else SUCCESS}"}
    hand_over(
        cloud, fn, destination, json.dumps(record), key=key, event={**about, "Resources": [destination, function]}
    )


def send_dead_letter(  # noqa: PLR0917 - what there is to say
    cloud: Cloud, fn: LambdaFunction, destination: str, request: str, event: Any, result: str
) -> None:
    """Send an event that a function has not handled to its dead-letter queue or topic, with what went wrong.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
    """
    message = str((json.loads(result or "null") or {}).get("errorMessage", ""))
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": request},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": message[:1024] or "null"},
    }
    _check_role(cloud, fn, destination, "")
    if ":sns:" in destination:
        cloud.client("sns").publish(TopicArn=destination, Message=json.dumps(event), MessageAttributes=attributes)
        return
    url = cloud.client("sqs").get_queue_url(QueueName=destination.rpartition(":")[2])["QueueUrl"]
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event), MessageAttributes=attributes)


def hand_over(
    cloud: Cloud, fn: LambdaFunction, destination: str, payload: str, *, key: str = "", event: Json | None = None
) -> None:
    """Deliver a result of a function, or what it did not take, as the function's role.

    Args:
        cloud: The function's cloud.
        fn: The function.
        destination: ARN of a function, topic, queue, bucket or event bus.
        payload: What to deliver, as JSON.
        key: Of the object, in a bucket.
        event: The type and the resources of the event, on an event bus.

    Raises:
        PermissionError: The role may not.
    """
    _check_role(cloud, fn, destination, key)
    match destination.split(":")[2]:
        case "s3":
            cloud.client("s3").put_object(Bucket=destination.rpartition(":")[2], Key=key, Body=payload.encode())
        case "events":
            entry = {"Source": "lambda", "Detail": payload, "EventBusName": destination, **(event or {})}
            cloud.client("events").put_events(Entries=[entry])
        case _:
            deliver(cloud, destination, payload)


def _check_role(cloud: Cloud, fn: LambdaFunction, destination: str, key: str) -> None:
    service = destination.split(":")[2]
    if service == "s3":
        needed = [Need("s3:PutObject", f"{destination}/{key}")]
    elif service == "events":
        needed = [Need("events:PutEvents", destination)]
    else:
        needed = [Need(action, destination) for action in service_calls.ACTIONS.get(service, ())]
    service_calls.check_role(cloud, str(fn.role), fn.function_name, *needed)


@wrap(LambdaBackend, "put_function_event_invoke_config")
def _put(original: Any, self: LambdaBackend, function_name: str, config: Json) -> Any:
    for kind, place in (config.get("DestinationConfig") or {}).items():
        _check(kind, place.get("Destination") or "")
    self.get_function(function_name).event_invoke_config.clear()
    return original(self, function_name, config)


@after(EventInvokeConfig, "__init__")
def _qualified(_: None, config: EventInvokeConfig, *_args: Any, **_kwargs: Any) -> None:
    """Name the version that a configuration is for: here always the latest one."""
    config.arn = f"{config.arn}:$LATEST"


@replace(LambdaBackend, "update_function_event_invoke_config")
def _update(self: LambdaBackend, function_name: str, config: Json) -> Any:
    before = configuration(self.get_function(function_name))
    return self.put_function_event_invoke_config(function_name, {**before, **config})


def _check(kind: str, destination: str) -> None:
    if destination and destination.removeprefix("arn:aws:").partition(":")[0] not in SERVICES:
        reason = "The local cloud sends results to functions, topics, queues, buckets and event buses"
        raise ValidationException(destination, f"destinationConfig.{kind[0].lower()}{kind[1:]}.destination", reason)
