"""SNS: what it refuses, and what becomes of messages that do not arrive."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_events import queue, receive

LONG = "x" * 262_145


@pytest.fixture
def topic(cloud: LocalCloud) -> str:
    return str(cloud.client("sns").create_topic(Name=f"topic-{uuid.uuid4().hex}")["TopicArn"])


def refusal(operation: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def text(value: str, kind: str = "String") -> dict[str, str]:
    return {"DataType": kind, "StringValue": value}


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        ({"Message": ""}, "InvalidParameter", "Empty message"),
        ({"Message": "a", "Subject": ""}, "InvalidParameter", "Subject"),
        ({"Message": "a", "Subject": "two\nlines"}, "InvalidParameter", "Subject"),
        ({"Message": LONG}, "InvalidParameter", "Message too long"),
        ({"Message": "a", "MessageAttributes": {"b": text(LONG)}}, "InvalidParameter", "Message too long"),
        ({"Message": "{", "MessageStructure": "json"}, "InvalidParameter", "failed to parse"),
        ({"Message": '{"sqs": "a"}', "MessageStructure": "json"}, "InvalidParameter", "No default entry"),
        ({"Message": "a", "MessageDeduplicationId": "b"}, "InvalidParameter", "MessageDeduplicationId"),
        ({"Message": "a", "MessageAttributes": {"b": text("")}}, "ParameterValueInvalid", "must contain non-empty"),
        ({"Message": "a", "MessageAttributes": {"b": text("c", "Text")}}, "ParameterValueInvalid", "type prefixes"),
        ({"Message": "a", "MessageAttributes": {"b": text("c", "Binary")}}, "ParameterValueInvalid", "field 'Binary'"),
        ({"Message": "a", "MessageAttributes": {"a^": text("c")}}, "ParameterValueInvalid", "'#x5E'"),
        ({"Message": "a", "MessageAttributes": {".a": text("c")}}, "ParameterValueInvalid", "starting with"),
    ],
)
def test_a_message_that_sns_does_not_take_is_refused(
    cloud: LocalCloud, topic: str, message: dict[str, Any], code: str, words: str
) -> None:
    sns = cloud.client("sns")
    found = refusal(sns.publish, TopicArn=topic, **message)
    assert (found[0], words in found[1]) == (code, True), found
    entry = {"Id": "1", **message}
    batch_code, _ = refusal(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[entry])
    assert batch_code == ("BatchRequestTooLong" if words == "Message too long" else code)


@pytest.mark.parametrize("identifier", ["a.b", "a" * 81])
def test_an_id_of_a_batch_that_sns_does_not_take_is_refused(cloud: LocalCloud, topic: str, identifier: str) -> None:
    entries = [{"Id": identifier, "Message": "a"}]
    code, message = refusal(cloud.client("sns").publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries)
    assert (code, identifier in message) == ("InvalidBatchEntryId", True)


def test_an_ordered_topic_needs_a_group_and_a_deduplication(cloud: LocalCloud) -> None:
    sns = cloud.client("sns")
    ordered = sns.create_topic(Name=f"{uuid.uuid4().hex}.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    assert "MessageGroupId" in refusal(sns.publish, TopicArn=ordered, Message="a")[1]
    assert "ContentBasedDeduplication" in refusal(sns.publish, TopicArn=ordered, Message="a", MessageGroupId="g")[1]


@pytest.mark.parametrize(
    "attributes",
    [
        {"RawMessageDelivery": "maybe"},
        {"FilterPolicy": "{"},
        {"FilterPolicy": '{"a": [{"exists": "no"}]}'},
        {"FilterPolicy": '{"a": [{"anything-but": {"suffix": "b"}}]}'},
        {"FilterPolicy": '{"a": {"b": ["c"]}}'},
        {"FilterPolicy": json.dumps({"a": [*range(51)], "b": ["c", "d", "e"]})},
        {"FilterPolicy": json.dumps({key: ["x"] for key in "abcdef"})},
        {"FilterPolicyScope": "Everything"},
        {"RedrivePolicy": '{"deadLetterTargetArn": "nowhere"}'},
        {"Colour": "red"},
    ],
)
def test_a_refused_attribute_leaves_no_subscription_behind(
    cloud: LocalCloud, topic: str, attributes: dict[str, str]
) -> None:
    sns, (_, arn) = cloud.client("sns"), queue(cloud)
    code, _ = refusal(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    assert code == "InvalidParameter"
    assert not sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]


def test_a_second_subscription_of_an_endpoint_has_the_attributes_of_the_first(cloud: LocalCloud, topic: str) -> None:
    sns, (_, arn) = cloud.client("sns"), queue(cloud)
    subscribe = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn}
    first = sns.subscribe(**subscribe, Attributes={"RawMessageDelivery": "true"})["SubscriptionArn"]
    assert sns.subscribe(**subscribe, Attributes={"RawMessageDelivery": "True"})["SubscriptionArn"] == first
    _, message = refusal(sns.subscribe, **subscribe, Attributes={"RawMessageDelivery": "false"})
    assert message.endswith("Subscription already exists with different attributes")


def test_a_subscription_names_who_made_it_and_an_error_has_one_message(cloud: LocalCloud, topic: str) -> None:
    sns, (_, arn) = cloud.client("sns"), queue(cloud)
    made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)["SubscriptionArn"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=made)["Attributes"]
    assert attributes["SubscriptionPrincipal"] == cloud.client("sts").get_caller_identity()["Arn"]
    with pytest.raises(ClientError) as error:
        sns.publish(TopicArn=topic, Message="")
    assert error.value.response["Error"].keys() == {"Code", "Message", "Type"}


def test_an_unknown_protocol_and_a_wrong_arn_are_refused(cloud: LocalCloud, topic: str) -> None:
    sns = cloud.client("sns")
    assert "pigeon" in refusal(sns.subscribe, TopicArn=topic, Protocol="pigeon", Endpoint="a")[1]
    assert "at least 6 elements, not 1" in refusal(sns.unsubscribe, SubscriptionArn="nonsense")[1]


def test_a_message_that_its_queue_cannot_take_goes_to_the_dead_letter_queue(cloud: LocalCloud, topic: str) -> None:
    sns, (url, dead_letters), (_, closed) = cloud.client("sns"), queue(cloud), queue(cloud)
    cloud.client("sqs").delete_queue(QueueUrl=queue_url(cloud, closed))
    policy = json.dumps({"deadLetterTargetArn": dead_letters})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=closed, Attributes={"RedrivePolicy": policy})
    sns.publish(TopicArn=topic, Message="nobody is there")
    (envelope,) = receive(cloud, url)
    assert (envelope["Type"], envelope["Message"]) == ("Notification", "nobody is there")


def test_a_dead_subscription_rings_the_alarm_on_what_the_topic_could_not_deliver(
    cloud: LocalCloud, topic: str, eventually: Any
) -> None:
    """The alarm is as `infra.constructs.alerts` makes it; the topic's other subscriber hears of it."""
    (url, alive), (_, closed) = queue(cloud), queue(cloud)
    sns, cloudwatch, name = cloud.client("sns"), cloud.client("cloudwatch"), topic.rpartition(":")[2]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=alive)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=closed)
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SNS",
        MetricName="NumberOfNotificationsFailed",
        Dimensions=[{"Name": "TopicName", "Value": name}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )

    def state() -> str:
        [watching] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(watching["StateValue"])

    sns.publish(TopicArn=topic, Message="everybody gets this")
    assert [envelope["Message"] for envelope in receive(cloud, url)] == ["everybody gets this"]
    assert state() != "ALARM"
    cloud.client("sqs").delete_queue(QueueUrl=queue_url(cloud, closed))
    sns.publish(TopicArn=topic, Message="one does not get this")
    assert eventually(lambda: state() == "ALARM")


def queue_url(cloud: LocalCloud, arn: str) -> str:
    return str(cloud.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"])


@pytest.mark.parametrize(
    ("policy", "message", "wanted"),
    [
        ({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}, {"detail": {"ip": "10.0.0.255"}}, True),
        ({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}, {"detail": {"ip": "10.0.1.0"}}, False),
        ({"$or": [{"a": [1]}, {"b": [{"prefix": "x"}]}]}, {"b": "xy"}, True),
        ({"$or": [{"a": [1]}, {"b": [{"prefix": "x"}]}]}, {"a": 2, "b": "y"}, False),
        ({"items": {"kind": ["red"]}}, {"items": [{"kind": "blue"}, {"kind": "red"}]}, True),
    ],
)
def test_a_filter_policy_looks_into_the_body(
    cloud: LocalCloud, topic: str, policy: dict[str, Any], message: dict[str, Any], wanted: bool
) -> None:
    sns, (url, arn) = cloud.client("sns"), queue(cloud)
    attributes = {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": "MessageBody"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    sns.publish(TopicArn=topic, Message=json.dumps(message))
    assert bool(cloud.client("sqs").receive_message(QueueUrl=url).get("Messages")) is wanted


def test_raw_delivery_keeps_binary_attributes(cloud: LocalCloud, topic: str) -> None:
    sns, (url, arn) = cloud.client("sns"), queue(cloud)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    attributes = {"binary": {"DataType": "Binary", "BinaryValue": b"\x02\x03"}, "text": text("a")}
    sns.publish(TopicArn=topic, Message="raw", MessageAttributes=attributes)
    (message,) = cloud.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message["MessageAttributes"]) == ("raw", attributes)


def test_a_notification_is_signed_as_its_topic_says(cloud: LocalCloud, topic: str) -> None:
    sns, (url, arn) = cloud.client("sns"), queue(cloud)
    made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)["SubscriptionArn"]
    for version in ("1", "2"):
        sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue=version)
        sns.publish(TopicArn=topic, Message=version)
        envelope = next(item for item in receive(cloud, url) if item["Message"] == version)
        assert envelope["SignatureVersion"] == version
        assert envelope["UnsubscribeURL"].endswith(made)


def test_a_fifo_topic_drops_duplicates_and_numbers_the_rest(cloud: LocalCloud) -> None:
    sns, sqs, name = cloud.client("sns"), cloud.client("sqs"), uuid.uuid4().hex
    settings = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    ordered = sns.create_topic(Name=f"{name}.fifo", Attributes=settings)["TopicArn"]
    url = sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=ordered, Protocol="sqs", Endpoint=arn)
    first, again, other = (
        sns.publish(TopicArn=ordered, Message=message, MessageGroupId=group)
        for message, group in (("a", "1"), ("a", "2"), ("b", "1"))
    )
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert int(other["SequenceNumber"]) > int(first["SequenceNumber"])
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    envelopes = [json.loads(message["Body"]) for message in messages]
    assert [envelope["Message"] for envelope in envelopes] == ["a", "b"]
    assert envelopes[0]["SequenceNumber"] == first["SequenceNumber"]
    assert "Signature" not in envelopes[0]


def test_a_topic_that_exists_is_given_only_where_it_is_the_same(cloud: LocalCloud) -> None:
    sns, name = cloud.client("sns"), uuid.uuid4().hex
    topic = sns.create_topic(Name=name, Attributes={"DisplayName": "one"})["TopicArn"]
    assert sns.create_topic(Name=name)["TopicArn"] == topic
    _, message = refusal(sns.create_topic, Name=name, Attributes={"DisplayName": "two"})
    assert message.endswith("Topic already exists with different attributes")
    _, message = refusal(sns.create_topic, Name=name, Tags=[{"Key": "a", "Value": "b"}])
    assert message.endswith("Topic already exists with different tags")


def test_what_sns_cannot_reach_is_refused_by_name(cloud: LocalCloud, topic: str) -> None:
    sns = cloud.client("sns")
    firehose = "arn:aws:firehose:us-east-1:123456789012:deliverystream/logs"
    assert "Firehose" in refusal(sns.subscribe, TopicArn=topic, Protocol="firehose", Endpoint=firehose)[1]
    assert refusal(sns.publish, TopicArn=f"{topic}x", Message="a") == ("NotFound", "Topic does not exist")
    assert "not 1" in refusal(sns.publish, TopicArn="topic", Message="a")[1]


def test_mobile_push_is_refused_by_name(cloud: LocalCloud) -> None:
    code, message = refusal(cloud.client("sns").create_platform_application, Name="app", Platform="GCM", Attributes={})
    assert (code, "no mobile push" in message) == ("InvalidAction", True)


def test_a_stack_makes_fifo_topics_with_and_without_a_name(cloud: LocalCloud) -> None:
    cloudformation, stack = cloud.client("cloudformation"), f"fifo-{uuid.uuid4().hex[:8]}"
    kind = "AWS::SNS::Topic"
    topics = {
        "Named": {"Type": kind, "Properties": {"TopicName": f"{stack}.fifo", "FifoTopic": True}},
        "Plain": {"Type": kind, "Properties": {"FifoTopic": True, "ContentBasedDeduplication": True}},
    }
    outputs = {name: {"Value": {"Ref": name}} for name in topics}
    outputs["Name"] = {"Value": {"Fn::GetAtt": ["Plain", "TopicName"]}}
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": topics, "Outputs": outputs}))
    made = cloud.outputs(stack)
    assert made["Named"].endswith(f":{stack}.fifo")
    assert made["Plain"].endswith(f":{made['Name']}")
    attributes = cloud.client("sns").get_topic_attributes(TopicArn=made["Plain"])["Attributes"]
    assert (attributes["FifoTopic"], attributes["ContentBasedDeduplication"]) == ("true", "true")
