"""The questions that the workload puts to its engines: one file each, whose first line says what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent
_COMMENTS = {".sql": "--", ".cypher": "//", ".json": "//", ".partiql": "--"}
LANGUAGES = {".sql": "SQL", ".cypher": "openCypher", ".json": "OpenSearch", ".partiql": "PartiQL"}


@dataclass(frozen=True)
class Query:
    """A file.

    Attributes:
        name: The file's name.
        answers: Its first line, less the comment's sign.
        text: The rest.
    """

    name: str
    answers: str
    text: str

    def filled(self, **values: object) -> Any:
        """Return a JSON query with `"$name"` replaced by the value of that name.

        Raises:
            KeyError: The query has a name that was given no value.
        """
        return filled(json.loads(self.text), values)


@cache
def load(name: str) -> Query:
    """Return the query of a file's name."""
    first, _, text = (FOLDER / name).read_text(encoding="utf-8").partition("\n")
    sign = _COMMENTS[Path(name).suffix]
    if not first.startswith(sign):
        raise ValueError(f"{name}: its first line has to be a comment ({sign}) that says what it answers")
    return Query(name, first.removeprefix(sign).strip(), text.strip())


def every() -> list[Query]:
    """Return all queries, by language and name."""
    files = sorted((path.suffix, path.name) for path in FOLDER.iterdir() if path.suffix in _COMMENTS)
    return [load(name) for _, name in files]


def filled(node: Any, values: Mapping[str, object]) -> Any:
    """Return a JSON query with `"$name"` replaced by the value of that name."""
    match node:
        case dict():
            return {key: filled(child, values) for key, child in node.items()}
        case list():
            return [filled(child, values) for child in node]
        case str() if node.startswith("$"):
            return values[node[1:]]
    return node
