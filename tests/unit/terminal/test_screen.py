"""Tables are printed whole, whatever the terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from contract.errors import InputError
from terminal.screen import Table, Text, confirm, escape, print_table, say

JOB = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
JOBS = Table(
    ["name", "job", "state", "reason"],
    [["digit-gan-train", JOB, "failed", "CAPACITY: AWS has no instance of these types just now"]],
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


def test_a_row_that_is_too_wide_is_a_block_without_its_empty_cells() -> None:
    row = [JOB, "digit-classifier-train", "2026-11-29 14:26", "1,234", None, "There is no instance of these types now"]
    columns = ["job", "name", "created", "seconds", "queue", "reason"]
    assert printed(Table(columns, [row, [], row], numbers=["seconds"]), 48).splitlines() == [
        *(
            block := [
                f"job      {JOB}",
                "name     digit-classifier-train",
                "created  2026-11-29 14:26",
                "seconds  1,234",
                "reason   There is no instance of these types now",
            ]
        ),
        "",
        *block,
    ]
    assert printed(Table(columns, [row]), 40).splitlines()[-2:] == [
        "reason   There is no instance of these",
        "         types now",
    ]


def test_a_long_name_in_a_sentence_breaks_where_its_parts_meet() -> None:
    reason = Text("asked for (termination_alarm.desired_instances)")
    rows = [["TerminationLoggerLostEventsAlarm", reason], ["AutoScalingGroup", Text("bold", "bold")]]
    assert [line.split() for line in printed(Table(["resource", "why"], rows), 50).splitlines()] == [
        ["resource", "why"],
        ["TerminationLoggerLostEventsAlarm", "asked", "for"],
        ["(termination_"],
        ["alarm.desired_"],
        ["instances)"],
        ["AutoScalingGroup", "bold"],
    ]


@pytest.mark.parametrize("copied", ["training.email=me@example.com", "some-folder/some-file", "s3://some-bucket.name"])
def test_what_is_copied_out_of_a_sentence_stays_whole(copied: str) -> None:
    assert copied in printed(Table(["resource", "why"], [["Topic", f"Give {copied} and so on"]]), 25)


def test_people_read_a_sentence_where_a_table_is_empty() -> None:
    assert printed(Table(["job"], [], empty="There are no jobs yet.")) == "There are no jobs yet.\n"
    assert printed(Table(["job"], [])) == "job\n"


def test_in_a_pipe_each_row_is_one_line() -> None:
    lines = printed(JOBS, terminal=False).splitlines()
    assert len(lines) == 2
    assert lines == [line.rstrip() for line in lines]


def test_cells_are_not_markup() -> None:
    assert "[/wrong] [bold]" in printed(Table(["reason"], [["[/wrong] [bold]"]]))


def test_cells_and_lines_are_not_obeyed_by_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as one that erases the screen and writes another answer."""
    text = printed(Table(["a\x1b[2J"], [["\x1b]0;title\x07"], ["\x9b2J"]], title="\x1b[8m"))
    say("first\x1b[2J\nsecond\r\x7f")
    assert text.split() == ["\\u001b[8m", "a\\u001b[2J", "\\u001b]0;title\\u0007", "\\u009b2J"]
    assert capsys.readouterr().out == "first\\u001b[2J\nsecond\\r\\u007f\n"
    assert escape("[b]\x1b[2J") == "\\[b]\\u001b[2J"


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
