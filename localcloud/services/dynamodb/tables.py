"""Tables: their class, their encryption, and their restore.

moto gaps: it drops the class of a table, an update drops the encryption, and a restore has the items of now whatever
time is asked for. It takes no restore by the table's ARN, no export without a prefix, and no list of all exports, and
has a code of its own for the time to live of a table that does not exist. It describes tables with empty lists of
indexes, and without an id. An attribute without a value ends with an
error of Python's. Batches and transactions tell what they consumed whether they are asked or not. Records of streams
have an old version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    DynamodbException,
    MockValidationException,
    ResourceNotFoundException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import StreamRecord, Table
from moto.dynamodb.responses import DynamoHandler
from moto.kms.models import kms_backends

from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap

#: What a request tells if a parameter asks for it.
MEASURES = {"ConsumedCapacity": "ReturnConsumedCapacity", "ItemCollectionMetrics": "ReturnItemCollectionMetrics"}


@dataclass
class TableState:
    """What moto drops of a table.

    Attributes:
        table_class: Its class.
        table_id: Its id, which a new table of the same name does not have.
    """

    table_class: str = "STANDARD"
    table_id: str = field(default_factory=lambda: str(uuid4()))


@wrap(DynamoHandler, "create_table", "update_table")
def _change(cloud: Cloud, original: Any, self: DynamoHandler) -> ActionResult:
    result: ActionResult = original(self)
    table: Table = self.dynamodb_backend.get_table(self.body["TableName"])
    if table_class := self.body.get("TableClass"):
        cloud.state(TableState, table).table_class = table_class
    if encryption := self.body.get("SSESpecification"):
        key = table._get_default_encryption_key(table.account_id, table.region_name)  # noqa: SLF001
        table.sse_specification = {"KMSMasterKeyId": key, **encryption}
    return result


@wrap(DynamoHandler, "create_table", "delete_table")
def _begin(original: Any, self: DynamoHandler) -> ActionResult:
    """Leave out the warm throughput, unless it is asked for: a table has it when it has been made."""
    result: ActionResult = original(self)
    description: Any = result.result
    body = description["TableDescription"]
    for table_or_index in (body, *body.get("GlobalSecondaryIndexes", [])):
        if "WarmThroughput" not in self.body:
            table_or_index.pop("WarmThroughput", None)
        else:
            table_or_index["WarmThroughput"] = {**table_or_index["WarmThroughput"], "Status": "UPDATING"}
    return result


@wrap(DynamoDBBackend, "delete_table", "describe_table")
def _of_a_table(original: Any, self: DynamoDBBackend, name: str) -> Any:
    if name not in self.tables:
        raise ResourceNotFoundException(f"Requested resource not found: Table: {name} not found")
    return original(self, name)


@wrap(Table, "_get_default_encryption_key")
def _managed_key(original: Any, self: Table, account_id: str, region: str) -> str:
    """Give the key that protects tables the description and the manager that it has on AWS."""
    arn: str = original(self, account_id, region)
    key = kms_backends[account_id][region].describe_key(arn.rpartition("/")[2])
    key.description = "Default key that protects my DynamoDB data when no other key is defined"
    key.key_manager = "AWS"
    return arn


@after(StreamRecord, "__init__")
def _recorded(_: None, self: StreamRecord, *_args: Any, **_kwargs: Any) -> None:
    self.record["eventVersion"] = "1.1"


@wrap(DynamoHandler, "restore_table_to_point_in_time")
def _restore(original: Any, self: DynamoHandler) -> ActionResult:
    """Restore to the latest time only: no log is kept here from which an earlier one could be restored."""
    self.body.setdefault("SourceTableName", self.body.get("SourceTableArn", "").rpartition("/")[2])
    source = self.dynamodb_backend.get_table(self.body["SourceTableName"])
    recovery = source.continuous_backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    if recovery != "ENABLED":
        message = f"Point in time recovery is not enabled for table '{source.name}'"
        raise DynamodbException(f"{ERROR_TYPE_PREFIX}PointInTimeRecoveryUnavailableException", message)
    if "RestoreDateTime" in self.body:
        message = "The local cloud restores to the latest time only: say UseLatestRestorableTime, or make a backup."
        raise MockValidationException(message)
    result: ActionResult = original(self)
    return result


@wrap(DynamoHandler, "get_item", "put_item")
def _of_an_item(original: Any, self: DynamoHandler) -> ActionResult:
    values = (self.body.get("Item") or self.body.get("Key") or {}).values()
    if not all(values):
        message = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        raise MockValidationException(message)
    result: ActionResult = original(self)
    return result


@wrap(DynamoHandler, "export_table_to_point_in_time")
def _export(original: Any, self: DynamoHandler) -> ActionResult:
    self.body.setdefault("S3Prefix", "")
    result: ActionResult = original(self)
    return result


@wrap(DynamoHandler, "list_exports")
def _list_exports(original: Any, self: DynamoHandler) -> ActionResult:
    self.body.setdefault("TableArn", "")
    result: ActionResult = original(self)
    return result


@wrap(DynamoDBBackend, "list_exports")
def _exports(original: Any, self: DynamoDBBackend, table_arn: str) -> list[Any]:
    return [*(original(self, table_arn) if table_arn else self.table_exports.values())]


@wrap(DynamoDBBackend, "describe_time_to_live", "update_time_to_live")
def _time_to_live(original: Any, self: DynamoDBBackend, table_name: str, *args: Any) -> Any:
    self.get_table(table_name)  # or it is answered that the table does not exist
    return original(self, table_name, *args)


@after(Table, "describe")
def _described(cloud: Cloud, description: dict[str, Any], table: Table, *_args: Any, **_kwargs: Any) -> None:
    ((kind, body),) = description.items()
    body["TableId"] = cloud.state(TableState, table).table_id
    for member in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        body[member] = [_index(table, index) for index in body[member]]
        if not body[member]:
            del body[member]
    if table.billing_mode != "PAY_PER_REQUEST":
        del body["BillingModeSummary"]
    elif kind == "Table":
        body["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = table.created_at
    if (table_class := cloud.state(TableState, table).table_class) != "STANDARD":
        body["TableClassSummary"] = {"TableClass": table_class}


def _index(table: Table, index: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of an index, with its ARN and its size."""
    described = {**index, "IndexArn": f"{table.table_arn}/index/{index['IndexName']}"}
    if "ProvisionedThroughput" in index:
        described["ProvisionedThroughput"] = {"NumberOfDecreasesToday": 0, **index["ProvisionedThroughput"]}
    return {**described, "IndexSizeBytes": 0, "ItemCount": len(table)}


@wrap(DynamoHandler, "batch_get_item", "batch_write_item", "transact_write_items")
def _without_measures(original: Any, self: DynamoHandler) -> ActionResult:
    """Tell what a request consumed only where it asks for it.

    moto gap: it always does.
    """
    result: ActionResult = original(self)
    answer: Any = result.result
    for member, parameter in MEASURES.items():
        if self.body.get(parameter, "NONE") == "NONE":
            answer.pop(member, None)
    return result
