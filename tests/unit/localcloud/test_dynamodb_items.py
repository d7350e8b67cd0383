"""Items from files: what DynamoDB takes becomes an item with its size, and the rest is refused in its words."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.dynamodb.models.table import Table

from localcloud.services.dynamodb.items import LARGEST_ITEM, ItemError, Schema

Json = dict[str, Any]
KEY: Json = {"customer": {"S": "Ada"}, "number": {"N": "7"}}
KEY_SIZE = len("customer") + len("Ada") + len("number") + 2


def table() -> Table:
    return Table(
        "orders",
        account_id="123456789012",
        region="us-east-1",
        schema=[{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
        attr=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
            {"AttributeName": "day", "AttributeType": "S"},
            {"AttributeName": "photo", "AttributeType": "B"},
        ],
        global_indexes=[
            {
                "IndexName": "by-day",
                "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "by-photo",
                "KeySchema": [{"AttributeName": "photo", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["price"]},
            },
        ],
    )


SCHEMA = Schema(table())


def refusal(**attributes: Any) -> str:
    with pytest.raises(ItemError) as refused:
        SCHEMA.read(KEY | attributes)
    return str(refused.value)


#: Values with the bytes that they have beside the name of one letter.
SIZES: list[tuple[Json, int]] = [
    ({"S": ""}, 0),
    ({"S": "ö"}, 2),
    ({"N": "0"}, 1),
    ({"N": "1200"}, 2),
    ({"N": "-1.5"}, 3),
    ({"N": "1E-130"}, 2),
    ({"N": "9" * 38 + "E+88"}, 20),
    ({"B": "AAE="}, 2),
    ({"BOOL": False}, 1),
    ({"NULL": True}, 1),
    ({"SS": ["a", "bc"]}, 3),
    ({"NS": ["1", "2"]}, 4),
    ({"BS": ["AA==", "AAE="]}, 3),
    ({"L": []}, 3),
    ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + 3 + 2),
    ({"M": {"ab": {"S": "c"}}}, 3 + 2 + 1 + 1),
]


@pytest.mark.parametrize(("value", "size"), SIZES, ids=[str(value)[:30] for value, _ in SIZES])
def test_a_value_has_the_size_that_dynamodb_counts(value: Json, size: int) -> None:
    assert SCHEMA.read(KEY | {"x": value}).size == KEY_SIZE + 1 + size


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "Supplied AttributeValue is empty"),
        ({"S": "a", "N": "1"}, "Supplied AttributeValue has more than one datatypes set"),
        ("a", "must contain exactly one of the supported datatypes"),
        ({"X": "a"}, "There is no data type X"),
        ({"S": 1}, "A value of type S must be a text"),
        ({"S": "\ud800"}, "surrogate"),
        ({"N": 1}, "cannot be converted to a numeric value: 1"),
        ({"N": "one"}, "cannot be converted to a numeric value: one"),
        ({"N": " 1"}, "cannot be converted to a numeric value"),
        ({"N": "NaN"}, "cannot be converted to a numeric value"),
        ({"N": "٣"}, "cannot be converted to a numeric value"),
        ({"N": "1E+126"}, "Number overflow"),
        ({"N": "-1E-131"}, "Number underflow"),
        ({"N": "1" * 39}, "more than 38 significant digits"),
        ({"B": "no base 64"}, "Base64"),
        ({"B": 1}, "Base64"),
        ({"BOOL": "true"}, "type BOOL must be true or false"),
        ({"NULL": False}, "must have the value of true"),
        ({"SS": []}, "An string set  may not be empty"),
        ({"NS": []}, "An number set  may not be empty"),
        ({"SS": ["a", "a"]}, "Input collection [a, a] contains duplicates."),
        ({"NS": ["1", "1.0"]}, "contains duplicates"),
        ({"BS": ["AA==", "AA=="]}, "contains duplicates"),
        ({"SS": "a"}, "type SS must be a list"),
        ({"L": {}}, "type L must be a list"),
        ({"M": []}, "type M must be an object"),
        ({"L": [{"N": "x"}]}, "cannot be converted to a numeric value: x"),
        ({"M": {"": {"S": "x"}}}, "name of an attribute must have 1 to"),
        ({"S": "x" * LARGEST_ITEM}, "Item size has exceeded the maximum allowed size"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_value_is_refused(value: Any, words: str) -> None:
    assert words in refusal(x=value)


def test_a_value_has_at_most_32_levels() -> None:
    def nested(levels: int) -> Json:
        return {"L": [nested(levels - 1)]} if levels > 1 else {"S": "leaf"}

    SCHEMA.read(KEY | {"x": nested(32)})
    assert "Nesting Levels have exceeded supported limits" in refusal(x=nested(33))


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"number": {"N": "1"}}, "Missing the key customer in the item"),
        ({"customer": {"S": "Ada"}}, "Missing the key number in the item"),
        (KEY | {"customer": {"N": "1"}}, "Type mismatch for key customer expected: S actual: N"),
        (KEY | {"customer": {"S": ""}}, "cannot contain an empty string value. Key: customer"),
        (KEY | {"customer": {"S": "x" * 2049}}, "hashkey has exceeded the maximum size limit of2048 bytes"),
        (KEY | {"day": {"N": "1"}}, "Type mismatch for Index Key day Expected: S Actual: N IndexName: by-day"),
        (KEY | {"day": {"NULL": True}}, "Type mismatch for Index Key day Expected: S Actual: NULL IndexName: by-day"),
        (KEY | {"photo": {"B": ""}}, "empty binary value. IndexName: by-photo, IndexKey: photo"),
        (["customer"], "An item must be a map of attributes"),
    ],
)
def test_keys_of_the_table_and_of_indexes_must_fit(attributes: Any, words: str) -> None:
    with pytest.raises(ItemError, match=words):
        SCHEMA.read(attributes)


def test_a_binary_key_is_kept_as_bytes() -> None:
    item = SCHEMA.read(KEY | {"photo": {"B": base64.b64encode(b"\x00\xff").decode()}}).item
    assert item.attrs["photo"].value == b"\x00\xff"


def test_an_index_takes_the_items_that_have_its_keys_with_what_it_projects() -> None:
    plain = SCHEMA.read(KEY | {"price": {"N": "1"}, "note": {"S": "abc"}})
    assert plain.indexes == {}
    both = SCHEMA.read(KEY | {"price": {"N": "1"}, "note": {"S": "abc"}, "day": {"S": "d"}, "photo": {"B": "AA=="}})
    note_and_day = len("note") + 3 + len("day") + 1
    assert both.indexes == {"by-day": both.size, "by-photo": both.size - note_and_day}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20), max_value=10**20))
def test_every_number_of_38_digits_is_taken(number: Any) -> None:
    assert SCHEMA.read(KEY | {"x": {"N": str(number)}}).item.attrs["x"].value == str(number)
