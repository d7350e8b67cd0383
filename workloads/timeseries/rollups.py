"""Aggregates of windows of five minutes and of an hour, for each series and for all series together (the fleet).

A rollup has a field for each part of an aggregate, `CPU_Usage.count` or `CPU_Usage.sum`. Counts, sums, means,
deviations, least and greatest values of any longer window follow from them. Percentiles do not follow from those of
shorter windows, so the rollups of the fleet hold sketches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from contract.timeseries import field_key, series
from workloads.timeseries.sketch import sketches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.timeseries.columns import Integers

MICROSECONDS = 10**6
FIVE_MINUTES = 300
HOUR = 3600
#: Names of the windows by their seconds, as they stand in names of measurements.
WINDOWS = {FIVE_MINUTES: "5m", HOUR: "1h"}
#: Ranges of values that rollups count apart, by measure: responses by their class.
CLASSES = {"HTTP_Status": ((200, 300), (300, 400), (400, 500), (500, 600))}
#: Measures of which the fleet's rollups have sketches.
SKETCHED = ("CPU_Usage",)


@dataclass(frozen=True)
class Samples:
    """Rows of several series.

    Attributes:
        tags: Of each series.
        series: Which of them each row has, shape (n,).
        times: Microseconds since 1970-01-01 UTC, shape (n,).
        measures: Values by measure, each of shape (n,); NaN where there is none.
    """

    tags: Sequence[Mapping[str, str]]
    series: Integers
    times: Integers
    measures: Mapping[str, NDArray[np.float64]]

    @classmethod
    def read(cls, groups: Iterable[Mapping[str, Any]], names: Sequence[str]) -> Samples:
        """Return the rows of an answer of InfluxDB: `tags` and `values`, which are a time and the measures."""
        tags: list[Mapping[str, str]] = []
        blocks = [np.zeros((0, 1 + len(names)))]
        for group in groups:
            tags.append({name: value for name, value in group.get("tags", {}).items() if value})
            blocks.append(np.array(group["values"], np.float64))
        rows = np.concatenate(blocks)
        index = np.repeat(np.arange(len(tags)), [len(block) for block in blocks[1:]])
        return cls(tags, index, rows[:, 0].astype(np.int64), {name: rows[:, at] for at, name in enumerate(names, 1)})

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def together(cls, several: Sequence[Samples]) -> Samples:
        """Return the rows of several samples, of which at least one is given and all have the same measures."""
        if len(several) == 1:
            return several[0]
        starts = np.cumsum([0, *(len(samples.tags) for samples in several[:-1])])
        return cls(
            [tags for samples in several for tags in samples.tags],
            np.concatenate([samples.series + start for samples, start in zip(several, starts, strict=True)]),
            np.concatenate([samples.times for samples in several]),
            {name: np.concatenate([samples.measures[name] for samples in several]) for name in several[0].measures},
        )


class Place(NamedTuple):
    """Where rollups are.

    Attributes:
        seconds: The length of their windows.
        fleet: Whether they are of all series together.
    """

    seconds: int
    fleet: bool

    def of(self, measurement: str) -> str:
        """Return the name of the measurement that holds the rollups of another one."""
        return f"{measurement}_{'fleet_' if self.fleet else ''}{WINDOWS[self.seconds]}"


def lines(samples: Samples, measurement: str) -> Iterator[str]:
    """Yield the rollups of rows as lines of line protocol.

    Args:
        samples: All rows of some hours.
        measurement: Name of the rows' measurement.
    """
    keys = [tuple(sorted(tags.items())) for tags in samples.tags]
    tags = [*dict.fromkeys(keys)]
    numbers = {key: number for number, key in enumerate(tags)}
    of_series = np.array([numbers[key] for key in keys], np.int64)[samples.series]
    for seconds in WINDOWS:
        windows = samples.times // (seconds * MICROSECONDS)
        for fleet in (False, True):
            place = Place(seconds, fleet).of(measurement)
            starts = [series(place, {} if fleet else dict(key)) for key in (tags[:1] if fleet else tags)]
            cells = windows * len(starts) + (0 if fleet else of_series)
            for cell, fields in _fields(samples, cells, with_sketches=fleet).items():
                window, number = divmod(cell, len(starts))
                yield f"{starts[number]} {','.join(fields)} {window * seconds * 10**9}"


def _fields(samples: Samples, cells: Integers, *, with_sketches: bool) -> dict[int, list[str]]:
    """Return the parts of the aggregates of each cell that has any, as fields of a line: `name=value`."""
    order = np.argsort(cells, kind="stable")
    numbers = cells[order]
    fields: dict[int, list[str]] = {}
    for name, unordered in samples.measures.items():
        values = unordered[order]
        present = ~np.isnan(values)
        of_values, values = numbers[present], values[present]
        if not len(values):
            continue
        starts = np.flatnonzero(np.diff(of_values, prepend=of_values[0] - 1))
        ends = np.append(starts[1:], len(values))
        columns: dict[str, list[Any]] = {
            "count": (ends - starts).tolist(),
            "sum": np.add.reduceat(values, starts).tolist(),
            "squares": np.add.reduceat(values * values, starts).tolist(),
            "min": np.minimum.reduceat(values, starts).tolist(),
            "max": np.maximum.reduceat(values, starts).tolist(),
        }
        for between in CLASSES.get(name, ()):
            within = (values >= between[0]) & (values < between[1])
            columns[class_of(between)] = np.add.reduceat(within.astype(np.int64), starts).tolist()
        if with_sketches and name in SKETCHED:
            columns["sketch"] = sketches(values, starts)
        texts = [_texts(field_key(field_of(name, statistic)), column) for statistic, column in columns.items()]
        for cell, *cell_texts in zip(of_values[starts].tolist(), *texts, strict=True):
            fields.setdefault(cell, []).extend(cell_texts)
    return fields


def _texts(name: str, values: Sequence[int] | Sequence[float] | Sequence[str]) -> list[str]:
    """Return a field of many lines; its values are of one type, and the texts are sketches."""
    if isinstance(values[0], int):
        return [f"{name}={value}i" for value in values]
    if isinstance(values[0], float):
        return [f"{name}={value!r}" for value in values]
    return [f'{name}="{value}"' for value in values]


def field_of(measure: str, statistic: str) -> str:
    """Return the name of a rollup's field."""
    return f"{measure}.{statistic}"


def class_of(between: tuple[int, int]) -> str:
    """Return the name of the part that counts values of at least the first and below the second."""
    return f"from_{between[0]}_to_{between[1]}"
