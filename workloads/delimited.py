"""Delimited text, as spreadsheets and programs write it: encoding, separator, decimal sign, cells without a value.

Every file of a person is read through this module. Nothing is guessed: a separator is one that the header proves, a
decimal comma one that a cell proves or a person declares, and whatever may mean two things is refused with its place.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, Protocol

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from _typeshed import WriteableBuffer

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SUFFIXES = tuple(f"{name}{packed}" for name in (".csv", ".tsv") for packed in ("", ".gz"))
"""How the names of such files end, in lower case."""

MISSING = frozenset({"", "-", "--", "#n/a", "<na>", "n/a", "na", "nan", "none", "null"})
"""Cells without a value, in lower case."""

DecimalSign = Literal[".", ",", ""]
"""What stands before the decimals of a file's numbers; nothing where no number has shown it."""

CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_LINE = 1 << 20  # bytes
SAMPLE_LINES = 1000
_LINES_THAT_DECIDE = 20  # which of two separators splits them as it splits the header

_SPREADSHEET_ERROR = re.compile(r"#(N/A|DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!)", re.IGNORECASE)
_EXCEL = re.compile(r"sep=(.)", re.IGNORECASE)  # Excel's own first line
_COMMA_DECIMALS = re.compile(
    r"[+-]?(\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2}|\d+,(\d{1,2}|\d{4,})|0\d*,\d+|\d{4,},\d+|,\d+)[^\d.,]?"
)
_POINT_DECIMALS = re.compile(
    r"[+-]?(\d{1,3}(,\d{3})+\.\d+|\d{1,3}(,\d{3}){2,}|\d*\.(\d{0,2}|\d{4,})|0\d*\.\d+|\d{4,}\.\d+)[^\d.,]?"
)
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}[^\d.,]?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?([eE][+-]?\d{1,3})?[^\d.,]?")
_IN_COMMA_FILE = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*)(,\d*)?([eE][+-]?\d{1,3})?[^\d.,]?")
_NUMERIC = re.compile(
    r"[+-]?(\d+[.,]?\d*|[.,]\d+|\d{1,3}(,\d{3})+(\.\d*)?|\d{1,3}(\.\d{3}){1,2}(,\d*)?)([eE][+-]?\d{1,3})?", re.ASCII
)
_BETWEEN_THOUSANDS = re.compile("(?<=\\d)[ \u00a0\u202f'\u2019](?=\\d{3}(?!\\d))")  # blanks and apostrophes

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"


def missing(cell: str) -> bool:
    """Tell whether a cell has no value: it is empty, or says so, such as `NaN`, `null`, `N/A` or `--`."""
    return cell.strip().lower() in MISSING


def spreadsheet_error(cell: str) -> bool:
    """Tell whether a cell holds an error of a spreadsheet, such as `#REF!`, where it should have a text."""
    return _SPREADSHEET_ERROR.fullmatch(cell.strip()) is not None


def same_spelling(text: str) -> str:
    """Give what two spellings of a category have in common: neither case nor the number of blanks matters."""
    return " ".join(text.split()).casefold()


# Encodings


def decode(content: bytes, name: str) -> str:
    """Decode text in UTF-8, with or without a byte order mark, or in UTF-16 with one; compressed by gzip or not.

    Raises:
        InputError: It is neither; `name` is what the message calls it.
    """
    if content.startswith(_GZIP):
        content = unpack(content, name)
    _refuse_workbooks(content, name)
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: The file is not text in UTF-8 (byte {error.start}). Save it as CSV in UTF-8."
        ) from error
    _refuse_zero_bytes(text, name)
    return text


def unpack(content: bytes, name: str) -> bytes:
    """Unpack a file that gzip has compressed.

    Raises:
        InputError: It is damaged; `name` is what the message calls it.
    """
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{name}: The gzip data is damaged: {phrase(error)}.") from error


class Openable(Protocol):
    """What can be read as a file: a path, or an object of S3. Its text is what a message calls it."""

    def open(self, _mode: Literal["rb"], /) -> io.BufferedReader:
        """Open it for reading."""


def open_lines(path: Openable) -> BinaryIO:
    """Open a file as lines of UTF-8, also one in UTF-16 with a byte order mark, or compressed by gzip.

    Only a file that needs neither recoding nor unpacking is seekable.

    Raises:
        InputError: The file cannot be read, or is not text; also while it is read.
    """
    try:
        file = path.open("rb")
        first = file.peek(4)
    except OSError as error:
        raise InputError(f"{path}: The file cannot be read: {error.strerror}.") from error
    try:
        _refuse_workbooks(first, str(path))
    except InputError:
        file.close()
        raise
    if first.startswith(_GZIP) or first.startswith(_UTF_16):
        return io.BufferedReader(_Recoded(file, str(path), packed=first.startswith(_GZIP)))
    return file


class _Recoded(io.RawIOBase):
    """The bytes of a file as they would be if it was uncompressed text in UTF-8."""

    def __init__(self, file: io.BufferedReader, name: str, *, packed: bool) -> None:
        self._file, self._name = file, name
        self._source = io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
        self._decoder: codecs.IncrementalDecoder | None = None
        self._ready, self._position = b"", 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        while not self._ready:
            try:
                content = self._source.read(io.DEFAULT_BUFFER_SIZE)
                if self._position == 0 and content.startswith(_UTF_16):
                    self._decoder = codecs.getincrementaldecoder("utf-16")()
                self._ready = self._decoder.decode(content, not content).encode() if self._decoder else content
            except (EOFError, OSError, zlib.error) as error:
                raise InputError(f"{self._name}: The gzip data is damaged: {phrase(error)}.") from error
            except UnicodeError as error:
                raise InputError(f"{self._name}: The file is not text in UTF-16. Save it as CSV in UTF-8.") from error
            if not content:
                break
        count = min(len(target), len(self._ready))
        target[:count], self._ready = self._ready[:count], self._ready[count:]
        self._position += count
        return count


def _refuse_workbooks(content: bytes, name: str) -> None:
    if content.startswith(_ZIP):
        raise InputError(f"{name}: The file is a workbook or a ZIP archive. Save the table as CSV in UTF-8.")


def _refuse_zero_bytes(text: str, name: str) -> None:
    if "\0" in text:
        raise InputError(f"{name}: The file is not a CSV file, as it has zero bytes.")


# Columns


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
    def of(cls, first_lines: str, known_columns: Collection[str] = (), name: str = "line 1") -> Layout:
        """Find the layout by a file's header.

        Args:
            first_lines: The text from its start on.
            known_columns: Names of columns; a header that is split correctly has at least one of them.
            name: What a message calls the file.

        Raises:
            InputError: Two separators would do.
        """
        lines = io.StringIO(first_lines)
        first, skipped = "", -1
        while not first.strip() and skipped < len(first_lines):
            first, skipped = lines.readline(), skipped + 1
        first = first.rstrip("\r\n")
        if declared := _EXCEL.fullmatch(first.strip(" ")):
            return cls(declared[1], skipped + 1)
        headers = {separator: {*cls(separator).header(first)} for separator in SEPARATORS}
        known_names = {column.casefold() for column in known_columns}
        matches = {mark: len({column.casefold() for column in names} & known_names) for mark, names in headers.items()}
        most = max(matches.values())  # nothing, where no column has a known name
        best = [mark for mark, names in headers.items() if matches[mark] == most and len(names) > 1] or [","]
        if len(best) > 1:
            rows = [line for line in islice(lines, _LINES_THAT_DECIDE) if line.strip()]
            widths = {mark: {len(cls(mark).header(line)) for line in [first, *rows]} for mark in best}
            best = [mark for mark in best if rows and len(widths[mark]) == 1] or best
        if len(best) > 1:
            marks = " or ".join(SEPARATORS[mark] for mark in best)
            raise InputError(
                f"{name}: The columns may be separated by {marks}. Write a line such as sep={best[0]} above the "
                "header, or rename the columns."
            )
        return cls(best[0], skipped)

    def header(self, line: str) -> list[str]:
        """Split the line that names the columns."""
        try:
            return [column.strip() for column in next(self._reader([line], strict=False), [])]
        except csv.Error:
            return [line]

    def cells(self, line: str) -> list[str]:
        """Split a line of values.

        Raises:
            ValueError: Its quotation marks are wrong.
        """
        if '"' not in line:
            return line.split(self.separator)
        try:
            return next(self._reader([line], strict=True))
        except csv.Error as error:
            closed = "unexpected end" not in str(error)
            raise ValueError(
                f"quotation marks: {error}" if closed else "a quotation mark is not closed in the line"
            ) from None

    def rows(self, text: str, name: str) -> Iterator[tuple[int, list[str]]]:
        """Split a whole text, whose quoted cells may have line breaks, into the header and the rows that have a value.

        Yields:
            The line on which a row ends, counted from 1, and its cells.

        Raises:
            InputError: A line is not CSV.
        """
        reader = self._reader(islice(io.StringIO(text, newline=""), self.skipped, None), strict=True)
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num + self.skipped, row
        except csv.Error as error:
            line = reader.line_num + self.skipped
            raise InputError(f"{name}, line {line}: The line is not CSV: {phrase(error)}.") from error

    def _reader(self, lines: Iterable[str], *, strict: bool) -> Reader:
        return csv.reader(lines, delimiter=self.separator, skipinitialspace=self.separator != "\t", strict=strict)


def separated_by(layout: Layout) -> str:
    """Name what separates the columns, for a message."""
    return SEPARATORS.get(layout.separator, repr(layout.separator))


class Sample(NamedTuple):
    """The beginning of a file.

    Attributes:
        layout: Of the file.
        header: The names of its columns.
        rows: The line and the cells of the first rows that have as many cells as the header.
    """

    layout: Layout
    header: list[str]
    rows: list[tuple[int, list[str]]]


def read_sample(path: Openable, known_columns: Collection[str] = ()) -> Sample:
    """Read the header and the next thousand lines of a file.

    Args:
        path: The file.
        known_columns: See `Layout.of`.

    Raises:
        InputError: The file cannot be read, is empty, or is not text in columns.
    """
    with open_lines(path) as file:
        lines = list(islice(iter(lambda: file.readline(LONGEST_LINE), b""), SAMPLE_LINES))
    if not lines:
        raise InputError(f"{path}: The file is empty. Its first line must name the columns.")
    _refuse_zero_bytes(lines[0].decode(errors="replace"), str(path))
    texts = [line.decode("utf-8-sig", "replace").rstrip("\r\n") for line in lines]
    layout = Layout.of("\n".join(texts), known_columns, str(path))
    if layout.skipped >= len(texts) or not texts[layout.skipped].strip():
        raise InputError(f"{path}: The file is empty. Its first line must name the columns.")
    try:
        header = layout.header(lines[layout.skipped].decode("utf-8-sig").rstrip("\r\n"))
    except UnicodeDecodeError as error:
        place = f"{path}, line {layout.skipped + 1}"
        raise InputError(f"{place}: The header is not text in UTF-8: {phrase(error)}. Save it as UTF-8.") from error
    rows = []
    for number, text in enumerate(texts[layout.skipped + 1 :], layout.skipped + 2):
        try:
            cells = layout.cells(text)
        except ValueError:  # whoever reads the file will say so
            continue
        if len(cells) == len(header):
            rows.append((number, [cell.strip() for cell in cells]))
    return Sample(layout, header, rows)


@dataclass(frozen=True)
class Cells:
    """A whole file.

    Attributes:
        name: What a message calls it.
        layout: How its columns are told apart.
        header: The names of its columns.
        lines: The line on which each row ends, counted from 1.
        rows: The cells of each row.
    """

    name: str
    layout: Layout
    header: list[str]
    lines: list[int]
    rows: list[list[str]]

    def require(self, columns: Sequence[str]) -> None:
        """See that columns are there, and once.

        Raises:
            InputError: One is not.
        """
        if absent := [column for column in columns if column not in self.header]:
            raise InputError(
                f"{self.name}: There is no column {', '.join(map(repr, absent))}. The columns, separated by "
                f"{separated_by(self.layout)}, are {', '.join(self.header)}."
            )
        if repeated := [column for column in columns if self.header.count(column) > 1]:
            raise InputError(
                f"{self.name}: The column {repeated[0]!r} is there {self.header.count(repeated[0])} times."
            )

    def of(self, column: str) -> Iterator[tuple[int, str]]:
        """Give the line and the text of each cell of a column."""
        position = self.header.index(column)
        return ((line, row[position]) for line, row in zip(self.lines, self.rows, strict=True))


def read_cells(content: bytes, name: str, known_columns: Collection[str] = ()) -> Cells:
    """Read a whole file.

    Args:
        content: The file.
        name: What a message calls it.
        known_columns: See `Layout.of`.

    Raises:
        InputError: It is not such a file, is empty, or a row has not as many cells as the header.
    """
    text = decode(content, name)
    layout = Layout.of(text, known_columns, name)
    numbered = list(layout.rows(text, name))
    if not numbered:
        raise InputError(f"{name}: The file is empty. Its first line must name the columns.")
    (_, names), *rows = numbered
    header = [column.strip() for column in names]
    if not rows:
        raise InputError(f"{name}: There are no rows below the line that names the columns.")
    for line, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"{name}, line {line}: The line has {len(row)} cells, but the first line names {len(header)} columns."
            )
    return Cells(name, layout, header, [line for line, _ in rows], [row for _, row in rows])


# Numbers


def numeric(cell: str) -> bool:
    """Tell whether a cell is a number, with whatever decimal sign and marks between its thousands.

    `192.168.100.200` is none: it is an address.
    """
    return _NUMERIC.fullmatch(_BETWEEN_THOUSANDS.sub("", cell)) is not None


def decimal_sign(cells: Iterable[tuple[str, str]], layout: Layout, name: str, remedy: str = "") -> DecimalSign:
    """Find whether the numbers of a file have a decimal comma or a decimal point.

    Args:
        cells: Where each number stands, as in "line 2, column 'km'", and its text.
        layout: Of the file. Where columns are separated by commas, `1,234` has its thousands apart and `1.234` a
            decimal point; where they are separated by semicolons, as spreadsheets do for decimal commas, both may be
            either.
        name: What a message calls the file.
        remedy: A sentence for the message: what else a person can do.

    Raises:
        InputError: The file has both, or a cell such as `1,234` may be either.
    """
    comma = point = either = None
    for place, cell in cells:
        text = _BETWEEN_THOUSANDS.sub("", cell.strip())
        if _COMMA_DECIMALS.fullmatch(text):
            comma = comma or (place, text)
        elif _POINT_DECIMALS.fullmatch(text):
            point = point or (place, text)
        elif _ambiguous(text, layout):
            either = either or (place, text)
    if comma and point:
        raise InputError(
            f"{name}: The number {comma[1]!r} in {comma[0]} has a decimal comma, and {point[1]!r} in {point[0]} has a "
            "decimal point. Write all numbers in one way."
        )
    if either and not comma and not point:
        mark, advice = ("comma", "") if "," in either[1] else ("point", ", with commas between the columns")
        raise InputError(
            f"{name}, {either[0]}: The number {either[1]!r} may have a decimal {mark}, or its thousands apart. "
            f"Write it with a decimal point{advice}, or without the {mark}. {remedy}".rstrip()
        )
    if comma:
        return ","
    return "." if point or layout.separator == "," else ""


def with_point(cell: str, sign: DecimalSign, layout: Layout) -> str:
    """Write a number as Python does: with a decimal point, and nothing between its thousands.

    Other texts stay as they are.

    Raises:
        ValueError: The number is written in another way than those of its file, or may be one of two.
    """
    text = _BETWEEN_THOUSANDS.sub("", cell)
    if sign == ",":
        if not _IN_COMMA_FILE.fullmatch(text):
            if numeric(text):
                raise ValueError("written with a decimal point, but the file has decimal commas")
            return text
        return text.replace(".", "").replace(",", ".")
    if not sign and (_ambiguous(text, layout) or _COMMA_DECIMALS.fullmatch(text)):
        raise ValueError("written with a decimal comma, or with its thousands apart")
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def _ambiguous(text: str, layout: Layout) -> bool:
    if layout.separator == ",":
        return False
    return bool(_EITHER.fullmatch(text) or (layout.separator == ";" and _EITHER.fullmatch(text.replace(".", ","))))
