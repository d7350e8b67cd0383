"""Runs that a command cannot use: of another version, architecture or workload, on other data, or damaged.

Each is one line, with exit code 2, and nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

from workloads.training.mnist import FILES
from workloads.training.models.digit_classifier.model import build_network

Command = Callable[..., int]
OTHER_VERSION = "The model was written by another version of Groundwork"


@pytest.fixture
def refused(digits: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must end with one line and write nothing, and returns that line."""

    def run(*arguments: object) -> str:
        output = tmp_path / "output"
        assert command(*arguments, *([] if arguments[0] == "runs" else ["--output", output])) == 2
        said = capsys.readouterr()
        assert said.err.startswith("Error: ")
        assert said.err.count("\n") == 1
        assert not output.exists()
        return said.err

    return run


def write_run(run: Path, model: object, workload: str = "digit-classifier", **facts: Any) -> Path:
    """Write a finished run, as far as the commands read it, with the weights of the tiny classifier."""
    metrics = {
        "workload": workload,
        "settings": {"test_time_shifts": False, "seed": 0},
        "data": {"uri": "data/first", "sha256": "a" * 64, "sample": False},
        "test": {"accuracy": 0.5},
        "started": f"2026-11-29T03:00:00 {run.name}",
        "epochs": 1,
        "seconds": 1.0,
        "machine": {"device": "cpu"},
        "commit": "0123456",
    }
    run.mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps(metrics | facts))
    (run / "model.json").write_text(json.dumps(model))
    weights = {name: value.contiguous() for name, value in build_network(architecture="tiny").state_dict().items()}
    (run / "model.safetensors").write_bytes(safetensors.torch.save(weights))
    return run


@pytest.mark.parametrize(
    "model",
    [{"architecture": "compact"}, {"architecture": "immense"}, {"architecture": "tiny", "blocks": 3}, {}],
    ids=["other weights", "an unknown architecture", "an unknown setting", "no architecture"],
)
def test_a_classifier_of_another_architecture_neither_predicts_nor_judges_nor_is_exported(
    digits: Path, tmp_path: Path, refused: Callable[..., str], model: dict[str, object]
) -> None:
    run = write_run(tmp_path / "run", model)
    gan = ("train", "digit-gan", "--data", digits, "--classifier", run, "--device", "cpu", "--epochs", 1)
    for arguments in (
        ("predict", "digit-classifier", "--model", run, "--input", digits / FILES[2]),
        ("export", "--model", run),
        gan,
    ):
        assert f"{run}: {OTHER_VERSION} (0123456)" in refused(*arguments)


def test_a_generator_of_another_version_neither_draws_nor_is_exported(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    run = write_run(tmp_path / "run", {"generator": {"style": 3}}, "digit-gan")
    for arguments in (("generate", "--model", run), ("export", "--model", run)):
        assert f"{run}: {OTHER_VERSION} (0123456)" in refused(*arguments)


def test_a_run_of_another_workload_is_named(digits: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    classifier = write_run(tmp_path / "classifier", {"architecture": "tiny"})
    gan = write_run(tmp_path / "gan", {}, "digit-gan")
    asked = ("predict", "digit-classifier", "--model", gan, "--input", digits / FILES[2])
    assert "a run of digit-gan, not of digit-classifier" in refused(*asked)
    assert "a run of digit-classifier, which does not generate" in refused("generate", "--model", classifier)
    asked = ("train", "digit-gan", "--data", digits, "--classifier", gan, "--device", "cpu")
    assert "a run of digit-gan, not of digit-classifier" in refused(*asked)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("metrics.json", b"{", "metrics.json: The file is damaged: Expecting property name"),
        ("metrics.json", b"\xff\xfe\xff", "metrics.json: The file is damaged"),
        ("metrics.json", b"[1]", "metrics.json: The file holds no JSON object"),
        ("metrics.json", b'{"accuracy": 1}', "not of a run of this version of Groundwork: it has no 'workload'"),
        ("model.json", b"{", "model.json: The file is damaged"),
        ("model.json", b"[1]", "model.json: The file holds no JSON object"),
        ("model.safetensors", b"half", "run: The model is damaged"),
    ],
)
def test_a_damaged_run_is_named(
    digits: Path, tmp_path: Path, refused: Callable[..., str], name: str, content: bytes, complaint: str
) -> None:
    run = write_run(tmp_path / "run", {"architecture": "tiny"})
    (run / name).write_bytes(content)
    for arguments in (
        ("predict", "digit-classifier", "--model", run, "--input", digits / FILES[2]),
        ("export", "--model", run),
    ):
        assert complaint in refused(*arguments)
    if name == "metrics.json":
        assert complaint in refused("runs", tmp_path)


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"data": {"uri": "data/second", "sha256": "b" * 64}}, "other data (data/first) than"),
        ({"data": {"uri": "data/second"}}, "other data (data/first) than"),
        ({"workload": "delivery-time"}, "This is a run of digit-classifier, and"),
    ],
    ids=["other data", "unknown data", "another workload"],
)
def test_runs_that_cannot_be_compared_are_named(
    tmp_path: Path, refused: Callable[..., str], facts: dict[str, Any], complaint: str
) -> None:
    first = write_run(tmp_path / "first", {})
    second = write_run(tmp_path / "second", {}, **facts)
    picture = tmp_path / "curves.png"
    said = refused("runs", first, second, "--compare", "--figure", picture)
    assert complaint in said
    assert str(first) in said
    assert str(second) in said
    assert not picture.exists()


@pytest.mark.parametrize(
    ("history", "complaint"),
    [
        (None, "history.csv: The file cannot be read: No such file"),
        ("epoch,loss\n1,much\n", "history.csv: The file is damaged: could not convert"),
        ("epoch,loss\n1,2,3\n", "history.csv: The file is damaged"),
    ],
)
def test_a_run_whose_curves_cannot_be_drawn_is_named(
    tmp_path: Path, refused: Callable[..., str], history: str | None, complaint: str
) -> None:
    for name in ("first", "second"):
        run = write_run(tmp_path / name, {})
        (run / "history.csv").write_text("epoch,loss\n1,2\n")
    (run / "history.csv").unlink()
    if history is not None:
        (run / "history.csv").write_text(history)
    picture = tmp_path / "curves.png"
    assert f"{run}/{complaint}" in refused("runs", tmp_path, "--compare", "--figure", picture)
    assert not picture.exists()
