"""Batches of the bulk loader in the graph: new vertices and edges, and what a row adds to those that are there.

Whatever is new in a batch, ArcadeDB's own importer creates, in Java. Only what is there already is changed one by one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import jpype  # type: ignore[import-untyped]

from localcloud.engines.neptune_formats import Edge, Vertex
from localcloud.engines.neptune_values import Value

ID = "~id"
#: The address of an element in the engine, which is the id of one that no loader has created.
ADDRESS = re.compile(r"#\d+:\d+")
#: Characters that the engine allows in no label, or that join the labels of one vertex.
UNUSABLE = re.compile(r"[,~`]")
#: Options of the engine's importer: its writes survive the process as those of queries do, and one thread suffices.
IMPORTER: dict[str, Any] = {
    "use_wal": True, "wal_flush": "no", "parallel_flush": False, "pre_allocate_edge_chunks": False,
}  # fmt: skip
#: Bytes of a filter that tells most new ids from those that are there; 10 million ids fill a quarter of it.
FILTER_BYTES = 1 << 23
#: Addresses of vertices, and Java's dates, that are remembered at most.
REMEMBERED, REMEMBERED_DATES = 300_000, 10_000


@dataclass(frozen=True)
class Rule:
    """How a load treats what is there already.

    Attributes:
        single: Names of properties that have one value.
        replaces: Another value of such a property replaces the one that is there; otherwise it is an error.
        keeps: What is there is kept, and the row counts as a duplicate, as in openCypher's format.
        stops: The first error ends the load.
    """

    single: frozenset[str] = frozenset()
    replaces: bool = False
    keeps: bool = False
    stops: bool = True


@dataclass
class Outcome:
    """What became of a batch.

    Attributes:
        duplicates: Records that were there already.
        errors: Code and message of each record that could not be inserted.
        rows: How many rows were read; fewer than the batch has where an error ended it.
    """

    duplicates: int = 0
    errors: list[tuple[str, str]] = field(default_factory=list)
    rows: int = 0


@dataclass
class _Element:
    """A vertex or an edge, as it will be.

    Attributes:
        labels: Its labels; an edge has one.
        properties: A value for each name, or a list where there are several.
        ends: The ids of an edge's vertices.
        places: The addresses of an edge's vertices.
        record: The engine's record, if it is there already.
        changed: Names of properties that a record has to get.
        added: Labels that a record has to get.
    """

    labels: list[str]
    properties: dict[str, Any]
    ends: tuple[str, str] | None = None
    places: tuple[Any, Any] | None = None
    record: Any = None
    changed: set[str] = field(default_factory=set)
    added: list[str] = field(default_factory=list)


class _Ids:
    """A Bloom filter: whether an id may be among those that were added to it.

    Source: Bloom 1970, "Space/time trade-offs in hash coding with allowable errors".
    """

    def __init__(self) -> None:
        self._bits = bytearray(FILTER_BYTES)

    def add(self, identity: str) -> None:
        for bit in self._places(identity):
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, identity: str) -> bool:
        first, second = self._places(identity)
        return bool(self._bits[first >> 3] & 1 << (first & 7) and self._bits[second >> 3] & 1 << (second & 7))

    @staticmethod
    def _places(identity: str) -> tuple[int, int]:
        number = hash(identity)
        return number & (FILTER_BYTES * 8 - 1), (number >> 32) & (FILTER_BYTES * 8 - 1)


class Batches:
    """Writes rows into a database; the caller sees to it that nobody else uses it meanwhile."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._java = database.get_java_database()
        self._schema = self._java.getSchema()
        self._keys = jpype.JArray(jpype.JObject)
        self._date = jpype.JClass("java.time.ZonedDateTime")
        self._string = jpype.JClass("com.arcadedb.schema.Type").STRING
        self._tree = jpype.JClass("com.arcadedb.schema.Schema$INDEX_TYPE").LSM_TREE
        self._composed = jpype.JClass("com.arcadedb.query.opencypher.Labels").ensureCompositeType
        self._vertex_type = jpype.JClass("com.arcadedb.schema.VertexType")
        self._edge_type = jpype.JClass("com.arcadedb.schema.EdgeType")
        self._java_date = lru_cache(REMEMBERED_DATES)(lambda date: self._date.parse(date.isoformat()))
        self._is_usable = lru_cache(maxsize=1_000)(lambda label: not UNUSABLE.search(label))
        self._indexes: dict[str, dict[str, Any]] = {}
        self._writes: int | None = None
        self._ids: dict[str, _Ids | None] = {}
        self._places: dict[str, Any] = {}

    def write(self, rows: Sequence[Vertex | Edge], rule: Rule, writes: int = 0) -> Outcome:
        """Write rows of one file; what was written before an error stays.

        Args:
            rows: Vertices, or edges.
            rule: How to treat what is there already.
            writes: How many queries may have changed the graph until now: what is remembered of it holds until then.
        """
        self._indexes = {"vertices": self._indexed(self._vertex_type), "edges": self._indexed(self._edge_type)}
        if writes != self._writes:
            self._writes = writes
            self._places.clear()
            self._ids = {kind: _Ids() if self._is_empty(kind) else None for kind in self._indexes}
        outcome, elements = Outcome(), dict[str, _Element]()
        for row in rows:
            outcome.rows += 1
            if isinstance(row, Vertex):
                errors = self._add_vertex(row, elements, rule, outcome)
            else:
                errors = self._add_edge(row, elements, rule, outcome)
            outcome.errors += errors
            if errors and rule.stops:
                break
        new = [element for element in elements.values() if element.record is None]
        self._allow_lists(elements.values())
        if new and new[0].ends:
            self._create_edges(new)
        elif new:
            self._create_vertices(new)
        self._update([element for element in elements.values() if element.record is not None])
        return outcome

    def _add_vertex(
        self, row: Vertex, elements: dict[str, _Element], rule: Rule, outcome: Outcome
    ) -> list[tuple[str, str]]:
        for label in row.labels:
            if not self._is_usable(label):
                return [_unusable(label)]
        element = elements.get(row.id) or self._stored(self._find("vertices", row.id))
        if element is None:
            element = elements[row.id] = _Element([*row.labels], {ID: row.id})
            return _merge(element, row, rule, outcome)
        elements[row.id] = element
        former_duplicates = outcome.duplicates
        for label in row.labels:
            if label in element.labels:
                outcome.duplicates += 1
            else:
                element.labels.append(label)
                element.added.append(label)
        errors = _merge(element, row, rule, outcome)
        if rule.keeps:
            outcome.duplicates = former_duplicates + 1
        return errors

    def _add_edge(
        self, row: Edge, elements: dict[str, _Element], rule: Rule, outcome: Outcome
    ) -> list[tuple[str, str]]:
        if not self._is_usable(row.label):
            return [_unusable(row.label)]
        start, end = self._place(row.start), self._place(row.end)
        if start is None or end is None:
            message = f"Either from vertex, '{row.start}', or to vertex, '{row.end}', is not present."
            return [("FROM_OR_TO_VERTEX_ARE_MISSING", message)]
        key = f"{len(elements)}" if row.id is None else f"~{row.id}"
        element = elements.get(key) or (self._stored(self._find("edges", row.id)) if row.id is not None else None)
        if element is None:
            properties = {} if row.id is None else {ID: row.id}
            element = elements[key] = _Element([row.label], properties, (row.start, row.end), (start, end))
            return _merge(element, row, rule, outcome)
        elements[key] = element
        if not rule.keeps and (element.ends != (row.start, row.end) or element.labels != [row.label]):
            return [("ID_ASSIGNED_TO_MULTIPLE_EDGES", f"The id '{row.id}' belongs to another edge already.")]
        outcome.duplicates += 1
        return [] if rule.keeps else _merge(element, row, rule, outcome)

    def _place(self, identity: str) -> Any:
        """Return the address of the vertex with an id; None if there is none."""
        place = self._places.get(identity)
        if place is None and (place := self._find("vertices", identity)):
            self._remember(identity, place)
        return place

    def _remember(self, identity: str, place: Any) -> None:
        if len(self._places) >= REMEMBERED:
            self._places.clear()
        self._places[identity] = place

    def _is_empty(self, kind: str) -> bool:
        return not any(self._java.countType(name, True) for name in self._indexes[kind])  # noqa: FBT003 - Java

    def _find(self, kind: str, identity: str) -> Any:
        """Return the address of the vertex or edge with an id; None if there is none."""
        ids = self._ids[kind]
        if ids is not None and identity[:1] != "#" and identity not in ids:
            return None
        key = self._keys([identity])
        indexes = self._indexes[kind]
        for name, index in indexes.items():
            cursor = index.get(key)
            if cursor.hasNext():
                if next(iter(indexes)) != name:  # the next one is probably there, too
                    self._indexes[kind] = {name: index, **indexes}
                return cursor.next().getIdentity()
        if kind == "vertices" and ADDRESS.fullmatch(identity):
            record = self._database.query("sql", f"SELECT FROM {identity}").first()
            if record and not record.get(ID):
                return self._database.to_java_rid(identity)
        return None

    def _stored(self, address: Any) -> _Element | None:
        """Return a vertex or an edge as it is."""
        if address is None:
            return None
        record = address.getRecord()
        properties = {str(name): _plain(value) for name, value in dict(record.toMap()).items() if str(name)[0] != "@"}
        labels, ends = str(record.getTypeName()).split("~"), None
        if hasattr(record, "getOutVertex"):
            ends = (_identity(record.getOutVertex()), _identity(record.getInVertex()))
        return _Element(labels, properties, ends, record=record)

    def _indexed(self, kind: Any) -> dict[str, Any]:
        """Return the index of ids of each type of vertex or edge; one that a query has created gets it now."""
        known = self._indexes.get("vertices" if kind is self._vertex_type else "edges", {})
        indexes = {}
        for name in [str(one.getName()) for one in self._schema.getTypes() if isinstance(one, kind)]:
            if "~" not in name:  # the index of a label covers vertices with more labels
                indexes[name] = known.get(name) or self._index(self._schema.getType(name))
        recent_first = [name for name in known if name in indexes]
        return {name: indexes[name] for name in dict.fromkeys([*recent_first, *indexes])}

    def _index(self, kind: Any) -> Any:
        kind.getOrCreateProperty(ID, self._string)
        return kind.getOrCreateTypeIndex(self._tree, False, ID)  # noqa: FBT003 - Java

    def _create_vertices(self, elements: list[_Element]) -> None:
        groups = defaultdict[tuple[str, ...], list[dict[str, Any]]](list)
        for element in elements:
            groups[*sorted(element.labels)].append(self._java_values(element.properties))
        ids = self._ids["vertices"]
        for labels, rows in groups.items():
            for label in labels:
                self._index(self._schema.getOrCreateVertexType(label))
            kind = labels[0]
            if len(labels) > 1:
                kind = str(self._composed(self._schema, jpype.java.util.ArrayList(list(labels))))
            with self._database.graph_batch(**IMPORTER) as batch:
                addresses = batch.create_vertices(kind, rows)
            for row, address in zip(rows, addresses, strict=True):
                self._remember(row[ID], address)
                if ids is not None:
                    ids.add(row[ID])

    def _create_edges(self, elements: list[_Element]) -> None:
        groups = defaultdict[str, list[_Element]](list)
        for element in elements:
            groups[element.labels[0]].append(element)
        for label in groups:
            self._index(self._schema.getOrCreateEdgeType(label))
        with self._database.graph_batch(**IMPORTER) as batch:
            ids = self._ids["edges"]
            for label, edges in groups.items():
                if ids is not None:
                    for identity in (edge.properties.get(ID) for edge in edges):
                        ids.add(identity or "")
                starts, ends = zip(*(edge.places for edge in edges if edge.places), strict=True)
                batch.new_edges(starts, label, ends, [self._java_values(edge.properties) for edge in edges])

    def _update(self, elements: list[_Element]) -> None:
        """Change what was there before, in one transaction."""
        elements = [element for element in elements if element.changed or element.added]
        if not elements:
            return
        self._places.clear()  # a vertex that gets a label moves
        with self._database.transaction():
            for element in elements:
                if element.changed:
                    record = element.record.modify()
                    for name, value in self._java_values(element.properties).items():
                        if name in element.changed:
                            record.set(name, jpype.java.util.ArrayList(value) if isinstance(value, list) else value)
                    record.save()
                if element.added:
                    added = "".join(f":`{label}`" for label in element.added)
                    found = f"MATCH (n:`{element.labels[0]}` {{`{ID}`: $id}})"
                    identity = element.properties.get(ID)
                    if identity is None:
                        found, identity = "MATCH (n) WHERE elementId(n) = $id", str(element.record.getIdentity())
                    self._database.command("opencypher", f"{found} SET n{added}", {"id": identity})

    def _allow_lists(self, elements: Iterable[_Element]) -> None:
        """Take the type from properties that get several values, which a type of one value would turn into a text."""
        plural = {
            (label, name)
            for element in elements
            for name, value in element.properties.items()
            if isinstance(value, list) and (element.record is None or name in element.changed)
            for label in element.labels
        }
        for label, name in plural:
            kind = self._schema.getType(label) if self._schema.existsType(label) else None
            if kind is not None and kind.existsProperty(name):
                for index in list(kind.getIndexesByProperties(name, jpype.JArray(jpype.JString)([]))):
                    self._schema.dropIndex(index.getName())
                kind.dropProperty(name)

    def _java_values(self, properties: dict[str, Any]) -> dict[str, Any]:
        return {
            name: self._java_value(value) if isinstance(value, list | datetime) else value
            for name, value in properties.items()
        }

    def _java_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._java_value(item) for item in value]
        return self._java_date(value) if isinstance(value, datetime) else value


def _merge(element: _Element, row: Vertex | Edge, rule: Rule, outcome: Outcome) -> list[tuple[str, str]]:
    """Add the values of a row to an element, and return what it cannot take."""
    errors: list[tuple[str, str]] = []
    for name, values in row.properties.items():
        if name not in element.properties and len(values) == 1:
            element.properties[name] = values[0]
            element.changed.add(name)
            continue
        for value in values:
            current = element.properties.get(name)
            several = current if isinstance(current, list) else [] if current is None else [current]
            if any(_same(value, item) for item in several):
                outcome.duplicates += 1
            elif not several or (name in rule.single and rule.replaces):
                element.properties[name] = value
                element.changed.add(name)
            elif name not in rule.single:
                element.properties[name] = [*several, value]
                element.changed.add(name)
            elif not rule.keeps:
                message = f"The property '{name}' has the value {current!r} already, and single cardinality."
                errors.append(("SINGLE_CARDINALITY_VIOLATION", message))
    return errors


def _same(value: Value, other: Value) -> bool:
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _plain(value: Any) -> Any:
    """Return a stored value as the formats read it."""
    if isinstance(value, jpype.JString):
        return str(value)
    if hasattr(value, "toInstant"):
        return datetime.fromtimestamp(value.toInstant().toEpochMilli() / 1000, UTC)
    if isinstance(value, jpype.JObject) and hasattr(value, "iterator"):
        return [_plain(item) for item in value]
    return value


def _identity(vertex: Any) -> str:
    return str(vertex.get(ID) or vertex.getIdentity())


def _unusable(label: str) -> tuple[str, str]:
    return "INTERNAL_ERROR", f"The local cloud has no labels with a comma, a tilde or a backtick, as '{label}' has."
