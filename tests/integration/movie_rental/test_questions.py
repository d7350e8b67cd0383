"""Questions of a person's own, and one question in several languages, on real engines."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from tests.documents import document

from .conftest import Run, Servers

STACK = "Questions"


@pytest.fixture(scope="module")
def stack(servers: Servers) -> str:
    """A stack whose engines are empty."""
    servers.deploy(STACK, servers.new())
    return STACK


@pytest.fixture
def migrated(stack: str, run: Run) -> Run:
    """The commands, once a company is in."""
    assert run("load-source", "--into", "postgresql:///asked", "--scale", "0.02", "--replace")[0] == 0
    done = run("migrate", "--source", "postgresql:///asked")
    assert done[0] == 0, done
    return run


def test_each_engine_answers_in_its_language_and_none_writes(migrated: Run, servers: Servers) -> None:
    def ask(engine: str, text: str, *options: str) -> dict[str, Any]:
        code, out, errors = migrated("query", text, "--engine", engine, "--json", *options)
        assert code == 0, errors
        return document(out, "movie-rental query")

    [counted] = ask("postgresql", "SELECT count(*) AS customers, max(created) AS latest FROM customers")["rows"]
    assert counted["customers"] == 16
    graph = ask("neptune", "MATCH (c:Customer) RETURN count(c) AS customers")
    assert graph["rows"] == [{"customers": 16}]
    assert len(ask("dynamodb", "SELECT MovieID FROM {table}", "--limit", "100")["rows"]) == 20
    few = ask("dynamodb", 'SELECT MovieID, "Cast" FROM {table}', "--limit", "3")
    assert (len(few["rows"]), few["more"]) == (3, True)
    [total] = ask("timestream", "SELECT sum(value) AS rentals FROM {table}")["rows"]
    [ledger] = ask("postgresql", "SELECT count(*) AS rentals FROM rentals WHERE customer_id IS NOT NULL")["rows"]
    assert total["rentals"] == ledger["rentals"]
    assert total["time"].startswith("1970-01-01T00:00")
    movie = json.loads(migrated("movie", "7")[1])
    word = movie["MovieTitle"].split()[0]
    found = ask("opensearch", f"MovieTitle:{word}")["rows"]
    assert movie["MovieTitle"] in [row["MovieTitle"] for row in found]
    assert "Embedding" not in found[0]
    buckets = ask("opensearch", '{"size": 0, "aggs": {"genres": {"terms": {"field": "Genres"}}}}')["rows"]
    assert {"aggregation", "key", "doc_count"} <= buckets[0].keys()
    refused = {
        "postgresql": "WITH gone AS (DELETE FROM payments RETURNING 1) SELECT * FROM gone",
        "neptune": "MATCH (c:Customer) DETACH DELETE c",
        "timestream": "DROP MEASUREMENT rentals",
        "dynamodb": "DELETE FROM {table} WHERE MovieID = '1'",
    }
    for engine, text in refused.items():
        code, _, errors = migrated("query", text, "--engine", engine)
        assert (code, "read" in errors) == (2, True), errors
    code, _, errors = migrated("query", "SELECT wrong FROM customers")
    assert (code, "wrong" in errors) == (2, True)
    assert migrated("query", "{", "--engine", "opensearch")[0] == 2
    assert migrated("query", "SELECT 1 FROM somewhere", "--engine", "dynamodb")[0] == 2
    assert ask("neptune", "MATCH (c:Customer) RETURN count(c) AS customers") == graph


def test_rows_are_a_table_and_csv_and_empty_answers_have_columns(migrated: Run) -> None:
    code, out, errors = migrated("query", "SELECT customer_id, first_name FROM customers ORDER BY 1", "--limit", "2")
    assert code == 0, errors
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["customer_id", "1", "2"]
    assert "the first 2 rows" in out
    text = migrated("query", "SELECT customer_id, email FROM customers WHERE customer_id < 0", "--csv")[1]
    assert list(csv.reader(io.StringIO(text))) == [["customer_id", "email"]]


@pytest.mark.parametrize(
    ("engine", "question", "word"),
    [
        ("postgresql", "SELECT * FROM rentals WHERE customer_id = 3", "Scan"),
        ("neptune", "MATCH (m:Movie)<-[:RENTED]-(c:Customer) RETURN m.id, count(c)", "Movie"),
        ("opensearch", '{"query": {"match": {"MovieTitle": "robot"}}}', "MovieTitle:robot"),
        ("timestream", "SELECT sum(value) FROM {table}", "execution_time"),
    ],
)
def test_engines_explain_how_they_go_about_a_question(migrated: Run, engine: str, question: str, word: str) -> None:
    code, out, errors = migrated("query", question, "--engine", engine, "--explain")
    assert code == 0, errors
    assert word in out


def test_dynamodb_says_that_it_has_no_plans(migrated: Run) -> None:
    code, _, errors = migrated("query", "SELECT * FROM {table}", "--engine", "dynamodb", "--explain")
    assert (code, "no plans" in errors) == (2, True)


def test_engines_answer_one_question_alike(migrated: Run) -> None:
    movie = json.loads(migrated("movie", "7")[1])
    for question, *value in (("popular",), ("also-rented", "7"), ("starring", movie["Cast"][0])):
        code, out, errors = migrated("compare", question, *value, "--limit", "20", "--json")
        assert code == 0, errors
        answer = document(out, "movie-rental compare")
        assert answer["same"], [(a["engine"], a["films"]) for a in answer["answers"]]
        assert all(part["films"] for part in answer["answers"])
    code, out, errors = migrated("compare", "starring", movie["Cast"][0], "--explain")
    assert code == 0, errors
    assert "All engines name the same films." in out
    assert "PartiQL" in out
    assert f"7 {movie['MovieTitle']}" in out
    assert migrated("compare", "also-rented")[0] == 2
    assert migrated("compare", "nothing")[0] == 2


def test_the_case_of_a_genre_does_not_matter(migrated: Run) -> None:
    movie = json.loads(migrated("movie", "7")[1])
    for mode in ("text", "meaning", "both"):
        out = migrated("search", movie["MovieTitle"], "--genre", movie["Genre"].upper(), "--mode", mode)[1]
        assert movie["MovieTitle"] in out, mode
