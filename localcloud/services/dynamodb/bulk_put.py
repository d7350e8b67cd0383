"""Bulk operations: items from S3 into a table that is there.

moto gap: it has none of these operations.

What they do is written from botocore's model and from AWS's pages; the room's README lists what these leave open.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.Requesting.html
"""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    DynamodbException,
    MockValidationException,
    ResourceNotFoundException,
)
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from localcloud.access import callers
from localcloud.access.callers import Caller
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import add
from localcloud.services.dynamodb import item_files
from localcloud.services.dynamodb.item_files import Batch, Rejected, Source, SourceError
from localcloud.services.dynamodb.items import Schema, store
from localcloud.services.dynamodb.tables import TableState

Json = dict[str, Any]
TOKEN_SECONDS = 8 * 3600
LISTED_SECONDS = 90 * 86_400
PAGE = 10
#: Of a report: it is written in parts of about this many bytes.
PART = 8 * 1024 * 1024
UNIT = 1024  # the bytes that a write request unit writes
ENCRYPTIONS = {"AES256": "AES256", "KMS": "aws:kms"}
MISMATCH = (
    "DynamoDB rejected the request because you retried a request with a different payload but with an idempotent token "
    "that was already used."
)


@dataclass
class Operation:
    """A bulk operation: its request, and how far it is.

    Attributes:
        total: The bytes of its objects, as soon as they are known.
        usage: The bytes that were put, by the name of the index; the table's are those of the empty name.
    """

    arn: str
    table_id: str
    request: Json
    status: str = "IN_PROGRESS"
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    end: datetime | None = None
    processed: int = 0
    failed: int = 0
    read: int = 0
    total: int | None = None
    usage: Counter[str] = field(default_factory=Counter)
    code: str | None = None
    message: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def identifier(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def table_name(self) -> str:
        """The table's name, whether the request has its name or its ARN."""
        return str(self.request["TableName"]).rpartition("/")[2]

    def finish(self, status: str, code: str | None = None, message: str | None = None) -> None:
        """Enter the last state."""
        self.end, self.code, self.message = datetime.now(UTC), code, message
        self.status = status

    def summary(self) -> Json:
        """Return what a list tells of it."""
        summary = {"BulkOperationArn": self.arn, "BulkOperationStatus": self.status, "StartTime": self.start}
        return summary | ({"EndTime": self.end} if self.end else {})

    def describe(self, table: Table | None) -> Json:
        """Return what a description tells of it.

        Args:
            table: Its table, None if it is gone.
        """
        optional = {"TotalInputBytes": self.total, "FailureCode": self.code, "FailureMessage": self.message}
        optional["MaxWriteRequestUnits"] = self.request.get("MaxWriteRequestUnits")
        description = self.summary() | {name: value for name, value in optional.items() if value is not None}
        names = ("ClientToken", "InputS3Configuration", "OutputS3Configuration")
        return description | {
            **{name: self.request[name] for name in names if name in self.request},
            "TableDetails": [{"TableName": self.table_name, "TableId": self.table_id}],
            "ProcessedItemCount": self.processed,
            "ProcessedInputBytes": self.read,
            "FailedItemCount": self.failed,
            "BulkOperationUsage": [self._usage(table)],
            "PerformanceTier": self.request.get("PerformanceTier", "STANDARD"),
        }

    def _usage(self, table: Table | None) -> Json:
        usage: Json = {"TableName": self.table_name, "BulkPutBytes": self.usage.total()}
        usage["Table"] = {"BulkPutBytes": self.usage[""]}
        local = {index.name for index in table.indexes} if table else set()
        for name, count in self.usage.items():
            if name:
                kind = "LocalSecondaryIndexes" if name in local else "GlobalSecondaryIndexes"
                usage.setdefault(kind, {})[name] = {"BulkPutBytes": count}
        return usage


@dataclass
class Operations:
    """All bulk operations of the cloud, by their ARNs, and those that their tokens still name."""

    operations: dict[str, Operation] = field(default_factory=dict)
    tokens: dict[str, tuple[float, Operation]] = field(default_factory=dict)


@add(DynamoHandler, "start_bulk_put_items")
def start_bulk_put_items(cloud: Cloud, response: DynamoHandler) -> ActionResult:
    """Check a request, and start its operation."""
    request: Json = dict(response.body)
    table = response.dynamodb_backend.get_table(request["TableName"])
    known, now, token = cloud.state(Operations), time.monotonic(), request.get("ClientToken")
    known.tokens = {name: entry for name, entry in known.tokens.items() if entry[0] > now}
    if token in known.tokens:
        operation = known.tokens[token][1]
        if operation.request != request:
            raise DynamodbException(f"{ERROR_TYPE_PREFIX}IdempotentParameterMismatchException", MISMATCH)
        return ActionResult({"BulkOperationDescription": operation.describe(table)})
    source = request["InputS3Configuration"]
    item_files.refuse_unreadable(source["InputFormat"], source.get("InputCompressionType", "NONE"))
    identifier = f"{time.time_ns() // 10**6:014}-{uuid.uuid4().hex[:8]}"
    operation = Operation(
        f"{table.table_arn}/bulk-operation/{identifier}", cloud.state(TableState, table).table_id, request
    )
    known.operations[operation.arn] = operation
    if token:
        known.tokens[token] = (now + TOKEN_SECONDS, operation)
    description = operation.describe(table)
    cloud.background(_run, cloud, operation, table, callers.of_key(cloud, response.access_key))
    return ActionResult({"BulkOperationDescription": description})


@add(DynamoHandler, "describe_bulk_operation")
def describe_bulk_operation(cloud: Cloud, response: DynamoHandler) -> ActionResult:
    """Describe an operation."""
    operation = _find(cloud, response)
    table = response.dynamodb_backend.tables.get(operation.table_name)
    return ActionResult({"BulkOperationDescription": operation.describe(table)})


@add(DynamoHandler, "list_bulk_operations")
def list_bulk_operations(cloud: Cloud, response: DynamoHandler) -> ActionResult:
    """List operations, the newest first."""
    start = int(response.body.get("NextToken", "0"), 16)
    end = start + int(response.body.get("MaxResults", PAGE))
    now = datetime.now(UTC)
    operations = [
        operation
        for operation in reversed(cloud.state(Operations).operations.values())
        if (now - operation.start).total_seconds() < LISTED_SECONDS
    ]
    if start and start >= len(operations):
        raise MockValidationException("NextToken is not one that a list gave.")
    page: Json = {"BulkOperationsSummaryList": [operation.summary() for operation in operations[start:end]]}
    return ActionResult(page | ({"NextToken": f"{end:016x}"} if end < len(operations) else {}))


@add(DynamoHandler, "cancel_bulk_operation")
def cancel_bulk_operation(cloud: Cloud, response: DynamoHandler) -> ActionResult:
    """Stop an operation after the items that it is writing; what is written stays."""
    operation = _find(cloud, response)
    if operation.end:
        message = f"The operation is {operation.status}: only one that is IN_PROGRESS can be cancelled."
        raise MockValidationException(message)
    operation.status = "CANCELLING"
    operation.cancelled.set()
    return ActionResult({"BulkOperationArn": operation.arn, "BulkOperationStatus": "CANCELLING"})


def _find(cloud: Cloud, response: DynamoHandler) -> Operation:
    arn = response.body["BulkOperationArn"]
    operation = cloud.state(Operations).operations.get(arn)
    if not operation:
        raise ResourceNotFoundException(f"Requested resource not found: Bulk operation: {arn} not found")
    return operation


def _run(cloud: Cloud, operation: Operation, table: Table, caller: Caller | None) -> None:
    """Put the items of all objects, and report on what is refused."""
    try:
        _put(cloud, operation, table, caller)
    except SourceError as error:
        operation.finish("FAILED", error.code, error.message)
    except Exception as error:  # noqa: BLE001 - an operation that nobody ends would be in progress for ever
        operation.finish("FAILED", "InternalServerError", f"{type(error).__name__}: {error}"[:2048])


def _put(cloud: Cloud, operation: Operation, table: Table, caller: Caller | None) -> None:
    given = operation.request["InputS3Configuration"]
    source = Source(
        given["S3Bucket"],
        given.get("S3KeyPrefix", ""),
        given.get("S3BucketOwner", ACCOUNT),
        compression=given.get("InputCompressionType", "NONE"),
    )
    keys = item_files.objects(cloud, caller, source)
    _check_sizes([(key.name, key.contentsize) for key in keys])
    operation.total = sum(key.contentsize for key in keys)
    report = Report(cloud, caller, operation)
    report.check()
    units, start = 0, time.monotonic()
    for batch in item_files.batches(cloud, caller, source, keys, Schema(table)):
        if operation.cancelled.is_set():
            break
        with cloud.lock("dynamodb"):
            _check_table(operation, table)
            store(cloud, table, batch.items)
        _count(operation, batch)
        report.add(batch.rejected)
        if limit := operation.request.get("MaxWriteRequestUnits"):
            units += sum(math.ceil(measured.size / UNIT) for measured in batch.items)
            operation.cancelled.wait(max(0.0, units / limit - (time.monotonic() - start)))
    report.finish()
    if operation.cancelled.is_set():
        operation.finish("CANCELLED")
    else:
        operation.finish("COMPLETED_WITH_ERRORS" if operation.failed else "COMPLETED")


def _check_sizes(sizes: list[tuple[str, int]]) -> None:
    """Refuse more, or larger, objects than an operation may have.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.BestPractices.html
    """
    if len(sizes) > item_files.MOST_OBJECTS:
        problem = f"The input has {len(sizes)} objects, and an operation takes {item_files.MOST_OBJECTS}"
        raise SourceError("ValidationException", problem)
    for name, size in sizes:
        if size > item_files.LARGEST_OBJECT:
            problem = f"The object {name} has {size} bytes, and an operation takes {item_files.LARGEST_OBJECT}"
            raise SourceError("ValidationException", problem)


def _check_table(operation: Operation, table: Table) -> None:
    if dynamodb_backends[ACCOUNT][REGION].tables.get(operation.table_name) is not table:
        raise SourceError("ResourceNotFoundException", f"Requested resource not found: Table: {table.name} not found")


def _count(operation: Operation, batch: Batch) -> None:
    operation.processed += len(batch.items) + len(batch.rejected)
    operation.failed += len(batch.rejected)
    operation.read += batch.stored
    operation.usage[""] += sum(measured.size for measured in batch.items)
    for measured in batch.items:
        operation.usage.update(measured.indexes)


class Report:
    """What an operation tells in S3 of the records that are refused.

    The names of its objects, and of what is in them, are ours.

    Args:
        cloud: The cloud.
        caller: Who started the operation, and must be allowed to write the report.
        operation: The operation.
    """

    def __init__(self, cloud: Cloud, caller: Caller | None, operation: Operation) -> None:
        self._cloud, self._caller, self._operation = cloud, caller, operation
        self._place: Json = operation.request["OutputS3Configuration"]
        self._lines: list[bytes] = []
        self._size, self._parts = 0, 0

    def check(self) -> None:
        """Refuse a place to which the caller may not write.

        Raises:
            SourceError: It may not, or the bucket is not there or is another account's.
        """
        self._check(self._key("manifest.json"))

    def add(self, rejected: list[Rejected]) -> None:
        """Tell of records."""
        if "ERROR" not in self._place["OutputType"]:
            return
        bucket = self._operation.request["InputS3Configuration"]["S3Bucket"]
        for record in rejected:
            pointer = {"bucket": bucket, "key": record.key, "itemIndex": record.index}
            told = {"itemS3Pointer": pointer, "errorMessages": [record.message], "record": record.record}
            self._lines.append(json.dumps(told, ensure_ascii=False).encode(errors="replace") + b"\n")
            self._size += len(self._lines[-1])
        if self._size >= PART:
            self._write()

    def finish(self) -> None:
        """Write what is not yet written, and the manifest."""
        if self._lines:
            self._write()
        manifest = {
            "bulkOperationArn": self._operation.arn,
            "processedItemCount": self._operation.processed,
            "failedItemCount": self._operation.failed,
            "errorFiles": [self._key(f"error/{number:05}.json") for number in range(1, self._parts + 1)],
        }
        self._put("manifest.json", json.dumps(manifest).encode())

    def _write(self) -> None:
        self._parts += 1
        self._put(f"error/{self._parts:05}.json", b"".join(self._lines))
        self._lines.clear()
        self._size = 0

    def _put(self, name: str, body: bytes) -> None:
        key = self._key(name)
        parameters = {"Bucket": self._place["S3Bucket"], "Key": key, **self._encryption()}
        self._check(key)
        try:
            self._cloud.client("s3").put_object(Body=body, **parameters)
        except (ClientError, BotoCoreError) as error:
            raise SourceError("S3AccessDenied", f"The report cannot be written: {error}") from error

    def _check(self, key: str) -> None:
        owner = self._place.get("S3BucketOwner", ACCOUNT)
        parameters = {"Bucket": self._place["S3Bucket"], "Key": key, **self._encryption()}
        item_files.check(self._cloud, self._caller, "PutObject", owner, **parameters)

    def _key(self, name: str) -> str:
        prefix = self._place.get("S3KeyPrefix", "").strip("/")
        return "/".join(filter(None, [prefix, "AWSDynamoDB", self._operation.identifier, name]))

    def _encryption(self) -> dict[str, str]:
        algorithm = self._place.get("S3SseAlgorithm")
        parameters = {"ServerSideEncryption": ENCRYPTIONS[algorithm]} if algorithm else {}
        return parameters | ({"SSEKMSKeyId": self._place["S3SseKmsKeyId"]} if algorithm == "KMS" else {})
