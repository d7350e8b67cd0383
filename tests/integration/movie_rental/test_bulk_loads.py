"""A first migration fills graph and library by bulk loaders, and keeps its promises when it is interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contract.errors import InputError, TemporaryError
from workloads.errors import RefusedRowError
from workloads.movie_rental import database, graph_loader, loads, migrate, streams
from workloads.movie_rental.bulk import BulkLoaders
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.migrate import bring
from workloads.movie_rental.partitions import Share
from workloads.movie_rental.quarantine import Quarantine, read
from workloads.movie_rental.rebuild import rebuild
from workloads.movie_rental.source import Source
from workloads.movie_rental.verify import differing, verify
from workloads.storage import Bucket

from .conftest import Servers
from .test_concurrency import beside
from .test_migration import different, killed, run

BUCKET = "bulk-loads"
Cluster = tuple[str, str]


@pytest.fixture(scope="module")
def cluster(servers: Servers) -> Cluster:
    """A cluster of Neptune with a role that reads the bucket: its endpoint, and the role's ARN."""
    cloud = servers.cloud
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    ec2 = cloud.client("ec2")
    [network] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    routes = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network["VpcId"]]}])["RouteTables"]
    ec2.create_vpc_endpoint(
        VpcId=network["VpcId"],
        ServiceName="com.amazonaws.us-east-1.s3",
        RouteTableIds=[table["RouteTableId"] for table in routes],
    )
    trust = {"Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = cloud.client("iam").create_role(
        RoleName="graph-loader", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    reading = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
    }
    cloud.client("iam").put_role_policy(
        RoleName="graph-loader",
        PolicyName="Read",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [reading]}),
    )
    neptune = cloud.client("neptune")
    made = neptune.create_db_cluster(DBClusterIdentifier="loads", Engine="neptune")["DBCluster"]
    neptune.create_db_instance(
        DBInstanceIdentifier="loads", DBClusterIdentifier="loads", Engine="neptune", DBInstanceClass="db.r6g.large"
    )
    neptune.add_role_to_db_cluster(DBClusterIdentifier="loads", RoleArn=role)
    return f"https://{made['Endpoint']}:{made['Port']}", role


@pytest.fixture
def new(servers: Servers, cluster: Cluster) -> Callable[[], Engines]:
    """Makes engines that hold nothing yet, with bulk loaders."""

    def engines() -> Engines:
        return with_loaders(servers.new(), cluster)

    return engines


def with_loaders(made: Engines, cluster: Cluster) -> Engines:
    """Engines whose graph is the cluster's, emptied."""
    endpoint, role = cluster
    graph = NeptuneGraph(endpoint)
    graph._client.execute_open_cypher_query(openCypherQuery="MATCH (n) DETACH DELETE n")
    assert isinstance(made.library, DynamoLibrary)
    loaders = BulkLoaders(Bucket(BUCKET, ""), endpoint, role, made.library._table, made.library)
    return replace(made, graph=graph, loaders=loaders)


@pytest.fixture(scope="module")
def old(servers: Servers) -> str:
    return servers.source("bulk")


BATCHES = {"_FILMS": 5, "_FILMS_IN_GRAPH": 5, "_RENTALS": 75, "_LOADED_AT_ONCE": {"library": 2, "graph": 2}}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several loads of several files, though the company is small."""
    for name, rows in BATCHES.items():
        monkeypatch.setattr(streams, name, rows)
    monkeypatch.setattr(loads, "_FILE_CHARACTERS", 2_000)


@pytest.fixture
def staged(servers: Servers) -> Callable[[], list[str]]:
    """What is in the bucket."""

    def keys() -> list[str]:
        return [entry["Key"] for entry in servers.cloud.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    return keys


class Interrupted(BaseException):
    """What ends a process in a test."""


def test_everything_is_equal_after_bulk_loads_and_nothing_is_left_in_the_bucket(
    new: Callable[[], Engines], old: str, staged: Callable[[], list[str]]
) -> None:
    made = new()
    moved = run(old, made, bulk="always")
    assert (moved["movies"], moved["movies in the graph"], moved["people in the graph"]) == (20, 20, 17)
    assert moved["rentals"] == moved["who rented what, and when"] > 200
    assert different(old, made) == []
    assert {movie.version for movie in made.library.all()} == {1}
    assert in_bulk(made)
    assert staged() == []


def test_a_later_migration_brings_over_what_has_changed_by_queries(
    servers: Servers, new: Callable[[], Engines]
) -> None:
    url, made = servers.source("bulk_changed"), new()
    run(url, made, bulk="always")
    with database.connect(url) as connection:
        connection.execute("UPDATE film SET length = 78 WHERE film_id = 8")
        connection.execute("DELETE FROM film_actor WHERE film_id = 8")
        connection.execute("DELETE FROM film_category WHERE film_id = 8")
        connection.execute("UPDATE rental SET rental_date = rental_date + interval '1 s' WHERE rental_id = 5")
        connection.execute("DELETE FROM rental WHERE rental_id = -1")
    run(url, made)
    assert not in_bulk(made)
    assert [(one.engine, one.kind.split(" ")[0]) for one in different(url, made)] == [("Timestream", "rentals")]
    movie = made.library.get("8")
    assert movie
    assert (movie.length, movie.version, movie.cast, movie.genres) == (78, 2, (), ())


@pytest.mark.parametrize(("least", "loads_in_bulk"), [(1, True), (284, False)])
def test_a_company_is_loaded_in_bulk_from_a_number_of_rentals_on(
    new: Callable[[], Engines], old: str, monkeypatch: pytest.MonkeyPatch, least: int, loads_in_bulk: bool
) -> None:
    monkeypatch.setattr(migrate, "LEAST_RENTALS", least)
    made = new()
    run(old, made)
    assert in_bulk(made) == loads_in_bulk
    assert different(old, made) == []


@pytest.mark.parametrize("engine", ["graph", "library"])
def test_an_engine_that_holds_something_is_not_loaded_in_bulk(
    new: Callable[[], Engines], old: str, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(migrate, "LEAST_RENTALS", 1)
    made = new()
    with Source(old) as source:
        movies = next(source.films())
    if engine == "graph":
        made.graph.save_movies(movies)
    else:
        made.library.save(movies)
    with pytest.raises(InputError, match=r"hold something already\. Use --bulk never"):
        run(old, made, bulk="always")
    run(old, made)
    assert not in_bulk(made)
    assert len([*made.graph.facts("movies")]) == 20


def test_bulk_loads_are_refused_where_there_are_no_loaders_or_they_would_have_to_overwrite(
    new: Callable[[], Engines], old: str
) -> None:
    made = new()
    with pytest.raises(InputError, match="The stack has no bucket for bulk loads"):
        run(old, replace(made, loaders=None), bulk="always")
    with pytest.raises(InputError, match="Leave out --overwrite"):
        run(old, made, bulk="always", overwrite=True)


@pytest.fixture(scope="module")
def with_a_film_too_large(servers: Servers) -> str:
    url = servers.source("bulk_refused")
    with database.connect(url) as connection:
        connection.execute("UPDATE film SET description = repeat('long story ', 60000) WHERE film_id = 11")
    return url


def test_a_film_that_dynamodb_refuses_ends_the_migration_with_its_number(
    new: Callable[[], Engines], with_a_film_too_large: str
) -> None:
    with pytest.raises(RefusedRowError, match=r"^Film 11 .*DynamoDB refuses it") as error:
        run(with_a_film_too_large, new(), bulk="always")
    assert "--quarantine FILE" in error.value.advice


def test_a_film_that_dynamodb_refuses_goes_into_the_quarantine_and_out_of_every_engine_that_took_it(
    new: Callable[[], Engines], with_a_film_too_large: str, tmp_path: Path
) -> None:
    made, file = new(), tmp_path / "bad.csv"
    run(with_a_film_too_large, made, bulk="always", quarantine=Quarantine(file))
    assert [*read(file)] == [("film", 11)]
    assert made.index.get("11") is None
    assert "11" not in {film for film, _ in made.graph.facts("movies")}
    with Source(with_a_film_too_large) as source:
        source.leave_out("film", 11)
        assert [one.kind for one in verify(source, made) if not one.equal] == []


MOMENTS = ("before it begins", "before it is loaded", "after it was loaded", "at its end")


@pytest.mark.parametrize(
    ("rows", "goes_on"),
    [
        ("movies.json", "auto"),
        ("movies.csv", "auto"),
        ("customers.csv", "auto"),
        *(("rentals.csv", how) for how in ("auto", "never")),
    ],
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupted_at_a_load_and_started_again_nothing_is_lost_or_doubled(
    new: Callable[[], Engines], old: str, staged: Callable[[], list[str]], moment: str, rows: str, goes_on: str
) -> None:
    made = new()
    interrupted(old, made, moment, rows)
    run(old, made, bulk=goes_on)
    assert in_bulk(made) == (goes_on == "auto")
    assert different(old, made) == []
    assert {movie.version for movie in made.library.all()} == {1}
    assert staged() == []


def interrupted(url: str, engines: Engines, moment: str, rows: str) -> None:
    """Begin a migration in bulk that ends at a moment of a load of some rows."""
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, moment, rows)
        with pytest.raises(Interrupted):
            run(url, engines, bulk="always")


def interrupt(patch: pytest.MonkeyPatch, moment: str, rows: str) -> None:
    """Let a process end at a moment of the second load of some rows, or of the only one."""
    numbers, original = count(1), loads.Loads.load
    last = 1 if rows == "customers.csv" else 2

    def load(self: loads.Loads) -> Any:
        names = [*self._open, *self._folder.names()]
        if not any(name.endswith(rows) for name in names) or next(numbers) != last:
            return original(self)
        if moment == "before it begins":
            raise Interrupted
        if moment == "before it is loaded":
            patch.setattr(self, "_complete", stop)
        if moment == "after it was loaded":
            patch.setattr(loads, "_remove", stop)
        original(self)
        raise Interrupted

    def stop(_: object) -> Any:
        raise Interrupted

    patch.setattr(loads.Loads, "load", load)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_moments_and_started_again_nothing_is_lost_or_doubled(
    servers: Servers, new: Callable[[], Engines], old: str, cluster: Cluster, staged: Callable[[], list[str]], seed: int
) -> None:
    made = new()
    graph, role = cluster
    where = {"graph": graph, "role": role, "bucket": BUCKET, "batches": BATCHES}
    told = killed(servers, old, made, seed=seed, kills=6, **where)
    assert told["status"] == 0
    assert told["killed"] > 0
    run(old, made)
    assert different(old, made) == []
    assert {movie.version for movie in made.library.all()} == {1}
    assert staged() == []


def test_begun_again_from_the_first_row_after_an_interruption_nothing_is_doubled(
    new: Callable[[], Engines], old: str
) -> None:
    made = new()
    interrupted(old, made, "before it is loaded", "rentals.csv")
    run(old, made, restart=True)
    assert not in_bulk(made)
    assert different(old, made) == []


@pytest.mark.parametrize("rows", ["customers.csv", "rentals.csv"])
def test_whoever_was_erased_after_an_interruption_does_not_come_back(
    new: Callable[[], Engines], old: str, rows: str
) -> None:
    made = new()
    interrupted(old, made, "before it is loaded", rows)
    made.ledger.erase_customer(5)
    made.graph.erase_customer(5)
    run(old, made)
    assert not made.graph.has_customer(5)
    assert different(old, made) == []


@pytest.mark.parametrize("how", ["repair", "rebuild"])
def test_what_is_repaired_or_rebuilt_after_an_interruption_is_not_doubled_by_the_load_that_was_begun(
    new: Callable[[], Engines], old: str, how: str
) -> None:
    made = new()
    interrupted(old, made, "before it is loaded", "rentals.csv")
    if how == "rebuild":
        rebuild(made)
    else:
        with Source(old) as source:
            bring(source, made, differing([*verify(source, made)]))
    run(old, made)
    assert different(old, made) == []


def test_partitions_are_loaded_in_bulk_at_the_same_time(
    servers: Servers,
    new: Callable[[], Engines],
    old: str,
    staged: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrate, "LEAST_RENTALS", 1)
    made = new()

    def process(number: int) -> dict[str, int]:
        return run(old, beside(servers, made), share=Share(2, number, "run"))

    with ThreadPoolExecutor(2) as threads:
        moved = [*threads.map(process, range(2))]
    assert min(rows["who rented what, and when"] for rows in moved) > 50
    assert in_bulk(made)
    assert different(old, made) == []
    assert staged() == []


def test_a_load_that_neptune_refuses_ends_the_migration_with_its_reason(new: Callable[[], Engines], old: str) -> None:
    made = new()
    assert made.loaders
    stranger = replace(made.loaders, graph_role_arn="arn:aws:iam::123456789012:role/stranger")
    with pytest.raises(InputError, match="stranger") as error:
        run(old, replace(made, loaders=stranger), bulk="always")
    assert error.value.exit_code == 2
    run(old, made)
    assert different(old, made) == []


def test_a_load_that_somebody_cancels_can_be_repeated(
    new: Callable[[], Engines], old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new()
    with monkeypatch.context() as patch:
        patch.setattr(graph_loader.NeptuneLoader, "_polled", lambda *_: "LOAD_CANCELLED_BY_USER")
        with pytest.raises(TemporaryError, match="LOAD_CANCELLED_BY_USER") as error:
            run(old, made, bulk="always")
    assert error.value.exit_code == 75
    run(old, made)
    assert different(old, made) == []


def in_bulk(engines: Engines) -> bool:
    """Whether the last migration filled engines by bulk loaders."""
    [(answer,)] = engines.ledger.connection.execute("SELECT bool_or(in_bulk) FROM partitions").fetchall()
    return bool(answer)
