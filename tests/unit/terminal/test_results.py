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
from terminal.results import Result, plain, results
from terminal.screen import Table


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
