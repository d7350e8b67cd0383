"""The commands, as a person runs them, on engines that a stack's outputs name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from tests.documents import document
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.search_index import OpenSearchIndex

from .conftest import Run, Servers

STACK = "Company"


@pytest.fixture(scope="module")
def engines(servers: Servers) -> Engines:
    """Engines that are empty at first."""
    return servers.new()


@pytest.fixture(scope="module")
def stack(servers: Servers, engines: Engines) -> str:
    """A stack of those engines."""
    servers.deploy(STACK, engines)
    return STACK


@pytest.fixture
def migrated(stack: str, run: Run) -> Run:
    """The commands, once a company is in."""
    loaded = run("load-source", "--into", "postgresql:///legacy", "--scale", "0.02", "--replace")
    assert loaded[0] == 0, loaded
    assert "20 films, 16 customers" in loaded[1]
    done = run("migrate", "--source", "postgresql:///legacy", "--overwrite")
    assert done[0] == 0, done
    assert "20 movies" in done[1]
    return run


def test_verify_names_what_does_not_come_from_the_old_database(
    migrated: Run, servers: Servers, engines: Engines
) -> None:
    """Whoever may write to an engine can put something there that is not a film."""
    assert isinstance(engines.library, DynamoLibrary)
    assert isinstance(engines.index, OpenSearchIndex)
    films = boto3.resource("dynamodb").Table(engines.library._table)
    documents = engines.index._client
    verify = "verify", "--source", "postgresql:///legacy"
    title = films.query(KeyConditionExpression=Key("MovieID").eq("9"))["Items"][0]["MovieTitle"]
    films.put_item(Item={"MovieID": "9", "MovieTitle": title, "Version": "first"})
    films.put_item(Item={"MovieID": "stray", "MovieTitle": "A", "Year": "soon"})
    documents.index(index="movies", id="stray", body={"MovieTitle": "A"}, refresh=True)
    graph = NeptuneGraph(servers.graph_url)
    graph.ask("CREATE (:Customer {id: 1.5}), (:Movie {id: true})", {})
    code, out, errors = migrated(*verify)
    assert code == 1, errors
    assert "DynamoDB: movies, rows that are missing or different (movies): 1, such as 9" in out
    assert "DynamoDB: movies, not from the old database: stray" in out
    assert "OpenSearch: movies, not from the old database: a document without MovieID" in out
    assert "Neptune: customers, not from the old database: 1.5" in out
    code, out, errors = migrated("movie", "stray")
    assert (code, out) == (2, "")
    assert "Movie stray (A): Its attribute Year is not a whole number: soon." in errors
    code, out, errors = migrated(*verify, "--repair")
    assert (code, "missing or different" in out, "not from the old database: stray" in out) == (1, False, True), out
    films.delete_item(Key={"MovieID": "stray", "MovieTitle": "A"})
    documents.delete(index="movies", id="stray", refresh=True)
    graph.ask("MATCH (n) WHERE n.id IN [1.5, true] DELETE n", {})
    code, out, errors = migrated(*verify)
    assert (code, "everything is equal" in out) == (0, True), out


def test_what_is_migrated_is_verified_and_what_differs_is_said(migrated: Run, servers: Servers) -> None:
    code, out, _ = migrated("verify", "--source", "postgresql:///legacy")
    assert (code, "everything is equal" in out) == (0, True), out
    graph = NeptuneGraph(servers.graph_url)
    graph.ask("MATCH (m:Movie {id: $movie}) SET m.title = 'Another'", {"movie": "9"})
    code, out, _ = migrated("verify", "--source", "postgresql:///legacy")
    assert code == 1
    assert "Neptune: movies, rows that are missing or different (movies in the graph): 1, such as 9" in out
    code, out, _ = migrated("verify", "--source", "postgresql:///legacy", "--repair")
    assert (code, "movies in the graph, rows brought over: 1" in out, "everything is equal" in out) == (
        0,
        True,
        True,
    ), out
    graph.erase_customer(3)
    code, out, _ = migrated("verify", "--source", "postgresql:///legacy")
    assert code == 1
    assert "different: Neptune: customers; Neptune: rented" in out


def test_questions_are_answered(migrated: Run, tmp_path: Path) -> None:
    code, out, errors = migrated("movie", "7")
    assert code == 0, errors
    movie = json.loads(out)
    title, description = movie["MovieTitle"], movie["Description"]
    assert title in migrated("search", title[:-1], "--mode", "text", "--limit", "3")[1]
    assert title in migrated("search", description, "--mode", "meaning", "--limit", "3")[1]
    found = migrated("search", title, "--genre", movie["Genre"])[1]
    assert title in found
    assert "Genres: " in found
    code, out, errors = migrated("recommend", "2", "--limit", "4")
    assert (code, len(out.splitlines())) == (0, 5), errors
    table = tmp_path / "weeks.csv"
    code, out, errors = migrated("trends", "--csv", table)
    assert code == 0, errors
    assert "the weeks to come: " in out or "there is no forecast" in out
    assert len(table.read_text().splitlines()) > 20
    code, out, errors = migrated("quality")
    assert code == 0, errors
    assert "hit rate@10" in out
    assert "nDCG@10" in out


def test_a_movie_is_created_changed_found_and_removed(migrated: Run, tmp_path: Path) -> None:
    file = tmp_path / "movie.json"
    file.write_text('{"MovieTitle": "Groundwork", "Genres": ["Drama"], "RentalRate": 2.99, "Awards": ["Ünï"]}')
    code, out, errors = migrated("movie", "new", "--put", file)
    assert code == 0, errors
    assert json.loads(out)["Awards"] == ["Ünï"]
    file.write_text('{"Description": "A carpenter builds a house", "Awards": null}')
    code, out, errors = migrated("movie", "new", "--put", file)
    assert code == 0, errors
    shown = json.loads(out)
    assert (shown["Version"], shown["MovieTitle"], shown["RentalRate"]) == (2, "Groundwork", 2.99)
    assert "Awards" not in shown
    assert "Groundwork" in migrated("search", "carpentre", "--mode", "text")[1]
    assert migrated("movie", "new", "--remove")[0] == 0
    assert "Groundwork" not in migrated("search", "carpenter", "--mode", "text")[1]
    assert migrated("movie", "new")[0] == 2


def test_a_customer_rents_returns_and_is_forgotten(migrated: Run, servers: Servers, stack: str) -> None:
    outputs = servers.cloud.outputs(stack)
    ledger = PostgresLedger(f"{servers.postgresql_url.rpartition('/')[0]}/{_database(servers, outputs)}")
    servers.opened.append(ledger)
    [(film, store)] = ledger.connection.execute("""
        SELECT film_id, store_id FROM inventory i
        WHERE NOT EXISTS (SELECT FROM rentals r WHERE r.inventory_id = i.inventory_id AND returned_at IS NULL) LIMIT 1
    """).fetchall()
    code, out, errors = migrated("rent", "5", str(film), "--store", str(store))
    assert code == 0, errors
    rental = out.split()[1].rstrip(":")
    assert migrated("return", rental)[1] == f"rental {rental} is back\n"
    assert migrated("return", rental)[1] == f"rental {rental} was back already\n"
    assert migrated("relay")[1] == "0 events sent\n"
    sent = servers.cloud.client("sqs").receive_message(
        QueueUrl=outputs["RentalEventsQueueUrl"], MaxNumberOfMessages=10
    )["Messages"]
    assert [json.loads(message["Body"])["type"] for message in sent] == ["rented", "returned"]
    code, out, _ = migrated("customer", "5", "--json")
    assert json.loads(out)["rentals"][0]["rental_id"] == int(rental)
    code, out, _ = migrated("customer", "5", "--erase")
    assert (code, "nothing is left of them" in out) == (0, True), out
    assert migrated("customer", "5")[0] == 2


def test_documents_say_what_the_page_promises(migrated: Run, tmp_path: Path) -> None:
    def ask(command: str, *arguments: str | Path, page: str = "", code: int = 0) -> dict[str, Any]:
        ended, out, errors = migrated(command, *arguments, "--json")
        assert ended == code, errors
        return document(out, f"movie-rental {page or command}")

    source = ("--source", "postgresql:///legacy")
    loaded = ask("load-source", "--into", source[1], "--scale", "0.02", "--replace")
    assert loaded["rows"]["film"] == ask("migrate", *source, "--overwrite")["rows"]["movies"] == 20
    code, out, _ = migrated("verify", *source, "--json")  # what other tests rented may be different
    compared = document(out, "movie-rental verify")
    assert compared["equal"] == all(row["equal"] for row in compared["comparisons"]) == (code == 0)
    movie = ask("movie", "7")
    title = movie["attributes"]["MovieTitle"]
    [found, *_] = ask("search", title, "--mode", "text")["movies"]
    assert (found["movie_id"], found["title"]) == ("7", title)
    assert len(ask("recommend", "2", "--limit", "4")["movies"]) == 4
    trends = ask("trends", "--csv", tmp_path / "weeks.csv")
    assert 20 < len(trends["weeks"]) <= 26  # those that are whole
    assert len(trends["forecast"]["expected"]) == 4
    assert set(ask("quality")["search"]["all"]) == {"text", "meaning", "both"}
    assert ask("rebuild")["rows"]["movies"] == 20
    ask("relay")
    assert ask("relay")["events"] == 0  # all are sent
    file = tmp_path / "movie.json"
    file.write_text('{"MovieTitle": "Groundwork"}')
    assert ask("movie", "json", "--put", file)["attributes"]["MovieTitle"] == "Groundwork"
    assert ask("movie", "json", "--remove")["attributes"] is None
    lent = next(rent for film in range(1, 20) if (rent := migrated("rent", "6", str(film), "--json"))[0] == 0)
    rental = document(lent[1], "movie-rental rent")["rental"]
    assert ask("return", str(rental))["was_out"]
    assert not ask("return", str(rental))["was_out"]
    assert ask("customer", "6")["rentals"][0]["rental_id"] == rental
    assert ask("customer", "6", "--erase", page="customer N --erase")["left"] == 0


def _database(servers: Servers, outputs: dict[str, str]) -> str:
    secret = servers.cloud.client("secretsmanager").get_secret_value(SecretId=outputs["DatabaseSecretArn"])
    return str(json.loads(secret["SecretString"])["dbname"])


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["migrate", "--source", "oracle://x/y"], "oracle://x/y: This is not the address"),
        (["migrate", "--source", "mysql://x/y"], "--source: A MySQL database is copied into PostgreSQL before"),
        (["load-source", "--from", "mysql://x", "--into", "postgresql:///x"], "mysql://x: This is not the address"),
        (
            ["migrate", "--source", "postgresql:///x", "--embeddings", "none"],
            "--embeddings none: Choose local or bedrock",
        ),
        (["search", "x", "--mode", "magic"], "--mode magic: Choose text, meaning or both"),
        (["recommend", "4711"], "Customer 4711: The graph has no customer"),
        (["customer", "4711"], "Customer 4711: There is no customer"),
        (["customer", "4711", "--erase"], "Customer 4711: There never was a customer"),
        (["movie", "nowhere"], "Movie nowhere: The library has no movie"),
        (["rent", "1", "nowhere"], "Movie nowhere: The library has no movie"),
        (["return", "4711000"], "Rental 4711000: There is no rental"),
        (["load-source", "--into", "postgresql:///x", "--scale", "0"], "Scale 0: Choose a scale between"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(run: Run, arguments: list[str], message: str) -> None:
    code, _, errors = run(*arguments)
    assert code == 2
    assert message in errors
    assert "secret" not in errors
    assert len(errors.strip().splitlines()) == 1


@pytest.mark.usefixtures("stack")
def test_an_old_database_that_is_away_ends_the_migration_with_exit_code_75(run: Run) -> None:
    code, _, errors = run("migrate", "--source", "postgresql://u:secret@localhost:9/x")
    assert code == 75
    assert errors.startswith("Error: postgresql://u@localhost:9/x: PostgreSQL cannot be reached: ")
    assert "secret" not in errors


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "The file is not a JSON object of attributes"),
        ("{", "The file is not JSON"),
        ('{"Year": "1999"}', "Year: The value is not a whole number"),
        ('{"RentalRate": 2.999}', "RentalRate: The value is not an amount with at most two decimals"),
        ('{"Genre": "Drama"}', "Genre: It cannot be set. Set Genres"),
        ('{"Cast": "One"}', "Cast: The value is not a list of texts"),
        ('{"Year": 1999}', "The movie has no MovieTitle"),
    ],
)
def test_a_movie_that_cannot_be_is_refused(run: Run, tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "movie.json"
    file.write_text(content)
    code, _, errors = run("movie", "another", "--put", file)
    assert code == 2
    assert message in errors
