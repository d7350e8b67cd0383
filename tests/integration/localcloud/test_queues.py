"""SQS: the messages, batches and receivers that it refuses."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import queue


@pytest.fixture
def url(cloud: LocalCloud) -> str:
    return queue(cloud)[0]


def refusal(operation: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def attribute(value: str) -> dict[str, dict[str, str]]:
    return {"colour": {"DataType": "String", "StringValue": value}}


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        ({"MessageBody": ""}, "MissingParameter", "must contain the parameter MessageBody"),
        ({"MessageBody": "a\x01"}, "InvalidMessageContents", "Invalid characters found"),
        ({"MessageBody": "a", "MessageAttributes": attribute("")}, "InvalidParameterValue", "non-empty value"),
        ({"MessageBody": "a", "MessageDeduplicationId": "a b"}, "InvalidParameterValue", "Value a b for parameter"),
    ],
)
def test_a_message_that_sqs_does_not_take_is_refused(
    cloud: LocalCloud, url: str, message: dict[str, Any], code: str, words: str
) -> None:
    sqs = cloud.client("sqs")
    found = refusal(sqs.send_message, QueueUrl=url, **message)
    assert (found[0].rpartition(".")[2], words in found[1]) == (code, True), found
    entries = [{"Id": "bad", **message}, {"Id": "good", "MessageBody": "a"}]
    result = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in result["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"]) for entry in result["Failed"]] == [("bad", code)]
    assert [entry["Id"] for entry in sqs.send_message_batch(QueueUrl=url, Entries=entries[:1])["Failed"]] == ["bad"]


def test_the_attributes_of_a_message_count_for_its_size(cloud: LocalCloud) -> None:
    sqs, limit = cloud.client("sqs"), {"MaximumMessageSize": "1024"}
    url = sqs.create_queue(QueueName=uuid.uuid4().hex, Attributes=limit)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="é" * 512)
    code, message = refusal(
        sqs.send_message, QueueUrl=url, MessageBody="x" * 1000, MessageAttributes=attribute("red" * 9)
    )
    assert (code, "shorter than 1024 bytes" in message) == ("InvalidParameterValue", True)


def test_a_batch_is_not_larger_than_a_message_may_be(cloud: LocalCloud, url: str) -> None:
    entries = [{"Id": str(number), "MessageBody": "x" * 600_000} for number in range(2)]
    code, message = refusal(cloud.client("sqs").send_message_batch, QueueUrl=url, Entries=entries)
    assert code.endswith("BatchRequestTooLong")
    assert "You have sent 1200000 bytes" in message


@pytest.mark.parametrize(
    ("identifiers", "code"),
    [
        (["a:b"], "InvalidBatchEntryId"),
        (["a", "a"], "BatchEntryIdsNotDistinct"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
    ],
)
def test_the_ids_of_a_batch_are_checked(cloud: LocalCloud, url: str, identifiers: list[str], code: str) -> None:
    sqs = cloud.client("sqs")
    for operation, more in (
        (sqs.delete_message_batch, {}),
        (sqs.change_message_visibility_batch, {"VisibilityTimeout": 1}),
    ):
        entries = [{"Id": name, "ReceiptHandle": f"r{place}", **more} for place, name in enumerate(identifiers)]
        assert refusal(operation, QueueUrl=url, Entries=entries)[0].endswith(code)


@pytest.mark.parametrize(
    ("parameter", "words"),
    [({"MaxNumberOfMessages": 11}, "Must be between 1 and 10"), ({"WaitTimeSeconds": 21}, "Must be >= 0 and <= 20")],
)
def test_a_receiver_stays_within_the_limits(cloud: LocalCloud, url: str, parameter: dict[str, int], words: str) -> None:
    code, message = refusal(cloud.client("sqs").receive_message, QueueUrl=url, **parameter)
    assert (code, words in message) == ("InvalidParameterValue", True)


def test_a_queue_stays_of_its_kind(cloud: LocalCloud, url: str) -> None:
    sqs = cloud.client("sqs")
    assert refusal(sqs.set_queue_attributes, QueueUrl=url, Attributes={"FifoQueue": "true"}) == (
        "InvalidAttributeName",
        "Unknown Attribute FifoQueue.",
    )
    ordered = sqs.create_queue(QueueName=f"{uuid.uuid4().hex}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=ordered, Attributes={"FifoQueue": "true"})
    code, _ = refusal(sqs.set_queue_attributes, QueueUrl=ordered, Attributes={"FifoQueue": "false"})
    assert code == "InvalidAttributeValue"


def test_an_attribute_may_say_true_with_a_capital_letter(cloud: LocalCloud) -> None:
    sqs, attributes = cloud.client("sqs"), {"FifoQueue": "True", "ContentBasedDeduplication": "True"}
    url = sqs.create_queue(QueueName=f"{uuid.uuid4().hex}.fifo", Attributes=attributes)["QueueUrl"]
    described = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[*attributes])["Attributes"]
    assert described == {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


def test_a_dead_letter_queue_is_used_by_those_alone_that_it_names(cloud: LocalCloud) -> None:
    sqs = cloud.client("sqs")
    source, source_arn = queue(cloud)
    dead, dead_arn = queue(cloud)
    other = queue(cloud)[0]
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})}
    for policy in ({"redrivePermission": "denyAll"}, {"redrivePermission": "byQueue", "sourceQueueArns": [dead_arn]}):
        sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(policy)})
        code, message = refusal(sqs.set_queue_attributes, QueueUrl=source, Attributes=redrive)
        assert (code, source_arn in message) == ("InvalidParameterValue", True)
        assert refusal(sqs.create_queue, QueueName=uuid.uuid4().hex, Attributes=redrive)[0] == code
    named = {"redrivePermission": "byQueue", "sourceQueueArns": [source_arn]}
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(named)})
    sqs.set_queue_attributes(QueueUrl=source, Attributes=redrive)
    assert refusal(sqs.set_queue_attributes, QueueUrl=other, Attributes=redrive)[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"redrivePermission": "some"},
        {"redrivePermission": "byQueue"},
        {"redrivePermission": "allowAll", "sourceQueueArns": ["arn:aws:sqs:us-east-1:123456789012:a"]},
        {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:us-east-1:123456789012:a"] * 11},
    ],
)
def test_a_wrong_redrive_allow_policy_is_refused(cloud: LocalCloud, url: str, policy: dict[str, Any]) -> None:
    attributes = {"RedriveAllowPolicy": json.dumps(policy)}
    code, message = refusal(cloud.client("sqs").set_queue_attributes, QueueUrl=url, Attributes=attributes)
    assert (code, "RedriveAllowPolicy" in message) == ("InvalidParameterValue", True)


def test_the_policy_of_a_queue_goes_with_the_resource_that_gave_it(cloud: LocalCloud) -> None:
    sqs, cloudformation, name = cloud.client("sqs"), cloud.client("cloudformation"), f"policies-{uuid.uuid4().hex[:8]}"
    first, second, gone = (queue(cloud)[0] for _ in range(3))

    def template(*urls: str) -> str:
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        properties = {"PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}, "Queues": urls}
        return json.dumps({"Resources": {"Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}}})

    def with_policy() -> list[str]:
        answers = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]) for url in (first, second)]
        return [url for url, answer in zip((first, second), answers, strict=True) if "Attributes" in answer]

    cloudformation.create_stack(StackName=name, TemplateBody=template(first, second))
    assert with_policy() == [first, second]
    cloudformation.update_stack(StackName=name, TemplateBody=template(second, gone))
    assert with_policy() == [second]
    sqs.delete_queue(QueueUrl=gone)
    cloudformation.delete_stack(StackName=name)
    assert with_policy() == []
