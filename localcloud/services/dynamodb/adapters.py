"""How properties of CloudFormation become parameters of Amazon DynamoDB, where more than a name differs."""

from __future__ import annotations

import contextlib
import time

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloudformation.translation import Properties, without_empty

#: Properties of a table that an import gives it; an update sets the others afterwards.
OF_IMPORTS = (
    *("TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "SSESpecification"),
    "GlobalSecondaryIndexes",
)
POLL_SECONDS = 0.1


def table(cloud: Cloud, values: Properties) -> Properties:
    """Enable a stream and an encryption that are specified, and turn a changed list of indexes into one change.

    Raises:
        ValueError: The table is to be imported, and has what no import takes.
    """
    values = {"BillingMode": "PROVISIONED", **values}
    if "StreamSpecification" in values:
        values["StreamSpecification"] = {"StreamEnabled": True, **values["StreamSpecification"]}
    if "SSESpecification" in values:
        encryption = dict(values["SSESpecification"])
        values["SSESpecification"] = {"Enabled": encryption.pop("SSEEnabled", False), **encryption}
    if source := values.pop("ImportSourceSpecification", None):
        if "LocalSecondaryIndexes" in values:
            raise ValueError("property ImportSourceSpecification: AWS imports no table with LocalSecondaryIndexes")
        values |= {**source, "TableCreationParameters": {name: values[name] for name in OF_IMPORTS if name in values}}
    return values | without_empty(GlobalSecondaryIndexUpdates=_index_updates(cloud, values))


def imported(cloud: Cloud, values: Properties) -> None:
    """Wait until a table has been imported, and tag it.

    Raises:
        ValueError: The import has failed; a table that it has left is deleted.
    """
    client, arn = cloud.client("dynamodb"), f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{values['TableName']}"
    while "EndTime" not in (newest := client.list_imports(TableArn=arn)["ImportSummaryList"][0]):
        time.sleep(POLL_SECONDS)
    if newest["ImportStatus"] != "COMPLETED":
        description = client.describe_import(ImportArn=newest["ImportArn"])["ImportTableDescription"]
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=values["TableName"])
        raise ValueError(f"The import failed with {description['FailureCode']}: {description['FailureMessage']}")
    if values.get("Tags"):
        client.tag_resource(ResourceArn=arn, Tags=values["Tags"])


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
