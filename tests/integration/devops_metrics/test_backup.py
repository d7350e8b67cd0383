"""InfluxDB's backup: what comes back, what a second backup reads, and what a loss cannot take from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.errors import InputError, UnavailableError
from localcloud.cloud import processes
from localcloud.services.timestreaminfluxdb import behaviour as influxdb
from workloads.storage import locate
from workloads.timeseries.backup import MANIFEST, back_up, restore
from workloads.timeseries.influxdb import InfluxDB

from .conftest import ACCESS, Engines

STACK = "DevOpsMetrics"
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def moment(days: int, seconds: float = 0) -> int:
    """Nanoseconds at a time of a day before today."""
    return int((TODAY - timedelta(days=days)).timestamp()) * 10**9 + int(seconds * 10**9)


LINES = [
    f'metrics,host=web-1,app=a\\ b\\,c\\=d load=1,status=200i,up=true,note="two\nlines, \\"x\\" \\\\" {moment(9)}',
    f"metrics,host=web-2 load=0.1 {moment(9, 86_399.999999999)}",
    f"metrics,host=web-1,app=ü up=false {moment(8, 3600)}",
    f"metrics,host=web-2 up=true {moment(8, 3600)}",
    f"metrics load=-12345678901234.5,status=9007199254740993i {moment(8, 3600.000000001)}",
    f"other\\ one,host=web-1 a\\ field\\=x=3 {moment(1, 60)}",
]


@pytest.fixture
def store(engines: Engines) -> InfluxDB:
    store = new(engines)
    assert store.write_lines(LINES).rejected == []
    return store


def new(engines: Engines) -> InfluxDB:
    store = engines.new("influxdb")
    assert isinstance(store, InfluxDB)
    return store


def points(store: InfluxDB) -> list[object]:
    """Everything that a database holds, in nanoseconds."""
    return list(store.query("SELECT * FROM /.*/ GROUP BY *", "ns"))


def test_every_point_of_every_type_comes_back_to_the_nanosecond(
    engines: Engines, store: InfluxDB, tmp_path: Path
) -> None:
    done = back_up(store, locate(str(tmp_path)), STACK)
    assert (done.saved, done.rows) == (3, len(LINES))
    target = new(engines)
    for _ in range(2):
        restored = restore(target, locate(str(tmp_path)))
        assert (restored.days, restored.rows, restored.problems) == (3, len(LINES), [])
        assert points(target) == points(store)


def test_a_second_backup_writes_only_what_is_new(store: InfluxDB, tmp_path: Path) -> None:
    place = locate(str(tmp_path))
    back_up(store, place, STACK)
    files = {name: (place / name).read() for name in place.names()}
    assert back_up(store, place, STACK).unchanged == 3
    assert back_up(store, place, STACK, everything=True).unchanged == 3
    assert {name: (place / name).read() for name in place.names()} == files
    store.write_lines([f"metrics,host=web-3 load=7 {moment(9, 5)}"])
    done = back_up(store, place, STACK)
    assert (done.saved, done.unchanged, done.rows) == (1, 2, len(LINES) + 1)
    assert len(place.names()) == len(files)


def test_a_corrected_value_is_saved_and_wins(engines: Engines, store: InfluxDB, tmp_path: Path) -> None:
    place = locate(str(tmp_path))
    back_up(store, place, STACK)
    store.write_lines([f"metrics,host=web-2 load=99 {moment(9, 86_399.999999999)}"])
    assert back_up(store, place, STACK).saved == 0
    assert back_up(store, place, STACK, everything=True).saved == 1
    target = new(engines)
    assert restore(target, place).problems == []
    assert points(target) == points(store)


def test_a_backup_after_a_loss_keeps_what_was_saved(engines: Engines, store: InfluxDB, tmp_path: Path) -> None:
    place = locate(str(tmp_path))
    back_up(store, place, STACK)
    emptied = new(engines)
    emptied.write_lines([f"metrics,host=web-9 load=1 {moment(9, 7)}"])
    done = back_up(emptied, place, STACK)
    assert (done.saved, done.kept, done.rows) == (1, 2, len(LINES) + 1)
    assert restore(emptied, place).problems == []
    store.write_lines([f"metrics,host=web-9 load=1 {moment(9, 7)}"])
    assert points(emptied) == points(store)


def test_an_interrupted_backup_goes_on(engines: Engines, store: InfluxDB, tmp_path: Path) -> None:
    place = locate(str(tmp_path))

    def interrupt(_text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(store, place, STACK, tell=interrupt)
    assert len(place.names()) == 2
    (place / "metrics/2026-01-01.0.json.gz").write(b"written, and not listed yet")
    done = back_up(store, place, STACK)
    assert (done.saved, done.unchanged) == (2, 1)
    assert len(place.names()) == 4
    target = new(engines)
    assert restore(target, place).problems == []
    assert points(target) == points(store)


def test_a_damaged_file_is_named_and_the_others_are_restored(engines: Engines, store: InfluxDB, tmp_path: Path) -> None:
    place = locate(str(tmp_path))
    back_up(store, place, STACK)
    damaged = next(name for name in place.names() if name != MANIFEST)
    (place / damaged).write(b"no gzip")
    restored = restore(new(engines), place)
    assert restored.days == 2
    assert damaged in restored.problems[0]
    assert "is damaged" in restored.problems[0]
    assert any("were saved" in problem for problem in restored.problems[1:])
    with pytest.raises(InputError, match="is damaged"):
        back_up(store, place, STACK, everything=True)
    (place / damaged).delete()
    assert back_up(store, place, STACK).saved == 1
    assert restore(new(engines), place).problems == []


def test_a_field_of_different_types_on_different_days_keeps_all_values(engines: Engines, tmp_path: Path) -> None:
    store, target = new(engines), new(engines)
    values = ["1i", "2.5", '"three"', "true"]
    written = store.write_lines([f"m x={value} {moment(20 * number)}" for number, value in enumerate(values)])
    assert written.rejected == []
    back_up(store, locate(str(tmp_path)), STACK)
    assert restore(target, locate(str(tmp_path))).problems == []
    for kind in ("float", "string", "boolean"):
        statement = f'SELECT "x"::{kind} FROM "m"'  # noqa: S608 - in a test
        assert list(target.query(statement)) == list(store.query(statement)) != []


@pytest.fixture
def limited(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[InfluxDB]:
    """An InfluxDB that ends an answer after ten rows."""
    monkeypatch.setenv("INFLUXDB_HTTP_MAX_ROW_LIMIT", "10")
    process, port, token = influxdb.start(tmp_path_factory.mktemp("influxdb"), **ACCESS, bucket="devops")
    yield InfluxDB(f"http://localhost:{port}", "devops", token=token, attempts=2)
    processes.end(process)


def test_an_answer_that_is_cut_off_is_asked_for_in_smaller_spans(
    engines: Engines, limited: InfluxDB, tmp_path: Path
) -> None:
    lines = [f"m,host=web-{number % 3} x={number} {moment(9, number)}" for number in range(40)]
    assert limited.write_lines(lines).rejected == []
    assert sum(len(group["values"]) for group in limited.query('SELECT "x" FROM "m" GROUP BY *')) < len(lines)
    assert back_up(limited, locate(str(tmp_path)), STACK).rows == len(lines)
    target = new(engines)
    assert restore(target, locate(str(tmp_path))).problems == []
    assert [row["count"] for row in target.rows('SELECT count("x") FROM "m"')] == [len(lines)]


def test_fewer_values_than_were_counted_are_not_taken_for_a_day(
    store: InfluxDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = store.query

    def incomplete(statement: str, epoch: str = "u") -> Iterator[dict[str, Any]]:
        return iter(list(query(statement, epoch))[: 1 if "GROUP BY *" in statement else None])

    monkeypatch.setattr(store, "query", incomplete)
    with pytest.raises(UnavailableError, match="and answered with"):
        back_up(store, locate(str(tmp_path)), STACK)


def test_rows_that_the_database_refuses_are_counted(engines: Engines, store: InfluxDB, tmp_path: Path) -> None:
    place = locate(str(tmp_path))
    back_up(store, place, STACK)
    short = engines.new("influxdb", retention=timedelta(days=3))
    assert isinstance(short, InfluxDB)
    restored = restore(short, place)
    assert restored.rows == 1
    assert any("InfluxDB refuses 2 rows" in problem for problem in restored.problems)


def test_a_place_that_holds_something_else_is_refused(store: InfluxDB, tmp_path: Path) -> None:
    place = locate(str(tmp_path))
    with pytest.raises(InputError, match=r"There is no manifest\.json"):
        restore(store, place)
    (place / "holiday.jpg").write(b"a picture")
    with pytest.raises(InputError, match="Files are there that are not a backup"):
        back_up(store, place, STACK)
    (place / "holiday.jpg").delete()
    back_up(store, place, STACK)
    with pytest.raises(InputError, match="The backup there is of the stack DevOpsMetrics"):
        back_up(store, place, "Other")
    (place / MANIFEST).write(b"{}")
    with pytest.raises(InputError, match="This is not the manifest of a backup"):
        restore(store, place)


def test_an_empty_database_has_an_empty_backup(engines: Engines, tmp_path: Path) -> None:
    place = locate(str(tmp_path))
    assert back_up(new(engines), place, STACK).rows == 0
    assert restore(new(engines), place).problems == []
