"""Measure PostgreSQL beside InfluxDB: `python benchmarks/devops_metrics.py databases`."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import statistics
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from devops_metrics_fleet import influx, ingest_file, make_file, settled_size

from workloads.devops_metrics.queries import QUERIES, ask
from workloads.timeseries.store import Period

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TABLE = """CREATE TABLE metrics (application_id text, application_name text, time timestamptz, cpu double precision,
    memory double precision, throughput double precision, http_status bigint)"""
INDEXES = [
    "ALTER TABLE metrics ADD PRIMARY KEY (application_id, time)",
    "CREATE INDEX ON metrics USING brin (time)",
    "CREATE INDEX ON metrics (time)",
]
SQL = {
    "fleet-cpu": """SELECT date_bin('5 minutes', time, TIMESTAMPTZ '1970-01-01Z') AS bin,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY cpu), percentile_disc(0.9) WITHIN GROUP (ORDER BY cpu),
    percentile_disc(0.99) WITHIN GROUP (ORDER BY cpu)
FROM metrics
WHERE time >= %(start)s AND time < %(end)s
GROUP BY bin ORDER BY bin""",
    "busiest": """SELECT application_id, application_name, avg(cpu) AS load, stddev(cpu), avg(memory), avg(throughput),
    count(cpu)
FROM metrics
WHERE time >= %(start)s AND time < %(end)s
GROUP BY application_id, application_name ORDER BY load DESC""",
    "error-rate": """SELECT date_bin('5 minutes', time, TIMESTAMPTZ '1970-01-01Z') AS bin, count(http_status),
    count(*) FILTER (WHERE http_status / 100 = 2), count(*) FILTER (WHERE http_status / 100 = 3),
    count(*) FILTER (WHERE http_status / 100 = 4), count(*) FILTER (WHERE http_status / 100 = 5)
FROM metrics
WHERE time >= %(start)s AND time < %(end)s
GROUP BY bin ORDER BY bin""",
    "gaps": """WITH seen AS (
    SELECT application_id, application_name, date_bin('5 minutes', time, TIMESTAMPTZ '1970-01-01Z') AS bin,
        avg(cpu) AS cpu
    FROM metrics
    WHERE time >= %(start)s AND time < %(end)s
    GROUP BY application_id, application_name, bin
), steps AS (
    SELECT *, lead(bin) OVER own AS next_bin, lead(cpu) OVER own AS next_cpu
    FROM seen
    WINDOW own AS (PARTITION BY application_id, application_name ORDER BY bin)
)
SELECT application_id, application_name, missing AS bin,
    cpu + (next_cpu - cpu) * extract(epoch FROM missing - bin) / extract(epoch FROM next_bin - bin)
FROM steps,
    generate_series(bin + interval '5 minutes', next_bin - interval '5 minutes', interval '5 minutes') AS missing
ORDER BY bin, application_id""",
}


def databases(folder: Path, rows: int) -> dict[str, Any]:
    """Compare a plain table of PostgreSQL, an indexed one and InfluxDB, on the same file and queries."""
    file = make_file(folder / "rows.csv", rows)
    period = Period.last(timedelta(hours=6))
    result: dict[str, Any] = {"rows": rows, "hours_asked_about": 6}
    with postgres(folder / "postgres") as connect:
        for name, indexes in (("PostgreSQL, plain table", []), ("PostgreSQL, indexed", INDEXES)):
            with connect() as connection:
                connection.execute("DROP TABLE IF EXISTS metrics")
                connection.execute(TABLE)
                for index in indexes:
                    connection.execute(index)
                connection.commit()
                began = time.perf_counter()
                with (
                    file.open() as source,
                    connection.cursor().copy("COPY metrics FROM STDIN (FORMAT csv, HEADER)") as copy,
                ):
                    while block := source.read(1 << 20):
                        copy.write(block)
                connection.commit()
                seconds = time.perf_counter() - began
                connection.execute("ANALYZE metrics")
                size = connection.execute("SELECT pg_total_relation_size('metrics')").fetchone()[0]

                def select(text: str, connection: Any = connection) -> list[Any]:
                    rows: list[Any] = connection.execute(text, {"start": period.start, "end": period.end}).fetchall()
                    return rows

                times = {query: timed(functools.partial(select, text)) for query, text in SQL.items()}
                row_counts = {query: len(select(text)) for query, text in SQL.items()}
            result[name] = summary(
                rows, seconds, size, times, {query: text.count("\n") + 1 for query, text in SQL.items()}
            )
    with influx(folder / "influxdb") as store:
        began = time.perf_counter()
        ingest_file(file, store)
        seconds = time.perf_counter() - began
        times = {query: timed(functools.partial(ask, store, query, period)) for query in SQL}
        for query, count in row_counts.items():
            assert len(ask(store, query, period)) == count, query  # noqa: S101
        lines = {}
        for query in SQL:
            aggregation = QUERIES[query].aggregation
            assert aggregation  # noqa: S101
            lines[query] = sum(text.count("\n") + 1 for text in store.statements(aggregation(period), period))
        size = settled_size(folder / "influxdb")
    result["InfluxDB"] = summary(rows, seconds, size, times, lines)
    return result


def summary(rows: int, seconds: float, size: int, times: dict[str, float], lines: dict[str, int]) -> dict[str, Any]:
    """Return the figures of one database."""
    return {
        "rows_per_second": round(rows / seconds),
        "bytes_per_row": round(size / rows, 1),
        "milliseconds": {query: round(1000 * value, 1) for query, value in times.items()},
        "lines": lines,
    }


def timed(query: Callable[[], object]) -> float:
    """Return the median of five runs, in seconds, after one that warms up."""
    query()
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        query()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Callable[[], Any]]:
    """Start a new PostgreSQL server with its usual settings, reached through a socket."""
    import psycopg

    if not (shutil.which("initdb") and shutil.which("postgres")):
        sys.exit("PostgreSQL's initdb and postgres must be on PATH: install PostgreSQL's server package.")
    folder.mkdir()
    user = {"user": "nobody"} if os.geteuid() == 0 else {}  # the server refuses root
    if user:
        shutil.chown(folder, "nobody")
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **user}
    subprocess.run(["initdb", "-D", folder / "data", "-U", "postgres", "--auth", "trust"], check=True, **quiet)
    command = ["postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-c", "max_wal_size=4GB"]
    server = subprocess.Popen(command, **quiet)

    def connect() -> Any:
        return psycopg.connect(host=str(folder), user="postgres", dbname="postgres")

    for _ in range(300):
        try:
            connect().close()
            break
        except psycopg.OperationalError:
            time.sleep(0.1)
    yield connect
    server.terminate()
    server.wait()
