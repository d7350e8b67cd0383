"""Migrates, and is killed at a random moment, again and again: run by `test_migration.py` in a process of its own.

Each attempt is a child of this process, so that it need not import everything again, and ends by SIGKILL. The clients
are made once too: they connect when they are first asked.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from workloads.movie_rental.embeddings import LatentSemanticModel
from workloads.movie_rental.engines import Engines
from workloads.movie_rental.graph import NeptuneGraph
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.migrate import migrate
from workloads.movie_rental.outbox import FifoQueue
from workloads.movie_rental.search_index import OpenSearchIndex
from workloads.movie_rental.source import Source
from workloads.movie_rental.timeseries import SCHEMA, TimestreamSeries
from workloads.timeseries.influxdb import InfluxDB


def attempt(where: dict[str, Any], clients: Sequence[Any]) -> int:
    """Start a migration in a child, and give its process id."""
    child = os.fork()
    if child:
        return child
    with Source(where["source"]) as source:
        migrate(source, Engines(PostgresLedger(where["ledger"]), *clients))
    os._exit(0)


def main() -> None:
    where = json.loads(sys.stdin.read())
    chance = random.Random(where["seed"])  # noqa: S311 - nothing secret
    LatentSemanticModel.fit(["imports scikit-learn once", "for every child"])
    clients = (
        DynamoLibrary(where["library"]),
        OpenSearchIndex(where["search"], index=where["index"]),
        NeptuneGraph(where["graph"]),
        TimestreamSeries(InfluxDB(*where["series"], token=where["token"], schema=SCHEMA)),
        FifoQueue(""),
    )
    began = time.monotonic()
    _, status = os.waitpid(attempt(where, clients), 0)  # a whole run shows how long one takes
    longest = time.monotonic() - began
    killed = 0
    while killed < where["kills"] and not status:
        child = attempt(where, clients)
        time.sleep(chance.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        _, ended = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(ended)
        status = 0 if os.WIFSIGNALED(ended) else ended
    sys.stdout.write(json.dumps({"killed": killed, "status": status}))


if __name__ == "__main__":
    main()
