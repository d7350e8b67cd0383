# ruff: noqa: S608 - building statements is what this module is for; the engine holds what its caller wrote
"""Timestream's SQL, a dialect of Trino's, on DuckDB: what differs is rewritten, what is missing is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import sqlglot
from scipy.interpolate import CubicSpline
from sqlglot import exp

Catalogue = Mapping[str, Mapping[str, Callable[[], str]]]
Point = dict[str, Any]

SERIES = "STRUCT(time TIMESTAMP, value DOUBLE)[]"
INTERVALS = {"ns": "NANOSECOND", "us": "MICROSECOND", "ms": "MILLISECOND"}
INTERVALS |= {"s": "SECOND", "m": "MINUTE", "h": "HOUR", "d": "DAY"}
MACROS = """
ago(span) AS (now() AT TIME ZONE 'UTC')::TIMESTAMP - span
utc_now() AS (now() AT TIME ZONE 'UTC')::TIMESTAMP
bin(moment, span) AS time_bucket(span, moment::TIMESTAMP, TIMESTAMP '1970-01-01')
create_time_series(moment, val) AS list({'time': moment::TIMESTAMP, 'value': val::DOUBLE} ORDER BY moment)
interpolate_linear(series, moments) AS interpolate('linear', series, moments, NULL)
interpolate_locf(series, moments) AS interpolate('locf', series, moments, NULL)
interpolate_spline_cubic(series, moments) AS interpolate('spline', series, moments, NULL)
interpolate_fill(series, moments, val) AS interpolate('fill', series, moments, val::DOUBLE)
from_milliseconds(count) AS make_timestamp((count * 1000)::BIGINT)
from_nanoseconds(count) AS make_timestamp((count // 1000)::BIGINT)
to_milliseconds(moment) AS epoch_ms(moment)
to_nanoseconds(moment) AS epoch_ns(moment)
to_unixtime(moment) AS epoch(moment)
from_iso8601_timestamp(moment) AS moment::TIMESTAMP
"""
# Quoted text, quoted names and comments stay as they are.
ASIDE = r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*)"""
STATEMENT = re.compile(
    r"\s*(SHOW\s+DATABASES|SHOW\s+TABLES\s+FROM|DESCRIBE|SHOW\s+MEASURES\s+FROM)\b([^;]*);?\s*", re.IGNORECASE
)


def connect() -> duckdb.DuckDBPyConnection:
    """Return an engine with Timestream's functions."""
    engine = duckdb.connect(":memory:", config={"enable_external_access": "false"})
    engine.execute("SET TimeZone = 'UTC'")
    parameters = ["VARCHAR", SERIES, "TIMESTAMP[]", "DOUBLE"]
    engine.create_function("interpolate", interpolate, parameters, SERIES, null_handling="special")  # type: ignore[call-overload]
    for macro in MACROS.strip().splitlines():
        engine.execute(f"CREATE MACRO {macro}")
    return engine


def run(engine: duckdb.DuckDBPyConnection, query: str, catalogue: Catalogue) -> tuple[list[Any], list[Any]]:
    """Return a query's ColumnInfo and Rows, as the API shows them.

    Raises:
        ValueError: The query is wrong, or uses something that is not supported here; the message names it.
    """
    if statement := STATEMENT.fullmatch(query):
        relation = _describe(engine, statement[1].upper().split()[-1], statement[2], catalogue)
    else:
        try:
            relation = engine.sql(translate(query, catalogue))
        except sqlglot.errors.SqlglotError as error:
            raise ValueError(re.sub(r"\x1b\[\d+m", "", str(error))) from error
        except duckdb.Error as error:
            raise _explained(error) from error
    columns: list[dict[str, Any]] = [
        {"Name": name, "Type": _type(kind)} for name, kind in zip(relation.columns, relation.types, strict=True)
    ]
    try:
        rows = relation.fetchall()
    except duckdb.Error as error:
        raise _explained(error) from error
    return columns, [
        {"Data": [_datum(cell, column["Type"]) for cell, column in zip(row, columns, strict=True)]} for row in rows
    ]


def _explained(error: duckdb.Error) -> ValueError:
    """Return the engine's complaint, in the terms of the query."""
    function = re.search(r"Function with name \"?(\w+)", str(error))
    return ValueError(f"function {function[1]} is not supported by the local cloud" if function else str(error))


def translate(query: str, catalogue: Catalogue) -> str:
    """Return the same query for DuckDB."""
    text = re.sub(ASIDE + r"|\bmeasure_value::(\w+)", _measure_value, query, flags=re.IGNORECASE)
    text = re.sub(ASIDE + r"|(?<![\w.])(\d+)(ns|us|ms|s|m|h|d)\b", _interval, text)
    tree = sqlglot.parse_one(text, read="trino")
    if not isinstance(tree, exp.Query):
        raise ValueError(  # noqa: TRY004 - of the query, not of an argument
            f"{tree.key.upper()} is not supported by the local cloud: queries only"
        )
    return tree.transform(_rewritten, catalogue).sql(dialect="duckdb")


def _measure_value(match: re.Match[str]) -> str:
    return match[1] or f'"measure_value::{match[2].lower()}"'


def _interval(match: re.Match[str]) -> str:
    return match[1] or f"INTERVAL '{match[2]}' {INTERVALS[match[3]]}"


def _rewritten(node: exp.Expr, catalogue: Catalogue) -> exp.Expr:
    match node:
        case exp.Table() if node.db:
            tables = _named(catalogue, node.db, "database")
            source = sqlglot.parse_one(_named(tables, node.name, "table")(), read="duckdb")
            return exp.Subquery(this=source, alias=exp.TableAlias(this=exp.to_identifier(node.alias or node.name)))
        case exp.Join(this=exp.Unnest()):
            return _unnested(node.this)
        case exp.CurrentTimestamp():
            return exp.func("utc_now")
        case exp.Reduce():
            return _reduced(node)
    return node


def _named(names: Mapping[str, Any], identifier: str, kind: str) -> Any:
    for name, value in names.items():
        if name.lower() == identifier.lower():
            return value
    raise ValueError(f"The {kind} {identifier} does not exist.")


def _unnested(unnest: exp.Unnest) -> exp.Expr:
    """CROSS JOIN UNNEST: of a time series it gives two columns, of an array one."""
    alias = unnest.args.get("alias")
    names = [column.name for column in alias.columns] if alias and alias.columns else ["time", "value"]
    array, called = unnest.expressions[0].sql("duckdb"), alias.name if alias and alias.this else "unnested"
    if len(names) == 1:
        inner = f'SELECT unnest({array}) AS "{names[0]}"'
    else:
        inner = f'SELECT point.time AS "{names[0]}", point.value AS "{names[1]}" FROM (SELECT unnest({array}) AS point)'
    joined = sqlglot.parse_one(f"SELECT 1 FROM a CROSS JOIN LATERAL ({inner}) AS {called}", read="duckdb")
    join: exp.Expr = joined.args["joins"][0]
    return join


def _reduced(node: exp.Reduce) -> exp.Expr:
    """REDUCE(array, start, (state, x) -> ..., state -> ...): DuckDB's wants one type for both, so pairs of them."""
    merge, finish = node.args["merge"], node.args["finish"]
    state, element = (parameter.name for parameter in merge.expressions)
    start = node.args["initial"].sql("duckdb")
    step = merge.this.transform(_replaced, {state: "a.s", element: "b.x"}).sql("duckdb")
    pairs = f"list_transform({node.this.sql('duckdb')}, lambda x: {{'s': {start}, 'x': x}})"
    empty = f"{{'s': {start}, 'x': NULL}}"
    reduced = f"list_reduce({pairs}, lambda a, b: {{'s': {step}, 'x': b.x}}, {empty}).s"
    last = finish.this.transform(_replaced, {finish.expressions[0].name: "r"}).sql("duckdb")
    return sqlglot.parse_one(f"list_transform([{reduced}], lambda r: {last})[1]", read="duckdb")


def _replaced(node: exp.Expr, names: Mapping[str, str]) -> exp.Expr:
    """Replace a lambda's parameter, by itself or before a field."""
    if isinstance(node, exp.Dot | exp.Column | exp.Identifier):
        first, _, rest = node.sql("duckdb").partition(".")
        if first in names:
            return sqlglot.parse_one(names[first] + (f".{rest}" if rest else ""), read="duckdb")
    return node


def _describe(
    engine: duckdb.DuckDBPyConnection, kind: str, target: str, catalogue: Catalogue
) -> duckdb.DuckDBPyRelation:
    path = [name.strip('"') for name in target.split(".")] if (target := target.strip()) else []
    if kind == "DATABASES":
        return engine.sql('SELECT unnest(?) AS "Database"', params=[sorted(catalogue)])
    tables = _named(catalogue, path[0], "database")
    if len(path) == 1:
        return engine.sql('SELECT unnest(?) AS "Table"', params=[sorted(tables)])
    return engine.sql(f"SELECT column_name, column_type FROM (DESCRIBE {_named(tables, path[1], 'table')()})")


def interpolate(kind: str, series: list[Point] | None, moments: list[datetime] | None, constant: float | None) -> Any:
    """Interpolate a series at the given moments; null where the kind of interpolation has no value."""
    values_by_time = {
        point["time"].timestamp(): float(point["value"]) for point in series or [] if point["value"] is not None
    }
    timestamps = [moment.timestamp() for moment in moments or []]
    times, values = list(values_by_time), list(values_by_time.values())
    if kind == "fill":
        interpolated = [values_by_time.get(time, constant) for time in timestamps]
    elif kind == "locf":
        places = np.searchsorted(times, timestamps, side="right")
        interpolated = [values[place - 1] if place else None for place in places]
    else:
        spline = kind == "spline" and len(times) > 1
        between = (
            CubicSpline(times, values, bc_type="natural")(timestamps)
            if spline
            else np.interp(timestamps, times, values)
        )
        inside = ((times[0] <= time <= times[-1]) for time in timestamps)
        interpolated = [float(value) if within else None for value, within in zip(between, inside, strict=True)]
    return [{"time": moment, "value": value} for moment, value in zip(moments or [], interpolated, strict=True)]


SCALARS = {"VARCHAR", "BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DATE", "TIME", "TIMESTAMP"}
OTHER_SCALARS = {"FLOAT": "DOUBLE", "DECIMAL": "DOUBLE", "HUGEINT": "BIGINT", "UBIGINT": "BIGINT"}
OTHER_SCALARS |= {"INTERVAL": "INTERVAL_DAY_TO_SECOND", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP"}


def _type(kind: Any) -> dict[str, Any]:
    if kind.id == "list":
        element = dict(kind.children)["child"]
        if element.id == "struct" and [name for name, _ in element.children] == ["time", "value"]:
            return {
                "TimeSeriesMeasureValueColumnInfo": {"Name": "value", "Type": _type(dict(element.children)["value"])}
            }
        return {"ArrayColumnInfo": {"Type": _type(element)}}
    if kind.id == "struct":
        return {"RowColumnInfo": [{"Name": name, "Type": _type(child)} for name, child in kind.children]}
    name = str(kind).partition("(")[0]
    return {"ScalarType": name if name in SCALARS else OTHER_SCALARS.get(name, "VARCHAR")}


def _datum(value: Any, kind: dict[str, Any]) -> dict[str, Any]:
    if value is None:
        return {"NullValue": True}
    match kind:
        case {"TimeSeriesMeasureValueColumnInfo": {"Type": inner}}:
            return {"TimeSeriesValue": [{"Time": _text(p["time"]), "Value": _datum(p["value"], inner)} for p in value]}
        case {"ArrayColumnInfo": {"Type": inner}}:
            return {"ArrayValue": [_datum(item, inner) for item in value]}
        case {"RowColumnInfo": columns}:
            return {"RowValue": {"Data": [_datum(value[column["Name"]], column["Type"]) for column in columns]}}
    return {"ScalarValue": _text(value)}


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.isoformat(' ', 'microseconds')}000"
    return str(value).lower() if isinstance(value, bool) else str(value)
