"""Without a statement of its policies, a stack meets the refusal that the cloud has recorded for that statement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.console.templates import FOLDER
from localcloud import LocalCloud

pytestmark = pytest.mark.timeout(600)
STACK = "TerminationAlarm"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def stack(cloud: LocalCloud) -> LocalCloud:
    """The cloud with the stack, whose alarm has rung once."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.8.{index}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for index, zone in enumerate("ab")
    ]
    values = {"VpcId": vpc, "SubnetIds": ",".join(subnet["Subnet"]["SubnetId"] for subnet in subnets)}
    cloud.client("cloudformation").create_stack(
        StackName=STACK,
        TemplateBody=(FOLDER / "termination-alarm.yaml").read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    )
    return cloud


def ring(cloud: LocalCloud) -> None:
    """Let the alarm ring, for an instance of the group that ends."""
    cloudwatch, ec2 = cloud.client("cloudwatch"), cloud.client("ec2")
    alarms = [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]]
    for name in alarms:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")
    running = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
    ec2.terminate_instances(InstanceIds=[running[0]["Instances"][0]["InstanceId"]])
    for name in alarms:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")


def without(document: Any, text: str) -> str:
    """A policy without one of its statements; one that says nothing in its place."""
    policy = json.loads(document) if isinstance(document, str) else document
    nothing = {"Effect": "Deny", "Action": "iam:DeleteAccountAlias", "Resource": "*"}
    placeholder = nothing | {"Principal": "*"} if "Principal" in json.loads(text) else nothing
    kept = [
        placeholder if json.dumps(statement, separators=(",", ":")) == text else statement
        for statement in policy["Statement"]
    ]
    assert kept != policy["Statement"]
    return json.dumps({**policy, "Statement": kept})


class Removed:
    """Takes a statement out of the policy that it is in, for as long as the block lasts."""

    def __init__(self, cloud: LocalCloud, row: Json) -> None:
        self._cloud, self._text = cloud, row["text"]
        self._policy, self._role = row["policy"], row["holder"].rpartition("/")[2]
        self._arn = row["policy"].removeprefix("policy of ")
        self._service = "iam" if row["holder"] else self._arn.split(":")[2]
        self._before = self._read()

    def __enter__(self) -> None:
        self._write(without(self._before, self._text))

    def __exit__(self, *_: object) -> None:
        self._write(self._before)

    def _read(self) -> str:
        client = self._cloud.client(self._service)
        match self._service:
            case "iam":
                answer = client.get_role_policy(RoleName=self._role, PolicyName=self._policy)
                return json.dumps(answer["PolicyDocument"])
            case "kms":
                return str(client.get_key_policy(KeyId=self._arn, PolicyName="default")["Policy"])
            case "sns":
                return str(client.get_topic_attributes(TopicArn=self._arn)["Attributes"]["Policy"])
            case service:
                raise AssertionError(service)

    def _write(self, document: str) -> None:
        client = self._cloud.client(self._service)
        match self._service:
            case "iam":
                client.put_role_policy(RoleName=self._role, PolicyName=self._policy, PolicyDocument=document)
            case "kms":
                client.put_key_policy(
                    KeyId=self._arn, PolicyName="default", Policy=document, BypassPolicyLockoutSafetyCheck=True
                )
            case _:
                client.set_topic_attributes(TopicArn=self._arn, AttributeName="Policy", AttributeValue=document)


def removable(cloud: LocalCloud) -> Iterator[Json]:
    """The needed statements of running policies; those of trust policies and permissions decide at deployment."""
    for row in cloud.statements():
        if row["holder"] or row["policy"].removeprefix("policy of ").split(":")[2] in {"kms", "sns"}:
            yield row


def needed(cloud: LocalCloud) -> set[str]:
    """The actions for which roles have needed a statement of theirs."""
    return {action for row in cloud.statements() if row["holder"] for action in row["denials"]}


def test_without_a_statement_the_recorded_refusal_appears(stack: LocalCloud, eventually: Any) -> None:
    ring(stack)
    assert eventually(lambda: {"dynamodb:Scan", "sns:Publish", "ec2:DescribeInstances"} <= needed(stack))
    assert not stack.denials()
    rows = [*removable(stack)]
    assert len(rows) >= 8
    for row in rows:
        if "sqs:SendMessage" in row["text"]:
            continue  # asked for when the function is made
        before = len(stack.denials())
        with Removed(stack, row):
            ring(stack)
            refused = eventually(lambda: [denial["action"] for denial in stack.denials()[before:]])  # noqa: B023
        assert {*refused} & {*row["denials"]}, row
