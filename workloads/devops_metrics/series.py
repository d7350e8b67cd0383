"""The series of a file, without a database: what its columns are, and their values by host."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pandas as pd

from contract.errors import InputError, phrase
from workloads.delimited import CONTROL_CHARACTER, SUFFIXES, missing, numeric, read_sample, same_spelling, separated_by
from workloads.devops_metrics.reader import Reader
from workloads.devops_metrics.timestamps import Timestamps
from workloads.timeseries.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from pathlib import Path

    from workloads.devops_metrics.reader import Fault
    from workloads.timeseries.schema import MeasureType

_TIME_NAMES = ("timestamp", "time", "time_stamp", "datetime", "date_time", "date", "ts")
_HOST_NAMES = ("application_id", "application_name", "host", "hostname")  # also where hosts are numbered
_IDENTIFIER = re.compile(r"(^|[_ -])id$|[a-z]I[dD]$", re.ASCII)
_WITH_UNIT = re.compile(r"[$€£¥]? ?[+-]?[\d.,]+ ?(%|‰|[$€£¥]|[kMGT]?i?B(/s)?|[mµun]?s|°?[CF])?")
_SHOWN = 6  # hosts in a note
_LEAST_TEXTS = 20  # rows that show whether texts repeat
#: The standard columns by the names that the questions give them.
_SIGNALS = {"CPU_Usage": "cpu", "Memory_Usage": "memory", "Network_Throughput": "throughput"}
_FIRST_ERROR = 500


class FileSeries(NamedTuple):
    """What a file holds.

    Attributes:
        hosts: The signals of each host, a column each, indexed by time (UTC).
        lines: Lines read, without header and blank lines.
        faults: Those of them that could not be read.
        notes: What else was left out.
    """

    hosts: dict[Hashable, pd.DataFrame]
    lines: int
    faults: list[Fault]
    notes: list[str]


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
    notes: list[str] = []
    if mapping:
        schema = Schema.load(mapping, fixed)
    else:
        schema, names, notes = _guess(path, fixed or {})
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
    if empty := [str(name) for name in table if table[name].isna().all()]:
        notes.append(f"columns without any value: {', '.join(empty)}")
    keys = sorted(set(dimensions))
    hosts = dict(zip(keys, _host_names(schema.dimensions, keys), strict=True))
    spellings = Counter(same_spelling(host) for host in hosts.values())
    if alike := sorted(host for host in hosts.values() if spellings[same_spelling(host)] > 1):
        notes.append(f"hosts whose names differ only in case or blanks: {', '.join(alike[:_SHOWN])}")
    by_host = table.groupby(np.array([hosts[key] for key in dimensions], dtype=object))
    return FileSeries(dict(iter(by_host)), len(times) + len(faults), faults, notes)


def _host_names(dimensions: Sequence[str], keys: Sequence[tuple[str, ...]]) -> list[str]:
    for _, values in sorted(zip(dimensions, zip(*keys, strict=True), strict=True), key=lambda pair: pair[0] != "host"):
        if len(set(values)) == len(keys):
            return list(values)
    return ["/".join(key) for key in keys]


def _guess(path: Path, fixed: Mapping[str, str]) -> tuple[Schema, dict[str, str], list[str]]:
    """Return a file's schema by its first lines, the headers of its measures by their names in it, and notes."""
    sample = read_sample(path, _TIME_NAMES)
    header = sample.header
    cells = {name: [row[at] for _, row in sample.rows if not missing(row[at])] for at, name in enumerate(header)}
    time = next((name for name in header if name.lower() in _TIME_NAMES), None) or next(
        (name for name in header if cells[name] and not numeric(cells[name][0]) and _is_time(cells[name][0])), None
    )
    if values := [name for name in header if name.lower() not in _TIME_NAMES and not numeric(name) and _is_time(name)]:
        raise InputError(f"{path}: The first line holds values, such as {values[0]}. It must name the columns.")
    if time is None:
        raise InputError(
            f"{path}: No column is called {_TIME_NAMES[0]} or holds times. Say in a mapping file which one does. The "
            f"columns, separated by {separated_by(sample.layout)}, are {', '.join(header)}."
        )
    numbering = [name for name in header if _IDENTIFIER.search(name) and _counts_rows(cells[name])]
    columns = [name for name in header if name and name != time and name not in fixed and name not in numbering]
    kinds = {name: _kind(path, name, cells[name], cells[time]) for name in columns}
    numbers = [name for name in columns if kinds[name] != "host"]
    if not numbers:
        raise InputError(f"{path}: No column besides {time} holds numbers.")
    names = _distinct(columns)
    texts = [names[name] for name in columns if kinds[name] == "host"]
    if not texts and not fixed:
        fixed = {"host": _host_of(path)}
    schema = Schema.checked(
        str(path),
        time=time,
        dimensions=(*texts, *fixed),
        measures={names[name]: kinds[name] for name in numbers},
        columns={names[name]: name for name in columns},
        fixed=dict(fixed),
    )
    nameless = [f"{at:,}" for at, name in enumerate(header, 1) if not name]
    notes = [f"columns that were left out, as the header does not name them: {', '.join(nameless)}"] if nameless else []
    if numbering:
        notes.append(f"columns that were left out, as they only number the rows: {', '.join(numbering)}")
    return schema, {names[name]: name for name in numbers}, notes


def _kind(path: Path, name: str, cells: Sequence[str], times: Sequence[str]) -> MeasureType | Literal["host"]:
    """Return what a column is by the cells that have a value: a signal of some type, or a part of the host's name.

    Raises:
        InputError: It holds numbers with a unit, or a different text in each row.
    """
    if name.casefold() in _HOST_NAMES:
        return "host"
    numbered = bool(cells and _IDENTIFIER.search(name)) and all(map(str.isdecimal, cells))
    if not numbered and sum(map(numeric, cells)) * 2 >= len(cells):
        return "DOUBLE"
    if {cell.lower() for cell in cells} <= {"true", "false"}:
        return "BOOLEAN"
    column = f"{path}, column {name!r}"
    if not numbered and (with_unit := [cell for cell in cells if _WITH_UNIT.fullmatch(cell)]):
        raise InputError(
            f"{column}: The number {with_unit[0]!r} has a unit. Write it without, or leave the column out."
        )
    if len(cells) >= _LEAST_TEXTS and len({*times}) == len(times) and len({*cells}) * 2 > len(cells):
        raise InputError(
            f"{column}: The texts, such as {cells[0][:40]!r}, differ from row to row, so they do not name hosts. Leave "
            "the column out, or say in a mapping file which columns are dimensions."
        )
    return "host"


def _host_of(path: Path) -> str:
    """Return the file's name without its ending."""
    ending = next((suffix for suffix in SUFFIXES[::-1] if path.name.lower().endswith(suffix)), path.suffix)
    return CONTROL_CHARACTER.sub("?", path.name[: len(path.name) - len(ending)]) or "host"


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


def _counts_rows(cells: Sequence[str]) -> bool:
    """Return whether cells are 1, 2, 3 and so on, from any start."""
    if not all(cell.isdecimal() for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    return len(numbers) > 1 and all(later == earlier + 1 for earlier, later in pairwise(numbers))


def _is_time(cell: str) -> bool:
    try:
        Timestamps().microseconds(cell)
    except ValueError:
        return False
    return True
