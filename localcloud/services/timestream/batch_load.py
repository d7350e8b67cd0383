"""Batch load tasks of Timestream for LiveAnalytics: CSV files of S3 into a table, and reports on what it refuses.

moto gap: it has none of these operations.

What a task does is written from AWS's pages; what they leave open was decided here. The reasons of records that cannot
be parsed, and the key of a report below its prefix and the task's id, are ours.
Source: https://docs.aws.amazon.com/timestream/latest/developerguide/batch-load.html
"""

from __future__ import annotations

import csv
import io
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import JsonRESTError
from moto.timestreamwrite.responses import TimestreamWriteResponse

from localcloud.cloud.context import Cloud
from localcloud.hooks import add
from localcloud.services.timestream.behaviour import RefusedError, Store, table

Json = dict[str, Any]
RESUMABLE_SECONDS = 86_400
PAGE = 100


@dataclass
class Progress:
    """What `DescribeBatchLoadTask` counts."""

    processed: int = 0
    ingested: int = 0
    parse_failures: int = 0
    ingestion_failures: int = 0
    file_failures: int = 0
    metered: int = 0

    def describe(self) -> Json:
        """Return the counts by their names in the API."""
        return {
            "RecordsProcessed": self.processed,
            "RecordsIngested": self.ingested,
            "ParseFailures": self.parse_failures,
            "RecordIngestionFailures": self.ingestion_failures,
            "FileFailures": self.file_failures,
            "BytesMetered": self.metered,
        }


@dataclass
class Task:
    """A task: its request, and how far it is.

    Attributes:
        done: The keys of files that are done, so that a task that is resumed leaves them out.
        errors: Reasons, with the lines that have them, by the file.
    """

    identifier: str
    request: Json
    model: Json
    status: str = "CREATED"
    message: str = ""
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    resumable: float | None = None
    progress: Progress = field(default_factory=Progress)
    done: set[str] = field(default_factory=set)
    errors: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def enter(self, status: str, message: str = "") -> None:
        """Change the state."""
        self.status, self.message, self.updated = status, message, time.time()
        self.resumable = self.updated + RESUMABLE_SECONDS if status == "PROGRESS_STOPPED" else None

    def summary(self) -> Json:
        """Return what a list tells of it."""
        summary = {"TaskId": self.identifier, "TaskStatus": self.status, "CreationTime": self.created}
        summary |= {"DatabaseName": self.request["TargetDatabaseName"], "TableName": self.request["TargetTableName"]}
        return summary | self._times()

    def describe(self) -> Json:
        """Return what a description tells of it."""
        names = ("DataSourceConfiguration", "ReportConfiguration", "TargetDatabaseName", "TargetTableName")
        description = {"TaskId": self.identifier, "TaskStatus": self.status, "CreationTime": self.created}
        description |= {name: self.request[name] for name in names}
        description["DataModelConfiguration"] = self.request.get("DataModelConfiguration", {})
        description |= {"RecordVersion": self.request.get("RecordVersion", 1)}
        description |= {"ProgressReport": self.progress.describe()}
        if self.message:
            description["ErrorMessage"] = self.message
        return description | self._times()

    def _times(self) -> Json:
        return {"LastUpdatedTime": self.updated} | ({"ResumableUntil": self.resumable} if self.resumable else {})


@dataclass
class Tasks:
    """All tasks of the cloud, by id, and the ids of requests by their tokens."""

    tasks: dict[str, Task] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


@add(TimestreamWriteResponse, "create_batch_load_task")
def create_batch_load_task(cloud: Cloud, response: TimestreamWriteResponse) -> str:
    """Check a request, and start its task."""
    request: Json = json.loads(response.body)
    known, token = cloud.state(Tasks), request.pop("ClientToken", None)
    if token in known.tokens:
        task = known.tasks[known.tokens[token]]
        if task.request != request:
            raise JsonRESTError("ConflictException", "The client token was used for a task with other parameters.")
        return json.dumps({"TaskId": task.identifier})
    table(cloud, request["TargetDatabaseName"], request["TargetTableName"])
    _check_places(cloud, request)
    task = Task(uuid.uuid4().hex.upper(), request, _model(cloud, request.get("DataModelConfiguration", {})))
    known.tasks[task.identifier] = task
    if token:
        known.tokens[token] = task.identifier
    cloud.background(_run, cloud, task)
    return json.dumps({"TaskId": task.identifier})


@add(TimestreamWriteResponse, "describe_batch_load_task")
def describe_batch_load_task(cloud: Cloud, response: TimestreamWriteResponse) -> str:
    """Describe a task."""
    return json.dumps({"BatchLoadTaskDescription": _find(cloud, response).describe()})


@add(TimestreamWriteResponse, "list_batch_load_tasks")
def list_batch_load_tasks(cloud: Cloud, response: TimestreamWriteResponse) -> str:
    """List tasks, the newest first."""
    request = json.loads(response.body)
    wanted, start = request.get("TaskStatus"), request.get("NextToken", "0")
    if not str(start).isdecimal():
        raise _invalid("NextToken is not one that a list gave.")
    tasks = [task for task in reversed(cloud.state(Tasks).tasks.values()) if wanted in {None, task.status}]
    end = int(start) + int(request.get("MaxResults", PAGE))
    page: Json = {"BatchLoadTasks": [task.summary() for task in tasks[int(start) : end]]}
    return json.dumps(page | ({"NextToken": str(end)} if end < len(tasks) else {}))


@add(TimestreamWriteResponse, "resume_batch_load_task")
def resume_batch_load_task(cloud: Cloud, response: TimestreamWriteResponse) -> str:
    """Go on with a task that has stopped, until it can no longer be resumed."""
    task = _find(cloud, response)
    if task.status != "PROGRESS_STOPPED" or (task.resumable or 0) < time.time():
        raise _invalid(f"The task {task.identifier} is {task.status}, and only a stopped task can be resumed.")
    task.enter("PENDING_RESUME")
    cloud.background(_run, cloud, task)
    return "{}"


def _find(cloud: Cloud, response: TimestreamWriteResponse) -> Task:
    identifier = json.loads(response.body)["TaskId"]
    task = cloud.state(Tasks).tasks.get(identifier)
    if not task:
        raise JsonRESTError("ResourceNotFoundException", f"The batch load task {identifier} does not exist.")
    return task


def _invalid(message: str) -> JsonRESTError:
    return JsonRESTError("ValidationException", message)


def _check_places(cloud: Cloud, request: Json) -> None:
    """Refuse buckets that are not there, and a report without a place or with half of its encryption."""
    report = request["ReportConfiguration"].get("ReportS3Configuration")
    if not report:
        raise _invalid("ReportConfiguration: ReportS3Configuration is required.")
    if (report.get("EncryptionOption", "SSE_S3") == "SSE_KMS") != ("KmsKeyId" in report):
        raise _invalid("ReportS3Configuration: KmsKeyId goes with the encryption option SSE_KMS, which needs it.")
    source = request["DataSourceConfiguration"]["DataSourceS3Configuration"]
    for place in (source, report):
        try:
            cloud.client("s3").head_bucket(Bucket=place["BucketName"])
        except ClientError as error:
            raise _invalid(f"The bucket {place['BucketName']} does not exist, or is not accessible.") from error


def _model(cloud: Cloud, configuration: Json) -> Json:
    """Return the data model of a request, or of the object that it names."""
    place = configuration.get("DataModelS3Configuration")
    if ("DataModel" in configuration) == bool(place):
        raise _invalid("DataModelConfiguration: Exactly one of DataModel and DataModelS3Configuration is required.")
    model: Json = configuration.get("DataModel", {})
    if place:
        if not {"BucketName", "ObjectKey"} <= place.keys():
            raise _invalid("DataModelS3Configuration: BucketName and ObjectKey are required.")
        try:
            body = cloud.client("s3").get_object(Bucket=place["BucketName"], Key=place["ObjectKey"])["Body"]
            model = json.loads(body.read())
        except (ClientError, ValueError) as error:
            raise _invalid(f"The data model at {place['BucketName']}/{place['ObjectKey']} cannot be read.") from error
    _check_model(model)
    return model


def _check_model(model: Json) -> None:
    if not model.get("TimeColumn"):
        raise _invalid("DataModel: TimeColumn is required.")
    if not all(mapping.get("SourceColumn") for mapping in model.get("DimensionMappings") or [{}]):
        raise _invalid("DataModel: DimensionMappings needs at least one mapping, each with a SourceColumn.")
    multi, mixed = model.get("MultiMeasureMappings"), model.get("MixedMeasureMappings")
    if bool(multi) == bool(mixed):
        raise _invalid("DataModel: Exactly one of MultiMeasureMappings and MixedMeasureMappings is required.")
    named = bool(model.get("MeasureNameColumn"))
    if multi and named == bool(multi.get("TargetMultiMeasureName")):
        raise _invalid("DataModel: Exactly one of MeasureNameColumn and TargetMultiMeasureName is required.")
    if mixed and not named and not all(mapping.get("TargetMeasureName") for mapping in mixed):
        raise _invalid("DataModel: Each mixed measure needs a TargetMeasureName, or all a MeasureNameColumn.")
    names = [mapping.get("DestinationColumn", mapping["SourceColumn"]) for mapping in model["DimensionMappings"]]
    names += [_name(mapping) for mapping in (multi or {}).get("MultiMeasureAttributeMappings", [])]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _invalid(f"DataModel: The target column {twice[0]} is mapped twice.")


def _name(mapping: Mapping[str, str]) -> str:
    return mapping.get("TargetMultiMeasureAttributeName", mapping["SourceColumn"])


def _run(cloud: Cloud, task: Task) -> None:
    """Read every file, keep what the table takes, and report on the rest."""
    task.enter("IN_PROGRESS")
    source = task.request["DataSourceConfiguration"]["DataSourceS3Configuration"]
    try:
        for key in _keys(cloud, source["BucketName"], source.get("ObjectKeyPrefix", "")):
            if key not in task.done:
                body = cloud.client("s3").get_object(Bucket=source["BucketName"], Key=key)["Body"].read()
                _load(cloud, task, key, body)
                task.done.add(key)
        if task.errors:
            _report(cloud, task)
    except (ClientError, BotoCoreError, JsonRESTError) as error:  # a bucket or the table is gone
        task.enter("PROGRESS_STOPPED", str(error)[:2048])
        return
    failed = bool(task.errors)
    task.enter("FAILED" if failed else "SUCCEEDED", "Some records were not ingested; see the report." if failed else "")


def _keys(cloud: Cloud, bucket: str, prefix: str) -> Iterator[str]:
    for page in cloud.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            if not entry["Key"].endswith("/"):
                yield entry["Key"]


def _load(cloud: Cloud, task: Task, key: str, body: bytes) -> None:
    """Keep the rows of one file, the records of a row together."""
    task.progress.metered += len(body)
    try:
        rows = _rows(body.decode("utf-8-sig"), task.request["DataSourceConfiguration"].get("CsvConfiguration", {}))
        header = next(rows, (1, []))[1]
        if missing := [name for name in _columns(task.model) if name not in header]:
            raise ValueError(f"The source column {missing[0]} is not in the header of the file.")  # noqa: TRY301
    except ValueError as error:
        task.progress.file_failures += 1
        task.errors.setdefault(key, {}).setdefault(str(error), []).append(1)
        return
    version = int(task.request.get("RecordVersion", 1))
    null = task.request["DataSourceConfiguration"].get("CsvConfiguration", {}).get("NullValue", "")
    with cloud.state(Store).lock:
        chosen = table(cloud, task.request["TargetDatabaseName"], task.request["TargetTableName"])
        for line, cells in rows:
            try:
                if len(cells) != len(header):
                    raise ValueError(f"The row has {len(cells)} columns, and the header has {len(header)}.")  # noqa: TRY301
                values = {name: cell for name, cell in zip(header, cells, strict=True) if cell != null}
                records = list(_records(task.model, values, version))
            except ValueError as error:
                task.progress.processed += 1
                task.progress.parse_failures += 1
                task.errors.setdefault(key, {}).setdefault(str(error), []).append(line)
                continue
            for record in records:
                task.progress.processed += 1
                try:
                    chosen.put(record)
                    task.progress.ingested += 1
                except RefusedError as error:
                    task.progress.ingestion_failures += 1
                    task.errors.setdefault(key, {}).setdefault(str(error), []).append(line)


def _rows(text: str, dialect: Json) -> Iterator[tuple[int, list[str]]]:
    """Yield lines with their numbers, from 1, in the dialect of a request."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.get("ColumnSeparator", ","),
        quotechar=dialect.get("QuoteChar", '"'),
        escapechar=dialect.get("EscapeChar"),
    )
    trim = dialect.get("TrimWhiteSpace", False)
    line = 1
    for cells in reader:
        if cells:
            yield line, [cell.strip() for cell in cells] if trim else cells
        line = reader.line_num + 1


def _columns(model: Json) -> Iterable[str]:
    """Yield the source columns that a model needs."""
    yield model["TimeColumn"]
    yield from (mapping["SourceColumn"] for mapping in model["DimensionMappings"])
    if model.get("MeasureNameColumn"):
        yield model["MeasureNameColumn"]
    for mapping in (model.get("MultiMeasureMappings") or {}).get("MultiMeasureAttributeMappings", []):
        yield mapping["SourceColumn"]
    for mapping in model.get("MixedMeasureMappings") or []:
        inner = mapping.get("MultiMeasureAttributeMappings", [])
        yield from (attribute["SourceColumn"] for attribute in inner)
        if not inner and "SourceColumn" in mapping:
            yield mapping["SourceColumn"]


def _records(model: Json, values: Mapping[str, str], version: int) -> Iterator[Json]:
    """Yield the records of a row.

    Raises:
        ValueError: The row has no time, no dimension, or no measure.
    """
    moment = values.get(model["TimeColumn"], "")
    if not moment.lstrip("-").isdecimal():
        raise ValueError(f"The time {moment!r} is not a whole number of {model.get('TimeUnit', 'MILLISECONDS')}.")
    dimensions = [
        {"Name": mapping.get("DestinationColumn", mapping["SourceColumn"]), "Value": values[mapping["SourceColumn"]]}
        for mapping in model["DimensionMappings"]
        if values.get(mapping["SourceColumn"])
    ]
    if not dimensions:
        raise ValueError("The row has no value of a dimension.")
    common = {"Time": moment, "TimeUnit": model.get("TimeUnit", "MILLISECONDS"), "Version": version}
    common |= {"Dimensions": dimensions}
    named = values.get(model.get("MeasureNameColumn", ""), "")
    if model.get("MeasureNameColumn") and not named:
        raise ValueError("The row has no measure name.")
    if multi := model.get("MultiMeasureMappings"):
        yield common | _multi(multi.get("TargetMultiMeasureName") or named, multi, values)
        return
    for mapping in model["MixedMeasureMappings"]:
        if named and mapping.get("MeasureName") not in {None, named}:
            continue
        name = mapping.get("TargetMeasureName") or named
        if mapping["MeasureValueType"] == "MULTI":
            yield common | _multi(name, mapping, values)
        elif (value := values.get(mapping.get("SourceColumn", ""))) is not None:
            yield common | {"MeasureName": name, "MeasureValueType": mapping["MeasureValueType"], "MeasureValue": value}


def _multi(name: str, mapping: Json, values: Mapping[str, str]) -> Json:
    measures = [
        {
            "Name": _name(attribute),
            "Type": attribute.get("MeasureValueType", "DOUBLE"),
            "Value": values[attribute["SourceColumn"]],
        }
        for attribute in mapping.get("MultiMeasureAttributeMappings", [])
        if attribute["SourceColumn"] in values
    ]
    if not measures:
        raise ValueError("The row has no value of a measure.")
    return {"MeasureName": name, "MeasureValueType": "MULTI", "MeasureValues": measures}


def _report(cloud: Cloud, task: Task) -> None:
    """Write what was not ingested: reasons by file, with ranges of lines."""
    place = task.request["ReportConfiguration"]["ReportS3Configuration"]
    files = [
        {"fileName": key, "errors": [{"reason": why, "lineRanges": _ranges(lines)} for why, lines in reasons.items()]}
        for key, reasons in task.errors.items()
    ]
    report = {"taskId": task.identifier, "taskErrors": [], "fileErrors": files}
    key = "/".join(filter(None, [place.get("ObjectKeyPrefix", "").strip("/"), task.identifier, "error_report.json"]))
    cloud.client("s3").put_object(Bucket=place["BucketName"], Key=key, Body=json.dumps(report).encode())


def _ranges(lines: Iterable[int]) -> list[list[int]]:
    """Return the first and last lines of runs of lines."""
    ranges: list[list[int]] = []
    for line in sorted(set(lines)):
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ranges
