"""Reading lines as columns gives byte for byte what reading them one by one does: rows, faults, requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.timeseries import line, series
from workloads.devops_metrics import plain
from workloads.devops_metrics.reader import Batch, Reader
from workloads.devops_metrics.repeats import Repeats
from workloads.timeseries.columns import Columns
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.row import Row
from workloads.timeseries.schema import MeasureType, Schema
from workloads.timeseries.store import Written

TIMES = [
    "2026-01-31T12:00:00Z",
    "2026-01-31 12:00:00",
    "2026-01-31t12:00:00z",
    "2026-01-31T12:00",
    "2026-01-31T12:00:00.1Z",
    "2026-01-31T12:00:00.123+01:00",
    "2026-01-31T12:00:00.123456-23:59",
    "2026-01-31T12:00:00.123456789",
    "2026-01-31T12:00:00.123456789Z",
    "2026-01-31T12:00:00+24:00",
    "2026-01-31T12:00:00+0100",
    "2026-01-31T24:00:00Z",
    "2026-02-29T12:00:00Z",
    "2024-02-29T12:00:00Z",
    "2100-02-29T12:00:00Z",
    "2026-13-01T12:00:00Z",
    "2026-00-01T12:00:00Z",
    "2026-01-00T12:00:00Z",
    "2026-01-31T12:60:00Z",
    "2026-01-31T12:00:60Z",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:30:00+01:00",
    "1970-01-01 00:30:00",
    "2261-12-31T23:59:59Z",
    "2262-01-01T00:00:00Z",
    "2026-03-29 02:30:00",
    "2026-10-25 02:30:00",
    "2026-10-25 01:59:59.999",
    "2026-10-25 03:00:00",
    "31/Jan/2026:13:00:00 +0100",
    "01/02/2026",
    "1769860800",
    "1769860800.25",
    "1769860800123",
    "1769860800123456",
    "1769860800123456789",
    "9999999999999999999",
    "0000000000",
    "202601311200",
    "176986080x",
    "+769860800",
    "\u0661769860800",
]
NUMBERS = [
    *("12.5", "0", "-0", "0.0", "-0.00", "50", "50.", ".5", "+5", "007", "00.5", "1e5", "1E-7", "0.0001", "0.00001"),
    *(
        "0.000123",
        "123456789012345",
        "1234567890123456",
        "9007199254740993",
        "0.1234567890123456",
        "0.30000000000000004",
    ),
    *(
        "999999999999999.9",
        "12.50",
        "200.0",
        "200.5",
        "-1",
        "--1",
        "-",
        "nan",
        "inf",
        "-Infinity",
        "1_0",
        "1,5",
        "1.234",
    ),
    *("1,234", "1.234,5", "1 234.5", "12.5%", "#DIV/0!", "N/A", "null", "0x10", "1.2.3", "9223372036854775807", "5 "),
    *(
        "9223372036854775808",
        "-9223372036854775808",
        "999999999999999",
        "\u0661",
        "\u00a05",
        "\t5",
        "true",
        "FALSE",
        "1",
    ),
]
TEXTS = [
    *("web-1", "web", "web 1", " web", "web\\", "we,b", 'we"b', "w=b", "wéb", "\u2003web\u2003", "a" * 2049, "#REF!"),
    *("", " ", "\x85", "\x00", "we\rb", "we\tb", "🚀", "'", "\u2028"),
]
QUOTED = [
    '"web"',
    '"a""b"',
    '"',
    '""',
    '"""',
    ' "web"',
    '"web" ',
    '"we,b"',
    '"we;b"',
    '"1.5"',
    '"2026-01-31T12:00:00Z"',
]


@dataclass(frozen=True)
class Form:
    """A kind of file: its columns, what they mean, a time as it usually writes them, and its first lines."""

    header: str
    schema: Schema
    separator: str = ","
    time: str = "2023-11-14T22:{minute:02d}:{second:02d}Z"
    begins: bytes = b""


NUMBERED: dict[str, MeasureType] = {"cpu": "DOUBLE", "status": "BIGINT"}
MEASURES: dict[str, MeasureType] = NUMBERED | {"up": "BOOLEAN", "note": "VARCHAR"}
FORMS = [
    Form(
        "host,service,time,cpu,status",
        Schema(time="time", dimensions=("host", "service"), measures=NUMBERED, decimal="."),
        time="{seconds}",
    ),
    Form(
        "cpu,host,note,time,service,up,status,other",
        Schema(time="time", dimensions=("service", "host"), measures=MEASURES, decimal="."),
    ),
    Form(
        "time,host,cpu,status,up,note",
        Schema(
            time="time",
            timezone="Europe/Berlin",
            dimensions=("region", "host"),
            fixed={"region": "e,u"},
            measures=MEASURES,
            decimal=".",
        ),
        "\t",
        "2023-10-29 0{hour}:{minute:02d}:{second:02d}",
    ),
    Form(
        "time,cpu,status",
        Schema(time="time", dimensions=("host",), fixed={"host": "a"}, measures=NUMBERED, decimal=","),
        ";",
    ),
    Form(
        "time,cpu,status",
        Schema(time="time", dimensions=("host",), fixed={"host": "a"}, measures=NUMBERED),
        ";",
        begins=b"1;1;1\n" * 1000,  # they do not show what stands before decimals
    ),
    Form(
        "host,time,cpu,status",
        Schema(time="time", time_format="%d/%b/%Y:%H:%M:%S %z", dimensions=("host",), measures=NUMBERED, decimal="."),
        "|",
        "14/Nov/2023:22:{minute:02d}:{second:02d} +0100",
    ),
]


def dirty_line(random: Random, form: Form) -> bytes:
    """A line that is usually right in most of its cells."""
    cells = []
    clock = {"hour": random.randrange(9), "minute": random.randrange(60), "second": random.randrange(60)}
    clock |= {"seconds": 10**9 + random.randrange(10**6)}
    for name in form.header.split(","):
        usual = {
            "time": [form.time.format(**clock)] * 3 + [random.choice(TIMES)],
            "host": [f"web-{random.randrange(3)}"],
            "service": ["web"],
            "up": ["true", "0"],
            "note": ["fine", "", random.choice(TEXTS)],
        }.get(name, [f"{100 * random.random():.2f}", str(random.randrange(1000)), repr(random.random()), ""])
        if form.schema.decimal == ",":
            usual = [cell.replace(".", ",") for cell in usual]
        others = (TIMES, NUMBERS, TEXTS, QUOTED)
        cell = random.choice(random.choice(others)) if random.random() < 0.06 else random.choice(usual)
        cells.append(f'"{cell}"' if random.random() < 0.02 else f" {cell} " if random.random() < 0.02 else cell)
    if random.random() < 0.03:
        cells = cells[: random.randrange(len(cells) + 1)] + random.choices(TEXTS, k=random.randrange(3))
    line = form.separator.join(cells).encode().replace(b"\n", b"")
    if random.random() < 0.02:
        line = random.randbytes(random.randrange(40)).replace(b"\n", b"")
    if random.random() < 0.02:
        line = line.replace(b"web", b"w\xe9b")
    return line + random.choice([b"\n", b"\n", b"\n", b"\r\n", b"\r\r\n", b"\n\n"])


def read(path: Path, form: Form) -> list[Batch]:
    return list(Reader(path, form.schema).batches(170))


def body(rows: Columns, schema: Schema) -> tuple[bytes, list[tuple[Row, str]]]:
    """What InfluxDB is sent, and what is refused before."""
    store, written = InfluxDB("http://localhost:1", "devops", schema=schema), Written()
    return store._points(rows, written).body, written.rejected


def body_one_by_one(rows: Columns, schema: Schema) -> tuple[bytes, list[tuple[Row, str]]]:
    """The same, put together row by row from values."""
    lines, rejected = [], []
    for row in rows:
        try:
            start = series("metrics", dict(zip(schema.dimensions, row.dimensions, strict=True)))
        except ValueError as error:
            rejected.append((row, str(error)))
            continue
        lines.append(line(start, zip(schema.measures, row.measures, strict=True), row.time * 1000) + "\n")
    return "".join(lines).encode(), rejected


def check_that_both_ways_agree(path: Path, form: Form) -> int:
    columns = read(path, form)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "SEPARATORS", {})  # then no line is plain
        lines = read(path, form)
    assert repr([[*batch.rows] for batch in columns]) == repr([[*batch.rows] for batch in lines])
    assert [batch[1:] for batch in columns] == [batch[1:] for batch in lines]
    for batch in columns:
        assert body(batch.rows, form.schema) == body_one_by_one(batch.rows, form.schema)
        assert body(batch.rows, form.schema) == body(Columns.holding([*batch.rows], form.schema), form.schema)
    return sum(len(batch.rows) for batch in columns)


quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
@pytest.mark.parametrize("seed", range(4))
def test_ten_thousand_dirty_lines_mean_the_same_as_columns_and_one_by_one(
    tmp_path: Path, form: Form, seed: int
) -> None:
    random, path = Random(seed), tmp_path / "metrics.csv"  # noqa: S311 - no secret
    header = f"{form.header}\n".replace(",", form.separator).encode()
    path.write_bytes(header + form.begins + b"".join(dirty_line(random, form) for _ in range(500)))
    assert check_that_both_ways_agree(path, form) > 50


@pytest.mark.parametrize("kind", ["DOUBLE", "BIGINT"])
@settings(quick, max_examples=60)
@given(
    st.lists(st.one_of(st.from_regex(r"-?\d{0,17}(\.\d{0,17})?", fullmatch=True), st.floats().map(repr)), min_size=1)
)
def test_numbers_are_written_as_python_writes_them(tmp_path: Path, kind: MeasureType, numbers: list[str]) -> None:
    path = tmp_path / "metrics.csv"
    schema = Schema(time="time", dimensions=("host",), measures={"value": kind})
    path.write_text("\n".join(["host,time,value", *(f"a,{10**9 + at},{text}" for at, text in enumerate(numbers))]))
    check_that_both_ways_agree(path, Form("", schema))


def test_plain_lines_are_not_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, form = tmp_path / "metrics.csv", FORMS[0]
    path.write_text(f"{form.header}\n" + 'web-1,"web",2026-01-31T12:00:00.5+01:00,12.50,200\n"a",b,1769860800, 1e5,\n')
    monkeypatch.setattr(Reader, "_parse", lambda *_: pytest.fail("a plain line was read on its own"))
    [batch] = Reader(path, form.schema).batches()
    assert [row[1:4] for row in batch.rows] == [
        (1_769_857_200_500_000, ("web-1", "web"), (12.5, 200)),
        (1_769_860_800_000_000, ("a", "b"), (100_000.0, None)),
    ]


@pytest.mark.parametrize("order", ["by time", "by host", "shuffled", "backwards"])
def test_repeats_are_found_in_any_order_and_across_runs_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr("workloads.devops_metrics.repeats._RUN_ROWS", 64)
    monkeypatch.setattr("workloads.devops_metrics.repeats._REMEMBERED", 5)
    random = Random(0)  # noqa: S311 - no secret
    keys = [(time, host) for time in range(60) for host in range(9)]
    keys = {
        "by time": keys,
        "by host": sorted(keys, key=lambda key: key[1]),
        "shuffled": random.sample(keys, len(keys)),
        "backwards": keys[::-1],
    }[order]
    for place in random.choices(range(len(keys)), k=70):
        keys.insert(random.randrange(place, len(keys)), keys[place])
    path, form = tmp_path / "metrics.csv", FORMS[0]
    lines = [f"host-{host},web,{1_700_000_000 + time},1,200" for time, host in keys]
    path.write_text("\n".join([form.header, *lines]))
    first: dict[tuple[int, int], int] = {}
    expected = []
    for number, key in enumerate(keys, 2):
        if first.setdefault(key, number) != number:
            expected.append((number, f"a second row for the time and dimensions of line {first[key]}"))
    faults = [fault for batch in Reader(path, form.schema).batches(50) for fault in batch.faults]
    assert [(fault.line, fault.reason) for fault in faults] == expected


def test_two_times_whose_keys_are_equal_are_no_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.devops_metrics.repeats._SPREAD", np.int64(0))
    with Repeats() as repeats:
        assert repeats.remember(rows_at(3, 1, 2)) == {}
        assert repeats.remember(rows_at(2, 0)) == {0: "line 4"}


def rows_at(*times: int) -> Columns:
    """Rows of one series, without measures."""
    count = len(times)
    none = Columns.holding([], Schema())
    return replace(
        none,
        lines=np.arange(2, count + 2),
        times=np.array(times),
        series=np.zeros(count, np.int64),
        dimensions=[("a",)],
    )
