"""How much is in what a deployment would lose, where AWS can be asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3

from contract.errors import GroundworkError
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Callable

GB = 10**9
GIB = 2**30
LISTED = 1000  # objects of a bucket, or items of a table, that are counted


def contents(kind: str, identifier: str) -> str:
    """Return how much a resource holds, such as `1,204 items, 0.1 GB`; empty where nothing tells, or nothing may ask.

    Args:
        kind: Resource type.
        identifier: What AWS calls the resource.
    """
    ask = _QUESTIONS.get(kind)
    if ask is None or not identifier:
        return ""
    try:
        with asking_aws(identifier):
            return ask(identifier)
    except GroundworkError:
        return ""


def _table(name: str) -> str:
    """Count items: DynamoDB does so about every six hours, and a scan of some finds no more than there are."""
    dynamodb = _client("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    page = dynamodb.scan(TableName=name, Select="COUNT", Limit=LISTED)
    count, more = page["Count"], " or more" if "LastEvaluatedKey" in page else ""
    if table["ItemCount"] > count:
        count, more = table["ItemCount"], ""
    return f"{count:,} items{more}, {_gigabytes(table['TableSizeBytes'])}"


def _database(name: str) -> str:
    [instance] = _client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    free = _latest("AWS/RDS", "FreeStorageSpace", DBInstanceIdentifier=name)
    return "" if free is None else _gigabytes(instance["AllocatedStorage"] * GIB - free)


def _graph(name: str) -> str:
    used = _latest("AWS/Neptune", "VolumeBytesUsed", DBClusterIdentifier=name)
    return "" if used is None else _gigabytes(used)


def _bucket(name: str) -> str:
    page = _client("s3").list_objects_v2(Bucket=name, MaxKeys=LISTED)
    more = " or more" if page["IsTruncated"] else ""
    return f"{page['KeyCount']:,} objects{more}"


def _domain(name: str) -> str:
    account = _client("sts").get_caller_identity()["Account"]
    documents = _latest("AWS/ES", "SearchableDocuments", DomainName=name, ClientId=account)
    return "" if documents is None else f"{documents:,.0f} documents"


_QUESTIONS: dict[str, Callable[[str], str]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::Neptune::DBCluster": _graph,
    "AWS::OpenSearchService::Domain": _domain,
    "AWS::RDS::DBInstance": _database,
    "AWS::S3::Bucket": _bucket,
}


def _client(service: str) -> Any:
    connect: Any = boto3.client
    return connect(service)


def _latest(namespace: str, metric: str, **dimensions: str) -> float | None:
    """Return the last hourly average of a metric in two days; None where there is none."""
    now = datetime.now(UTC)
    points = _client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(days=2),
        EndTime=now,
        Period=3600,
        Statistics=["Average"],
    )["Datapoints"]
    return max(points, key=lambda point: point["Timestamp"])["Average"] if points else None


def _gigabytes(number: float) -> str:
    return f"{number / GB:.1f} GB"
