"""What every time series database of this workload offers: write rows, answer questions, describe itself."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloads.timeseries.row import Row
    from workloads.timeseries.schema import Schema

Function = Literal["mean", "sum", "count", "min", "max", "deviation", "percentile"]


@dataclass(frozen=True)
class Column:
    """One aggregated column.

    Attributes:
        name: What the answer calls it.
        function: `deviation` is that of a sample (n-1); `percentile` is a value that occurs: the nearest rank.
        measure: What is aggregated.
        percent: Which percentile.
        between: Counts only rows whose measure is at least the first and below the second.
    """

    name: str
    function: Function
    measure: str
    percent: int = 0
    between: tuple[int, int] | None = None


@dataclass(frozen=True)
class Aggregation:
    """A question that a store answers by itself, so that only aggregates travel.

    Attributes:
        columns: What to compute.
        by: Dimensions that are kept apart.
        window: Length of the windows of time, counted from 1970; None: the whole period is one.
        interpolate: Fill empty windows between two others on a straight line. Needs a window and one column.
    """

    columns: tuple[Column, ...]
    by: tuple[str, ...] = ()
    window: timedelta | None = None
    interpolate: bool = False

    @property
    def keys(self) -> list[str]:
        """The columns that identify a row of the answer."""
        return [*(["time"] if self.window else []), *self.by]


@dataclass(frozen=True)
class Period:
    """A span of time: from `start`, up to but without `end`; both in UTC."""

    start: datetime
    end: datetime

    @classmethod
    def last(cls, length: timedelta, until: datetime | None = None) -> Period:
        """Return the period of that length before a moment (default: now, to the whole minute above)."""
        now = datetime.now(UTC)
        end = until or now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return cls(end - length, end)


@dataclass
class Written:
    """What became of rows given to a store.

    Attributes:
        rows: Rows that it holds now.
        rejected: Rows that it refused, each with the reason.
        requests: Requests sent.
        metered_kib: KiB that AWS bills for (LiveAnalytics); 0 where writes cost nothing.
    """

    rows: int = 0
    rejected: list[tuple[Row, str]] = field(default_factory=list)
    requests: int = 0
    metered_kib: int = 0


@dataclass(frozen=True)
class Description:
    """What a store holds.

    Attributes:
        engine: `Timestream for LiveAnalytics` or `InfluxDB` and its version.
        place: Database and table.
        rows: How many rows.
        oldest: Time of the first row; None when there is none.
        newest: Time of the last one.
        retention: How long rows are kept; None: for ever.
        notes: What else there is to know.
    """

    engine: str
    place: str
    rows: int
    oldest: datetime | None
    newest: datetime | None
    retention: timedelta | None
    notes: tuple[str, ...] = ()


class MetricStore(ABC):
    """A time series database that holds rows of one schema. Safe to share between threads.

    Attributes:
        schema: Names of dimensions and measures.
    """

    schema: Schema

    @abstractmethod
    def write(self, rows: Sequence[Row], version: int) -> Written:
        """Write rows; a row for the same time and dimensions replaces the one of an earlier version.

        Throttling and short outages are retried.

        Args:
            rows: No two have the same time and dimensions.
            version: Grows with every run, so that running again corrects and does not double.

        Raises:
            InputError: The store refuses, for example because the password is wrong.
            UnavailableError: The store cannot be reached, or cannot do it now.
        """

    @abstractmethod
    def aggregate(self, question: Aggregation, period: Period) -> pd.DataFrame:
        """Return the question's keys and columns, sorted by its keys; `time` is the start of a window.

        Raises:
            InputError: As `write`.
            UnavailableError: As `write`.
        """

    @abstractmethod
    def statements(self, question: Aggregation, period: Period) -> list[str]:
        """Return the question's statements in the store's own language."""

    @abstractmethod
    def describe(self) -> Description:
        """Return what the store holds."""

    def complete(self) -> None:  # noqa: B027 - most stores derive nothing
        """Bring up to date what the store derives from rows. No other thread may write meanwhile.

        Raises:
            InputError: As `write`.
            UnavailableError: As `write`.
        """

    def sources(self) -> list[str]:
        """Return which rows have answered so far, for a person."""
        return ["raw rows"]


class AskedOnce(MetricStore):
    """A store that sends each question once: a result and its figure share the data, and AWS bills each query."""

    def __init__(self, store: MetricStore) -> None:
        self.schema = store.schema
        self._store = store
        self._aggregate = functools.cache(store.aggregate)

    def write(self, rows: Sequence[Row], version: int) -> Written:
        """Write to the store, and forget earlier results."""
        result = self._store.write(rows, version)
        self._aggregate.cache_clear()
        return result

    def aggregate(self, question: Aggregation, period: Period) -> pd.DataFrame:
        """Ask the store the first time; then return a copy of that result."""
        return self._aggregate(question, period).copy()

    def statements(self, question: Aggregation, period: Period) -> list[str]:
        """As the store."""
        return self._store.statements(question, period)

    def describe(self) -> Description:
        """As the store."""
        return self._store.describe()

    def complete(self) -> None:
        """As the store."""
        self._store.complete()

    def sources(self) -> list[str]:
        """As the store."""
        return self._store.sources()


def tidy(rows: Sequence[dict[str, object]] | pd.DataFrame, question: Aggregation) -> pd.DataFrame:
    """Return rows as a table that is the same for each store: keys first, sorted, without empty rows.

    Args:
        rows: By column; `time` as a moment, or in microseconds since 1970.
        question: What was asked.
    """
    names = [*question.keys, *(column.name for column in question.columns)]
    table = pd.DataFrame(rows, columns=names)
    for column in question.columns:
        values = table[column.name].astype("float64")
        table[column.name] = values.fillna(0).astype("int64") if column.function == "count" else values
    empty = [
        table[column.name].eq(0) if column.function == "count" else table[column.name].isna()
        for column in question.columns
    ]
    table = table[~pd.concat(empty, axis=1).all(axis=1)]
    if question.window:
        microseconds = table["time"].dtype.kind == "i"
        moments = pd.to_datetime(table["time"], unit="us" if microseconds else None, utc=True)
        table["time"] = moments.astype("datetime64[us, UTC]")
    for name in question.by:
        table[name] = table[name].astype("str")
    return table.sort_values(question.keys, ignore_index=True) if question.keys else table
