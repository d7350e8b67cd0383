# ruff: noqa: S608 - statements name tables and columns that this module made
"""Timestream for LiveAnalytics: what is written through moto's API is kept, and questions are answered by DuckDB.

moto gaps: it drops CommonAttributes, accepts everything, forgets versions, answers no query, and lets a new database
or table replace the one that has its name.
"""

from __future__ import annotations

import functools
import json
import math
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.core.exceptions import JsonRESTError
from moto.timestreamwrite.models import TimestreamTable, TimestreamWriteBackend, timestreamwrite_backends
from moto.timestreamwrite.responses import TimestreamWriteResponse

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.cloudwatch.metrics import measure

if TYPE_CHECKING:
    import duckdb

NANOSECONDS = {"NANOSECONDS": 1, "MICROSECONDS": 10**3, "MILLISECONDS": 10**6, "SECONDS": 10**9}
HOUR, DAY = 3600 * 10**9, 86400 * 10**9
FUTURE = 15 * 60 * 10**9
PAGE = 1000  # rows, when the caller does not say
Record = dict[str, Any]


@dataclass
class Store:
    """What is kept of all tables.

    Attributes:
        lock: Guards the engine.
        pages: What is left of results, by their tokens: the response without rows, and the rows.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    pages: dict[str, tuple[dict[str, Any], list[Any]]] = field(default_factory=dict)

    @functools.cached_property
    def engine(self) -> duckdb.DuckDBPyConnection:
        """DuckDB, made when it is needed: its libraries take a second to import."""
        from localcloud.services.timestream.sql import connect

        return connect()


@dataclass
class TableState:
    """The records of a table; None before it is first used."""

    records: Table | None = None


class RefusedError(ValueError):
    """A record that Timestream rejects: the reason, and the version that stands in its way."""

    def __init__(self, reason: str, existing: int | None = None) -> None:
        super().__init__(reason)
        self.existing = existing


class Table:
    """The records of one table: versions in memory, values in DuckDB (times to the microsecond).

    Attributes:
        name: Its name in DuckDB.
    """

    def __init__(self, engine: duckdb.DuckDBPyConnection, description: TimestreamTable) -> None:
        self._engine = engine
        self.description = weakref.proxy(description)  # which owns these records
        self.name = f"t{uuid.uuid4().hex}"
        self._columns = {"measure_name": "VARCHAR", "time": "TIMESTAMP"}
        self._kept: dict[tuple[Any, ...], tuple[int, int, int]] = {}  # by key: number, version, hash of the values
        self._fresh: dict[int, Record] = {}  # by number: not in DuckDB yet
        engine.execute(f"CREATE TABLE {self.name} (number BIGINT, measure_name VARCHAR, time TIMESTAMP)")

    def horizon(self, store: str) -> int:
        """Return the oldest time that the memory or magnetic store keeps, in nanoseconds."""
        retention = self.description.retention_properties
        span = {
            "memory": int(retention["MemoryStoreRetentionPeriodInHours"]) * HOUR,
            "magnetic": int(retention["MagneticStoreRetentionPeriodInDays"]) * DAY,
        }
        return time.time_ns() - span[store]

    def put(self, record: Record) -> bool:
        """Keep one record; whether it went to the magnetic store.

        Raises:
            RefusedError: Timestream would reject it.
        """
        moment = int(record.get("Time", 0)) * NANOSECONDS[record.get("TimeUnit", "MILLISECONDS")]
        magnetic = moment < self.horizon("memory")
        late = self.description.magnetic_store_write_properties.get("EnableMagneticStoreWrites") in (True, "true")
        if moment > time.time_ns() + FUTURE or (magnetic and not late) or moment < self.horizon("magnetic"):
            store = "magnetic" if late else "memory"
            raise RefusedError(
                f"The record timestamp is outside the time range of the data ingestion window ({store} store)."
            )
        row, types = _row(record)
        if strange := [name for name, kind in types.items() if self._columns.get(name, kind) != kind]:
            raise RefusedError(f"The type of {strange[0]} is {self._columns[strange[0]]} in this table.")
        names = tuple(sorted(dimension["Name"] for dimension in record["Dimensions"]))
        key = (moment, record["MeasureName"], names, tuple(row[name] for name in names))
        version, content = int(record.get("Version", 1)), hash(tuple(row.items()))
        number, existing, before = self._kept.get(key, (len(self._kept), -1, 0))
        if version <= existing and content != before:
            raise RefusedError(f"A higher or equal version {existing} of this record exists already.", existing)
        if version > existing:
            self._add_columns(types)
            self._kept[key] = (number, version, content)
            self._fresh[number] = {**row, "number": number, "measure_name": record["MeasureName"], "time": moment}
        return magnetic

    def _add_columns(self, types: dict[str, str]) -> None:
        for name, kind in types.items():
            if name not in self._columns:
                self._engine.execute(f'ALTER TABLE {self.name} ADD COLUMN "{name}" {kind}')
                self._columns[name] = kind

    def flush(self) -> None:
        """Bring what is fresh into DuckDB, in place of earlier versions."""
        if not self._fresh:
            return
        import pandas as pd

        fresh = pd.DataFrame(list(self._fresh.values()), columns=["number", *self._columns], dtype=object)
        casts = ", ".join(f'"{name}"::{kind} AS "{name}"' for name, kind in self._columns.items() if name != "time")
        engine = self._engine.register("fresh", fresh)
        engine.execute(f"DELETE FROM {self.name} WHERE number IN (SELECT number::BIGINT FROM fresh)")
        engine.execute(
            f"INSERT INTO {self.name} BY NAME "
            f"SELECT number::BIGINT AS number, make_timestamp(time::BIGINT // 1000) AS time, {casts} FROM fresh"
        )
        engine.unregister("fresh")
        self._fresh.clear()


def _row(record: Record) -> tuple[Record, dict[str, str]]:
    """Values and types of a record's columns: dimensions, then measures."""
    row: Record = {}
    types: dict[str, str] = {}
    for dimension in record["Dimensions"]:
        if not dimension["Value"]:
            raise RefusedError(f"The dimension {dimension['Name']} has no value.")
        row[dimension["Name"]], types[dimension["Name"]] = dimension["Value"], "VARCHAR"
    kind = record.get("MeasureValueType", "DOUBLE")
    single = {"Name": f"measure_value::{kind.lower()}", "Value": record.get("MeasureValue"), "Type": kind}
    for column in record.get("MeasureValues", []) if kind == "MULTI" else [single]:
        name, kind = column["Name"], column["Type"]
        if name in row:
            raise RefusedError(f"The name {name} stands twice in the record.")
        row[name], types[name] = _value(name, column["Value"], kind), kind
    return row, types


def _value(name: str, text: str, kind: str) -> Any:
    try:
        match kind:
            case "DOUBLE":
                value = float(text)
                if math.isfinite(value):
                    return value
            case "BIGINT":
                return int(text)
            case "TIMESTAMP":
                return (datetime(1970, 1, 1) + timedelta(milliseconds=int(text))).isoformat()  # noqa: DTZ001 - as DuckDB's
            case "BOOLEAN":
                return {"true": True, "false": False}[text.lower()]
            case _:
                return text
    except (ValueError, KeyError):
        pass
    raise RefusedError(f"The value {text!r} of {name} is not of the type {kind}.")


def table(cloud: Cloud, database: str, name: str) -> Table:
    """Return the table of that name.

    Raises:
        JsonRESTError: There is none.
    """
    description = timestreamwrite_backends[ACCOUNT][REGION].describe_database(database).describe_table(name)
    state = cloud.state(TableState, description)
    state.records = state.records or Table(cloud.state(Store).engine, description)
    return state.records


@wrap(TimestreamWriteBackend, "create_database")
def _create_database(original: Any, self: TimestreamWriteBackend, database_name: str, *args: Any, **kw: Any) -> Any:
    if database_name in self.databases:
        raise JsonRESTError("ConflictException", f"The database {database_name} already exists.")
    return original(self, database_name, *args, **kw)


@wrap(TimestreamWriteBackend, "create_table")
def _create_table(
    original: Any, self: TimestreamWriteBackend, database_name: str, table_name: str, *args: Any, **kw: Any
) -> Any:
    if table_name in self.describe_database(database_name).tables:
        raise JsonRESTError("ConflictException", f"The table {table_name} already exists in database {database_name}.")
    created = original(self, database_name, table_name, *args, **kw)
    created.magnetic_store_write_properties = {
        "EnableMagneticStoreWrites": False,
        **created.magnetic_store_write_properties,
    }
    return created


@wrap(TimestreamTable, "update")
def _update_table(original: Any, self: TimestreamTable, retention_properties: Any, *args: Any, **kwargs: Any) -> None:
    original(self, retention_properties or self.retention_properties, *args, **kwargs)
    if not self.magnetic_store_write_properties.get("EnableMagneticStoreWrites"):  # so none is rejected
        self.magnetic_store_write_properties = {"EnableMagneticStoreWrites": False}


@replace(TimestreamWriteResponse, "write_records")
def _write_records(cloud: Cloud, self: TimestreamWriteResponse) -> Any:
    body = json.loads(self.body)  # once: moto parses it again for every parameter
    records = body["Records"]
    if not 1 <= len(records) <= 100:  # noqa: PLR2004
        raise JsonRESTError("ValidationException", "Records: a request holds 1 to 100 records")
    merged = [_merged(body.get("CommonAttributes", {}), record) for record in records]
    rejected: list[Record] = []
    late: list[Record] = []
    counts = [0, 0]
    with cloud.state(Store).lock:
        chosen = table(cloud, body["DatabaseName"], body["TableName"])
        for index, record in enumerate(merged):
            try:
                counts[chosen.put(record)] += 1
            except RefusedError as error:
                refusal = {"RecordIndex": index, "Reason": str(error)}
                if error.existing is None:
                    rejected.append(refusal)
                else:
                    refusal["ExistingVersion"] = error.existing
                    moment = int(record["Time"]) * NANOSECONDS[record.get("TimeUnit", "MILLISECONDS")]
                    (late if moment < chosen.horizon("memory") else rejected).append(refusal)
    if late:  # the magnetic store tells later, and elsewhere
        cloud.background(_report_late, cloud, chosen.description, late)
    if rejected:
        message = "One or more records have been rejected. See RejectedRecords for details."
        refusal = {"__type": "RejectedRecordsException", "message": message, "RejectedRecords": rejected}
        return 419, {"status": 419}, json.dumps(refusal)
    total = {"Total": sum(counts), "MemoryStore": counts[0], "MagneticStore": counts[1]}
    return json.dumps({"RecordsIngested": total})


def _merged(common: Record, record: Record) -> Record:
    dimensions = [*common.get("Dimensions", []), *record.get("Dimensions", [])]
    names = [dimension["Name"] for dimension in dimensions]
    if twice := (common.keys() & record.keys()) - {"Dimensions"} or len(set(names)) < len(names):
        raise JsonRESTError("ValidationException", f"Common attributes and a record overlap: {twice}")
    return {**common, **record, "Dimensions": dimensions}


def _report_late(cloud: Cloud, description: TimestreamTable, refusals: list[dict[str, Any]]) -> None:
    """Late records are refused after the answer: a report in S3, and a metric."""
    place = description.magnetic_store_write_properties.get("MagneticStoreRejectedDataLocation", {})
    if location := place.get("S3Configuration"):
        key = "/".join(filter(None, [location.get("ObjectKeyPrefix"), description.db_name, description.name]))
        body = "\n".join(map(json.dumps, refusals))
        cloud.client("s3").put_object(Bucket=location["BucketName"], Key=f"{key}/{uuid.uuid4().hex}.json", Body=body)
    dimensions = {"DatabaseName": description.db_name, "TableName": description.name}
    measure("AWS/Timestream", "MagneticStoreRejectedRecordCount", float(len(refusals)), dimensions)


@replace(TimestreamWriteResponse, "query")
def _query(cloud: Cloud, self: TimestreamWriteResponse) -> str:
    store = cloud.state(Store)
    token, limit = self._get_param("NextToken"), int(self._get_param("MaxRows") or PAGE)
    if token:
        if token not in store.pages:
            raise JsonRESTError("ValidationException", "NextToken is not one that this query gave")
        response, rows = store.pages.pop(token)
    else:
        from localcloud.services.timestream.sql import run

        try:
            with store.lock:
                columns, rows = run(
                    store.engine, self._get_param("QueryString"), _catalogue(cloud, self.timestreamwrite_backend)
                )
        except ValueError as error:
            raise JsonRESTError("ValidationException", str(error)[:600]) from error
        status = {"ProgressPercentage": 100.0, "CumulativeBytesScanned": 0, "CumulativeBytesMetered": 10_000_000}
        response = {"QueryId": uuid.uuid4().hex.upper(), "ColumnInfo": columns, "QueryStatus": status}
    page = {**response, "Rows": rows[:limit]}
    if len(rows) > limit:
        page["NextToken"] = uuid.uuid4().hex
        store.pages[page["NextToken"]] = (response, rows[limit:])
    return json.dumps(page)


def _catalogue(cloud: Cloud, backend: TimestreamWriteBackend) -> dict[str, dict[str, Callable[[], str]]]:
    """Return every table, by database and name, as a function that gives a SELECT of what it holds now."""

    def select(database: str, name: str) -> str:
        chosen = table(cloud, database, name)
        chosen.flush()
        oldest = f"make_timestamp({chosen.horizon('magnetic') // 1000})"
        return f"SELECT * EXCLUDE (number) FROM {chosen.name} WHERE time >= {oldest}"

    return {
        database: {name: functools.partial(select, database, name) for name in described.tables}
        for database, described in backend.databases.items()
    }


@replace(TimestreamWriteBackend, "describe_endpoints")
def _describe_endpoints(cloud: Cloud, _self: TimestreamWriteBackend) -> dict[str, Any]:
    """Clients of both APIs come back here: they find their endpoint by this call."""
    return {"Endpoints": [{"Address": cloud.endpoint, "CachePeriodInMinutes": 1440}]}
