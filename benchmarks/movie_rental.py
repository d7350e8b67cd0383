"""Measure the time and memory of the migration of a film rental company, beside each engine's own bulk tool.

    python benchmarks/movie_rental.py migrate [--scales 1 10]
    python benchmarks/movie_rental.py partitions [--scales 1 10] [--turns 2]
    python benchmarks/movie_rental.py loads [--scales 1 3 10] [--turns 3]
    python benchmarks/movie_rental.py bulk
    python benchmarks/movie_rental.py quality
    python benchmarks/movie_rental.py page

`migrate`: whole companies into the local engines, one after the other and side by side, and `verify` of what is there;
scale 1 is Pagila where GROUNDWORK_DATA has it. `partitions`: the same data by one process and by two, in turns.
`loads`: the same data by queries and by the engines' bulk loaders, in turns. `bulk`: the same rows by each engine's own
tool. `quality`: recommendations and search, on Pagila and on a generated company. `page` writes the figures into
docs/workloads/movie-rental.md.

Processor seconds are those of the migration and of all engines; on idle cores the time is not above them, and a
machine that does other things besides makes the time longer but not them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import boto3
import psutil
from measurement import circumstances, record, recorded
from movie_rental_page import page
from movie_rental_process import engines
from movie_rental_servers import make_table, servers

from contract import timeseries as line_protocol
from contract.rentals import category_dimension, cents, point_time
from workloads.movie_rental import database
from workloads.movie_rental.events import text_of
from workloads.movie_rental.graph_loader import NeptuneLoader
from workloads.movie_rental.ledger import PostgresLedger
from workloads.movie_rental.load import create_database, load
from workloads.movie_rental.migrate import migrate
from workloads.movie_rental.model import Movie
from workloads.movie_rental.quality import MODES, judgements, recommendation_quality, search_quality
from workloads.movie_rental.search_index import OpenSearchIndex
from workloads.movie_rental.source import TABLES, Source
from workloads.rental_company import open_company
from workloads.rental_company.generated import GeneratedCompany

if TYPE_CHECKING:
    from workloads.movie_rental.library_loader import DynamoLoader
    from workloads.movie_rental.ports import GraphWriter
    from workloads.rental_company import RentalCompany

PAGE = Path(__file__).parent.parent / "docs" / "workloads" / "movie-rental.md"


def main() -> None:
    """Run one benchmark, and keep its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["migrate", "partitions", "loads", "bulk", "quality", "page"])
    parser.add_argument("--scales", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    match options.what:
        case "migrate":
            for scale in options.scales:
                keep_scale("migrate", scale, measured(scale))
        case "partitions":
            for scale in options.scales:
                keep_scale("partitions", scale, in_partitions(scale, options.turns))
        case "loads":
            for scale in options.scales:
                keep_scale("loads", scale, by_loads(scale, options.turns))
        case "bulk":
            keep("bulk", bulk())
        case "quality":
            keep("quality", quality())
        case "page":
            PAGE.write_text(page(PAGE.read_text(), recorded("movie_rental")), encoding="utf-8")


def keep(name: str, result: dict[str, Any]) -> None:
    """Print a result, and add it to those kept."""
    record("movie_rental", {name: {**circumstances(), **result}})


def keep_scale(name: str, scale: float, result: dict[str, Any]) -> None:
    """Print the result for a company of a scale, with the load afterwards, and add it to those of other scales."""
    now = circumstances()
    result |= {"load_average": now["load_average"]}
    keep(name, recorded("movie_rental").get(name, {}) | now | {f"x{scale:g}": result})


def company_of(scale: float) -> RentalCompany:
    """Return Pagila where there is one, at scale 1, or a generated company."""
    return open_company(scale)


# Migration


def measured(scale: float) -> dict[str, Any]:
    """Migrate side by side, and one engine after the other; return the figures of the first, with those of the second.

    Then verify, and verify once more when one cell of the new database is another.
    """
    in_turn, _ = filled(scale, in_turn=True)
    result, verified = filled(scale)
    return {
        **result,
        "in_turn": {name: in_turn[name] for name in ("seconds", "processor_seconds")},
        "verify": {name: verified[name] for name in ("seconds", "processor_seconds", "peak_mib")},
        "verify_share": round(verified["processor_seconds"] / result["processor_seconds"], 3),
        "equal": verified["equal"],
        "changed_cell_found": verified["found"],
    }


def filled(scale: float, *, in_turn: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Migrate into empty engines, and verify, each in a process of its own; return the figures of both."""
    with servers() as where:
        where |= {"old": create_database(where["new"], "old"), "in_turn": in_turn}
        company = company_of(scale)
        rows = load(company, where["old"])
        counted = {f"{table}s": rows[table] for table in ("film", "customer", "rental", "payment")}
        migrated = {"company": company.origin.partition(" (/")[0], **counted, **_task("migrate", where)}
        verified = {} if in_turn else _task("verify", where)
        if verified:
            with database.connect(where["new"]) as new:
                last = "SELECT max(payment_id) FROM payments"
                [(payment,)] = new.execute(
                    f"UPDATE payments SET amount = amount + 0.01 WHERE payment_id = ({last}) RETURNING payment_id"  # noqa: S608
                )
            verified["found"] = _task("verify", where)["different"] == {"payments": [payment]}
        return migrated, verified


def in_partitions(scale: float, turns: int) -> dict[str, Any]:
    """Migrate by one process and by two, in turns, each time into empty engines; return the figures of all turns.

    The time is that from the moment when all processes have imported what they need to the end of the last one.
    """
    measured: dict[str, list[dict[str, Any]]] = {"1": [], "2": []}
    company = company_of(scale)
    for _ in range(turns):
        for number_of_processes, figures in measured.items():
            with servers() as where:
                where |= {"old": create_database(where["new"], "old")}
                load(company, where["old"])
                count = int(number_of_processes)
                shares = [{"share": [count, number, "measured"]} for number in range(count)]
                done = _tasks("migrate", [where | share for share in shares])
                done["equal"] = _task("verify", where)["equal"]
                figures.append(done)
    seconds = {count: median(one["seconds"] for one in figures) for count, figures in measured.items()}
    return {"turns": measured, "times": round(seconds["1"] / seconds["2"], 2)}


def by_loads(scale: float, turns: int) -> dict[str, Any]:
    """Migrate by queries and by bulk loads, in turns, each time into empty engines; return the figures of all turns."""
    measured: dict[str, list[dict[str, Any]]] = {"never": [], "always": []}
    company = company_of(scale)
    rentals = 0
    for _ in range(turns):
        for bulk, figures in measured.items():
            with servers() as where:
                where |= {"old": create_database(where["new"], "old"), "bulk": bulk}
                rentals = load(company, where["old"])["rental"]
                done = _tasks("migrate", [where])
                done["equal"] = _task("verify", where)["equal"]
                figures.append(done)
    seconds, processor_seconds = (
        {bulk: median(one[name] for one in figures) for bulk, figures in measured.items()}
        for name in ("seconds", "processor_seconds")
    )
    return {
        "rentals": rentals,
        "turns": measured,
        "times_as_fast": round(seconds["never"] / seconds["always"], 2),
        "share_of_the_work": round(processor_seconds["always"] / processor_seconds["never"], 2),
    }


def _task(task: str, where: dict[str, Any]) -> dict[str, Any]:
    """Run a task in a process of its own; return its figures, with the processor seconds of the engines."""
    done = _tasks(task, [where])
    [result] = done["processes"]
    return {**result, "processor_seconds": done["processor_seconds"]}


def _tasks(task: str, places: list[dict[str, Any]]) -> dict[str, Any]:
    """Run a task in processes that begin at the same time; return their figures, with those of the engines."""
    command = [sys.executable, str(Path(__file__).with_name("movie_rental_process.py"))]
    started = [
        subprocess.Popen(
            [*command, json.dumps(where | {"task": task})], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for where in places
    ]
    for process in started:
        assert process.stdout  # noqa: S101
        process.stdout.readline()  # it is ready
    before, began, load_average = _processor_seconds(), time.perf_counter(), os.getloadavg()[0]
    for process in started:
        assert process.stdin  # noqa: S101
        process.stdin.write("go\n")
        process.stdin.flush()
    results: list[dict[str, Any]] = [json.loads(process.stdout.readline()) for process in started if process.stdout]
    seconds = time.perf_counter() - began
    engines = {name: used - before.get(name, 0) for name, used in _processor_seconds().items()}
    for process in started:
        process.communicate()
    ours = sum(result["processor_seconds"] for result in results)
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(ours + sum(engines.values()), 1),
        "ours": round(ours, 1),
        "engines": {name: round(used, 1) for name, used in engines.items()},
        "load_average": round(load_average, 1),
        "processes": results,
    }


ENGINES = {
    "postgres": "PostgreSQL",
    "neptune_server": "Neptune",
    "opensearch_server": "OpenSearch",
    "osmem": "OpenSearch",
    "influx": "InfluxDB",
}


def _processor_seconds() -> dict[str, float]:
    """Return the processor seconds of every engine so far, those of processes that have ended included."""
    used: dict[str, float] = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if "movie_rental_process" in command:
                continue
            name = next((engine for word, engine in ENGINES.items() if word in command), "DynamoDB")
            used[name] = used.get(name, 0) + sum(process.cpu_times()[:4])
    return used


# Each engine's own bulk tool


def bulk() -> dict[str, Any]:
    """Return the seconds for the same rows through our ports and by each engine's own tool, into empty engines."""
    result: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(servers())
        ours["old"] = create_database(ours["new"], "old")
        load(company_of(1), ours["old"])
        stores = engines(ours)  # which trust this cloud's authority, and not the next one's
        theirs = stack.enter_context(servers())
        marks: dict[str, float] = {}
        with Source(ours["old"]) as source:
            migrate(source, stores, progress=lambda stream, *_: marks.setdefault(stream, time.perf_counter()))
        movies = [*stores.library.all()]
        with Source(ours["old"]) as source:
            rentals = [rental for batch in source.rentals() for rental in batch]
            result["PostgreSQL"] = {
                "ours": round(marks["movies"] - marks["countries"], 2),
                "COPY": _timed(lambda: _copy(source, theirs["new"])),
            }
        again = engines(theirs)
        again.index.create(64)
        boto3.client("dynamodb").delete_table(TableName="movies")
        make_table()
        put = _timed(lambda: again.library.save(movies))
        boto3.client("dynamodb").delete_table(TableName="movies")
        make_table()
        result["DynamoDB"] = {"ours": put, "batch_writer": _timed(lambda: _batch_writer(movies))}
        boto3.client("dynamodb").delete_table(TableName="movies")
        make_table()
        loaders = again.loaders.of(0) if again.loaders else None
        assert loaders  # noqa: S101 - these engines have them
        result["DynamoDB"]["StartBulkPutItems"] = _timed(lambda: _loaded(loaders.library, movies))
        OpenSearchIndex(theirs["search"], index="bulk").create(64)
        saved = _timed(lambda: again.index.save(movies))
        result["OpenSearch"] = {"ours": saved, "_bulk": _timed(lambda: _bulk(theirs["search"], movies))}
        graph = _timed(lambda: _ours(again.graph, rentals))
        client = again.graph._client  # type: ignore[attr-defined]  # noqa: SLF001
        client.execute_open_cypher_query(openCypherQuery="MATCH (n) DETACH DELETE n")
        created = _timed(lambda: _create(client, rentals))
        result["Neptune"] = {"ours": graph, "CREATE without looking": created}
        client.execute_open_cypher_query(openCypherQuery="MATCH (n) DETACH DELETE n")
        result["Neptune"]["bulk loader"] = _timed(lambda: _ours(loaders.graph, rentals))
        series = _timed(lambda: again.series.save(rentals))
        result["InfluxDB"] = {"ours": series, "one line protocol file": _timed(lambda: _lines(again.series, rentals))}
        for target in (stores, again):
            target.ledger.close()
    return result


def _timed(action: Any) -> float:
    began = time.perf_counter()
    action()
    return round(time.perf_counter() - began, 2)


def _copy(source: Source, url: str) -> None:
    PostgresLedger(url).close()  # makes the schema
    with database.connect(url) as target:
        for table in TABLES:
            columns = ", ".join(table.columns)
            out = f"COPY ({table.select.format(where='')}) TO STDOUT".encode()
            with (
                source.connection.cursor().copy(out) as rows,
                target.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN".encode()) as copy,
            ):
                for block in rows:
                    copy.write(block)


def _batch_writer(movies: list[Any]) -> None:
    with boto3.resource("dynamodb").Table("movies").batch_writer() as writer:
        for movie in movies:
            writer.put_item(Item=movie.item())


def _bulk(url: str, movies: list[Any]) -> None:
    import urllib3

    body = BytesIO()
    for movie in movies:
        body.write(json.dumps({"index": {"_index": "bulk", "_id": movie.id}}).encode() + b"\n")
        body.write(json.dumps(movie.document()).encode() + b"\n")
    headers = {"Content-Type": "application/x-ndjson"}
    response = urllib3.PoolManager(timeout=300).request("POST", f"{url}/_bulk", body=body.getvalue(), headers=headers)
    assert response.status == 200, response.data[:300]  # noqa: S101, PLR2004


def _loaded(loader: DynamoLoader, movies: list[Movie]) -> None:
    loader.save(movies)
    assert not loader.load()  # noqa: S101 - no movie is refused


def _ours(graph: GraphWriter, rentals: list[Any]) -> None:
    graph.save_customers(sorted({rental.customer_id for rental in rentals}))
    graph.save_movies([Movie(*pair) for pair in {rental.movie_id: rental.title for rental in rentals}.items()])
    graph.save_rentals(rentals)
    if isinstance(graph, NeptuneLoader):
        graph.load()


def _create(client: Any, rentals: list[Any]) -> None:
    people = sorted({rental.customer_id for rental in rentals})
    films = {rental.movie_id: rental.title for rental in rentals}
    for query, rows in (
        ("UNWIND $rows AS row CREATE (:Customer {id: row})", [str(customer) for customer in people]),
        ("UNWIND $rows AS row CREATE (:Movie {id: row[0], title: row[1]})", [*films.items()]),
    ):
        client.execute_open_cypher_query(openCypherQuery=query, parameters=json.dumps({"rows": rows}))
    joined = (
        "UNWIND $rows AS row MATCH (c:Customer {id: row[0]}), (m:Movie {id: row[1]}) "
        "CREATE (c)-[:RENTED {rentalId: row[2], at: row[3]}]->(m)"
    )
    for start in range(0, len(rentals), 4000):
        rows = [[str(r.customer_id), r.movie_id, r.id, text_of(r.at)] for r in rentals[start : start + 4000]]
        client.execute_open_cypher_query(openCypherQuery=joined, parameters=json.dumps({"rows": rows}))


def _lines(series: Any, rentals: list[Any]) -> None:
    lines = []
    for rental in rentals:
        tags = {"category": category_dimension(rental.category), "store": str(rental.store_id)}
        fields = (("value", 1), ("amount", cents(rental.amount)))
        lines.append(line_protocol.line(line_protocol.series("bulk", tags), fields, point_time(rental.at, rental.id)))
    status, body = series.store._request(  # noqa: SLF001
        "/write", {"db": "rental", "precision": "ns"}, "\n".join(lines).encode()
    )
    assert status == 204, body  # noqa: S101, PLR2004


# Quality


def quality() -> dict[str, Any]:
    """Measure recommendations and search, on Pagila (if it is there) and on a generated company of its size."""
    companies = {"generated": GeneratedCompany(1)} | (
        {"Pagila": open_company(1)} if not isinstance(open_company(1), GeneratedCompany) else {}
    )
    result: dict[str, Any] = {}
    for name, company in companies.items():
        with servers() as where:
            old = create_database(where["new"], "old")
            load(company, old)
            stores = engines(where)
            with Source(old) as source:
                migrate(source, stores)
            rates = recommendation_quality(stores.graph)
            judged = judgements([*stores.library.all()])
            quality = search_quality(stores.index, stores.embedder(), judged)
            stores.ledger.close()
        result[name] = {
            "customers": rates.customers,
            "hit_rate": {
                "people who rented the same": round(rates.graph, 3),
                "popular": round(rates.popular, 3),
                "random": round(rates.random, 3),
            },
            "margin": round(rates.margin, 3),
            "less": {"popular": rates.less_popular, "random": rates.less_random},
            "queries": len(judged),
            "ndcg": {
                kind: {mode: round(value, 3) for mode, value in ranked.means.items()}
                for kind, ranked in quality.items()
            },
            "both_less": {
                kind: {mode: ranked.both_less(mode) for mode in MODES if mode != "both"}
                for kind, ranked in quality.items()
            },
        }
    return result


if __name__ == "__main__":
    main()
