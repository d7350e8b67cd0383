"""Reads Pagila's dump: the COPY blocks that pg_dump writes (PostgreSQL's documentation of COPY, "Text Format")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from contract.errors import InputError
from workloads.rental_company.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from workloads.rental_company.tables import Kind, Row

_COPY = re.compile(rb'COPY (?:public\.)?"?(\w+)"? \(([^)]*)\) FROM stdin;')
_END = b"\\."
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_CONTROL = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^{},"\\\s](?:[^{},"\\]*[^{},"\\\s])?)', re.DOTALL)


@dataclass(frozen=True)
class _Block:
    columns: tuple[str, ...]
    start: int  # byte of the first row
    line: int  # number of the first row's line
    rows: int


class PagilaDump:
    """A dump of Pagila. Making one reads the file once, to find its blocks; rows are then read where they lie.

    Payments lie in a table for each month, and come as one.

    Args:
        path: The dump's data, UTF-8.

    Raises:
        InputError: The file cannot be read, or ends within a block.
    """

    def __init__(self, path: Path) -> None:
        self.origin = "Pagila"
        self._path = path
        self._blocks: dict[str, list[_Block]] = {}
        try:
            self._find_blocks()
        except OSError as error:
            raise InputError(f"{path}: The file cannot be read: {error.strerror}.") from error

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows of one of `TABLES`, in the order of the dump.

        Raises:
            InputError: The dump lacks the table or one of its columns, or a value is not of its type.
        """
        kinds = TABLES[table]
        for block in self._of(table):
            if missing := [name for name in kinds if name not in block.columns]:
                raise InputError(f"{self._path}, line {block.line - 1}: Table {table} lacks {', '.join(missing)}.")
            with self._path.open("rb") as file:
                file.seek(block.start)
                for number in range(block.line, block.line + block.rows):
                    yield self._row(file.readline(), number, block.columns, kinds)

    def count(self, table: str) -> int:
        """Return how many rows a table has.

        Raises:
            InputError: The dump lacks the table.
        """
        return sum(block.rows for block in self._of(table))

    def _of(self, table: str) -> list[_Block]:
        monthly = re.compile(rf"{table}(_p\d{{4}}_\d{{2}})?")
        blocks_of_table = [
            block for name, blocks in self._blocks.items() if monthly.fullmatch(name) for block in blocks
        ]
        if not blocks_of_table:
            raise InputError(f"{self._path}: There are no rows of table {table} (COPY public.{table} … FROM stdin).")
        return blocks_of_table

    def _find_blocks(self) -> None:
        with self._path.open("rb") as file:
            position = line = 0
            within: tuple[str, tuple[str, ...], int, int] | None = None
            for content in file:
                line, position = line + 1, position + len(content)
                if within:
                    name, columns, start, first = within
                    if content.rstrip(b"\r\n") == _END:
                        self._blocks.setdefault(name, []).append(_Block(columns, start, first, line - first))
                        within = None
                elif copy := _COPY.match(content):
                    columns = tuple(column.strip(' "') for column in copy[2].decode("utf-8", "replace").split(","))
                    within = (copy[1].decode(), columns, position, line + 1)
        if within:
            raise InputError(f"{self._path}: The file ends within table {within[0]}, so it is not complete.")

    def _row(self, content: bytes, number: int, columns: tuple[str, ...], kinds: Mapping[str, Kind]) -> Row:
        cells = content.rstrip(b"\r\n").split(b"\t")
        if len(cells) != len(columns):
            raise InputError(f"{self._path}, line {number}: There are {len(cells)} values for {len(columns)} columns.")
        cell_of_column = dict(zip(columns, cells, strict=True))
        row: Row = {}
        for name, kind in kinds.items():
            try:
                row[name] = None if cell_of_column[name] == b"\\N" else _PARSERS[kind](unescape(cell_of_column[name]))
            except (ValueError, InvalidOperation) as error:
                raise InputError(
                    f"{self._path}, line {number}, column {name}: The value is not of type {kind}."
                ) from error
        return row


def unescape(cell: bytes) -> str:
    r"""Return the text of a cell: `\t` is a tab, `\x41` and `\101` are bytes, any other backslash is dropped.

    Raises:
        UnicodeDecodeError: The cell is not UTF-8.
    """
    return _ESCAPE.sub(_character, cell).decode() if b"\\" in cell else cell.decode()


def _character(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    if code[:1].isdigit() and code[0] <= ord("7"):
        return bytes([int(code, 8) & 0xFF])
    if code[:1] == b"x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    return _CONTROL.get(code, code)


def elements(array: str) -> list[str | None]:
    """Return the elements of a one-dimensional array in PostgreSQL's notation: `{Trailers,"Deleted Scenes"}`.

    Raises:
        ValueError: It is not such an array.
    """
    if array == "{}":
        return []
    values, position = list[str | None](), 1
    while match := _ELEMENT.match(array, position):
        quoted, bare = match.groups()
        if quoted is not None:
            values.append(re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        else:
            values.append(None if bare.upper() == "NULL" else bare)
        position = match.end() + 1
        if array[match.end() :] == "}" and array[0] == "{":
            return values
        if array[match.end() : position] != ",":
            break
    raise ValueError(f"no array: {array}")


def _boolean(text: str) -> bool:
    return {"t": True, "f": False}[text] if text in {"t", "f"} else _refuse(text)


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _numeric(text: str) -> Decimal:
    number = Decimal(text)
    return number if number.is_finite() else _refuse(text)


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)  # Sakila's have no zone


_PARSERS: Mapping[Kind, Callable[[str], Any]] = {
    "integer": int,
    "text": lambda text: text.rstrip(" "),  # char(n) comes padded
    "numeric": _numeric,
    "boolean": _boolean,
    "date": date.fromisoformat,
    "time": _time,
    "texts": elements,
}
