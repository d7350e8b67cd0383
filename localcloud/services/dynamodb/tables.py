"""Tables: their class and their encryption.

moto gap: it drops the class of a table, and an update drops the encryption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap


@dataclass
class TableState:
    """What moto drops of a table: its class."""

    table_class: str = "STANDARD"


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


@after(Table, "describe")
def _described(cloud: Cloud, description: dict[str, Any], table: Table, *_args: Any, **_kwargs: Any) -> None:
    (body,) = description.values()
    if (table_class := cloud.state(TableState, table).table_class) != "STANDARD":
        body["TableClassSummary"] = {"TableClass": table_class}
