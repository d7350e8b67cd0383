"""Measure questions answered from rollups and from raw rows: `python benchmarks/devops_metrics.py rollups`."""

from __future__ import annotations

import functools
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import urllib3
from devops_metrics_fleet import influx, ingest_file, make_file, settled_size, token_of

from workloads.devops_metrics.queries import ask
from workloads.timeseries.rolled_up import RolledUp
from workloads.timeseries.store import Period

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUNS, FEWEST, LONGEST = 9, 3, 20
"""How often a question is asked, how often at least, and for how many seconds."""

ROLLED = ("fleet-cpu", "busiest", "error-rate", "deviating-hosts")


def rollups(folder: Path, rows: int) -> dict[str, Any]:
    """Compare questions about a day and a month of a fleet, from rollups and from raw rows, and what rollups cost.

    Rows are spread evenly over 31 days, and there is a host for each hundred thousand of them.
    """
    hosts = max(1, rows // 100_000)
    file = make_file(folder / "rows.csv", rows, hosts, days=31)
    result: dict[str, Any] = {"rows": rows, "hosts": hosts}
    with influx(folder / "plain") as store:
        began = time.perf_counter()
        ingest_file(file, store)
        plain_seconds = time.perf_counter() - began
        plain_size = settled_size(folder / "plain")
    with influx(folder / "influxdb") as plain_store:
        token = token_of(plain_store)
        add_bucket(plain_store.url, token, "devops_rollups")
        store = RolledUp(plain_store.url, "devops", token=token, rollups="devops_rollups")
        began = time.perf_counter()
        ingest_file(file, store)
        seconds = time.perf_counter() - began
        size = settled_size(folder / "influxdb")
        end = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for name, days in (("a day", 1), ("a month", 30)):
            period = Period(end - timedelta(days=days), end)
            result[name] = {}
            for query in ROLLED:
                rolled, answer = measured(functools.partial(ask, store, query, period))
                raw, expected = measured(functools.partial(ask, store.raw, query, period))
                result[name][query] = {"rollups": rolled, "raw rows": raw}
                tolerance = 0.01 if query == "fleet-cpu" else 1e-6
                pd.testing.assert_frame_equal(by_name(answer), by_name(expected), rtol=tolerance)
    return result | {
        "rows_per_second": {"with rollups": round(rows / seconds), "without": round(rows / plain_seconds)},
        "bytes_per_row": {"with rollups": round(size / rows, 1), "without": round(plain_size / rows, 1)},
    }


def measured(query: Callable[[], pd.DataFrame]) -> tuple[dict[str, float], pd.DataFrame]:
    """Return medians in milliseconds, in all and of our processor time, and the answer.

    They are those of nine runs after one that warms up, or of three if these take longer than 20 s.
    """
    answer = query()
    wall: list[float] = []
    processor: list[float] = []
    while len(wall) < FEWEST or (len(wall) < RUNS and sum(wall) < LONGEST):
        began, used = time.perf_counter(), time.process_time()
        query()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    figures = {
        "milliseconds": round(1000 * statistics.median(wall), 1),
        "our_processor_milliseconds": round(1000 * statistics.median(processor), 1),
        "runs": len(wall),
    }
    return figures, answer


def by_name(answer: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the order of what they are about: two hosts with almost the same figure may change places."""
    names = [str(column) for column in answer if not pd.api.types.is_numeric_dtype(answer[column])]
    return answer.sort_values(names, ignore_index=True)


def add_bucket(url: str, token: str, name: str) -> None:
    """Make a bucket that keeps points for ever."""
    headers = {"Authorization": f"Token {token}"}
    organization = urllib3.request("GET", f"{url}/api/v2/orgs", headers=headers).json()["orgs"][0]["id"]
    bucket = {"orgID": organization, "name": name, "retentionRules": []}
    answer = urllib3.request("POST", f"{url}/api/v2/buckets", headers=headers, json=bucket)
    assert answer.status == 201, answer.data  # noqa: S101, PLR2004
