"""CSV files as rows, in batches, with memory for a few batches only. Every line becomes a row or a fault."""

from __future__ import annotations

import glob
import math
import os
import re
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

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
from workloads.devops_metrics.plain import Lines, Meaning, PlainReader
from workloads.devops_metrics.repeats import Repeats
from workloads.devops_metrics.timestamps import Timestamps
from workloads.timeseries.columns import Columns
from workloads.timeseries.row import Dimensions, Row, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workloads.objects import ObjectFile
    from workloads.timeseries.schema import MeasureType, Schema

BATCH_ROWS = 5_000
_BATCH_BYTES = 8 << 20
_BLOCK_BYTES = 256 << 10  # what is read at once
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
        rows: No two of a file have the same time and dimensions. They are held as columns.
        faults: The other lines.
        repeated: How many of the faults are rows for a time and dimensions that an earlier line has.
        position: How many bytes of the file are behind these lines.
    """

    rows: Columns
    faults: list[Fault]
    repeated: int
    position: int


class Reader:
    """Reads one file. One row is one line: a quotation mark that its line does not close makes a fault of that line.

    Args:
        path: The file, or an object of S3, as `workloads.delimited` reads it: UTF-8 or UTF-16, compressed by gzip or
            not, with any of the usual separators, with decimal points, or with decimal commas where the schema or the
            first thousand lines say so.
        schema: What its columns mean.
        follow: Wait for more at the end of the file, as `tail -F` does, until `stop` says so. A file that was replaced
            is read on until a while passes in which nobody writes to it. Of a file that was copied and cut, the rest of
            the copy is read, if it lies in the same folder and its name begins in the same way.
        stop: Asked at the end of the file.

    Raises:
        InputError: The file cannot be read or followed, its header lacks a column, or its numbers may mean two things.
    """

    def __init__(
        self, path: Path | ObjectFile, schema: Schema, *, follow: bool = False, stop: Callable[[], bool] = lambda: False
    ) -> None:
        if follow and not isinstance(path, Path):
            raise InputError(f"{path}: An object of S3 cannot be followed. Leave --watch out.")
        self._path = path
        self._schema = schema
        self.follow = follow
        self._stop = stop
        self._times = Timestamps(schema.timezone, schema.time_format)
        self._microseconds = lru_cache(maxsize=4096)(self._times.microseconds)  # the rows of a moment stand together
        self._check = lru_cache(maxsize=4096)(self._check_dimensions)  # and a fleet has few of them
        with open_lines(path) as file:
            seekable = file.seekable()
        if follow and not seekable:
            raise InputError(f"{path}: A file that is compressed or in UTF-16 cannot be followed. Leave --watch out.")
        size = path.stat().st_size if isinstance(path, Path) else path.size
        self.size = size if seekable and not follow else None
        """Bytes that are to be read, where that is known."""
        self._was_cut = False
        self._left = b""  # whole lines that were read, and belong to the next batch
        self._learn()

    def batches(self, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """Yield the file from its start, at most `size` lines and some megabytes at a time.

        At the end of a file that is followed, a batch may be smaller, or empty.

        Raises:
            InputError: A file that took the place of a followed one has other columns, or no disk is left to find
                repeated rows with.
        """
        file, self._left = open_lines(self._path), b""
        try:
            with Repeats() as repeats:
                while True:
                    yield from self._to_the_end(file, size, repeats)
                    if not self.follow:
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
        self._plain = PlainReader(
            schema,
            Meaning(
                self._layout,
                self._width,
                positions,
                self._sign,
                self._times,
                self._microseconds,
                self._dimensions,
                [partial(self._measure, name, parse) for name, parse in self._parsers],
            ),
        )

    def _parser(self, kind: MeasureType) -> Callable[[str], Value]:
        parse, sign, layout = _PARSERS[kind], self._sign, self._layout
        if sign == "." or kind in {"BOOLEAN", "VARCHAR"}:
            return parse  # which reads the usual spelling, and others come second
        return lambda text: parse(with_point(text, sign, layout))

    def _to_the_end(self, file: BinaryIO, size: int, repeats: Repeats, *, complete: bool = False) -> Iterator[Batch]:
        """Yield what there is of a file by now; all of it, once nothing more will be `complete`d."""
        complete = complete or not self.follow
        begins = file.tell() == 0
        if begins and not self._skip_header(file, complete=complete):
            yield Batch(Columns.holding([], self._schema), [], 0, 0)
            return
        if self.follow and begins:
            self._learn_again(file)
        elif self.follow and not (self._knows_numbers or self._was_cut or self._is_replaced(file)):
            self._learn()
        while lines := self._lines(file, size, complete=complete):
            yield self._batch(lines, repeats, file.tell() - len(self._left))
        if self.follow:
            yield Batch(Columns.holding([], self._schema), [], 0, file.tell())

    def _to_the_last_line(self, file: BinaryIO, size: int, repeats: Repeats) -> Iterator[Batch]:
        """Yield what is still written to a file that was replaced, by those who have not noticed yet."""
        read = -1
        while file.tell() != read and not self._stop():
            read = file.tell()
            time.sleep(_GRACE_SECONDS)
            yield from self._to_the_end(file, size, repeats)
        yield from self._to_the_end(file, size, repeats, complete=True)

    def _rest_of_copy(self, position: int, tail: bytes, size: int, repeats: Repeats) -> Iterator[Batch]:
        """Yield what was written to a file before it was copied and cut, and had not been read."""
        assert isinstance(self._path, Path)  # noqa: S101 - it is followed
        siblings = self._path.parent.glob(f"{glob.escape(self._path.stem)}*")
        copies = [path for path in siblings if path.is_file() and os.access(path, os.R_OK)]
        for path in sorted(copies, key=lambda path: path.stat().st_mtime_ns, reverse=True):  # earlier ones begin alike
            with path.open("rb") as copy:
                copy.seek(position)
                if tail and _tail(copy) == tail:
                    yield from self._to_the_end(copy, size, repeats, complete=True)
                    return

    def _learn_again(self, file: BinaryIO) -> None:
        """Read the header of a followed file. A file that was cut may lack it: its writer has written one before."""
        time_column = self._schema.columns.get(self._schema.time, self._schema.time)
        if self._was_cut and time_column.encode() not in os.pread(file.fileno(), file.tell(), 0):
            file.seek(0)
            self._number = 0
        else:
            self._learn()

    def _skip_header(self, file: BinaryIO, *, complete: bool) -> bool:
        """Go behind the header, unless it is still being written."""
        self._number = 0
        while (line := self._line(file, complete=complete)) is not None:
            if line.strip() and not re.fullmatch(rb"(\xef\xbb\xbf)?\s*sep=.\s*", line, re.IGNORECASE):
                return True
        if self.follow:
            file.seek(0)
        return False

    def _line(self, file: BinaryIO, *, complete: bool) -> bytes | None:
        """Return the next line of the header; None at the end, and before a line that is still being written."""
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

    def _lines(self, file: BinaryIO, size: int, *, complete: bool) -> Lines | None:
        """Return the next lines, `size` of them at most; None where there are no whole ones at the end of the file."""
        content, count, ended = self._left, self._left.count(b"\n"), False
        while not ended and count < size and len(content) < _BATCH_BYTES:
            block, ended = self._block(file, complete=complete)
            content, count = content + block, count + block.count(b"\n")
        if not content:
            return None
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
        if not content.endswith(b"\n"):
            ends = np.append(ends, len(content))
        ends = ends[: min(size, int(np.searchsorted(ends, _BATCH_BYTES - 1)) + 1)]
        content, self._left = content[: ends[-1] + 1], content[ends[-1] + 1 :]
        first, self._number = self._number + 1, self._number + len(ends)
        return Lines(content, np.concatenate(([0], ends[:-1] + 1)), ends, first)

    def _block(self, file: BinaryIO, *, complete: bool) -> tuple[bytes, bool]:
        """Return the next whole lines, and whether they are the last ones by now."""
        block = file.read(_BLOCK_BYTES)
        begun = len(block) - block.rfind(b"\n") - 1
        if not begun:
            return block, not block
        block += file.readline(LONGEST_LINE + 1 - begun)
        if block.endswith(b"\n"):
            return block, False
        if len(block) - block.rfind(b"\n") - 1 > LONGEST_LINE:
            while (remainder := file.readline(LONGEST_LINE)) and not remainder.endswith(b"\n"):
                pass
            return block + b"\n", False
        if complete:
            return block, True
        whole = block.rfind(b"\n") + 1
        file.seek(file.tell() - len(block) + whole)
        return block[:whole], True

    def _batch(self, lines: Lines, repeats: Repeats, position: int) -> Batch:
        """Return what lines are: rows, or faults."""
        faults: list[Fault] = []
        latest = time.time_ns() // 1000 + _FUTURE

        def parse(raw: bytes, number: int) -> Row | None:
            parsed = self._parse(raw, number, latest) if raw.strip() else None
            if isinstance(parsed, Fault):
                faults.append(parsed)
                return None
            return parsed

        rows = self._plain.read(lines, latest, parse)
        earlier = repeats.remember(rows)
        if earlier:
            repeated = rows.of(np.array([*earlier]))
            reason = "a second row for the time and dimensions of"
            again = zip(repeated, earlier.values(), strict=True)
            faults = sorted([*faults, *(Fault(row.line, f"{reason} {line}", row.text) for row, line in again)])
            rows = rows.of(np.delete(np.arange(len(rows)), [*earlier]))
        return Batch(rows, faults, len(earlier), position)

    def _is_replaced(self, file: BinaryIO) -> bool:
        """Return whether the path names another file by now."""
        assert isinstance(self._path, Path)  # noqa: S101 - it is followed
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        then = os.fstat(file.fileno())
        return (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino)

    def _parse(self, raw: bytes, number: int, latest: int) -> Row | Fault | None:
        """Return a line's row, what is wrong with it, or None where all of its cells are empty."""
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
            measures = self._measures([cells[at].strip() for at in self._positions[last_dimension + 1 :]])
            dimensions = self._dimensions([cells[at].strip() for at in self._positions[1 : last_dimension + 1]])
            if moment > latest:
                raise ValueError(f"{self._schema.time}: more than 15 minutes in the future")  # noqa: TRY301
        except UnicodeDecodeError as error:
            return Fault(number, f"not UTF-8 at byte {error.start + 1}: save the file as UTF-8", text)
        except ValueError as error:
            empty = not text.strip(self._layout.separator + '" \t')
            return None if empty else Fault(number, str(error), text)
        return Row(number, moment, dimensions, measures, text)

    def _measures(self, cells: list[str]) -> tuple[Value | None, ...]:
        values = [self._measure(*parser, cell) for parser, cell in zip(self._parsers, cells, strict=True)]
        if not any(value is not None for value in values):
            raise ValueError("no measure has a value")
        return tuple(values)

    def _measure(self, name: str, parse: Callable[[str], Value], cell: str) -> Value | None:
        try:
            return parse(cell) if cell else None
        except ValueError:
            return self._in_another_spelling(name, parse, cell)

    def _in_another_spelling(self, name: str, parse: Callable[[str], Value], cell: str) -> Value | None:
        """Return the value of a cell that is missing, or has its thousands apart."""
        if missing(cell):
            return None
        try:
            return parse(with_point(cell, self._sign, self._layout))
        except ValueError as error:
            raise ValueError(f"{name}: {cell[:80]!r} is {error}") from None

    def _dimensions(self, cells: Sequence[str]) -> Dimensions:
        dimensions = self._schema.with_fixed(cells)
        self._check(dimensions)
        return dimensions

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
    """Return the bytes of a file before its position, as they are now."""
    start = max(0, file.tell() - _TAIL_BYTES)
    return os.pread(file.fileno(), file.tell() - start, start)


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
