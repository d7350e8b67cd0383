"""How properties of CloudFormation become parameters of Amazon DynamoDB, where more than a name differs."""

from __future__ import annotations

from localcloud.cloud.account import REGION
from localcloud.cloud.context import Cloud
from localcloud.cloudformation.translation import Properties, without_empty


def table(cloud: Cloud, values: Properties) -> Properties:
    """Enable a stream and an encryption that are specified, and turn a changed list of indexes into one change."""
    values = {"BillingMode": "PROVISIONED", **values}
    if "StreamSpecification" in values:
        values["StreamSpecification"] = {"StreamEnabled": True, **values["StreamSpecification"]}
    if "SSESpecification" in values:
        encryption = dict(values["SSESpecification"])
        values["SSESpecification"] = {"Enabled": encryption.pop("SSEEnabled", False), **encryption}
    return values | without_empty(GlobalSecondaryIndexUpdates=_index_updates(cloud, values))


def global_table(cloud: Cloud, values: Properties) -> Properties:
    """Give a table the settings of its only replica, and the service's defaults for the others.

    Raises:
        ValueError: A replica is in another region, or there is more than one.
    """
    replica, *other_replicas = map(dict, values.pop("Replicas"))
    region = replica.pop("Region")
    if other_replicas or region != REGION:
        regions = [region, *(other_replica["Region"] for other_replica in other_replicas)]
        raise ValueError(
            f"property Replicas: the local cloud has a table in {REGION} only, not in {', '.join(regions)}"
        )
    defaults = {
        "DeletionProtectionEnabled": False,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False},
        "TableClass": "STANDARD",
    }
    return table(cloud, {**defaults, **values, **replica})


def _index_updates(cloud: Cloud, values: Properties) -> list[Properties]:
    """Return the change that gives an existing table the wanted indexes.

    Raises:
        ValueError: More than one index would change, which AWS refuses in one update.
    """
    dynamodb = cloud.client("dynamodb")
    try:
        existing = dynamodb.describe_table(TableName=values["TableName"])["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return []
    before, after = (
        {index["IndexName"]: (index["KeySchema"], index["Projection"]) for index in indexes}
        for indexes in (existing.get("GlobalSecondaryIndexes", []), values.get("GlobalSecondaryIndexes", []))
    )
    removed = [name for name in before if before[name] != after.get(name)]
    new = [index for index in values.get("GlobalSecondaryIndexes", []) if index["IndexName"] in after.keys() - before]
    new += [index for index in values.get("GlobalSecondaryIndexes", []) if index["IndexName"] in {*removed}]
    if len(removed) + len(new) > 1:
        raise ValueError("Cannot perform more than one GSI creation or deletion in a single update")
    return [{"Delete": {"IndexName": name}} for name in removed] + [{"Create": index} for index in new]
