"""Imports: new tables with the items of objects in S3.

moto gap: it reads JSON only, all of an object at once, and takes what does not fit the keys of indexes. It forgets
what was asked for and when, lists no imports, knows no tokens, logs no errors, and lets everybody read every bucket.
A table that is being imported can be written to.

Here a table exists when its import has ended.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Validation.html and, for what it
leaves open, https://github.com/scylladb/scylladb/blob/master/test/alternator/test_import.py, whose tests pass on AWS.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import (
    ERROR_TYPE_PREFIX,
    DynamodbException,
    MockValidationException,
    ResourceInUseException,
)
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from localcloud.access import callers, service_calls
from localcloud.access.actions.derivation import Call
from localcloud.access.callers import Caller
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import add, replace, wrap
from localcloud.services.dynamodb import item_files
from localcloud.services.dynamodb.item_files import SERVICE, Rejected, Source, SourceError
from localcloud.services.dynamodb.items import Schema, store
from localcloud.services.dynamodb.tables import TableState

Json = dict[str, Any]
TOKEN_SECONDS = 8 * 3600
LISTED_SECONDS = 90 * 86_400
PAGE = 25
GROUP = "/aws-dynamodb/imports"
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"
IMPORT_ARN = re.compile(r"arn:aws:dynamodb:[a-z0-9-]+:\d{12}:table/[a-zA-Z0-9_.-]{3,255}/import/\d{14}-[0-9a-f]{8}")
SOME_FAILED = (
    "Some of the items failed validation checks and were not imported. Please check CloudWatch error logs for more "
    "details."
)


@dataclass
class Import:
    """An import: its request, and how it ended.

    Attributes:
        until: When its token is forgotten, by the monotonic clock.
        read: The bytes of its objects, without compression.
    """

    arn: str
    table_id: str
    request: Json
    until: float
    status: str = "IN_PROGRESS"
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    end: datetime | None = None
    imported: int = 0
    failed: int = 0
    read: int = 0
    code: str | None = None
    message: str | None = None

    @property
    def table_name(self) -> str:
        """The name of the new table."""
        return str(self.request["TableCreationParameters"]["TableName"])

    @property
    def table_arn(self) -> str:
        """The ARN of the new table."""
        return self.arn.rpartition("/import/")[0]

    @property
    def identifier(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2]

    def summary(self) -> Json:
        """Return what a list tells of it."""
        return {
            "ImportArn": self.arn,
            "ImportStatus": self.status,
            "TableArn": self.table_arn,
            "S3BucketSource": self.request["S3BucketSource"],
            "CloudWatchLogGroupArn": GROUP_ARN,
            "InputFormat": self.request["InputFormat"],
            "StartTime": self.start,
            **({"EndTime": self.end} if self.end else {}),
        }

    def describe(self) -> Json:
        """Return what a description tells of it: of its items only at the end, as AWS does."""
        names = ("ClientToken", "InputFormatOptions", "TableCreationParameters")
        at_the_end = {"ProcessedSizeBytes": self.read if self.end else None}
        optional = at_the_end | {"FailureCode": self.code, "FailureMessage": self.message}
        return self.summary() | {
            **{name: self.request[name] for name in names if name in self.request},
            "TableId": self.table_id,
            "InputCompressionType": self.request.get("InputCompressionType", "NONE"),
            "ProcessedItemCount": self.imported + self.failed if self.end else 0,
            "ImportedItemCount": self.imported if self.end else 0,
            "ErrorCount": self.failed if self.end else 0,
            **{name: value for name, value in optional.items() if value is not None},
        }


@dataclass
class Imports:
    """All imports of the cloud, by their ARNs."""

    imports: dict[str, Import] = field(default_factory=dict)

    def running(self, table_name: str) -> bool:
        """Return whether a table is being imported."""
        return any(entry.table_name == table_name and not entry.end for entry in self.imports.values())

    def of_token(self, token: str) -> Import | None:
        """Return the import that a token has started in the last 8 hours."""
        now = time.monotonic()
        return next(
            (entry for entry in self.imports.values() if entry.request["ClientToken"] == token and now < entry.until),
            None,
        )


@replace(DynamoHandler, "import_table")
def import_table(cloud: Cloud, self: DynamoHandler) -> ActionResult:
    """Check a request, and start its import."""
    request: Json = dict(self.body)
    _check(self, request)
    known, name = cloud.state(Imports), request["TableCreationParameters"]["TableName"]
    if name in self.dynamodb_backend.tables:
        raise ResourceInUseException(f"Table already exists: {name}")
    if earlier := known.of_token(request["ClientToken"]):
        if earlier.table_name != name:
            message = f"Duplicate request: the token has started an import of {earlier.table_name}"
            raise DynamodbException(f"{ERROR_TYPE_PREFIX}ImportConflictException", message)
        return ActionResult({"ImportTableDescription": earlier.describe()})
    _check_name(cloud, name)
    table = _table(request["TableCreationParameters"])
    identifier = f"{time.time_ns() // 10**6:014}-{uuid.uuid4().hex[:8]}"
    until = time.monotonic() + TOKEN_SECONDS
    started = Import(f"{table.table_arn}/import/{identifier}", cloud.state(TableState, table).table_id, request, until)
    known.imports[started.arn] = started
    description = started.describe()
    cloud.background(_run, cloud, started, table, callers.of_key(cloud, self.access_key))
    return ActionResult({"ImportTableDescription": description})


@replace(DynamoHandler, "describe_import")
def describe_import(cloud: Cloud, self: DynamoHandler) -> ActionResult:
    """Describe an import."""
    arn = self.body["ImportArn"]
    if not IMPORT_ARN.fullmatch(arn):
        raise MockValidationException(f"Invalid Import ARN: {arn}")
    described = cloud.state(Imports).imports.get(arn)
    if not described:
        raise DynamodbException(f"{ERROR_TYPE_PREFIX}ImportNotFoundException", f"Import not found: {arn}")
    return ActionResult({"ImportTableDescription": described.describe()})


@add(DynamoHandler, "list_imports")
def list_imports(cloud: Cloud, self: DynamoHandler) -> ActionResult:
    """List the imports of the last 90 days, of all tables or of one, the newest first."""
    table_arn, token, now = self.body.get("TableArn"), self.body.get("NextToken"), datetime.now(UTC)
    imports = [
        entry
        for entry in reversed(cloud.state(Imports).imports.values())
        if table_arn in {None, entry.table_arn} and (now - entry.start).total_seconds() < LISTED_SECONDS
    ]
    start = int(token or "0", 16)
    if token and not 0 < start < len(imports):
        raise MockValidationException("Invalid NextToken: it is not one that a list gave")
    end = start + int(self.body.get("PageSize", PAGE))
    page: Json = {"ImportSummaryList": [entry.summary() for entry in imports[start:end]]}
    return ActionResult(page | ({"NextToken": f"{end:0112x}"} if end < len(imports) else {}))


@wrap(DynamoDBBackend, "create_table", "restore_table_from_backup", "restore_table_to_point_in_time")
def _create(cloud: Cloud, original: Any, self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Any:
    _check_name(cloud, args[0] if args else kwargs["target_table_name"])
    return original(self, *args, **kwargs)


def _check_name(cloud: Cloud, name: str) -> None:
    if cloud.state(Imports).running(name):
        raise ResourceInUseException(f"Table already exists: {name}")


def _check(response: DynamoHandler, request: Json) -> None:
    """Refuse what AWS refuses at once, and what the local cloud cannot do."""
    if not request.get("ClientToken"):
        shown = "null" if request.get("ClientToken") is None else "''"
        problem = f"Value {shown} at 'clientToken' failed to satisfy constraint: Member must not be null"
        raise MockValidationException(f"1 validation error detected: {problem}")
    form, options = request["InputFormat"], request.get("InputFormatOptions", {})
    item_files.refuse_unreadable(form, request.get("InputCompressionType", "NONE"))
    if options.get("Csv") and form != "CSV":
        raise MockValidationException(f"InputFormatOptions: Csv goes with InputFormat CSV, not with {form}")
    creation = request["TableCreationParameters"]
    indexes = creation.get("GlobalSecondaryIndexes")
    if any("WarmThroughput" in index for index in indexes or []):
        raise MockValidationException("WarmThroughput is not supported on Global Secondary Indexes via ImportTable")
    unsupported = [name for name in ("OnDemandThroughput", "VectorIndexes") if name in creation]
    unsupported += [
        "GlobalSecondaryIndexes.OnDemandThroughput" for index in indexes or [] if "OnDemandThroughput" in index
    ]
    if unsupported:
        raise MockValidationException(f"The local cloud imports no table with {unsupported[0]}: leave it out.")
    response._validate_table_creation(  # noqa: SLF001 - what it does for CreateTable
        creation.get("BillingMode", "PROVISIONED"),
        creation.get("ProvisionedThroughput"),
        creation["KeySchema"],
        indexes,
        None,
        creation["AttributeDefinitions"],
        None,
    )


def _table(creation: Json) -> Table:
    """Return the table of a request, which nobody else knows yet."""
    return Table(  # type: ignore[abstract]  # as moto does
        creation["TableName"],
        ACCOUNT,
        REGION,
        schema=creation["KeySchema"],
        attr=creation["AttributeDefinitions"],
        throughput=dict(creation["ProvisionedThroughput"]) if "ProvisionedThroughput" in creation else None,
        billing_mode=creation.get("BillingMode", "PROVISIONED"),
        global_indexes=creation.get("GlobalSecondaryIndexes"),
        sse_specification=dict(creation["SSESpecification"]) if "SSESpecification" in creation else None,
    )


def _run(cloud: Cloud, started: Import, table: Table, caller: Caller | None) -> None:
    """Fill the table, and let others use it, also if the import fails after it has begun."""
    log = Log(cloud, caller, started)
    begun = False
    try:
        log.open()
        source = _source(started.request)
        keys = item_files.objects(cloud, caller, source)
        for batch in item_files.batches(cloud, caller, source, keys, Schema(table)):
            store(cloud, table, batch.items)
            begun = True
            started.imported += len(batch.items)
            started.failed += len(batch.rejected)
            started.read += batch.unpacked
            log.write(batch.rejected)
        begun = True
        if started.failed:
            started.code, started.message = "ItemValidationError", SOME_FAILED
    except SourceError as error:
        started.code, started.message = error.code, error.message
    except Exception as error:  # noqa: BLE001 - an import that nobody ends would be in progress for ever
        started.code, started.message = "InternalServerError", f"{type(error).__name__}: {error}"[:2048]
    with cloud.lock("dynamodb"):
        if begun:
            dynamodb_backends[ACCOUNT][REGION].tables[table.name] = table
        started.status = "FAILED" if started.code else "COMPLETED"
        started.end = datetime.now(UTC)


def _source(request: Json) -> Source:
    place, options = request["S3BucketSource"], request.get("InputFormatOptions", {}).get("Csv", {})
    return Source(
        place["S3Bucket"],
        place.get("S3KeyPrefix", ""),
        place.get("S3BucketOwner", ACCOUNT),
        request["InputFormat"],
        request.get("InputCompressionType", "NONE"),
        options.get("Delimiter", ","),
        tuple(options["HeaderList"]) if "HeaderList" in options else None,
    )


class Log:
    """What an import tells in CloudWatch Logs of the records that are refused.

    Args:
        cloud: The cloud.
        caller: Who started the import, and must be allowed to write to the group.
        started: The import.
    """

    def __init__(self, cloud: Cloud, caller: Caller | None, started: Import) -> None:
        self._cloud, self._caller, self._import = cloud, caller, started
        self._stream = f"{started.identifier}/error"

    def open(self) -> None:
        """Make the group, unless it is there, and the streams.

        Raises:
            SourceError: The caller may not.
        """
        logs = self._cloud.client("logs")
        names = {group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]}
        if GROUP not in names:
            self._check("CreateLogGroup", logGroupName=GROUP)
            with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):  # another import has just made it
                logs.create_log_group(logGroupName=GROUP)
        for stream in (f"{self._import.identifier}/info", self._stream):
            self._check("CreateLogStream", logGroupName=GROUP, logStreamName=stream)
            self._check("PutLogEvents", logGroupName=GROUP, logStreamName=stream)
            logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)

    def write(self, rejected: list[Rejected]) -> None:
        """Tell of records.

        Raises:
            SourceError: The group is gone.
        """
        bucket, now = self._import.request["S3BucketSource"]["S3Bucket"], time.time_ns() // 10**6
        messages = [
            {
                "itemS3Pointer": {"bucket": bucket, "key": record.key, "itemIndex": record.index},
                "importArn": self._import.arn,
                "errorMessages": [record.message],
            }
            for record in rejected
        ]
        if not messages:
            return
        events = [{"timestamp": now, "message": json.dumps(message)} for message in messages]
        try:
            self._cloud.client("logs").put_log_events(logGroupName=GROUP, logStreamName=self._stream, logEvents=events)
        except (ClientError, BotoCoreError) as error:
            raise SourceError("CloudWatchLogsError", f"The errors cannot be logged: {error}") from error

    def _check(self, operation: str, **parameters: str) -> None:
        call = Call("logs", operation, parameters, ACCOUNT, REGION)
        try:
            service_calls.check_session(self._cloud, self._caller, SERVICE, call)
        except PermissionError as error:
            raise SourceError("CloudWatchLogsAccessDenied", str(error)) from error
