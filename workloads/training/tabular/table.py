"""CSV files: read, checked, every error with its line and column."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workloads.training.runtime.storage import Location

_MISSING = {"", "--", "na", "n/a", "nan", "none", "null"}
_NUMBER = re.compile(r"[+-]?(([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")

_LARGEST = 1e12  # no distance, yard or minute is; float32 ends at 3e38, and features are products

LINE = "line"
"""The column with the line of the file on which a row ends, counted from 1."""


def number(text: str) -> float:
    """A number; `1,234.5` has its thousands apart, and an empty cell or `--` is NaN.

    Raises:
        ValueError: It is neither.
    """
    text = text.strip()
    if text.lower() in _MISSING:
        return math.nan
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    value = float(text.replace(",", ""))
    if abs(value) > _LARGEST:
        raise ValueError("is too large")
    return value


def amount(text: str) -> float:
    """A number that cannot be negative.

    Raises:
        ValueError: It is not one.
    """
    value = number(text)
    if value < 0:
        raise ValueError("is negative")
    return value


def word(text: str) -> str | None:
    """A category or a name; None for an empty cell."""
    text = text.strip()
    return None if text.lower() in _MISSING else text


@dataclass(frozen=True)
class Column:
    """One column that a model reads.

    Attributes:
        name: Its header in the file.
        parse: Makes a value of a cell, or raises ValueError with what is wrong, as in "is not a number".
        rename: Its name in the table that is returned; by default the header.
        required: Whether the file must have it; otherwise an absent column is one of empty cells.
        filled: Whether every cell must have a value.
    """

    name: str
    parse: Callable[[str], Any]
    rename: str = ""
    required: bool = True
    filled: bool = False

    @property
    def key(self) -> str:
        """Its name in the table that is returned."""
        return self.rename or self.name


def read_table(file: Location, columns: Sequence[Column]) -> pd.DataFrame:
    """The given columns of a CSV file, whatever others it has, in whatever order; one row a row of the file.

    UTF-8 with or without a byte order mark, any line ends, quotes as in RFC 4180; empty lines are no rows.

    Args:
        file: The file.
        columns: What to read.

    Returns:
        The columns in the given order: float64 for numbers, object for words; then `line`.

    Raises:
        InputError: It is no such file; the message names the file, and where there is one the line and the column.
    """
    header, lines, rows = _parse(file)
    absent = [column.name for column in columns if column.required and column.name not in header]
    if absent:
        raise InputError(
            f"{file}: There is no column {', '.join(map(repr, absent))}; the file has {', '.join(header)}."
        )
    repeated = [column.name for column in columns if header.count(column.name) > 1]
    if repeated:
        raise InputError(f"{file}: The column {repeated[0]!r} is there {header.count(repeated[0])} times.")
    table = {column.key: _values(file, column, header, lines, rows) for column in columns}
    return pd.DataFrame(table | {LINE: pd.Series(lines, dtype="int64")})


def read_header(file: Location) -> list[str]:
    """The names in the first line of a CSV file.

    Raises:
        InputError: It is no CSV file.
    """
    return _parse(file)[0]


def _parse(file: Location) -> tuple[list[str], list[int], list[list[str]]]:
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file}: The file is not text in UTF-8 (byte {error.start}). Save it as CSV in UTF-8."
        ) from error
    if "\0" in text:
        raise InputError(f"{file}: The file is not a CSV file, as it has zero bytes.")
    lines, rows = [], []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                lines.append(reader.line_num)
                rows.append(row)
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}: The line is not CSV: {phrase(error)}.") from error
    if not rows:
        raise InputError(f"{file}: The file is empty. Its first line must name the columns.")
    header = [name.strip() for name in rows[0]]
    if len(rows) == 1:
        raise InputError(f"{file}: There are no rows below the line that names the columns.")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise InputError(
                f"{file}, line {line}: The line has {len(row)} cells, but the first line names {len(header)} columns."
            )
    return header, lines[1:], rows[1:]


def _values(file: Location, column: Column, header: list[str], lines: list[int], rows: list[list[str]]) -> pd.Series:
    kind = "object" if column.parse is word else "float64"
    if column.name not in header:
        return pd.Series([None if kind == "object" else math.nan] * len(rows), dtype=kind)
    position = header.index(column.name)
    values = []
    for line, row in zip(lines, rows, strict=True):
        cell = row[position]
        try:
            value = column.parse(cell)
        except ValueError as error:
            raise InputError(f"{file}, line {line}, column {column.name!r}: {cell!r} {phrase(error)}.") from error
        if column.filled and pd.isna(value):
            raise InputError(f"{file}, line {line}, column {column.name!r}: The cell is empty, and must not be.")
        values.append(value)
    return pd.Series(values, dtype=kind)
