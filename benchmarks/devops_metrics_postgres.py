"""Measure PostgreSQL with rows of monitoring data in three kinds of tables, for `devops_metrics_databases.py`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from devops_metrics_fleet import tenths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from workloads.timeseries.store import Period

PLAIN, INDEXED, BY_DAY = "PostgreSQL, plain", "PostgreSQL, indexed", "PostgreSQL, by day with BRIN"
DAY = timedelta(days=1)
TABLE = """CREATE TABLE metrics (application_id text, application_name text, time timestamptz, cpu double precision,
    memory double precision, throughput double precision, http_status bigint)"""
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


@dataclass(frozen=True)
class Kind:
    """A way to keep the rows.

    Attributes:
        title: What it is.
        indexes: Statements that make its indexes, before the rows come.
        by_day: It has a partition for each day.
    """

    title: str
    indexes: tuple[str, ...] = ()
    by_day: bool = False

    def make(self, days: list[datetime]) -> list[str]:
        """Return the statements that make a table for rows of these days."""
        if not self.by_day:
            return [TABLE, *self.indexes]
        partitions = [
            f"CREATE TABLE metrics_{day:%Y%m%d} PARTITION OF metrics FOR VALUES FROM ('{day}') TO ('{day + DAY}')"
            for day in days
        ]
        return [f"{TABLE} PARTITION BY RANGE (time)", *self.indexes, *partitions]

    def remove(self, day: datetime) -> list[str]:
        """Return the statements that remove the oldest day and let its space be used again."""
        if self.by_day:
            return [f"DROP TABLE metrics_{day:%Y%m%d}"]
        return [f"DELETE FROM metrics WHERE time < '{day + DAY}'", "VACUUM metrics"]  # noqa: S608


KINDS = (
    Kind(PLAIN),
    Kind(INDEXED, ("ALTER TABLE metrics ADD PRIMARY KEY (application_id, time)", "CREATE INDEX ON metrics (time)")),
    Kind(BY_DAY, ("CREATE INDEX ON metrics USING brin (time)",), by_day=True),
)


@dataclass
class Table:
    """A table that holds the rows of a file, as `devops_metrics_databases.measure` wants it."""

    connection: Any
    kind: Kind
    days: list[datetime]

    def ingest(self, file: Path) -> None:
        """Copy the file into the table, whose indexes are there already."""
        for statement in self.kind.make(self.days):
            self.connection.execute(statement)
        progress = tenths("COPY", file.stat().st_size)
        done = 0
        with (
            file.open("rb") as source,
            self.connection.cursor().copy("COPY metrics FROM STDIN (FORMAT csv, HEADER)") as copy,
        ):
            while block := source.read(1 << 20):
                copy.write(block)
                progress(done := done + len(block))

    def settle(self) -> int:
        """Do what autovacuum does some time after so many rows have come, such as filling a BRIN; return the size."""
        self.connection.execute("VACUUM ANALYZE metrics")
        return self.size()

    def size(self) -> int:
        """Return the bytes of the table, its partitions and their indexes."""
        tables = "FROM pg_class WHERE relkind = 'r' AND starts_with(relname, 'metrics')"
        return int(self.connection.execute(f"SELECT sum(pg_total_relation_size(oid)) {tables}").fetchone()[0])

    def statements(self, query: str, _period: Period) -> list[str]:
        """Return the SQL of a question."""
        return [SQL[query]]

    def ask(self, query: str, period: Period) -> list[Any]:
        """Return the rows that answer a question."""
        bounds = {"start": period.start, "end": period.end}
        rows: list[Any] = self.connection.execute(SQL[query], bounds).fetchall()
        return rows

    def remove_oldest_day(self) -> None:
        """Remove the rows of the first day."""
        for statement in self.kind.remove(self.days[0]):
            self.connection.execute(statement)


def version() -> str:
    """Return the version of PostgreSQL's server, such as 15.18.

    Raises:
        SystemExit: It is not installed.
    """
    if not (shutil.which("initdb") and shutil.which("postgres")):
        sys.exit("PostgreSQL's initdb and postgres must be on PATH: install PostgreSQL's server package.")
    said = subprocess.run(["postgres", "--version"], check=True, capture_output=True, text=True).stdout
    return said.split()[2]


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Any]:
    """Connect to a new PostgreSQL server with its usual settings, reached through a socket; its folder goes with it."""
    import psycopg

    folder.mkdir()
    user = {"user": "nobody"} if os.geteuid() == 0 else {}  # the server refuses root
    if user:
        shutil.chown(folder, "nobody")
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **user}
    subprocess.run(["initdb", "-D", folder / "data", "-U", "postgres", "--auth", "trust"], check=True, **quiet)
    command = ["postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-c", "max_wal_size=4GB"]
    server = subprocess.Popen(command, **quiet)
    try:
        with _connected(partial(psycopg.connect, host=str(folder), user="postgres", autocommit=True)) as connection:
            yield connection
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


def _connected(connect: Callable[[], Any]) -> Any:
    """Return a connection when the server has started."""
    import psycopg

    for _ in range(300):
        with contextlib.suppress(psycopg.OperationalError):
            return connect()
        time.sleep(0.1)
    return connect()
