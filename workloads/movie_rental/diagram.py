"""The entity relationship diagram of the relational schema, in Mermaid, made from the statements that create it."""

from __future__ import annotations

import re

from workloads.movie_rental.database import SCHEMA

_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\);", re.DOTALL)
_COLUMN = re.compile(r"^    (\w+) (\w+)(.*?),?$", re.MULTILINE)
_REFERENCE = re.compile(r"REFERENCES (\w+)")


def entity_relationships() -> str:
    """Tables with their columns, and an edge for each reference; optional ones end in a circle."""
    edges: list[str] = []
    entities: list[str] = []
    for path in sorted(SCHEMA.glob("*.sql")):
        for table, body in _TABLE.findall(path.read_text(encoding="utf-8")):
            entities.append(f"    {table} {{")
            for column, kind, rest in _COLUMN.findall(body):
                marks = [mark for mark, sign in (("PK", "PRIMARY KEY"), ("FK", "REFERENCES")) if sign in rest]
                entities.append(f"        {kind} {column} {', '.join(marks)}".rstrip())
                if reference := _REFERENCE.search(rest):
                    many = "|o" if "PRIMARY KEY" in rest else "}o"
                    one = "||" if "NOT NULL" in rest or "PRIMARY KEY" in rest else "o|"
                    edges.append(f"    {table} {many}--{one} {reference[1]} : {column}")
            entities.append("    }")
    return "\n".join(["erDiagram", *edges, *entities])
