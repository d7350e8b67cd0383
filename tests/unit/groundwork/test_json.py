"""`--json`: every command that finds or does something has it, and its keys are those of docs/command-line.md."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from groundwork import __main__ as command_line
from groundwork.__main__ import main
from tests.documents import document, promised

Ask = Callable[..., dict[str, Any]]
#: Commands without a document: they run until they are ended, or leave a folder with their results.
WITHOUT = {"demo", "site", "storefront serve", "train", "tune"}


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """All commands of the command line, by their words; `train` and `tune` as one each."""
    below = {} if words in {("train",), ("tune",)} else getattr(command, "commands", {})
    if not below:
        yield " ".join(words), command
    for name, child in below.items():
        yield from commands(child, (*words, name))


COMMANDS = {
    words: command
    for name in command_line.COMMANDS
    for words, command in commands(command_line.imported(name), (name,))
}


def test_every_command_with_a_result_speaks_json() -> None:
    speaking = {name for name, command in COMMANDS.items() if any("--json" in option.opts for option in command.params)}
    assert set(COMMANDS) - speaking == WITHOUT


def test_every_listing_takes_csv() -> None:
    listings = {
        "jobs",
        "runs",
        "left",
        "access-diff",
        "local sweep",
        "local denials",
        "local access",
        "storefront cards",
    }
    listings |= {"devops-metrics queries"}
    offering = {name for name, command in COMMANDS.items() if any("--csv" in option.opts for option in command.params)}
    assert listings <= offering


def test_the_version_is_the_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["groundwork", "--version"])
    assert main() == 0
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"groundwork {project['version']}\n"


def test_the_page_lists_every_document() -> None:
    written = {name for name in COMMANDS for promise in promised() if promise == name or promise.startswith(f"{name} ")}
    assert written == set(COMMANDS) - WITHOUT
    assert all(promised().values())


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Runs a command with `--json`: its document, whose keys must be those promised under `page`."""

    def command(*words: str | Path, page: str, code: int = 0) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["groundwork", *map(str, words), "--json"])
        assert main() == code
        return document(capsys.readouterr().out, page)

    return command


def test_data(ask: Ask, tmp_path: Path) -> None:
    assert len(ask("data", "list", page="data list")["data_sets"]) == 3
    place = tmp_path / "place"
    made = ask("data", "sample", "delivery", "--to", place, page="data sample")
    assert made["files"] == made["sent"] == 2  # the orders, and the mark of a sample
    shutil.copytree(place, tmp_path / "copied")
    assert ask("data", "put", tmp_path / "copied", "--to", place, page="data put")["sent"] == 0
    file, mark = sorted(ask("data", "list", place, page="data list PLACE")["files"], key=lambda file: file["name"])
    assert mark["name"] == "SAMPLE.md"
    assert len(file["sha256"]) == 64
    assert ask("data", "verify", place, page="data verify")["good"]
    (place / file["name"]).write_bytes(b"damaged")
    damaged = ask("data", "verify", place, page="data verify", code=2)
    assert damaged["good"] is False
    assert {row["name"]: row["state"] for row in damaged["files"]}[file["name"]] == "damaged"


def test_devops_metrics(ask: Ask, tmp_path: Path) -> None:
    assert "anomalies" in [
        query["name"] for query in ask("devops-metrics", "queries", page="devops-metrics queries")["queries"]
    ]
    fleet = tmp_path / "fleet.csv"
    words = ("devops-metrics", "simulate", "--output", fleet, "--days", "1", "--services", "1", "--interval", "3600")
    made = ask(*words, page="devops-metrics simulate")
    assert made["rows"] == len(fleet.read_text().splitlines()) - 1


def test_the_diagram(ask: Ask) -> None:
    assert ask("movie-rental", "diagram", page="movie-rental diagram")["mermaid"].startswith("erDiagram")
