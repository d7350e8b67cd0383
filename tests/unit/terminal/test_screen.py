"""Tables are printed whole, whatever the terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from contract.errors import InputError
from terminal.screen import Table, Text, confirm, print_table

JOB = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
JOBS = Table(
    ["name", "job", "state", "reason"],
    [["digit-gan-train", JOB, "failed", "CAPACITY: there is no instance of these types to be had just now"]],
    keys=["name", "job"],
)


def printed(table: Table, width: int = 80, *, terminal: bool = True) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False)
    print_table(table, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_key_columns_are_never_cut_or_wrapped(width: int) -> None:
    text = printed(JOBS, width)
    assert JOB in text
    assert "digit-gan-train" in text


@pytest.mark.parametrize("width", [10, 80, 200])
def test_no_word_is_lost_or_cut(width: int) -> None:
    words = {word for row in JOBS.rows for cell in row for word in str(cell).split()}
    assert words <= set(printed(JOBS, width).split())


def test_a_terminal_of_eighty_columns_wraps_what_is_not_a_key() -> None:
    lines = printed(JOBS).splitlines()
    assert len(lines) > 2
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_in_a_pipe_each_row_is_one_line() -> None:
    lines = printed(JOBS, terminal=False).splitlines()
    assert len(lines) == 2
    assert lines == [line.rstrip() for line in lines]


def test_cells_are_not_markup() -> None:
    assert "[/wrong] [bold]" in printed(Table(["reason"], [["[/wrong] [bold]"]]))


def test_cells_may_be_styled_empty_or_of_several_lines() -> None:
    text = printed(Table(["a", "b"], [[Text("one", "bold"), None], [], ["two\nlines", 3]], numbers=["b"]))
    assert [line.split() for line in text.splitlines()] == [["a", "b"], ["one"], [], ["two", "lines", "3"]]


def test_wide_letters_are_counted_as_wide() -> None:
    first, second = printed(Table(["title", "year"], [["映画", 2021], ["film", 1962]])).splitlines()[1:]
    assert first.index("2021") + 2 == second.index("1962")
    assert "映画" in first


def test_a_title_longer_than_the_table_is_one_line() -> None:
    assert printed(Table(["a"], [["b"]], title="USD in us-east-1")).splitlines()[0] == "USD in us-east-1"


def test_the_console_keeps_its_width() -> None:
    console = Console(file=StringIO(), width=40, force_terminal=True)
    print_table(JOBS, console)
    assert console.width == 40


@pytest.mark.parametrize(("text", "agreed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_question_is_answered_on_standard_input(monkeypatch: pytest.MonkeyPatch, text: str, *, agreed: bool) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(text))
    assert confirm("Remove it?") is agreed


def test_a_question_that_nobody_can_answer_names_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(InputError, match=r"Remove it: Nobody is here to agree. Give --yes"):
        confirm("Remove it?")
