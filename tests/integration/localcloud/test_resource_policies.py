"""Policies that templates give to topics, queues, buses, log groups and secrets: set, changed, and gone with them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.stacks import Stack, attribute, ref, resource

Json = dict[str, Any]
OTHER = "arn:aws:iam::210987654321:root"


def document(action: str) -> Json:
    statement = {"Sid": "one", "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": action, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def actions(policy: str | None) -> Any:
    """What the first statement of a policy allows; nothing if there is none."""
    return json.loads(policy)["Statement"][0]["Action"] if policy else None


@pytest.mark.parametrize("inline", [True, False])
def test_the_policy_of_a_topic(cloud: LocalCloud, inline: bool) -> None:
    def policy(action: str) -> Json:
        if inline:
            return resource("SNS::TopicInlinePolicy", TopicArn=ref("Topic"), PolicyDocument=document(action))
        return resource("SNS::TopicPolicy", Topics=[ref("Topic")], PolicyDocument=document(action))

    def present() -> str:
        arn = stack.physical("Topic")
        return str(cloud.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])

    topic = resource("SNS::Topic")
    stack = Stack(cloud, Topic=topic)
    given = json.loads(present())
    assert stack.update(Topic=topic, Policy=policy("sns:Publish")) == "UPDATE_COMPLETE"
    assert actions(present()) == "sns:Publish"
    assert not inline or stack.physical("Policy") == stack.physical("Topic")
    assert stack.update(Topic=topic, Policy=policy("sns:Subscribe")) == "UPDATE_COMPLETE"
    assert actions(present()) == "sns:Subscribe"
    assert stack.update(Topic=topic) == "UPDATE_COMPLETE"
    assert json.loads(present()) == given
    stack.delete()


def test_the_policy_of_a_queue(cloud: LocalCloud) -> None:
    def policy(action: str) -> Json:
        return resource("SQS::QueueInlinePolicy", Queue=ref("Queue"), PolicyDocument=document(action))

    def present() -> str | None:
        answer = cloud.client("sqs").get_queue_attributes(QueueUrl=stack.physical("Queue"), AttributeNames=["All"])
        found: str | None = answer["Attributes"].get("Policy")
        return found

    queue = resource("SQS::Queue")
    stack = Stack(cloud, Queue=queue, Policy=policy("sqs:SendMessage"))
    assert stack.physical("Policy") == stack.physical("Queue")
    assert actions(present()) == "sqs:SendMessage"
    assert stack.update(Queue=queue, Policy=policy("sqs:ReceiveMessage")) == "UPDATE_COMPLETE"
    assert actions(present()) == "sqs:ReceiveMessage"
    assert stack.update(Queue=queue) == "UPDATE_COMPLETE"
    assert not present()
    stack.delete()


def bus_policy(cloud: LocalCloud, stack: Stack) -> Json:
    """The statements of the bus of a stack, by their names."""
    policy = cloud.client("events").describe_event_bus(Name=stack.physical("Bus")).get("Policy")
    return {item["Sid"]: item for item in json.loads(policy)["Statement"]} if policy else {}


def test_the_policy_of_an_event_bus(cloud: LocalCloud) -> None:
    name = f"bus-{uuid.uuid4().hex[:10]}"

    def bus(action: str, sid: str) -> Json:
        policy = document(action)
        policy["Statement"][0]["Sid"] = sid
        return resource("Events::EventBus", Name=name, Policy=policy)

    stack = Stack(cloud, Bus=bus("events:PutEvents", "first"))
    assert [*bus_policy(cloud, stack)] == ["first"]
    assert stack.update(Bus=bus("events:PutRule", "second")) == "UPDATE_COMPLETE"
    assert [(sid, item["Action"]) for sid, item in bus_policy(cloud, stack).items()] == [("second", "events:PutRule")]
    assert stack.update(Bus=resource("Events::EventBus", Name=name)) == "UPDATE_COMPLETE"
    assert bus_policy(cloud, stack) == {}
    assert "Policy" not in cloud.client("events").describe_event_bus(Name="default")
    stack.delete()


def test_statements_of_a_bus_stand_beside_each_other(cloud: LocalCloud) -> None:
    def statement(action: str) -> Json:
        body = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": action, "Resource": attribute("Bus", "Arn")}
        return resource("Events::EventBusPolicy", EventBusName=ref("Bus"), StatementId="own", Statement=body)

    bus = resource("Events::EventBus", Name=f"bus-{uuid.uuid4().hex[:10]}")
    condition = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1234567890"}
    organization = resource(
        "Events::EventBusPolicy",
        EventBusName=ref("Bus"),
        StatementId="organization",
        Action="events:PutEvents",
        Principal="*",
        Condition=condition,
    )
    stack = Stack(cloud, Bus=bus, Own=statement("events:PutEvents"), Organization=organization)
    found = bus_policy(cloud, stack)
    assert {*found} == {"own", "organization"}
    assert found["own"]["Principal"] == {"AWS": OTHER}
    assert found["organization"]["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}
    changed = statement("events:PutRule")
    assert stack.update(Bus=bus, Own=changed, Organization=organization) == "UPDATE_COMPLETE"
    assert bus_policy(cloud, stack)["own"]["Action"] == "events:PutRule"
    assert stack.update(Bus=bus, Organization=organization) == "UPDATE_COMPLETE"
    assert [*bus_policy(cloud, stack)] == ["organization"]
    stack.delete()


def test_a_statement_of_a_bus_is_given_once(cloud: LocalCloud) -> None:
    bus = resource("Events::EventBus", Name=f"bus-{uuid.uuid4().hex[:10]}")
    stack = Stack(cloud, Bus=bus)
    nothing = resource("Events::EventBusPolicy", EventBusName=ref("Bus"), StatementId="own")
    assert stack.update(Bus=bus, Own=nothing) == "UPDATE_ROLLBACK_COMPLETE"
    assert "either Statement, or Action and Principal" in stack.reasons()
    stack.delete()


def test_the_policy_of_log_groups(cloud: LocalCloud) -> None:
    name = f"policy-{uuid.uuid4().hex[:10]}"

    def policy(action: str) -> Json:
        return resource("Logs::ResourcePolicy", PolicyName=name, PolicyDocument=json.dumps(document(action)))

    def present() -> list[Any]:
        found = cloud.client("logs").describe_resource_policies()["resourcePolicies"]
        return [actions(item["policyDocument"]) for item in found if item["policyName"] == name]

    others = {"Group": resource("Logs::LogGroup")}
    stack = Stack(cloud, **others, Policy=policy("logs:PutLogEvents"))
    assert (stack.physical("Policy"), present()) == (name, ["logs:PutLogEvents"])
    assert stack.update(**others, Policy=policy("logs:CreateLogStream")) == "UPDATE_COMPLETE"
    assert present() == ["logs:CreateLogStream"]
    assert stack.update(**others) == "UPDATE_COMPLETE"
    assert present() == []
    stack.delete()


def test_a_log_group_has_the_streams_of_its_template(cloud: LocalCloud) -> None:
    group, logs = resource("Logs::LogGroup"), cloud.client("logs")
    stream = resource("Logs::LogStream", LogGroupName=ref("Group"), LogStreamName="own")
    stack = Stack(cloud, Group=group, Stream=stream)

    def streams() -> list[str]:
        found = logs.describe_log_streams(logGroupName=stack.physical("Group"))["logStreams"]
        return [item["logStreamName"] for item in found]

    assert streams() == [stack.physical("Stream")] == ["own"]
    assert stack.update(Group=group) == "UPDATE_COMPLETE"
    assert streams() == []
    stack.delete()


def test_the_policy_of_a_secret(cloud: LocalCloud) -> None:
    def policy(action: str) -> Json:
        return resource("SecretsManager::ResourcePolicy", SecretId=ref("Secret"), ResourcePolicy=document(action))

    def present() -> str | None:
        answer = cloud.client("secretsmanager").get_resource_policy(SecretId=stack.physical("Secret"))
        found: str | None = answer.get("ResourcePolicy")
        return found

    secret = resource("SecretsManager::Secret", SecretString="open sesame")
    stack = Stack(cloud, Secret=secret, Policy=policy("secretsmanager:GetSecretValue"))
    assert actions(present()) == "secretsmanager:GetSecretValue"
    assert stack.update(Secret=secret, Policy=policy("secretsmanager:DescribeSecret")) == "UPDATE_COMPLETE"
    assert actions(present()) == "secretsmanager:DescribeSecret"
    assert stack.update(Secret=secret) == "UPDATE_COMPLETE"
    assert present() is None
    stack.delete()


def test_a_key_cannot_be_used_while_its_template_says_so(cloud: LocalCloud) -> None:
    def key(**properties: Any) -> Json:
        policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}
        return resource("KMS::Key", KeyPolicy=policy, **properties)

    def state() -> str:
        found = cloud.client("kms").describe_key(KeyId=stack.physical("Key"))["KeyMetadata"]
        return str(found["KeyState"])

    stack = Stack(cloud, Key=key(Enabled=False, EnableKeyRotation=True))
    first = stack.physical("Key")
    assert state() == "Disabled"
    assert stack.update(Key=key(Enabled=True, EnableKeyRotation=True)) == "UPDATE_COMPLETE"
    assert state() == "Enabled"
    assert stack.update(Key=key(Enabled=False, EnableKeyRotation=True)) == "UPDATE_COMPLETE"
    assert state() == "Disabled"
    assert stack.update(Key=key(EnableKeyRotation=True)) == "UPDATE_COMPLETE"
    assert (state(), stack.physical("Key")) == ("Enabled", first)
    stack.delete()


def test_an_activity_of_a_state_machine(cloud: LocalCloud) -> None:
    name, states = f"activity-{uuid.uuid4().hex[:10]}", cloud.client("stepfunctions")
    activity = resource("StepFunctions::Activity", Name=name, Tags=[{"Key": "a", "Value": "b"}])
    stack = Stack(cloud, {"Name": attribute("Activity", "Name")}, Activity=activity)
    arn = stack.physical("Activity")
    assert states.describe_activity(activityArn=arn)["name"] == stack.output("Name") == name
    assert {"key": "a", "value": "b"} in states.list_tags_for_resource(resourceArn=arn)["tags"]
    stack.delete()
    assert arn not in [item["activityArn"] for item in states.list_activities()["activities"]]
