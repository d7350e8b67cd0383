"""The command line: misuse ends with one line that says what to do, and exit code 2."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import typer

from groundwork.__main__ import COMMANDS, imported, main
from infra.commands import app as infra
from workloads.commands import app as workloads

MISUSE = [
    "nonsense",
    "train nonsense",
    "local deploy --nonsense",
    "data put mnist",
    "data put nonsense --to x",
    "cost WebApp -c nonsense",
    "cost WebApp -c web_app.nonsense=1",
    "local status --name nonsense",
    "runs nonsense",
    "devops-metrics query nonsense",
    "devops-metrics ingest nonsense.csv",
    "storefront cards",
    "jobs",
    "movie-rental search word",
]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_of_each_what_its_own_help_begins_with(name: str) -> None:
    _, _, text = COMMANDS[name]
    command = imported(name)
    assert (command.short_help or command.help).partition("\n\n")[0] == text


def test_all_commands_of_stacks_and_workloads_are_in_the_list() -> None:
    names = [name for app in (infra, workloads) for name in typer.main.get_group(app).commands]
    assert set(names) <= set(COMMANDS)


@pytest.mark.parametrize("words", MISUSE)
def test_misuse_is_told_in_one_line(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["groundwork", *words.split()])
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "STOREFRONT_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert main() == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"Error: .+\n", told.err)


EVIL = "\x1b[2Ja\x9b\u202e"  # erases the screen, and turns the direction of what follows
ORDERS = "Distance_km,Weather,Traffic_Level,Time_of_Day,Vehicle_Type,Preparation_Time_min,Courier_Experience_yrs"


@pytest.mark.parametrize(
    ("words", "file", "content"),
    [
        ("train delivery-time --data EVIL.csv", "EVIL.csv", "a,b\n1,2\n"),
        ("train delivery-time --data a.csv", "a.csv", "a,EVIL\n1,2\n"),
        ("train delivery-time --data a.csv", "a.csv", f"{ORDERS},Delivery_Time_min\nEVIL,Clear,Low,Night,Bike,1,1,9\n"),
        ("train player-position --data EVIL", "EVIL/career.csv", "a,b\n1,2\n"),
        ("train digit-classifier --data folder", "folder/EVIL.png", "a"),
        ("train digit-gan --data folder", "folder/EVIL/train-images-idx3-ubyte", "a"),
        ("devops-metrics detect EVIL.csv", "EVIL.csv", "a"),
        ("devops-metrics detect a.csv", "a.csv", "EVIL,b\n1,2\n"),
        ("devops-metrics detect a.csv", "a.csv", "timestamp,value\nEVIL,1\n"),
        ("movie-rental migrate --source a --embeddings EVIL", "a", ""),
        ("runs EVIL", "EVIL", "a"),
        ("jobs EVIL", "EVIL", "a"),
    ],
)
def test_file_names_headings_and_cells_are_not_obeyed_by_the_terminal(
    words: str,
    file: str,
    content: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each is shown with its control characters written out, whichever reader found the fault."""
    path = tmp_path / file.replace("EVIL", EVIL)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(content.replace("EVIL", EVIL))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["groundwork", *words.replace("EVIL", EVIL).split()])
    main()
    printed = "".join(capsys.readouterr())
    assert "[2Ja" in printed
    assert not {*"\x1b\x9b\u202e"} & {*printed}


def test_without_words_it_shows_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["groundwork"])
    assert main() == 2
    told = capsys.readouterr()
    assert "groundwork demo" in told.out
    assert told.err == ""


def test_a_command_whose_packages_are_not_installed_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["groundwork", "cost"])
    monkeypatch.setitem(sys.modules, "infra.cost.estimate", None)
    with pytest.raises(ModuleNotFoundError):
        main()  # a fault of ours is not the set-up's
    monkeypatch.delitem(sys.modules, "infra.cost.estimate")
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert main() == 2
    told = capsys.readouterr()
    assert told.err.startswith("Error: The Python package yaml is not installed here. `make setup` installs all, ")
