"""Each method of each adapter tells an outage from a refusal: a job that calls it is tried again, or is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from contract.errors import InputError, UnavailableError
from workloads.devops_metrics.queries import LOAD
from workloads.movie_rental.embeddings import TitanEmbedder
from workloads.movie_rental.events import Event
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.model import Movie, Rental
from workloads.movie_rental.outbox import FifoQueue
from workloads.movie_rental.search_index import OpenSearchIndex
from workloads.secrets import read_secret
from workloads.stack_outputs import stack_outputs
from workloads.storage import Bucket
from workloads.storefront.assets import Assets
from workloads.storefront.secrets import DatabaseAccess, session_secret
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.liveanalytics import LiveAnalytics
from workloads.timeseries.row import Row
from workloads.timeseries.store import Period
from workloads.training.runtime.journal import BucketJournal
from workloads.training.runtime.lock import lock

from .conftest import Services, Weather

NOW = datetime(2026, 1, 31, tzinfo=UTC)
MOVIE = Movie("1", "Title").embedded(np.ones(2, dtype=np.float32))
RENTAL = Rental(1, NOW, 1, "1", "Title", 1, "Drama", Decimal(1))
ROW = Row(1, 1_700_000_000_000_000, ("a", "b"), (1.0, 2.0, 3.0, 200), "")
PERIOD = Period(NOW - timedelta(days=1), NOW)
PLACE = Bucket("bucket", "key")


def library(_services: Services) -> DynamoLibrary:
    return DynamoLibrary("movies", attempts=1)


def index(services: Services) -> OpenSearchIndex:
    return OpenSearchIndex(services.url("opensearch"))


def graph(services: Services) -> NeptuneGraph:
    return NeptuneGraph(services.url("neptune"), attempts=1)


def influxdb(services: Services) -> InfluxDB:
    return InfluxDB(services.url("influxdb"), "metrics", token="t", attempts=1)  # noqa: S106


def analytics(_services: Services) -> LiveAnalytics:
    return LiveAnalytics("metrics", "rows")


def assets(_services: Services) -> Assets:
    return Assets("assets")


def queue(services: Services) -> FifoQueue:
    return FifoQueue(f"{services.url('sqs')}/123456789012/events.fifo")


def nothing(_services: Services) -> None:
    """What needs no adapter."""


#: A service, what makes an adapter of it, and the call of a method.
CALLS: list[tuple[str, Callable[[Services], Any], Callable[[Any], Any]]] = [
    *(
        ("dynamodb", library, call)
        for call in (
            lambda to: to.save([MOVIE]),
            lambda to: to.put(MOVIE),
            lambda to: to.get("1"),
            lambda to: to.remove("1"),
            lambda to: to.by_genre("Drama"),
            lambda to: to.by_year(1999),
            lambda to: to.all(),
        )
    ),
    *(
        ("opensearch", index, call)
        for call in (
            lambda to: to.create(2),
            lambda to: to.save([MOVIE]),
            lambda to: to.refresh(),
            lambda to: to.full_text("word"),
            lambda to: to.nearest(np.ones(2, dtype=np.float32)),
            lambda to: to.all(),
        )
    ),
    *(
        ("neptune", graph, call)
        for call in (
            lambda to: to.save_movies([MOVIE]),
            lambda to: to.save_customers([1]),
            lambda to: to.save_rentals([RENTAL]),
            lambda to: to.recommend(1),
            lambda to: to.remove_movie("1"),
            lambda to: to.erase_customer(1),
            lambda to: to.facts("movies"),
        )
    ),
    *(
        (service, store, call)
        for service, store in (("influxdb", influxdb), ("timestream_write", analytics))
        for call in (lambda to: to.write([ROW], 1), lambda to: to.describe())
    ),
    ("influxdb", influxdb, lambda to: to.aggregate(LOAD, PERIOD)),
    ("sqs", queue, lambda to: to.send([Event.erased(1, NOW)])),
    ("bedrock_runtime", lambda _: TitanEmbedder(256, workers=1), lambda to: to.embed(["a"])),
    ("cloudformation", nothing, lambda _: stack_outputs("Any")),
    ("secrets_manager", nothing, lambda _: read_secret("database")),
    ("secrets_manager", nothing, lambda _: session_secret("session")),
    ("secrets_manager", nothing, lambda _: DatabaseAccess.read("database")),
    *(
        ("s3", nothing, call)
        for call in (
            lambda _: PLACE.is_file(),
            lambda _: PLACE.names(),
            lambda _: PLACE.read(),
            lambda _: PLACE.write(b"content"),
            lambda _: PLACE.delete(),
            lambda _: lock(PLACE, lambda: None),
            lambda _: BucketJournal(PLACE).append_logs([{}]),
        )
    ),
    ("s3", assets, lambda to: to.read("static/site.css")),
    ("s3", assets, lambda to: to.check()),
    ("s3", assets, lambda to: to.write([("a", b"content")])),
]
every_call = pytest.mark.parametrize(("service", "adapter", "call"), CALLS)


def attempt(adapter: Callable[[Services], Any], call: Callable[[Any], Any], services: Services) -> None:
    result = call(adapter(services))
    if isinstance(result, Iterable) and not isinstance(result, str | bytes | dict):
        list(result)


@every_call
@pytest.mark.parametrize("weather", ["closed", "throttled"])
def test_an_outage_is_one(services: Any, service: str, adapter: Any, call: Any, weather: Weather) -> None:
    made = services({service: weather})
    with pytest.raises(UnavailableError, match=r"(cannot be reached|is not available now): .*\.$"):
        attempt(adapter, call, made)


@every_call
def test_a_missing_permission_is_none(services: Any, service: str, adapter: Any, call: Any) -> None:
    made = services({service: "denied"})
    with pytest.raises(InputError):
        attempt(adapter, call, made)
