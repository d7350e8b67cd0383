"""Measure ways to bring a CSV file into InfluxDB: `python benchmarks/devops_metrics.py ingest`."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import multiprocessing
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from devops_metrics_fleet import influx, ingest_file, make_file, token_of
from measurement import spread

from workloads.devops_metrics import plain
from workloads.devops_metrics.reader import Reader
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

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
    ways = {"ours": ingest_file, "line by line": line_by_line, "DuckDB, typed CSV reader": by_duckdb}
    with counting_server() as (url, count):
        result["to a server that only counts"] = in_turns(ways, file, lambda _: InfluxDB(url, "devops"), rows, count)
    with influx(folder / "influxdb") as store:
        bodies = [bytes(body) for body in ready_made(file)]
        ready = {"requests that are ready": lambda _file, store: send(store, bodies)}
        numbers = itertools.count()

        def new_measurement(_way: str) -> InfluxDB:
            return InfluxDB(store.url, "devops", f"metrics{next(numbers)}", token=token_of(store))

        result["to InfluxDB on the same machine"] = in_turns(ways | ready, file, new_measurement, rows, None)
    return result


def in_turns(
    ways: dict[str, Callable[[Path, InfluxDB], object]],
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


def line_by_line(file: Path, store: InfluxDB) -> None:
    """Ingest with no line taken as a plain one: each is read on its own."""
    separators, plain.SEPARATORS = plain.SEPARATORS, {}
    try:
        ingest_file(file, store)
    finally:
        plain.SEPARATORS = separators


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
