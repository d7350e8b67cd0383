"""The digit GAN from its command line, on a few hundred images."""

from __future__ import annotations

import ast
import csv
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from moto import mock_aws
from PIL import Image

from workloads.errors import Interrupted
from workloads.sample import MARK
from workloads.storage import locate
from workloads.training.mnist import FILES, format_idx, load_mnist
from workloads.training.models.digit_classifier import model as digit_classifier
from workloads.training.models.digit_gan import judge, report
from workloads.training.models.digit_gan import model as digit_gan
from workloads.training.models.digit_gan.judge import Judge
from workloads.training.models.digit_gan.model import Film
from workloads.training.models.digit_gan.networks import Discriminator, Generator, draw
from workloads.training.models.digit_gan.settings import Settings
from workloads.training.runtime import device as devices
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train

Command = Callable[..., int]


@pytest.fixture(scope="module")
def classifier(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the digit classifier, to judge images by."""
    output = tmp_path_factory.mktemp("classifier") / "run"
    settings = digit_classifier.Settings(epochs=8, batch_size=50)
    options = RunOptions(device="cpu", figures=False)
    train(
        digit_classifier.NAME,
        digit_classifier.WORKLOAD,
        settings,
        options=options,
        data=str(digits),
        output=str(output),
    )
    return output


def fit(data: Path, output: Path, *, options: dict[str, Any] | None = None, **settings: Any) -> None:
    chosen = Settings(**{"epochs": 1, "batch_size": 50, **settings})
    run = RunOptions(**{"device": "cpu", "figures": False, **(options or {})})
    train(digit_gan.NAME, digit_gan.WORKLOAD, chosen, options=run, data=str(data), output=str(output))


def read(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


def history(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def run(digits: Path, classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that learned from data marked as a sample."""
    folder = tmp_path_factory.mktemp("gan")
    output, sample = folder / "run", folder / "sample"
    shutil.copytree(digits, sample)
    (sample / MARK).touch()
    settings = {"classifier": str(classifier), "epochs": 12, "batch_size": 20, "average_decay": 0.95}
    fit(sample, output, options={"figures": True}, **settings)
    return output


def test_it_learns_to_draw_every_digit(run: Path) -> None:
    test = read(run)["test"]
    distances = [float(row["frechet_distance"]) for row in history(run)]
    assert distances[-1] < distances[0] / 4
    assert test["frechet_distance"] > test["frechet_distance_of_training_images"] > 0
    assert test["digits_drawn"] == 10
    assert test["as_asked_for"] > 0.8
    assert sum(test["digit_shares"].values()) == pytest.approx(1)
    assert test["nearest_neighbour_ratio"] > 0.5
    assert 0 < test["precision"] <= 1
    assert 0 < test["recall"] <= 1


def test_every_epoch_has_the_losses_of_both_networks_and_the_quality(run: Path) -> None:
    rows = history(run)
    assert len(rows) == 12
    columns = ("generator_loss", "discriminator_loss", "frechet_distance", "precision", "recall", "digit_entropy")
    assert all(np.isfinite(float(row[column])) for row in rows for column in columns)
    for row in rows:
        losses = float(row["generator_loss"]) + float(row["discriminator_loss"])
        assert float(row["training_loss"]) == pytest.approx(losses, rel=1e-5)


def test_the_run_folder_shows_the_film_the_figures_and_the_model_card(run: Path) -> None:
    with Image.open(run / "training.gif") as film:
        assert film.format == "GIF"
        assert film.n_frames > 20
        assert film.info["comment"].startswith(b"Sample data. ")
    figures = {path.stem for path in (run / "figures").glob("*.png")}
    assert figures == {"real_and_generated", "verdicts", "losses", "quality", "nearest_training_images"}
    assert (run / "report.html").read_text().count("data:image/png;base64,") == len(figures)
    card = (run / "MODEL_CARD.md").read_text()
    assert "400 images" in card
    assert f"{read(run)['test']['frechet_distance']:.3f}" in card


def test_the_notebook_shows_the_film_inline(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run)
    names: dict[str, Any] = {}
    shown = []
    for cell in nbformat.read(run / "digit_gan.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            *statements, last = ast.parse(cell.source).body
            if isinstance(last, ast.Expr):  # what Jupyter shows of a cell
                exec(compile(ast.Module(statements, []), "cell", "exec"), names)  # noqa: S102
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307
                shown.append(DisplayFormatter().format(value)[0])
            else:
                exec(cell.source, names)  # noqa: S102
    assert sum("image/gif" in data for data in shown) == 1
    assert sum("image/png" in data for data in shown) == 3


def test_generated_files_are_the_digits_asked_for_and_the_same_for_the_same_seed(
    run: Path, classifier: Path, tmp_path: Path, command: Command
) -> None:
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        asked = ("--digits", "1,7-9", "--count", 5, "--seed", seed, "--output", tmp_path / name)
        assert command("generate", "--model", run, *asked) == 0
    names = [f"{digit}-{number:04}.png" for digit in (1, 7, 8, 9) for number in range(5)]
    assert sorted(path.name for path in (tmp_path / "a" / "images").iterdir()) == names
    with Image.open(tmp_path / "a" / "grid.png") as grid:
        assert grid.size == (5 * 30 + 2, 4 * 30 + 2)
    contents = {name: [(tmp_path / name / "images" / image).read_bytes() for image in names] for name in "abc"}
    assert contents["a"] == contents["b"]
    assert not set(contents["a"]) & set(contents["c"])
    assert command("generate", "--model", run, *asked) == 0  # the same images again
    asked = ("--digits", "1,7-9", "--count", 5, "--seed", 1, "--output", tmp_path / "c")
    assert command("generate", "--model", run, *asked) == 2  # other images of the same names are not replaced
    assert contents["c"] == [(tmp_path / "c" / "images" / image).read_bytes() for image in names]
    files = ("--input", tmp_path / "a" / "images", "--output", tmp_path / "verdicts.csv")
    assert command("predict", "digit-classifier", "--model", classifier, *files) == 0
    verdicts = pd.read_csv(tmp_path / "verdicts.csv")["prediction"] == [int(name[0]) for name in names]
    assert (
        verdicts.mean() >= 0.8
    )  # trained for a moment, it draws a digit that looks like another one on some processors


def test_equal_seeds_give_equal_bits(digits: Path, classifier: Path, tmp_path: Path) -> None:
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        fit(digits, tmp_path / name, classifier=str(classifier), seed=seed, training_images=150)
    weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "abc"}
    assert weights["a"] == weights["b"] != weights["c"]


def test_an_interrupted_run_continues_to_the_same_bits_and_the_same_film(
    digits: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(digits, tmp_path / "whole", classifier=str(classifier), epochs=2)
    step = Film.step

    def interrupted(film: Film, draw: Callable[[], torch.Tensor]) -> None:
        step(film, draw)
        if film.steps == 12:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Film, "step", interrupted)
    with pytest.raises(Interrupted):
        fit(digits, tmp_path / "parts", classifier=str(classifier), epochs=2)
    assert not (tmp_path / "parts" / "metrics.json").exists()
    monkeypatch.undo()
    fit(digits, tmp_path / "parts", classifier=str(classifier), epochs=2)
    for name in ("model.safetensors", "training.gif"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_reference_draws_without_a_choice_and_a_classifier_trained_beside_it_picks_the_digits(
    digits: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(digits, tmp_path / "run", architecture="reference")
    assert read(tmp_path / "run")["test"]["classifier_accuracy"] > 0.8
    assert "as_asked_for" not in read(tmp_path / "run")["test"]
    code = command("generate", "--model", tmp_path / "run", "--count", 3, "--output", tmp_path / "images")
    if code:  # after so few steps it may draw some digits only: then it says which it does not
        assert code == 2
        assert "The classifier takes" in capsys.readouterr().err
        assert not (tmp_path / "images").exists()
    else:
        assert len(list((tmp_path / "images" / "images").iterdir())) == 30


def test_a_generator_that_draws_the_same_again_and_again_is_flagged(digits: Path, classifier: Path, run: Path) -> None:
    data, judge = load_mnist(locate(str(digits))), Judge.of_run(locate(str(classifier)))
    real, _ = judge.look(torch.from_numpy(data.train_images))
    labels = torch.from_numpy(data.train_labels).long()
    assert judge.measure(real, torch.from_numpy(data.test_images))["mode_collapse"] == 0
    one_image_a_digit = torch.stack([torch.from_numpy(data.train_images)[labels == digit][0] for digit in range(10)])
    collapsed = judge.measure(real, one_image_a_digit[labels])
    assert collapsed["digit_entropy"] > 0.98
    assert collapsed["mode_collapse"] == 1
    assert judge.measure(real, one_image_a_digit[labels % 3])["mode_collapse"] == 1
    untrained = draw(Generator("compact", conditional=True), labels, seed=0)
    assert judge.measure(real, untrained)["mode_collapse"] == 1
    assert read(run)["test"]["mode_collapse"] in {0, 1}


@mock_aws
def test_losses_and_mode_collapse_go_to_cloudwatch(
    digits: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fit(digits, tmp_path / "run", classifier=str(classifier), options={"metrics": "cloudwatch"})
    found = boto3.client("cloudwatch").list_metrics(Namespace="Groundwork/Training")["Metrics"]
    assert {"TrainingLoss", "ModeCollapse", "SamplesPerSecond"} <= {metric["MetricName"] for metric in found}
    assert {dimension["Value"] for metric in found for dimension in metric["Dimensions"]} == {"digit-gan"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "digit-gan", "--data", "{digits}", "--classifier", "{digits}"), "not a finished run"),
        (
            ("train", "digit-gan", "--data", "{digits}", "--classifier", "{run}"),
            "a run of digit-gan, not of digit-classi",
        ),
        (("train", "digit-gan", "--data", "{digits}", "--generator-learning-rate", "0"), "--generator-learning-rate 0"),
        (
            ("train", "digit-gan", "--data", "{digits}", "--architecture", "reference", "--conditional"),
            "cannot draw a chosen digit",
        ),
        (("generate", "--model", "{digits}", "--output", "images"), "not a finished run"),
        (("generate", "--model", "{run}", "--digits", "a", "--output", "images"), "Write them as 0-9 or 3,5,7"),
        (
            ("predict", "digit-gan", "--model", "{run}", "--input", "b", "--output", "c"),
            "Workload digit-gan: It does not predict",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...],
    message: str,
    digits: Path,
    run: Path,
    tmp_path: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(*(argument.format(digits=digits, run=run) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not list(tmp_path.rglob("*.*"))


def test_a_judge_cannot_learn_from_one_digit(
    digits: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_mnist(locate(str(digits)))
    threes = data.train_labels == 3
    arrays = (data.train_images[threes], data.train_labels[threes], data.test_images, data.test_labels)
    for name, array in zip(FILES, arrays, strict=True):
        (tmp_path / name).write_bytes(format_idx(array))
    assert command("train", "digit-gan", "--data", tmp_path, "--output", tmp_path / "run") == 2
    assert "All training images are of the digit 3" in capsys.readouterr().err


def test_too_few_images_to_measure_quality_on_are_refused(
    digits: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_mnist(locate(str(digits)))
    arrays = (data.train_images, data.train_labels, data.test_images[:3], data.test_labels[:3])
    for name, array in zip(FILES, arrays, strict=True):
        (tmp_path / name).write_bytes(format_idx(array))
    assert command("train", "digit-gan", "--data", tmp_path, "--output", tmp_path / "run") == 2
    assert "too few images" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_exits_with_1(
    digits: Path, classifier: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = ("--generator-learning-rate", "1e30", "--discriminator-learning-rate", "1e30", "--classifier", classifier)
    assert command("train", "digit-gan", "--data", digits, "--output", tmp_path / "run", "--epochs", 2, *rates) == 1
    assert "loss became" in capsys.readouterr().err
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_in_float16_only_the_steps_with_a_penalty_compute_in_float32(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, seen = Discriminator.forward, set()

    def watched(network: Discriminator, images: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
        if len(images) == 2 * 50:  # real and generated ones
            seen.add((images.requires_grad, torch.is_autocast_enabled("cpu")))
        return forward(network, images, asked)

    monkeypatch.setattr(Discriminator, "forward", watched)
    monkeypatch.setattr(devices, "choose_precision", lambda *_: "float16")
    monkeypatch.setattr(judge, "_LEAST_STEPS", 2)
    fit(digits, tmp_path / "run", gradient_penalty=1.0)
    assert seen == {(False, True), (True, False)}
    assert read(tmp_path / "run")["machine"]["precision"] == "float16"


def test_a_classifier_that_learns_from_generated_digits_only_is_tested_on_real_ones(
    digits: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for digits that the images do not show, it learns to be wrong: the score is not blind to the labels."""
    whole = load_mnist(locate(str(digits)))

    def real_images(labels: torch.Tensor) -> torch.Tensor:
        first = [int(np.flatnonzero(whole.train_labels == label)[0]) for label in range(10)]
        return torch.from_numpy(whole.train_images[np.array(first)])[labels]

    scores = {}
    for mistaken in (0, 1):
        monkeypatch.setattr(
            report, "draw", lambda _generator, labels, shift=mistaken, **_: real_images((labels + shift) % 10)
        )
        fit(digits, tmp_path / str(mistaken), classifier=str(classifier), score_images=1000)
        scores[mistaken] = read(tmp_path / str(mistaken))["test"]["classification_accuracy_score"]
    assert scores[0] > 0.3
    assert scores[1] < 0.2


def test_a_generator_without_digits_has_no_such_score(
    digits: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--data", digits, "--output", tmp_path / "run", "--no-conditional", "--score-images", "100")
    assert command("train", "digit-gan", *arguments) == 2
    assert "--score-images 100: A generator that cannot draw a chosen digit" in capsys.readouterr().err
