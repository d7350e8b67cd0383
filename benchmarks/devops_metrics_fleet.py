"""What the measurements of `devops_metrics.py` share: the rows of a fleet, and an InfluxDB that takes them."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localcloud.cloud import processes
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from workloads.devops_metrics.ingest import Quarantine, Tally, ingest
from workloads.devops_metrics.reader import Reader
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.timeseries.store import MetricStore

HEADER = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status\n"
ACCESS = {"username": "admin", "password": "benchmark"}
STATUS = [200] * 44 + [301, 304, 404, 404, 500, 503]


def make_file(path: Path, rows: int, hosts: int = 100, days: float | None = None) -> Path:
    """Write rows of some hosts in order of time, ending now, without incidents: quick to make at any size.

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


def ingest_file(file: Path, store: MetricStore) -> Tally:
    """Ingest as `groundwork devops-metrics ingest` does."""
    with Quarantine(file.with_suffix(".bad.csv")) as quarantine:
        return ingest(Reader(file, Schema()), store, quarantine)


@contextlib.contextmanager
def influx(folder: Path) -> Iterator[InfluxDB]:
    """Start a new InfluxDB."""
    process, port, token = influxdb.start(folder, **ACCESS, bucket="devops")
    yield InfluxDB(f"http://localhost:{port}", "devops", token=token)
    processes.end(process)


def token_of(store: InfluxDB) -> str:
    """Return the token that a store sends."""
    return store._http.headers["Authorization"].removeprefix("Token ")  # noqa: SLF001


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
