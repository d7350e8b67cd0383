"""Where the results of asynchronous events go, and what is left of events that a function has not handled.

moto gap: it tries no event again, and sends no result.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.awslambda.models import LambdaFunction

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.context import Cloud
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


@dataclass
class AsynchronousEvent:
    """An event that a function handles when it can.

    Attributes:
        function: The function, or a version of it.
        arn: What has been called: the function, a version or an alias.
        payload: The event.
        request: The id of the request, the same in each attempt.
        attempts: How often the function has failed to handle it.
    """

    function: LambdaFunction
    arn: str
    payload: Any
    request: str = field(default_factory=lambda: str(uuid4()))
    attempts: int = 0


def outcome(settings: Json, attempts: int) -> str:
    """Return why a failed event is not tried again, in Lambda's words; empty if it is.

    Args:
        settings: The settings for asynchronous calls of what was called.
        attempts: How often it has failed to handle the event.
    """
    if attempts > int(settings.get("MaximumRetryAttempts", RETRIES)):
        return "RetriesExhausted"
    age = PAUSE_SECONDS * attempts * (attempts + 1) // 2  # on AWS, at the next attempt
    return "EventAgeExceeded" if age >= int(settings.get("MaximumEventAgeInSeconds") or AGE_SECONDS) else ""


def send(cloud: Cloud, event: AsynchronousEvent, settings: Json, result: str, condition: str) -> None:
    """Send the result of an asynchronous event to its destination, if there is one.

    Args:
        cloud: The function's cloud.
        event: The event.
        settings: The settings for asynchronous calls of what was called.
        result: The function's response, as JSON.
        condition: ``Success``, or why it is not tried again, in Lambda's words.
    """
    fn, request = event.function, event.request
    failed = condition != SUCCESS
    kind = "OnFailure" if failed else "OnSuccess"
    destination = ((settings.get("DestinationConfig") or {}).get(kind) or {}).get("Destination")
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
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": event.payload,
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


def send_dead_letter(cloud: Cloud, event: AsynchronousEvent, destination: str, result: str) -> None:
    """Send an event that a function has not handled to its dead-letter queue or topic, with what went wrong.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
    """
    message = str((json.loads(result or "null") or {}).get("errorMessage", ""))
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": event.request},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": message[:1024] or "null"},
    }
    _check_role(cloud, event.function, destination, "")
    if ":sns:" in destination:
        cloud.client("sns").publish(
            TopicArn=destination, Message=json.dumps(event.payload), MessageAttributes=attributes
        )
        return
    url = cloud.client("sqs").get_queue_url(QueueName=destination.rpartition(":")[2])["QueueUrl"]
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event.payload), MessageAttributes=attributes)


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
