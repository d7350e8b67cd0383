"""Questions of a person's own, each in its engine's language, and one question in several languages. Nothing writes."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.errors import ReadOnlySqlTransaction

from contract.errors import InputError, phrase
from contract.questions import refusal
from workloads.movie_rental import database, queries
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.liveanalytics import LiveAnalytics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from workloads.movie_rental.engines import Stack

LONGEST = 60  # seconds that PostgreSQL works on a question
_TIMES_ASKED = 3
_NO_TABLE = "Write {table} where the name of the table belongs."


@dataclass(frozen=True)
class Rows:
    """What an engine answers.

    Attributes:
        columns: Their names.
        rows: Cells in the order of the columns.
        more: Whether there are more rows than were asked for.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    more: bool = False


@dataclass(frozen=True)
class Answer:
    """What one engine answers to a question that several are asked.

    Attributes:
        engine: Its name, and the language.
        text: The question in this language.
        milliseconds: The median of the times that it took.
        films: Ids of the films, in the order of the answer.
        titles: What the engine knows of their titles, by id.
        plan: How it went about it; empty if that was not asked for, or the engine has no plan.
    """

    engine: str
    text: str
    milliseconds: float
    films: Sequence[str]
    titles: Mapping[str, str]
    plan: str


#: What `compare` asks, by its name: what it means, and the file of each engine's language.
COMPARED: Mapping[str, tuple[str, Sequence[str]]] = {
    "popular": ("Which films did most people rent?", ("popular.sql", "popular.cypher")),
    "also-rented": ("What did the people rent, too, who rented a film?", ("also_rented.sql", "also_rented.cypher")),
    "starring": (
        "In which films does a person act?",
        ("starring.partiql", "starring.cypher", "starring.json"),
    ),
}
_ENGINES = {".sql": "postgresql", ".cypher": "neptune", ".json": "opensearch", ".partiql": "dynamodb"}


def ask(stack: Stack, engine: str, text: str, limit: int) -> Rows:
    """Ask an engine a question in its own language.

    Args:
        stack: Whose engines are meant.
        engine: A key of `ASKING`.
        text: The question; `{table}` stands for the table of DynamoDB and of Timestream.
        limit: How many rows at most.

    Raises:
        InputError: The question may write, or the engine refuses it.
        UnavailableError: The engine cannot be reached, or cannot do it now.
    """
    return _ASKING[engine](stack, _reading(engine, text), {}, limit)


def explain(stack: Stack, engine: str, text: str) -> str:
    """Return how an engine goes about a question, in its own words.

    Raises:
        InputError: As `ask`; or the engine has no such explanation.
        UnavailableError: As `ask`.
    """
    return _EXPLAINING[engine](stack, _reading(engine, text), {})


def compare(stack: Stack, name: str, value: str, limit: int, *, plans: bool) -> list[Answer]:
    """Ask every engine that can answer a question, some times, one after the other.

    Args:
        stack: Whose engines are asked.
        name: A key of `COMPARED`.
        value: The film's id or the person's name, where the question has one.
        limit: How many films at most.
        plans: Whether each explains how it goes about it.
    """
    answers = []
    for file in COMPARED[name][1]:
        suffix = Path(file).suffix
        engine, text = _ENGINES[suffix], queries.load(file).text
        values = {"value": value, "limit": limit}
        seconds = []
        for _ in range(_TIMES_ASKED):
            begin = time.perf_counter()
            asked = _ASKING[engine](stack, text, values, limit)
            seconds.append(time.perf_counter() - begin)
        cells = [dict(zip(asked.columns, row, strict=True)) for row in asked.rows]
        films = {str(_of(cell, "id", "MovieID")): _of(cell, "title", "MovieTitle") for cell in cells}
        answers.append(
            Answer(
                f"{NAMES[engine]}, {queries.LANGUAGES[suffix]}",
                text,
                statistics.median(seconds) * 1000,
                [*films],
                {film: str(title) for film, title in films.items() if title},
                _EXPLAINING[engine](stack, text, values) if plans and engine in _EXPLAINED else "",
            )
        )
    return answers


def _of(cells: Mapping[str, object], *names: str) -> object:
    return next((cells[name] for name in names if name in cells), None)


def _reading(engine: str, text: str) -> str:
    if engine != "opensearch" and (reason := refusal(engine, text)):
        raise InputError(f"The question to {NAMES[engine]}: {reason}")
    return text


def _table(rows: Iterable[Mapping[str, object]], limit: int) -> Rows:
    """Return rows, whose columns may differ, as a table: columns in the order in which they appear."""
    first = list(islice(rows, limit + 1))
    columns = list(dict.fromkeys(name for row in first for name in row))
    return Rows(columns, [[row.get(name) for name in columns] for row in first[:limit]], more=len(first) > limit)


def _of_postgresql(stack: Stack, text: str, values: Mapping[str, object], limit: int) -> Rows:
    """Ask within a transaction that may only read; the protocol that is used takes one statement."""
    with database.connect(stack.database_url) as connection, database.asking(stack.database_url):
        connection.read_only = True
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(LONGEST * 1000))
            try:
                stream: Any = cursor.stream(text.encode(), values or None)
                rows = list(islice(stream, limit + 1))
                stream.close()  # cancels what is left of the statement
            except ReadOnlySqlTransaction as error:
                raise InputError(
                    "The question to PostgreSQL: It writes, and only questions that read are asked."
                ) from error
            if not rows:  # a stream without rows does not tell its columns
                cursor.execute(text.encode(), values or None, prepare=True)
            columns = [column.name for column in cursor.description or ()]
    return Rows(columns, rows[:limit], more=len(rows) > limit)


def _plan_of_postgresql(stack: Stack, text: str, values: Mapping[str, object]) -> str:
    plan = _of_postgresql(stack, f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS) {text}", values, limit=1000)
    return "\n".join(str(line) for (line,) in plan.rows)


def _of_neptune(stack: Stack, text: str, values: Mapping[str, object], limit: int) -> Rows:
    return _table(stack.graph.ask(text, values), limit)


def _plan_of_neptune(stack: Stack, text: str, values: Mapping[str, object]) -> str:
    return stack.graph.explain(text, values)


def _body(text: str, values: Mapping[str, object]) -> dict[str, Any]:
    """Return the body of a search: JSON as it is; other text as a query string, such as `Cast:zoe AND Year:2006`."""
    if not text.lstrip().startswith("{"):
        return {"query": {"query_string": {"query": text}}}
    try:
        body = json.loads(text)
    except ValueError as error:
        raise InputError(f"The question to OpenSearch: It begins as JSON, but is not: {phrase(error)}.") from error
    filled: dict[str, Any] = queries.filled(body, values) if values else body
    return filled


def _of_opensearch(stack: Stack, text: str, values: Mapping[str, object], limit: int) -> Rows:
    """Return the documents that match, without their vectors; of a search with `aggs` and `size` 0, the buckets."""
    body = _body(text, values)
    answer = stack.index.ask({"size": limit, "_source": {"excludes": ["Embedding"]}, **body})
    if body.get("size") == 0:
        buckets = [
            {"aggregation": name, **bucket}
            for name, aggregation in answer.get("aggregations", {}).items()
            for bucket in aggregation.get("buckets", [aggregation])
        ]
        return _table(buckets, limit)
    hits = answer["hits"]["hits"]
    rows = _table(({"_score": hit["_score"], **hit.get("_source", {})} for hit in hits), limit)
    return Rows(rows.columns, rows.rows, more=answer["hits"]["total"]["value"] > len(rows.rows))


def _plan_of_opensearch(stack: Stack, text: str, values: Mapping[str, object]) -> str:
    """Return the queries that OpenSearch made of it, each indented below the one that it belongs to."""
    answer = stack.index.ask({**_body(text, values), "profile": True})

    def lines(queries: Sequence[Mapping[str, Any]], depth: int) -> list[str]:
        return [
            line
            for query in queries
            for line in [
                f"{'  ' * depth}{query['type']}: {query['description']} ({query['time_in_nanos'] / 1e6:.2f} ms)",
                *lines(query.get("children", []), depth + 1),
            ]
        ]

    shards = [search for shard in answer["profile"]["shards"] for search in shard["searches"]]
    return "\n".join(line for search in shards for line in lines(search["query"], 0))


def _of_timestream(stack: Stack, text: str, _values: Mapping[str, object], limit: int) -> Rows:
    store = stack.series.store
    if isinstance(store, LiveAnalytics):
        return _table(store.rows(text.replace("{table}", f'"{store.database}"."{store.table}"')), limit)
    if not isinstance(store, InfluxDB):
        raise TypeError(store)
    rows = store.rows(text.replace("{table}", f'"{store.measurement}"'))
    return _table(({**row, **_moment(row)} for row in rows), limit)


def _moment(row: Mapping[str, Any]) -> dict[str, object]:
    """Return the time of a row of InfluxDB, which it tells in microseconds, as a moment."""
    if not isinstance(row.get("time"), int):
        return {}
    return {"time": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["time"])}


def _plan_of_timestream(stack: Stack, text: str, values: Mapping[str, object]) -> str:
    if isinstance(stack.series.store, LiveAnalytics):
        raise InputError("--explain: Timestream for LiveAnalytics shows no plans. Ask without it.")
    plan = _of_timestream(stack, f"EXPLAIN ANALYZE {text}", values, limit=1000)
    return "\n".join(" ".join(str(cell) for cell in row) for row in plan.rows)


def _of_dynamodb(stack: Stack, text: str, values: Mapping[str, object], limit: int) -> Rows:
    if "{table}" not in text:
        raise InputError(f"The question to DynamoDB: It does not say of which table. {_NO_TABLE}")
    parameters = [values["value"]] if "value" in values else []
    return _table(stack.library.ask(text, parameters), limit)


def _plan_of_dynamodb(_stack: Stack, _text: str, _values: Mapping[str, object]) -> str:
    raise InputError(
        "--explain: DynamoDB has no plans. With the key of the table or of an index in WHERE it reads those items, and "
        'without it the whole table; an index is named as {table}."ByGenre".'
    )


NAMES = {
    "postgresql": "PostgreSQL",
    "neptune": "Neptune",
    "opensearch": "OpenSearch",
    "timestream": "Timestream",
    "dynamodb": "DynamoDB",
}
_ASKING: Mapping[str, Callable[[Stack, str, Mapping[str, object], int], Rows]] = {
    "postgresql": _of_postgresql,
    "neptune": _of_neptune,
    "opensearch": _of_opensearch,
    "timestream": _of_timestream,
    "dynamodb": _of_dynamodb,
}
_EXPLAINING: Mapping[str, Callable[[Stack, str, Mapping[str, object]], str]] = {
    "postgresql": _plan_of_postgresql,
    "neptune": _plan_of_neptune,
    "opensearch": _plan_of_opensearch,
    "timestream": _plan_of_timestream,
    "dynamodb": _plan_of_dynamodb,
}
_EXPLAINED = ("postgresql", "neptune", "opensearch")
