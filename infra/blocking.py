"""What keeps a deployed stack from being removed: CloudFormation finds it out only when it comes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]


@dataclass(frozen=True)
class Protection:
    """How AWS tells whether a resource is protected from deletion.

    Attributes:
        service: boto3's name of the service.
        operation: The operation that describes the resource.
        parameters: Of the operation; `{0}` stands for the resource's identifier.
        protected: Whether it is protected, a JMESPath expression over the response.
        way_out: The command that ends the protection.
    """

    service: str
    operation: str
    parameters: Json
    protected: str
    way_out: str


_TABLE = Protection(
    "dynamodb",
    "describe_table",
    {"TableName": "{0}"},
    "Table.DeletionProtectionEnabled",
    "aws dynamodb update-table --table-name {0} --no-deletion-protection-enabled",
)
#: Types whose resources can be protected. Amazon OpenSearch Service has no such protection.
PROTECTED = {
    "AWS::AutoScaling::AutoScalingGroup": Protection(
        "autoscaling",
        "describe_auto_scaling_groups",
        {"AutoScalingGroupNames": ["{0}"]},
        "AutoScalingGroups[?starts_with(DeletionProtection || 'none', 'prevent')]",
        "aws autoscaling update-auto-scaling-group --auto-scaling-group-name {0} --deletion-protection none",
    ),
    "AWS::DynamoDB::GlobalTable": _TABLE,
    "AWS::DynamoDB::Table": _TABLE,
    "AWS::EC2::Instance": Protection(
        "ec2",
        "describe_instance_attribute",
        {"InstanceId": "{0}", "Attribute": "disableApiTermination"},
        "DisableApiTermination.Value",
        "aws ec2 modify-instance-attribute --instance-id {0} --no-disable-api-termination",
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Protection(
        "elbv2",
        "describe_load_balancer_attributes",
        {"LoadBalancerArn": "{0}"},
        "Attributes[?Key == 'deletion_protection.enabled' && Value == 'true']",
        "aws elbv2 modify-load-balancer-attributes --load-balancer-arn {0} "
        "--attributes Key=deletion_protection.enabled,Value=false",
    ),
    "AWS::Logs::LogGroup": Protection(
        "logs",
        "describe_log_groups",
        {"logGroupNamePrefix": "{0}", "limit": 1},  # the first of those that begin with a name has this name
        "logGroups[].deletionProtectionEnabled | [0]",
        "aws logs put-log-group-deletion-protection --log-group-identifier {0} --no-deletion-protection-enabled",
    ),
    "AWS::Neptune::DBCluster": Protection(
        "neptune",
        "describe_db_clusters",
        {"DBClusterIdentifier": "{0}"},
        "DBClusters[].DeletionProtection | [0]",
        "aws neptune modify-db-cluster --db-cluster-identifier {0} --no-deletion-protection --apply-immediately",
    ),
    "AWS::RDS::DBInstance": Protection(
        "rds",
        "describe_db_instances",
        {"DBInstanceIdentifier": "{0}"},
        "DBInstances[].DeletionProtection | [0]",
        "aws rds modify-db-instance --db-instance-identifier {0} --no-deletion-protection --apply-immediately",
    ),
}
_ALIVE = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
_GOING = {"Delete", "Snapshot"}
#: Tags of instances that end with what started them: an Auto Scaling group, or AWS Batch.
_ENDED_BY_OTHERS = {"aws:autoscaling:groupName", "AWSBatchServiceTag"}
_STACK = "aws:cloudformation:stack-id"


def blockers(stack: Json, resources: Mapping[str, Json], identifiers: Mapping[str, str]) -> list[str]:
    """Return what AWS would not remove the stack for, each with the way out.

    Args:
        stack: CloudFormation's description of the stack.
        resources: The resources of its template, by logical id.
        identifiers: What AWS calls them, by logical id.

    Raises:
        ClientError: AWS refuses a question.
    """
    own = {
        name: (resources[name]["Type"], identifier)
        for name, identifier in identifiers.items()
        if name in resources and identifier and resources[name].get("DeletionPolicy", "Delete") in _GOING
    }
    return [*_terminable(stack), *_protected(own), *_instances(stack["StackId"], own), *_interfaces(own)]


def _terminable(stack: Json) -> Iterator[str]:
    """Termination protection of the stack itself."""
    if stack.get("EnableTerminationProtection"):
        name = stack["StackName"]
        yield (
            f"The stack is protected from termination. Run aws cloudformation update-termination-protection "
            f"--stack-name {name} --no-enable-termination-protection"
        )


def _protected(own: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    connect: Any = boto3.client
    for name, (kind, identifier) in own.items():
        if (protection := PROTECTED.get(kind)) is None:
            continue
        try:
            parameters = {key: _filled(value, identifier) for key, value in protection.parameters.items()}
            description = getattr(connect(protection.service), protection.operation)(**parameters)
        except ClientError as error:
            if "NotFound" in error.response["Error"]["Code"]:  # a removal that failed half way has deleted it
                continue
            raise
        if jmespath.search(protection.protected, description):
            way_out = protection.way_out.format(identifier)
            yield f"{name} ({identifier}) is protected from deletion. Run {way_out}"


def _filled(value: Any, identifier: str) -> Any:
    if isinstance(value, list):
        return [_filled(item, identifier) for item in value]
    return value.format(identifier) if isinstance(value, str) else value


def _instances(stack: str, own: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Instances that are not the stack's and are in its network or use its security groups."""
    ec2: Any = boto3.client("ec2")
    mine = {identifier for _, identifier in own.values()}
    seen: set[str] = set()
    for place in _places(own, subnets="subnet-id", groups="instance.group-id"):
        for page in ec2.get_paginator("describe_instances").paginate(Filters=[_ALIVE, place]):
            for instance in (member for reservation in page["Reservations"] for member in reservation["Instances"]):
                tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
                is_own = instance["InstanceId"] in mine or tags.get(_STACK) == stack
                if not is_own and not tags.keys() & _ENDED_BY_OTHERS and instance["InstanceId"] not in seen:
                    seen.add(instance["InstanceId"])
                    called = f" ({tags['Name']})" if "Name" in tags else ""
                    yield (
                        f"Instance {instance['InstanceId']}{called} is {instance['State']['Name']} in its network. "
                        f"Wait for its end, or run aws ec2 terminate-instances --instance-ids {instance['InstanceId']}"
                    )


def _interfaces(own: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Network interfaces of functions that are being detached: those of functions that are not the stack's any more."""
    ec2: Any = boto3.client("ec2")
    functions = [identifier for kind, identifier in own.values() if kind == "AWS::Lambda::Function"]
    seen: set[str] = set()
    for place in _places(own, subnets="subnet-id", groups="group-id"):
        for page in ec2.get_paginator("describe_network_interfaces").paginate(Filters=[place]):
            for interface in page["NetworkInterfaces"]:
                name, description = interface["NetworkInterfaceId"], interface.get("Description", "")
                of_function = description.startswith("AWS Lambda VPC ENI")
                is_own = any(function in description for function in functions)
                if of_function and not is_own and name not in seen:
                    seen.add(name)
                    yield (
                        f"Network interface {name} of a function ({description}) is not detached yet. AWS takes up to "
                        "20 minutes for that; run the command again then"
                    )


def _places(own: Mapping[str, tuple[str, str]], *, subnets: str, groups: str) -> Iterator[Json]:
    """Filters for what is in the stack's subnets, or uses its security groups."""
    for kind, filtered in {"AWS::EC2::Subnet": subnets, "AWS::EC2::SecurityGroup": groups}.items():
        if identifiers := sorted(identifier for own_kind, identifier in own.values() if own_kind == kind):
            yield {"Name": filtered, "Values": identifiers}
