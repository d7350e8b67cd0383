"""DynamoDB: values come back as they were written, and a request takes effect as a whole or not at all."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

PLAIN: dict[str, Any] = {"text": {"S": "ö"}, "empty": {"S": ""}, "number": {"N": "-1.50"}, "yes": {"BOOL": True}}
OTHERS: dict[str, Any] = {"no": {"BOOL": False}, "null": {"NULL": True}, "bytes": {"B": b"\x00\xff"}}
SETS: dict[str, Any] = {"texts": {"SS": ["a"]}, "numbers": {"NS": ["1"]}, "binaries": {"BS": [b"\x00"]}}
SCALARS = PLAIN | OTHERS
ITEM = {"k": {"S": "1"}, **SCALARS, **SETS, "map": {"M": SCALARS}, "list": {"L": [*SCALARS.values(), {"M": SETS}]}}

CLIENTS = 8
IS_NEW = "attribute_not_exists(k)"
ONE = {":one": {"N": "1"}}
Item = dict[str, Any]


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


class Table:
    """A table with a stream, and what its tests ask of it."""

    def __init__(self, cloud: LocalCloud, name: str, *, sort_key: bool) -> None:
        self.client, self._streams = cloud.client("dynamodb"), cloud.client("dynamodbstreams")
        self.name, self.sort_key = name, sort_key
        keys = [("k", "HASH"), *([("s", "RANGE")] if sort_key else [])]
        description = self.client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        self._stream = description["LatestStreamArn"]
        shard = self._streams.describe_stream(StreamArn=self._stream)["StreamDescription"]["Shards"][0]["ShardId"]
        self._iterator = {"StreamArn": self._stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}

    def key(self, name: str) -> Item:
        return {"k": {"S": name}, **({"s": {"S": "sort"}} if self.sort_key else {})}

    def get(self, name: str) -> Item | None:
        item: Item | None = self.client.get_item(TableName=self.name, Key=self.key(name)).get("Item")
        return item and {key: value for key, value in item.items() if key not in "ks"}

    def put(self, name: str, **attributes: Any) -> None:
        self.client.put_item(TableName=self.name, Item=self.key(name) | attributes)

    def changes(self, name: str) -> list[tuple[str, Item | None, Item | None]]:
        """What the stream tells of an item: the event, the image before and the image after."""
        iterator = self._streams.get_shard_iterator(**self._iterator)["ShardIterator"]
        records = self._streams.get_records(ShardIterator=iterator)["Records"]
        assert {record["eventVersion"] for record in records} <= {"1.1"}
        return [
            (record["eventName"], record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage"))
            for record in records
            if record["dynamodb"]["Keys"] == self.key(name)
        ]


@pytest.fixture(scope="module", params=[False, True], ids=["hash-key", "sort-key"])
def table(hasty_cloud: LocalCloud, request: pytest.FixtureRequest) -> Table:
    return Table(hasty_cloud, f"atomic-{request.param}".lower(), sort_key=request.param)


@pytest.fixture(scope="module")
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


def _code(call: Callable[[], Any]) -> str:
    """The code of the error that a call ends with, or `done`."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


# Many clients at once

TAKE: dict[str, tuple[str, Callable[[Table, str], Any]]] = {
    "put": (
        "ConditionalCheckFailedException",
        lambda table, name: table.client.put_item(
            TableName=table.name, Item=table.key(name), ConditionExpression=IS_NEW
        ),
    ),
    "update": (
        "ConditionalCheckFailedException",
        lambda table, name: table.client.update_item(
            TableName=table.name,
            Key=table.key(name),
            UpdateExpression="SET n = :one",
            ConditionExpression=IS_NEW,
            ExpressionAttributeValues=ONE,
        ),
    ),
    "expected": (
        "ConditionalCheckFailedException",
        lambda table, name: table.client.put_item(
            TableName=table.name, Item=table.key(name), Expected={"k": {"Exists": False}}
        ),
    ),
    "transaction": (
        "TransactionCanceledException",
        lambda table, name: table.client.transact_write_items(
            TransactItems=[{"Put": {"TableName": table.name, "Item": table.key(name), "ConditionExpression": IS_NEW}}]
        ),
    ),
    "statement": (
        "DuplicateItemException",
        lambda table, name: table.client.execute_statement(Statement=_insert(table, name)),
    ),
    "statements": (
        "TransactionCanceledException",
        lambda table, name: table.client.execute_transaction(TransactStatements=[{"Statement": _insert(table, name)}]),
    ),
}


def _insert(table: Table, name: str) -> str:
    attributes = ", ".join(f"'{key}': '{value['S']}'" for key, value in table.key(name).items())
    return f'INSERT INTO "{table.name}" VALUE {{{attributes}}}'


@pytest.mark.parametrize("way", TAKE)
def test_one_of_many_takes_a_key_and_the_stream_tells_of_it_once(
    table: Table, clients: ThreadPoolExecutor, way: str
) -> None:
    refusal, take = TAKE[way]
    for number in range(20):
        name = f"{way}-{number}"
        codes = Counter(clients.map(lambda _, name=name: _code(lambda: take(table, name)), range(CLIENTS)))  # type: ignore[misc]
        assert codes == {"done": 1, refusal: CLIENTS - 1}
        assert [event for event, _, _ in table.changes(name)] == ["INSERT"]


@pytest.mark.parametrize("way", ["update", "transaction", "old way"])
def test_no_increment_is_lost(table: Table, clients: ThreadPoolExecutor, way: str) -> None:
    name, target = f"counter-{way}", {"TableName": table.name, "Key": table.key(f"counter-{way}")}
    expression = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": ONE}
    old = {"AttributeUpdates": {"n": {"Action": "ADD", "Value": {"N": "1"}}}}
    calls: dict[str, Callable[[int], Any]] = {
        "update": lambda _: table.client.update_item(**target, **expression),
        "old way": lambda _: table.client.update_item(**target, **old),
        "transaction": lambda _: table.client.transact_write_items(TransactItems=[{"Update": target | expression}]),
    }
    [*clients.map(calls[way], range(100))]
    assert table.get(name) == {"n": {"N": "100"}}
    counts = [int(new["n"]["N"]) for _, _, new in table.changes(name) if new]
    assert counts == [*range(1, 101)]


def test_each_client_gets_another_value_before_its_change(table: Table, clients: ThreadPoolExecutor) -> None:
    def exchange(number: int) -> str | None:
        item = table.key("exchange") | {"n": {"N": str(number)}}
        old: Item = table.client.put_item(TableName=table.name, Item=item, ReturnValues="ALL_OLD").get("Attributes", {})
        return old["n"]["N"] if old else None

    given = [*clients.map(exchange, range(100))]
    last = table.get("exchange")
    assert last
    assert Counter([*given, last["n"]["N"]]) == dict.fromkeys([None, *map(str, range(100))], 1)


def test_of_statements_that_change_one_version_one_succeeds(table: Table, clients: ThreadPoolExecutor) -> None:
    table.put("versions", version={"S": "0"})
    where = " AND ".join(f"{name} = ?" for name in [*table.key(""), "version"])
    statement = f'UPDATE "{table.name}" SET version = ? WHERE {where}'  # noqa: S608 - the test's own table

    def change(number: int) -> str:
        before, after = {"S": str(number // CLIENTS)}, {"S": str(number // CLIENTS + 1)}
        values = [after, *table.key("versions").values(), before]
        return _code(lambda: table.client.execute_statement(Statement=statement, Parameters=values))

    for start in range(0, 80, CLIENTS):
        codes = Counter(clients.map(change, range(start, start + CLIENTS)))
        assert codes == {"done": 1, "ConditionalCheckFailedException": CLIENTS - 1}
    assert table.get("versions") == {"version": {"S": "10"}}


def test_a_cancelled_transaction_undoes_nothing_of_others(table: Table, clients: ThreadPoolExecutor) -> None:
    check = {"TableName": table.name, "Key": table.key("nobody"), "ConditionExpression": "attribute_exists(k)"}

    def work(number: int) -> str:
        if number % 2:
            return _code(lambda: table.put(f"other-{number}"))
        steps = [{"Put": {"TableName": table.name, "Item": table.key(f"other-{number}")}}, {"ConditionCheck": check}]
        return _code(lambda: table.client.transact_write_items(TransactItems=steps))

    assert Counter(clients.map(work, range(80))) == {"done": 40, "TransactionCanceledException": 40}
    assert [number for number in range(80) if table.get(f"other-{number}") is not None] == [*range(1, 80, 2)]


# One request


def test_a_cancelled_transaction_leaves_no_trace_and_says_why(table: Table) -> None:
    table.put("kept", n={"N": "1"})
    steps = [
        {"Put": {"TableName": table.name, "Item": table.key("cancelled")}},
        {
            "Update": {
                "TableName": table.name,
                "Key": table.key("kept"),
                "UpdateExpression": "ADD n :one",
                "ExpressionAttributeValues": ONE,
            }
        },
        {"Delete": {"TableName": table.name, "Key": table.key("kept-too")}},
        {
            "ConditionCheck": {
                "TableName": table.name,
                "Key": table.key("nobody"),
                "ConditionExpression": "attribute_exists(k)",
            }
        },
    ]
    table.put("kept-too")
    with pytest.raises(table.client.exceptions.TransactionCanceledException) as caught:
        table.client.transact_write_items(TransactItems=steps)
    codes = [reason["Code"] for reason in caught.value.response["CancellationReasons"]]
    assert codes == ["None", "None", "None", "ConditionalCheckFailed"]
    assert (table.get("cancelled"), table.get("kept"), table.get("kept-too")) == (None, {"n": {"N": "1"}}, {})
    assert table.changes("cancelled") == []
    assert [event for event, _, _ in (*table.changes("kept"), *table.changes("kept-too"))] == ["INSERT", "INSERT"]


@pytest.mark.parametrize("is_there", [True, False])
def test_an_update_that_fails_half_way_changes_nothing(table: Table, is_there: bool) -> None:
    name = f"half-{is_there}"
    if is_there:
        table.put(name, a={"N": "1"})
    large = {":large": {"S": "x" * 400 * 1024}, ":two": {"N": "2"}}
    update = {"UpdateExpression": "SET a = :two, b = :large", "ExpressionAttributeValues": large}
    call = {"TableName": table.name, "Key": table.key(name), **update}
    assert _code(lambda: table.client.update_item(**call)) == "ValidationException"
    assert table.get(name) == ({"a": {"N": "1"}} if is_there else None)
    assert [event for event, _, _ in table.changes(name)] == ["INSERT"] * is_there


def test_an_item_that_an_update_creates_enters_the_stream_once_and_whole(table: Table) -> None:
    table.client.update_item(
        TableName=table.name,
        Key=table.key("created"),
        UpdateExpression="SET n = :one",
        ExpressionAttributeValues=ONE,
    )
    assert table.changes("created") == [("INSERT", None, table.key("created") | {"n": {"N": "1"}})]


def test_an_item_that_stays_as_it_is_enters_no_stream(table: Table) -> None:
    table.put("same", n={"N": "1"})
    table.put("same", n={"N": "1"})
    table.client.update_item(
        TableName=table.name,
        Key=table.key("same"),
        UpdateExpression="SET n = :one",
        ExpressionAttributeValues=ONE,
    )
    assert [event for event, _, _ in table.changes("same")] == ["INSERT"]


def test_a_batch_with_a_wrong_item_writes_none(table: Table) -> None:
    puts = [{"PutRequest": {"Item": item}} for item in (table.key("batch"), {"other": {"S": "no key"}})]
    assert _code(lambda: table.client.batch_write_item(RequestItems={table.name: puts})) == "ValidationException"
    assert (table.get("batch"), table.changes("batch")) == (None, [])


def test_a_transaction_of_statements_is_done_as_a_whole(table: Table) -> None:
    table.put("there")
    statements = [{"Statement": _insert(table, name)} for name in ("statement", "there")]
    with pytest.raises(table.client.exceptions.TransactionCanceledException) as caught:
        table.client.execute_transaction(TransactStatements=statements)
    assert [reason["Code"] for reason in caught.value.response["CancellationReasons"]] == ["None", "DuplicateItem"]
    assert (table.get("statement"), table.changes("statement")) == (None, [])
    assert table.client.execute_transaction(TransactStatements=statements[:1])["Responses"] == []
    assert table.get("statement") == {}


def test_each_statement_of_a_batch_succeeds_or_fails_alone(table: Table) -> None:
    statements = [{"Statement": _insert(table, name)} for name in ("alone", "alone", "alone-too")]
    responses = table.client.batch_execute_statement(Statements=statements)["Responses"]
    assert [response.get("Error", {}).get("Code") for response in responses] == [None, "DuplicateItem", None]
    assert (table.get("alone"), table.get("alone-too")) == ({}, {})


def test_a_transaction_that_is_sent_twice_is_done_once(table: Table) -> None:
    update = {
        "TableName": table.name,
        "Key": table.key("twice"),
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": ONE,
    }
    token = f"token-{table.name}"
    for _ in range(2):
        table.client.transact_write_items(TransactItems=[{"Update": update}], ClientRequestToken=token)
    assert table.get("twice") == {"n": {"N": "1"}}
    other = [{"Update": update | {"UpdateExpression": "SET n = :one"}}]
    code = _code(lambda: table.client.transact_write_items(TransactItems=other, ClientRequestToken=token))
    assert code == "IdempotentParameterMismatchException"


def test_a_transaction_names_an_item_once(table: Table) -> None:
    puts = [
        {"Put": {"TableName": table.name, "Item": table.key("double") | attribute}}
        for attribute in ({}, {"n": {"N": "1"}})
    ]
    assert _code(lambda: table.client.transact_write_items(TransactItems=puts)) == "ValidationException"
    assert table.get("double") is None


def test_a_table_is_restored_to_the_latest_time_if_it_can_be_recovered(cloud: LocalCloud) -> None:
    """No log is kept from which an earlier time could be restored."""
    source = Table(cloud, "source", sort_key=False)
    source.client.put_item(TableName="source", Item={"k": {"S": "1"}})
    latest: dict[str, Any] = {"SourceTableName": "source", "TargetTableName": "copy", "UseLatestRestorableTime": True}
    with pytest.raises(ClientError, match="PointInTimeRecoveryUnavailableException"):
        source.client.restore_table_to_point_in_time(**latest)
    source.client.update_continuous_backups(
        TableName="source", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    earlier = {"SourceTableName": "source", "TargetTableName": "copy", "RestoreDateTime": 1_700_000_000}
    with pytest.raises(ClientError, match="restores to the latest time only"):
        source.client.restore_table_to_point_in_time(**earlier)
    source.client.restore_table_to_point_in_time(**latest)
    assert source.client.scan(TableName="copy")["Items"] == [{"k": {"S": "1"}}]


def test_what_a_batch_consumed_is_told_only_if_asked(cloud: LocalCloud) -> None:
    dynamodb = cloud.client("dynamodb")
    dynamodb.create_table(
        TableName="measured",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    items = {"measured": [{"PutRequest": {"Item": {"k": {"S": "1"}}}}]}
    assert "ConsumedCapacity" not in dynamodb.batch_write_item(RequestItems=items)
    assert "ConsumedCapacity" in dynamodb.batch_write_item(RequestItems=items, ReturnConsumedCapacity="TOTAL")
    keys = {"measured": {"Keys": [{"k": {"S": "1"}}]}}
    assert "ConsumedCapacity" not in dynamodb.batch_get_item(RequestItems=keys)


def test_a_statement_may_set_numbers_and_booleans(table: Table) -> None:
    table.put("numbered", size={"N": "1"})
    key = " AND ".join(f"{name} = ?" for name in table.key(""))
    statement = f'UPDATE "{table.name}" SET size=-2.5, done = true, word=? WHERE {key} AND size = 1'  # noqa: S608
    values = [{"S": "it's 7"}, *table.key("numbered").values()]
    table.client.execute_statement(Statement=statement, Parameters=values)
    assert table.get("numbered") == {"size": {"N": "-2.5"}, "done": {"BOOL": True}, "word": {"S": "it's 7"}}


def test_a_table_is_described_without_what_it_does_not_have(cloud: LocalCloud) -> None:
    dynamodb, name = cloud.client("dynamodb"), f"t-{uuid.uuid4().hex[:8]}"
    made = dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )["TableDescription"]
    assert made["TableId"] == dynamodb.describe_table(TableName=name)["Table"]["TableId"]
    members = {"BillingModeSummary", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "WarmThroughput"}
    assert not members & made.keys()
    dynamodb.delete_table(TableName=name)
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException, match=f"Table: {name} not found"):
        dynamodb.delete_table(TableName=name)


def test_a_statement_asks_an_index_and_names_attributes_in_quotes(cloud: LocalCloud) -> None:
    dynamodb = cloud.client("dynamodb")
    keys = {"k": "HASH", "genre": "HASH", "title": "RANGE"}
    schema = [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()]
    dynamodb.create_table(
        TableName="films-indexed",
        KeySchema=schema[:1],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        GlobalSecondaryIndexes=[
            {"IndexName": "By-Genre", "KeySchema": schema[1:], "Projection": {"ProjectionType": "ALL"}}
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number, genre in enumerate(("Drama", "Family")):
        item = {"k": {"S": str(number)}, "genre": {"S": genre}, "title": {"S": "It's"}, "Year": {"N": "2006"}}
        dynamodb.put_item(TableName="films-indexed", Item=item)
    dynamodb.put_item(TableName="films-indexed", Item={"k": {"S": "not in the index"}})
    of_genre = """SELECT title, "Year" FROM "films-indexed"."By-Genre" WHERE "genre" = 'Drama'"""
    answer = [{"title": {"S": "It's"}, "Year": {"N": "2006"}}]
    assert dynamodb.execute_statement(Statement=of_genre)["Items"] == answer
    assert len(dynamodb.execute_statement(Statement='SELECT * FROM "films-indexed"."By-Genre"')["Items"]) == 2


def test_a_statement_finds_an_element_of_a_list_and_of_a_set(table: Table) -> None:
    table.put("contains", list={"L": [{"S": "Zoë"}, {"N": "1"}]}, set={"SS": ["a", "b"]}, text={"S": "carpenter"})

    def count(attribute: str, value: dict[str, str]) -> int:
        statement = f'SELECT * FROM "{table.name}" WHERE contains("{attribute}", ?)'  # noqa: S608 - the test's own table
        return len(table.client.execute_statement(Statement=statement, Parameters=[value])["Items"])

    found = [("list", {"S": "Zoë"}), ("list", {"N": "1"}), ("set", {"S": "b"}), ("text", {"S": "pent"})]
    assert [count(*asked) for asked in found] == [1, 1, 1, 1]
    missing = [("list", {"S": "Zo"}), ("set", {"S": "c"}), ("text", {"S": "x"}), ("nothing", {"S": "a"})]
    assert [count(*asked) for asked in missing] == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", ["S", "N", "B"])
def test_pages_hold_each_item_once_though_the_last_of_a_page_goes(cloud: LocalCloud, kind: str) -> None:
    dynamodb, name = cloud.client("dynamodb"), f"pages-{kind}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key in "kr"],
        BillingMode="PAY_PER_REQUEST",
    )
    values = [{kind: str(number).encode() if kind == "B" else str(number)} for number in (2, 10, 1, -3, 22)]
    values = values[:3] if kind == "B" else values
    keys = [{"k": first, "r": second} for first in values for second in values]
    for key in keys:
        dynamodb.put_item(TableName=name, Item=key)

    def pages(ask: Any, **parameters: Any) -> list[Item]:
        items: list[Item] = []
        while True:
            page = ask(TableName=name, Limit=2, **parameters)
            items += page["Items"]
            if not (last := page.get("LastEvaluatedKey")):
                return items
            dynamodb.delete_item(TableName=name, Key=last)
            parameters["ExclusiveStartKey"] = last

    condition = {"KeyConditionExpression": "k = :k", "ExpressionAttributeValues": {":k": values[0]}}
    ranges = [item["r"] for item in pages(dynamodb.query, **condition, ScanIndexForward=False)]
    assert ranges == sorted(values, key=lambda value: float(value["N"]) if kind == "N" else value[kind], reverse=True)
    scanned = pages(dynamodb.scan)
    assert len(scanned) == len(keys) - len(values) // 2
    assert all(keys.count(item) == 1 and scanned.count(item) == 1 for item in scanned)
    condition["ExpressionAttributeValues"] = {":k": {kind: b"9" if kind == "B" else "9"}}
    assert dynamodb.query(TableName=name, **condition)["Items"] == []
