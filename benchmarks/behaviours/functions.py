"""Functions of AWS Lambda."""

from __future__ import annotations

import base64
import gzip
import json
import time
from typing import Any

from behaviours.resources import (
    archive,
    client,
    eventually,
    expect,
    function,
    lines,
    logged,
    messages,
    name,
    queue,
    refused,
)

SHOW = "import json\n\ndef handler(event, context):\n    print('event', json.dumps(event))\n"
FAIL = "def handler(event, context):\n    raise ValueError('no good')\n"


def _invoke(created: dict[str, Any], event: Any, kind: str = "RequestResponse") -> tuple[Any, dict[str, Any]]:
    response = client("lambda").invoke(
        FunctionName=created["FunctionName"], InvocationType=kind, Payload=json.dumps(event)
    )
    body = response["Payload"].read()
    return json.loads(body) if body else None, response


def _events(created: dict[str, Any]) -> list[Any]:
    """The events that a function which shows them has seen."""
    seen = lines(f"/aws/lambda/{created['FunctionName']}")
    return [json.loads(line[6:]) for line in seen if line.startswith("event ")]


def a_function_runs_its_code() -> None:
    """A function answers what its code computes from the event and its environment."""
    code = "import os\n\ndef handler(event, context):\n    return event['n'] * int(os.environ['FACTOR'])\n"
    payload, _ = _invoke(function(code, Environment={"Variables": {"FACTOR": "6"}}), {"n": 7})
    expect(payload == 42, f"the answer is {payload}")  # noqa: PLR2004


def an_exception_is_a_function_error() -> None:
    """A function that raises gives a function error with the exception's type and message."""
    payload, response = _invoke(function(FAIL), {})
    expect(response.get("FunctionError") == "Unhandled", f"FunctionError is {response.get('FunctionError')}")
    expect((payload["errorType"], payload["errorMessage"]) == ("ValueError", "no good"), f"the answer is {payload}")


def a_function_times_out() -> None:
    """A function that takes longer than its timeout is ended."""
    payload, response = _invoke(
        function("import time\n\ndef handler(event, context):\n    time.sleep(60)\n", Timeout=1), {}
    )
    expect("FunctionError" in response and "timed out" in str(payload), f"the answer is {payload}")


def a_function_logs() -> None:
    """What a function prints is in its log group, with a report of the call."""
    created = function("def handler(event, context):\n    print('it was here')\n")
    _invoke(created, {})
    group = f"/aws/lambda/{created['FunctionName']}"
    eventually(lambda: logged(group, "it was here") and logged(group, "REPORT RequestId"), "the lines are not there")


def a_failed_event_becomes_a_dead_letter() -> None:
    """An event whose function always fails ends in the function's dead-letter queue."""
    url, arn = queue()
    _invoke(function(FAIL, DeadLetterConfig={"TargetArn": arn}), {"order": 1}, "Event")
    expect(eventually(lambda: messages(url), "no dead letter", 30) == [{"order": 1}], "another letter")


def a_result_reaches_its_destination() -> None:
    """The result of an asynchronous call reaches the destination for successes."""
    url, arn = queue()
    created = function("def handler(event, context):\n    return 'done'\n")
    client("lambda").put_function_event_invoke_config(
        FunctionName=created["FunctionName"], DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    _invoke(created, {"order": 1}, "Event")
    (record,) = eventually(lambda: messages(url), "no record")
    expect((record["requestPayload"], record["responsePayload"]) == ({"order": 1}, "done"), f"the record is {record}")


def a_queue_feeds_a_function() -> None:
    """Messages of a queue reach the function that is connected to it."""
    url, arn = queue()
    created = function(SHOW)
    client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=created["FunctionName"])
    client("sqs").send_message(QueueUrl=url, MessageBody="order 1")
    (event,) = eventually(lambda: _events(created), "the function was not called")
    expect([record["body"] for record in event["Records"]] == ["order 1"], f"the event is {event}")


def a_stream_feeds_a_function_in_order() -> None:
    """Changes of a table's items reach a function in order."""
    table, dynamodb = name(), client("dynamodb")
    stream = dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]
    created = function(SHOW)
    client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName=created["FunctionName"], StartingPosition="TRIM_HORIZON"
    )
    for n in ("1", "2"):
        dynamodb.put_item(TableName=table, Item={"k": {"S": "key"}, "n": {"N": n}})

    def records() -> list[Any]:
        return [record for event in _events(created) for record in event["Records"]]

    eventually(lambda: len(records()) == 2, "the changes did not arrive")  # noqa: PLR2004
    expect([record["eventName"] for record in records()] == ["INSERT", "MODIFY"], f"the records are {records()}")


def an_alias_runs_its_version() -> None:
    """An alias runs the version that it names, also after the code has changed."""
    created = function("def handler(event, context):\n    return 1\n")
    version = client("lambda").publish_version(FunctionName=created["FunctionName"])["Version"]
    alias = client("lambda").create_alias(FunctionName=created["FunctionName"], Name="live", FunctionVersion=version)[
        "AliasArn"
    ]
    client("lambda").update_function_code(
        FunctionName=created["FunctionName"], ZipFile=archive("def handler(event, context):\n    return 2\n")
    )
    payloads = [_invoke({"FunctionName": function_name}, {})[0] for function_name in (alias, created["FunctionName"])]
    expect(payloads == [1, 2], f"the answers are {payloads}")


def a_subscription_filter_feeds_a_function() -> None:
    """Log events that match a subscription filter reach its function, and no others."""
    created, group, logs = function(SHOW), name(), client("logs")
    client("lambda").add_permission(
        FunctionName=created["FunctionName"],
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
    )
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    logs.put_subscription_filter(
        logGroupName=group, filterName="errors", filterPattern="ERROR", destinationArn=created["FunctionArn"]
    )
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in ("all is well", "ERROR: no space left")]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    (event,) = eventually(lambda: _events(created), "the function was not called")
    data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    log_messages = [line["message"] for line in data["logEvents"]]
    expect(log_messages == ["ERROR: no space left"], f"the events are {log_messages}")


def a_subscription_filter_needs_a_permission() -> None:
    """A subscription filter whose function CloudWatch Logs may not call is refused."""
    created, group, logs = function(SHOW), name(), client("logs")
    logs.create_log_group(logGroupName=group)
    refused(
        lambda: logs.put_subscription_filter(
            logGroupName=group, filterName="all", filterPattern="", destinationArn=created["FunctionArn"]
        ),
        "Could not execute the lambda function",
    )
