"""The stack's functions write what this workload writes: the same document, the same connection, the same point."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from boto3.dynamodb.types import Binary, TypeSerializer

from contract.rentals import NOBODY
from tests.functions import with_time
from workloads.movie_rental.events import Event
from workloads.movie_rental.model import Movie, Rental
from workloads.movie_rental.timeseries import TimestreamSeries

from .conftest import Servers

AT = datetime(2026, 3, 2, 12, 30, 15, 123456, tzinfo=UTC)
MOVIE = Movie(
    "7",
    "Ünï, the = „movie“",
    1999,
    ("Sci-Fi, old", "Drama"),
    ("Zoë",),
    rental_rate=Decimal("2.90"),
    length=90,
    version=3,
    more={
        "Awards": ["Best Fog"],
        "Notes": {"reel": 3, "worn": True},
        "Reels": {Decimal(1), Decimal("2.5")},
        "Logo": b"a",
    },
).embedded(np.array([0.1, -0.7], np.float32))


def function(name: str, environment: pytest.MonkeyPatch, **variables: str) -> ModuleType:
    for key, value in variables.items():
        environment.setenv(key, value)
    file = Path(__file__).parents[3] / "lambda" / name / "index.py"
    specification = importlib.util.spec_from_file_location(f"{name}_of_movie_rental", file)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def rental_projector(servers: Servers, series: TimestreamSeries, environment: pytest.MonkeyPatch) -> ModuleType:
    """The function, for the servers' graph and a series in InfluxDB."""
    bucket = series.store._database  # type: ignore[attr-defined]
    return function(
        "rental_projector",
        environment,
        ATTEMPTS="3",
        ENGINE="influxdb",
        DATABASE=bucket,
        TABLE="metrics",
        DEAD_LETTERS="none",
        GRAPH_ENDPOINT=servers.graph_url,
        INFLUXDB_ENDPOINT=urlsplit(servers.influxdb_url).netloc,
        INFLUXDB_SECRET=servers.secret(f"projector-{bucket}", {"bucket": "any", "token": servers.token}),
    )


@pytest.fixture
def environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_the_indexer_makes_the_same_document(servers: Servers, environment: pytest.MonkeyPatch) -> None:
    indexer = function(
        "catalog_indexer",
        environment,
        SEARCH_ENDPOINT=servers.search_url,
        SEARCH_INDEX="movies",
        PATIENCE_SECONDS="60",
        DEAD_LETTERS="none",
    )
    serialize = TypeSerializer().serialize
    image = json.loads(json.dumps({key: serialize(value) for key, value in MOVIE.item().items()}, default=_base64))
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": image}}
    target, document = indexer.action(record)
    assert document == MOVIE.document()
    assert (document["Reels"], document["Logo"]) == ([1, 2.5], "YQ==")
    assert target == {"index": {"_index": "movies", "_id": "7", "version": 3, "version_type": "external_gte"}}


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value.value if isinstance(value, Binary) else value)).decode()


def test_the_projector_writes_the_same_connection_and_the_same_point(
    servers: Servers, environment: pytest.MonkeyPatch
) -> None:
    graph, series = servers.graph(), servers.series()
    assert isinstance(series, TimestreamSeries)
    projector = rental_projector(servers, series, environment)

    def project(*events: Event) -> None:
        records = [
            {
                "messageId": event.event_id,
                "body": event.body(),
                "attributes": {"MessageGroupId": event.customer_id, "ApproximateReceiveCount": "1"},
            }
            for event in events
        ]
        assert projector.handler({"Records": records}, with_time(60)) == {"batchItemFailures": []}

    def content() -> Any:
        days = series.daily(AT - timedelta(days=1), AT + timedelta(days=1)).to_dict("records")
        return sorted(graph.facts("rentals")), sorted(graph.facts("movies")), sorted(graph.facts("customers")), days

    bare = replace(MOVIE, id="8", genres=())
    events = [Event.rented(11, 5, MOVIE, 1, AT), Event.rented(12, 5, bare, 1, AT), Event.returned(11, 5, "7", 1, AT)]
    project(*events)
    projected = content()
    assert len(projected[0]) == 2
    assert [(row["category"], row["rentals"], row["cents"]) for row in projected[3]] == [
        ("Sci-Fi, old", 1, 290),
        ("none", 1, 290),
    ]
    rentals = [
        Rental(11, AT, 5, "7", MOVIE.title, 1, MOVIE.genre, MOVIE.rental_rate),
        Rental(12, AT, 5, "8", bare.title, 1, None, MOVIE.rental_rate),
    ]
    graph.save_rentals(rentals)
    series.save(rentals)
    assert content() == projected
    project(*events)
    assert content() == projected
    project(Event.erased(5, AT))
    assert not graph.has_customer(5)
    project(events[0])
    assert not graph.has_customer(5)
    before = content()
    nameless = [replace(Event.rented(13, 0, MOVIE, 1, AT), customer_id=NOBODY)]
    project(*nameless, *nameless)
    assert content()[:3] == before[:3]  # the graph knows nobody
    assert [row["rentals"] for row in content()[3]] == [2, 1]
