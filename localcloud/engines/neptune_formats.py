"""The two CSV formats of Neptune's bulk loader: what the header of a file says, and the vertices or edges in its rows.

Sources: https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load-tutorial-format-gremlin.html and
https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load-tutorial-format-opencypher.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from localcloud.engines.neptune_values import CONVERSIONS, OPENCYPHER_CONVERSIONS, Value, ValueFault

GREMLIN, OPENCYPHER = "csv", "opencypher"
#: Characters of the longest row; Neptune takes values of up to 55 MB.
LONGEST_ROW = 64_000_000
#: A cell in quotation marks or without, and what follows it.
CELL = re.compile(r'[ \t]*(?:"([^"]*(?:""[^"]*)*)"[ \t]*|([^",]*))(,|\Z)')
#: The type of a property: `Int`, `String[]`, `String(single)`, `String(set)[]`.
TYPE = re.compile(r"(\w+)(?:\((single|set)\))?(\[\])?", re.IGNORECASE)
#: System columns of openCypher that may name a space of ids; the first may also name a property.
OPENCYPHER_SYSTEM = re.compile(r"(.*?):(ID|START_ID|END_ID|LABEL|TYPE)(?:\(([^()]*)\))?")
SEMICOLON = re.compile(r"(?<!\\);")


class FormatError(Exception):
    """A header or a row that the format does not allow."""


@dataclass(frozen=True)
class Fault:
    """A row that cannot be loaded.

    Attributes:
        row: Its number in the file; the first row below the header is 1.
        message: What is wrong.
        is_mismatch: A value does not have the type of its column.
    """

    row: int
    message: str
    is_mismatch: bool = False


@dataclass(frozen=True)
class Vertex:
    """A row of a file with vertices: its id, its labels, and the values of its properties."""

    id: str
    labels: tuple[str, ...]
    properties: dict[str, list[Value]]

    @property
    def records(self) -> int:
        """What Neptune counts: each label and each value is a record of its own."""
        return len(self.labels) + sum(map(len, self.properties.values()))


@dataclass(frozen=True)
class Edge:
    """A row of a file with edges; its id is None where the loader makes one up."""

    id: str | None
    start: str
    end: str
    label: str
    properties: dict[str, list[Value]]

    @property
    def records(self) -> int:
        """What Neptune counts: the edge and each value are records of their own."""
        return 1 + sum(map(len, self.properties.values()))


@dataclass(frozen=True)
class _Property:
    """A column with values of a property."""

    column: int
    name: str
    convert: Callable[[str], Value]
    is_array: bool = False


@dataclass
class Layout:
    """What the header of a file says.

    Attributes:
        system: The column of each system name: `id`, `label`, `start` and `end`.
        spaces: The space of ids that a system column names, by its system name.
        properties: The columns with properties.
        single: Names of properties that have one value.
        width: The number of columns.
    """

    system: dict[str, int] = field(default_factory=dict)
    spaces: dict[str, str] = field(default_factory=dict)
    properties: list[_Property] = field(default_factory=list)
    single: set[str] = field(default_factory=set)
    width: int = 0

    @property
    def has_edges(self) -> bool:
        """Whether the rows are edges."""
        return "start" in self.system or "end" in self.system


def layout(lines: Iterable[str], form: str, *, with_edge_ids: bool = True) -> Layout | None:
    """Read the header of a file, and leave the lines below it; None for an empty file.

    Args:
        lines: The lines of the file, an iterator.
        form: `csv` or `opencypher`.
        with_edge_ids: Whether relationships in openCypher's format have ids.

    Raises:
        FormatError: The format does not allow the header.
    """
    header = next((record for record in _records(lines) if record.strip()), None)
    if header is None:
        return None
    names = [name or "" for name in cells(header)]
    read = Layout(width=len(names))
    for column, name in enumerate(names):
        (_gremlin_column if form == GREMLIN else _opencypher_column)(read, column, name)
    _check(read, form, with_edge_ids=with_edge_ids)
    return read


def _gremlin_column(read: Layout, column: int, name: str) -> None:
    system = {"~id": "id", "~label": "label", "~from": "start", "~to": "end"}.get(name)
    if system:
        _add_system(read, column, system, name)
    elif name.startswith("~"):
        raise FormatError(f"The header has the unknown system column {name!r}")
    else:
        _add_property(read, column, name, CONVERSIONS)


def _opencypher_column(read: Layout, column: int, name: str) -> None:
    match = OPENCYPHER_SYSTEM.fullmatch(name)
    if not match or (match[1] and match[2] != "ID"):
        _add_property(read, column, name, OPENCYPHER_CONVERSIONS)
        return
    system = {"ID": "id", "START_ID": "start", "END_ID": "end", "LABEL": "label", "TYPE": "label"}[match[2]]
    _add_system(read, column, system, name)
    if match[3]:
        read.spaces[system] = match[3]
    if match[1]:
        read.properties.append(_Property(column, match[1], str))
        read.single.add(match[1])


def _add_system(read: Layout, column: int, system: str, name: str) -> None:
    if system in read.system:
        raise FormatError(f"The header has the system column {name!r} more than once")
    read.system[system] = column


def _add_property(read: Layout, column: int, text: str, conversions: dict[str, Callable[[str], Value]]) -> None:
    name, separator, kind = _split_last_colon(text)
    match = TYPE.fullmatch(kind if separator else "String")
    convert = conversions.get(match[1].lower()) if match else None
    if not name or re.search(r"\s", name):
        raise FormatError(f"The column {text!r} of the header has no name, or one with spaces")
    if match is None or convert is None:
        raise FormatError(f"The column {text!r} of the header has an unknown type")
    is_single, is_array = (match[2] or "").lower() == "single", bool(match[3])
    if conversions is OPENCYPHER_CONVERSIONS and (match[2] or is_array):
        raise FormatError(f"The column {text!r} of the header has a cardinality or an array, which openCypher lacks")
    if is_single and is_array:
        raise FormatError(f"The column {text!r} of the header is an array of single cardinality")
    if is_single or conversions is OPENCYPHER_CONVERSIONS:
        read.single.add(name)
    read.properties.append(_Property(column, name, convert, is_array))


def _split_last_colon(text: str) -> tuple[str, str, str]:
    """Split at the last colon without a backslash before it; the others lose theirs."""
    match = re.fullmatch(r"(.*)(?<!\\)(:)(.*)", text)
    name, separator, kind = match.groups() if match else (text, "", "")
    return name.replace(r"\:", ":"), separator, kind


def _check(read: Layout, form: str, *, with_edge_ids: bool) -> None:
    needed = {"start", "end"} if read.has_edges else {"id"}
    if read.has_edges and (form == GREMLIN or with_edge_ids):
        needed.add("id")
    names = {"id": "~id", "start": "~from", "end": "~to"}
    if form == OPENCYPHER:
        names = {"id": ":ID", "start": ":START_ID", "end": ":END_ID"}
    if lacking := sorted(names[system] for system in needed - read.system.keys()):
        raise FormatError(f"The header lacks the system column {lacking[0]!r}")
    if not read.has_edges:
        return
    if form == OPENCYPHER and not with_edge_ids and "id" in read.system:
        raise FormatError("The header has the system column ':ID' although userProvidedEdgeIds is FALSE")
    if form == GREMLIN and (arrays := [column.name for column in read.properties if column.is_array]):
        raise FormatError(f"The property {arrays[0]!r} of an edge is an array")
    read.single |= {column.name for column in read.properties}


def entries(lines: Iterable[str], read: Layout, *, keep_empty: bool = False) -> Iterator[Vertex | Edge | Fault]:
    """Yield what the rows below a header say, one at a time.

    Args:
        lines: The lines of the file below the header.
        read: What the header says.
        keep_empty: Whether empty strings in quotation marks are values of properties.
    """
    make = _edge if read.has_edges else _vertex
    row = 0
    for record in _records(lines):
        if not record.strip():
            continue
        row += 1
        try:
            yield make(cells(record, read.width), read, keep_empty)
        except FormatError as error:
            yield Fault(row, str(error))
        except ValueFault as error:
            yield Fault(row, str(error), is_mismatch=True)


def _vertex(values: list[str | None], read: Layout, keep_empty: bool) -> Vertex:
    text = _optional(values, read, "label")
    labels = ("vertex",) if text is None else tuple(dict.fromkeys(label.strip() for label in text.split(";")))
    if not all(labels):
        raise FormatError("A label is empty")
    return Vertex(_id(values, read, "id"), labels, _properties(values, read, keep_empty))


def _edge(values: list[str | None], read: Layout, keep_empty: bool) -> Edge:
    label = _optional(values, read, "label")
    if label == "":
        raise FormatError("The label of an edge is empty")
    own = _id(values, read, "id") if "id" in read.system else None
    start, end = _id(values, read, "start"), _id(values, read, "end")
    return Edge(own, start, end, label or "edge", _properties(values, read, keep_empty))


def _optional(values: list[str | None], read: Layout, system: str) -> str | None:
    column = read.system.get(system)
    return None if column is None else values[column]


def _id(values: list[str | None], read: Layout, system: str) -> str:
    value = values[read.system[system]]
    if value is None:
        raise FormatError("The column of an id is blank")
    space = read.spaces.get(system)
    return f"{space}:{value}" if space else value


def _properties(values: list[str | None], read: Layout, keep_empty: bool) -> dict[str, list[Value]]:
    properties: dict[str, list[Value]] = {}
    for column in read.properties:
        text = values[column.column]
        if text is None or (not text and not keep_empty):
            continue
        if column.is_array:
            texts = [item.strip().replace(r"\;", ";") for item in SEMICOLON.split(text)]
            items = [column.convert(item) for item in texts if item or keep_empty]
        else:
            items = [column.convert(text)]
        if column.name in properties:
            properties[column.name] += items
        elif items:
            properties[column.name] = items
    return properties


def cells(record: str, width: int = 0) -> list[str | None]:
    """Split a row of RFC 4180 into its cells, without the spaces around them; None for a blank one.

    Args:
        record: The row.
        width: How many cells it must have; 0 for any number.

    Raises:
        FormatError: A quotation mark is where none may be, or there are more cells or fewer.
    """
    values = [cell.strip() or None for cell in record.split(",")] if '"' not in record else _quoted_cells(record)
    if width and len(values) != width:
        raise FormatError(f"The row has {len(values)} columns, its header {width}")
    return values


def _quoted_cells(record: str) -> list[str | None]:
    values: list[str | None] = []
    start = 0
    while True:
        match = CELL.match(record, start)
        if match is None:
            raise FormatError("A quotation mark is not closed, or is inside a cell without quotation marks around it")
        quoted, plain, separator = match.groups()
        values.append(plain.strip() or None if quoted is None else quoted.replace('""', '"'))
        if not separator:
            return values
        start = match.end()


def _records(lines: Iterable[str]) -> Iterator[str]:
    """Yield rows without the line's end; what is in quotation marks may have more lines."""
    iterator = iter(lines)
    for line in iterator:
        if line.count('"') % 2:
            parts, marks, size = [line], line.count('"'), len(line)
            while marks % 2 and size < LONGEST_ROW and (following := next(iterator, None)) is not None:
                parts.append(following)
                marks += following.count('"')
                size += len(following)
            line = "".join(parts)  # noqa: PLW2901 - the row that began with it
        yield line.rstrip("\r\n")
