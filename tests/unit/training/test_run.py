"""A run of a tiny model: what the runtime does around any model."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import itertools
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
import torch
from pydantic import Field

from contract.errors import InputError
from workloads.errors import Interrupted, NonFiniteLossError
from workloads.storage import Location
from workloads.training.runtime import run as run_module
from workloads.training.runtime.results import ModelCard, Results
from workloads.training.runtime.run import Run
from workloads.training.runtime.settings import RunOptions, TrainingSettings
from workloads.training.runtime.train import train
from workloads.training.runtime.workload import Workload


class Settings(TrainingSettings):
    epochs: int = Field(3, description="Epochs.")
    learning_rate: float = Field(0.1, description="Learning rate.")


def line(
    on_batch: Callable[[int, int], None] = lambda _epoch, _batch: None, sha256: str = "a" * 64
) -> Workload[Settings]:
    """A workload that learns y = 3x with noise drawn in every batch, and calls back after each batch."""

    def fit(settings: Settings, data: Location, run: Run) -> Results:
        inputs = torch.linspace(-1, 1, 40)[:, None].to(run.device)
        run.use_data(sha256)
        model = torch.nn.Linear(1, 1)
        network = run.distribute(model)
        optimiser = torch.optim.Adam(model.parameters(), settings.learning_rate)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.99)
        run.keep(model=model, optimiser=optimiser, schedule=schedule)
        for epoch in run.epochs(settings.epochs):
            for batch, rows in enumerate(run.batches(len(inputs), 8)):
                with run.autocast():
                    noisy = 3 * inputs[rows] + 0.1 * torch.randn(len(rows), 1, device=run.device)
                    loss = (network(inputs[rows]) - noisy).square().mean()
                run.step(loss, optimiser, clip_norm=10)
                schedule.step()
                on_batch(epoch, batch)
            run.record(validation_loss=(model(inputs) - 3 * inputs).square().mean().item())
        card = ModelCard("Line", "Learns a line.", "Made up.", "Tests.", "Everything.")
        headline = {"Slope": f"{model.weight.item():.2f}"}
        return Results({"slope": model.weight.item()}, headline, {"rows": 40}, card, model=model.state_dict())

    return Workload(Settings, fit)


def go(
    output: Path, workload: Workload[Settings] | None = None, settings: Settings | None = None, **options: Any
) -> None:
    train(
        "line", workload or line(), settings or Settings(), options=RunOptions(**options), data=".", output=str(output)
    )


CHECKPOINTS = 3  # one an epoch


def fail(error: Exception) -> None:
    """Raise it, where an expression is wanted."""
    raise error


def history(output: Path) -> list[dict[str, str]]:
    """The rows of history.csv."""
    return list(csv.DictReader((output / "history.csv").read_text().splitlines()))


def outcome(output: Path) -> tuple[bytes, list[tuple[str, str, str]]]:
    """What must be equal in equal runs: the weights and the losses, bit by bit."""
    losses = [(row["epoch"], row["training_loss"], row["validation_loss"]) for row in history(output)]
    return (output / "model.safetensors").read_bytes(), losses


def test_a_run_folder_tells_what_was_run_and_learned(tmp_path: Path) -> None:
    go(tmp_path / "run", settings=Settings(epochs=60))
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["workload"] == "line"
    assert metrics["test"]["slope"] == pytest.approx(3, abs=0.1)
    assert metrics["settings"] == {"epochs": 60, "seed": 0, "learning_rate": 0.1}
    assert metrics["data"] == {"uri": ".", "sha256": "a" * 64, "rows": 40, "sample": False}
    assert metrics["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert metrics["machine"]["device"] == "cpu"
    rows = history(tmp_path / "run")
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 61)]
    assert float(rows[-1]["training_loss"]) < 0.05 < float(rows[0]["training_loss"])
    assert float(rows[0]["samples_per_second"]) > 0
    assert 0 <= float(rows[0]["memory_utilization"]) <= 100
    names = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*")}
    assert names == {
        *("metrics.json", "history.csv", "model.safetensors", "model.json"),
        *("MODEL_CARD.md", "report.html"),
    }


@pytest.mark.parametrize(
    ("output", "next_step"),
    [
        ("a run", "`groundwork open 'a run'` shows the report."),
        (
            "s3://runs/line",
            "`groundwork fetch s3://runs/line --output FOLDER` brings the run with its report to this machine.",
        ),
    ],
)
def test_a_run_says_its_figures_by_name_and_where_its_report_is(
    aws: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    next_step: str,
) -> None:
    boto3.client("s3").create_bucket(Bucket="runs")
    monkeypatch.chdir(tmp_path)
    train("line", line(), Settings(), options=RunOptions(device="cpu", precision="float32"), data=".", output=output)
    first, *epochs, figures, place, told = capsys.readouterr().out.splitlines()
    assert first == "training on cpu in float32: 40 rows, 2 weights"
    assert [text.split("  ")[0] for text in epochs] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("  training loss " in text and "  validation loss " in text for text in epochs)
    assert re.fullmatch(r"Slope \d\.\d\d", figures)
    assert (place, told) == (output, next_step)


@pytest.mark.parametrize("name", ["metrics.json", "report.html", "figures/loss.png"])
def test_files_that_are_no_runs_are_not_replaced(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("{}")
    with pytest.raises(InputError, match=f"{name} is there, but no run. Choose another --output"):
        go(tmp_path / "mine")
    assert [path for path in (tmp_path / "mine").rglob("*") if path.is_file()] == [mine]
    assert mine.read_text() == "{}"


def test_a_finished_run_is_replaced_by_another(tmp_path: Path) -> None:
    for epochs in (1, 2):
        go(tmp_path / "run", settings=Settings(epochs=epochs))
        assert len(history(tmp_path / "run")) == epochs


def test_equal_seeds_give_equal_bits_and_other_seeds_do_not(tmp_path: Path) -> None:
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        go(tmp_path / name, settings=Settings(seed=seed))
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    assert outcome(tmp_path / "a") != outcome(tmp_path / "c")


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (1, 4), (2, 4)])
def test_a_run_told_to_end_in_any_batch_goes_on_to_the_same_bits(tmp_path: Path, place: tuple[int, int]) -> None:
    def end(epoch: int, batch: int) -> None:
        if (epoch, batch) == place:
            os.kill(os.getpid(), signal.SIGTERM)

    go(tmp_path / "whole")
    with pytest.raises(Interrupted, match="A checkpoint is at") as caught:
        go(tmp_path / "ended", line(end))
    assert caught.value.exit_code not in {0, 1, 2}
    assert not (tmp_path / "ended" / "metrics.json").exists()
    go(tmp_path / "ended")
    assert outcome(tmp_path / "ended") == outcome(tmp_path / "whole")
    assert not (tmp_path / "ended" / "checkpoints").exists()


def test_time_and_rows_of_a_run_sum_over_its_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(run_module.time, "perf_counter", lambda: float(next(clock)))  # a second for each look at it

    def end(epoch: int, batch: int) -> None:
        if (epoch, batch) in {(0, 3), (1, 2)}:
            for _ in range(100):
                run_module.time.perf_counter()  # work that takes 100 s
            os.kill(os.getpid(), signal.SIGTERM)

    for _ in range(2):
        with pytest.raises(Interrupted):
            go(tmp_path / "run", line(end))
    go(tmp_path / "run", line(end))
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["attempts"] == 3
    assert 200 <= metrics["seconds"] < 300
    assert "over 3 attempts" in (tmp_path / "run" / "report.html").read_text()
    assert "over 3 attempts" in (tmp_path / "run" / "MODEL_CARD.md").read_text()
    for row, seconds in zip(history(tmp_path / "run"), (100, 100, 0), strict=True):
        assert seconds <= float(row["epoch_seconds"]) < seconds + 50
        assert float(row["samples_per_second"]) * float(row["epoch_seconds"]) == pytest.approx(40)


def test_a_continued_run_began_when_its_first_attempt_did(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        go(tmp_path / "run", line(lambda *_: os.kill(os.getpid(), signal.SIGTERM)))
    [checkpoint] = (tmp_path / "run" / "checkpoints").iterdir()
    content = torch.load(io.BytesIO(checkpoint.read_bytes()[32:]), weights_only=True)
    before = io.BytesIO()
    torch.save(content | {"started": "2026-01-31T12:00:00+00:00"}, before)
    checkpoint.write_bytes(hashlib.sha256(before.getvalue()).digest() + before.getvalue())
    go(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["started"] == "2026-01-31T12:00:00+00:00"


def test_a_run_started_anew_forgets_the_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(epoch: int, _batch: int) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    for resume, said in ((True, True), (False, False)):
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "run", line(fail))
        capsys.readouterr()
        go(tmp_path / "run", resume=resume)
        assert ("continuing at epoch 2" in capsys.readouterr().out) is said


def test_a_checkpoint_is_not_continued_with_other_settings(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        go(tmp_path / "run", line(lambda *_: os.kill(os.getpid(), signal.SIGTERM)))
    with pytest.raises(InputError, match=r"learning_rate 0.1 \(now 0.2\)"):
        go(tmp_path / "run", settings=Settings(learning_rate=0.2))


@pytest.mark.parametrize("batch", [0, 4])  # in the middle of an epoch, and at its end
def test_a_checkpoint_is_not_continued_on_other_data_and_stays(tmp_path: Path, batch: int) -> None:
    def end(_epoch: int, at: int) -> None:
        if at == batch:
            os.kill(os.getpid(), signal.SIGTERM)

    go(tmp_path / "whole")
    with pytest.raises(Interrupted):
        go(tmp_path / "run", line(end))
    with pytest.raises(InputError, match=r"other data \(SHA-256 a{12}, now b{12}\)\. Use the same --data") as refused:
        go(tmp_path / "run", line(sha256="b" * 64))
    assert refused.value.exit_code == 2
    assert not (tmp_path / "run" / "metrics.json").exists()
    go(tmp_path / "run")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")
    go(tmp_path / "run", line(sha256="b" * 64))  # a finished run is replaced


def test_a_run_started_anew_on_other_data_forgets_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        go(tmp_path / "run", line(lambda *_: os.kill(os.getpid(), signal.SIGTERM)))
    go(tmp_path / "run", line(sha256="b" * 64), resume=False)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["data"]["sha256"] == "b" * 64


def test_a_model_file_that_does_not_name_its_data_keeps_no_checkpoint(tmp_path: Path) -> None:
    def fit(_settings: Settings, _data: Location, run: Run) -> Results:
        run.keep(model=torch.nn.Linear(1, 1))
        raise AssertionError

    with pytest.raises(RuntimeError, match=r"call run\.use_data"):
        go(tmp_path / "run", Workload(Settings, fit))


def test_a_loss_that_is_not_finite_stops_before_any_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(
        NonFiniteLossError, match=r"became (nan|inf) in epoch 1, .* No checkpoint was written"
    ) as caught:
        go(tmp_path / "run", settings=Settings(learning_rate=1e30))
    assert caught.value.exit_code == 1
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_later_names_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = torch.linspace(-1, 1, 40)
    monkeypatch.setattr(torch, "linspace", lambda *_: inputs)

    def poison(epoch: int, _batch: int) -> None:
        if epoch == 2:
            inputs.fill_(torch.nan)

    with pytest.raises(NonFiniteLossError, match="in epoch 3") as caught:
        go(tmp_path / "run", line(poison))
    assert f"The last good checkpoint is {tmp_path}/run/checkpoints/epoch-00002" in str(caught.value)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_a_full_disk_at_a_checkpoint_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"epoch-00001.*cannot be written: No space left on device"):
        go(tmp_path / "run")
    assert list((tmp_path / "run").rglob("*.*")) == []


@pytest.mark.parametrize("where", ["the run folder is put together", "it is brought to its place"])
def test_a_full_disk_at_the_end_is_one_clear_error_and_nothing_looks_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    go(tmp_path / "whole")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patch:
        if where == "the run folder is put together":
            patch.setattr(Path, "write_bytes", Mock(side_effect=full))
        else:
            fsync, calls = os.fsync, itertools.count()
            patch.setattr(os, "fsync", lambda file: fsync(file) if next(calls) < CHECKPOINTS + 2 else fail(full))
        with pytest.raises(InputError, match=r"run.*cannot be written: No space left on device") as caught:
            go(tmp_path / "run")
    assert (caught.value.exit_code, str(caught.value).count("\n")) == (2, 0)
    assert not (tmp_path / "run" / "metrics.json").exists()
    go(tmp_path / "run")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_data_parallel_with_one_device_says_so_and_trains_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go(tmp_path / "single", device="cpu")
    go(tmp_path / "parallel", device="cpu", strategy="data-parallel")
    assert "data-parallel needs several GPUs; training on the single device cpu" in capsys.readouterr().out
    assert outcome(tmp_path / "single") == outcome(tmp_path / "parallel")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "ddp"}, "torchrun --nproc-per-node"),
        ({"device": "mps"}, "--device mps: This machine has no such device"),
        ({"device": "cpu", "precision": "float16"}, "--precision float16: The device cpu does not compute in it"),
    ],
)
def test_what_the_machine_cannot_do_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        go(tmp_path / "run", **options)


def test_bfloat16_trains(tmp_path: Path) -> None:
    go(tmp_path / "run", settings=Settings(epochs=30), precision="bfloat16", device="cpu")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["machine"]["precision"] == "bfloat16"
    assert metrics["test"]["slope"] == pytest.approx(3, abs=0.3)


def test_stopping_early_ends_after_the_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workload = line()

    def fit(settings: Settings, data: Location, run: Run) -> Results:
        run.stop("good enough")
        return workload.fit(settings, data, run)

    go(tmp_path / "run", Workload(Settings, fit))
    assert "good enough" in capsys.readouterr().out
