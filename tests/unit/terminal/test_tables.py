"""Every table of every command shows its ids, numbers and times whole, on a terminal of 80 columns and of 60."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from terminal.screen import Table, print_table

ROOT = Path(__file__).parents[3]
NUMBER = "1,234,567.89"
TIME = "2026-11-29 14:26"
KEYS = [
    "web",
    "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
    "s3://training-artifactbucket-7ejxgnpk8ihr/digit-classifier/2026-11-29T14-25-57-74cd",
    "aws logs delete-log-group --log-group-name Training-NetworkFlowLogs-6SP14ZGARWZ8",
]
TIMES = {"created", "started", "time", "rented", "returned"}
SENTENCE = "The account may have 0 vCPUs of G and VT instances, so that no instance starts"


@dataclass(frozen=True)
class Definition:
    """A table as a module defines it.

    Attributes:
        place: The module and line.
        columns: Its headings, with one for whatever is only known when the command runs.
        keys: Its key columns.
        numbers: Its columns of numbers.
    """

    place: str
    columns: list[str]
    keys: list[str]
    numbers: list[str]


def definitions() -> Iterator[Definition]:
    """The tables of all packages that print some."""
    for package in ("groundwork", "infra", "localcloud", "workloads"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            if "from terminal.screen import" not in text or "Table(" not in text:
                continue
            for function in [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]:
                yield from defined(function, f"{path.relative_to(ROOT)}")


def defined(function: ast.FunctionDef, module: str) -> Iterator[Definition]:
    """The tables of one function."""
    variables: dict[str, ast.expr] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            variables[node.targets[0].id] = node.value
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Table":
            options = {keyword.arg: keyword.value for keyword in call.keywords}
            columns = texts(call.args[0], variables)
            lists = [texts(options[name], variables) if name in options else [] for name in ("keys", "numbers")]
            yield Definition(f"{module}:{call.lineno}", columns, *lists)


def texts(node: ast.expr, variables: dict[str, ast.expr]) -> list[str]:
    """The words of a list in a program; "computed" stands for whatever only the running program knows."""
    match node:
        case ast.Constant(value=str(value)):
            return [value]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [text for element in elements for text in texts(element, variables)]
        case ast.Starred(value=value):
            return texts(value, variables)
        case ast.Subscript(value=value, slice=ast.Slice(lower=ast.Constant(value=int(first)))):
            return texts(value, variables)[first:]
        case ast.Name(id=name) if name in variables:
            return texts(variables[name], {other: value for other, value in variables.items() if other != name})
    return ["computed"]


TABLES = list(definitions())


def printed(table: Table, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    print_table(table, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_the_tables_of_all_packages_are_found() -> None:
    assert {table.place.partition("/")[0] for table in TABLES} == {"groundwork", "infra", "localcloud", "workloads"}
    assert ["kind", "resource"] in [table.columns for table in TABLES]
    assert ["engine", "what", "before", "left"] in [table.columns for table in TABLES]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.place)
def test_what_a_table_says_of_its_columns_is_of_its_columns(table: Definition) -> None:
    assert {*table.keys, *table.numbers} - {"computed"} <= {*table.columns}


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.place)
def test_no_key_number_or_time_is_broken(table: Definition, width: int) -> None:
    for key in KEYS:
        check(table, width, key)


def check(table: Definition, width: int, key: str) -> None:
    """Print two rows of a table, and look for what they are made of."""
    keys = table.keys or table.columns[:1]
    row = [
        key if name in keys else NUMBER if name in table.numbers else TIME if name in TIMES else SENTENCE
        for name in table.columns
    ]
    lines = printed(Table(table.columns, [row, row], table.keys, table.numbers), width)
    for whole in {*row} - {SENTENCE}:
        assert sum(line.count(whole) for line in lines) >= 2 * row.count(whole)
    for word in SENTENCE.split() * (SENTENCE in row):
        assert any(word in line.split() for line in lines)
    assert [line for line in lines if cell_len(line) > width and key not in line] == []


WORDS = st.text("abcdefgäöüß映画", min_size=1, max_size=30)
CELLS = st.one_of(
    st.lists(WORDS, max_size=12).map(" ".join),
    st.integers(0, 10**9).map("{:,}".format),
    st.datetimes().map("{:%Y-%m-%d %H:%M}".format),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.integers(1, 7), st.integers(20, 120))
def test_nothing_is_lost_and_only_what_must_stay_whole_is_wider_than_the_terminal(
    data: st.DataObject, count: int, width: int
) -> None:
    columns = [f"column-{number}" for number in range(count)]
    rows = data.draw(st.lists(st.lists(CELLS, min_size=count, max_size=count), min_size=1, max_size=4))
    keys = data.draw(st.sets(st.sampled_from(columns)))
    lines = printed(Table(columns, rows, keys), width)
    assert sorted(letter for row in rows for cell in row for letter in cell if letter.strip()) == sorted(
        letter for letter in without(columns, lines) if letter.strip()
    )
    whole = [cell for row in rows for name, cell in zip(columns, row, strict=True) if name in (keys or columns[:1])]
    assert all(any(cell in line for line in lines) for cell in filter(None, whole))
    words = [word for row in rows for cell in row for word in cell.split()]
    assert all(any(word in line for line in lines) for word in words)


def without(columns: list[str], lines: list[str]) -> str:
    """What was printed, without the headings."""
    text = "\n".join(lines)
    for name in columns:
        text = text.replace(name, "")
    return text
