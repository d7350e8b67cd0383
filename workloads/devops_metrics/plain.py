"""Lines of a CSV file read as columns, as far as they are written plainly.

A line is taken only if what it means is certain without looking at it character by character: its cells are quoted
whole or not at all, its time is in ISO 8601 or Unix time, or was read before, and its numbers are plain decimals. A
single cell that is not is read by the parser of lines. Every other line is left to the reader of lines, which reads or
explains it. So there is one definition of what a line means, and this module only knows cases of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workloads.delimited import SEPARATORS, DecimalSign, Layout
from workloads.devops_metrics.timestamps import Timestamps
from workloads.timeseries.columns import Cells, Columns, Integers, Measure, Texts
from workloads.timeseries.row import Dimensions, Row, Value
from workloads.timeseries.schema import Schema

Truths = NDArray[np.bool_]

_MOST_DIGITS = 15  # a decimal of so many digits is what Python writes for the float that it is read as
_LONGEST_QUOTED = 1 << 17  # bytes of a line; the csv module has a limit of cells
_REMEMBERED = 1 << 16  # series
_SECOND = 10**6  # microseconds
_HOUR = 3600 * _SECOND
_LATEST = 9_214_646_400 * _SECOND  # 2262
#: Microseconds of the digits of a Unix time, by how many there are; those behind the sixteenth are cut.
_UNIX_TIMES = {10: 10**6, 13: 10**3, 16: 1, 19: 1}
#: Digits behind the second of ISO 8601, and what says the zone: an offset, `Z` or nothing.
_ISO_FORMS = [(digits, zone) for digits in (0, 3, 6, 9) for zone in (0, 1, 6)]
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_FEBRUARY = 2


class Lines(NamedTuple):
    """Whole lines of a file.

    Attributes:
        content: Their bytes.
        start: Where each begins, shape (n,).
        end: Where its line break stands, shape (n,).
        first: The number of the first one.
    """

    content: bytes
    start: Integers
    end: Integers
    first: int


class Meaning(NamedTuple):
    """What the parser of lines knows, for single cells.

    Attributes:
        layout: How columns are told apart.
        width: How many there are.
        positions: Of time, dimensions that are not fixed, and measures.
        sign: What stands before decimals.
        times: Knows the zone.
        microseconds: Reads a time, or raises ValueError.
        dimensions: Makes all dimensions of the cells of those that are not fixed, or raises ValueError.
        measures: Read a measure each, or raise ValueError.
    """

    layout: Layout
    width: int
    positions: Sequence[int]
    sign: DecimalSign
    times: Timestamps
    microseconds: Callable[[str], int]
    dimensions: Callable[[Sequence[str]], Dimensions]
    measures: Sequence[Callable[[str], Value | None]]


class _Series(dict[bytes, int]):
    """The index of the dimensions of a batch, by the cells of a line; -1 for those that the reader of lines refuses."""

    def __init__(self, read: Callable[[bytes], Dimensions | None]) -> None:
        self._read = read
        self._index: dict[Dimensions, int] = {}
        self.dimensions: list[Dimensions] = []

    def __missing__(self, key: bytes) -> int:
        dimensions = self._read(key)
        self[key] = index = -1 if dimensions is None else self.of(dimensions)
        return index

    def of(self, dimensions: Dimensions) -> int:
        """Return the index of dimensions."""
        if dimensions not in self._index:
            self._index[dimensions] = len(self.dimensions)
            self.dimensions.append(dimensions)
        return self._index[dimensions]


class PlainReader:
    """Reads lines as columns, and what it does not know as the parser of lines does.

    Args:
        schema: What the columns mean.
        meaning: What the cells mean.
    """

    def __init__(self, schema: Schema, meaning: Meaning) -> None:
        self._schema, self._meaning = schema, meaning
        self._known: dict[bytes, Dimensions | None] = {}
        self._dimensions_at = meaning.positions[1 : len(meaning.positions) - len(schema.measures)]

    def read(self, lines: Lines, latest: int, parse: Callable[[bytes, int], Row | None]) -> Columns:
        """Return the rows of lines.

        Args:
            lines: At least one.
            latest: Later times are left to `parse`.
            parse: The reader of lines: takes a line with its break and its number.
        """
        return _Batch(self._schema, self._meaning, self._series, lines).rows(latest, self._dimensions_at, parse)

    def _series(self, key: bytes) -> Dimensions | None:
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            try:
                cells = [cell.strip() for cell in self._meaning.layout.cells(key.decode())]
                self._known[key] = self._meaning.dimensions(cells if self._dimensions_at else [])
            except ValueError:
                self._known[key] = None
        return self._known[key]


class _Batch:
    """Lines that become columns."""

    def __init__(
        self, schema: Schema, meaning: Meaning, series: Callable[[bytes], Dimensions | None], lines: Lines
    ) -> None:
        self._schema, self._meaning, self._lines = schema, meaning, lines
        self._series = _Series(series)
        self._content = lines.content + b"\n\n"  # so that every end, and the place behind it, is one of the buffer
        self._bytes = np.frombuffer(self._content, np.uint8)
        self._start, self._end = lines.start, lines.end
        while (returned := (self._end > self._start) & (self._bytes[self._end - 1] == ord("\r"))).any():
            self._end = self._end - returned
        number = (self._bytes < ord("0")) | (self._bytes > ord("9"))
        self._not_digits = np.concatenate(([0], np.cumsum(number, dtype=np.int32)))
        # Measures are looked for behind the lines in a copy with decimal points, if they have commas.
        comma = meaning.sign == ","
        points = self._content.replace(b",", b".") if comma else b""
        self._shift = len(self._content) if comma else 0
        self._texts = Texts(len(self._content) + len(points))
        self._points = points

    def rows(self, latest: int, dimensions_at: Sequence[int], parse: Callable[[bytes, int], Row | None]) -> Columns:
        """Return the rows, in the order of the lines."""
        count = len(self._start)
        plain, cells = self._split()
        plain_rows = np.flatnonzero(plain)
        times, series = np.zeros(count, np.int64), np.full(count, -1)
        measures = [
            Measure(name, kind, Cells(np.zeros(count, np.int64), np.full(count, -1)), np.zeros(count, np.bool_))
            for name, kind in self._schema.measures.items()
        ]
        if len(plain_rows):
            first_measure = 1 + len(dimensions_at)
            known, moments = self._times(cells[self._meaning.positions[0]])
            indexes = self._indexes(cells, dimensions_at)
            known &= (moments <= latest) & (indexes >= 0)
            present = np.zeros(len(plain_rows), np.bool_)
            for measure, at, read in zip(
                measures, self._meaning.positions[first_measure:], self._meaning.measures, strict=True
            ):
                values, whole, right = self._measure(measure, cells[at], read)
                known &= right
                present |= values.length >= 0
                measure.cells.start[plain_rows], measure.cells.length[plain_rows] = values
                measure.whole[plain_rows] = whole
            times[plain_rows], series[plain_rows] = moments, indexes
            plain[plain_rows] = known & present
        kept = plain.copy()
        for at in np.flatnonzero(~plain).tolist():
            row = parse(self._content[self._start[at] : self._lines.end[at] + 1], self._lines.first + at)
            if row is not None:
                kept[at] = True
                times[at], series[at] = row.time, self._series.of(row.dimensions)
                for measure, value in zip(measures, row.measures, strict=True):
                    measure.cells.start[at], measure.cells.length[at] = self._texts.put(value)
                    measure.whole[at] = False
        columns = Columns(
            self._lines.first + np.arange(count),
            times,
            series,
            self._series.dimensions,
            measures,
            Cells(self._start, self._end - self._start),
            self._content + self._points + bytes(self._texts.content),
        )
        return columns if kept.all() else columns.of(np.flatnonzero(kept))

    def _split(self) -> tuple[Truths, list[Cells]]:
        """Return which lines are plain, and the cells of these, for each column."""
        content, width = self._bytes, self._meaning.width
        separator = self._meaning.layout.separator  # a person may declare any
        separators = np.flatnonzero(content == ord(separator)) if separator in SEPARATORS else np.zeros(0, np.int64)
        first = np.searchsorted(separators, self._start)
        plain = np.searchsorted(separators, self._end) - first == width - 1
        plain &= (self._end > self._start) & (separator in SEPARATORS)
        if not self._content.isascii():
            try:
                self._content.decode()
            except UnicodeDecodeError:
                plain &= ~self._any(content >= 0x80)  # noqa: PLR2004 - beyond ASCII
        rows = np.flatnonzero(plain)
        cuts = separators[first[rows, None] + np.arange(width - 1)]
        starts = np.concatenate((self._start[rows, None], cuts + 1), axis=1)
        ends = np.concatenate((cuts, self._end[rows, None]), axis=1)
        if b'"' in self._content:
            quotes = np.flatnonzero(content == ord('"'))
            quoted = np.searchsorted(quotes, self._end[rows]) - np.searchsorted(quotes, self._start[rows])
            whole = (ends - starts > 1) & (content[starts] == ord('"')) & (content[ends - 1] == ord('"'))
            right = 2 * whole.sum(axis=1) == quoted
            returns = self._any(content == ord("\r"))[rows]
            right &= (quoted == 0) | ~returns & (self._end[rows] - self._start[rows] < _LONGEST_QUOTED)
            plain[rows] = right
            starts, ends = (starts + whole)[right], (ends - whole)[right]
        return plain, [Cells(starts[:, at], ends[:, at] - starts[:, at]) for at in range(width)]

    def _any(self, mask: Truths) -> Truths:
        """Return which lines have a byte that a mask of all bytes marks."""
        places = np.flatnonzero(mask)
        return np.asarray(np.searchsorted(places, self._end) > np.searchsorted(places, self._start))

    def _trimmed(self, cells: Cells) -> tuple[Integers, Integers]:
        """Return where cells begin and end without the blanks around them."""
        start, end = cells.start, cells.start + cells.length
        while (blank := (start < end) & (self._bytes[start] == ord(" "))).any():
            start = start + blank
        while (blank := (start < end) & (self._bytes[end - 1] == ord(" "))).any():
            end = end - blank
        return start, end

    def _cell(self, start: int, end: int) -> str:
        return self._content[start:end].decode().strip()

    # Dimensions

    def _indexes(self, cells: Sequence[Cells], at: Sequence[int]) -> Integers:
        """Return the index of each plain line's dimensions, or -1."""
        if not at:
            return np.full(len(cells[0].start), self._series[b""])
        keys = self._joined([cells[position] for position in at], adjacent=list(at) == list(range(at[0], at[-1] + 1)))
        series = self._series
        return np.fromiter((series[key] for key in keys), np.int64, len(cells[0].start))

    def _joined(self, columns: Sequence[Cells], *, adjacent: bool) -> Iterable[bytes]:
        """Return the cells of some columns, as they would stand side by side in a line."""
        content = self._content
        if adjacent and b'"' not in content:
            start, end = columns[0].start.tolist(), (columns[-1].start + columns[-1].length).tolist()
            return (content[begin:stop] for begin, stop in zip(start, end, strict=True))
        separator = self._meaning.layout.separator.encode()
        texts = (
            [
                content[begin : begin + size]
                for begin, size in zip(column.start.tolist(), column.length.tolist(), strict=True)
            ]
            for column in columns
        )
        return map(separator.join, zip(*texts, strict=True))

    # Times

    def _times(self, cells: Cells) -> tuple[Truths, Integers]:
        """Return which times can be read, and their microseconds since 1970."""
        start, end = self._trimmed(cells)
        known, times = np.zeros(len(start), np.bool_), np.zeros(len(start), np.int64)
        if not self._meaning.times.has_format:
            length = end - start
            for size in np.unique(length).tolist():
                rows = np.flatnonzero(length == size)
                if size in _UNIX_TIMES:
                    self._read_unix(start[rows], size, rows, known, times)
                for digits, zone in _ISO_FORMS:
                    if size == 19 + digits + (digits > 0) + zone:
                        self._read_iso(start[rows], (digits, zone), rows, known, times)
        read: dict[bytes, int | None] = {}
        for row in np.flatnonzero(~known).tolist():
            text = self._content[start[row] : end[row]]
            if text not in read:
                try:
                    read[text] = self._meaning.microseconds(text.decode().strip())
                except ValueError:
                    read[text] = None
            moment = read[text]
            known[row], times[row] = moment is not None, moment or 0
        return known, times

    def _read_unix(self, start: Integers, size: int, rows: Integers, known: Truths, times: Integers) -> None:
        digits = min(size, 16)
        right = self._not_digits[start + size] == self._not_digits[start]
        moment = self._number(start, 0, digits) * _UNIX_TIMES[size]
        known[rows], times[rows] = right & (moment >= 0) & (moment < _LATEST), moment

    def _read_iso(self, start: Integers, form: tuple[int, int], rows: Integers, known: Truths, times: Integers) -> None:
        digits, zone = form
        content, number = self._bytes, self._number
        size = 19 + digits + (digits > 0)
        between = content[start + 10]
        right = (between == ord("T")) | (between == ord(" "))
        marks = {4: "-", 7: "-", 13: ":", 16: ":"} | ({19: "."} if digits else {})
        if zone == 1:
            marks[size] = "Z"
        elif zone:
            marks[size + 3] = ":"
        for place, mark in marks.items():
            right &= content[start + place] == ord(mark)
        numbers = 14 + digits + (4 if zone > 1 else 0)
        length = size + zone
        right &= self._not_digits[start + length] - self._not_digits[start] == length - numbers
        year, month, day = number(start, 0, 4), number(start, 5, 2), number(start, 8, 2)
        hour, minute, second = number(start, 11, 2), number(start, 14, 2), number(start, 17, 2)
        right &= (year >= 1970) & (year < 2262) & (month >= 1) & (month <= 12) & (day >= 1)  # noqa: PLR2004
        right &= (hour < 24) & (minute < 60) & (second < 60)  # noqa: PLR2004
        leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
        right &= day <= _MONTH_DAYS[np.clip(month, 0, 12)] + (leap & (month == _FEBRUARY))
        months = (np.where(right, year, 1970) - 1970) * 12 + np.where(right, month, 1) - 1
        days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
        local = np.where(right, (((days * 24 + hour) * 60 + minute) * 60 + second) * _SECOND, 0)
        if digits:
            local += number(start, 20, min(digits, 6)) * 10 ** (6 - min(digits, 6))
        if zone > 1:
            sign = content[start + size]
            hours, minutes = number(start, size + 1, 2), number(start, size + 4, 2)
            right &= ((sign == ord("+")) | (sign == ord("-"))) & (hours < 24) & (minutes < 60)  # noqa: PLR2004
            local -= np.where(sign == ord("-"), -1, 1) * (hours * 60 + minutes) * 60 * _SECOND
        elif not zone:
            local -= self._offsets(local, right)
        known[rows] |= right & (local >= 0) & (local < _LATEST)
        times[rows] = np.where(right, local, times[rows])

    def _offsets(self, local: Integers, right: Truths) -> Integers:
        """Return how far clocks are ahead of UTC; take what is read in an hour of a change from what is right."""
        hours, which = np.unique(local // _HOUR, return_inverse=True)
        offsets = [self._meaning.times.offset(hour * _HOUR, (hour + 1) * _HOUR - 1) for hour in hours.tolist()]
        right &= np.array([offset is not None for offset in offsets])[which]
        return np.array([offset or 0 for offset in offsets])[which]

    def _number(self, start: Integers, at: int, digits: int) -> Integers:
        """Return the number that digits behind places write; any other number where they are no digits."""
        value = np.zeros(len(start), np.int64)
        for place in range(at, at + digits):
            value = value * 10 + self._bytes[start + place]
        return value - int("1" * digits) * ord("0")

    # Measures

    def _measure(
        self, measure: Measure, cells: Cells, read: Callable[[str], Value | None]
    ) -> tuple[Cells, Truths, Truths]:
        """Return the values of a measure, which of them are whole numbers, and which could be read."""
        start, end = self._trimmed(cells)
        empty = start == end
        values = Cells(start + self._shift, np.where(empty, -1, end - start))
        whole, right = np.zeros(len(start), np.bool_), empty.copy()
        if measure.kind in {"DOUBLE", "BIGINT"}:
            right, stop, whole = self._decimals(start, end)
            if measure.kind == "BIGINT":
                right &= whole & ~((self._bytes[start] == ord("-")) & (self._bytes[start + 1] == ord("0")))
            values.length[right] = (stop - start)[right]
            right |= empty
            whole &= measure.kind == "DOUBLE"
        for row in np.flatnonzero(~right).tolist():
            try:
                cell = self._cell(start[row], end[row])
                value = read(cell) if cell else None
            except ValueError:
                continue
            right[row], whole[row] = True, False
            values.start[row], values.length[row] = self._texts.put(value)
        return values, whole & (values.length >= 0), right

    def _decimals(self, start: Integers, end: Integers) -> tuple[Truths, Integers, Truths]:
        """Find decimals that stand as Python writes them, but for zeros at their end.

        Returns:
            Which cells are such, where they end without these zeros, and which of them are whole numbers.
        """
        content = self._bytes
        first = start + (content[start] == ord("-"))
        others = self._not_digits[np.maximum(end, first)] - self._not_digits[first]
        mark = {"": None, ".": ord("."), ",": ord(",")}[self._meaning.sign]
        point, has_point = end, np.zeros(len(start), np.bool_)
        if mark is not None and (others == 1).any():
            marks = np.append(np.flatnonzero(content == mark), len(content))
            place = marks[np.searchsorted(marks, first)]
            has_point = (others == 1) & (place < end)
            point = np.where(has_point, place, end)
        size = point - first
        right = (others == has_point) & (size > 0) & (size + np.maximum(end - point - 1, 0) <= _MOST_DIGITS)
        right &= (size == 1) | (content[first] != ord("0"))
        stop = end
        while (zero := has_point & (stop > point + 1) & (content[stop - 1] == ord("0"))).any():
            stop = stop - zero
        whole = stop <= point + 1
        stop = np.where(whole, point, stop)
        small = right & ~whole & (size == 1) & (content[first] == ord("0")) & (stop - point > 5)  # noqa: PLR2004
        rows = np.flatnonzero(small)  # Python writes those below 0.0001 with an exponent
        zeros = [content[point[rows] + digit] == ord("0") for digit in range(1, 5)]
        right[rows] &= ~np.logical_and.reduce(zeros)
        return right, stop, whole
