"""Functions that fail: what callers are told, how often an event is tried, and where its result goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import function, logged, queue, receive

FAILS_IF_TOLD = """
def handler(event, context):
    print('called')
    if event.get('fail'):
        raise ValueError('no')
    return {'answer': 42}
"""


def test_an_exception_of_the_handler_is_an_unhandled_error(cloud: LocalCloud) -> None:
    response = cloud.client("lambda").invoke(FunctionName=function(cloud, FAILS_IF_TOLD), Payload=b'{"fail": true}')
    assert response["FunctionError"] == "Unhandled"
    assert json.loads(response["Payload"].read())["errorType"] == "ValueError"


@pytest.fixture
def destinations(cloud: LocalCloud) -> tuple[str, str, str]:
    """A function that is tried twice, and the URLs of the queues for its failures and successes."""
    name, (failures, failed), (successes, succeeded) = function(cloud, FAILS_IF_TOLD), queue(cloud), queue(cloud)
    places = {"OnFailure": {"Destination": failed}, "OnSuccess": {"Destination": succeeded}}
    configure = cloud.client("lambda").put_function_event_invoke_config
    configure(FunctionName=name, MaximumRetryAttempts=2)
    configure(FunctionName=name, MaximumRetryAttempts=1, DestinationConfig=places)
    return name, failures, successes


def test_a_failed_event_goes_to_its_destination_after_the_last_attempt(
    cloud: LocalCloud, destinations: tuple[str, str, str], eventually: Any
) -> None:
    name, failures, successes = destinations
    cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fail": true}')
    (record,) = eventually(lambda: receive(cloud, failures))
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestPayload"] == {"fail": True}
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no"
    assert logged(cloud, f"/aws/lambda/{name}").count("called") == 2
    assert not receive(cloud, successes)


def test_the_result_of_an_event_goes_to_its_destination(
    cloud: LocalCloud, destinations: tuple[str, str, str], eventually: Any
) -> None:
    name, failures, successes = destinations
    cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    (record,) = eventually(lambda: receive(cloud, successes))
    assert (record["requestContext"]["condition"], record["responsePayload"]) == ("Success", {"answer": 42})
    assert not receive(cloud, failures)


def test_results_also_go_to_event_buses(cloud: LocalCloud, eventually: Any) -> None:
    (url, arn), events = queue(cloud), cloud.client("events")
    events.put_rule(Name="results", EventPattern=json.dumps({"source": ["lambda"]}))
    events.put_targets(Rule="results", Targets=[{"Id": "queue", "Arn": arn}])
    name, bus = function(cloud, FAILS_IF_TOLD), "arn:aws:events:us-east-1:123456789012:event-bus/default"
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": bus}}
    )
    cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    (event,) = eventually(lambda: receive(cloud, url))
    assert event["detail-type"] == "Lambda Function Invocation Result - Success"
    assert event["resources"] == [bus, f"arn:aws:lambda:us-east-1:123456789012:function:{name}:$LATEST"]
    assert event["detail"]["responsePayload"] == {"answer": 42}


def test_an_event_is_not_tried_again_when_aws_would_find_it_too_old(cloud: LocalCloud, eventually: Any) -> None:
    name, (url, arn) = function(cloud, FAILS_IF_TOLD), queue(cloud)
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumEventAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fail": true}')
    (record,) = eventually(lambda: receive(cloud, url))
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 1


def test_a_dead_letter_says_what_went_wrong(cloud: LocalCloud, eventually: Any) -> None:
    name, (url, arn), sqs = function(cloud, FAILS_IF_TOLD), queue(cloud), cloud.client("sqs")
    cloud.client("lambda").update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": arn})
    cloud.client("lambda").put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fail": true}')
    (message,) = eventually(
        lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", [])
    )
    assert json.loads(message["Body"]) == {"fail": True}
    said = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert (said["ErrorCode"], said["ErrorMessage"]) == ("200", "no")


def test_a_destination_of_another_service_is_refused(cloud: LocalCloud) -> None:
    stream = "arn:aws:firehose:us-east-1:123456789012:deliverystream/results"
    with pytest.raises(ClientError, match="The provided destination config"):
        cloud.client("lambda").put_function_event_invoke_config(
            FunctionName=function(cloud, FAILS_IF_TOLD), DestinationConfig={"OnFailure": {"Destination": stream}}
        )
