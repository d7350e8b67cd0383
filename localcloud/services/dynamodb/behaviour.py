"""DynamoDB: a request takes effect as a whole, or not at all.

moto gaps: an update that fails leaves its first half behind; a transaction that fails brings back copies of whole
tables, after its changes may have left through the streams; an item that an update creates enters the stream twice,
and one that a request leaves as it is enters it, too;
PartiQL overwrites where it inserts, updates nothing without an error, and its transactions stop half way; a statement
that it cannot read ends with an error of Python's, and `contains` finds nothing in lists and sets.

Requests follow each other (`isolation`), so a lock is taken here only for threads that write without a request.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    ConditionalCheckFailed,
    DynamodbException,
    MockValidationException,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import StreamShard, Table
from moto.dynamodb.parsing import partiql
from moto.dynamodb.responses import DynamoHandler
from py_partiql_parser._internal.where_parser import WhereClause  # type: ignore[import-untyped]

from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap

Json = dict[str, Any]
Key = tuple[DynamoType, DynamoType | None]
Reason = tuple[str | None, str | None, Json | None]  # code, message and item of a cancelled transaction's reason

WRITES = (
    "put_item", "update_item", "delete_item", "batch_write_item", "transact_write_items", "execute_statement",
    "execute_transaction",
)  # fmt: skip
LARGEST_TRANSACTION = 100
DONE: Reason = (None, None, None)
TOKEN_SECONDS = 600  # how long DynamoDB knows a transaction by its token
#: Texts, names in quotes, parameters, words for values, and numbers of a statement of PartiQL.
LITERAL = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|\?|(?i:\b(?:true|false|null)\b)|(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])""")
#: Texts, the table of a SELECT with its index, and names in quotes that are not arguments of a function.
NAMES = re.compile(r"""'(?:[^']|'')*'|(?i:(\bFROM\s+))"([^"]+)"(?:\."([^"]+)")?|(?<!\()"(\w+)\"""")
#: The statements that a transaction answers.
READING = {"EXISTS", "SELECT"}
WORDS: dict[str, Json] = {"true": {"BOOL": True}, "false": {"BOOL": False}, "null": {"NULL": True}}
NOT_READ = "Statement wasn't well formed, can't be processed: the local cloud cannot read it"


# Errors of PartiQL; `name` is the code by which a batch or a transaction reports them.


class DuplicateItemError(DynamodbException):
    """An INSERT of an item that exists."""

    name = "DuplicateItem"

    def __init__(self) -> None:
        super().__init__(f"{ERROR_TYPE_PREFIX}DuplicateItemException", "Duplicate primary key exists in table")


class StatementConditionError(ConditionalCheckFailed):
    """An UPDATE whose WHERE clause holds for no item."""

    name = "ConditionalCheckFailed"


@dataclass
class Changes:
    """What a request, or a step of it, has changed so far.

    Attributes:
        before: The changed items as they were, None where there was none; by table and key.
        events: What is to enter the streams: the shard, the item before and the item after.
    """

    before: dict[tuple[Table, Key], Item | None] = field(default_factory=dict)
    events: list[tuple[StreamShard, Item | None, Item | None]] = field(default_factory=list)


@dataclass
class Requests:
    """What requests have in progress and have done.

    Attributes:
        open: The changes of the request that has the service to itself, and of the steps within it.
        transactions: Those that succeeded, by their tokens.
    """

    open: list[Changes] = field(default_factory=list)
    transactions: dict[str, Transaction] = field(default_factory=dict)


@contextmanager
def whole(cloud: Cloud) -> Iterator[Changes]:
    """Take all changes back when one fails, and tell the streams of them when none did."""
    with cloud.lock("dynamodb"):
        changes, opened = Changes(), cloud.state(Requests).open
        opened.append(changes)
        try:
            yield changes
        except BaseException:
            for (table, key), item in changes.before.items():
                _set(table, key, item)
            raise
        finally:
            opened.pop()
        if opened:
            opened[-1].before = changes.before | opened[-1].before
            opened[-1].events += changes.events
        else:
            for shard, old, new in changes.events:
                _publish(shard, old, new)


def _set(table: Table, key: Key, item: Item | None) -> None:
    hash_key, range_key = key
    items: dict[Any, Any] = table.items[hash_key] if table.has_range_key else table.items
    place = range_key if table.has_range_key else hash_key
    if item is None:
        items.pop(place, None)
    else:
        items[place] = item


def _key(table: Table, attributes: Json) -> Key | None:
    """Return the key of an item; None where attributes are missing, which moto refuses by name."""
    if not set(table.table_key_attrs) <= attributes.keys():
        return None
    range_key = DynamoType(attributes[table.range_key_attr]) if table.range_key_attr else None
    return DynamoType(attributes[table.hash_key_attr]), range_key


def _remember(cloud: Cloud, table: Table, key: Key | None) -> Item | None:
    """Keep an item as it is, before it changes."""
    item = table.get_item(*key) if key else None
    if key:
        cloud.state(Requests).open[-1].before.setdefault((table, key), item)
    return item


@wrap(Table, "put_item")
def _put_item(cloud: Cloud, original: Any, self: Table, attributes: Json, *args: Any, **kwargs: Any) -> Item:
    with whole(cloud):
        _remember(cloud, self, _key(self, attributes))
        item: Item = original(self, attributes, *args, **kwargs)
        return item


@wrap(Table, "delete_item")
def _delete_item(
    cloud: Cloud, original: Any, self: Table, hash_key: DynamoType, range_key: DynamoType | None
) -> Item | None:
    with whole(cloud):
        _remember(cloud, self, (hash_key, range_key))
        item: Item | None = original(self, hash_key, range_key)
        return item


@wrap(DynamoDBBackend, "update_item")
def _update_item(
    cloud: Cloud, original: Any, self: DynamoDBBackend, table_name: str, key: Json, *args: Any, **kwargs: Any
) -> Item:
    """Update a copy, so that the item before is still there; an item that is new enters the stream once."""
    table = self.get_table(table_name)
    place = _key(table, key)
    with whole(cloud) as changes:
        before = _remember(cloud, table, place)
        if place and before is not None:
            _set(table, place, copy.deepcopy(before))
        item: Item = original(self, table_name, key, *args, **kwargs)
        del changes.events[:-1]
        return item


_publish = StreamShard.add  # moto's own, before it is replaced


@replace(StreamShard, "add")
def _add(cloud: Cloud, self: StreamShard, old: Item | None, new: Item | None) -> None:
    """Keep what will enter a stream until its request has succeeded. An item that stays as it is does not."""
    if old is not None and new is not None and old.to_json() == new.to_json():
        return
    cloud.state(Requests).open[-1].events.append((self, old, new))


@wrap(DynamoHandler, *WRITES)
def _request(cloud: Cloud, original: Callable[[DynamoHandler], ActionResult], self: DynamoHandler) -> ActionResult:
    with whole(cloud):
        return original(self)


# Transactions


@replace(DynamoDBBackend, "transact_write_items")
def _transact_write_items(cloud: Cloud, self: DynamoDBBackend, transact_items: list[dict[str, Json]]) -> None:
    if len(transact_items) > LARGEST_TRANSACTION:
        raise TooManyTransactionsException
    if any(len(item) > 1 for item in transact_items):
        raise TransactWriteSingleOpException
    steps = [(kind, step) for item in transact_items for kind, step in item.items()]
    tables = [self.get_table(step["TableName"]) for _, step in steps]
    keys = [(table, _key(table, _named(step))) for table, (_, step) in zip(tables, steps, strict=True)]
    if len({*keys}) < len(keys):
        raise MultipleTransactionsException
    with whole(cloud):
        _cancel_unless_done([_attempt(self, kind, step) for kind, step in steps])


def _named(step: Json) -> Json:
    """Return what names the item of a transaction's step: its key, or the whole item."""
    attributes: Json = step.get("Key") or step["Item"]
    return attributes


def _attempt(backend: DynamoDBBackend, kind: str, step: Json) -> Reason:
    """Check a step's condition and write; why it cannot be done."""
    name, key = step["TableName"], _named(step)
    names, values = step.get("ExpressionAttributeNames"), step.get("ExpressionAttributeValues")
    current = backend.get_item(name, key)
    if not get_filter_expression(step.get("ConditionExpression"), names, values).expr(current):
        shown = current if step.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else None
        item = shown.to_json()["Attributes"] if shown else None
        return "ConditionalCheckFailed", "The conditional request failed", item
    match kind:
        case "Put":
            backend.put_item(name, key)
        case "Delete":
            backend.delete_item(name, key)
        case "Update":
            backend.update_item(name, key, step["UpdateExpression"], names, values)  # type: ignore[arg-type]
    return DONE


def _cancel_unless_done(reasons: list[Reason]) -> None:
    if any(reason != DONE for reason in reasons):
        raise TransactionCanceledException(reasons)


@dataclass
class Transaction:
    """One that succeeded.

    Attributes:
        until: When its token is forgotten, by the monotonic clock.
        digest: Of the request.
        answer: To the request.
    """

    until: float
    digest: bytes
    result: ActionResult


@wrap(DynamoHandler, "transact_write_items", "execute_transaction")
def _once(cloud: Cloud, original: Callable[[DynamoHandler], ActionResult], self: DynamoHandler) -> ActionResult:
    """Answer a transaction that repeats an earlier one's token without running it again, as SDKs retry failures."""
    now, request = time.monotonic(), dict(self.body)
    transactions = cloud.state(Requests).transactions
    token = request.pop("ClientRequestToken", None)
    digest = hashlib.sha256(repr(request).encode()).digest()
    for name in [name for name, transaction in transactions.items() if transaction.until < now]:
        del transactions[name]
    if previous := transactions.get(token):
        if previous.digest != digest:
            raise DynamodbException(
                f"{ERROR_TYPE_PREFIX}IdempotentParameterMismatchException",
                "DynamoDB rejected the request because you retried a request with a different payload but with an "
                "idempotent token that was already used.",
            )
        return previous.result
    result = original(self)
    if token:
        transactions[token] = Transaction(now + TOKEN_SECONDS, digest, result)
    return result


# PartiQL


def _parameterised(statement: str, values: list[Json]) -> tuple[str, list[Json]]:
    """Return a statement whose numbers, booleans and nulls are parameters, and all parameters in their order.

    moto gap: its parser reads no update with them.
    """
    parameters, remaining = list[Json](), iter(values)

    def replaced(match: re.Match[str]) -> str:
        literal = match[0]
        if literal[0] in "'\"":
            return literal
        if literal == "?":
            parameters.extend(itertools.islice(remaining, 1))
        elif literal.lower() in WORDS:
            parameters.append(WORDS[literal.lower()])
        else:
            parameters.append({"N": literal})
        return "?"

    return LITERAL.sub(replaced, statement), parameters


def _with_plain_names(statement: str) -> str:
    """Return a SELECT with its index in the form that moto knows, and with other names without quotes.

    moto gap: it knows `"table.index"` instead of `"table"."index"`, and finds no attribute whose name is in quotes.
    """

    def replaced(match: re.Match[str]) -> str:
        start, table, index, name = match.groups()
        if start:
            return f'{start}"{table}.{index}"' if index else match[0]
        return name or match[0]

    return NAMES.sub(replaced, statement)


@wrap(partiql, "get_query_metadata", "query")
def _read_statement(original: Any, statement: str, *args: Any) -> Any:
    """Refuse a statement that the parser cannot read: it raises any error, or answers None."""
    if statement.lstrip()[:6].upper() == "UPDATE":
        *tables, values = args or ([],)
        statement, parameters = _parameterised(statement, values or [])
        args = (*tables, parameters) if args else ()
    elif statement.lstrip()[:6].upper() == "SELECT":
        statement = _with_plain_names(statement)
    try:
        answer = original(statement, *args)
    except ServiceException:
        raise
    except Exception as error:
        raise MockValidationException(NOT_READ) from error
    if answer is None:
        raise MockValidationException(NOT_READ)
    return answer


@wrap(WhereClause, "apply")
def _contains(original: Any, self: WhereClause, find_value: Any, row: Any) -> bool:
    """Look for an element of a list or a set, too; an attribute that is not there contains nothing."""
    if self.fn != "contains":
        return bool(original(self, find_value, row))
    [(kind, content)] = (find_value(self.left, row) or {"NULL": True}).items()
    if kind == "L":
        return self.right in content
    if kind in {"SS", "NS", "BS"}:
        return any({kind[0]: element} == self.right for element in content)
    return kind == "S" and self.right.get("S", None) is not None and self.right["S"] in content


@wrap(DynamoDBBackend, "execute_statement")
def _execute_statement(
    cloud: Cloud, _original: Any, self: DynamoDBBackend, statement: str, parameters: list[Json]
) -> list[Json]:
    with whole(cloud) as changes:
        items: list[Json] = _original(self, statement, parameters)
        match statement.split(maxsplit=1)[0].upper():
            case "INSERT" if any(changes.before.values()):
                raise DuplicateItemError
            case "UPDATE" if not changes.before:
                raise StatementConditionError
        return items


@replace(DynamoDBBackend, "execute_transaction")
def _execute_transaction(cloud: Cloud, self: DynamoDBBackend, statements: list[Json]) -> list[Json]:
    responses: list[Json] = []
    reasons: list[Reason] = []
    with whole(cloud):
        for statement in statements:
            try:
                items = self.execute_statement(statement["Statement"], statement.get("Parameters", []))
                if statement["Statement"].split(maxsplit=1)[0].upper() in READING:
                    responses.append({"Item": items[0]} if items else {})
                reasons.append(DONE)
            except (DuplicateItemError, StatementConditionError, MockValidationException) as error:
                reasons.append((getattr(type(error), "name", "ValidationError"), error.message, None))
        _cancel_unless_done(reasons)
    return responses
