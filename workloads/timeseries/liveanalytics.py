"""Timestream for LiveAnalytics: multi-measure records through the write API, questions in its SQL."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import numpy as np
from botocore.config import Config
from botocore.exceptions import ClientError

from contract.errors import InputError
from contract.timeseries import MEASURE_NAME
from workloads.aws import asking_aws
from workloads.timeseries.columns import ROWS_AT_ONCE, Assembly, Columns, Integers
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Aggregation, Column, Description, MetricStore, Period, Written, tidy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from workloads.timeseries.row import Dimensions, Row

RECORDS_PER_REQUEST = 100  # WriteRecords' limit
US_DOLLARS_PER_KIB = 0.50 / 1_000_000
"""Price of a write of 1 KiB in us-east-1 (AWS's price list, 2025)."""
_SIZES = {"DOUBLE": 8, "BIGINT": 8, "BOOLEAN": 1}  # bytes of a value; a text has its own
_CLOSED = (
    "Timestream for LiveAnalytics does not take this account: it has been closed to new customers since 2025-06-20. "
    "Deploy DevOpsMetrics with engine influxdb (cdk deploy DevOpsMetrics -c devops_metrics.engine=influxdb), "
    "which is open to every account. If the account has LiveAnalytics, its role lacks a permission."
)


class _Records(NamedTuple):
    """One request.

    Attributes:
        rows: The rows that it writes.
        body: The records, a JSON array.
        shared: The dimensions that have one value in all the rows.
        size: The bytes that it is metered at.
    """

    rows: Columns
    body: bytes
    shared: dict[str, str]
    size: int


class LiveAnalytics(MetricStore):
    """One table of Timestream for LiveAnalytics.

    Rows are sorted by their dimensions before they are cut into requests, so that what the records of a request share
    travels, and is metered, once.

    Args:
        database: Name of the database.
        table: Name of the table.
        schema: Names of dimensions and measures.
        connections: How many threads may write at once.
    """

    def __init__(self, database: str, table: str, schema: Schema | None = None, connections: int = 8) -> None:
        self.database = database
        self.table = table
        self.schema = schema or Schema()
        config = Config(
            retries={"mode": "adaptive", "max_attempts": 10},  # backs off with jitter, and slows down when throttled
            max_pool_connections=connections,
            connect_timeout=5,
            parameter_validation=False,  # rows are checked when they are read; this halves the time of a request
        )
        self._write: Any = boto3.client("timestream-write", config=config)
        self._query: Any = boto3.client("timestream-query", config=config)
        events = self._write.meta.events
        events.register("provide-client-params.timestream-write.WriteRecords", _keep_records)
        events.register("before-call.timestream-write.WriteRecords", _add_records)

    def write(self, rows: Sequence[Row], version: int) -> Written:
        """Write in requests of 100. Return the rows that Timestream refuses with the reasons."""
        result = Written()
        columns = Columns.holding(rows, self.schema)
        places = sorted(range(len(columns.dimensions)), key=columns.dimensions.__getitem__)
        order = np.argsort(np.argsort(places)[columns.series], kind="stable") if places else columns.series
        ordered = columns.of(order)
        parts = (ordered[at : at + ROWS_AT_ONCE] for at in range(0, len(ordered), ROWS_AT_ONCE))
        for records in itertools.chain.from_iterable(map(self._records, parts)):
            rejected = self._send(records, version)
            result.rejected += [(records.rows[index], reason) for index, reason in rejected.items()]
            result.rows += len(records.rows) - len(rejected)
            result.requests += 1
            result.metered_kib += -(-records.size // 1024)
        return result

    def _send(self, records: _Records, version: int) -> dict[int, str]:
        """Send one request. Return the reasons of refused records by their index.

        Versions are times. If an earlier row has a later one, because the clock of its writer was ahead, the new row is
        sent again with the version after that: the row that is written last counts, whatever the clocks say.
        """
        refused = self._request(records, version)
        behind = [record for record in refused if record.get("ExistingVersion", 0) > version]
        reasons = {record["RecordIndex"]: record["Reason"] for record in refused}
        if behind:
            places = [record["RecordIndex"] for record in behind]
            following = max(record["ExistingVersion"] for record in behind) + 1
            for place in places:
                del reasons[place]
            [again] = self._records(records.rows.of(np.array(places)))
            for record in self._request(again, following):
                reasons[places[record["RecordIndex"]]] = record["Reason"]
        return reasons

    def _request(self, records: _Records, version: int) -> list[dict[str, Any]]:
        """Send one request. Return the records that Timestream refuses."""
        common = {
            "Dimensions": [{"Name": name, "Value": value} for name, value in records.shared.items()],
            "MeasureName": MEASURE_NAME,
            "MeasureValueType": "MULTI",
            "TimeUnit": self.schema.precision,
            "Version": version,
        }
        with self._asking():
            try:
                self._write.write_records(
                    DatabaseName=self.database, TableName=self.table, CommonAttributes=common, Records=records.body
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "RejectedRecordsException":
                    raise
                return list(error.response["RejectedRecords"])  # type: ignore[typeddict-item]
        return []

    def _records(self, rows: Columns) -> Iterator[_Records]:
        """Yield requests of 100 rows. What the records of a request share stands in it once.

        A request is metered by times, names and values, shared ones once.

        Source: Timestream developer guide, "Metering and pricing: writes".
        """
        bodies, sizes = self._measures(rows)
        names = [name.encode() for name in self.schema.dimensions]
        for start in range(0, len(rows), RECORDS_PER_REQUEST):
            request_rows = rows[start : start + RECORDS_PER_REQUEST]
            series = request_rows.series.tolist()
            values = [*zip(*(rows.dimensions[index] for index in dict.fromkeys(series)), strict=True)]
            shared = {at: value[0] for at, value in enumerate(values) if len({*value}) == 1}
            varying = {index: self._varying(rows.dimensions[index], shared) for index in {*series}}
            records = [varying[index] + body for index, body in zip(series, bodies[start:], strict=False)]
            size = len(MEASURE_NAME) + int(sizes[start : start + len(request_rows)].sum())
            size += sum(len(names[at]) + len(value.encode()) for at, value in shared.items())
            for index, count in Counter(series).items():
                pairs = zip(names, rows.dimensions[index], strict=True)
                bytes_of_pairs = [len(name) + len(value.encode()) for name, value in pairs]
                size += count * sum(number for at, number in enumerate(bytes_of_pairs) if at not in shared)
            common = {self.schema.dimensions[at]: value for at, value in shared.items()}
            yield _Records(request_rows, b"[" + b",".join(records) + b"]", common, size)

    def _varying(self, dimensions: Dimensions, shared: Collection[int]) -> bytes:
        """Return the beginning of a record: its dimensions that not all records of the request have."""
        pairs = enumerate(zip(self.schema.dimensions, dimensions, strict=True))
        varying = [{"Name": name, "Value": value} for at, (name, value) in pairs if at not in shared]
        return f'{{"Dimensions":{json.dumps(varying)},'.encode() if varying else b"{"

    def _measures(self, rows: Columns) -> tuple[list[bytes], Integers]:
        """Return each record behind its dimensions, and the bytes that its time and its measures are metered at."""
        text, sizes = Assembly(rows.buffer, len(rows)), np.full(len(rows), 8)
        text.add_text(b'"Time":"')
        text.add_number(rows.times)
        text.add_text(b'","MeasureValues":[')
        begun = np.zeros(len(rows), np.bool_)
        for measure in rows.measures:
            present = measure.cells.length >= 0
            text.add_text(b",", begun & present)
            text.add_text(f'{{"Name":"{measure.name}","Type":"{measure.kind}","Value":"'.encode(), present)
            if measure.kind == "VARCHAR":
                values = [json.dumps(value or "")[1:-1].encode() for value in measure.values(rows.buffer)]
                text.add_choice(values, np.arange(len(rows)))
            else:
                text.add(measure.cells)
            text.add_text(b".0", measure.whole)
            text.add_text(b'"}', present)
            begun |= present
            size = _SIZES.get(measure.kind) or measure.cells.length
            sizes += np.where(present, len(measure.name.encode()) + size, 0)
        text.add_text(b"]}")
        content, ends = text.finish()
        starts = np.concatenate(([0], ends[:-1]))
        return [content[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)], sizes

    def aggregate(self, question: Aggregation, period: Period) -> pd.DataFrame:
        """Ask in SQL, and read every page of the answer."""
        [statement] = self.statements(question, period)
        try:
            rows = list(self.rows(statement))
        except InputError:
            if self.describe().rows:
                raise
            rows = []  # a table that never held a row has no columns to ask for
        return tidy(rows, question)

    def statements(self, question: Aggregation, period: Period) -> list[str]:
        """Return one SELECT."""
        by = [f'"{name}"' for name in question.by]
        window = f"{question.window // timedelta(seconds=1)}s" if question.window else ""
        groups = ([f"bin(time, {window})"] if window else []) + by
        selected = ([f"bin(time, {window}) AS time"] if window else []) + by
        where = (
            f"measure_name = '{MEASURE_NAME}'\n  AND time >= {_moment(period.start)} AND time < {_moment(period.end)}"
        )
        if question.interpolate:
            where += f'\n  AND "{question.columns[0].measure}" IS NOT NULL'
        statement = (
            f"SELECT {', '.join(selected + [_expression(column) for column in question.columns])}\n"
            f'FROM "{self.database}"."{self.table}"\nWHERE {where}{_group(groups)}'
        )
        return [_interpolated(statement, by, question.columns[0].name, window) if question.interpolate else statement]

    def describe(self) -> Description:
        """Count the rows and read the table's retention."""
        with self._asking():
            table = self._write.describe_table(DatabaseName=self.database, TableName=self.table)["Table"]
        retention = table["RetentionProperties"]
        counted = 'SELECT count(*) AS "rows", min(time) AS oldest, max(time) AS newest'
        counts: dict[str, Any] = next(self.rows(f'{counted} FROM "{self.database}"."{self.table}"'))
        memory = retention["MemoryStoreRetentionPeriodInHours"]
        late = table.get("MagneticStoreWriteProperties", {}).get("EnableMagneticStoreWrites")
        return Description(
            engine="Timestream for LiveAnalytics",
            place=f"{self.database}.{self.table}",
            rows=counts["rows"],
            oldest=counts["oldest"],
            newest=counts["newest"],
            retention=timedelta(days=retention["MagneticStoreRetentionPeriodInDays"]),
            notes=(
                f"the memory store keeps {memory} hours",
                "late rows are taken" if late else "late rows are refused",
            ),
        )

    def rows(self, statement: str) -> Iterator[dict[str, object]]:
        """Yield the rows of a SELECT, page by page."""
        with self._asking():
            for page in self._query.get_paginator("query").paginate(QueryString=statement):
                columns = [(column["Name"], column["Type"]["ScalarType"]) for column in page["ColumnInfo"]]
                for row in page["Rows"]:
                    cells = zip(columns, row["Data"], strict=True)
                    yield {name: _value(kind, cell.get("ScalarValue")) for (name, kind), cell in cells}

    def _asking(self) -> AbstractContextManager[None]:
        place = f"Table {self.database}.{self.table}"
        return asking_aws(place, service="Timestream", reasons={"AccessDeniedException": _CLOSED})


def _group(keys: Sequence[str]) -> str:
    return f"\nGROUP BY {', '.join(keys)}" if keys else ""


def _interpolated(statement: str, by: Sequence[str], value: str, window: str) -> str:
    """Return a statement that makes a series of each group's windows, fills it, and splits it into windows again."""
    keys = "".join(f"{key}, " for key in by)
    points = f"interpolate_linear(create_time_series(time, {value}), sequence(min(time), max(time), {window}))"
    return (
        f"WITH windows AS (\n{statement}\n), filled AS (\n"
        f"SELECT {keys}{points} AS points\nFROM windows{_group(by)}\n)\n"
        f"SELECT {keys}time, {value}\nFROM filled\nCROSS JOIN UNNEST(points) AS t (time, {value})"
    )


def _expression(column: Column) -> str:
    measure = f'"{column.measure}"'
    match column.function:
        case "mean":
            value = f"avg({measure})"
        case "sum" | "min" | "max":
            value = f"{column.function}({measure})"
        case "deviation":
            value = f"stddev({measure})"
        case "percentile":  # approx_percentile would be cheaper, and approximate
            rank = f"greatest(1, CAST(floor(count({measure}) * {column.percent}e0 / 100e0 + 0.5e0) AS BIGINT))"
            value = f"element_at(array_sort(array_agg({measure})), {rank})"
        case "count" if column.between:
            low, high = column.between
            value = f"count_if({measure} >= {low} AND {measure} < {high})"
        case "count":
            value = f"count({measure})"
    return f"{value} AS {column.name}"


def _moment(moment: datetime) -> str:
    return f"from_milliseconds({round(moment.timestamp() * 1000)})"


def _keep_records(params: dict[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    """Keep the records, which are JSON, from botocore, which would look at each of their values."""
    context["records"] = params["Records"]
    return {**params, "Records": []}


def _add_records(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Put the records into the request that botocore has made, and not yet signed."""
    body: bytes = params["body"]
    params["body"] = body.replace(b'"Records": []', b'"Records": ' + context["records"])


def _value(kind: str, text: str | None) -> object:
    match kind:
        case _ if text is None:
            return None
        case "DOUBLE":
            return float(text)
        case "BIGINT" | "INTEGER":
            return int(text)
        case "TIMESTAMP":  # nine digits after the point: nanoseconds
            return datetime.fromisoformat(text[:26]).replace(tzinfo=UTC)
    return text
