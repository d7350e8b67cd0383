"""Data and who may reach it."""

from __future__ import annotations

import boto3

from behaviours.resources import client, expect, name, refused


def a_transaction_changes_everything_or_nothing() -> None:
    """A transaction with an update that cannot be made changes nothing."""
    dynamodb, table = client("dynamodb"), name()
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )
    dynamodb.put_item(TableName=table, Item={"k": {"S": "text"}, "n": {"S": "no number"}})
    put = {"Put": {"TableName": table, "Item": {"k": {"S": "new"}}}}
    add = {
        "Update": {
            "TableName": table,
            "Key": {"k": {"S": "text"}},
            "UpdateExpression": "SET n = n + :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    refused(lambda: dynamodb.transact_write_items(TransactItems=[put, add]), "An error occurred")
    expect("Item" not in dynamodb.get_item(TableName=table, Key={"k": {"S": "new"}}), "half of it has happened")


def a_wrong_key_is_refused() -> None:
    """A request that is signed with a wrong secret key is refused."""
    known = boto3.Session().get_credentials().access_key
    guess = name()
    stranger = boto3.client("sns", aws_access_key_id=known, aws_secret_access_key=guess)
    refused(lambda: stranger.create_topic(Name=name()), "SignatureDoesNotMatch")
