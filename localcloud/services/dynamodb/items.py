"""Items as DynamoDB takes them: attribute values are checked and measured, and become items of moto's in one pass.

moto gap: it checks the types of index keys for null only, takes numbers of any length, and measures an item once more
for each of its attributes. It also keeps every item, every copy of one and every record of a stream for ever.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html for
types, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html for limits and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html for sizes.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, cast

from moto.dynamodb.limits import HASH_KEY_MAX_LENGTH, RANGE_KEY_MAX_LENGTH
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import SecondaryIndex, StreamRecord, Table

from localcloud.cloud.context import Cloud
from localcloud.hooks import replace
from localcloud.services.dynamodb import behaviour

LARGEST_ITEM = 400 * 1024
LONGEST_NAME = 64 * 1024
DEEPEST = 32
MOST_DIGITS = 38
LARGEST_EXPONENT, SMALLEST_EXPONENT = 125, -130
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
SETS = {"SS": "string", "NS": "number", "BS": "binary"}
INVALID = "One or more parameter values were invalid: "
NOT_VALID = "One or more parameter values are not valid. "


class ItemError(ValueError):
    """An item that DynamoDB refuses; the message is DynamoDB's where it is known."""


@dataclass(frozen=True)
class Measured:
    """An item with its size.

    Attributes:
        item: moto's.
        size: In bytes, as DynamoDB counts them.
        indexes: The bytes that it takes in each index that has it, by the index's name.
    """

    item: Item
    size: int
    indexes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Index:
    """An index: its name, its keys with their types, and the attributes that it has; None if it has all."""

    name: str
    keys: dict[str, str]
    projected: frozenset[str] | None


class Schema:
    """What the items of a table must have.

    Args:
        table: moto's table.
    """

    def __init__(self, table: Table) -> None:
        self.types = {definition["AttributeName"]: definition["AttributeType"] for definition in table.attr}
        self._hash_key, self._range_key = table.hash_key_attr, table.range_key_attr
        self._keys = {name: self.types[name] for name in table.table_key_attrs}
        self._indexes = [self._index(table, index) for index in [*table.indexes, *table.global_indexes]]

    def _index(self, table: Table, index: SecondaryIndex) -> _Index:
        keys = {name: self.types[name] for name in index.schema_key_attrs}
        kind = index.projection.get("ProjectionType", "ALL")
        others = index.projection.get("NonKeyAttributes", []) if kind == "INCLUDE" else []
        return _Index(index.name, keys, None if kind == "ALL" else frozenset([*keys, *table.table_key_attrs, *others]))

    def read(self, attributes: Any) -> Measured:
        """Return an item.

        Args:
            attributes: The values of its attributes as JSON has them, by their names.

        Raises:
            ItemError: DynamoDB refuses it.
        """
        if not isinstance(attributes, dict):
            raise ItemError(f"{INVALID}An item must be a map of attributes")
        sizes, values = dict[str, int](), LimitedSizeDict.__new__(LimitedSizeDict)
        for name, content in attributes.items():
            value, size = _read(content, 1)
            sizes[name] = size + _length_of_name(name)
            dict.__setitem__(values, name, value)
        self._check_keys(values, sizes)
        total = sum(sizes.values())
        if total > LARGEST_ITEM:
            raise ItemError("Item size has exceeded the maximum allowed size")
        item: Item = object.__new__(Item)
        item.hash_key = values[self._hash_key]
        item.range_key = values[self._range_key] if self._range_key else None
        item.attrs = values
        return Measured(item, total, self._in_indexes(sizes, total) if self._indexes else {})

    def _check_keys(self, values: Mapping[str, DynamoType], sizes: Mapping[str, int]) -> None:
        for name, kind in self._keys.items():
            value = values.get(name)
            if value is None:
                raise ItemError(f"{INVALID}Missing the key {name} in the item")
            if value.type != kind:
                raise ItemError(f"{INVALID}Type mismatch for key {name} expected: {kind} actual: {value.type}")
            if not value.value:
                empty = f"The AttributeValue for a key attribute cannot contain an empty {_called(kind)} value"
                raise ItemError(f"{NOT_VALID}{empty}. Key: {name}")
        lengths = {name: sizes[name] - _length_of_name(name) for name in self._keys}
        if lengths[self._hash_key] > HASH_KEY_MAX_LENGTH:
            limit = f"{HASH_KEY_MAX_LENGTH} bytes"
            raise ItemError(f"{INVALID}Size of hashkey has exceeded the maximum size limit of{limit}")
        if self._range_key and lengths[self._range_key] > RANGE_KEY_MAX_LENGTH:
            limit = f"{RANGE_KEY_MAX_LENGTH} bytes"
            raise ItemError(f"{INVALID}Aggregated size of all range keys has exceeded the size limit of {limit}")
        for index in self._indexes:
            for name, kind in index.keys.items():
                if (value := values.get(name)) is not None:
                    _check_index_key(index.name, name, kind, value)

    def _in_indexes(self, sizes: Mapping[str, int], total: int) -> dict[str, int]:
        """Return the sizes that an item has in the indexes that take it: those of whose keys it has all."""
        return {
            index.name: total
            if index.projected is None
            else sum(size for name, size in sizes.items() if name in index.projected)
            for index in self._indexes
            if index.keys.keys() <= sizes.keys()
        }


@replace(Item, "__new__")
def _new_item(kind: type[Item], *_args: Any, **_kwargs: Any) -> Item:
    return object.__new__(kind)


@replace(StreamRecord, "__new__")
def _new_record(kind: type[StreamRecord], *_args: Any, **_kwargs: Any) -> StreamRecord:
    return object.__new__(kind)


def store(cloud: Cloud, table: Table, items: Iterable[Measured]) -> None:
    """Put items into a table, without another request in between; items with the same keys are replaced."""
    with behaviour.whole(cloud):
        for measured in items:
            item = measured.item
            before = table.get_item(item.hash_key, item.range_key)
            if item.range_key is None:
                table.items[item.hash_key] = cast("Any", item)
            else:
                table.items[item.hash_key][item.range_key] = item
            if table.stream_shard is not None:
                table.stream_shard.add(before, item)


def _check_index_key(index: str, name: str, kind: str, value: DynamoType) -> None:
    if value.type != kind:
        mismatch = f"Type mismatch for Index Key {name} Expected: {kind} Actual: {value.type} IndexName: {index}"
        raise ItemError(f"{INVALID}{mismatch}")
    if not value.value:
        raise ItemError(
            f"{NOT_VALID}A value specified for a secondary index key is not supported. The AttributeValue for a key "
            f"attribute cannot contain an empty {_called(kind)} value. IndexName: {index}, IndexKey: {name}"
        )


def _called(kind: str) -> str:
    return {"S": "string", "B": "binary"}.get(kind, "number")


@lru_cache(1024)
def _length_of_name(name: str) -> int:
    length = _length(name)
    if not 0 < length < LONGEST_NAME:
        raise ItemError(f"{INVALID}The name of an attribute must have 1 to {LONGEST_NAME - 1} bytes, not {length}")
    return length


def _read(content: Any, depth: int) -> tuple[DynamoType, int]:
    """Return an attribute value with its size in bytes."""
    if not isinstance(content, dict) or len(content) != 1:
        count = "more than one datatypes set" if isinstance(content, dict) and content else "is empty"
        problem = f"Supplied AttributeValue {'has ' if content else ''}{count}"
        raise ItemError(f"{problem}, must contain exactly one of the supported datatypes")
    [(kind, plain)] = content.items()
    reader = _READERS.get(kind)
    if not reader:
        raise ItemError(f"{INVALID}There is no data type {kind!s:.80}")
    value = DynamoType.__new__(DynamoType)
    value.type = kind
    value.value, size = reader(plain, depth)
    return value, size


def _text(plain: Any, _depth: int) -> tuple[str, int]:
    return plain, _length(plain)


def _number(plain: Any, _depth: int) -> tuple[str, int]:
    return plain, _length_of_number(plain)


def _boolean(plain: Any, _depth: int) -> tuple[bool, int]:
    if not isinstance(plain, bool):
        raise ItemError(f"A value of type BOOL must be true or false, not {plain!r:.80}")
    return plain, 1


def _null(plain: Any, _depth: int) -> tuple[bool, int]:
    if plain is not True:
        raise ItemError(f"{INVALID}Null attribute value types must have the value of true")
    return True, 1


def _bytes(plain: Any, _depth: int) -> tuple[bytes, int]:
    content = _binary(plain)
    return content, len(content)


def _length(text: Any) -> int:
    if not isinstance(text, str):
        raise ItemError(f"A value of type S must be a text, not {text!r:.80}")
    try:
        return len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise ItemError("A value of type S must be a text of Unicode, without half of a surrogate pair") from error


def _length_of_number(text: Any) -> int:
    """Return the size of a number: a byte for two significant digits, one more, and one for a minus."""
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        raise ItemError(f"The parameter cannot be converted to a numeric value: {text!s:.80}")
    number = Decimal(text)
    digits = len(text.strip("0")) if text.isdecimal() else len("".join(map(str, number.as_tuple().digits)).strip("0"))
    if number and number.adjusted() > LARGEST_EXPONENT:
        raise ItemError("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if number and number.adjusted() < SMALLEST_EXPONENT:
        raise ItemError("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    if digits > MOST_DIGITS:
        raise ItemError(f"Attempting to store more than {MOST_DIGITS} significant digits in a Number")
    return (digits + 1) // 2 + 1 + (number < 0)


def _binary(text: Any) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ItemError(f"A value of type B must be a text in Base64, not {text!r:.80}") from error


def _set(kind: str, plain: Any, _depth: int) -> tuple[list[Any], int]:
    members: list[Any] = _members(kind, plain)
    if not members:
        raise ItemError(f"{INVALID}An {SETS[kind]} set  may not be empty")
    read: list[Any] = [_binary(member) for member in members] if kind == "BS" else members
    size = sum(map(len, read)) if kind == "BS" else sum(map(_length if kind == "SS" else _length_of_number, read))
    distinct: Iterable[Any] = map(Decimal, read) if kind == "NS" else read
    if len({*distinct}) < len(read):
        raise ItemError(f"{INVALID}Input collection [{', '.join(map(str, members))}] contains duplicates.")
    return read, size


def _list(plain: Any, depth: int) -> tuple[list[DynamoType], int]:
    read = [_read(member, _below(depth)) for member in _members("L", plain)]
    return [value for value, _ in read], 3 + sum(size + 1 for _, size in read)


def _members(kind: str, plain: Any) -> list[Any]:
    if not isinstance(plain, list):
        raise ItemError(f"A value of type {kind} must be a list, not {plain!r:.80}")
    return plain


def _map(plain: Any, depth: int) -> tuple[dict[str, DynamoType], int]:
    if not isinstance(plain, dict):
        raise ItemError(f"A value of type M must be an object, not {plain!r:.80}")
    read = {name: _read(member, _below(depth)) for name, member in plain.items()}
    size = 3 + sum(_length_of_name(name) + size + 1 for name, (_, size) in read.items())
    return {name: value for name, (value, _) in read.items()}, size


def _below(depth: int) -> int:
    if depth == DEEPEST:
        raise ItemError(f"Nesting Levels have exceeded supported limits: an item has at most {DEEPEST} levels")
    return depth + 1


#: What reads the content of each data type: the value as moto keeps it, with its size in bytes.
_READERS: dict[str, Callable[[Any, int], tuple[Any, int]]] = {
    "S": _text,
    "N": _number,
    "B": _bytes,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
    **{kind: partial(_set, kind) for kind in SETS},
}
