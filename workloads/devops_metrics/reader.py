"""CSV files as rows, in batches, with memory for a few batches only. Every line becomes a row or a fault."""

from __future__ import annotations

import glob
import math
import os
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from contract.errors import InputError
from workloads.delimited import (
    CONTROL_CHARACTER,
    LONGEST_LINE,
    SAMPLE_LINES,
    decimal_sign,
    missing,
    open_lines,
    read_sample,
    separated_by,
    spreadsheet_error,
    with_point,
)
from workloads.devops_metrics.repeats import Repeats
from workloads.devops_metrics.timestamps import Timestamps
from workloads.timeseries.row import Dimensions, Row, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workloads.timeseries.schema import MeasureType, Schema

BATCH_ROWS = 10_000
_BATCH_BYTES = 8 << 20
_LONGEST_VALUE = 2048  # bytes of a dimension's value: LiveAnalytics' limit
_FUTURE = 15 * 60 * 10**6  # microseconds; LiveAnalytics takes no later time, and a later one is a wrong clock anyway
_POLL_SECONDS = 0.5  # how often a followed file is looked at
_GRACE_SECONDS = 2.0  # how long a file that was replaced must stay as it is until nobody is taken to write to it
_TAIL_BYTES = 256  # of what was read last: a file in which they stand elsewhere, or nowhere, was cut
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,19}(\.0*)?", re.ASCII)


class Fault(NamedTuple):
    """One line that cannot be written, and why."""

    line: int
    reason: str
    text: str


class Batch(NamedTuple):
    """Lines in the order of the file.

    Attributes:
        rows: No two of a file have the same time and dimensions.
        faults: The other lines.
        repeated: How many of the faults are rows for a time and dimensions that an earlier line has.
        position: How many bytes of the file are behind these lines.
    """

    rows: list[Row]
    faults: list[Fault]
    repeated: int
    position: int


class Reader:
    """Reads one file. One row is one line: a quotation mark that its line does not close makes a fault of that line.

    Args:
        path: The file, as `workloads.delimited` reads it: UTF-8 or UTF-16, compressed by gzip or not, with any of the
            usual separators, with decimal points, or with decimal commas where the schema or the first thousand lines
            say so.
        schema: What its columns mean.
        follow: Wait for more at the end of the file, as `tail -F` does, until `stop` says so. A file that was replaced
            is read on until a while passes in which nobody writes to it. Of a file that was copied and cut, the rest of
            the copy is read, if it lies in the same folder and its name begins in the same way.
        stop: Asked at the end of the file.

    Raises:
        InputError: The file cannot be read or followed, its header lacks a column, or its numbers may mean two things.
    """

    def __init__(
        self, path: Path, schema: Schema, *, follow: bool = False, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._path = path
        self._schema = schema
        self._follow = follow
        self._stop = stop
        times = Timestamps(schema.timezone, schema.time_format)
        self._microseconds = lru_cache(maxsize=4096)(times.microseconds)  # the rows of a moment stand together
        self._check = lru_cache(maxsize=4096)(self._check_dimensions)  # and a fleet has few of them
        with open_lines(path) as file:
            seekable = file.seekable()
        if follow and not seekable:
            raise InputError(f"{path}: A file that is compressed or in UTF-16 cannot be followed. Leave --watch out.")
        self.size = path.stat().st_size if seekable and not follow else None
        """Bytes that are to be read, where that is known."""
        self._was_cut = False
        self._learn()

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """The file from its start, at most `size` lines and some megabytes at a time.

        At the end of a file that is followed, a batch may be smaller, or empty.

        Raises:
            InputError: A file that took the place of a followed one has other columns, or no disk is left to find
                repeated rows with.
        """
        file = open_lines(self._path)
        try:
            with Repeats() as repeats:
                while True:
                    yield from self._to_the_end(file, size, repeats)
                    if not self._follow:
                        return
                    tail = _tail(file)
                    if self._stop():
                        return
                    time.sleep(_POLL_SECONDS)
                    # A file that was cut may have grown again beyond where it was read.
                    is_cut = _tail(file) != tail or os.fstat(file.fileno()).st_size < file.tell()
                    if is_cut:
                        yield from self._rest_of_copy(file.tell(), tail, size, repeats)
                    elif self._is_replaced(file):
                        yield from self._to_the_last_line(file, size, repeats)
                    else:
                        continue
                    file.close()
                    file, self._was_cut = open_lines(self._path), is_cut
                    repeats.begin_another_file()
        finally:
            file.close()

    def _learn(self) -> None:
        """Learn from the first lines which columns the file has and how it writes numbers."""
        schema = self._schema
        columns = [schema.columns.get(name, name) for name in (schema.time, *schema.dimensions, *schema.measures)]
        sample = read_sample(self._path, columns)
        try:
            positions = schema.positions(sample.header)
        except InputError as error:
            marks = separated_by(sample.layout)
            raise InputError(f"{self._path}, {error} The columns are separated by {marks}.") from error
        measures = zip(schema.measures.items(), positions[-len(schema.measures) :], strict=True)
        numbers = (
            (f"line {line}, column {name!r}", row[at])
            for (name, kind), at in measures
            if kind in {"DOUBLE", "BIGINT"}
            for line, row in sample.rows
        )
        remedy = 'A mapping file can declare it by decimal = "," or decimal = ".".'
        self._sign = schema.decimal or decimal_sign(numbers, sample.layout, str(self._path), remedy)
        self._positions, self._layout, self._width = positions, sample.layout, len(sample.header)
        self._knows_numbers = bool(self._sign) or len(sample.rows) >= SAMPLE_LINES // 2
        self._parsers = [(name, self._parser(kind)) for name, kind in schema.measures.items()]

    def _parser(self, kind: MeasureType) -> Callable[[str], Value]:
        parse, sign, layout = _PARSERS[kind], self._sign, self._layout
        if sign == "." or kind in {"BOOLEAN", "VARCHAR"}:
            return parse  # which reads the usual spelling, and others come second
        return lambda text: parse(with_point(text, sign, layout))

    def _to_the_end(self, file: BinaryIO, size: int, repeats: Repeats, *, complete: bool = False) -> Iterator[Batch]:
        """What there is of a file by now; all of it, once nothing more will be `complete`d."""
        complete = complete or not self._follow
        begins = file.tell() == 0
        if begins and not self._skip_header(file, complete=complete):
            yield Batch([], [], 0, 0)
            return
        if self._follow and begins:
            self._learn_again(file)
        elif self._follow and not (self._knows_numbers or self._was_cut or self._is_replaced(file)):
            self._learn()
        rows, faults, read = list[Row](), list[Fault](), 0
        while (raw := self._line(file, complete=complete)) is not None:
            parsed = self._parse(raw, time.time_ns() // 1000 + _FUTURE) if raw.strip() else None
            if isinstance(parsed, Row):
                rows.append(parsed)
            elif parsed:
                faults.append(parsed)
            read += len(raw)
            if len(rows) + len(faults) >= size or read >= _BATCH_BYTES:
                yield _batch(rows, faults, repeats, file.tell())
                rows, faults, read = [], [], 0
        if rows or faults or self._follow:
            yield _batch(rows, faults, repeats, file.tell())

    def _to_the_last_line(self, file: BinaryIO, size: int, repeats: Repeats) -> Iterator[Batch]:
        """What is still written to a file that was replaced, by those who have not noticed yet."""
        read = -1
        while file.tell() != read and not self._stop():
            read = file.tell()
            time.sleep(_GRACE_SECONDS)
            yield from self._to_the_end(file, size, repeats)
        yield from self._to_the_end(file, size, repeats, complete=True)

    def _rest_of_copy(self, position: int, tail: bytes, size: int, repeats: Repeats) -> Iterator[Batch]:
        """What was written to a file before it was copied and cut, and had not been read."""
        for path in self._path.parent.glob(f"{glob.escape(self._path.stem)}*"):
            if not (path.is_file() and os.access(path, os.R_OK)):
                continue
            with path.open("rb") as copy:
                copy.seek(position)
                if tail and _tail(copy) == tail:
                    yield from self._to_the_end(copy, size, repeats, complete=True)
                    return

    def _learn_again(self, file: BinaryIO) -> None:
        """Read the header of a followed file. One that was cut may lack it: who writes to it has written one before."""
        try:
            self._learn()
        except InputError:
            if not self._was_cut:
                raise
            file.seek(0)
            self._number = 0

    def _skip_header(self, file: BinaryIO, *, complete: bool) -> bool:
        """Go behind the header, unless it is still being written."""
        self._number = 0
        while (line := self._line(file, complete=complete)) is not None:
            if line.strip() and not re.fullmatch(rb"(\xef\xbb\xbf)?\s*sep=.\s*", line, re.IGNORECASE):
                return True
        if self._follow:
            file.seek(0)
        return False

    def _line(self, file: BinaryIO, *, complete: bool) -> bytes | None:
        """Return the next line; None at the end, and before a line that is still being written to a growing file."""
        start = 0 if complete else file.tell()
        raw = file.readline(LONGEST_LINE + 1)
        if not raw:
            return None
        if not raw.endswith(b"\n"):
            if len(raw) > LONGEST_LINE:
                while (remainder := file.readline(LONGEST_LINE)) and not remainder.endswith(b"\n"):
                    pass
            elif not complete:
                file.seek(start)
                return None
        self._number += 1
        return raw

    def _is_replaced(self, file: BinaryIO) -> bool:
        """Whether the path names another file by now."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        then = os.fstat(file.fileno())
        return (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino)

    def _parse(self, raw: bytes, latest: int) -> Row | Fault | None:
        """A line's row, what is wrong with it, or None where all of its cells are empty."""
        text = raw.decode("utf-8", errors="backslashreplace").rstrip("\r\n")
        try:
            if len(raw) > LONGEST_LINE:
                text = text[:200] + "…"
                raise ValueError(f"longer than {LONGEST_LINE:,} bytes")  # noqa: TRY301
            cells = self._layout.cells(raw.decode().rstrip("\r\n"))
            if len(cells) != self._width:
                raise ValueError(f"{len(cells)} cells, the header has {self._width}")  # noqa: TRY301
            moment = self._microseconds(cells[self._positions[0]].strip())
            last_dimension = len(self._schema.dimensions) - len(self._schema.fixed)
            dimensions = self._schema.with_fixed([cells[at].strip() for at in self._positions[1 : last_dimension + 1]])
            measures = self._measures([cells[at].strip() for at in self._positions[last_dimension + 1 :]])
            self._check(dimensions)
            if moment > latest:
                raise ValueError(f"{self._schema.time}: more than 15 minutes in the future")  # noqa: TRY301
        except UnicodeDecodeError as error:
            return Fault(self._number, f"not UTF-8 at byte {error.start + 1}: save the file as UTF-8", text)
        except ValueError as error:
            empty = not text.strip(self._layout.separator + '" \t')
            return None if empty else Fault(self._number, str(error), text)
        return Row(self._number, moment, dimensions, measures, text)

    def _measures(self, cells: list[str]) -> tuple[Value | None, ...]:
        values: list[Value | None] = []
        for (name, parse), cell in zip(self._parsers, cells, strict=True):
            try:
                values.append(parse(cell) if cell else None)
            except ValueError:
                values.append(self._in_another_spelling(name, parse, cell))
        if not any(value is not None for value in values):
            raise ValueError("no measure has a value")
        return tuple(values)

    def _in_another_spelling(self, name: str, parse: Callable[[str], Value], cell: str) -> Value | None:
        """The value of a cell that is missing, or has its thousands apart."""
        if missing(cell):
            return None
        try:
            return parse(with_point(cell, self._sign, self._layout))
        except ValueError as error:
            raise ValueError(f"{name}: {cell[:80]!r} is {error}") from None

    def _check_dimensions(self, dimensions: Dimensions) -> None:
        for name, value in zip(self._schema.dimensions, dimensions, strict=True):
            if not value:
                raise ValueError(f"{name}: empty")
            if spreadsheet_error(value):
                raise ValueError(f"{name}: {value!r} is an error of the spreadsheet")
            if CONTROL_CHARACTER.search(value):
                raise ValueError(f"{name}: holds a control character")
            if len(value.encode()) > _LONGEST_VALUE:
                raise ValueError(f"{name}: longer than {_LONGEST_VALUE:,} bytes")


def _tail(file: BinaryIO) -> bytes:
    """The bytes of a file before its position, as they are now."""
    start = max(0, file.tell() - _TAIL_BYTES)
    return os.pread(file.fileno(), file.tell() - start, start)


def _batch(rows: list[Row], faults: list[Fault], repeats: Repeats, position: int) -> Batch:
    earlier = repeats.remember([(row.line, row.time, row.dimensions) for row in rows])
    if earlier:
        reason = "a second row for the time and dimensions of"
        repeated = [Fault(row.line, f"{reason} {earlier[row.line]}", row.text) for row in rows if row.line in earlier]
        rows, faults = [row for row in rows if row.line not in earlier], sorted([*faults, *repeated])
    return Batch(rows, faults, len(earlier), position)


def _double(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("not a number") from None
    if "_" in text or not text.isascii():  # Python takes these
        raise ValueError("not a number")
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _bigint(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError("not a whole number")
    value = int(text.partition(".")[0])
    if not -(2**63) <= value < 2**63:
        raise ValueError("outside 64 bits")
    return value


def _boolean(text: str) -> bool:
    booleans = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in booleans:
        raise ValueError("neither true nor false")
    return booleans[text.lower()]


def _varchar(text: str) -> str:
    if CONTROL_CHARACTER.search(text) or len(text.encode()) > _LONGEST_VALUE:
        raise ValueError(f"a text with control characters or longer than {_LONGEST_VALUE:,} bytes")
    return text


_PARSERS: dict[MeasureType, Callable[[str], Value]] = {
    "DOUBLE": _double,
    "BIGINT": _bigint,
    "BOOLEAN": _boolean,
    "VARCHAR": _varchar,
}
