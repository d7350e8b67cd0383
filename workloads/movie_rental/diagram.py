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
_MADE_OPTIONAL = re.compile(r"ALTER TABLE (\w+) ALTER COLUMN (\w+) DROP NOT NULL")


def entity_relationships() -> str:
    """Tables with their columns, and an edge for each reference; optional ones end in a circle."""
    edges: list[str] = []
    entities: list[str] = []
    versions = [path.read_text(encoding="utf-8") for path in sorted(SCHEMA.glob("*.sql"))]
    optional = {found for version in versions for found in _MADE_OPTIONAL.findall(version)}
    for version in versions:
        for table, body in _TABLE.findall(version):
            entities.append(f"    {table} {{")
            for column, kind, rest in _COLUMN.findall(body):
                marks = [mark for mark, sign in (("PK", "PRIMARY KEY"), ("FK", "REFERENCES")) if sign in rest]
                entities.append(f"        {kind} {column} {', '.join(marks)}".rstrip())
                if reference := _REFERENCE.search(rest):
                    many = "|o" if "PRIMARY KEY" in rest else "}o"
                    needed = "NOT NULL" in rest and (table, column) not in optional
                    one = "||" if needed or "PRIMARY KEY" in rest else "o|"
                    edges.append(f"    {table} {many}--{one} {reference[1]} : {column}")
            entities.append("    }")
    return "\n".join(["erDiagram", *edges, *entities])


def documented(page: str) -> str:
    """A page with its generated parts as they have to be: the diagram, and the list of queries."""
    diagram = f"```mermaid\n{entity_relationships()}\n```"
    rows = [f"| `{query.name}` | {LANGUAGES[Path(query.name).suffix]} | {query.answers} |" for query in queries.every()]
    table = "\n".join(["| file | language | what it answers |", "|---|---|---|", *rows])
    for name, content in (("diagram", diagram), ("queries", table)):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n\n{content}\n\n{end}{after}"
    return page


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(documented(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
