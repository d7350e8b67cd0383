"""Every line of a CSV file becomes a row or a fault with its number and reason."""

from __future__ import annotations

import csv
import gzip
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.errors import InputError
from workloads.devops_metrics import reader, repeats
from workloads.devops_metrics.reader import Batch, Fault, Reader
from workloads.timeseries.row import Row
from workloads.timeseries.schema import Schema

HEADER = "Application_ID,Application_Name,Time_Stamp,CPU_Usage,Memory_Usage,Network_Throughput,HTTP_Status"
GOOD = "web-1,web,2026-01-31T12:00:00Z,12.5,50,1e6,200"


def read(
    path: Path, content: str | bytes, schema: Schema | None = None, size: int = 1000
) -> tuple[list[Row], list[Fault]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    batches = list(Reader(path, schema or Schema()).batches(size))
    return [row for batch in batches for row in batch.rows], [fault for batch in batches for fault in batch.faults]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.csv"


def test_a_row_has_its_line_time_dimensions_measures_and_text(path: Path) -> None:
    rows, faults = read(path, f"{HEADER}\n{GOOD}\n")
    assert faults == []
    assert rows == [Row(2, 1_769_860_800_000_000, ("web-1", "web"), (12.5, 50.0, 1e6, 200), GOOD)]


def test_columns_are_found_by_name_in_any_order_and_others_are_left_alone(path: Path) -> None:
    content = (
        "http_status, note ,Time_Stamp,Application_Name,Application_ID,CPU_Usage,Memory_Usage,Network_Throughput\n"
    )
    rows, _ = read(path, content + "404,x,1769860800,web,web-1,1,2,3\n")
    assert rows[0].dimensions == ("web-1", "web")
    assert rows[0].measures == (1.0, 2.0, 3.0, 404)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_endings_byte_order_marks_and_a_missing_last_newline_do_not_matter(
    path: Path, ending: str, mark: bytes
) -> None:
    rows, faults = read(path, mark + ending.join([HEADER, GOOD, "", GOOD.replace("web-1", "web-2")]).encode())
    assert ([row.line for row in rows], faults) == ([2, 4], [])


def test_quoted_cells_may_hold_commas_and_quotes(path: Path) -> None:
    rows, _ = read(path, HEADER + '\n"a,""b""","web",2026-01-31T12:00:00Z,1,2,3,200\n')
    assert rows[0].dimensions == ('a,"b"', "web")


def test_an_empty_measure_is_left_out(path: Path) -> None:
    rows, _ = read(path, f"{HEADER}\nweb-1,web,1769860800,,50,,\n")
    assert rows[0].measures == (None, 50.0, None, None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("web-1,web,2026-01-31T12:00:00Z,12.5,50,1e6", "6 cells, the header has 7"),
        ("web-1,web,2026-01-31T12:00:00Z,high,50,1e6,200", "CPU_Usage: 'high' is not a number"),
        ("web-1,web,2026-01-31T12:00:00Z,inf,50,1e6,200", "CPU_Usage: 'inf' is not a finite number"),
        ("web-1,web,2026-01-31T12:00:00Z,12.5%,50,1e6,200", "CPU_Usage: '12.5%' is not a number"),
        ("web-1,web,2026-01-31T12:00:00Z,#DIV/0!,50,1e6,200", "CPU_Usage: '#DIV/0!' is not a number"),
        ("#REF!,web,2026-01-31T12:00:00Z,12.5,50,1e6,200", "Application_ID: '#REF!' is an error of the spreadsheet"),
        ("web-1,web,2026-01-31T12:00:00Z,1_0,50,1e6,200", "CPU_Usage: '1_0' is not a number"),
        ("web-1,web,2026-01-31T12:00:00Z,1,50,1e6,20.5", "HTTP_Status: '20.5' is not a whole number"),
        ("web-1,web,2026-01-31T12:00:00Z,1,50,1e6,9999999999999999999", "is outside 64 bits"),
        ("web-1,web,2026-01-31T12:00:00Z,,,,", "no measure has a value"),
        (",web,2026-01-31T12:00:00Z,12.5,50,1e6,200", "Application_ID: empty"),
        ("web\t1,web,2026-01-31T12:00:00Z,12.5,50,1e6,200", "Application_ID: holds a control character"),
        ("x" * 2049 + ",web,2026-01-31T12:00:00Z,12.5,50,1e6,200", "longer than 2,048 bytes"),
        ("web-1,web,tomorrow,12.5,50,1e6,200", "'tomorrow' is not a time"),
        ("web-1,web,2200-01-31T12:00:00Z,12.5,50,1e6,200", "more than 15 minutes in the future"),
        ('"web-1,web,2026-01-31T12:00:00Z,12.5,50,1e6,200', "a quotation mark is not closed in the line"),
        ('"web-1"x,web,2026-01-31T12:00:00Z,12.5,50,1e6,200', "quotation marks"),
    ],
)
def test_a_bad_line_is_a_fault_and_the_next_one_is_read(path: Path, line: str, reason: str) -> None:
    rows, faults = read(path, f"{HEADER}\n{line}\n{GOOD}\n")
    assert [row.line for row in rows] == [3]
    assert [(fault.line, fault.text) for fault in faults] == [(2, line)]
    assert reason in faults[0].reason


def test_bytes_that_are_no_utf8_are_a_fault_that_shows_them(path: Path) -> None:
    _, faults = read(path, HEADER.encode() + b"\ncaf\xe9,web,1769860800,1,2,3,200\n")
    assert faults == [Fault(2, "not UTF-8 at byte 4: save the file as UTF-8", r"caf\xe9,web,1769860800,1,2,3,200")]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_second_row_for_the_same_time_and_dimensions_is_a_fault_at_any_distance(path: Path, size: int) -> None:
    between = [f"web-{number},web,1769860800,1,2,3,200" for number in range(2, 9)]
    again = GOOD.replace("12.5", "13").replace("12:00:00Z", "13:00:00+01:00")
    rows, faults = read(path, "\n".join([HEADER, GOOD, *between, again, GOOD, between[0]]), size=size)
    assert [row.line for row in rows] == list(range(2, 10))
    assert rows[0].measures[0] == 12.5
    reason = "a second row for the time and dimensions of line"
    assert [(fault.line, fault.reason) for fault in faults] == [
        (10, f"{reason} 2"),
        (11, f"{reason} 2"),
        (12, f"{reason} 3"),
    ]
    assert [fault.text for fault in faults] == [again, GOOD, between[0]]


def test_a_row_whose_first_form_was_malformed_is_no_repetition(path: Path) -> None:
    rows, faults = read(path, f"{HEADER}\n{GOOD.replace('50', 'half')}\n{GOOD}\n")
    assert ([row.line for row in rows], [fault.line for fault in faults]) == ([3], [2])


def test_a_full_disk_is_named_and_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_RUN_ROWS", 100)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
    with pytest.raises(InputError, match=r"cannot be remembered .*No space left.*TMPDIR names another folder"):
        read(path, "\n".join([HEADER, *(f"web-{number},web,1769860800,1,2,3,200" for number in range(1000))]))


def test_long_lines_make_smaller_batches(path: Path) -> None:
    path.write_text("\n".join([HEADER, *(f"{GOOD},{'x' * 1_000_000}" for _ in range(20))]))
    batches = [*Reader(path, Schema()).batches()]
    assert [len(batch.faults) for batch in batches] == [9, 9, 2]


def test_a_line_without_end_is_a_fault_and_takes_no_memory(path: Path) -> None:
    rows, faults = read(path, f"{HEADER}\n{'x' * 3_000_000}\n{GOOD}\n")
    assert [row.line for row in rows] == [3]
    assert "longer than 1,048,576 bytes" in faults[0].reason
    assert len(faults[0].text) < 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (
            HEADER.replace("CPU_Usage", "CPU").encode(),
            r"There is no column CPU_Usage; .* If it is CPU, say so in a mapping file",
        ),
        (HEADER.replace(",", ";").replace("CPU_Usage", "CPU").encode(), "The columns are separated by semicolons"),
        (HEADER.replace(",", " ").encode(), "There is no column Time_Stamp"),
        (b"PK\x03\x04\0\0", "The file is a workbook or a ZIP archive"),
        (b"caf\xe9," + HEADER.encode(), "line 1: The header is not text in UTF-8"),
        (HEADER.encode("utf-16-le"), "zero bytes"),
        ((HEADER + ",CPU_Usage").encode(), "CPU_Usage stands twice"),
        (gzip.compress(HEADER.encode(), mtime=0)[:-9], "The gzip data is damaged"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_before_anything_is_read(
    path: Path, content: bytes, message: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Reader(path, Schema())


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_separators_and_encodings_do_not_matter(
    path: Path, separator: str, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    lines = [HEADER, GOOD.replace("web-1", "wéb-1"), ",,,,,,", GOOD.replace("web-1", '"web,;|2"')]
    text = "\r\n".join(lines).replace(",", separator).replace(f'"web{separator};|2"', '"web,;|2"')
    rows, faults = read(path, pack(f"{text}\r\n".encode(encoding)))
    assert faults == []
    assert [(row.line, row.dimensions, row.measures) for row in rows] == [
        (2, ("wéb-1", "web"), (12.5, 50.0, 1e6, 200)),
        (4, ("web,;|2", "web"), (12.5, 50.0, 1e6, 200)),
    ]


def test_a_large_file_in_utf16_is_read_to_its_end(path: Path) -> None:
    lines = [HEADER, *(GOOD.replace("web-1", f"wéb-{number}") for number in range(3000))]
    rows, faults = read(path, "\n".join(lines).encode("utf-16"))
    assert (len(rows), faults) == (3000, [])
    assert rows[-1].dimensions == ("wéb-2999", "web")


def test_a_file_that_is_cut_off_is_refused_and_not_taken_for_its_beginning(path: Path) -> None:
    lines = "\n".join([HEADER, *(GOOD.replace("web-1", f"web-{number}") for number in range(30_000))])
    path.write_bytes(gzip.compress(lines.encode())[:-200])
    with pytest.raises(InputError, match="The gzip data is damaged"):
        list(Reader(path, Schema()).batches())


@pytest.mark.parametrize("content", [gzip.compress(HEADER.encode(), mtime=0), HEADER.encode("utf-16")])
def test_a_file_that_must_be_unpacked_or_recoded_cannot_be_followed(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be followed\. Leave --watch out"):
        Reader(path, Schema(), follow=True)


@pytest.mark.parametrize("above", ["sep=;\n", "SEP=;\r\n", "\n \n"])
def test_the_header_is_found_below_the_line_of_excel_and_blank_lines(path: Path, above: str) -> None:
    rows, faults = read(path, above + f"{HEADER}\n{GOOD}\n".replace(",", ";"))
    assert faults == []
    assert [(row.line, row.dimensions) for row in rows] == [(above.count("\n") + 2, ("web-1", "web"))]


EUROPEAN = HEADER.replace(",", ";")


def test_decimal_commas_that_a_number_proves_are_read_and_a_decimal_point_among_them_is_a_fault(path: Path) -> None:
    lines = [f"web-{number};web;1769860800;{cpu};1;2;200" for number, cpu in enumerate(["12,5", "1.234,5", "1.234"])]
    rows, faults = read(path, "\n".join([EUROPEAN, *lines]))
    assert ([row.measures[0] for row in rows], faults) == ([12.5, 1234.5, 1234.0], [])
    late = [f"host-{number};web;1769860800;1;1;2;200" for number in range(1000)]
    rows, faults = read(path, "\n".join([EUROPEAN, *lines, *late, "late;web;1769860800;12.5;1;2;200"]))
    assert len(rows) == 1003
    assert [fault.reason for fault in faults] == [
        "CPU_Usage: '12.5' is written with a decimal point, but the file has decimal commas"
    ]


def test_numbers_that_may_have_decimal_commas_are_refused_until_a_mapping_says_so(path: Path) -> None:
    content = f"{EUROPEAN}\nweb-1;web;1769860800;1,234;50;1.000;200"
    with pytest.raises(InputError, match=r"line 2, column 'CPU_Usage': .*'1,234' may have .* decimal = \",\""):
        read(path, content)
    for decimal, cpu, throughput in ((",", 1.234, 1000.0), (".", 1234.0, 1.0)):
        rows, _ = read(path, content, Schema(decimal=decimal))
        assert rows[0].measures == (cpu, 50.0, throughput, 200)


def test_numbers_that_may_have_decimal_commas_are_faults_behind_lines_that_show_nothing(path: Path) -> None:
    lines = [f"web-{number};web;1769860800;1;1;2;200" for number in range(1000)]
    late = [f"late-{number};web;1769860800;{cpu};1;2;200" for number, cpu in enumerate(["1,234", "1.234", "12,5", "7"])]
    rows, faults = read(path, "\n".join([EUROPEAN, *lines, *late]))
    assert len(rows) == 1001
    reason = "is written with a decimal comma, or with its thousands apart"
    assert [fault.reason for fault in faults] == [f"CPU_Usage: '{cpu}' {reason}" for cpu in ("1,234", "1.234", "12,5")]


@pytest.mark.parametrize("cell", ['"1,234.5"', "1 234.5", "1\u202f234.5", "1'234.5"])
def test_thousands_may_be_set_apart(path: Path, cell: str) -> None:
    rows, faults = read(path, f"{HEADER}\nweb-1,web,1769860800,{cell},,,")
    assert ([row.measures[0] for row in rows], faults) == ([1234.5], [])


@pytest.mark.parametrize("cell", ["NaN", "null", "N/A", "#N/A", "-", " "])
def test_a_measure_without_a_value_may_say_so(path: Path, cell: str) -> None:
    rows, faults = read(path, f"{HEADER}\nweb-1,web,1769860800,{cell},50,{cell},{cell}")
    assert ([row.measures for row in rows], faults) == ([(None, 50.0, None, None)], [])


def test_blanks_before_a_quoted_cell_do_not_matter(path: Path) -> None:
    rows, faults = read(path, HEADER + '\n"web-1", "web", 1769860800, 1, 2, 3, 200\n')
    assert ([row.dimensions for row in rows], faults) == ([("web-1", "web")], [])


def test_a_followed_file_shows_its_decimal_commas_when_it_has_rows(path: Path) -> None:
    path.write_text(f"{EUROPEAN}\n")
    rows = [row for batch in follow(path, append(path, "web-1;web;1769860800;12,5;1;2;200\n")) for row in batch.rows]
    assert [row.measures[0] for row in rows] == [12.5]


def test_a_mapping_file_adds_dimensions_and_measures_and_renames_columns(path: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        'time = "when"\ntimezone = "Europe/Berlin"\ndimensions = ["host", "region"]\n'
        '[measures]\nload = "DOUBLE"\nhealthy = "BOOLEAN"\nnote = "VARCHAR"\n[columns]\nload = "load %"\n'
    )
    rows, _ = read(
        path, "when,host,region,load %,healthy,note\n2026-01-31 13:00,a,eu,7,true,fine\n", Schema.load(mapping)
    )
    assert rows[0][1:4] == (1_769_860_800_000_000, ("a", "eu"), (7.0, True, "fine"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time =", "The file is not TOML"),
        ('dimension = ["a"]', "dimension: Extra inputs"),
        ('[measures]\na = "FLOAT"', "measures.a: Input should be"),
        ('timezone = "Mars"', "Mars is not a time zone"),
        ('dimensions = ["CPU_Usage"]', "CPU_Usage stands twice"),
        ('dimensions = ["time"]', "one that the stores keep"),
        ('dimensions = ["_field"]', "one that the stores keep"),
    ],
)
def test_a_mapping_file_that_cannot_be_used_is_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(text)
    with pytest.raises(InputError, match=message):
        Schema.load(mapping)


# Cells that are right, wrong, and strange; lines too short, too long, quoted badly, or no text at all.
CELLS = [
    "web-1",
    "web",
    "2026-01-31T12:00:00Z",
    "1769860800",
    "12.5",
    "200",
    "",
    " ",
    "nan",
    "-1",
    "1e999",
    '"',
    "é",
    "\x00",
]


def dirty_line(random: Random) -> bytes:
    row = ["web-1", "web", str(1_700_000_000 + random.randrange(10**7)), f"{100 * random.random()}", "50", "1e6", "200"]
    for _ in range(random.choice([0, 1, 2, 7])):
        row[random.randrange(7)] = random.choice(
            [*CELLS, str(random.uniform(-1e9, 1e9)), "".join(map(chr, random.choices(range(1, 900), k=6)))]
        )
    if random.random() < 0.1:
        row = row[: random.randrange(8)] + random.choices(CELLS, k=random.randrange(3))
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row) if random.random() < 0.5 else text.write(",".join(row))
    raw = text.getvalue().encode() if random.random() < 0.95 else random.randbytes(random.randrange(40))
    return raw.replace(b"\n", b"").replace(b"\r", b"")


def check_that_none_is_lost(path: Path, dirty: list[bytes]) -> None:
    rows, faults = read(path, b"\n".join([HEADER.encode(), *dirty]) + b"\n", size=170)
    numbers = sorted([row.line for row in rows] + [fault.line for fault in faults])
    written = [number for number, line in enumerate(dirty, start=2) if line.strip() and line.strip(b', \t"')]
    assert numbers == written
    assert all(fault.reason for fault in faults)
    assert all(all(row.dimensions) and any(value is not None for value in row.measures) for row in rows)


quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(quick, max_examples=22)
@given(st.integers(0, 2**32))
def test_ten_thousand_dirty_lines_are_each_a_row_or_a_fault_and_none_is_lost(path: Path, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    check_that_none_is_lost(path, [dirty_line(random) for _ in range(500)])


@settings(quick, max_examples=100)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.lists(st.text(max_size=8), min_size=6, max_size=8).map(
                lambda row: ",".join(row).encode("utf-8", "surrogatepass")
            ),
        ),
        max_size=4,
    )
)
def test_no_bytes_crash_it(path: Path, dirty: list[bytes]) -> None:
    check_that_none_is_lost(path, [line.replace(b"\n", b"").replace(b"\r", b"") for line in dirty])


def follow(path: Path, *steps: Callable[[], object]) -> Iterator[Batch]:
    """The batches of a followed file to which something happens each time its end is reached."""
    left = [*steps]

    def stop() -> bool:
        if left:
            left.pop(0)()
            return False
        return True

    return Reader(path, Schema(), follow=True, stop=stop).batches()


def append(path: Path, text: str) -> Callable[[], object]:
    return lambda: path.write_text(path.read_text() + text)


def rotate(path: Path, content: str) -> Callable[[], object]:
    """Another file takes the place of this one, after which somebody still writes a line to the former."""

    def step() -> None:
        former = path.open("a")
        path.unlink()
        path.write_text(content)
        former.write(GOOD.replace("web-1", "late"))
        former.close()

    return step


@pytest.fixture(autouse=True)
def _do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


def test_a_followed_file_gives_what_is_appended_and_waits_for_whole_lines(path: Path) -> None:
    path.write_text(f"{HEADER}\n{GOOD}\nweb-2,web,176986")
    rows = [row for batch in follow(path, append(path, "0800,1,2,3,200\n")) for row in batch.rows]
    assert [(row.line, row.dimensions[0]) for row in rows] == [(2, "web-1"), (3, "web-2")]


def test_rotation_loses_nothing_and_counts_lines_anew(path: Path) -> None:
    path.write_text(f"{HEADER}\n{GOOD}\n")
    rotated = rotate(path, f"{HEADER}\n{GOOD.replace('web-1', 'web-3')}\n")
    rows = [row for batch in follow(path, rotated) for row in batch.rows]
    assert [(row.line, row.dimensions[0]) for row in rows] == [(2, "web-1"), (3, "late"), (2, "web-3")]


def test_a_followed_row_that_comes_again_is_found_after_a_pause_and_after_rotation(path: Path) -> None:
    path.write_text(f"{HEADER}\n{GOOD}\n")
    batches = [*follow(path, append(path, f"{GOOD}\n"), rotate(path, f"{HEADER}\n{GOOD}\n"))]
    assert [row.dimensions[0] for batch in batches for row in batch.rows] == ["web-1", "late"]
    reasons = [fault.reason.partition(" of ")[2] for batch in batches for fault in batch.faults]
    assert reasons == ["line 2", "line 2 of the file before its rotation"]
    assert sum(batch.repeated for batch in batches) == 2


def test_after_rotation_columns_are_found_by_name_again(path: Path) -> None:
    path.write_text(f"{HEADER}\n{GOOD}\n")
    turned = ",".join(reversed(HEADER.split(",")))
    rotated = rotate(path, f"{turned}\n404,3,2,1,1769860800,web,web-2\n")
    rows = [row for batch in follow(path, rotated) for row in batch.rows]
    assert (rows[-1].dimensions, rows[-1].measures) == (("web-2", "web"), (1.0, 2.0, 3.0, 404))


def test_a_file_without_header_that_takes_the_place_of_another_is_refused(path: Path) -> None:
    path.write_text(f"{HEADER}\n{GOOD}\n")
    with pytest.raises(InputError, match="no column Time_Stamp"):
        [*follow(path, rotate(path, f"{GOOD.replace('web-1', 'web-2')}\n"))]


def cut(path: Path, content: str, unread: str = "") -> Callable[[], object]:
    """A line is written, the file is copied and cut, and the same handle goes on to write."""

    def step() -> None:
        with path.open("a") as writer:
            writer.write(unread)
            writer.flush()
            path.with_name("metrics.csv.1").write_bytes(path.read_bytes())
            os.truncate(path, 0)
            writer.write(content)

    return step


@pytest.mark.parametrize("header", [f"{HEADER}\n", ""])
@pytest.mark.parametrize("lines", [1, 20])  # shorter and longer than what was cut
def test_a_file_that_is_copied_and_cut_loses_nothing(path: Path, header: str, lines: int) -> None:
    path.write_text(f"{HEADER}\n{GOOD}\n")
    names = [f"new-{number}" for number in range(lines)]
    content = header + "".join(f"{GOOD.replace('web-1', name)}\n" for name in names)
    batches = [*follow(path, cut(path, content, f"{GOOD.replace('web-1', 'unread')}\n"))]
    assert [row.dimensions[0] for batch in batches for row in batch.rows] == ["web-1", "unread", *names]
    assert [fault for batch in batches for fault in batch.faults] == []


def test_a_writer_that_keeps_the_former_file_is_heard_until_it_falls_silent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(f"{HEADER}\n{GOOD}\n")
    former, late = path.open("a"), ["late-1", "late-2", "late-3"]

    def sleep(seconds: float) -> None:
        if seconds == reader._GRACE_SECONDS and late:
            former.write(f"{GOOD.replace('web-1', late.pop(0))}\n")
            former.flush()

    def replace() -> None:
        path.rename(path.with_name("metrics.csv.1"))
        path.write_text(f"{HEADER}\n{GOOD.replace('web-1', 'new')}\n")

    monkeypatch.setattr(time, "sleep", sleep)
    rows = [row for batch in follow(path, replace, *[lambda: None] * 5) for row in batch.rows]
    former.close()
    assert [row.dimensions[0] for row in rows] == ["web-1", "late-1", "late-2", "late-3", "new"]


WRITER = """
import os, shutil, sys, time
path, mode, header, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
file = open(path, "a", buffering=1)
for number in range(count):
    if number and number % 400 == 0:
        if mode == "copy and cut":
            shutil.copy(path, f"{path}.{number}")
            os.truncate(path, 0)
            file.write(header + "\\n")
        else:
            os.rename(path, f"{path}.{number}")
            new = open(path, "a", buffering=1)
            new.write(header + "\\n")
            if mode == "rename, late":
                for late in range(100):
                    file.write(f"late-{number}-{late},web,{1769860800 + number},1,2,3,200\\n")
                    time.sleep(0.005)
            file.close()
            file = new
    file.write(f"web-{number},web,{1769860800 + number},1,2,3,200\\n")
    if number % 5 == 0:
        time.sleep(0.02)
"""


@pytest.mark.parametrize("mode", ["copy and cut", "rename", "rename, late"])
def test_no_line_of_a_busy_writer_is_lost_at_rotation(path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.undo()  # the writer is another process, so waiting is real
    monkeypatch.setattr(reader, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(reader, "_GRACE_SECONDS", 0.1)
    path.write_text(f"{HEADER}\n")
    count, seen, ended = 1_200, list[str](), []
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), mode, HEADER, str(count)])

    def stop() -> bool:
        """Stop once the writer has ended and all files were looked at once more."""
        if writer.poll() is not None:
            ended.append(True)
        return len(ended) > 30

    for batch in Reader(path, Schema(), follow=True, stop=stop).batches():
        assert batch.faults == []
        seen += [row.dimensions[0] for row in batch.rows]
    assert writer.wait() == 0
    late = [f"late-{400 * turn}-{number}" for turn in (1, 2) for number in range(100)]
    expected = [f"web-{number}" for number in range(count)] + (late if mode == "rename, late" else [])
    assert sorted(seen) == sorted(expected)
