"""InfluxQL as InfluxDB 2 runs it: on buckets, which it finds by the names of databases and retention policies.

Source: influxdata/influxdb, branch main-2.x, `v1/coordinator/statement_executor.go`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<name>"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*)
    |(?P<text>'(?:[^'\\]|\\.)*')
    |(?P<number>\d[\w.]*)
    |(?P<symbol>=~|!~|.)""",
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:[^/\\\n]|\\.)*/")
#: What a regular expression follows; elsewhere a slash divides.
_BEFORE_REGEX = {"=~", "!~", ".", ",", "FROM", "WITH", "("}

#: What InfluxDB 2 answers to what it has no longer, by how statements begin.
NOT_IMPLEMENTED = (
    "ALTER RETENTION POLICY", "CREATE CONTINUOUS QUERY", "CREATE DATABASE", "CREATE RETENTION POLICY",
    "CREATE SUBSCRIPTION", "CREATE USER", "DROP CONTINUOUS QUERY", "DROP DATABASE", "DROP SERIES",
    "DROP RETENTION POLICY", "DROP SHARD", "DROP SUBSCRIPTION", "DROP USER", "GRANT", "REVOKE",
    "SHOW CONTINUOUS QUERIES", "SHOW DIAGNOSTICS", "SHOW GRANTS", "SHOW MEASUREMENT CARDINALITY",
    "SHOW SERIES CARDINALITY", "SHOW SHARD GROUPS", "SHOW SHARDS", "SHOW STATS", "SHOW SUBSCRIPTIONS", "SHOW USERS",
    "SHOW QUERIES", "SET PASSWORD", "KILL QUERY",
)  # fmt: skip

_SHAPES = {"name": "n", "regex": "r", "space": " ", "text": "t", "number": "1"}
#: `database.policy.measurement`, `database..measurement` or `policy.measurement`.
_PATH = re.compile(r"n\.n?\.[nr]|n\.[nr]")
_POLICY_ONLY = 2  # tokens before the measurement: the policy and a dot

#: Gives the name of the engine's database for a database and a retention policy, which is empty for the default.
Find = Callable[[str, str], str]


@dataclass(frozen=True)
class Token:
    """A token of InfluxQL; `kind` is a group of the tokens' pattern, or `regex`."""

    kind: str
    text: str

    @property
    def word(self) -> str:
        """The token as a keyword."""
        return self.text.upper() if self.kind == "name" else self.text

    @property
    def name(self) -> str:
        """The name without quotes."""
        return re.sub(r"\\(.)", r"\1", self.text[1:-1]) if self.text.startswith('"') else self.text


class Statement:
    """One statement.

    Attributes:
        keywords: How it begins: up to three words, in capitals.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._meant = [token for token in tokens if token.kind != "space"]
        self.keywords = " ".join(token.word for token in self._meant[:3])

    def begins(self, words: str) -> bool:
        """Return whether it begins with these words."""
        return f"{self.keywords} ".startswith(f"{words} ")

    def not_implemented(self) -> str:
        """Return the name of what InfluxDB 2 does not have, or nothing."""
        if self.begins("SELECT") and any(token.word == "INTO" for token in self._meant):
            return "SELECT INTO"
        return next((words for words in NOT_IMPLEMENTED if self.begins(words)), "")

    def database(self, default: str) -> str:
        """Return the database that a SHOW statement names after ON, or the default."""
        for before, token in zip(self._meant, self._meant[1:], strict=False):
            if before.word == "ON" and before.text == before.text.strip('"'):
                return token.name
        return default

    def on_buckets(self, find: Find, database: str) -> str:
        """Return the statement with the engine's databases in place of those that it names.

        Args:
            find: Returns the engine's database for a database and a retention policy.
            database: The request's database.
        """
        out: list[str] = []
        at, before = 0, ""
        while at < len(self._tokens):
            token = self._tokens[at]
            path = _PATH.match("".join(_SHAPES.get(item.kind, item.text[:1]) for item in self._tokens[at : at + 5]))
            if path:
                names = [item.name for item in self._tokens[at : at + path.end() - 1]]
                place = (database, names[0]) if len(names) == _POLICY_ONLY else (names[0], names[2].strip("."))
                out += [f'"{find(*place)}"."autogen".', self._tokens[at + path.end() - 1].text]
                at += path.end()
            else:
                is_database = before == "ON" and token.kind == "name" and self.begins("SHOW")
                out.append(f'"{find(token.name, "")}"' if is_database else token.text)
                at += 1
            before = before if token.kind == "space" else token.word
        return "".join(out)


def statements(query: str) -> Iterator[Statement]:
    """Yield the statements of a query."""
    tokens: list[Token] = []
    for token in [*_tokens(query), Token("symbol", ";")]:
        if token.text != ";" or token.kind != "symbol":
            tokens.append(token)
        else:
            if any(item.kind != "space" for item in tokens):
                yield Statement(tokens)
            tokens = []


def _tokens(query: str) -> Iterator[Token]:
    at, before = 0, ""
    while at < len(query):
        regex = _REGEX.match(query, at) if before in _BEFORE_REGEX else None
        match = regex or _TOKEN.match(query, at)
        assert match  # noqa: S101 - the last alternative is any character
        token = Token("regex" if regex else str(match.lastgroup), match[0])
        yield token
        before = before if token.kind == "space" else token.word
        at = match.end()
