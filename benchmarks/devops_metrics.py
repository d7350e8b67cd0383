"""Measure how fast monitoring data is written, at what cost, in how much memory, and how databases compare.

    python benchmarks/devops_metrics.py ingest [--rows 1000000]
    python benchmarks/devops_metrics.py writes [--rows 100000]
    python benchmarks/devops_metrics.py memory [--rows 10000000]
    python benchmarks/devops_metrics.py databases [--rows 1000000]
    python benchmarks/devops_metrics.py rollups [--rows 1000000]
    python benchmarks/devops_metrics.py detection [--seeds 10]
    python benchmarks/devops_metrics.py page

`ingest`: a CSV file read, checked and written as line protocol, to a server that only counts and to InfluxDB, beside
our reader of single lines, DuckDB's CSV reader, and requests that are ready. `writes`: our writer for LiveAnalytics,
`awswrangler.timestream.write` and one request per row, on the same rows, to a server that only counts and meters what
comes. `memory`: a large file into InfluxDB, resident memory sampled on the way.
`databases`: the same rows and questions in PostgreSQL (a plain table, an indexed one, and one with a partition a day
and BRIN) and InfluxDB; the figures of a million, ten million and a hundred million rows are kept beside each other,
those of each database as soon as it is measured. `rollups`: the named questions about a day and a month, from rollups
and from raw rows, and what rollups cost. `detection`: precision and recall on simulated fleets. `page` writes
docs/workloads/devops-metrics-measured.md from the results.

It needs the packages of the group `benchmark`, and PostgreSQL's server programs (initdb, postgres) on PATH.
Each measurement is in the module of its name, such as devops_metrics_writes.py; devops_metrics_fleet.py holds what
they share.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from devops_metrics_databases import SIZES, databases
from devops_metrics_detection import detection
from devops_metrics_ingest import ingestion
from devops_metrics_memory import memory
from devops_metrics_page import page
from devops_metrics_rollups import rollups
from devops_metrics_writes import writes
from measurement import circumstances, record, recorded

PAGE = Path(__file__).parent.parent / "docs" / "workloads" / "devops-metrics-measured.md"


def main() -> None:
    """Run one benchmark, and keep its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ingest", "writes", "memory", "databases", "rollups", "detection", "page"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        match options.what:
            case "ingest":
                keep("ingest", ingestion(folder, options.rows or 1_000_000))
            case "writes":
                keep("writes", writes(folder, options.rows or 100_000))
            case "memory":
                keep("memory", memory(folder, options.rows or 10_000_000))
            case "databases":
                rows = options.rows or 1_000_000
                name = next(size for size, least in SIZES.items() if rows >= least)
                for figures in databases(folder, rows):
                    keep(name, figures)
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


if __name__ == "__main__":
    main()
