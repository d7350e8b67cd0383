"""Measure the memory that a large file takes on its way into InfluxDB: `python benchmarks/devops_metrics.py memory`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from devops_metrics_fleet import influx, make_file, token_of

if TYPE_CHECKING:
    from pathlib import Path


def memory(folder: Path, rows: int) -> dict[str, Any]:
    """Sample the resident memory at every tenth of a file that a process writes to InfluxDB and does nothing else."""
    file = make_file(folder / "rows.csv", rows)
    with influx(folder / "influxdb") as store:
        command = [sys.executable, "-c", INGESTING, str(file), str(rows), store.url, token_of(store)]
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
