"""Measure how fast monitoring data is written, at what cost, in how much memory, and how databases compare.

    python benchmarks/devops_metrics.py ingest [--rows 1000000]
    python benchmarks/devops_metrics.py writes [--rows 100000]
    python benchmarks/devops_metrics.py memory [--rows 10000000]
    python benchmarks/devops_metrics.py databases [--rows 2000000]
    python benchmarks/devops_metrics.py rollups [--rows 1000000]
    python benchmarks/devops_metrics.py detection [--seeds 10]
    python benchmarks/devops_metrics.py page

`ingest`: a CSV file read, checked and written as line protocol, to a server that only counts and to InfluxDB, beside
our reader of single lines, DuckDB's CSV reader, and requests that are ready. `writes`: our writer for LiveAnalytics,
`awswrangler.timestream.write` and one request per row, on the same rows, to a server that only counts and meters what
comes. `memory`: a large file into InfluxDB, resident memory sampled on the way.
`databases`: the same rows and questions in PostgreSQL (a plain table, and an indexed one) and InfluxDB. `rollups`: the
named questions about a day and a month, from rollups and from raw rows, and what rollups cost. `detection`: precision
and recall on simulated fleets. `page` writes docs/workloads/devops-metrics-measured.md from the results.

It needs the packages of the group `benchmark`, and PostgreSQL's server programs (initdb, postgres) on PATH.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import itertools
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import incidents
import pandas as pd
import urllib3
from measurement import circumstances, record, recorded, spread

from localcloud.cloud import processes
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from workloads.devops_metrics import plain
from workloads.devops_metrics.anomalies import evaluate
from workloads.devops_metrics.ingest import Quarantine, ingest
from workloads.devops_metrics.queries import QUERIES, ask
from workloads.devops_metrics.reader import Reader
from workloads.devops_metrics.settings import FleetSettings
from workloads.devops_metrics.simulate import simulate
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.liveanalytics import US_DOLLARS_PER_KIB, LiveAnalytics
from workloads.timeseries.rolled_up import RolledUp
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Period, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = Path(__file__).parent.parent / "docs" / "workloads" / "devops-metrics-measured.md"
HEADER = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status\n"
ACCESS = {"username": "admin", "password": "benchmark"}
MEASURES = ["CPU_Usage", "Memory_Usage", "Network_Throughput", "HTTP_Status"]


def main() -> None:
    """Run one benchmark, and keep its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ingest", "writes", "memory", "databases", "rollups", "detection", "page"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        match options.what:
            case "ingest":
                keep("ingest", ingestion(folder, options.rows or 1_000_000))
            case "writes":
                keep("writes", writes(folder, options.rows or 100_000))
            case "memory":
                keep("memory", memory(folder, options.rows or 10_000_000))
            case "databases":
                keep("databases", databases(folder, options.rows or 2_000_000))
            case "rollups":
                keep("rollups", rollups(folder, options.rows or 1_000_000))
            case "detection":
                keep("detection", detection(folder, options.seeds))
            case "page":
                results = recorded("devops_metrics") | {"incidents": recorded("incidents")}
                PAGE.write_text(page(results), encoding="utf-8")


def keep(name: str, result: dict[str, Any]) -> None:
    """Print a result, and add it to those kept."""
    record("devops_metrics", {name: {**circumstances(), **result}})


# Ingestion

ROUNDS = 3
DUCKDB = """SELECT 'metrics,Application_ID=' || Application_ID || ',Application_Name=' || Application_Name
    || ' CPU_Usage=' || CPU_Usage || ',Memory_Usage=' || Memory_Usage || ',Network_Throughput=' || Network_Throughput
    || ',HTTP_Status=' || HTTP_Status || 'i ' || epoch_us(Time_Stamp) || '000'
FROM read_csv($file, store_rejects = true, columns = {'Application_ID': 'VARCHAR', 'Application_Name': 'VARCHAR',
    'Time_Stamp': 'TIMESTAMP', 'CPU_Usage': 'DOUBLE', 'Memory_Usage': 'DOUBLE', 'Network_Throughput': 'DOUBLE',
    'HTTP_Status': 'BIGINT'})"""


def ingestion(folder: Path, rows: int) -> dict[str, Any]:
    """Compare ways to bring a CSV file into InfluxDB, in turns, on the same rows.

    Rows for a second of processor time count only the process that reads; what InfluxDB takes is beside it.
    """
    file = make_file(folder / "rows.csv", rows)
    result: dict[str, Any] = {"rows": rows, "rounds": ROUNDS}
    with counting_server() as (url, count):
        ways = {"ours": ours, "line by line": line_by_line, "DuckDB, typed CSV reader": by_duckdb}
        result["to a server that only counts"] = in_turns(ways, file, lambda _: InfluxDB(url, "devops"), rows, count)
    with influx(folder / "influxdb") as store:
        bodies = [bytes(body) for body in ready_made(file)]
        ways = {
            "ours": ours,
            "line by line": line_by_line,
            "DuckDB, typed CSV reader": by_duckdb,
            "requests that are ready": lambda _file, store: send(store, bodies),
        }
        numbers = itertools.count()

        def new_measurement(_way: str) -> InfluxDB:
            token = store._http.headers["Authorization"].removeprefix("Token ")  # noqa: SLF001
            return InfluxDB(store.url, "devops", f"metrics{next(numbers)}", token=token)

        result["to InfluxDB on the same machine"] = in_turns(ways, file, new_measurement, rows, None)
    return result


def in_turns(
    ways: dict[str, Callable[[Path, InfluxDB], None]],
    file: Path,
    new_store: Callable[[str], InfluxDB],
    rows: int,
    count: Callable[[], int] | None,
) -> dict[str, Any]:
    """Run each way in each round, and return the median and the spread of its rates."""
    wall: dict[str, list[float]] = {way: [] for way in ways}
    processor: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            store = new_store(way)
            began, used = time.perf_counter(), time.process_time()
            run(file, store)
            wall[way].append(rows / (time.perf_counter() - began))
            processor[way].append(rows / (time.process_time() - used))
            written = count() if count else store.describe().rows
            assert written == rows, (way, written)  # noqa: S101
    return {
        way: {"rows_per_second": spread(wall[way], 0), "rows_per_processor_second": spread(processor[way], 0)}
        for way in ways
    }


def ours(file: Path, store: InfluxDB) -> None:
    """Ingest as `groundwork devops-metrics ingest` does."""
    with Quarantine(file.with_suffix(".bad.csv")) as quarantine:
        ingest(Reader(file, Schema()), store, quarantine)


def line_by_line(file: Path, store: InfluxDB) -> None:
    """Ingest with no line taken as a plain one: each is read on its own."""
    known, plain.SEPARATORS = plain.SEPARATORS, {}
    try:
        ours(file, store)
    finally:
        plain.SEPARATORS = known


def by_duckdb(file: Path, store: InfluxDB) -> None:
    """Read a file with DuckDB, which also writes the lines, and send them; it does not look for repeated rows."""
    import duckdb

    with duckdb.connect() as connection, ThreadPoolExecutor(4) as pool:
        answer = connection.execute(DUCKDB, {"file": str(file)})
        sending: deque[Future[None]] = deque()
        measurement = store.measurement
        while lines := answer.fetchmany(10_000):
            body = "\n".join([line for (line,) in lines]).replace("metrics,", f"{measurement},").encode()
            sending.append(pool.submit(send_one, store, body))
            if len(sending) >= 8:  # noqa: PLR2004 - as many as ours has under way
                sending.popleft().result()
        for request in sending:
            request.result()


def ready_made(file: Path) -> Iterator[bytes]:
    """Yield the requests of a file."""
    store = InfluxDB("http://localhost:1", "devops")
    for batch in Reader(file, Schema()).batches():
        yield store._points(batch.rows, Written()).body  # noqa: SLF001


def send(store: InfluxDB, bodies: Sequence[bytes]) -> None:
    """Send requests that are ready over four connections."""
    measurement = store.measurement.encode()
    renamed = (body.replace(b"metrics,", measurement + b",") for body in bodies)
    with ThreadPoolExecutor(4) as pool:
        for request in [pool.submit(send_one, store, body) for body in renamed]:
            request.result()


def send_one(store: InfluxDB, body: bytes) -> None:
    """Send one request."""
    status, text = store._request("/write", {"db": "devops", "precision": "ns"}, body)  # noqa: SLF001
    assert status == 204, text  # noqa: S101, PLR2004


@contextlib.contextmanager
def counting_server() -> Iterator[tuple[str, Callable[[], int]]]:
    """Start a server in its own process that counts the lines it is sent; return how many since the last time."""
    lines, port = multiprocessing.Value("q"), multiprocessing.Value("i")
    process = multiprocessing.Process(target=_count, args=(lines, port), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.01)

    def count() -> int:
        with lines.get_lock():
            number, lines.value = lines.value, 0
        return int(number)

    yield f"http://localhost:{port.value}", count
    process.terminate()
    process.join()


def _count(lines: Any, port: Any) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lines.get_lock():
                lines.value += body.count(b"\n") + (not body.endswith(b"\n"))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


# Writes


def writes(folder: Path, rows: int) -> dict[str, Any]:
    """Compare three writers on the same rows; the loop writes a fiftieth of them."""
    import awswrangler
    import boto3
    import pandas as pd

    file, few = make_file(folder / "rows.csv", rows), make_file(folder / "few.csv", rows // 50)
    meter = Meter()
    os.environ |= {"AWS_ENDPOINT_URL": meter.url, "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark"}

    def our_writer() -> None:
        with Quarantine(folder / "bad.csv") as quarantine:
            tally = ingest(Reader(file, Schema()), LiveAnalytics("devops", "metrics"), quarantine)
        assert tally.written == rows, tally  # noqa: S101

    def wrangler() -> None:
        awswrangler.timestream.write(
            df=pd.read_csv(file, parse_dates=["Time_Stamp"], date_format="ISO8601"),
            database="devops",
            table="metrics",
            time_col="Time_Stamp",
            measure_col=MEASURES,
            dimensions_cols=["Application_ID", "Application_Name"],
            measure_name="metrics",
            version=1,
        )

    def loop() -> None:
        client = boto3.client("timestream-write")
        for row in pd.read_csv(few).to_dict("records"):
            moment = datetime.fromisoformat(row["Time_Stamp"]).timestamp()
            client.write_records(
                DatabaseName="devops",
                TableName="metrics",
                Records=[
                    {
                        "Dimensions": [
                            {"Name": name, "Value": row[name]} for name in ("Application_ID", "Application_Name")
                        ],
                        "MeasureName": "metrics",
                        "MeasureValueType": "MULTI",
                        "MeasureValues": [
                            {
                                "Name": name,
                                "Value": str(row[name]),
                                "Type": "BIGINT" if name == "HTTP_Status" else "DOUBLE",
                            }
                            for name in MEASURES
                        ],
                        "Time": str(round(moment * 1000)),
                    }
                ],
            )

    result: dict[str, Any] = {"rows": rows}
    for name, write, count in (
        ("ours", our_writer, rows),
        ("awswrangler", wrangler, rows),
        ("one request per row", loop, rows // 50),
    ):
        rates, processor = [], []
        for _ in range(1 if name == "one request per row" else 3):
            meter.reset()
            began, used = time.perf_counter(), time.process_time()
            write()
            rates.append(count / (time.perf_counter() - began))
            processor.append(count / (time.process_time() - used))
        requests, kib, received = meter.read()
        assert received == count, (name, received, count)  # noqa: S101
        result[name] = {
            "rows_per_second": round(statistics.median(rates)),
            "rows_per_processor_second": round(statistics.median(processor)),
            "requests_per_million_rows": round(requests / count * 1e6),
            "kib_per_million_rows": round(kib / count * 1e6),
            "us_dollars_per_million_rows": round(kib / count * 1e6 * US_DOLLARS_PER_KIB, 4),
        }
    meter.close()
    return result


def make_file(path: Path, rows: int, hosts: int = 100, days: float | None = None) -> Path:
    """Write rows of a hundred hosts in order of time, ending now, without incidents: quick to make at any size.

    A host has a row every ten seconds, or as many rows as there are, spread evenly over some days.
    """
    step = days * 86400 / (rows / hosts) if days else 10
    first = time.time() - rows // hosts * step
    with path.open("w") as file:
        file.write(HEADER)
        for start in range(0, rows, hosts):
            moment = datetime.fromtimestamp(int(first + start // hosts * step), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            file.writelines(
                f"host-{host:03d},service-{host % 8},{moment},{(start * 7 + host * 13) % 10007 / 100.07:.2f},"
                f"{(start + host * 31) % 9001 / 90.01:.2f},{(start * 3 + host) % 100003}.5,"
                f"{STATUS[(start + host) % 50]}\n"
                for host in range(min(hosts, rows - start))
            )
    return path


STATUS = [200] * 44 + [301, 304, 404, 404, 500, 503]


class Meter:
    """A server in its own process that accepts WriteRecords, and counts and meters it by AWS's rule."""

    def __init__(self) -> None:
        self._counts = multiprocessing.Array("q", 3)
        port = multiprocessing.Value("i", 0)
        self._process = multiprocessing.Process(target=_serve, args=(self._counts, port), daemon=True)
        self._process.start()
        while not port.value:
            time.sleep(0.01)
        self.url = f"http://localhost:{port.value}"

    def reset(self) -> None:
        """Count from zero."""
        self._counts[:] = [0, 0, 0]

    def read(self) -> tuple[int, int, int]:
        """Return the requests, the metered KiB and the records."""
        requests, kib, records = self._counts[:]
        return requests, kib, records

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.join()


def _serve(counts: Any, port: Any) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            response: dict[str, Any] = {
                "Endpoints": [{"Address": f"http://localhost:{port.value}", "CachePeriodInMinutes": 60}]
            }
            if "Records" in body:
                total = len(body["Records"])
                with counts.get_lock():
                    counts[0] += 1
                    counts[1] += -(-metered(body) // 1024)
                    counts[2] += total
                response = {"RecordsIngested": {"Total": total, "MemoryStore": total, "MagneticStore": 0}}
            content = json.dumps(response).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


def metered(body: dict[str, Any]) -> int:
    """Return the bytes of a request by the Timestream developer guide, which counts common attributes once."""
    size = attributes(body.get("CommonAttributes", {}))
    return size + sum(8 + attributes(record) for record in body["Records"])


def attributes(record: dict[str, Any]) -> int:
    """Return the bytes of dimensions and measures."""
    size = sum(
        len(attribute["Name"].encode()) + len(attribute["Value"].encode()) for attribute in record.get("Dimensions", [])
    )
    size += len(record.get("MeasureName", "").encode())
    return size + sum(len(attribute["Name"].encode()) + 8 for attribute in record.get("MeasureValues", []))


# Memory


def memory(folder: Path, rows: int) -> dict[str, Any]:
    """Sample the resident memory at every tenth of a file that a process writes to InfluxDB and does nothing else."""
    file = make_file(folder / "rows.csv", rows)
    with influx(folder / "influxdb") as store:
        token = store._http.headers["Authorization"].removeprefix("Token ")  # noqa: SLF001
        command = [sys.executable, "-c", INGESTING, str(file), str(rows), store.url, token]
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        figures: dict[str, Any] = json.loads(result.stdout)
        assert (figures.pop("written"), store.describe().rows) == (rows, rows)  # noqa: S101
    return {"rows": rows, "file_mib": round(file.stat().st_size / 2**20), **figures}


INGESTING = """
import json, re, sys
from pathlib import Path

import psutil

from workloads.devops_metrics import commands
from workloads.devops_metrics.ingest import Quarantine, ingest
from workloads.devops_metrics.reader import Reader
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.schema import Schema

file, rows = Path(sys.argv[1]), int(sys.argv[2])
store, own, samples = InfluxDB(sys.argv[3], "devops", token=sys.argv[4]), psutil.Process(), []


def progress(tally):
    if tally.lines * 10 // rows > len(samples):
        samples.append(round(own.memory_info().rss / 2**20))


with Quarantine(file.with_suffix(".bad.csv")) as quarantine:
    tally = ingest(Reader(file, Schema()), store, quarantine, progress=progress)
most = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])  # KiB
print(json.dumps({"written": tally.written, "rows_per_second": round(tally.rate),
    "resident_mib_at_each_tenth": samples, "resident_mib_at_most": round(most / 2**10)}))
"""


@contextlib.contextmanager
def influx(folder: Path) -> Iterator[InfluxDB]:
    """Start a new InfluxDB."""
    process, port, token = influxdb.start(folder, **ACCESS, bucket="devops")
    yield InfluxDB(f"http://localhost:{port}", "devops", token=token)
    processes.end(process)


# Databases

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
        with Quarantine(folder / "bad.csv") as quarantine:
            ingest(Reader(file, Schema()), store, quarantine)
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


# Rollups


def rollups(folder: Path, rows: int) -> dict[str, Any]:
    """Compare questions about a day and a month of a fleet, from rollups and from raw rows, and what rollups cost.

    Rows are spread evenly over 31 days, and there is a host for each hundred thousand of them.
    """
    hosts = max(1, rows // 100_000)
    file = make_file(folder / "rows.csv", rows, hosts, days=31)
    result: dict[str, Any] = {"rows": rows, "hosts": hosts}
    with influx(folder / "plain") as store:
        began = time.perf_counter()
        ours(file, store)
        plain_seconds = time.perf_counter() - began
        plain_size = settled_size(folder / "plain")
    with influx(folder / "influxdb") as plain_store:
        token = plain_store._http.headers["Authorization"].removeprefix("Token ")  # noqa: SLF001
        add_bucket(plain_store.url, token, "devops_rollups")
        store = RolledUp(plain_store.url, "devops", token=token, rollups="devops_rollups")
        began = time.perf_counter()
        ours(file, store)
        seconds = time.perf_counter() - began
        size = settled_size(folder / "influxdb")
        end = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for name, days in (("a day", 1), ("a month", 30)):
            period = Period(end - timedelta(days=days), end)
            result[name] = {
                query: {
                    "rollups": measured(functools.partial(ask, store, query, period)),
                    "raw rows": measured(functools.partial(ask, store.raw, query, period)),
                }
                for query in ROLLED
            }
            for query in ROLLED:
                answer, raw = ask(store, query, period), ask(store.raw, query, period)
                tolerance = 0.01 if query == "fleet-cpu" else 1e-6
                pd.testing.assert_frame_equal(answer, raw, rtol=tolerance)
    return result | {
        "rows_per_second": {"with rollups": round(rows / seconds), "without": round(rows / plain_seconds)},
        "bytes_per_row": {"with rollups": round(size / rows, 1), "without": round(plain_size / rows, 1)},
    }


ROLLED = ("fleet-cpu", "busiest", "error-rate", "deviating-hosts")


def measured(query: Callable[[], object]) -> dict[str, float]:
    """Return the medians of nine runs, after one that warms up, in milliseconds: in all, and of our processor time."""
    query()
    wall, processor = [], []
    for _ in range(9):
        began, used = time.perf_counter(), time.process_time()
        query()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return {
        "milliseconds": round(1000 * statistics.median(wall), 1),
        "our_processor_milliseconds": round(1000 * statistics.median(processor), 1),
    }


def add_bucket(url: str, token: str, name: str) -> None:
    """Make a bucket that keeps points for ever."""
    headers = {"Authorization": f"Token {token}"}
    organization = urllib3.request("GET", f"{url}/api/v2/orgs", headers=headers).json()["orgs"][0]["id"]
    bucket = {"orgID": organization, "name": name, "retentionRules": []}
    answer = urllib3.request("POST", f"{url}/api/v2/buckets", headers=headers, json=bucket)
    assert answer.status == 201, answer.data  # noqa: S101, PLR2004


def settled_size(folder: Path) -> int:
    """Return the bytes below a folder once it no longer changes: InfluxDB compacts its files in the background."""
    last = -1
    for _ in range(60):
        size = sum(
            path.stat().st_size
            for subfolder in ("data", "wal")
            for path in (folder / subfolder).rglob("*")
            if path.is_file()
        )
        if size == last:
            break
        last = size
        time.sleep(5)
    return last


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


# Detection


def detection(folder: Path, seeds: int) -> dict[str, Any]:
    """Measure precision and recall on simulated fleets of the default settings."""
    scores = []
    for seed in range(1000, 1000 + seeds):
        with influx(folder / f"influxdb{seed}") as store:
            file = folder / f"{seed}.csv"
            _, incidents = simulate(FleetSettings(seed=seed), file, folder / f"{seed}.labels.csv")
            with Quarantine(folder / "bad.csv") as quarantine:
                ingest(Reader(file, Schema()), store, quarantine)
            scores.append(evaluate(ask(store, "anomalies"), incidents))
    return {
        "fleets": seeds,
        "incidents": sum(score.incidents for score in scores),
        "precision": round(statistics.mean(score.precision for score in scores), 3),
        "recall": round(statistics.mean(score.recall for score in scores), 3),
        "worst_precision": round(min(score.precision for score in scores), 3),
        "worst_recall": round(min(score.recall for score in scores), 3),
    }


# Page


def page(results: dict[str, Any]) -> str:
    """Return the results as a page of the documentation."""
    blocks = [
        "# DevOps metrics, measured\n\nWritten by `python benchmarks/devops_metrics.py page`; edit that, not this.\n"
    ]
    sections = {
        "ingest": of_ingestion,
        "writes": of_writes,
        "memory": of_memory,
        "databases": of_databases,
        "rollups": of_rollups,
        "detection": of_detection,
        "incidents": incidents.section,
    }
    for name, section in sections.items():
        if result := results.get(name):
            load = f", whose load average was {result['load_average']} then" if "load_average" in result else ""
            blocks += [section(result), f"Measured {result['date']} on {result['machine']}{load}.\n"]
    return "\n".join(blocks)


def of_ingestion(result: dict[str, Any]) -> str:
    """Return the section about ingestion."""
    tables = []
    for place, ways in result.items():
        if not isinstance(ways, dict):
            continue
        rows = "".join(
            f"| {way} | {of_spread(figures['rows_per_second'])} | {of_spread(figures['rows_per_processor_second'])} |\n"
            for way, figures in ways.items()
        )
        head = "| | rows/s | rows for a second of processor time |\n|---|---|---|\n"
        tables.append(f"{result['rows']:,} rows of 100 hosts {place}:\n\n{head}{rows}")
    influxdb = result["to InfluxDB on the same machine"]
    rates = {way: figures["rows_per_second"]["median"] for way, figures in influxdb.items()}
    share = rates["ours"] / rates["requests that are ready"]
    return (
        "## Ingestion\n\nA CSV file is read, checked and sent as line protocol. Medians of "
        f"{result['rounds']} rounds, in which all ways take turns, with the extremes. The processor time is that of "
        "the process that reads and sends, not that of the server.\n\n"
        + "\n".join(tables)
        + f"\nOurs reaches {share:.0%} of what InfluxDB takes where the requests are ready and nothing has to be read; "
        "both share the cores. *Line by line* is our reader of lines that are not plain, used for all lines. DuckDB "
        "reads the file by the types of its columns and puts the lines together in SQL; it neither looks for repeated "
        "rows nor explains what it rejects.\n"
    )


def of_spread(figures: dict[str, float]) -> str:
    """Return a median with the extremes."""
    return f"{figures['median']:,.0f} ({figures['least']:,.0f} to {figures['most']:,.0f})"


def of_writes(result: dict[str, Any]) -> str:
    """Return the section about writing."""
    rows = "".join(
        f"| {name} | {figures['rows_per_second']:,} | {figures['rows_per_processor_second']:,} | "
        f"{figures['requests_per_million_rows']:,} | "
        f"{figures['kib_per_million_rows']:,} | {figures['us_dollars_per_million_rows']:.3f} USD |\n"
        for name, figures in result.items()
        if isinstance(figures, dict)
    )
    return (
        f"## Writing to LiveAnalytics\n\n{result['rows']:,} rows of 100 hosts, to a server on the same machine that "
        "only counts and meters; median of three runs. The processor time is that of the writer. The metering rule and "
        "the price are AWS's (us-east-1).\n\n"
        "| writer | rows/s | rows for a second of processor time | requests | KiB metered | price |\n"
        "|---|---|---|---|---|---|\n"
        f"{rows}\nRequests, KiB and price are for a million rows.\n"
    )


def of_memory(result: dict[str, Any]) -> str:
    """Return the section about memory."""
    sizes = ", ".join(map(str, result["resident_mib_at_each_tenth"]))
    most = f"; {result['resident_mib_at_most']} MiB at most" if "resident_mib_at_most" in result else ""
    return (
        f"## Memory\n\nA file of {result['rows']:,} rows ({result['file_mib']:,} MiB) into InfluxDB, at "
        f"{result['rows_per_second']:,} rows/s. Resident memory of the process at each tenth, in MiB: {sizes}{most}.\n"
    )


def of_databases(result: dict[str, Any]) -> str:
    """Return the section about databases."""
    databases = {name: figures for name, figures in result.items() if isinstance(figures, dict)}
    lines = ["| | " + " | ".join(databases) + " |", "|---" * (len(databases) + 1) + "|"]
    for title, key in (("rows/s written", "rows_per_second"), ("bytes a row on disk", "bytes_per_row")):
        lines.append(f"| {title} | " + " | ".join(f"{figures[key]:,}" for figures in databases.values()) + " |")
    for query in SQL:
        cells = (
            f"{figures['milliseconds'][query]:,} ms, {figures['lines'][query]} lines" for figures in databases.values()
        )
        lines.append(f"| {query} | " + " | ".join(cells) + " |")
    return (
        f"## A relational database beside the time series database\n\n{result['rows']:,} rows of 100 hosts, written in "
        "order of time (PostgreSQL by `COPY`, with its indexes in place), and questions about the last "
        f"{result['hours_asked_about']} hours; median of five. Lines are those of the statements that the database "
        "gets. InfluxDB's figures are those of `groundwork devops-metrics`: ingestion reads and checks every line of "
        "the CSV file, which `COPY` leaves to the server, and an answer is a pandas table.\n\n"
        + "\n".join(lines)
        + "\n\n"
        "At this size PostgreSQL is quicker, also without an index; InfluxDB takes less disk, drops old rows by "
        "itself, and fills gaps in a quarter of the lines.\n"
    )


def of_rollups(result: dict[str, Any]) -> str:
    """Return the section about rollups."""
    lines = ["| | rollups | of which our processor time | raw rows | times as fast |", "|---|---|---|---|---|"]
    for name in ("a day", "a month"):
        for query, figures in result[name].items():
            rolled, raw = figures["rollups"], figures["raw rows"]
            times = raw["milliseconds"] / rolled["milliseconds"]
            lines.append(
                f"| {query}, {name} | {rolled['milliseconds']:,} ms | {rolled['our_processor_milliseconds']:,} ms | "
                f"{raw['milliseconds']:,} ms | {times:,.1f} |"
            )
    rates, sizes = result["rows_per_second"], result["bytes_per_row"]
    return (
        f"## Rollups\n\nQuestions about {result['rows']:,} rows of {result['hosts']:,} hosts, spread evenly over 31 "
        "days, from [rollups](devops-metrics.md#rollups) and from raw rows. Medians of nine, after one that warms up; "
        "an answer is a pandas table, and both answers were compared. The rest of the time is that of the local "
        "cloud's front, of InfluxDB, and of waiting for a core.\n\n"
        + "\n".join(lines)
        + f"\n\nWith rollups, the same file is ingested at {rates['with rollups']:,} rows/s instead of "
        f"{rates['without']:,}, and takes {sizes['with rollups']:,} bytes a row on disk instead of "
        f"{sizes['without']:,}.\n"
    )


def of_detection(result: dict[str, Any]) -> str:
    """Return the section about incidents of simulated fleets."""
    return (
        f"## Incidents of simulated fleets\n\n{result['fleets']} simulated fleets with {result['incidents']} incidents "
        f"of all severities, from hardly visible to plain: precision {result['precision']}, recall {result['recall']} "
        f"(worst fleet: {result['worst_precision']} and {result['worst_recall']}). The detector was developed with "
        "this simulation, so these figures say little about real series; the next section does.\n"
    )


if __name__ == "__main__":
    main()
