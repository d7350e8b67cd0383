"""DynamoDB's values of every kind come back as they were written: the plain ones take a shorter way than moto's."""

from typing import Any

from localcloud import LocalCloud

PLAIN: dict[str, Any] = {"text": {"S": "ö"}, "empty": {"S": ""}, "number": {"N": "-1.50"}, "yes": {"BOOL": True}}
OTHERS: dict[str, Any] = {"no": {"BOOL": False}, "null": {"NULL": True}, "bytes": {"B": b"\x00\xff"}}
SETS: dict[str, Any] = {"texts": {"SS": ["a"]}, "numbers": {"NS": ["1"]}, "binaries": {"BS": [b"\x00"]}}
SCALARS = PLAIN | OTHERS
ITEM = {"k": {"S": "1"}, **SCALARS, **SETS, "map": {"M": SCALARS}, "list": {"L": [*SCALARS.values(), {"M": SETS}]}}


def test_values_of_every_kind_are_what_they_were(cloud: LocalCloud) -> None:
    dynamodb = cloud.client("dynamodb")
    dynamodb.create_table(
        TableName="kinds",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="kinds", Item=ITEM)
    assert dynamodb.get_item(TableName="kinds", Key={"k": {"S": "1"}})["Item"] == ITEM
    assert dynamodb.scan(TableName="kinds")["Items"] == [ITEM]
    counted = dynamodb.update_item(
        TableName="kinds",
        Key={"k": {"S": "2"}},
        UpdateExpression="ADD #n :one",
        ExpressionAttributeNames={"#n": "number"},
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )
    assert counted["Attributes"] == {"k": {"S": "2"}, "number": {"N": "1"}}
