"""Many clients at once get from each service what they would get one after another."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import trust

CLIENTS = 8
ROUNDS = 20
TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
TABLE = {
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
Create = Callable[[LocalCloud, str], Any]
#: A name, once taken, is refused with this code.
NAMES: dict[str, tuple[str, Create]] = {
    "table": (
        "ResourceInUseException",
        lambda cloud, name: cloud.client("dynamodb").create_table(TableName=name, **TABLE),
    ),
    "object": (
        "PreconditionFailed",
        lambda cloud, name: cloud.client("s3").put_object(Bucket="isolation", Key=name, IfNoneMatch="*"),
    ),
    "secret": ("ResourceExistsException", lambda cloud, name: cloud.client("secretsmanager").create_secret(Name=name)),
    "parameter": (
        "ParameterAlreadyExists",
        lambda cloud, name: cloud.client("ssm").put_parameter(Name=name, Value="value", Type="String"),
    ),
    "log group": (
        "ResourceAlreadyExistsException",
        lambda cloud, name: cloud.client("logs").create_log_group(logGroupName=name),
    ),
    "role": (
        "EntityAlreadyExists",
        lambda cloud, name: cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust("lambda")),
    ),
    "launch template": (
        "InvalidLaunchTemplateName.AlreadyExistsException",
        lambda cloud, name: cloud.client("ec2").create_launch_template(
            LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "t3.micro"}
        ),
    ),
    "group": (
        "AlreadyExists",
        lambda cloud, name: cloud.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=0,
            MaxSize=0,
            AvailabilityZones=["us-east-1a"],
            LaunchTemplate={"LaunchTemplateName": "isolation", "Version": "$Latest"},
        ),
    ),
    "parameter group": (
        "DBParameterGroupAlreadyExists",
        lambda cloud, name: cloud.client("rds").create_db_parameter_group(
            DBParameterGroupName=name, DBParameterGroupFamily="mysql8.4", Description="Isolation."
        ),
    ),
    "subnet group": (
        "DBSubnetGroupAlreadyExists",
        lambda cloud, name: cloud.client("rds").create_db_subnet_group(
            DBSubnetGroupName=name, DBSubnetGroupDescription="Isolation.", SubnetIds=_subnets(cloud)
        ),
    ),
    "time series database": (
        "ConflictException",
        lambda cloud, name: cloud.client("timestream-write").create_database(DatabaseName=name),
    ),
    "time series table": (
        "ConflictException",
        lambda cloud, name: cloud.client("timestream-write").create_table(DatabaseName="isolation", TableName=name),
    ),
    "stack": (
        "AlreadyExistsException",
        lambda cloud, name: cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=TEMPLATE),
    ),
}


def _subnets(cloud: LocalCloud) -> list[str]:
    return [subnet["SubnetId"] for subnet in cloud.client("ec2").describe_subnets()["Subnets"][:2]]


@pytest.fixture(scope="module")
def cloud(hasty_cloud: LocalCloud) -> LocalCloud:
    hasty_cloud.client("s3").create_bucket(Bucket="isolation")
    hasty_cloud.client("timestream-write").create_database(DatabaseName="isolation")
    hasty_cloud.client("ec2").create_launch_template(
        LaunchTemplateName="isolation", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"}
    )
    return hasty_cloud


@pytest.fixture(scope="module")
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


def _outcome(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


@pytest.mark.parametrize("kind", NAMES)
def test_one_client_gets_a_name_and_the_others_are_refused(
    cloud: LocalCloud, clients: ThreadPoolExecutor, kind: str
) -> None:
    refusal, create = NAMES[kind]
    for number in range(ROUNDS):
        name = f"isolation-{number}"
        outcomes = clients.map(lambda _, name=name: _outcome(lambda: create(cloud, name)), range(CLIENTS))  # type: ignore[misc]
        assert Counter(outcomes) == {"done": 1, refusal: CLIENTS - 1}


def test_no_two_versions_of_a_parameter_have_one_number(cloud: LocalCloud, clients: ThreadPoolExecutor) -> None:
    ssm = cloud.client("ssm")

    def put(number: int) -> int:
        return int(ssm.put_parameter(Name="versions", Value=str(number), Type="String", Overwrite=True)["Version"])

    assert sorted(clients.map(put, range(80))) == [*range(1, 81)]


def test_no_two_revisions_of_a_job_definition_have_one_number(cloud: LocalCloud, clients: ThreadPoolExecutor) -> None:
    batch = cloud.client("batch")
    container = {"image": "busybox", "vcpus": 1, "memory": 128}

    def register(_: int) -> int:
        definition = batch.register_job_definition(
            jobDefinitionName="revisions", type="container", containerProperties=container
        )
        return int(definition["revision"])

    assert sorted(clients.map(register, range(80))) == [*range(1, 81)]


def test_no_log_event_is_lost_and_no_token_is_given_twice(cloud: LocalCloud, clients: ThreadPoolExecutor) -> None:
    logs = cloud.client("logs")
    stream = {"logGroupName": "tokens", "logStreamName": "tokens"}
    logs.create_log_group(logGroupName="tokens")
    logs.create_log_stream(**stream)

    def write(number: int) -> str:
        event = {"timestamp": int(time.time() * 1000), "message": str(number)}
        return str(logs.put_log_events(**stream, logEvents=[event])["nextSequenceToken"])

    tokens = [*clients.map(write, range(80))]
    messages = {event["message"] for event in logs.get_log_events(**stream, startFromHead=True)["events"]}
    assert len({*tokens}) == 80
    assert messages == {str(number) for number in range(80)}


def test_a_message_is_received_by_one_of_many(cloud: LocalCloud, clients: ThreadPoolExecutor) -> None:
    sqs = cloud.client("sqs")
    queue = sqs.create_queue(QueueName="receivers")["QueueUrl"]
    sent = {sqs.send_message(QueueUrl=queue, MessageBody=str(number))["MessageId"] for number in range(60)}

    def receive(_: int) -> list[str]:
        return [message["MessageId"] for message in sqs.receive_message(QueueUrl=queue).get("Messages", [])]

    received = Counter(message for messages in clients.map(receive, range(80)) for message in messages)
    assert received == dict.fromkeys(sent, 1)


def test_a_fifo_queue_keeps_one_of_messages_that_are_the_same(cloud: LocalCloud, clients: ThreadPoolExecutor) -> None:
    sqs = cloud.client("sqs")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    queue = sqs.create_queue(QueueName="same.fifo", Attributes=attributes)["QueueUrl"]
    send = {"QueueUrl": queue, "MessageGroupId": "group"}
    [*clients.map(lambda number: sqs.send_message(**send, MessageBody=str(number // CLIENTS)), range(80))]
    attribute = "ApproximateNumberOfMessages"
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[attribute])["Attributes"][attribute] == "10"


def test_a_waiting_receiver_does_not_keep_senders_from_sending(cloud: LocalCloud, clients: ThreadPoolExecutor) -> None:
    sqs = cloud.client("sqs")
    queue = sqs.create_queue(QueueName="patience")["QueueUrl"]
    waiting = clients.submit(sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=20)
    sqs.send_message(QueueUrl=queue, MessageBody="at last")
    assert [message["Body"] for message in waiting.result()["Messages"]] == ["at last"]


def test_what_is_listed_may_grow_meanwhile(cloud: LocalCloud, clients: ThreadPoolExecutor) -> None:
    sqs, iam, ec2 = (cloud.client(service) for service in ("sqs", "iam", "ec2"))

    def work(number: int) -> None:
        if number % 2:
            sqs.list_queues(), iam.list_roles(), ec2.describe_security_groups()
        else:
            sqs.create_queue(QueueName=f"growing-{number}")
            iam.create_role(RoleName=f"growing-{number}", AssumeRolePolicyDocument=trust("lambda"))
            ec2.create_security_group(GroupName=f"growing-{number}", Description="Growing.")

    assert {*clients.map(lambda number: _outcome(lambda: work(number)), range(80))} == {"done"}


def test_a_stack_has_one_operation_at_a_time(cloud: LocalCloud, clients: ThreadPoolExecutor) -> None:
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName="operations", TemplateBody=TEMPLATE)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="operations", WaiterConfig={"Delay": 1})

    def update(number: int) -> str:
        topics = {f"Topic{number}x{index}": {"Type": "AWS::SNS::Topic"} for index in range(10)}
        template = json.dumps({"Resources": topics})
        try:
            cloudformation.update_stack(StackName="operations", TemplateBody=template)
        except ClientError as error:
            return str(error.response["Error"]["Message"])
        return "done"

    refusals = {*clients.map(update, range(24))} - {"done"}
    arn = cloudformation.describe_stacks(StackName="operations")["Stacks"][0]["StackId"]
    states = {"UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}
    assert refusals <= {f"Stack:{arn} is in {state} state and can not be updated." for state in states}
    kept = cloudformation.list_stack_resources(StackName="operations")["StackResourceSummaries"]
    live = [
        topic["TopicArn"]
        for topic in cloud.client("sns").list_topics()["Topics"]
        if ":operations-" in topic["TopicArn"]
    ]
    assert {resource["PhysicalResourceId"] for resource in kept} == {*live}
