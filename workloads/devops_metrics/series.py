"""The series of a file, without a database: what its columns are, and their values by host."""

from __future__ import annotations

import csv
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from contract.errors import InputError, phrase
from workloads.devops_metrics.reader import Reader
from workloads.devops_metrics.timestamps import Timestamps
from workloads.timeseries.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from pathlib import Path

    from workloads.devops_metrics.reader import Fault

_SAMPLE = 1000  # lines that show what the columns are
_TIME_NAMES = ("timestamp", "time", "time_stamp", "datetime", "date_time", "date", "ts")
#: The standard columns by the names that the questions give them.
_SIGNALS = {"CPU_Usage": "cpu", "Memory_Usage": "memory", "Network_Throughput": "throughput"}
_FIRST_ERROR = 500


class FileSeries(NamedTuple):
    """What a file holds.

    Attributes:
        hosts: The signals of each host, a column each, indexed by time (UTC).
        lines: Lines read, without header and blank lines.
        faults: Those of them that could not be read.
    """

    hosts: dict[Hashable, pd.DataFrame]
    lines: int
    faults: list[Fault]


def read_series(path: Path, mapping: Path | None = None, fixed: Mapping[str, str] | None = None) -> FileSeries:
    """Read a CSV file of one series, of a table of series, or of the standard columns.

    A host is named by its dimension `host`, or the first other one, that tells all hosts apart; failing that by all of
    its dimensions, joined by a slash. Without any dimension the file's name is the host's.

    Args:
        path: The file.
        mapping: A mapping file; without one, the first thousand lines show what the columns are. The time is the first
            column of a usual name or that holds times; columns of numbers are signals, those of text dimensions.
        fixed: Dimensions with one value in all rows.

    Raises:
        InputError: The file cannot be read, has no time or no signal, or no line of it can be read.
    """
    names: dict[str, str] = {}
    if mapping:
        schema = Schema.load(mapping, fixed)
    else:
        schema, names = _guess(path, fixed or {})
    times: list[int] = []
    dimensions: list[tuple[str, ...]] = []
    measures: list[tuple[object, ...]] = []
    faults: list[Fault] = []
    for batch in Reader(path, schema).batches():
        faults += batch.faults
        for row in batch.rows:
            times.append(row.time)
            dimensions.append(row.dimensions)
            measures.append(row.measures)
    if not times:
        reason = f"Line {faults[0].line} is the first of them: {phrase(faults[0].reason)}." if faults else ""
        raise InputError(f"{path}: There is no line that can be read. {reason}".rstrip())
    table = pd.DataFrame(measures, pd.to_datetime(times, unit="us", utc=True), list(schema.measures))
    table = table[[name for name, kind in schema.measures.items() if kind != "VARCHAR"]].astype(float)
    if "HTTP_Status" in table:
        status = table.pop("HTTP_Status")
        if status.notna().any():
            table["errors"], table["responses"] = (status >= _FIRST_ERROR).astype(float), status.notna().astype(float)
    table = table.rename(columns=names | _SIGNALS)
    keys = sorted(set(dimensions))
    hosts = dict(zip(keys, _host_names(schema.dimensions, keys), strict=True))
    by_host = table.groupby(np.array([hosts[key] for key in dimensions], dtype=object))
    return FileSeries(dict(iter(by_host)), len(times) + len(faults), faults)


def _host_names(dimensions: Sequence[str], keys: Sequence[tuple[str, ...]]) -> list[str]:
    for _, values in sorted(zip(dimensions, zip(*keys, strict=True), strict=True), key=lambda pair: pair[0] != "host"):
        if len(set(values)) == len(keys):
            return list(values)
    return ["/".join(key) for key in keys]


def _guess(path: Path, fixed: Mapping[str, str]) -> tuple[Schema, dict[str, str]]:
    """The schema of a file by its first lines, and the headers of its measures by the names that they have in it."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = list(islice(csv.reader(file), _SAMPLE + 1))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: The file is not CSV in UTF-8: {phrase(error)}.") from error
    except OSError as error:
        raise InputError(f"{path}: The file cannot be read: {error.strerror}.") from error
    if not sample:
        raise InputError(f"{path}: The file is empty. Line 1 must name the columns.")
    header, lines = [name.strip() for name in sample[0]], sample[1:]
    cells = {
        name: [line[at].strip() for line in lines if len(line) == len(header) and line[at].strip()]
        for at, name in enumerate(header)
    }
    time = next((name for name in header if name.lower() in _TIME_NAMES), None) or next(
        (name for name in header if cells[name] and not _is_number(cells[name][0]) and _is_time(cells[name][0])), None
    )
    if time is None:
        raise InputError(
            f"{path}: No column is called {_TIME_NAMES[0]} or holds times. Say in a mapping file which one does."
        )
    others = [name for name in header if name and name != time and name not in fixed]
    numbers = [name for name in others if sum(map(_is_number, cells[name])) * 2 >= len(cells[name])]
    if not numbers:
        raise InputError(f"{path}: No column besides {time} holds numbers.")
    names = _distinct(others)
    texts = [names[name] for name in others if name not in numbers]
    if not texts and not fixed:
        fixed = {"host": path.stem}
    schema = Schema.checked(
        str(path),
        time=time,
        dimensions=(*texts, *fixed),
        measures={names[name]: "DOUBLE" for name in numbers},
        columns={names[name]: name for name in others},
        fixed=dict(fixed),
    )
    return schema, {names[name]: name for name in numbers}


def _distinct(headers: Sequence[str]) -> dict[str, str]:
    """For each header a name that a schema allows."""
    names: dict[str, str] = {}
    for header in headers:
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", header)[:60]
        if not re.match("[A-Za-z_]", name) or name in {"time", "measure_name"}:
            name = "_" + name
        while name in names.values():
            name += "_"
        names[header] = name
    return names


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_time(cell: str) -> bool:
    try:
        Timestamps().microseconds(cell)
    except ValueError:
        return False
    return True
