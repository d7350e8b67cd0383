"""Migrates, and is killed again and again: run by `test_migration.py` in a process of its own.

It is killed before and after a call of each engine while others are being filled, and at random moments: alone, or one
of the processes that share a migration in partitions, or one that uses bulk loaders. Each attempt
is a child of this process, so that it need not import everything again, and ends by SIGKILL. The clients are made once
too: they connect when they are first asked.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import Any

from workloads.movie_rental import database, streams
from workloads.movie_rental.bulk import BulkLoaders
from workloads.movie_rental.embeddings import LatentSemanticModel
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
from workloads.storage import Bucket
from workloads.timeseries.influxdb import InfluxDB

CALLS = (  # in the order in which each is first made: an attempt that goes on makes no call for what is in
    ("graph", "save_customers"),
    *(("library", "save"), ("index", "save")),
    *(("graph", name) for name in ("save_movies", "save_rentals")),
    ("series", "save"),
)


class Fatal:
    """An engine that kills this process before or after one of its calls."""

    def __init__(self, engine: Any, call: str, *, after: bool) -> None:
        self._engine, self._call, self._after = engine, call, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)
        if name != self._call:
            return method

        def call(*arguments: Any) -> Any:
            answer = method(*arguments) if self._after else None
            os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return call


def killed_at_calls(where: dict[str, Any], clients: dict[str, Any]) -> int:
    """Let each attempt end at a call of an engine, before and after it; how many did."""
    killed = 0
    for engine, call in CALLS:
        for after in (False, True):
            child = attempt(where, clients | {engine: Fatal(clients[engine], call, after=after)})
            killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    return killed


def attempt(where: dict[str, Any], clients: dict[str, Any], share: Share | None = None, **options: Any) -> int:
    """Start a migration in a child, and give its process id."""
    child = os.fork()
    if child:
        return child
    with Source(where["source"]) as source:
        migrate(source, Engines(PostgresLedger(where["ledger"]), **clients), share=share, **options)
    os._exit(0)


def in_partitions(where: dict[str, Any], clients: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Let processes share migrations, and kill one of them, at a call or at a moment; another completes what is left.

    Returns:
        How many were killed, how many failed otherwise, and what was recorded as moved after each migration.
    """
    parts = where["partitions"]
    killed = failed = 0
    totals: list[dict[str, int]] = []
    longest = 1.0
    moments: list[tuple[str, str, bool] | None] = [(*call, after) for call in CALLS for after in (False, True)]
    for number, moment in enumerate([*moments, *[None] * where["kills"]]):
        run, victim = f"run {number}", number % parts
        began, children = time.monotonic(), []
        for part in range(parts):
            fatal = dict[str, Any]()
            if moment and (part == victim or moment[1] == "save_customers"):  # whichever writes the shared rows
                engine, call, after = moment
                fatal[engine] = Fatal(clients[engine], call, after=after)
            children.append(attempt(where, clients | fatal, Share(parts, part, run), restart=True))
        if not moment:
            time.sleep(chance.uniform(0, longest))
            os.kill(children[victim], signal.SIGKILL)
        ended = [os.waitpid(child, 0)[1] for child in children]
        completed = os.waitpid(attempt(where, clients, Share(parts, None, run)), 0)[1]
        longest = time.monotonic() - began
        killed += sum(map(os.WIFSIGNALED, ended))
        failed += sum(not os.WIFSIGNALED(status) and status != 0 for status in [*ended, completed])
        with database.connect(where["ledger"]) as connection:
            rows = connection.execute("SELECT stream, sum(rows)::integer FROM checkpoints GROUP BY stream")
            totals.append(dict(rows.fetchall()))
    return {"killed": killed, "failed": failed, "totals": totals}


def in_bulk(where: dict[str, Any], clients: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Kill a migration by bulk loads at random moments, until it has ended by itself or was killed often enough.

    Returns:
        How often it was killed, and how the last attempt ended.
    """
    library = clients["library"]
    loaders = BulkLoaders(Bucket(where["bucket"], ""), where["graph"], where["role"], library._table, library)
    for name, rows in where["batches"].items():
        setattr(streams, name, rows)
    for killed in range(where["kills"]):
        with database.connect(where["ledger"]) as connection:
            [(plans,)] = connection.execute("SELECT count(*) FROM partitions")
        child = attempt(where, clients | {"loaders": loaders}, bulk="auto" if plans else "always")
        time.sleep(chance.uniform(0, 1.5))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return {"killed": killed, "status": status}
    _, status = os.waitpid(attempt(where, clients | {"loaders": loaders}), 0)
    return {"killed": where["kills"], "status": status}


def main() -> None:
    where = json.loads(sys.stdin.read())
    chance = random.Random(where["seed"])  # noqa: S311 - nothing secret
    LatentSemanticModel.fit(["imports scikit-learn once", "for every child"])
    clients = {
        "library": DynamoLibrary(where["library"]),
        "index": OpenSearchIndex(where["search"], index=where["index"]),
        "graph": NeptuneGraph(where["graph"]),
        "series": TimestreamSeries(InfluxDB(*where["series"], token=where["token"], schema=SCHEMA)),
        "queue": FifoQueue(""),
    }
    if "bucket" in where:
        sys.stdout.write(json.dumps(in_bulk(where, clients, chance)))
        return
    if "partitions" in where:
        sys.stdout.write(json.dumps(in_partitions(where, clients, chance)))
        return
    at_calls = killed_at_calls(where, clients)
    os.waitpid(attempt(where, clients), 0)  # completes what these have begun
    began = time.monotonic()
    _, status = os.waitpid(attempt(where, clients), 0)  # a whole run shows how long one takes
    longest = time.monotonic() - began
    killed = 0
    while killed < where["kills"] and not status:
        began, child = time.monotonic(), attempt(where, clients)
        ends, ended = began + chance.uniform(0, longest), (0, 0)
        while time.monotonic() < ends and ended == (0, 0):
            time.sleep(0.01)
            ended = os.waitpid(child, os.WNOHANG)
        if ended == (0, 0):
            os.kill(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
        else:
            longest = time.monotonic() - began  # it ended by itself: the next ones are killed sooner
        killed += os.WIFSIGNALED(ended[1])
        status = 0 if os.WIFSIGNALED(ended[1]) else ended[1]
    sys.stdout.write(json.dumps({"at_calls": at_calls, "killed": killed, "status": status}))


if __name__ == "__main__":
    main()
