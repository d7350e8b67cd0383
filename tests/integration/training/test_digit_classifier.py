"""The digit classifier from its command line, on a few hundred images."""

from __future__ import annotations

import csv
import gzip
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
import torch
from moto import mock_aws
from PIL import Image

from contract.errors import InputError
from workloads import storage
from workloads.storage import locate
from workloads.training.mnist import FILES, format_idx, load_mnist
from workloads.training.models.digit_classifier.augmentation import augmented, shifted
from workloads.training.models.digit_classifier.model import WORKLOAD
from workloads.training.models.digit_classifier.settings import Settings
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train

Command = Callable[..., int]


def fit(
    data: Path | str,
    output: Path | str,
    *,
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> None:
    """Train through the Python interface, for two epochs unless told otherwise."""
    chosen = RunOptions(**{"device": "cpu", **(options or {})})
    trained = Settings(**{"epochs": 2, "batch_size": 50, **settings})
    train("digit-classifier", WORKLOAD, trained, options=chosen, data=str(data), output=str(output))


def read(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


def history(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that learned."""
    folder = tmp_path_factory.mktemp("run") / "run"
    fit(digits, folder, epochs=8)
    return folder


def test_it_learns(run: Path) -> None:
    test = read(run)["test"]
    assert test["accuracy"] > 0.85
    assert len(test["per_class_accuracy"]) == 10
    assert np.trace(test["confusion_matrix"]) == round(test["accuracy"] * 100)
    assert np.mean(list(test["per_class_accuracy"].values())) == pytest.approx(test["recall"])


def test_history_has_loss_accuracy_precision_and_recall_of_every_epoch(run: Path) -> None:
    rows = history(run)
    assert len(rows) == 8
    for name in (
        "training_loss",
        "validation_loss",
        "validation_accuracy",
        "validation_precision",
        "validation_recall",
    ):
        assert all(np.isfinite(float(row[name])) for row in rows)
    assert float(rows[-1]["training_loss"]) < float(rows[0]["training_loss"])


def test_figures_are_images_and_the_report_holds_them_all_without_a_network(run: Path) -> None:
    report = (run / "report.html").read_text()
    images = sorted(path.stem for path in (run / "figures").glob("*.png"))
    always = ["confusion_matrix", "loss_and_accuracy", "precision_and_recall", "test_digits"]
    assert images == [*always, *(["worst_mistakes"] if read(run)["test"]["accuracy"] < 1 else [])]
    for path in (run / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 100
            assert image.info["Description"] in html.unescape(report)
    assert report.count("data:image/png;base64,") == len(images)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", report)
    assert len(re.findall(r'<img [^>]*alt="[^"]{40,}', report)) == len(images)
    assert f"{read(run)['test']['accuracy']:.2%}" in report


def test_the_model_card_tells_data_balance_and_results_of_every_digit(run: Path) -> None:
    card = (run / "MODEL_CARD.md").read_text()
    assert "400 images" in card
    assert read(run)["data"]["sha256"] in card
    assert len(re.findall(r"^\| [0-9] \|", card, re.MULTILINE)) == 10


def test_predictions_are_in_order_and_the_same_from_every_kind_of_file(
    run: Path, digits: Path, tmp_path: Path, command: Command
) -> None:
    held = load_mnist(locate(str(digits)))
    (tmp_path / "images.gz").write_bytes(gzip.compress(format_idx(held.test_images)))
    np.save(tmp_path / "images.npy", held.test_images)
    (tmp_path / "png").mkdir()
    for index, image in enumerate(held.test_images):
        Image.fromarray(image).save(tmp_path / "png" / f"{index:03}.png")
    written = set()
    for name in ("images.gz", "images.npy", "png"):
        output = tmp_path / f"{name}.csv"
        arguments = ("predict", "digit-classifier", "--model", run, "--input", tmp_path / name, "--output", output)
        assert command(*arguments) == 0
        rows = list(csv.DictReader(output.read_text().splitlines()))
        assert [row.pop("file", "") for row in rows] == (
            sorted(path.name for path in (tmp_path / "png").iterdir()) if name == "png" else [""] * len(rows)
        )
        written.add(json.dumps(rows))
    assert len(written) == 1
    rows = json.loads(written.pop())
    assert next(iter(rows[0])) == "prediction"
    right = np.mean([int(row["prediction"]) == label for row, label in zip(rows, held.test_labels, strict=True)])
    assert right == pytest.approx(read(run)["test"]["accuracy"])
    assert all(0.1 <= float(row["confidence"]) <= 1 for row in rows)


def test_a_digit_without_test_images_counts_neither_as_worst_nor_in_the_means(digits: Path, tmp_path: Path) -> None:
    whole = load_mnist(locate(str(digits)))
    arrays = [whole.train_images, whole.train_labels, whole.test_images, whole.test_labels]
    for (images, labels), names in zip((arrays[:2], arrays[2:]), (FILES[:2], FILES[2:]), strict=True):
        for array, name in zip((images, labels), names, strict=True):
            (tmp_path / name).write_bytes(format_idx(array[labels < 5]))
    fit(tmp_path, tmp_path / "run")
    test = read(tmp_path / "run")["test"]
    assert sorted(test["per_class_accuracy"]) == ["0", "1", "2", "3", "4"]
    assert test["recall"] == pytest.approx(np.mean(list(test["per_class_accuracy"].values())))
    card = (tmp_path / "run" / "MODEL_CARD.md").read_text()
    assert "| 9 | 0 | – | – | – |" in card


def test_the_reference_architecture_has_the_published_layers(digits: Path, tmp_path: Path) -> None:
    fit(digits, tmp_path / "run", architecture="reference")
    weights = 1 * 32 * 9 + 32 + 6272 * 128 + 128 + 128 * 10 + 10
    assert f"{weights:,}" in (tmp_path / "run" / "report.html").read_text()


def test_equal_seeds_give_equal_bits(digits: Path, tmp_path: Path) -> None:
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        fit(digits, tmp_path / name, options={"figures": False}, seed=seed, epochs=1)
    weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "abc"}
    assert weights["a"] == weights["b"] != weights["c"]


@mock_aws
def test_data_model_and_metrics_travel_through_aws(
    digits: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(storage, "s3", lambda: boto3.client("s3"))
    boto3.client("s3").create_bucket(Bucket="bucket")
    for path in digits.iterdir():
        (locate("s3://bucket/digits") / path.name).write(path.read_bytes())
    fit("s3://bucket/digits", "s3://bucket/runs/one", options={"metrics": "cloudwatch"})
    names = locate("s3://bucket/runs/one").names()
    assert {"metrics.json", "model.safetensors", "report.html", "figures/confusion_matrix.png"} <= set(names)
    assert not [name for name in names if "checkpoint" in name]
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="Groundwork/Training")["Metrics"]
    assert {"TrainingLoss", "ValidationAccuracy", "CpuUtilization"} <= {metric["MetricName"] for metric in metrics}
    inputs, output = "s3://bucket/digits/t10k-images-idx3-ubyte", "s3://bucket/predictions.csv"
    arguments = ("--model", "s3://bucket/runs/one", "--input", inputs, "--output", output)
    assert command("predict", "digit-classifier", *arguments) == 0
    assert len(locate(output).read().splitlines()) == 101


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "digit-classifier", "--data", "{digits}/absent"), "There is no train-images-idx3-ubyte.gz"),
        (("train", "digit-classifier", "--data", "gs://bucket"), "This is not a place for files"),
        (("train", "digit-classifier", "--data", "{digits}", "--epochs", "0"), "--epochs 0: Input should be greater"),
        (("train", "digit-classifier", "--data", "{digits}", "--strategy", "ddp"), "torchrun --nproc-per-node"),
        (("train", "digit-classifier", "--data", "{digits}", "--preset", "worst"), "Choose from fast, best"),
        (
            ("predict", "digit-knitter", "--model", "a", "--input", "b", "--output", "c"),
            "There is no workload digit-knitter",
        ),
        (("predict", "digit-classifier", "--model", "{digits}", "--input", "b", "--output", "c"), "not a finished run"),
        (("generate", "--model", "{run}", "--output", "c"), "a run of digit-classifier, which does not generate"),
        (("data", "sample", "emnist", "--to", "x"), "There is no data set emnist. Choose from mnist"),
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
    assert not list(tmp_path.rglob("metrics.json"))


def test_a_loss_that_is_not_finite_exits_with_1(digits: Path, tmp_path: Path, command: Command) -> None:
    arguments = ("--learning-rate", "1e30", "--data", digits, "--output", tmp_path / "run", "--batch-size", "50")
    assert command("train", "digit-classifier", "--epochs", "9", *arguments) == 1
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_shifts_move_every_image_by_itself_and_lose_nothing_inside() -> None:
    images = torch.zeros(200, 28, 28, dtype=torch.uint8)
    images[:, 14, 14] = 255
    moved = shifted(images, 2).nonzero()
    assert len(moved) == 200
    assert set(moved[:, 1].tolist()) == set(moved[:, 2].tolist()) == set(range(12, 17))


def test_torchvisions_data_set_and_transforms_are_an_input_too(digits: Path, tmp_path: Path) -> None:
    import torchvision  # here, because every worker that collects the tests would take 2 CPU-seconds for it

    raw = tmp_path / "MNIST" / "raw"  # as torchvision unpacks a download
    raw.mkdir(parents=True)
    for path in digits.iterdir():
        content = path.read_bytes()
        unpacked = gzip.decompress(content) if path.suffix == ".gz" else content
        (raw / path.name.removesuffix(".gz")).write_bytes(unpacked)
    theirs = torchvision.datasets.MNIST(str(tmp_path), train=True)
    assert np.array_equal(load_mnist(locate(str(tmp_path))).train_images, theirs.data.numpy())
    fit(tmp_path, tmp_path / "run", options={"figures": False}, transforms="torchvision", rotation=5, epochs=4)
    assert read(tmp_path / "run")["test"]["accuracy"] > 0.7


@pytest.mark.parametrize("transforms", ["batch", "torchvision"])
def test_both_ways_turn_and_move_by_no_more_than_was_said(transforms: str) -> None:
    torch.manual_seed(0)
    images = torch.zeros(100, 28, 28, dtype=torch.uint8)
    images[:, 10:18, 10:18] = 255
    changed = augmented(images, Settings(transforms=transforms, shift=3, rotation=10))
    assert changed.shape == images.shape
    mass = changed.float() / changed.float().sum((1, 2), keepdim=True)
    across = (mass.sum(1) * torch.arange(28)).sum(1) - 13.5
    assert across.abs().max() < 4  # 3 pixels, and the rotation of a square around the middle moves nothing
    assert across.std() > 1


def test_bending_changes_images_by_small_smooth_amounts() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(28).mul(9).to(torch.uint8).expand(50, 28, 28).contiguous()  # a pixel more is 9 brighter
    bent = augmented(ramp, Settings(bend=0.5, shift=0)) - ramp
    inside = bent[:, 4:24, 4:24].float() / 9
    assert 0.2 < inside.std() < 0.8  # about half a pixel
    assert inside.diff(dim=2).abs().mean() < inside.std() / 2  # neighbours move together


def test_help_lists_every_option(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert command("train", "digit-classifier", "--help") == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, field in (Settings.model_fields | RunOptions.model_fields).items():
        assert f"--{name.replace('_', '-')}" in shown
        assert field.description


def test_more_classes_than_ten_are_learnt_reported_and_predicted(digits: Path, tmp_path: Path) -> None:
    """As in EMNIST's letters: labels from 11 on, and classes that no image has."""
    whole = load_mnist(locate(str(digits)))
    folder = tmp_path / "letters"
    folder.mkdir()
    arrays = (whole.train_images, whole.train_labels + 11, whole.test_images, whole.test_labels + 11)
    for name, array in zip(FILES, arrays, strict=True):
        (folder / name).write_bytes(format_idx(array))
    fit(folder, tmp_path / "run", epochs=8, classes=26)
    metrics = read(tmp_path / "run")
    assert sorted(metrics["test"]["per_class_accuracy"], key=int) == [str(label) for label in range(11, 21)]
    assert metrics["test"]["accuracy"] > 0.6
    assert np.array(metrics["test"]["confusion_matrix"]).shape == (26, 26)
    report = (tmp_path / "run" / "report.html").read_text()
    assert "Per class, on the test set" in report
    assert "written around 1990" not in report  # which is said of MNIST only
    predictions = WORKLOAD.predict(locate(str(tmp_path / "run")), locate(str(folder / FILES[2]))).table
    assert (predictions["prediction"] == whole.test_labels + 11).mean() == pytest.approx(
        metrics["test"]["accuracy"], abs=0.02
    )


def test_one_class_cannot_be_learnt_and_classes_without_training_images_and_blank_images_are_counted(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load_mnist(locate(str(digits)))

    def keep(*labels: int) -> None:
        chosen = np.isin(whole.train_labels, labels)
        arrays = (whole.train_images[chosen], whole.train_labels[chosen], whole.test_images, whole.test_labels)
        for name, array in zip(FILES, arrays, strict=True):
            (tmp_path / name).write_bytes(format_idx(array))

    keep(3)
    with pytest.raises(InputError, match=r"All training images are of the class 3\. At least two classes are needed"):
        fit(tmp_path, tmp_path / "one", epochs=1)
    whole.train_images[whole.train_labels == 0] = 0
    keep(*range(9))
    fit(tmp_path, tmp_path / "nine", epochs=1, options={"figures": False})
    nines, zeros = int((whole.test_labels == 9).sum()), int((whole.train_labels == 0).sum())
    said = capsys.readouterr().out
    assert f"{nines} of {len(whole.test_labels)} test images are of classes that no training image has" in said
    assert f"{zeros} of {(whole.train_labels < 9).sum()} training images show nothing" in said


def test_training_says_what_it_trains_on_what_and_how_to_see_the_report(
    digits: Path,
    tmp_path: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    arguments = ("--data", digits, "--output", run, "--device", "cpu", "--precision", "float32", "--no-figures")
    assert command("train", "digit-classifier", *arguments, "--architecture", "tiny", "--epochs", "2") == 0
    said = capsys.readouterr().out
    assert said.count("training on cpu in float32: 387 images, 4,848 weights\n") == 1
    assert said.endswith(f"\n{run}\n`groundwork open {run}` shows the report.\n")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)))
    assert command("open", run) == 0
    assert opened == [(run / "report.html").as_uri()]
    assert f"There is no browser. Open {run / 'report.html'}." in capsys.readouterr().out


def test_a_run_in_s3_is_fetched_with_its_report(
    run: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    storage.s3.cache_clear()
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="artifacts")
        place = locate("s3://artifacts/first")
        place.write_all(run, last="metrics.json")
        (place / "checkpoints/epoch").write(b"state")
        assert command("open", "s3://artifacts/first") == 2
        assert "`groundwork fetch s3://artifacts/first --output FOLDER` brings it" in capsys.readouterr().err
        output = tmp_path / "fetched"
        assert command("fetch", "s3://artifacts/first", "--output", output) == 0
        assert {path.relative_to(output) for path in output.rglob("*")} == {
            path.relative_to(run) for path in run.rglob("*")
        }
        assert (output / "report.html").read_bytes() == (run / "report.html").read_bytes()
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "report.html").touch()
        assert command("fetch", "s3://artifacts/first", "--output", tmp_path / "mine") == 2
    storage.s3.cache_clear()
