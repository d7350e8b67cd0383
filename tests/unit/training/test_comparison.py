"""Runs beside each other: what differs, what came out, and which runs cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import InputError
from workloads.training.jobs.commands import runs
from workloads.training.jobs.comparison import compare

DATA = {"uri": "data/first", "sha256": "a" * 64}


def a_run(place: str, hidden: int, **facts: Any) -> dict[str, Any]:
    """Return what metrics.json of a run says."""
    return {
        "run": place,
        "workload": "delivery-time",
        "started": f"2026-11-29T03:0{hidden % 10}:00",
        "epochs": 2,
        "seconds": 1.0,
        "settings": {"hidden": hidden, "seed": 0},
        "test": {"r2": hidden / 100, "by_class": {"a": 1}},
        "data": DATA,
        "commit": "0123456789abcdef+",
        "machine": {"device": "cpu"},
    } | facts


def write(folder: Path, run: dict[str, Any], history: str) -> Path:
    """Write a finished run into a folder."""
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(run))
    (folder / "history.csv").write_text(history)
    return folder


def test_only_the_settings_that_differ_are_shown() -> None:
    compared = compare([a_run("one", 8), a_run("two", 16, settings={"hidden": 16, "seed": 0, "folds": 5})])
    assert compared.settings == {"hidden": [8, 16], "folds": [None, 5]}


def test_figures_stand_side_by_side_and_a_missing_one_is_missing() -> None:
    compared = compare([a_run("one", 8), a_run("two", 16, test={"mae": 3})])
    assert compared.figures == {"r2": [0.08, None], "mae": [None, 3]}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"workload": "digit-gan"}, "two: This is a run of digit-gan, and one is one of delivery-time."),
        ({"data": {"uri": "data/second", "sha256": "b" * 64}}, "two: It learned from other data"),
    ],
    ids=["another workload", "other data"],
)
def test_runs_whose_figures_say_nothing_about_each_other_are_refused(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare([a_run("one", 8), a_run("two", 16, **facts)])


def test_one_run_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="one: There are not two finished runs"):
        compare([a_run("one", 8)])


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_curves_of_all_runs_are_in_one_picture(suffix: str, tmp_path: Path) -> None:
    first = write(tmp_path / "one", a_run("one", 8), "epoch,training_loss,validation_loss\n1,2.0,2.5\n2,1.0,1.5\n")
    second = write(tmp_path / "two", a_run("two", 16), "epoch,training_loss\n1,3.0\n")
    picture = tmp_path / f"curves.{suffix}"
    result = runs([str(first), str(second)], compare=True, figure=picture)
    assert picture.stat().st_size > 1000
    assert result.document["settings"] == {"hidden": [8, 16]}  # the newest first
    assert result.document["runs"][0]["commit"] == "0123456789abcdef+"


def test_a_picture_of_another_format_is_refused(tmp_path: Path) -> None:
    for number in (8, 16):
        write(tmp_path / str(number), a_run("", number), "epoch,loss\n1,2.0\n")
    with pytest.raises(InputError, match=r"curves.doc: A picture ends in .png, .svg, .pdf"):
        runs([str(tmp_path)], compare=True, figure=tmp_path / "curves.doc")


def test_a_figure_without_a_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Only --compare draws a picture"):
        runs([str(tmp_path)], figure=tmp_path / "curves.png")
