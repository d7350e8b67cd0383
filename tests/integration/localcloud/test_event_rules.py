"""What EventBridge refuses, and what it does with events that nobody gets."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import function, logged, queue

ACCOUNT = "123456789012"


def put(cloud: LocalCloud, **entry: Any) -> dict[str, Any]:
    entry = {"Source": "shop", "DetailType": "sold", "Detail": "{}", **entry}
    response: dict[str, Any] = cloud.client("events").put_events(Entries=[entry])["Entries"][0]
    return response


@pytest.fixture
def rule(cloud: LocalCloud) -> str:
    """The name of a rule, which is also the source of its events."""
    name = uuid.uuid4().hex
    cloud.client("events").put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    return name


def letters(cloud: LocalCloud, url: str) -> list[dict[str, Any]]:
    """The messages of a dead-letter queue."""
    asked = {"MessageAttributeNames": ["All"], "VisibilityTimeout": 0}
    messages: list[dict[str, Any]] = cloud.client("sqs").receive_message(QueueUrl=url, **asked).get("Messages", [])
    return messages


def test_a_rule_that_may_not_call_a_function_does_not(cloud: LocalCloud, rule: str, eventually: Any) -> None:
    name, (url, dead_letters) = function(cloud, "def handler(event, context): print('called')"), queue(cloud)
    arn = cloud.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    target = {"Id": "t", "Arn": arn, "DeadLetterConfig": {"Arn": dead_letters}}
    cloud.client("events").put_targets(Rule=rule, Targets=[target])
    put(cloud, Source=rule, Detail='{"number": 1}')
    eventually(lambda: letters(cloud, url))
    (letter,) = letters(cloud, url)
    reasons = {key: value["StringValue"] for key, value in letter["MessageAttributes"].items()}
    assert json.loads(letter["Body"])["detail"] == {"number": 1}
    assert reasons["ERROR_CODE"] == "NO_PERMISSIONS"
    assert reasons["TARGET_ARN"] == arn
    assert reasons["RULE_ARN"].endswith(f":rule/{rule}")
    assert name in reasons["ERROR_MESSAGE"]
    cloud.client("lambda").add_permission(
        FunctionName=name,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:us-east-1:{ACCOUNT}:rule/{rule}",
    )
    put(cloud, Source=rule)
    eventually(lambda: "called" in logged(cloud, f"/aws/lambda/{name}"))
    assert logged(cloud, f"/aws/lambda/{name}").count("called") == 1


@pytest.mark.parametrize("detail", ["[]", '"text"', "{"])
def test_an_event_without_an_object_as_its_detail_is_malformed(cloud: LocalCloud, detail: str) -> None:
    assert put(cloud, Detail=detail) == {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}


def test_an_event_for_a_bus_that_does_not_exist_is_dropped_as_on_aws(cloud: LocalCloud) -> None:
    assert put(cloud, EventBusName="never-made")["EventId"]


def refused(cloud: LocalCloud, operation: str, **parameters: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as error:
        getattr(cloud.client("events"), operation)(**parameters)
    found: dict[str, str] = error.value.response["Error"]
    return found


def test_entries_beyond_the_size_of_a_request_are_refused(cloud: LocalCloud) -> None:
    entry = {"Source": "s", "DetailType": "t", "Detail": json.dumps({"a": "x" * 256 * 1024})}
    assert "over the limit" in refused(cloud, "put_events", Entries=[entry])["Message"]


@pytest.mark.parametrize(
    ("targets", "code", "words"),
    [
        ([{"Id": f"t{n}", "Arn": "arn:aws:sqs:us-east-1:1:q"} for n in range(6)], "LimitExceededException", "maximum"),
        ([{"Id": "a b", "Arn": "arn:aws:sqs:us-east-1:1:q"}], "ValidationException", "targets.1.member.id"),
        ([{"Id": "a" * 65, "Arn": "arn:aws:sqs:us-east-1:1:q"}], "ValidationException", "less than or equal to 64"),
        ([{"Id": "t", "Arn": "arn:aws:states:us-east-1:1:stateMachine:m"}], "ValidationException", "stateMachine:m"),
        (
            [{"Id": "t", "Arn": "arn:aws:sqs:us-east-1:1:q", "InputPath": "$.a", "Input": "{}"}],
            "ValidationException",
            "Only one of Input, InputPath, or InputTransformer",
        ),
    ],
)
def test_targets_that_eventbridge_or_the_local_cloud_does_not_take_are_refused(
    cloud: LocalCloud, rule: str, targets: list[dict[str, str]], code: str, words: str
) -> None:
    error = refused(cloud, "put_targets", Rule=rule, Targets=targets)
    assert error["Code"] == code
    assert words in error["Message"]
    assert not cloud.client("events").list_targets_by_rule(Rule=rule)["Targets"]


def test_a_wrong_schedule_is_refused(cloud: LocalCloud) -> None:
    error = refused(cloud, "put_rule", Name="wrong", ScheduleExpression="rate(1 minutes)")
    assert error == {"Code": "ValidationException", "Message": "Parameter ScheduleExpression is not valid."}


def test_a_rule_that_does_not_exist_is_named_with_its_bus(cloud: LocalCloud) -> None:
    assert refused(cloud, "describe_rule", Name="no")["Message"] == "Rule no does not exist on EventBus default."


def test_a_bus_says_what_it_is_for(cloud: LocalCloud) -> None:
    name = uuid.uuid4().hex
    cloud.client("events").create_event_bus(Name=name, Description="orders")
    (bus,) = cloud.client("events").list_event_buses(NamePrefix=name)["EventBuses"]
    assert bus["Description"] == "orders"
    assert bus["CreationTime"] <= bus["LastModifiedTime"]
