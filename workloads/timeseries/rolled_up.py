"""InfluxDB with rollups: they are computed from the rows of the hours that were written to, and answer questions."""

from __future__ import annotations

import itertools
import math
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workloads.timeseries.columns import Columns
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.marks import MarkKeeper
from workloads.timeseries.plan import RAW, Piece, is_answerable, plan
from workloads.timeseries.rollups import (
    FIVE_MINUTES,
    HOUR,
    MICROSECONDS,
    WINDOWS,
    Place,
    Samples,
    class_of,
    field_of,
    lines,
)
from workloads.timeseries.sketch import RELATIVE_ERROR, percentiles
from workloads.timeseries.store import Aggregation, Column, Period, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from workloads.timeseries.row import Row
    from workloads.timeseries.schema import Schema
    from workloads.timeseries.store import Written

_WINDOW, _HOUR = FIVE_MINUTES * MICROSECONDS, HOUR * MICROSECONDS
_ROWS_READ = 50_000  # at once, about
_HOURS_READ = 64  # at once, at most
_SLICES = HOUR // FIVE_MINUTES  # of an hour, at most
_ATTEMPTS = 10
_NUMBERS = {"float", "integer"}
_APPROXIMATE = f"percentiles of rollups from sketches, within {RELATIVE_ERROR:.0%} of the exact value"
#: How parts of aggregates are put together.
_TOGETHER = {"min": "min", "max": "max"}
_PARTS: dict[str, tuple[str, ...]] = {
    "mean": ("count", "sum"),
    "sum": ("sum",),
    "count": ("count",),
    "deviation": ("count", "sum", "squares"),
    "min": ("min",),
    "max": ("max",),
}


class RolledUp(InfluxDB):
    """One measurement of an InfluxDB 2, with rollups in a bucket of their own.

    Rollups are always computed from all rows of an hour, which are read back, and replace those that are there. So rows
    that come late, again, corrected or from several writers are in them once, and rows that InfluxDB refused are not.

    Args:
        url: As for `InfluxDB`.
        database: As for `InfluxDB`.
        measurement: As for `InfluxDB`.
        rollups: The bucket that holds rollups and marks.
        token: API token that may read and write both buckets.
        schema: As for `InfluxDB`.
        connections: As for `InfluxDB`.
        attempts: As for `InfluxDB`.
        run: The number of this run among those that write at the same time; None: a random one.
    """

    def __init__(
        self,
        url: str,
        database: str,
        measurement: str = "metrics",
        *,
        rollups: str,
        token: str = "",
        schema: Schema | None = None,
        connections: int = 8,
        attempts: int = 8,
        run: int | None = None,
    ) -> None:
        options: dict[str, Any] = {"token": token, "connections": connections, "attempts": attempts}
        super().__init__(url, database, measurement, schema=schema, **options)
        self.raw = InfluxDB(url, database, measurement, schema=schema, **options)
        self.rollups = InfluxDB(url, rollups, measurement, **options)
        self._bucket = rollups
        self._marks = MarkKeeper(self.rollups, f"{measurement}_marks", run)
        self._pending: set[int] = set()  # windows that this run has marked, by their starts
        self._marking = threading.Lock()
        self._sources: dict[str, None] = {}

    def write(self, rows: Sequence[Row], version: int) -> Written:
        """Mark the windows of the rows, and write them as `InfluxDB` does."""
        columns = Columns.holding(rows, self.schema)
        self._mark(columns.times)
        return super().write(columns, version)

    def write_lines(self, lines: Iterable[str]) -> Written:
        """Mark the windows of the lines, and write them as `InfluxDB` does."""
        texts = list(lines)
        self._mark(np.array([int(text.rpartition(" ")[2]) // 1000 for text in texts], np.int64))
        return super().write_lines(texts)

    def _mark(self, times: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        windows = (np.unique(times // _WINDOW) * _WINDOW).tolist()
        with self._marking:
            if new := [window for window in windows if window not in self._pending]:
                self._marks.set(new)
                self._pending.update(new)

    def complete(self) -> None:
        """Compute the rollups of all hours that were written to, and clear their marks."""
        if not self._pending:
            return
        names = self._numbers()
        hours = sorted({window - window % _HOUR for window in self._pending})
        rows_an_hour = float(_ROWS_READ * _SLICES)
        while hours:
            most = max(1, min(_HOURS_READ, int(_ROWS_READ / rows_an_hour)))
            count = next((at for at in range(1, most) if hours[at : at + 1] != [hours[0] + at * _HOUR]), most)
            slices = max(1, min(_SLICES, round(rows_an_hour / _ROWS_READ))) if count == 1 else 1
            rows = self._roll_up(hours[0], hours[0] + count * _HOUR, names, slices)
            rows_an_hour = max(1.0, rows / count)
            hours = hours[count:]

    def _roll_up(self, start: int, end: int, names: Sequence[str], slices: int) -> int:
        """Compute the rollups of some hours from their rows, and return how many rows these are.

        Where other runs go on writing to these hours, or InfluxDB refuses a rollup, the marks stay, and questions are
        answered by raw rows.
        """
        windows = sorted(window for window in self._pending if start <= window < end)
        samples = self._samples(start, start, names)
        for _ in range(_ATTEMPTS):
            before = self._marks.of_others(start, end)
            edges = np.linspace(start, end, slices + 1).astype(np.int64).tolist()
            samples = Samples.together([self._samples(*edge, names) for edge in itertools.pairwise(edges)])
            written = self.rollups.write_lines(lines(samples, self.measurement))
            if written.rejected:
                break
            if self._marks.of_others(start, end) != before:
                continue
            self._marks.clear(windows)
            if self._marks.of_others(start, end) == before:
                break
            self._marks.set(windows)
        self._pending.difference_update(windows)
        return len(samples)

    def _numbers(self) -> list[str]:
        """Return the measures that are numbers, whichever run has written them."""
        rows = self.rows(f'SHOW FIELD KEYS FROM "{self.measurement}"')
        kinds: dict[str, set[str]] = {}
        for row in rows:
            kinds.setdefault(str(row["fieldKey"]), set()).add(str(row["fieldType"]))
        return sorted(name for name, types in kinds.items() if types <= _NUMBERS)

    def _samples(self, start: int, end: int, names: Sequence[str]) -> Samples:
        if start == end or not names:
            return Samples.read((), names)
        selected = ", ".join(f'"{name}"' for name in names)
        where = f"time >= {start}u AND time < {end}u"
        statement = f'SELECT {selected} FROM "{self.measurement}" WHERE {where} GROUP BY *'  # noqa: S608 - names
        return Samples.read(self.query(statement), names)

    def rebuild(self, period: Period | None = None) -> Period | None:
        """Compute all rollups of a period again, also where rows were deleted or written by other programs.

        Nothing else may write to the period meanwhile. Rollups of rows that the retention has dropped stay as they are.

        Args:
            period: The period; None: everything.

        Returns:
            The whole hours that were computed; None if there are none.
        """
        description = self.describe()
        firsts = [self._marks.first(), _microseconds(description.oldest) if description.oldest else None]
        known = [moment for moment in firsts if moment is not None]
        if not known:
            return None
        start = _microseconds(period.start) if period else min(known)
        end = _microseconds(period.end) if period else _microseconds(description.newest or datetime.now(UTC)) + 1
        if description.retention:
            kept = _microseconds(datetime.now(UTC) - description.retention)
            start = max(start, kept + -kept % _HOUR)
        start, end = max(start, min(known)) // _HOUR * _HOUR, -(-end // _HOUR) * _HOUR
        if start >= end:
            return None
        before = self._marks.of_others(start, end)
        self._mark(np.arange(start, end, _WINDOW))
        for place in _places():
            where = f"time >= {start}u AND time < {end}u"
            list(self.rollups.query(f'DELETE FROM "{place.of(self.measurement)}" WHERE {where}'))  # noqa: S608 - names
        self.complete()
        self._marks.clear_of_others(before)
        return Period(_moment(start), _moment(end))

    def sources(self) -> list[str]:
        """Return which rows have answered so far, for a person."""
        return [*self._sources] or super().sources()

    def aggregate(self, question: Aggregation, period: Period) -> pd.DataFrame:
        """Ask rollups where the period allows it, and raw rows where it does not."""
        pieces = self._plan(question, period)
        self._note(question, pieces)
        if all(piece.source == RAW for piece in pieces):
            return self.raw.aggregate(question, period)
        table = self._combined(question, self.query(";\n".join(self._statements(question, pieces))))
        return _interpolated(table, question) if question.interpolate else table

    def statements(self, question: Aggregation, period: Period) -> list[str]:
        """Return the statements for each piece of the period, after it has asked for the marks."""
        pieces = self._plan(question, period)
        if all(piece.source == RAW for piece in pieces):
            return self.raw.statements(question, period)
        return self._statements(question, pieces)

    def _plan(self, question: Aggregation, period: Period) -> list[Piece]:
        start, end = _microseconds(period.start), _microseconds(period.end)
        if start >= end or not is_answerable(question, self.schema):
            return [Piece(RAW, start, end)]
        return plan(question, start, end, self._marks.read(start, end))

    def _note(self, question: Aggregation, pieces: Sequence[Piece]) -> None:
        names = {FIVE_MINUTES: "5-minute rollups", HOUR: "hourly rollups", RAW: "raw rows"}
        used = {piece.source for piece in pieces}
        self._sources |= {names[source]: None for source in sorted(used, reverse=True)}
        if used != {RAW} and any(column.function == "percentile" for column in question.columns):
            self._sources[f"percentiles of rollups from sketches, within {RELATIVE_ERROR:.0%} of the exact value"] = (
                None
            )

    def _statements(self, question: Aggregation, pieces: Sequence[Piece]) -> list[str]:
        statements = []
        for piece in pieces:
            if piece.source == RAW:
                period = Period(_moment(piece.start), _moment(piece.end))
                parts = tuple(dict.fromkeys(column for asked in question.columns for column in _parts_of_raw(asked)))
                statements += self.raw.statements(Aggregation(parts, question.by, question.window), period)
            else:
                statements += self._of_rollups(question, piece)
        return statements

    def _of_rollups(self, question: Aggregation, piece: Piece) -> Iterator[str]:
        place = Place(piece.source, fleet=not question.by).of(self.measurement)
        source = f'FROM "{self._bucket}".."{place}"\nWHERE time >= {piece.start}u AND time < {piece.end}u'
        groups = [f'"{name}"' for name in question.by]
        if question.window:
            groups.insert(0, f"time({question.window // timedelta(seconds=1)}s)")
        group = f"\nGROUP BY {', '.join(groups)}{' fill(none)' if question.window else ''}" if groups else ""
        statistics = dict.fromkeys(pair for column in question.columns for pair in _parts(column))
        selected = [
            f'{_TOGETHER.get(statistic, "sum")}("{field_of(name, statistic)}") AS "{field_of(name, statistic)}"'
            for name, statistic in statistics
        ]
        if selected:
            yield f"SELECT {', '.join(selected)}\n{source}{group}"
        for name in dict.fromkeys(column.measure for column in question.columns if column.function == "percentile"):
            yield f'SELECT "{field_of(name, "sketch")}"\n{source}'

    def _combined(self, question: Aggregation, groups: Iterable[dict[str, Any]]) -> pd.DataFrame:
        """Return an answer from the parts of aggregates that several statements gave."""
        parts: dict[tuple[Any, ...], dict[str, Any]] = {}
        sketches: dict[str, list[tuple[int, str]]] = {}
        for group in groups:
            names = group["columns"][1:]
            if names[0].endswith(".sketch"):
                sketches.setdefault(names[0], []).extend(map(tuple, group["values"]))
                continue
            tags = tuple(group["tags"][name] for name in question.by) if question.by else ()
            for moment, *values in group["values"]:
                key = (moment, *tags) if question.window else tags
                _add(parts.setdefault(key, {}), _with_squares(dict(zip(names, values, strict=True))))
        for field, texts in sketches.items():
            for moment, values in _from_sketches(question, field, texts):
                _add(parts.setdefault((moment,), {}), values)
        return tidy(
            [
                dict(zip(question.keys, key, strict=True))
                | {column.name: _finished(column, of_key) for column in question.columns}
                for key, of_key in parts.items()
            ],
            question,
        )


def _places() -> Iterator[Place]:
    for seconds in WINDOWS:
        for fleet in (False, True):
            yield Place(seconds, fleet)


def _parts(column: Column) -> list[tuple[str, str]]:
    """Return the parts that a column is computed from: measure and statistic."""
    if column.function == "percentile":
        return []
    if column.between:
        return [(column.measure, class_of(column.between))]
    return [(column.measure, statistic) for statistic in _PARTS[column.function]]


def _parts_of_raw(column: Column) -> Iterator[Column]:
    """Yield the columns that give the parts of an aggregate of raw rows; `deviation` takes the place of `squares`."""
    if column.function == "percentile":
        yield column
    for name, statistic in _parts(column):
        if column.between:
            yield Column(field_of(name, statistic), "count", name, between=column.between)
        else:
            function = "deviation" if statistic == "squares" else statistic
            yield Column(field_of(name, function), function, name)  # type: ignore[arg-type]


def _with_squares(parts: dict[str, Any]) -> dict[str, Any]:
    """Return parts of raw rows with sums of squares in place of deviations, of which a single value has none."""
    for name in [name for name in parts if name.endswith(".deviation")]:
        deviation, measure = parts.pop(name) or 0.0, name.removesuffix(".deviation")
        if count := parts[field_of(measure, "count")]:
            total = parts[field_of(measure, "sum")]
            parts[field_of(measure, "squares")] = deviation * deviation * (count - 1) + total * total / count
    return parts


def _add(total: dict[str, Any], parts: dict[str, Any]) -> None:
    """Add parts of an aggregate to others."""
    for name, value in parts.items():
        before = total.get(name)
        if before is None:
            total[name] = value
        elif value is not None:
            function = _TOGETHER.get(name.rpartition(".")[2])
            total[name] = (
                min(before, value) if function == "min" else max(before, value) if function else before + value
            )


def _from_sketches(
    question: Aggregation, sketch_field: str, texts: Sequence[tuple[int, str]]
) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the percentiles of each window."""
    assert question.window  # noqa: S101 - the plan sees to it
    step = question.window // timedelta(microseconds=1)
    moments = np.array([moment for moment, _ in texts], np.int64) // step * step
    windows, places = np.unique(moments, return_inverse=True)
    columns = [column for column in question.columns if field_of(column.measure, "sketch") == sketch_field]
    values = percentiles([text for _, text in texts], places, [column.percent for column in columns])
    for window, row in zip(windows.tolist(), values.tolist(), strict=True):
        yield window, dict(zip([column.name for column in columns], row, strict=True))


def _finished(column: Column, parts: dict[str, Any]) -> float | None:
    """Return a value of an answer from its parts; None where there is none."""
    value: float | None
    values: list[Any] = [parts.get(field_of(name, statistic)) for name, statistic in _parts(column)]
    match column.function, values:
        case "mean", [count, total] if count:
            value = total / count
        case "deviation", [count, total, squares] if count and count > 1:
            value = math.sqrt(max(0.0, (squares - total * total / count) / (count - 1)))
        case "mean" | "deviation", _:
            value = None
        case "percentile", _:
            value = parts.get(column.name)
        case _:
            [value] = values
    return value


def _interpolated(table: pd.DataFrame, question: Aggregation) -> pd.DataFrame:
    """Return an answer with its empty windows filled on a straight line between their neighbours."""
    assert question.window  # noqa: S101 - only questions with windows are interpolated
    [column] = question.columns
    step = question.window // timedelta(microseconds=1)
    filled = []
    for names, rows in table.groupby(list(question.by), sort=False) if question.by else [((), table)]:
        windows = rows["time"].astype("int64").to_numpy() // step
        every = np.arange(windows[0], windows[-1] + 1)
        values = np.interp(every, windows, rows[column.name].to_numpy())
        filled.append(
            pd.DataFrame({"time": every * step, **dict(zip(question.by, names, strict=True)), column.name: values})
        )
    return tidy(pd.concat(filled), question) if filled else table


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
