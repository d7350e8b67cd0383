"""Ingestion accounts for every line, holds few of them in memory, and says where it stands."""

from __future__ import annotations

import csv
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from contract.errors import InputError
from workloads.devops_metrics.commands import _summary
from workloads.devops_metrics.ingest import Quarantine, Tally, ingest
from workloads.devops_metrics.reader import Reader
from workloads.timeseries.row import Row
from workloads.timeseries.schema import Schema
from workloads.timeseries.store import Aggregation, Description, MetricStore, Period, Written

HEADER = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status"


class Shelf(MetricStore):
    """Keeps rows in memory; refuses those of one application, and can be closed or slow."""

    def __init__(self) -> None:
        self.schema = Schema()
        self.rows: list[Row] = []
        self.versions: set[int] = set()
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()
        self.lock = threading.Lock()

    def write(self, rows: Sequence[Row], version: int) -> Written:
        assert self.gate.wait(30)
        if self.closed:
            raise InputError("the shelf is closed")
        refused = [(row, "refused") for row in rows if row.dimensions[0] == "bad"]
        with self.lock:
            self.rows += [row for row in rows if row.dimensions[0] != "bad"]
            self.versions.add(version)
        return Written(len(rows) - len(refused), refused, 1, 2)

    def aggregate(self, question: Aggregation, period: Period) -> pd.DataFrame:
        raise NotImplementedError

    def statements(self, question: Aggregation, period: Period) -> list[str]:
        raise NotImplementedError

    def describe(self) -> Description:
        raise NotImplementedError


def write(path: Path, lines: int) -> Path:
    """Every tenth line is malformed, every seventh is refused by the store."""
    with path.open("w") as file:
        file.write(f"{HEADER}\n")
        for number in range(lines):
            name = "" if number % 10 == 0 else "bad" if number % 7 == 0 else f"app-{number}"
            file.write(f"{name},web,{1_700_000_000 + number},1,2,3,200\n")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "metrics.csv", 1000)


def test_totals_add_up_and_quarantine_tells_line_reason_and_text(file: Path, tmp_path: Path) -> None:
    store, bad = Shelf(), tmp_path / "bad.csv"
    with Quarantine(bad) as quarantine:
        tally = ingest(Reader(file, Schema()), store, quarantine, batch_rows=64)
    malformed = len(range(0, 1000, 10))
    refused = len([number for number in range(0, 1000, 7) if number % 10])
    assert (tally.lines, tally.written, tally.quarantined) == (1000, 1000 - malformed - refused, malformed + refused)
    assert (tally.requests, tally.metered_kib, tally.position) == (16, 32, file.stat().st_size)
    assert len(store.rows) == tally.written
    entries = list(csv.DictReader(bad.read_text().splitlines()))
    assert len(entries) == tally.quarantined
    assert [entry["line"] for entry in entries] == sorted([entry["line"] for entry in entries], key=int)
    text = file.read_text().splitlines()
    assert all(entry["text"] == text[int(entry["line"]) - 1] for entry in entries)
    assert {entry["reason"] for entry in entries} == {"Application_ID: empty", "refused"}


def test_rows_that_repeat_an_earlier_line_are_not_counted_as_written(tmp_path: Path) -> None:
    file, store = tmp_path / "metrics.csv", Shelf()
    lines = [f"web-{number},web,{1_700_000_000},{number},2,3,200" for number in range(100)]
    again = [lines[0], lines[50].replace(",50,", ",51,")]
    file.write_text("\n".join([HEADER, *lines, *again, "web-1,web,never,1,2,3,200"]))
    with Quarantine(tmp_path / "bad.csv") as quarantine:
        tally = ingest(Reader(file, Schema()), store, quarantine, batch_rows=7)
    assert (tally.lines, tally.written, tally.quarantined, tally.repeated) == (103, 100, 3, 2)
    assert len({(row.time, row.dimensions) for row in store.rows}) == len(store.rows) == 100
    entries = list(csv.DictReader((tmp_path / "bad.csv").read_text().splitlines()))
    assert [(entry["line"], entry["reason"]) for entry in entries[:2]] == [
        ("102", "a second row for the time and dimensions of line 2"),
        ("103", "a second row for the time and dimensions of line 52"),
    ]


def test_the_summary_tells_repeated_lines_from_malformed_ones() -> None:
    tally = Tally(lines=12_003, written=12_000, quarantined=3, repeated=2, requests=2, seconds=2)
    assert _summary(tally, Path("bad.csv")).startswith(
        "12,003 lines: 12,000 written, 3 quarantined (2 with the time and dimensions of an earlier line; see bad.csv);"
    )
    assert "(see bad.csv)" in _summary(replace(tally, repeated=0), Path("bad.csv"))


def test_without_a_bad_line_there_is_no_quarantine_file_and_an_old_one_goes(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("line,reason,text\n2,of an earlier run,x\n")
    file = tmp_path / "metrics.csv"
    file.write_text(f"{HEADER}\nweb-1,web,1769860800,1,2,3,200\n")
    with Quarantine(bad) as quarantine:
        ingest(Reader(file, Schema()), Shelf(), quarantine)
    assert not bad.exists()


@pytest.mark.parametrize("content", ["my thesis\n", "line,reason\n", "\n\n1,2,3"])
def test_a_file_that_holds_no_quarantined_lines_is_neither_replaced_nor_removed(tmp_path: Path, content: str) -> None:
    mine = tmp_path / "thesis.tex"
    mine.write_text(content)
    with pytest.raises(InputError, match=r"thesis\.tex: The file is not replaced"):
        Quarantine(mine)
    assert mine.read_text() == content


def test_a_run_has_one_version_and_a_later_run_a_higher_one(file: Path, tmp_path: Path) -> None:
    versions = []
    for _ in range(2):
        store = Shelf()
        with Quarantine(tmp_path / "bad.csv") as quarantine:
            ingest(Reader(file, Schema()), store, quarantine, batch_rows=100)
        [version] = store.versions
        versions.append(version)
    assert versions[1] > versions[0]


def test_reading_waits_for_a_slow_store(file: Path, tmp_path: Path) -> None:
    store = Shelf()
    store.gate.clear()
    reader = Reader(file, Schema())
    read = []

    class Counting:
        follow = False

        def batches(self, size: int) -> object:
            for batch in reader.batches(size):
                read.append(batch)
                if len(read) == 6:  # twice as many as writers are under way: nobody may read on
                    threading.Timer(0.2, lambda: (held.append(len(read)), store.gate.set())).start()
                yield batch

    held: list[int] = []
    with Quarantine(tmp_path / "bad.csv") as quarantine:
        tally = ingest(Counting(), store, quarantine, writers=3, batch_rows=10)  # type: ignore[arg-type]
    assert held == [6]
    assert tally.lines == 1000


def test_a_store_that_cannot_be_reached_ends_it_with_the_reason(file: Path, tmp_path: Path) -> None:
    store = Shelf()
    store.closed = True
    with Quarantine(tmp_path / "bad.csv") as quarantine, pytest.raises(InputError, match="the shelf is closed"):
        ingest(Reader(file, Schema()), store, quarantine, batch_rows=10)


def test_progress_is_told_after_every_batch(file: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def progress(tally: Tally) -> None:
        assert tally.lines == tally.written + tally.quarantined
        seen.append(tally.position)

    with Quarantine(tmp_path / "bad.csv") as quarantine:
        ingest(Reader(file, Schema()), Shelf(), quarantine, batch_rows=100, progress=progress)
    assert len(seen) == 10
    assert seen == sorted(seen)
    assert seen[-1] == file.stat().st_size
