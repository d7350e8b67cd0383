"""The entity relationship diagram of the relational schema, in Mermaid, made from the statements that create it.

Run as `python -m workloads.movie_rental.diagram PAGE.md`: it brings the page's generated parts up to date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from workloads.movie_rental import queries
from workloads.movie_rental.database import SCHEMA
from workloads.movie_rental.queries import LANGUAGES

_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\);", re.DOTALL)
_COLUMN = re.compile(r"^    (\w+) (\w+)(.*?),?$", re.MULTILINE)
_REFERENCE = re.compile(r"REFERENCES (\w+)")
_DROPPED = re.compile(r"^DROP TABLE (\w+);", re.MULTILINE)
_MADE_OPTIONAL = re.compile(r"ALTER TABLE (\w+) ALTER COLUMN (\w+) DROP NOT NULL")


def entity_relationships() -> str:
    """Return the tables with their columns, and an edge for each reference; optional ones end in a circle."""
    edges: list[str] = []
    entities: list[str] = []
    versions = [path.read_text(encoding="utf-8") for path in sorted(SCHEMA.glob("*.sql"))]
    optional = {column for version in versions for column in _MADE_OPTIONAL.findall(version)}
    tables: dict[str, str] = {}
    for version in versions:
        for table in _DROPPED.findall(version):
            del tables[table]
        tables.update(_TABLE.findall(version))
    for table, body in tables.items():
        entities.append(f"    {table} {{")
        for column, kind, constraints in _COLUMN.findall(body):
            marks = [mark for mark, sign in (("PK", "PRIMARY KEY"), ("FK", "REFERENCES")) if sign in constraints]
            entities.append(f"        {kind} {column} {', '.join(marks)}".rstrip())
            if reference := _REFERENCE.search(constraints):
                child = "|o" if "PRIMARY KEY" in constraints else "}o"
                needed = "NOT NULL" in constraints and (table, column) not in optional
                parent = "||" if needed or "PRIMARY KEY" in constraints else "o|"
                edges.append(f"    {table} {child}--{parent} {reference[1]} : {column}")
        entities.append("    }")
    return "\n".join(["erDiagram", *edges, *entities])


def documented(page: str) -> str:
    """Return a page with its generated sections, the diagram and the list of queries, written again."""
    diagram = f"```mermaid\n{entity_relationships()}\n```"
    rows = [f"| `{query.name}` | {LANGUAGES[Path(query.name).suffix]} | {query.answers} |" for query in queries.every()]
    table = "\n".join(["| file | language | what it answers |", "|---|---|---|", *rows])
    for name, content in (("diagram", diagram), ("queries", table)):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, tail = page.partition(begin)
        _, _, after = tail.partition(end)
        page = f"{before}{begin}\n\n{content}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(documented(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
