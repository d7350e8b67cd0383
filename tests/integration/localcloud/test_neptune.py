"""Neptune's endpoint as boto3 knows it: results, errors, transactions, TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud.cloud import processes
from localcloud.cloud.certificates import issue
from localcloud.services.neptune import behaviour as neptune

ACCESS: dict[str, Any] = {"region_name": "us-east-1", "aws_access_key_id": "l", "aws_secret_access_key": "l"}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a new graph database."""
    folder = tmp_path_factory.mktemp("neptune")
    certificate = issue(folder, folder)
    process, port = neptune.start(folder, certificate)
    yield boto3.client(
        "neptunedata", endpoint_url=f"https://localhost:{port}", verify=str(certificate.authority), **ACCESS
    )
    processes.end(process)


def run(graph: Any, query: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = graph.execute_open_cypher_query(openCypherQuery=query, parameters=json.dumps(parameters))
    rows: list[dict[str, Any]] = answer["results"]
    return rows


def test_nodes_and_relationships_have_neptunes_form(graph: Any) -> None:
    [row] = run(
        graph,
        "CREATE (p:Person {name: $name})-[r:ACTED_IN {year: 1999}]->(m:Movie {id: '7', rating: 4.5}) RETURN p, r, m",
        name="Zoë 🎬",
    )
    person, movie, role = row["p"], row["m"], row["r"]
    assert person == {
        "~id": person["~id"],
        "~entityType": "node",
        "~labels": ["Person"],
        "~properties": {"name": "Zoë 🎬"},
    }
    assert movie["~properties"] == {"id": "7", "rating": 4.5}
    assert role == {
        "~id": role["~id"],
        "~entityType": "relationship",
        "~type": "ACTED_IN",
        "~start": person["~id"],
        "~end": movie["~id"],
        "~properties": {"year": 1999},
    }
    assert run(graph, "MATCH (m:Movie) WHERE id(m) = $id RETURN m.id AS id", id=movie["~id"]) == [{"id": "7"}]


def test_values_come_back_as_they_went(graph: Any) -> None:
    values = {
        "text": "ü",
        "whole": 1 << 40,
        "part": 0.5,
        "yes": True,
        "nothing": None,
        "list": [1, "a"],
        "map": {"k": 1},
    }
    [row] = run(graph, "RETURN $v AS v", v=values)
    assert row["v"] == values


def test_merging_the_same_again_changes_nothing(graph: Any) -> None:
    rows = [{"c": str(number % 7), "m": str(number % 11), "r": number} for number in range(100)]
    query = (
        "UNWIND $rows AS row MERGE (c:Customer {id: row.c}) MERGE (m:Film {id: row.m}) "
        "MERGE (c)-[r:RENTED {rentalId: row.r}]->(m)"
    )
    for _ in range(2):
        run(graph, query, rows=rows)
    counted = (
        "MATCH (c:Customer)-[r:RENTED]->(m:Film) RETURN count(DISTINCT c) AS c, count(DISTINCT m) AS m, count(r) AS r"
    )
    assert run(graph, counted) == [{"c": 7, "m": 11, "r": 100}]


def test_people_who_rented_what_you_rented(graph: Any) -> None:
    run(
        graph,
        "UNWIND $rented AS pair MERGE (c:Viewer {id: pair[0]}) MERGE (m:Title {id: pair[1]}) MERGE (c)-[:SAW]->(m)",
        rented=[["me", "a"], ["you", "a"], ["you", "b"], ["they", "a"], ["they", "b"], ["they", "c"]],
    )
    found = run(
        graph,
        "MATCH (me:Viewer {id: $id})-[:SAW]->(:Title)<-[:SAW]-(:Viewer)-[:SAW]->(m:Title) "
        "WHERE NOT (me)-[:SAW]->(m) RETURN m.id AS id, count(*) AS people ORDER BY people DESC, id",
        id="me",
    )
    assert found == [{"id": "b", "people": 2}, {"id": "c", "people": 1}]


def test_a_query_is_done_whole_or_not_at_all(graph: Any) -> None:
    with pytest.raises(graph.exceptions.InternalFailureException, match="by zero"):
        run(graph, "CREATE (n:Broken {id: 1}) WITH n RETURN 1 / 0 AS x")
    assert run(graph, "MATCH (n:Broken) RETURN n.id AS id") == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("MATCH (n RETURN n", "MalformedQueryException"),
        ("MATCH p = shortestPath((a)-[*]-(b)) RETURN p", "UnsupportedOperationException"),
    ],
)
def test_what_neptune_refuses_is_refused(graph: Any, query: str, error: str) -> None:
    with pytest.raises(getattr(graph.exceptions, error)):
        run(graph, query)


def test_data_outlive_the_server(tmp_path: Path) -> None:
    for query, expected in (("CREATE (n:Kept {id: 1})", []), ("MATCH (n:Kept) RETURN n.id AS id", [{"id": 1}])):
        process, port = neptune.start(tmp_path)
        client = boto3.client("neptunedata", endpoint_url=f"http://localhost:{port}", **ACCESS)
        assert run(client, query) == expected
        processes.end(process)


def test_a_query_is_explained_without_being_run(graph: Any) -> None:
    asked = graph.execute_open_cypher_explain_query(
        openCypherQuery="CREATE (n:Explained {id: $id}) RETURN n.id", parameters='{"id": 1}', explainMode="static"
    )
    assert b"CREATE" in asked["results"].read()
    assert run(graph, "MATCH (n:Explained) RETURN n.id AS id") == []
