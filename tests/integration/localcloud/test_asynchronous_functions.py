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


def test_a_secret_is_rotated_by_its_function(cloud: LocalCloud, eventually: Any) -> None:
    name = function(cloud, "def handler(event, context): print(event['Step'])")
    arn = cloud.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="hush")
    secrets.rotate_secret(SecretId=name, RotationLambdaARN=arn, RotationRules={"AutomaticallyAfterDays": 7})
    steps = ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert eventually(lambda: [line for line in logged(cloud, f"/aws/lambda/{name}") if line in steps] == steps)


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


def test_a_destination_that_is_not_there_is_refused(cloud: LocalCloud) -> None:
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    with pytest.raises(ClientError, match="only to functions, topics and queues"):
        cloud.client("lambda").put_function_event_invoke_config(
            FunctionName=function(cloud, FAILS_IF_TOLD), DestinationConfig={"OnFailure": {"Destination": bus}}
        )
