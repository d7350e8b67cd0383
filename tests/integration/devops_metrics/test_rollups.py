"""Rollups answer as raw rows do, however the rows came."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.cloud import processes
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from tests.influxdb import create_bucket, keep_points
from workloads.devops_metrics.ingest import Quarantine, ingest
from workloads.devops_metrics.queries import QUERIES, ask
from workloads.devops_metrics.reader import Reader
from workloads.timeseries.marks import run_of
from workloads.timeseries.rolled_up import RolledUp
from workloads.timeseries.row import Row
from workloads.timeseries.schema import Schema
from workloads.timeseries.sketch import RELATIVE_ERROR
from workloads.timeseries.store import Aggregation, Column, Period

from .conftest import ACCESS

HOUR = timedelta(hours=1)
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 50 * HOUR
#: Its edges cut windows and hours.
PERIOD = Period(START + timedelta(minutes=7, seconds=3), START + 4 * HOUR - timedelta(minutes=22))
EVERY = Aggregation(
    (
        *(Column(f"cpu_{name}", name, "CPU_Usage") for name in ("count", "sum", "mean", "min", "max", "deviation")),
        Column("memory", "mean", "Memory_Usage"),
        Column("responses", "count", "HTTP_Status"),
        Column("errors", "count", "HTTP_Status", between=(500, 600)),
    )
)
PERCENTILES = tuple(Column(f"p{percent}", "percentile", "CPU_Usage", percent) for percent in (50, 75, 90, 99))

New = Callable[..., RolledUp]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    process, port, token = influxdb.start(tmp_path_factory.mktemp("influxdb"), **ACCESS, bucket="devops")
    url = f"http://localhost:{port}"
    create_bucket(url, token, "rollups")
    yield url, token
    processes.end(process)


@pytest.fixture(scope="module")
def new(server: tuple[str, str]) -> New:
    """Make a store of a measurement that no other test has."""
    url, token = server
    numbers = itertools.count()

    def make(measurement: str = "", **options: Any) -> RolledUp:
        name = measurement or f"metrics{next(numbers)}"
        return RolledUp(url, "devops", name, **{"rollups": "rollups", "token": token} | options)

    return make


def row(seconds: float, cpu: float | None = 1.0, host: str = "web-1", status: int | None = 200) -> Row:
    moment = round((START + timedelta(seconds=seconds)).timestamp() * 10**6)
    return Row(2, moment, (host, host.partition("-")[0]), (cpu, 2.0, None, status), "text")


BY = ("Application_ID", "Application_Name")
QUESTIONS = [
    Aggregation(EVERY.columns, by, window)
    for by, window in (
        ((), None),
        (BY, None),
        ((), timedelta(minutes=5)),
        (BY[1:], timedelta(minutes=15)),
        (BY, HOUR),
    )
]


def assert_equal_answers(store: RolledUp, period: Period = PERIOD) -> None:
    """Compare what rollups and raw rows answer to questions of every kind."""
    for question in QUESTIONS:
        answer, raw = store.aggregate(question, period), store.raw.aggregate(question, period)
        # InfluxDB computes deviations in two passes; rollups compute them from sums of squares.
        deviations = [table.pop("cpu_deviation").to_numpy() for table in (answer, raw)]
        pd.testing.assert_frame_equal(answer, raw, rtol=1e-12, atol=1e-9)
        scale = float(raw["cpu_max"].abs().max()) if len(raw) else 0
        np.testing.assert_allclose(*deviations, rtol=1e-7, atol=1e-7 * scale)
    for window in (timedelta(minutes=5), HOUR):
        question = Aggregation(PERCENTILES, window=window)
        answer, raw = store.aggregate(question, period), store.raw.aggregate(question, period)
        assert answer["time"].tolist() == raw["time"].tolist()
        for column in PERCENTILES:
            np.testing.assert_allclose(answer[column.name], raw[column.name], rtol=RELATIVE_ERROR * 1.000001, atol=1e-6)


ROWS = st.builds(
    row,
    st.integers(0, 4 * 3600 * 2).map(lambda number: number / 2),
    st.none() | st.floats(-1e3, 1e6).map(lambda value: round(value, 3)),
    st.sampled_from(["web-1", "web-2", "db-1"]),
    st.none() | st.integers(100, 599),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ROWS, min_size=1, max_size=60), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_rollups_answer_as_raw_rows_in_any_order_repeated_and_split_over_runs(
    new: New, runs: list[list[Row]], order: Any
) -> None:
    store = new()
    for number, rows in enumerate([*runs, order.sample(runs[0], len(runs[0]))]):
        ingestion = new(store.measurement)
        distinct = {(item.time, item.dimensions): item for item in rows}
        ingestion.write([*distinct.values()], number)
        ingestion.complete()
    assert_equal_answers(store)


@pytest.fixture
def store(new: New) -> RolledUp:
    """Return a store of three hosts with a row every minute for six hours, all of it rolled up."""
    store = new()
    hosts = ("web-1", "web-2", "db-1")
    store.write([row(60 * minute, minute % 7 + at, host) for at, host in enumerate(hosts) for minute in range(360)], 1)
    store.complete()
    return store


def hours_of(store: RolledUp) -> list[str]:
    """Return which rows answer for two whole hours."""
    reader = fresh(store)
    reader.aggregate(EVERY, Period(START, START + 2 * HOUR))
    return reader.sources()


def fresh(store: RolledUp, **options: Any) -> RolledUp:
    """Return another run on the same measurement."""
    token = store._http.headers["Authorization"].removeprefix("Token ")
    return RolledUp(store.url, "devops", store.measurement, **{"rollups": "rollups", "token": token} | options)


def test_whole_hours_are_answered_by_rollups_and_cut_windows_by_raw_rows(store: RolledUp) -> None:
    assert hours_of(store) == ["hourly rollups"]
    store.aggregate(EVERY, PERIOD)
    assert store.sources() == ["hourly rollups", "5-minute rollups", "raw rows"]
    assert_equal_answers(store)


def test_percentiles_say_that_they_come_from_sketches_and_how_exact_they_are(store: RolledUp) -> None:
    store.aggregate(Aggregation(PERCENTILES, window=HOUR), Period(START, START + 2 * HOUR))
    assert "percentiles of rollups from sketches, within 1% of the exact value" in store.sources()


def test_a_corrected_row_and_a_late_row_of_another_host_are_in_the_rollups_once(store: RolledUp) -> None:
    for _ in range(2):
        late = fresh(store)
        late.write([row(60, 500.0), row(61, 7.0, "new-1"), row(3600, -3.0, "web-2", None)], 2)
        late.complete()
    assert hours_of(store) == ["hourly rollups"]
    assert_equal_answers(store)


def test_rows_that_were_written_and_not_rolled_up_are_answered_by_raw_rows(store: RolledUp) -> None:
    killed = fresh(store, run=77)
    killed.write([row(60, 500.0)], 2)  # and never completed
    assert "raw rows" in hours_of(store)
    assert_equal_answers(store)
    other = fresh(store)
    other.write([row(90, 9.0), row(3601, 9.0)], 2)
    other.complete()
    assert "raw rows" in hours_of(store)  # the window of the killed run stays marked
    assert_equal_answers(store)
    again = fresh(store, run=77)
    again.write([row(60, 500.0)], 3)
    again.complete()
    assert hours_of(store) == ["hourly rollups"]
    assert_equal_answers(store)


def test_two_runs_that_write_to_one_window_at_a_time_leave_rollups_of_both(store: RolledUp) -> None:
    first, second = fresh(store), fresh(store)
    first.write([row(61, 500.0)], 2)
    read, rows = first._samples, [row(62, 900.0)]

    def meanwhile(*span: Any) -> Any:
        """Let the second run write, and finish, after the first one has read."""
        samples = read(*span)
        if len(samples) and rows:
            second.write([rows.pop()], 3)
            second.complete()
        return samples

    first._samples = meanwhile  # type: ignore[method-assign]
    first.complete()
    assert hours_of(store) == ["hourly rollups"]
    [answer] = store.aggregate(EVERY, Period(START, START + HOUR)).to_dict("records")
    assert (answer["cpu_count"], answer["cpu_max"]) == (182, 900.0)
    assert_equal_answers(store)


def test_rebuilding_takes_deleted_rows_out_and_rows_of_other_programs_in(store: RolledUp) -> None:
    delete = f'DELETE FROM "{store.measurement}" WHERE "Application_ID" = \'web-1\''  # noqa: S608
    list(store.raw.query(delete))
    store.raw.write([row(62, 900.0, "db-2")], 2)
    store.write([row(61, 1.0, "db-1")], 2)  # by a run that was killed
    rebuilt = fresh(store).rebuild()
    assert rebuilt
    assert rebuilt.start == START
    assert hours_of(store) == ["hourly rollups"]
    assert_equal_answers(store)


def test_rows_from_before_the_rollups_are_answered_by_raw_rows_until_they_are_rebuilt(new: New) -> None:
    store = new()
    store.raw.write([row(60 * minute, float(minute)) for minute in range(360)], 1)
    assert hours_of(store) == ["raw rows"]
    assert_equal_answers(store)
    store.rebuild()
    assert hours_of(store) == ["hourly rollups"]
    assert_equal_answers(store)


def test_an_empty_store_has_nothing_to_rebuild(new: New) -> None:
    assert new().rebuild() is None
    assert_equal_answers(new())


def test_rollups_outlive_their_rows(server: tuple[str, str], new: New) -> None:
    """A late row that InfluxDB refuses, because of the retention, changes no rollup."""
    url, token = server
    create_bucket(url, token, "short")
    store = RolledUp(url, "short", new().measurement, rollups="rollups", token=token)
    store.write([row(60 * minute, float(minute)) for minute in range(120)], 1)
    store.complete()
    period = Period(START, START + 2 * HOUR)
    before = store.aggregate(EVERY, period)
    keep_points(url, token, "short", 24 * 3600)
    list(store.raw.query(f'DELETE FROM "{store.measurement}"'))  # noqa: S608 - as the retention does, hours later
    late = RolledUp(url, "short", store.measurement, rollups="rollups", token=token)
    assert late.write([row(30, 5.0)], 2).rejected
    late.complete()
    late.rebuild()
    pd.testing.assert_frame_equal(store.aggregate(EVERY, period), before)


def test_a_killed_ingestion_that_is_repeated_leaves_rollups_equal_to_raw_rows(
    new: New, tmp_path: Path, server: tuple[str, str]
) -> None:
    store = new()
    file = tmp_path / "fleet.csv"
    rows = [row(30 * number, number % 97 + at, host) for number in range(480) for at, host in enumerate(("a-1", "b-1"))]
    lines = [
        f"{item.dimensions[0]},{item.dimensions[1]},{item.time},{item.measures[0]},2,,{item.measures[3]}"
        for item in rows
    ]
    header = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status"
    file.write_text("\n".join([header, *lines, lines[3], "no row"]) + "\n")
    program = [sys.executable, "-c", KILLED, str(file), *server, store.measurement]
    assert subprocess.run(program, check=False).returncode == -9
    assert 0 < store.describe().rows < len(rows)
    assert_equal_answers(store)
    with run_of(file) as run, Quarantine(tmp_path / "quarantine.csv") as quarantine:
        tally = ingest(Reader(file, Schema()), fresh(store, run=run), quarantine)
    assert (tally.written, tally.quarantined) == (len(rows), 2)
    assert hours_of(store) == ["hourly rollups"]
    assert_equal_answers(store)


def test_a_file_ingested_without_rollups_is_answered_by_raw_rows_until_they_are_rebuilt(
    new: New, tmp_path: Path
) -> None:
    store = new()
    file = tmp_path / "fleet.csv"
    lines = [f"a-1,shop,{row(60 * number, 1.0).time},{number % 50},2,,200" for number in range(240)]
    header = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status"
    file.write_text("\n".join([header, *lines]) + "\n")
    with run_of(file) as run, Quarantine(tmp_path / "quarantine.csv") as quarantine:
        ingest(Reader(file, Schema()), fresh(store, run=run), quarantine, rollups=False)
    assert hours_of(store) == ["raw rows"]
    assert_equal_answers(store)
    fresh(store).rebuild()
    assert hours_of(store) == ["hourly rollups"]
    assert_equal_answers(store)


#: Ingests a file, and kills itself after three batches.
KILLED = """
import itertools, os, signal, sys
from pathlib import Path
from workloads.devops_metrics.ingest import Quarantine, ingest
from workloads.devops_metrics.reader import Reader
from workloads.timeseries.marks import run_of
from workloads.timeseries.rolled_up import RolledUp
from workloads.timeseries.schema import Schema

file, url, token, measurement = sys.argv[1:]
batches = itertools.count(1)
with run_of(Path(file)) as run, Quarantine(Path(file + ".bad")) as quarantine:
    store = RolledUp(url, "devops", measurement, rollups="rollups", token=token, run=run)
    ingest(
        Reader(Path(file), Schema()), store, quarantine, batch_rows=100,
        progress=lambda _: next(batches) == 3 and os.kill(os.getpid(), signal.SIGKILL),
    )
"""


@pytest.mark.parametrize("name", [name for name in QUERIES if name != "retention"])
def test_a_named_question_has_equal_answers_from_rollups_and_raw_rows(store: RolledUp, name: str) -> None:
    period = Period(START - 2 * HOUR, START + 6 * HOUR)
    answer, raw = ask(store, name, period), ask(store.raw, name, period)
    assert store.sources() != ["raw rows"]
    pd.testing.assert_frame_equal(answer, raw, rtol=RELATIVE_ERROR if name == "fleet-cpu" else 1e-9)
