"""A result is printed for people, or as one JSON document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner
from typer.testing import Result as Printed

from contract.errors import InputError
from terminal.results import Result, listing, plain, results
from terminal.screen import Table, Text


def call(*arguments: str, ends: Exception | None = None) -> Printed:
    app = typer.Typer()

    @app.command()
    @results
    def count(number: Annotated[int, typer.Argument(help="How many.")], kind: str = "films") -> Result:
        """Count."""
        print("counting")  # noqa: T201 - what a command or a library says meanwhile
        typer.echo("still counting")
        return Result({"count": number, "kind": kind}, Table(["kind"], [[kind]]), f"{number} {kind}", ends=ends)

    return CliRunner().invoke(app, arguments)


def test_people_get_lines_and_tables() -> None:
    printed = call("3", "--kind", "movies")
    assert [line.strip() for line in printed.stdout.splitlines()] == [
        "counting",
        "still counting",
        "kind",
        "movies",
        "3 movies",
    ]
    assert printed.stderr == ""


def test_programs_get_one_document_and_people_read_standard_error() -> None:
    printed = call("3", "--json")
    assert json.loads(printed.stdout) == {"count": 3, "kind": "films"}
    assert [line.strip() for line in printed.stderr.splitlines()] == [
        "counting",
        "still counting",
        "kind",
        "films",
        "3 films",
    ]


def test_what_a_terminal_would_obey_is_written_out_in_json_too() -> None:
    kind = "a\x1b[2J\x9b2J\u202e\udcff"
    printed = call("3", "--kind", kind, "--json")
    assert json.loads(printed.stdout) == {"count": 3, "kind": kind}
    assert not {*kind} & {*printed.output} - {*"a[2J"}


def listed(*arguments: str, cells: list[list[object]]) -> Printed:
    app = typer.Typer()

    @app.command()
    @listing
    def films() -> Result:
        """List films."""
        typer.echo("looking")
        return Result({"films": cells}, "A note.", Table(["film", "year"], cells), Table(["other"], [["table"]]))

    return CliRunner().invoke(app, arguments)


def test_a_listing_is_one_table_as_csv_and_people_read_standard_error() -> None:
    printed = listed("--csv", cells=[["Alien, the first", 1979], [], [None, Text("x", "bold")]])
    assert printed.stdout == 'film,year\n"Alien, the first",1979\n,x\n'
    assert "looking" in printed.stderr
    assert "A note." in printed.stderr


def test_a_program_reads_the_numbers_and_headings_of_csv() -> None:
    app = typer.Typer()

    @app.command()
    @listing
    def films(count: int) -> Result:
        """List films."""
        rows = [["a, b", "1,234.5", 0], ["c", None, Text("2,000")]][:count]
        return Result({}, Table(["film", "usd", "sold"], rows, numbers=["usd", "sold"], empty="There are none."))

    assert CliRunner().invoke(app, ["2", "--csv"]).stdout == 'film,usd,sold\n"a, b",1234.5,0\nc,,2000\n'
    nothing = CliRunner().invoke(app, ["0", "--csv"])
    assert (nothing.stdout, nothing.stderr) == ("film,usd,sold\n", "There are none.\n")


def test_a_result_without_a_table_says_that_there_is_no_csv() -> None:
    app = typer.Typer()

    @app.command()
    @listing
    def films() -> Result:
        """List films."""
        return Result({}, "There is one film.")

    printed = CliRunner().invoke(app, ["--csv"])
    assert printed.stdout == ""
    assert "--json prints what was found" in printed.stderr


def test_what_a_terminal_would_obey_is_written_out_in_csv_too() -> None:
    assert "\x1b" not in listed("--csv", cells=[["a\x1b[2J", 1]]).stdout


def test_standard_output_holds_either_json_or_csv() -> None:
    assert isinstance(listed("--csv", "--json", cells=[]).exception, InputError)


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_result_may_end_the_command_once_it_is_printed(option: list[str]) -> None:
    printed = call("3", *option, ends=typer.Exit(7))
    assert printed.exit_code == 7
    assert "3" in printed.stdout
    failed = call("3", *option, ends=InputError("The count is wrong."))
    assert isinstance(failed.exception, InputError)
    assert "3" in failed.stdout


def test_the_help_tells_of_the_option() -> None:
    assert "--json" in call("--help").stdout


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (timedelta(minutes=1), 60.0),
        (Decimal("2.99"), "2.99"),
        (Path("a/b"), "a/b"),
        pytest.param({"b", "a"}, ["a", "b"], id="a set"),
        ((1, None, True), [1, None, True]),
        ({1: np.float64("nan")}, {"1": None}),
        (float("inf"), None),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.array([1, 2]), [1, 2]),
        (pd.NaT, None),
        (pd.Timestamp("2026-01-31", tz="UTC"), "2026-01-31T00:00:00+00:00"),
    ],
    ids=repr,
)
def test_every_value_becomes_what_json_can_say(value: Any, expected: object) -> None:
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == expected
