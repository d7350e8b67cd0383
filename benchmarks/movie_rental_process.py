"""Migrate or verify in a process of its own, which imports no more than the command does: run by `movie_rental.py`.

python benchmarks/movie_rental_process.py '{"task": "migrate", "old": "postgresql://...", ...}'
"""

from __future__ import annotations

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.movie_rental import rounds
from workloads.movie_rental.bulk import BulkLoaders
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.migrate import migrate
from workloads.movie_rental.outbox import FifoQueue
from workloads.movie_rental.partitions import Share
from workloads.movie_rental.search_index import OpenSearchIndex
from workloads.movie_rental.source import Source
from workloads.movie_rental.timeseries import SCHEMA, TimestreamSeries
from workloads.movie_rental.verify import differing, verify
from workloads.storage import Bucket
from workloads.timeseries.influxdb import InfluxDB

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.movie_rental.bulk import Choice


def engines(where: dict[str, Any]) -> Engines:
    """Return the engines behind their ports."""
    library = DynamoLibrary(where["table"])
    return Engines(
        PostgresLedger(where["new"]),
        library,
        OpenSearchIndex(where["search"]),
        NeptuneGraph(where["graph"]),
        TimestreamSeries(InfluxDB(where["series"], "rental", token=where["token"], schema=SCHEMA)),
        FifoQueue(""),
        BulkLoaders(Bucket(where["bucket"], ""), where["graph"], where["role"], where["table"], library),
    )


def migrated(source: Source, stores: Engines, share: Share | None, bulk: Choice) -> dict[str, Any]:
    """Migrate, or move a share of a migration, and return the number of rows."""
    return {"rows": sum(migrate(source, stores, share=share, bulk=bulk).values())}


def verified(source: Source, stores: Engines, *_: object) -> dict[str, Any]:
    """Verify, and return whether all is equal, and which rows differ, by stream."""
    compared = [*verify(source, stores)]
    rows = {stream: sorted(keys) for stream, keys in differing(compared).items()}
    return {"equal": all(one.equal for one in compared), "different": rows}


def peak_mib() -> int:
    """Return the peak of this program's memory; `ru_maxrss` would have that of the program that started it."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) >> 10


TASKS: dict[str, Callable[[Source, Engines, Share | None, Choice], dict[str, Any]]] = {
    "migrate": migrated,
    "verify": verified,
}


def main() -> None:
    """Do one task once a line comes in, and print what it returned, how long it took, and how much memory."""
    where = json.loads(sys.argv[1])
    if where.get("in_turn"):
        rounds.ThreadPoolExecutor = partial(ThreadPoolExecutor, max_workers=1)  # type: ignore[misc,assignment]
    if where["task"] == "migrate":
        import_module("sklearn.decomposition")  # before the time counts
    stores = engines(where)
    share = Share(*where["share"]) if "share" in where else None
    print("ready", flush=True)
    sys.stdin.readline()
    before = peak_mib()
    idle = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    with Source(where["old"]) as source:
        result = TASKS[where["task"]](source, stores, share, where.get("bulk", "auto"))
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    stores.ledger.close()
    measured = {
        "seconds": round(seconds, 1),
        "processor_seconds": used.ru_utime + used.ru_stime - idle.ru_utime - idle.ru_stime,
        "peak_mib_before": before,
        "peak_mib": peak_mib(),
    }
    print(json.dumps(result | measured))


if __name__ == "__main__":
    main()
