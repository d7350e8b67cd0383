"""Large files into LiveAnalytics by batch load tasks: AWS reads them from S3, and its report becomes our quarantine.

AWS takes plain CSV files whose times are Unix times of one unit. Any other file is read by `ingest`, which says more of
what is wrong with a line, and finds repeated rows.
Source: https://docs.aws.amazon.com/timestream/latest/developerguide/batch-load.html
"""

from __future__ import annotations

import json
import re
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contract.errors import InputError, UnavailableError, phrase
from contract.timeseries import MEASURE_NAME
from workloads.aws import asking_aws
from workloads.delimited import missing, open_lines, read_sample
from workloads.devops_metrics.ingest import Tally
from workloads.devops_metrics.reader import Fault
from workloads.storage import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.devops_metrics.ingest import Quarantine
    from workloads.devops_metrics.ledger import Ledger
    from workloads.objects import ObjectFile
    from workloads.timeseries.liveanalytics import LiveAnalytics

REPORTS = "loads"
_POLL_SECONDS = 2.0
_UNITS = {10: "SECONDS", 13: "MILLISECONDS", 16: "MICROSECONDS", 19: "NANOSECONDS"}  # digits of a time of this century
_KEY = re.compile(r"[a-zA-Z0-9|!\-_*'()][a-zA-Z0-9!\-_*'()/.]+")  # as CreateBatchLoadTask takes it
_GOES_ON = ("CREATED", "IN_PROGRESS", "PENDING_RESUME")
_FAULTS_AT_ONCE = 1000

Json = dict[str, Any]


class BatchLoad:
    """Loads files of at least some size into one table.

    Args:
        store: The table.
        ledger: Where tasks and reports are kept.
        least_bytes: Size of the smallest file that is loaded so.
    """

    def __init__(self, store: LiveAnalytics, ledger: Ledger, least_bytes: int) -> None:
        self._store, self._ledger, self._least = store, ledger, least_bytes
        self._client: Any = boto3.client(
            "timestream-write", config=Config(retries={"mode": "standard", "max_attempts": 8})
        )

    def model(self, file: ObjectFile) -> Json | None:
        """Return the data model and the dialect of a file that AWS can read; None for any other.

        Raises:
            InputError: The file cannot be read, or its header lacks a column.
        """
        schema = self._ledger.schema
        if file.size < self._least or schema.fixed or not _KEY.fullmatch(file.key):
            return None
        with open_lines(file) as lines:
            if not lines.seekable():  # compressed, or in UTF-16
                return None
        columns = [schema.columns.get(name, name) for name in (schema.time, *schema.dimensions, *schema.measures)]
        sample = read_sample(file, columns)
        positions = schema.positions(sample.header)
        rows = [[cells[at] for at in positions] for _, cells in sample.rows]
        digits = {len(row[0]) if row[0].isdecimal() else 0 for row in rows}
        numbers = [at for at, kind in enumerate(schema.measures.values(), -len(schema.measures)) if kind != "VARCHAR"]
        plain = all(_is_plain(row[at]) for row in rows for at in numbers)
        if Bucket(file.bucket, file.key).begins_another():  # a task loads all keys that begin so
            return None
        if sample.layout.skipped or len(digits) != 1 or not digits <= _UNITS.keys() or not plain:
            return None
        header = [sample.header[at].strip() for at in positions]
        measures = zip(header[-len(schema.measures) :], schema.measures.items(), strict=True)
        dimensions = zip(header[1 : 1 + len(schema.dimensions)], schema.dimensions, strict=True)
        return {
            "separator": sample.layout.separator,
            "model": {
                "TimeColumn": header[0],
                "TimeUnit": _UNITS[digits.pop()],
                "DimensionMappings": [
                    {"SourceColumn": name, "DestinationColumn": target} for name, target in dimensions
                ],
                "MultiMeasureMappings": {
                    "TargetMultiMeasureName": MEASURE_NAME,
                    "MultiMeasureAttributeMappings": [
                        {"SourceColumn": name, "TargetMultiMeasureAttributeName": target, "MeasureValueType": kind}
                        for name, (target, kind) in measures
                    ],
                },
            },
        }

    def load(self, file: ObjectFile, model: Json, quarantine: Quarantine) -> Tally:
        """Load one file, or wait for the task that a run which was killed has left.

        Args:
            file: The file.
            model: What `model` returned of it.
            quarantine: Where the lines go that AWS refuses.

        Raises:
            InputError: AWS cannot read the file, or refuses the task.
            UnavailableError: AWS is not available, or the task has stopped. The same command resumes it.
        """
        began = time.perf_counter()
        kept = self._ledger.task(file)
        task = kept.read().decode() if kept.is_file() else ""
        if not task:
            task = self._create(file, model)
            kept.write(task.encode())
        description = self._wait(task)
        tally = Tally(written=description["ProgressReport"]["RecordsIngested"], requests=1)
        tally.metered_kib = -(-description["ProgressReport"]["BytesMetered"] // 1024)
        if description["TaskStatus"] == "FAILED":
            try:
                refused = self._refused(task, file, description)
            except InputError:
                kept.write(b"")  # the next run loads it again
                raise
            faults = _faults(file, refused)
            while some := list(islice(faults, _FAULTS_AT_ONCE)):
                quarantine.add(some)
                tally.quarantined += len(some)
        tally.lines = tally.written + tally.quarantined
        tally.seconds = time.perf_counter() - began
        return tally

    def _create(self, file: ObjectFile, model: Json) -> str:
        report = {"BucketName": self._ledger.place.bucket, "ObjectKeyPrefix": self._reports.key}
        with asking_aws(file, service="Timestream"):
            created = self._client.create_batch_load_task(
                DataModelConfiguration={"DataModel": model["model"]},
                DataSourceConfiguration={
                    "DataSourceS3Configuration": {"BucketName": file.bucket, "ObjectKeyPrefix": file.key},
                    "CsvConfiguration": {"ColumnSeparator": model["separator"], "TrimWhiteSpace": True},
                    "DataFormat": "CSV",
                },
                ReportConfiguration={"ReportS3Configuration": report},
                TargetDatabaseName=self._store.database,
                TargetTableName=self._store.table,
                RecordVersion=time.time_ns() // 10**6,
            )
        return str(created["TaskId"])

    def _wait(self, task: str) -> Json:
        """Return the description of a task that has ended, and resume it once if it has stopped."""
        resumed = False
        with asking_aws(f"Batch load task {task}", service="Timestream"):
            while True:
                described: Json = self._client.describe_batch_load_task(TaskId=task)["BatchLoadTaskDescription"]
                if described["TaskStatus"] == "PROGRESS_STOPPED":
                    if resumed:
                        message = described.get("ErrorMessage", "")
                        raise UnavailableError(f"Batch load task {task}: The task has stopped: {phrase(message)}.")
                    resumed = True
                    self._client.resume_batch_load_task(TaskId=task)
                elif described["TaskStatus"] not in _GOES_ON:
                    return described
                time.sleep(_POLL_SECONDS)

    @property
    def _reports(self) -> Bucket:
        return self._ledger.place / REPORTS

    def _refused(self, task: str, file: ObjectFile, description: Json) -> list[tuple[int, int, str]]:
        """Return first line, last line and reason of what a report refuses, by line.

        Raises:
            InputError: The task or the whole file failed, or there is no report.
        """
        folder = self._reports / task
        reports = [json.loads((folder / name).read()) for name in folder.names()]
        failed = [str(error) for report in reports for error in report.get("taskErrors", [])]
        errors = [
            (error["lineRanges"], error["reason"])
            for report in reports
            for entry in report.get("fileErrors", [])
            if entry["fileName"] in {file.key, file.key.rpartition("/")[2]}
            for error in entry["errors"]
        ]
        if description["ProgressReport"].get("FileFailures"):
            failed += [reason for _, reason in errors]
        if failed or not errors:
            reason = failed[0] if failed else description.get("ErrorMessage", "AWS gives no reason")
            raise InputError(f"{file}: The batch load task {task} failed: {phrase(reason)}.")
        return sorted((first, last, reason) for ranges, reason in errors for first, last in ranges)


def _faults(file: ObjectFile, refused: list[tuple[int, int, str]]) -> Iterator[Fault]:
    """Yield the lines that a report refuses, with their text; a line that is refused twice comes once."""
    ranges = iter(refused)
    first, last, reason = next(ranges)
    with open_lines(file) as lines:
        for number, raw in enumerate(lines, 1):
            while last < number:
                following = next(ranges, None)
                if following is None:
                    return
                first, last, reason = following
            if first <= number:
                yield Fault(number, reason, raw.decode("utf-8", "backslashreplace").rstrip("\r\n"))


def _is_plain(cell: str) -> bool:
    """Tell whether AWS reads a cell as `ingest` does: a number with a point, true, false, or nothing."""
    if not cell or cell.lower() in {"true", "false"}:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return not missing(cell) and "_" not in cell
