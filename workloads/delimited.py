"""Text in columns, as spreadsheets and programs write it: which separator, which decimal sign, which cells are empty.

Nothing is guessed. A separator is one that the first line proves, a decimal comma one that a cell proves, and what may
mean two things is refused with its place.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MISSING = frozenset({"", "-", "--", "#n/a", "<na>", "n/a", "na", "nan", "none", "null"})
"""Cells without a value, in lower case."""

_EXCEL = re.compile(r"sep=(.)", re.IGNORECASE)  # Excel's own first line
_COMMA_DECIMALS = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+,\d+|\d+,(\d{1,2}|\d{4,})|0\d*,\d+|\d{4,},\d+|,\d+)\D?")
_POINT_DECIMALS = re.compile(r"[+-]?(\d{1,3}(,\d{3})+\.\d+|\d*\.(\d{0,2}|\d{4,})|0\d*\.\d+|\d{4,}\.\d+)\D?")
_EITHER = re.compile(r"[+-]?\d{1,3},\d{3}\D?")


def missing(cell: str) -> bool:
    """Tell whether a cell has no value: it is empty, or says so, such as `NaN`, `null`, `N/A` or `--`."""
    return cell.strip().lower() in MISSING


def decode(content: bytes, name: str) -> str:
    """Decode text in UTF-8, with or without a byte order mark, or in UTF-16 with one.

    Raises:
        InputError: It is neither; `name` is what the message calls it.
    """
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: The file is not text in UTF-8 (byte {error.start}). Save it as CSV in UTF-8."
        ) from error
    if "\0" in text:
        raise InputError(f"{name}: The file is not a CSV file, as it has zero bytes.")
    return text


@dataclass(frozen=True)
class Layout:
    """How the columns of a file are told apart.

    Attributes:
        separator: Between two cells.
        skipped: Lines before the one with the names of the columns.
    """

    separator: str = ","
    skipped: int = 0

    @classmethod
    def of(cls, first_lines: str, wanted: Collection[str] = ()) -> Layout:
        """Find the layout in a file's first two lines.

        Args:
            first_lines: The lines, which may be followed by others.
            wanted: Names of columns, at least one of which a line that is split rightly has.
        """
        first, *_ = [*first_lines.splitlines(), ""]
        if declared := _EXCEL.fullmatch(first.strip(" ")):
            return cls(declared[1], skipped=1)
        names = {separator: [name.strip(' "') for name in first.split(separator)] for separator in SEPARATORS}
        known = {separator: len({*found} & {*wanted}) for separator, found in names.items()}
        if not any(known.values()):  # no column has a known name: the message will say which there are
            known = {separator: len(found) for separator, found in names.items()}
        return cls(max(SEPARATORS, key=lambda separator: known[separator]))


def decimal_sign(cells: Iterable[tuple[str, str]], layout: Layout, name: str) -> str:
    """Find whether the numbers of a file have a decimal comma or a decimal point.

    Args:
        cells: Where each number stands, as in "line 2, column 'km'", and its text.
        layout: Of the file. Where columns are separated by commas, `1,234` has its thousands apart.
        name: What a message calls the file.

    Raises:
        InputError: The file has both, or a cell such as `1,234` may be either.
    """
    comma = point = either = None
    for place, cell in cells:
        text = cell.strip()
        if _COMMA_DECIMALS.fullmatch(text):
            comma = comma or (place, text)
        elif "." in text and _POINT_DECIMALS.fullmatch(text):
            point = point or (place, text)
        elif layout.separator != "," and _EITHER.fullmatch(text):
            either = either or (place, text)
    if comma and point:
        raise InputError(
            f"{name}: The number {comma[1]!r} in {comma[0]} has a decimal comma, and {point[1]!r} in {point[0]} has a "
            "decimal point. Write all numbers in one way."
        )
    if either and not comma and not point:
        raise InputError(
            f"{name}, {either[0]}: The number {either[1]!r} may have a decimal comma, or its thousands apart. Write it "
            "with a decimal point, or without the comma."
        )
    return "," if comma else "."


def with_point(cell: str, sign: str) -> str:
    """Write a number with a decimal point, if its file has decimal commas."""
    return cell.replace(".", "").replace(",", ".") if sign == "," else cell


def same_spelling(text: str) -> str:
    """What two spellings of a category have in common: neither case nor the number of blanks matters."""
    return " ".join(text.split()).casefold()
