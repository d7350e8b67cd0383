"""DynamoDB: tables, their keys and indexes, and items."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from flask import Blueprint, render_template, request

from localcloud.console import reading

blueprint = Blueprint("tables", __name__)

SHOWN = 50


@blueprint.get("/tables")
def show_all() -> str:
    """Show the tables."""
    names = reading.listed("dynamodb", "list_tables", "TableNames")
    client = reading.client("dynamodb")
    return render_template(
        "tables.html", tables=[client.describe_table(TableName=name)["Table"] for name in sorted(names)]
    )


@blueprint.get("/tables/<name>")
def show(name: str) -> str:
    """Show a table with some of its items: all, or those with a partition key."""
    client, wanted = reading.client("dynamodb"), request.args.get("key", "").strip()
    table = client.describe_table(TableName=name)["Table"]
    hash_key = next(key["AttributeName"] for key in table["KeySchema"] if key["KeyType"] == "HASH")
    kind = next(row["AttributeType"] for row in table["AttributeDefinitions"] if row["AttributeName"] == hash_key)
    if wanted:
        response = client.query(
            TableName=name,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": hash_key},
            ExpressionAttributeValues={":key": {kind: wanted}},
            Limit=SHOWN,
        )
    else:
        response = client.scan(TableName=name, Limit=SHOWN)
    keys = [key["AttributeName"] for key in table["KeySchema"]]
    return render_template(
        "table.html",
        table=table,
        keys=keys,
        hash_key=hash_key,
        wanted=wanted,
        items=[_plain(item) for item in response["Items"]],
        more="LastEvaluatedKey" in response,
    )


def _plain(item: dict[str, Any]) -> dict[str, str]:
    """Return an item with its values as text."""
    read = TypeDeserializer().deserialize
    return {name: _said(read(value)) for name, value in sorted(item.items())}


def _said(value: Any) -> str:
    if isinstance(value, str | int | Decimal):
        return str(value)
    if isinstance(value, set):
        value = sorted(value)
    return json.dumps(value, ensure_ascii=False, default=str)
