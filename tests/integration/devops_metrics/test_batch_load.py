"""Large files in S3 that LiveAnalytics loads by itself, beside those that `ingest` has to read."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.errors import UnavailableError
from localcloud import LocalCloud
from workloads.devops_metrics.batch_load import BatchLoad
from workloads.timeseries.connection import connect

from .conftest import CODE, Run, as_writer, create_stack, environment, new_network, put, totals

STACK = "Loaded"
HEADER = "Time_Stamp,Application_ID,Application_Name,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status\n"
ROWS = 30_000
NOW = int(time.time())


@pytest.fixture(scope="module", autouse=True)
def stack(cloud: LocalCloud) -> Iterator[None]:
    create_stack(cloud, STACK, **new_network(cloud), Engine="liveanalytics", Code=CODE)
    with environment(cloud):
        yield


def rows(host: str, *more: str) -> str:
    """More than a mebibyte of plain rows, and then some others."""
    lines = [f"{NOW - number},{host},web,{number % 100}.5,50,3,200" for number in range(ROWS)]
    return HEADER + "\n".join([*lines, *more]) + "\n"


def tasks(cloud: LocalCloud) -> int:
    return len(cloud.client("timestream-write").list_batch_load_tasks()["BatchLoadTasks"])


def test_a_large_plain_file_is_loaded_and_what_aws_refuses_is_quarantined(
    cloud: LocalCloud, run: Run, prefix: str, tmp_path: Path
) -> None:
    bad = (f"{NOW - 500 * 86_400},old,web,1,2,3,200", "yesterday,bad,web,1,2,3,200", f"{NOW},bad,web,much,2,3,200")
    put(cloud, prefix, "large.csv", rows("loaded", *bad))
    put(cloud, prefix, "small.csv", f"{HEADER}{NOW},read,web,1,2,3,200\n")
    with as_writer(cloud, STACK):
        code, out, errors = run("ingest", f"{prefix}/", "--batch-load", "1", "--json")
    assert (code, tasks(cloud)) == (0, 1), errors
    printed = totals(out)
    assert (printed["files"], printed["lines"], printed["written"]) == (2, ROWS + 4, ROWS + 1)
    assert printed["metered_kib"] > 1024
    assert connect(STACK).describe().rows == ROWS + 1
    quarantine = list(csv.DictReader((tmp_path / printed["quarantine"]).read_text().splitlines()))
    first = ROWS + 2
    assert [(line["file"], line["line"], line["text"]) for line in quarantine] == [
        (f"{prefix}/large.csv", str(number), text) for number, text in enumerate(bad, first)
    ]
    assert "outside the time range" in quarantine[0]["reason"]
    again = totals(run("ingest", prefix, "--batch-load", "1", "--json")[1])
    assert (again["earlier"], again["written"], tasks(cloud)) == (2, ROWS + 1, 1)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (rows("iso").replace(f"{NOW - 5},", "2026-01-31T12:00:00Z,"), ["--batch-load", "1"]),
        (rows("comma").replace(",0.5,", ',"0,5",'), ["--batch-load", "1"]),
        (rows("fixed"), ["--batch-load", "1", "--dimension", "Region=eu"]),
        (rows("never"), ["--batch-load", "0"]),
        (rows("usual"), []),
    ],
    ids=["times", "decimals", "dimension", "option", "size"],
)
def test_any_other_file_is_read_by_this_process(
    cloud: LocalCloud, run: Run, prefix: str, content: str, options: list[str]
) -> None:
    before = tasks(cloud)
    put(cloud, prefix, "0.csv", content)
    code, out, errors = run("ingest", prefix, *options, "--json")
    assert (code in {0, 2}, totals(out)["files"], tasks(cloud) - before) == (True, 1, 0), errors


def test_a_file_whose_key_begins_another_is_not_loaded_together_with_it(
    cloud: LocalCloud, run: Run, prefix: str
) -> None:
    before = tasks(cloud)
    put(cloud, prefix, "0.csv", rows("begins"))
    put(cloud, prefix, "0.csv.old", f"{HEADER}{NOW},other,web,1,2,3,200\n")
    code, out, errors = run("ingest", prefix, "--batch-load", "1", "--json")
    assert (code, totals(out)["written"], tasks(cloud) - before) == (0, ROWS + 1, 0), errors


def test_a_run_that_ended_while_aws_loaded_is_continued_and_not_repeated(
    cloud: LocalCloud, run: Run, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(_loads: BatchLoad, task: str) -> None:
        raise UnavailableError(f"Batch load task {task}: It is not known how far it is.")

    before = tasks(cloud)
    put(cloud, prefix, "0.csv", rows("continued"))
    with monkeypatch.context() as patch:
        patch.setattr(BatchLoad, "_wait", ended)
        assert run("ingest", prefix, "--batch-load", "1", "--json")[0] == 75
    code, out, errors = run("ingest", prefix, "--batch-load", "1", "--json")
    assert (code, totals(out)["written"], tasks(cloud) - before) == (0, ROWS, 1), errors
