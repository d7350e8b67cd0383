"""Measure PostgreSQL beside InfluxDB: `python benchmarks/devops_metrics.py databases`."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

import urllib3
from devops_metrics_fleet import (
    STEP,
    influx,
    ingest_file,
    make_file,
    say,
    settled_size,
    size_on_disk,
    tenths,
    token_of,
)
from devops_metrics_postgres import DAY, KINDS, SQL, Table, postgres, version

from localcloud.engines.programs import find
from workloads.devops_metrics.queries import QUERIES, ask
from workloads.timeseries.store import Period

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from workloads.timeseries.influxdb import InfluxDB

INFLUXDB = "InfluxDB"
SIZES = {"databases_huge": 100_000_000, "databases_large": 10_000_000, "databases": 0}
"""What a comparison is kept as, from so many rows on."""

HOURS = 6
HOSTS = 100
KEPT = 150 * DAY
"""How long InfluxDB keeps rows at first. A bucket that keeps them for 2 to 180 days has a shard for each day."""

#: A shard's last rows leave the log ten seconds after they were written, not ten minutes.
PROMPT = {"INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "10s"}
#: A shard that is no longer written to is compacted at once, not after four hours, and expired shards are looked for
#: every second, not every half hour. The page says so; what is left to wait for is the work itself.
EAGER = {"INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": "5s", "INFLUXDB_RETENTION_CHECK_INTERVAL": "1s"}


class Database(Protocol):
    """A database that is measured."""

    def ingest(self, file: Path) -> None:
        """Write the rows of a file."""

    def settle(self) -> int:
        """Wait for the work that follows in the background; return the bytes on disk."""

    def size(self) -> int:
        """Return the bytes on disk."""

    def statements(self, query: str, period: Period) -> list[str]:
        """Return what the database is sent for a question."""

    def ask(self, query: str, period: Period) -> Sequence[Any]:
        """Return the rows that answer a question."""

    def remove_oldest_day(self) -> None:
        """Remove the rows of the first day, as an operator would."""


def databases(folder: Path, rows: int) -> Iterator[dict[str, Any]]:
    """Compare three tables of PostgreSQL and InfluxDB, on the same file and questions.

    The rows begin with a day of UTC, so that the oldest day is a whole one.

    Yields:
        What has been measured so far, after each database.

    Raises:
        AssertionError: A database answers a question with another number of rows than the first one.
    """
    length = timedelta(seconds=rows // HOSTS * STEP)
    begin = (datetime.now(UTC) - length - 2 * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [begin + number * DAY for number in range(-(-length // DAY))]
    period = Period(begin + length - timedelta(hours=HOURS), begin + length)
    say(f"Writing a file of {rows:,} rows")
    file = make_file(folder / "rows.csv", rows, HOSTS, begin=begin)
    say(f"The file has {file.stat().st_size / rows:.1f} bytes a row")
    result: dict[str, Any] = {
        "rows": rows,
        "days": len(days),
        "hours_asked_about": HOURS,
        "versions": {"PostgreSQL": version(), "influxd": influxd_version()},
        "databases": {},
    }

    def measured(title: str, database: Database) -> dict[str, Any]:
        say(title)
        figures = result["databases"][title] = measure(database, file, rows, period)
        first = next(iter(result["databases"].values()))
        assert figures["rows_of_answers"] == first["rows_of_answers"], title  # noqa: S101
        return result

    for kind in KINDS:
        with postgres(folder / "postgres") as connection:  # of its own: neither its log nor its disk is shared
            yield measured(kind.title, Table(connection, kind, days))
    with Influx(folder / "influxdb", days, rows) as database:
        yield measured(INFLUXDB, database)


def measure(database: Database, file: Path, rows: int, period: Period) -> dict[str, Any]:
    """Return the figures of one database."""
    began = time.perf_counter()
    database.ingest(file)
    seconds = time.perf_counter() - began
    say(f"Written at {rows / seconds:,.0f} rows/s; what follows in the background")
    size = database.settle()
    say(f"{size / rows:.1f} bytes a row on disk; the questions")
    answers = {query: timed(partial(database.ask, query, period)) for query in SQL}
    say("The oldest day")
    began = time.perf_counter()
    database.remove_oldest_day()
    removal = time.perf_counter() - began
    given_back = max(size - database.size(), 0)
    say(f"Removed in {removal:.2f} s, {given_back / 2**20:,.1f} MiB given back")
    return {
        "rows_per_second": round(rows / seconds),
        "bytes_per_row": round(size / rows, 1),
        "milliseconds": {query: round(1000 * seconds, 1) for query, (seconds, _) in answers.items()},
        "rows_of_answers": {query: count for query, (_, count) in answers.items()},
        "lines": {query: sum(text.count("\n") + 1 for text in database.statements(query, period)) for query in SQL},
        "oldest_day_removed": {"seconds": round(removal, 3), "mib_given_back": round(given_back / 2**20, 1)},
    }


def timed(query: Callable[[], Sequence[Any]]) -> tuple[float, int]:
    """Return the median of five runs, in seconds, after one that warms up, and the number of rows."""
    rows = len(query())
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        query()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), rows


class Influx:
    """An InfluxDB that keeps the rows of a file by day, and its own folder."""

    def __init__(self, folder: Path, days: list[datetime], rows: int) -> None:
        self._folder, self._days, self._rows = folder, days, rows
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._start(PROMPT)
        self._keep(KEPT)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def ingest(self, file: Path) -> None:
        """Write the file as `groundwork devops-metrics ingest` does."""
        progress = tenths("Ingestion", self._rows)
        tally = ingest_file(file, self._store, lambda tally: progress(tally.lines))
        assert tally.written == self._rows, tally  # noqa: S101

    def settle(self) -> int:
        """Start again with eager compaction, and wait until it is done."""
        settled_size(self._folder, still=15)
        token = token_of(self._store)
        self._running.close()
        self._start(EAGER, token)
        return settled_size(self._folder, still=15, at_most=900)

    def size(self) -> int:
        """Return the bytes on disk."""
        return size_on_disk(self._folder)

    def statements(self, query: str, period: Period) -> list[str]:
        """Return the statements of InfluxQL for a question."""
        aggregation = QUERIES[query].aggregation
        assert aggregation  # noqa: S101
        return self._store.statements(aggregation(period), period)

    def ask(self, query: str, period: Period) -> Sequence[Any]:
        """Ask as `groundwork devops-metrics query` does."""
        return ask(self._store, query, period)  # type: ignore[return-value]  # a table has a length

    def remove_oldest_day(self) -> None:
        """Keep rows for less time, and wait until the shard of the first day is gone."""
        shards = self._shards()
        self._keep(datetime.now(UTC) - self._days[1] if len(self._days) > 1 else timedelta(hours=1))
        while self._shards() >= shards:
            time.sleep(0.02)

    def _shards(self) -> int:
        return sum(1 for _ in self._folder.glob("data/*/autogen/*"))

    def _start(self, waits: dict[str, str], token: str = "") -> None:
        os.environ.update(waits)
        self._store: InfluxDB = self._running.enter_context(influx(self._folder, token))

    def _keep(self, length: timedelta) -> None:
        headers = {"Authorization": f"Token {token_of(self._store)}"}
        url = f"{self._store.url}/api/v2/buckets"
        [bucket] = urllib3.request("GET", f"{url}?name=devops", headers=headers).json()["buckets"]
        rules = [{"type": "expire", "everySeconds": int(length.total_seconds())}]
        response = urllib3.request("PATCH", f"{url}/{bucket['id']}", headers=headers, json={"retentionRules": rules})
        assert response.status == 200, response.data  # noqa: S101, PLR2004


def influxd_version() -> str:
    """Return the version of influxd, such as 1.6.7."""
    said = subprocess.run([find("influxd"), "version"], check=True, capture_output=True, text=True).stdout
    return re.search(r"v([\d.]+)", said)[1]  # type: ignore[index]  # it says so
