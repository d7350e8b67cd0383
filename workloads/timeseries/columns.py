"""Rows as columns: what many points are held, sent and counted as without an object for each value.

A value is the part of a buffer in which its text stands, written as Python writes the value. So a number that a file
already has in this form is never read into a float and written again, and a request is put together by copying.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from workloads.timeseries.row import Dimensions, Row, Value
from workloads.timeseries.schema import MeasureType, Schema

Integers = NDArray[np.int64]
Bytes = NDArray[np.uint8]

ROWS_AT_ONCE = 2000
"""Rows that are put together at once: their places take 8 bytes for each byte of their texts."""

_DIGITS = 19  # of the longest number
_POWERS = 10 ** np.arange(_DIGITS - 1, -1, -1, dtype=np.int64)
_VALUES: dict[MeasureType, Callable[[str], Value]] = {
    "DOUBLE": float,
    "BIGINT": int,
    "BOOLEAN": lambda text: text == "true",
    "VARCHAR": str,
}


class Cells(NamedTuple):
    """The texts of a column, as places in a buffer.

    Attributes:
        start: Where each begins, shape (n,).
        length: Its bytes; -1 where there is no value.
    """

    start: Integers
    length: Integers

    def at(self, rows: Integers | slice) -> Cells:
        """Return those of some rows."""
        return Cells(self.start[rows], self.length[rows])


@dataclass(frozen=True)
class Measure:
    """A column of measures.

    Attributes:
        name: Its name.
        kind: Its type.
        cells: The values, as Python writes them, but for `.0` behind whole numbers that are DOUBLE.
        whole: Which values lack this `.0`, shape (n,).
    """

    name: str
    kind: MeasureType
    cells: Cells
    whole: NDArray[np.bool_]

    def values(self, buffer: bytes) -> list[Value | None]:
        """Return the values, whose texts stand in a buffer."""
        value = _VALUES[self.kind]
        return [
            None if length < 0 else value(buffer[start : start + length].decode())
            for start, length in _pairs(self.cells)
        ]


@dataclass(frozen=True)
class Columns(Sequence[Row]):
    """Rows, each of which is made only when somebody asks for it.

    Attributes:
        lines: The number of each row's line, shape (n,).
        times: Microseconds since 1970-01-01 UTC, shape (n,).
        series: Which of `dimensions` each row has, shape (n,).
        dimensions: Of each series.
        measures: By the schema's order.
        texts: The lines as they stand in the file.
        buffer: What all of the cells are places of.
    """

    lines: Integers
    times: Integers
    series: Integers
    dimensions: Sequence[Dimensions]
    measures: Sequence[Measure]
    texts: Cells
    buffer: bytes

    @classmethod
    def holding(cls, rows: Sequence[Row], schema: Schema) -> Columns:
        """Return rows, whose measures are those of a schema, as columns."""
        if isinstance(rows, cls):
            return rows
        texts, count = Texts(), len(rows)
        index: dict[Dimensions, int] = {}
        series = np.fromiter((index.setdefault(row.dimensions, len(index)) for row in rows), np.int64, count)
        whole = np.zeros(count, np.bool_)
        measures = [
            Measure(name, kind, texts.cells([row.measures[at] for row in rows]), whole)
            for at, (name, kind) in enumerate(schema.measures.items())
        ]
        lines, times = (np.fromiter((row[at] for row in rows), np.int64, count) for at in (0, 1))
        lines_of_file = texts.cells([row.text for row in rows])
        return cls(lines, times, series, [*index], measures, lines_of_file, bytes(texts.content))

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Columns: ...
    def __getitem__(self, at: int | slice) -> Row | Columns:
        if isinstance(at, slice):
            return self.of(at)
        index = range(len(self))[at]
        [row] = self.of(slice(index, index + 1))
        return row

    def __iter__(self) -> Iterator[Row]:
        measures = [measure.values(self.buffer) for measure in self.measures]
        texts = (self.buffer[start : start + length].decode() for start, length in _pairs(self.texts))
        dimensions = map(self.dimensions.__getitem__, self.series.tolist())
        columns = (self.lines.tolist(), self.times.tolist(), dimensions, zip(*measures, strict=True), texts)
        return map(Row, *columns)

    def of(self, rows: Integers | slice) -> Columns:
        """Return some of the rows."""
        measures = [
            replace(measure, cells=measure.cells.at(rows), whole=measure.whole[rows]) for measure in self.measures
        ]
        own = (self.lines[rows], self.times[rows], self.series[rows])
        return Columns(*own, self.dimensions, measures, self.texts.at(rows), self.buffer)


class Texts:
    """Texts of values that are put into a buffer.

    Args:
        size: Bytes that stand before them.
    """

    def __init__(self, size: int = 0) -> None:
        self._size = size
        self.content = bytearray()

    def put(self, value: Value | None) -> tuple[int, int]:
        """Hold a value as Python writes it; return its place and its length."""
        if value is None:
            return 0, -1
        text = (str(value).lower() if isinstance(value, bool) else str(value)).encode()
        start = self._size + len(self.content)
        self.content += text
        return start, len(text)

    def cells(self, values: Sequence[Value | None]) -> Cells:
        """Hold values."""
        places = np.array([self.put(value) for value in values], np.int64).reshape(len(values), 2)
        return Cells(places[:, 0], places[:, 1])


def _pairs(cells: Cells) -> Iterator[tuple[int, int]]:
    return zip(cells.start.tolist(), cells.length.tolist(), strict=True)


class Assembly:
    """Puts a text together for each of many rows, from pieces that stand in a buffer.

    Args:
        buffer: What the cells of the rows are places of.
        rows: How many rows there are.
    """

    def __init__(self, buffer: bytes, rows: int) -> None:
        self._buffers, self._size, self._rows = [buffer], len(buffer), rows
        self._pieces: list[tuple[Integers, Integers]] = []

    def add(self, cells: Cells) -> None:
        """Add a text of each row; nothing where there is none."""
        self._pieces.append((cells.start, np.maximum(cells.length, 0)))

    def add_text(self, text: bytes, where: NDArray[np.bool_] | None = None) -> None:
        """Add one text to all the rows, or to those that are chosen."""
        length = np.full(self._rows, len(text)) if where is None else where * len(text)
        self._pieces.append((np.full(self._rows, self._hold(text)), length))

    def add_choice(self, texts: Sequence[bytes], choice: Integers) -> None:
        """Add one of some texts to each row."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        start = self._hold(b"".join(texts)) + np.cumsum(lengths) - lengths
        self._pieces.append((start[choice], lengths[choice]))

    def add_number(self, numbers: Integers) -> None:
        """Add whole numbers."""
        negative = numbers < 0
        if negative.any():
            self.add_text(b"-", negative)
            numbers = np.abs(numbers)
        size = len(str(int(numbers.max(initial=0))))
        powers = _POWERS[_DIGITS - size :]
        digits = (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)
        length = size - np.minimum(np.searchsorted(-powers, -numbers), size - 1)
        start = self._hold(digits.tobytes()) + np.arange(1, len(numbers) + 1) * size - length
        self._pieces.append((start, length))

    def finish(self) -> tuple[bytes, Integers]:
        """Return all the texts, one behind the other, and where each ends, shape (n,)."""
        starts, lengths = (np.stack(places, axis=1) for places in zip(*self._pieces, strict=True))
        source = np.frombuffer(b"".join(self._buffers), np.uint8)
        flat = lengths.ravel()
        ahead = starts.ravel() - np.cumsum(flat) + flat  # how far a piece's place is ahead of where it goes
        places = np.repeat(ahead, flat)
        places += np.arange(len(places))
        return source[places].tobytes(), np.cumsum(lengths.sum(axis=1))

    def _hold(self, text: bytes) -> int:
        """Return where a text stands from now on."""
        self._buffers.append(text)
        self._size += len(text)
        return self._size - len(text)
