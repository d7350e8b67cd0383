"""CSV files: read, checked, every error with its line and column."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from contract.errors import InputError, phrase
from workloads.delimited import (
    CONTROL_CHARACTER,
    Cells,
    DecimalSign,
    decimal_sign,
    missing,
    read_cells,
    same_spelling,
    spreadsheet_error,
    with_point,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from workloads.storage import Location

_NUMBER = re.compile(r"[+-]?(([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")

_SHOWN = 5  # categories in a note
_LARGEST = 1e12  # no distance, yard or minute is; float32 ends at 3e38, and features are products

LINE = "line"
"""The column with the line of the file on which a row ends, counted from 1."""


def number(text: str) -> float:
    """Return a number; `1,234.5` has its thousands apart, and an empty cell or `--` is NaN.

    Raises:
        ValueError: It is neither.
    """
    text = text.strip()
    if missing(text):
        return math.nan
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    value = float(text.replace(",", ""))
    if abs(value) > _LARGEST:
        raise ValueError("is too large")
    return value


def amount(text: str) -> float:
    """Return a number that cannot be negative.

    Raises:
        ValueError: It is not one.
    """
    value = number(text)
    if value < 0:
        raise ValueError("is negative")
    return value


def word(text: str) -> str | None:
    """Return a category or a name; None for a cell without a value.

    Raises:
        ValueError: It is an error of a spreadsheet, or has a control character.
    """
    text = text.strip()
    if missing(text):
        return None
    if spreadsheet_error(text):
        raise ValueError("is an error of the spreadsheet")
    if CONTROL_CHARACTER.search("".join(text.split())):  # a line break is only a blank
        raise ValueError("has a control character")
    return text


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
    """Read the given columns of a CSV file, whatever others it has and in whatever order.

    UTF-8 with or without a byte order mark, or UTF-16; commas, semicolons, tabs or vertical bars between the cells;
    decimal points, or decimal commas where a cell proves them; any line ends, quotes as in RFC 4180. Lines without a
    value are no rows. Spellings of a category that differ in case or blanks are one: the commonest.

    Args:
        file: The file.
        columns: What to read.

    Returns:
        The columns in the given order: float64 for numbers, object for words; then `line`.

    Raises:
        InputError: It is not such a file; the message names the file, and where there is one the line and the column.
    """
    cells = read_cells(file.read(), str(file), [column.name for column in columns])
    cells.require([column.name for column in columns if column.required or column.name in cells.header])
    sign = decimal_sign(_numbers(cells, columns), cells.layout, str(file))
    table = {column.key: _values(file, column, cells, sign) for column in columns}
    return pd.DataFrame(table | {LINE: pd.Series(cells.lines, dtype="int64")})


def read_header(file: Location) -> list[str]:
    """Return the names in the first line of a CSV file.

    Raises:
        InputError: It is not a CSV file.
    """
    return read_cells(file.read(), str(file)).header


def _numbers(cells: Cells, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """Yield where each number stands, and its text."""
    for column in columns:
        if column.parse is not word and column.name in cells.header:
            for line, cell in cells.of(column.name):
                yield f"line {line}, column {column.name!r}", cell


def _values(file: Location, column: Column, cells: Cells, sign: DecimalSign) -> pd.Series:
    kind = "object" if column.parse is word else "float64"
    if column.name not in cells.header:
        return pd.Series([None if kind == "object" else math.nan] * len(cells.rows), dtype=kind)
    values = []
    for line, cell in cells.of(column.name):
        try:
            value = column.parse(cell if kind == "object" else with_point(cell.strip(), sign, cells.layout))
        except ValueError as error:
            raise InputError(f"{file}, line {line}, column {column.name!r}: {cell!r} {phrase(error)}.") from error
        if column.filled and pd.isna(value):
            raise InputError(f"{file}, line {line}, column {column.name!r}: The cell is empty, and must not be.")
        values.append(value)
    series = pd.Series(values, dtype=kind)
    return _commonest_spellings(series) if kind == "object" else series


def _commonest_spellings(words: pd.Series) -> pd.Series:
    """Return the same words, each in the spelling that is the commonest of those that differ only in case or blanks."""
    spellings: dict[str, str] = {}
    for spelling in words.value_counts().index:  # the commonest first
        spellings.setdefault(same_spelling(spelling), spelling)
    return _respelt(words, spellings)


def _respelt(words: pd.Series, spellings: Mapping[str, str]) -> pd.Series:
    """Words in the spelling that is known; None and words that are not known stay as they are."""
    return pd.Series(
        [None if word is None else spellings.get(same_spelling(word), word) for word in words], words.index, "object"
    )


def known_spellings(
    table: pd.DataFrame, categories_of_column: Mapping[str, Sequence[str]]
) -> tuple[pd.DataFrame, list[str]]:
    """Write categories as they were in training, and report which are new.

    Args:
        table: Rows to predict.
        categories_of_column: The categories of each column in training.

    Returns:
        The table, and a sentence for each column with unknown categories: which, and in how many rows.
    """
    notes, columns = [], {}
    for name, categories in categories_of_column.items():
        spellings = {same_spelling(category): category for category in categories}
        columns[name] = _respelt(table[name], spellings)
        unknown = columns[name][~columns[name].isin(categories) & columns[name].notna()].value_counts()
        if len(unknown):
            listed = ", ".join(f"{category!r} ({count})" for category, count in unknown.head(_SHOWN).items())
            more = f" and {len(unknown) - _SHOWN} others" if len(unknown) > _SHOWN else ""
            notes.append(
                f"{int(unknown.sum())} of {len(table)} rows have a {name} that was not there in training, and is taken "
                f"as none of {', '.join(categories)}: {listed}{more}."
            )
    return table.assign(**columns), notes


def outside_training(table: pd.DataFrame, ranges: Mapping[str, Sequence[float]]) -> list[str]:
    """Say which numbers are outside the range of the training rows: a sentence for each column that has some.

    Args:
        table: Rows to predict.
        ranges: The smallest and the largest number of each column in training.
    """
    notes = []
    for name, (least, most) in ranges.items():
        outside = table[name][(table[name] < least) | (table[name] > most)]
        if len(outside):
            furthest = max(outside, key=lambda value: max(least - value, value - most))
            notes.append(
                f"{len(outside)} of {len(table)} rows have a {name} outside the {least:g} to {most:g} of the training, "
                f"such as {furthest:g}: their predictions are less certain than they say."
            )
    return notes


def without_values(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Say which columns have no value in any row: a sentence, if there are some."""
    empty = [name for name in names if table[name].isna().all()]
    return [f"No row has a value for {', '.join(empty)}: the predictions do without."] if empty else []


def without_variation(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Say which columns are the same in every row: a sentence, if there are some."""
    constant = [name for name in names if len(table[name].drop_duplicates()) == 1]
    return [f"Every row has the same {', '.join(constant)}: there is nothing to learn from it."] if constant else []
