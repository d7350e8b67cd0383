"""Which questions only read: what a person types is asked only then, by the command line and by the console."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Comments and texts in quotes, which say nothing about what a question does.
_SQL_QUOTED = r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
_CYPHER_QUOTED = r"//[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`]|``)*`"
#: The first words of statements that read, by engine.
_FIRST_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "postgresql": frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"}),
        "mysql": frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE"}),
        "timestream": frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN"}),
        "dynamodb": frozenset({"SELECT"}),
    }
)
_WRITING_CYPHER = ("CREATE", "MERGE", "SET", "DELETE", "REMOVE", "DROP", "LOAD", "FOREACH")


def refusal(engine: str, text: str) -> str:
    """Say why a question is not asked: it may write, or it is several; empty if it only reads.

    A word that writes is refused wherever openCypher does not quote it, after `:` and `.` excepted, where it is a name.

    Args:
        engine: postgresql, mysql, neptune, timestream, or dynamodb.
        text: SQL, openCypher, InfluxQL or PartiQL.
    """
    if engine == "neptune":
        return _refused_cypher(text)
    bare = re.sub(_SQL_QUOTED, " ", text, flags=re.DOTALL).strip()
    first = (re.findall(r"^\(*\s*(\w+)", bare) or [""])[0].upper()
    if first not in _FIRST_WORDS[engine]:
        allowed = ", ".join(sorted(_FIRST_WORDS[engine]))
        return f"Only questions that read are asked. Begin with one of: {allowed}."
    if ";" in bare.rstrip("; \n\t"):
        return "These are several statements. Ask one at a time."
    if engine == "timestream" and re.search(r"\bINTO\b", bare, re.IGNORECASE):
        return "INTO writes, and only questions that read are asked."
    return ""


def _refused_cypher(text: str) -> str:
    bare = re.sub(_CYPHER_QUOTED, " ", text, flags=re.DOTALL)
    for word in re.findall(r"(?<![\w:.$])(\w+)", bare):
        if word.upper() in _WRITING_CYPHER:
            return f"{word.upper()} writes, and only questions that read are asked. A name is put into backquotes."
    if re.search(r"\bCALL\s+\w", bare, re.IGNORECASE):
        return "CALL may write, and only questions that read are asked."
    return ""
