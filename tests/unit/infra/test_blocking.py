"""What `groundwork destroy` says before a removal that AWS would refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.blocking import blockers

STACK = {"StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/Training/1", "StackName": "Training"}
RESOURCES: dict[str, Any] = {
    "Subnet": {"Type": "AWS::EC2::Subnet"},
    "Group": {"Type": "AWS::EC2::SecurityGroup"},
    "Database": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Snapshot"},
    "Mine": {"Type": "AWS::EC2::Instance"},
}


@pytest.fixture
def identifiers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A subnet and a security group of a stack."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with mock_aws():
        ec2 = boto3.client("ec2")
        network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=network)["GroupId"]
        yield {"Subnet": subnet, "Group": group}


def launch(identifiers: dict[str, str], **tags: str) -> str:
    """Start an instance in the stack's network."""
    specification: Any = {"ResourceType": "instance", "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}
    answer = boto3.client("ec2").run_instances(
        MinCount=1,
        MaxCount=1,
        ImageId="ami-12c6146b",
        SubnetId=identifiers["Subnet"],
        SecurityGroupIds=[identifiers["Group"]],
        TagSpecifications=[specification] if tags else [],
    )
    return str(answer["Instances"][0].get("InstanceId"))


def test_nothing_blocks_a_stack_that_is_alone(identifiers: dict[str, str]) -> None:
    mine = launch(identifiers)
    assert blockers(STACK, RESOURCES, identifiers | {"Mine": mine}) == []


def test_a_one_off_instance_is_named_once_until_it_has_ended(identifiers: dict[str, str]) -> None:
    instance = launch(identifiers, Name="digit-gan-train")
    (blocker,) = blockers(STACK, RESOURCES, identifiers)
    assert f"Instance {instance} (digit-gan-train) is running in its network" in blocker
    assert f"aws ec2 terminate-instances --instance-ids {instance}" in blocker
    boto3.client("ec2").terminate_instances(InstanceIds=[instance])
    assert blockers(STACK, RESOURCES, identifiers) == []


def test_instances_of_a_group_end_with_the_group(identifiers: dict[str, str]) -> None:
    launch(identifiers, AWSBatchServiceTag="batch")
    assert blockers(STACK, RESOURCES, identifiers) == []


def test_an_interface_of_a_function_that_is_gone_is_named(identifiers: dict[str, str]) -> None:
    interface = boto3.client("ec2").create_network_interface(
        SubnetId=identifiers["Subnet"], Groups=[identifiers["Group"]], Description="AWS Lambda VPC ENI-report-1"
    )["NetworkInterface"]
    (blocker,) = blockers(STACK, RESOURCES, identifiers)
    assert f"Network interface {interface.get('NetworkInterfaceId')} of a function" in blocker
    function = {"Report": {"Type": "AWS::Lambda::Function"}}
    assert blockers(STACK, RESOURCES | function, identifiers | {"Report": "report"}) == []


def test_a_protected_database_is_named_with_the_command_that_ends_it(identifiers: dict[str, str]) -> None:
    boto3.client("rds").create_db_instance(
        DBInstanceIdentifier="films",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        MasterUsername="owner",
        MasterUserPassword="abcdefgh",
        DeletionProtection=True,
    )
    (blocker,) = blockers(STACK, RESOURCES, identifiers | {"Database": "films"})
    assert "Database (films) is protected from deletion" in blocker
    assert "aws rds modify-db-instance --db-instance-identifier films --no-deletion-protection" in blocker
    retained = {"Database": RESOURCES["Database"] | {"DeletionPolicy": "Retain"}}
    assert blockers(STACK, RESOURCES | retained, identifiers | {"Database": "films"}) == []


def table(_: dict[str, str]) -> str:
    """Create a table that is protected from deletion."""
    boto3.client("dynamodb").create_table(
        TableName="films",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )
    return "films"


def instance(identifiers: dict[str, str]) -> str:
    """Start an instance that is protected from termination."""
    name = launch(identifiers)
    boto3.client("ec2").modify_instance_attribute(InstanceId=name, DisableApiTermination={"Value": True})
    return name


def load_balancer(identifiers: dict[str, str]) -> str:
    """Create a load balancer that is protected from deletion."""
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    [subnet] = ec2.describe_subnets(SubnetIds=[identifiers["Subnet"]])["Subnets"]
    other = ec2.create_subnet(VpcId=subnet.get("VpcId", ""), CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b")[
        "Subnet"
    ]
    subnets = [identifiers["Subnet"], other.get("SubnetId", "")]
    arn = elb.create_load_balancer(Name="site", Subnets=subnets)["LoadBalancers"][0].get("LoadBalancerArn", "")
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
    )
    return arn


@pytest.mark.parametrize(
    ("kind", "create", "remedy"),
    [
        ("AWS::DynamoDB::Table", table, "aws dynamodb update-table --table-name {0} --no-deletion-protection-enabled"),
        (
            "AWS::EC2::Instance",
            instance,
            "aws ec2 modify-instance-attribute --instance-id {0} --no-disable-api-termination",
        ),
        (
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            load_balancer,
            (
                "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {0} "
                "--attributes Key=deletion_protection.enabled,Value=false"
            ),
        ),
    ],
)
def test_what_is_protected_is_named_with_the_command_that_ends_it(
    identifiers: dict[str, str], kind: str, create: Callable[[dict[str, str]], str], remedy: str
) -> None:
    name = create(identifiers)
    (blocker,) = blockers(STACK, RESOURCES | {"It": {"Type": kind}}, identifiers | {"It": name})
    assert blocker == f"It ({name}) is protected from deletion. Run {remedy.format(name)}"
    gone = {"It": f"{name[:-3]}000"}  # deleted by a removal that failed half way
    assert f"It ({gone['It']})" not in " ".join(blockers(STACK, RESOURCES | {"It": {"Type": kind}}, identifiers | gone))


@pytest.mark.parametrize(
    ("kind", "answer", "command"),
    [
        (
            "AWS::AutoScaling::AutoScalingGroup",
            {"AutoScalingGroups": [{"DeletionProtection": "prevent-all-deletion"}]},
            "update-auto-scaling-group --auto-scaling-group-name it --deletion-protection none",
        ),
        (
            "AWS::Logs::LogGroup",
            {"logGroups": [{"deletionProtectionEnabled": True}]},
            "put-log-group-deletion-protection --log-group-identifier it --no-deletion-protection-enabled",
        ),
    ],
)
def test_what_only_aws_protects_is_named_too(
    monkeypatch: pytest.MonkeyPatch, kind: str, answer: dict[str, Any], command: str
) -> None:
    """Moto does not have these protections, so the answers are AWS's as botocore's models describe them."""

    def said(description: dict[str, Any]) -> list[str]:
        client = type("Client", (), {"__getattr__": lambda *_: lambda **_: description})
        monkeypatch.setattr(boto3, "client", lambda _: client())
        return blockers(STACK, {"It": {"Type": kind}}, {"It": "it"})

    (blocker,) = said(answer)
    assert command in blocker
    (resource,) = answer
    assert said({resource: [{}]}) == []
    assert said({resource: []}) == []


def test_a_stack_that_is_protected_from_termination_is_named_by_its_command(identifiers: dict[str, str]) -> None:
    (blocker,) = blockers(STACK | {"EnableTerminationProtection": True}, RESOURCES, identifiers)
    assert (
        "aws cloudformation update-termination-protection --stack-name Training --no-enable-termination-protection"
        in (blocker)
    )
    assert blockers(STACK | {"EnableTerminationProtection": False}, RESOURCES, identifiers) == []
