"""What former and failed deployments left behind: it is in the account, and no stack holds it.

CloudFormation remembers for 90 days what it did not delete (the events of stacks, also of deleted ones). What is older
is found by the tag with the stack's name that CloudFormation gives to every resource that takes tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import ClientError

from contract.prices import PRICES
from infra.cost.estimate import TYPES, UnknownCostError, estimate
from infra.removal import asking_aws

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Json = dict[str, Any]
STACK_TAG = "aws:cloudformation:stack-name"
_NOT_DELETED = {"DELETE_SKIPPED", "DELETE_FAILED"}
_GONE = re.compile("NotFound|NoSuch|DoesNotExist|NonExistent|^404$")


@dataclass(frozen=True)
class Kind:
    """How AWS tells whether a resource of a type is there, and how a person removes it.

    Attributes:
        service: boto3's name of the service.
        operation: The operation that describes one.
        parameter: The parameter that takes its identifier.
        delete: The operation that deletes one, and its parameters; `{0}` is the identifier.
        properties: JMESPath expression over the response: its properties, as a template would give them; null where it
            is going already.
        arn: Pattern of its ARN, with its identifier in a group; empty where only CloudFormation's events tell of it.
    """

    service: str
    operation: str
    parameter: str
    delete: tuple[str, dict[str, str]]
    properties: str = "`{}`"
    arn: str = ""

    @property
    def _client(self) -> Any:
        connect: Any = boto3.client
        return connect(self.service)

    def command(self, identifier: str) -> str:
        """Return the command line that deletes a resource."""
        if self.service == "s3":
            return f"aws s3 rb --force s3://{identifier}"
        operation, parameters = self.delete
        options = " ".join(
            f"--{xform_name(name, '-')} {value.format(identifier)}" for name, value in parameters.items()
        )
        return f"aws {self.service} {operation.replace('_', '-')} {options}"

    def remove(self, identifier: str) -> None:
        """Delete a resource; a bucket with all that is in it."""
        operation, parameters = self.delete
        if self.service == "s3":
            resource: Any = boto3.resource
            resource("s3").Bucket(identifier).object_versions.delete()
        getattr(self._client, operation)(**{name: value.format(identifier) for name, value in parameters.items()})

    def pages(self, **parameters: str) -> Iterator[Json]:
        """Yield the pages of all resources of the kind."""
        yield from self._client.get_paginator(self.operation).paginate(**parameters)

    def describe(self, identifier: str) -> Json | None:
        """Return the properties of a resource; None where it is gone."""
        try:
            response = getattr(self._client, self.operation)(**{self.parameter: identifier})
        except ClientError as error:
            if _GONE.search(error.response["Error"]["Code"]):
                return None
            raise
        properties: Json | None = jmespath.search(self.properties.replace("{0}", identifier), response)
        return properties


KINDS = {
    "AWS::DynamoDB::Table": Kind(
        "dynamodb",
        "describe_table",
        "TableName",
        ("delete_table", {"TableName": "{0}"}),
        arn=r":dynamodb:[^:]+:\d+:table/([^/]+)$",
    ),
    "AWS::Logs::LogGroup": Kind(
        "logs",
        "describe_log_groups",
        "logGroupNamePrefix",
        ("delete_log_group", {"logGroupName": "{0}"}),
        properties="logGroups[?logGroupName=='{0}'] | [0] && `{}`",
        arn=r":logs:[^:]+:\d+:log-group:([^:]+)",
    ),
    "AWS::Neptune::DBCluster": Kind(
        "neptune",
        "describe_db_clusters",
        "DBClusterIdentifier",
        ("delete_db_cluster", {"DBClusterIdentifier": "{0}", "FinalDBSnapshotIdentifier": "{0}-final"}),
    ),
    "AWS::RDS::DBInstance": Kind(
        "rds",
        "describe_db_instances",
        "DBInstanceIdentifier",
        ("delete_db_instance", {"DBInstanceIdentifier": "{0}", "FinalDBSnapshotIdentifier": "{0}-final"}),
        properties="DBInstances[0].{DBInstanceClass: DBInstanceClass, AllocatedStorage: AllocatedStorage, "
        "MultiAZ: MultiAZ}",
        arn=r":rds:[^:]+:\d+:db:(.+)$",
    ),
    "RDS snapshot": Kind(
        "rds",
        "describe_db_snapshots",
        "DBSnapshotIdentifier",
        ("delete_db_snapshot", {"DBSnapshotIdentifier": "{0}"}),
    ),
    "Neptune snapshot": Kind(
        "neptune",
        "describe_db_cluster_snapshots",
        "DBClusterSnapshotIdentifier",
        ("delete_db_cluster_snapshot", {"DBClusterSnapshotIdentifier": "{0}"}),
    ),
    "AWS::S3::Bucket": Kind("s3", "head_bucket", "Bucket", ("delete_bucket", {"Bucket": "{0}"}), arn=r":s3:::([^/]+)$"),
    "AWS::SQS::Queue": Kind("sqs", "get_queue_attributes", "QueueUrl", ("delete_queue", {"QueueUrl": "{0}"})),
    "AWS::SecretsManager::Secret": Kind(
        "secretsmanager",
        "describe_secret",
        "SecretId",
        ("delete_secret", {"SecretId": "{0}"}),
        properties="DeletedDate == null && `{}` || null",
        arn=r"(.+:secretsmanager:.+)",
    ),
    "AWS::Timestream::Database": Kind(
        "timestream-write",
        "describe_database",
        "DatabaseName",
        ("delete_database", {"DatabaseName": "{0}"}),
        arn=r":timestream:[^:]+:\d+:database/([^/]+)$",
    ),
    "AWS::Timestream::InfluxDBCluster": Kind(
        "timestream-influxdb",
        "get_db_cluster",
        "dbClusterId",
        ("delete_db_cluster", {"dbClusterId": "{0}"}),
        properties="{DbInstanceType: dbInstanceType}",
        arn=r":timestream-influxdb:[^:]+:\d+:db-cluster/(.+)$",
    ),
    "AWS::Timestream::InfluxDBInstance": Kind(
        "timestream-influxdb",
        "get_db_instance",
        "identifier",
        ("delete_db_instance", {"identifier": "{0}"}),
        properties="{DbInstanceType: dbInstanceType, AllocatedStorage: allocatedStorage}",
        arn=r":timestream-influxdb:[^:]+:\d+:db-instance/(.+)$",
    ),
}
"""The types that bill for what they hold, or for being there, and that stacks leave behind.

CloudFormation has no type for snapshots: they are called here what people call them.
"""

SNAPSHOTS = {
    "RDS snapshot": "DBSnapshots[].[DBSnapshotIdentifier, DBInstanceIdentifier]",
    "Neptune snapshot": "DBClusterSnapshots[?Engine=='neptune'].[DBClusterSnapshotIdentifier, DBClusterIdentifier]",
}
"""Identifiers of snapshots and of what they are of: JMESPath expressions over a page of their kind's operation."""
PRICED_AS = {"RDS snapshot": "rds.backup", "Neptune snapshot": "neptune.backup"}
"""The prices of what has no resource type."""


@dataclass(frozen=True)
class Left:
    """A resource that is in the account, and that no stack holds.

    Attributes:
        stack: The name of the stack that made it.
        resource: Its logical id there; empty where only its tag tells of it.
        type: Resource type, or what people call a snapshot.
        name: What AWS calls it.
        usd_per_month: What it bills, used or not; None where the price file does not know.
        uses: What it bills besides, by what it holds.
        command: A command line that removes it.
    """

    stack: str
    resource: str
    type: str
    name: str
    usd_per_month: float | None
    uses: tuple[str, ...]
    command: str


def left(stacks: Collection[str]) -> list[Left]:
    """Return what deployments of some stacks left behind, in the order of stacks and names.

    Raises:
        InputError: AWS refuses the requests.
        UnavailableError: AWS cannot be reached.
    """
    with asking_aws("What deployments left behind"):
        cloudformation: Any = boto3.client("cloudformation")
        held: set[str] = set()
        known: set[str] = set()
        candidates: dict[tuple[str, str], tuple[str, str]] = {}
        for page in cloudformation.get_paginator("list_stacks").paginate():
            for summary in page["StackSummaries"]:
                known.add(summary["StackName"])
                if summary["StackName"] in stacks:
                    if summary["StackStatus"] != "DELETE_COMPLETE":
                        held |= _held(cloudformation, summary["StackId"])
                    for event in _not_deleted(cloudformation, summary["StackId"]):
                        place = (event["StackName"], event["LogicalResourceId"])
                        candidates[event["ResourceType"], event["PhysicalResourceId"]] = place
        for stack, kind, identifier in _tagged(stacks):
            candidates.setdefault((kind, identifier), (stack, ""))
        for stack, kind, identifier in _snapshots(stacks, known):
            candidates[kind, identifier] = (stack, "")
        resources = [
            _described(kind, identifier, *place)
            for (kind, identifier), place in candidates.items()
            if identifier not in held and kind in KINDS
        ]
    return sorted(
        (resource for resource in resources if resource),
        key=lambda resource: (resource.stack, resource.type, resource.name),
    )


def _held(cloudformation: Any, stack: str) -> set[str]:
    """What AWS calls the resources that a stack holds."""
    return {
        resource.get("PhysicalResourceId", "")
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for resource in page["StackResourceSummaries"]
        if not resource["ResourceStatus"].startswith("DELETE_")
    }


def _not_deleted(cloudformation: Any, stack: str) -> Iterator[Json]:
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            if event["ResourceStatus"] in _NOT_DELETED and event.get("PhysicalResourceId"):
                yield event


def _tagged(stacks: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield stack, type and identifier of what carries a stack's name as a tag."""
    tagging: Any = boto3.client("resourcegroupstaggingapi")
    filters = [{"Key": STACK_TAG, "Values": sorted(stacks)}]
    for page in tagging.get_paginator("get_resources").paginate(TagFilters=filters):
        for resource in page["ResourceTagMappingList"]:
            tags = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
            for kind, row in KINDS.items():
                if row.arn and (match := re.search(row.arn, resource["ResourceARN"])):
                    yield tags[STACK_TAG], kind, match[1]


def _snapshots(stacks: Collection[str], others: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield stack, kind and identifier of the snapshots that are not automated, of databases that a stack has named.

    CloudFormation begins the names of databases, and of their final snapshots, with the name of the stack. What an
    environment's stack made begins with the name of the stack without an environment, too, and is not of that one.

    Args:
        stacks: The names of the stacks.
        others: The names of all stacks that the account has or had.
    """
    for kind, names in SNAPSHOTS.items():
        row = KINDS[kind]
        for page in row.pages(SnapshotType="manual"):
            for identifier, source in jmespath.search(names, page):
                makers = [stack for stack in {*stacks, *others} if _is_named_by(stack, identifier, source)]
                stack = max(makers, key=len, default="")
                if stack in stacks:
                    yield stack, kind, identifier


def _is_named_by(stack: str, identifier: str, source: str) -> bool:
    return identifier.startswith(f"{stack}-snapshot-".lower()) or source.startswith(f"{stack}-".lower())


def _described(kind: str, identifier: str, stack: str, resource: str) -> Left | None:
    row = KINDS[kind]
    properties = row.describe(identifier)
    if properties is None:
        return None
    month: float | None = 0.0
    if kind not in PRICED_AS:
        template = {"Resources": {identifier: {"Type": kind, "Properties": properties}}}
        try:
            month = sum(charge.usd for charge in estimate(stack, template).charges)
        except UnknownCostError:
            month = None
    names = [PRICED_AS[kind]] if kind in PRICED_AS else TYPES[kind].get("use", ())
    prices = [PRICES[use] for use in names if "month" in PRICES[use].unit]
    uses = tuple(f"{price.usd:g} a {price.unit}" for price in prices)
    return Left(stack, resource, kind, identifier, month, uses, row.command(identifier))


def remove(resource: Left) -> None:
    """Delete what is left behind. A database leaves a final snapshot.

    Raises:
        InputError: AWS refuses.
        UnavailableError: AWS cannot be reached.
    """
    with asking_aws(f"{resource.type} {resource.name}"):
        KINDS[resource.type].remove(resource.name)
