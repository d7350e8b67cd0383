"""What the measurements of `devops_metrics.py` share: the rows of a fleet, and an InfluxDB that takes them."""

from __future__ import annotations

import contextlib
import sys
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
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workloads.timeseries.store import MetricStore

HEADER = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status\n"
ACCESS = {"username": "admin", "password": "benchmark"}
STEP = 10
"""Seconds between two rows of a host."""
STATUS = [200] * 44 + [301, 304, 404, 404, 500, 503]


def make_file(
    path: Path, rows: int, hosts: int = 100, days: float | None = None, begin: datetime | None = None
) -> Path:
    """Write rows of some hosts in order of time, without incidents: quick to make at any size.

    A host has a row every ten seconds, or as many rows as there are, spread evenly over some days. The rows end now,
    unless there is a time at which they begin.
    """
    step = days * 86400 / (rows / hosts) if days else STEP
    first = begin.timestamp() if begin else time.time() - rows // hosts * step
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


def ingest_file(file: Path, store: MetricStore, progress: Callable[[Tally], None] = lambda _tally: None) -> Tally:
    """Ingest as `groundwork devops-metrics ingest` does."""
    with Quarantine(file.with_suffix(".bad.csv")) as quarantine:
        return ingest(Reader(file, Schema()), store, quarantine, progress=progress)


def say(text: str) -> None:
    """Print what a long run does now, with the time."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def tenths(what: str, total: int) -> Callable[[int], None]:
    """Return a function that is told how much is done, and says so at each tenth."""
    said = 0

    def progress(done: int) -> None:
        nonlocal said
        if done * 10 // total > said:
            said = done * 10 // total
            say(f"{what}: {said * 10} %")

    return progress


@contextlib.contextmanager
def influx(folder: Path, token: str = "") -> Iterator[InfluxDB]:
    """Start a new InfluxDB, or one again, whose token is known."""
    process, port, new_token = influxdb.start(folder, **ACCESS, bucket="devops")
    yield InfluxDB(f"http://localhost:{port}", "devops", token=token or new_token)
    processes.end(process)


def token_of(store: InfluxDB) -> str:
    """Return the token that a store sends."""
    return store._http.headers["Authorization"].removeprefix("Token ")  # noqa: SLF001


def size_on_disk(folder: Path) -> int:
    """Return the bytes of an InfluxDB's points."""
    return sum(
        512 * path.stat().st_blocks  # not their lengths: influxd keeps files of series that are mostly holes
        for subfolder in ("data", "wal")
        for path in (folder / subfolder).rglob("*")
        if path.is_file()
    )


def settled_size(folder: Path, still: int = 5, at_most: int = 300) -> int:
    """Return the bytes of an InfluxDB's points when they no longer change: it compacts its files in the background.

    Args:
        folder: The InfluxDB's.
        still: Seconds without a change.
        at_most: Seconds to wait for that.
    """
    last = -1
    for _ in range(at_most // still):
        size = size_on_disk(folder)
        if size == last:
            break
        last = size
        time.sleep(still)
    return last
