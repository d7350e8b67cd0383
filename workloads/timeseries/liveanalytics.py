"""Timestream for LiveAnalytics: multi-measure records through the write API, questions in its SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from contract.errors import InputError
from contract.timeseries import MEASURE_NAME
from workloads.aws import asking_aws
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Aggregation, Column, Description, MetricStore, Period, Written, tidy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from workloads.timeseries.row import Row

RECORDS_PER_REQUEST = 100  # WriteRecords' limit
US_DOLLARS_PER_KIB = 0.50 / 1_000_000
"""Price of a write of 1 KiB in us-east-1 (AWS's price list, 2025)."""
_SIZES = {"DOUBLE": 8, "BIGINT": 8, "BOOLEAN": 1}  # bytes of a value; a text has its own
_CLOSED = (
    "Timestream for LiveAnalytics does not take this account: it has been closed to new customers since 2025-06-20. "
    "Deploy DevOpsMetrics with engine influxdb (cdk deploy DevOpsMetrics -c devops_metrics.engine=influxdb), "
    "which is open to every account. If the account has LiveAnalytics, its role lacks a permission."
)


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
        self._types = dict(self.schema.measures)
        names = ([name, kind] for name, kind in self._types.items())
        self._name_sizes = {name: len(name.encode()) + _SIZES.get(kind, 0) for name, kind in names}

    def write(self, rows: Sequence[Row], version: int) -> Written:
        """Write in requests of 100. Return the rows that Timestream refuses with the reasons."""
        result = Written()
        ordered = sorted(rows, key=lambda row: row.dimensions)
        for start in range(0, len(ordered), RECORDS_PER_REQUEST):
            batch = ordered[start : start + RECORDS_PER_REQUEST]
            rejected = self._send(batch, version)
            result.rejected += [(batch[index], reason) for index, reason in rejected.items()]
            result.rows += len(batch) - len(rejected)
            result.requests += 1
            result.metered_kib += self._kib(batch)
        return result

    def _send(self, rows: Sequence[Row], version: int) -> dict[int, str]:
        """Send one request. Return the reasons of refused records by their index."""
        shared = self._shared(rows)
        common = {
            "Dimensions": [{"Name": self.schema.dimensions[at], "Value": rows[0].dimensions[at]} for at in shared],
            "MeasureName": MEASURE_NAME,
            "MeasureValueType": "MULTI",
            "TimeUnit": self.schema.precision,
            "Version": version,
        }
        varying = [(at, name) for at, name in enumerate(self.schema.dimensions) if at not in shared]
        records = [self._record(row, varying) for row in rows]
        with self._asking():
            try:
                self._write.write_records(
                    DatabaseName=self.database, TableName=self.table, CommonAttributes=common, Records=records
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "RejectedRecordsException":
                    raise
                refused = error.response["RejectedRecords"]  # type: ignore[typeddict-item]
                return {record["RecordIndex"]: record["Reason"] for record in refused}
        return {}

    def _shared(self, rows: Sequence[Row]) -> list[int]:
        """Return the positions of the dimensions that have one value in all the rows."""
        first = rows[0].dimensions
        return [at for at in range(len(first)) if all(row.dimensions[at] == first[at] for row in rows)]

    def _record(self, row: Row, varying: Sequence[tuple[int, str]]) -> dict[str, Any]:
        values = [
            {"Name": name, "Value": _text(value), "Type": kind}
            for (name, kind), value in zip(self._types.items(), row.measures, strict=True)
            if value is not None
        ]
        record: dict[str, Any] = {"Time": str(row.time), "MeasureValues": values}
        if varying:
            record["Dimensions"] = [{"Name": name, "Value": row.dimensions[at]} for at, name in varying]
        return record

    def _kib(self, rows: Sequence[Row]) -> int:
        """Return the size that a request is metered at, rounded up to KiB: times, names and values, shared ones once.

        Source: Timestream developer guide, "Metering and pricing: writes".
        """
        shared = self._shared(rows)
        pairs = list(zip(self.schema.dimensions, rows[0].dimensions, strict=True))
        size = sum(len(name.encode()) + len(value.encode()) for name, value in (pairs[at] for at in shared))
        size += len(MEASURE_NAME)
        for row in rows:
            size += 8
            for at, name in enumerate(self.schema.dimensions):
                if at not in shared:
                    size += len(name.encode()) + len(row.dimensions[at].encode())
            for name, value in zip(self._types, row.measures, strict=True):
                if value is not None:
                    size += self._name_sizes[name] + (len(value.encode()) if isinstance(value, str) else 0)
        return -(-size // 1024)

    def aggregate(self, question: Aggregation, period: Period) -> pd.DataFrame:
        """Ask in SQL, and read every page of the answer."""
        [statement] = self.statements(question, period)
        try:
            rows = list(self._rows(statement))
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
        counts: dict[str, Any] = next(self._rows(f'{counted} FROM "{self.database}"."{self.table}"'))
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

    def _rows(self, statement: str) -> Iterator[dict[str, object]]:
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
        case "sum":
            value = f"sum({measure})"
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


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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
