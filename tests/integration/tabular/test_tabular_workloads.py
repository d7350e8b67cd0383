"""Both models of tables from the command line, on generated samples: learn, measure, predict raw rows, tune."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
import sklearn
import torch
from moto import mock_aws
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from workloads import storage
from workloads.__main__ import main
from workloads.storage import locate
from workloads.training.models import load
from workloads.training.models.delivery_time import model as delivery_time
from workloads.training.models.delivery_time.orders import FILE
from workloads.training.models.delivery_time.settings import Settings
from workloads.training.models.player_position.players import CLASSES, FACTS_FILE, RECEIVING_FILE, RUSHING_FILE
from workloads.training.runtime.run import Run
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.tune import Search

DELIVERY = ("--splits", "2", "--epochs", "6", "--device", "cpu")
POSITION = ("--splits", "1", "--epochs", "8", "--hidden", "16", "--trees", "15", "--device", "cpu")

Command = Callable[..., int]


def command(*arguments: object) -> int:
    """Runs the command line in this process and returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["workloads", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def metrics(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


def table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def write(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples in `delivery` and `nfl`, finished runs in `delivery-time` and `player-position`."""
    folder = tmp_path_factory.mktemp("tabular")
    for name in ("delivery", "nfl"):
        assert command("data", "sample", name, "--to", folder / name) == 0
    for workload, data, options in (("delivery-time", "delivery", DELIVERY), ("player-position", "nfl", POSITION)):
        assert command("train", workload, "--data", folder / data, "--output", folder / workload, *options) == 0
    return folder


@pytest.mark.parametrize("workload", ["delivery-time", "player-position"])
def test_a_run_leaves_metrics_figures_report_model_card_and_the_model_with_its_pipeline(
    folder: Path, workload: str
) -> None:
    run = folder / workload
    for name in ("report.html", "MODEL_CARD.md", "model.safetensors", "pipeline.joblib", "history.csv"):
        assert (run / name).stat().st_size > 0
    drawn = {path.stem for path in (run / "figures").glob("*.png")}
    assert {"models", "correlation", "feature_scores"} <= drawn
    test = metrics(run)["test"]
    assert set(test["feature_scores"]) <= set(test["correlation"])
    assert not (run / "checkpoints").exists() or not list((run / "checkpoints").iterdir())


def test_delivery_times_are_measured_beside_the_baselines(folder: Path) -> None:
    test = metrics(folder / "delivery-time")["test"]
    models = {"mean", "linear", "Huber", "random forest", "gradient boosting", "network"}
    assert set(test["models"]) == models
    assert {(row["split"], row["model"]) for row in test["per_split"]} == {(s, m) for s in range(2) for m in models}
    assert test["models"]["network"]["r2"]["mean"] == test["r2"]
    assert test["models"]["mean"]["r2"]["mean"] < 0.1
    assert test["r2"] > 0.5
    assert 0.6 < test["coverage_80"] < test["coverage_95"]
    difference = test["models"]["linear"]["r2"]["difference"]
    assert difference["mean"] == pytest.approx(test["r2"] - test["models"]["linear"]["r2"]["mean"])
    assert difference["standard_error"] > 0
    assert {"residuals", "residual_shape", "prediction", "error_by_group"} <= {
        path.stem for path in (folder / "delivery-time" / "figures").glob("*.png")
    }


def test_the_report_says_what_coverage_means_and_whether_a_lead_does(folder: Path) -> None:
    card = (folder / "delivery-time" / "MODEL_CARD.md").read_text()
    assert "coverage of the intervals is marginal" in card
    assert "made from 400 rows" in card
    assert "the best of the baselines by R2" in card
    assert "| Group | Rows | MAE | Bias | Within 80 % | Within 95 % |" in card
    assert "**Sample data.**" in card


@pytest.mark.parametrize(("rows", "splits", "needed"), [(18, 0, 19), (23, 1, 24)])
def test_orders_too_few_for_an_interval_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: int, splits: int, needed: int
) -> None:
    write(tmp_path / "few.csv", table(folder / "delivery" / FILE)[:rows])
    options = ("--data", tmp_path / "few.csv", "--output", tmp_path / "run", "--splits", splits, "--epochs", 1)
    assert command("train", "delivery-time", *options, "--device", "cpu") == 2
    assert f"{rows} rows are too few" in (complaint := capsys.readouterr().err)
    assert f"At least {needed} are needed" in complaint
    assert not (tmp_path / "run").exists()


def test_columns_without_variation_are_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row | {"Weather": "Clear", "Delivery_Time_min": "30"} for row in table(folder / "delivery" / FILE)[:40]]
    write(tmp_path / "same.csv", rows)
    options = ("--data", tmp_path / "same.csv", "--output", tmp_path / "run", "--splits", 0, "--epochs", 1)
    assert command("train", "delivery-time", *options, "--device", "cpu", "--no-figures") == 0
    assert "Every row has the same Weather, Delivery_Time_min" in capsys.readouterr().out


def test_delivery_times_are_predicted_for_raw_rows_in_order_with_or_without_the_truth(
    folder: Path, tmp_path: Path
) -> None:
    rows = table(folder / "delivery" / FILE)[:20]
    rows[3] |= {"Weather": "Hail", "Courier_Experience_yrs": "", "Distance_km": ""}
    write(tmp_path / "with.csv", rows)
    write(tmp_path / "without.csv", [{name: row[name] for name in row if name != "Delivery_Time_min"} for row in rows])
    predicted = {}
    for name in ("with", "without"):
        options = ("--model", folder / "delivery-time", "--input", tmp_path / f"{name}.csv")
        assert command("predict", "delivery-time", *options, "--output", tmp_path / f"{name}-out.csv") == 0
        predicted[name] = table(tmp_path / f"{name}-out.csv")
    assert predicted["with"] == predicted["without"]
    assert next(iter(predicted["with"][0])) == "prediction"
    assert [row["Order_ID"] for row in predicted["with"]] == [row["Order_ID"] for row in rows]
    for row in predicted["with"]:
        values = [float(row[name]) for name in ("lower_95", "lower_80", "prediction", "upper_80", "upper_95")]
        assert values == sorted(values)
        assert values[0] >= 0


def test_a_delivery_is_never_predicted_to_take_less_than_no_time(folder: Path, tmp_path: Path) -> None:
    row = table(folder / "delivery" / FILE)[0]
    write(
        tmp_path / "near.csv", [row | {"Distance_km": "0", "Preparation_Time_min": "0", "Courier_Experience_yrs": "99"}]
    )
    options = ("--model", folder / "delivery-time", "--input", tmp_path / "near.csv", "--output", tmp_path / "out.csv")
    assert command("predict", "delivery-time", *options) == 0
    assert float(table(tmp_path / "out.csv")[0]["prediction"]) >= 0


def test_what_the_model_does_not_know_of_orders_is_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table(folder / "delivery" / FILE)[:4]
    rows[0] |= {"Weather": "Hail"}
    rows[1] |= {"Weather": " rainy "}
    rows[2] |= {"Distance_km": "500"}
    write(tmp_path / "orders.csv", rows)
    options = ("--input", tmp_path / "orders.csv", "--output", tmp_path / "out.csv")
    assert command("predict", "delivery-time", "--model", folder / "delivery-time", *options) == 0
    sample, weather, distance = capsys.readouterr().err.splitlines()
    assert sample.startswith("Note: The model was trained on sample data")
    assert weather.startswith("Note: 1 of 4 rows have a Weather that was not there in training")
    assert weather.endswith("'Hail' (1).")
    assert distance.startswith("Note: 1 of 4 rows have a Distance_km outside the ")


def test_orders_of_a_european_spreadsheet_are_predicted_as_the_same_orders_with_points(
    folder: Path, tmp_path: Path
) -> None:
    rows = table(folder / "delivery" / FILE)[:5]
    write(tmp_path / "points.csv", rows)
    lines = [";".join(rows[0]), *(";".join(row.values()).replace(".", ",") for row in rows), ";" * (len(rows[0]) - 1)]
    (tmp_path / "commas.csv").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    for name in ("points", "commas"):
        options = ("--input", tmp_path / f"{name}.csv", "--output", tmp_path / f"{name}-out.csv")
        assert command("predict", "delivery-time", "--model", folder / "delivery-time", *options) == 0
    assert table(tmp_path / "points-out.csv") == table(tmp_path / "commas-out.csv")


def test_orders_that_are_all_the_same_give_a_model(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "same.csv", table(folder / "delivery" / FILE)[:1] * 30)
    options = ("--data", tmp_path / "same.csv", "--output", tmp_path / "run", "--splits", "0", "--epochs", "2")
    assert command("train", "delivery-time", *options, "--device", "cpu") == 0
    assert metrics(tmp_path / "run")["test"]["feature_scores"] == {}
    assert not (tmp_path / "run" / "figures" / "feature_scores.png").exists()


def test_positions_are_measured_beside_their_parts_and_baselines_with_and_without_weights(folder: Path) -> None:
    test = metrics(folder / "player-position")["test"]
    assert {"majority", "logistic regression", "gradient boosting", "network alone"} <= set(test["models"])
    for name in ("forest", "network with the forest", "combination"):
        assert {name, f"{name}, weighted"} <= set(test["models"])
    assert test["models"]["combination"]["macro_f1"]["mean"] == test["macro_f1"]
    assert test["accuracy"] > test["models"]["majority"]["accuracy"]["mean"]
    assert set(test["per_class"]) == set(CLASSES)
    assert set(test["by_player"]) == set(test["models"]) - {"combination"}
    assert {"accuracy_by_group", "macro_f1_by_group"} <= set(test)
    assert (folder / "player-position" / "figures" / "confusion_matrix.png").exists()


def test_positions_are_predicted_for_labelled_rows_in_order_and_for_all_where_no_row_is_labelled(
    folder: Path, tmp_path: Path
) -> None:
    rows = table(folder / "nfl" / RECEIVING_FILE)
    labelled = [row for row in rows if row["Position"]]
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in (RUSHING_FILE, FACTS_FILE):
        (hidden / name).write_bytes((folder / "nfl" / name).read_bytes())
    write(hidden / RECEIVING_FILE, [row | {"Position": ""} for row in rows])
    predicted = {}
    for name, data in (("labelled", folder / "nfl"), ("all", hidden)):
        options = ("--model", folder / "player-position", "--input", data, "--output", tmp_path / f"{name}.csv")
        assert command("predict", "player-position", *options) == 0
        predicted[name] = table(tmp_path / f"{name}.csv")
    assert list(predicted["all"][0]) == [
        "prediction",
        "Player Id",
        "Year",
        *(f"probability_{name}" for name in CLASSES),
    ]
    for found, expected in ((predicted["labelled"], labelled), (predicted["all"], rows)):
        assert [(row["Player Id"], row["Year"]) for row in found] == [
            (row["Player Id"], row["Year"]) for row in expected
        ]
    # The label has no part in the prediction.
    assert predicted["labelled"] == [row for row, own in zip(predicted["all"], rows, strict=True) if own["Position"]]
    assert {row["prediction"] for row in predicted["all"]} <= set(CLASSES)


@pytest.mark.parametrize(
    ("workload", "content", "complaint"),
    [
        ("delivery-time", "", "orders.csv: The file is empty"),
        ("delivery-time", "a,b\n1,2\n", "orders.csv: There is no column 'Distance_km'"),
        ("player-position", "a,b\n1,2\n", "The folder must have Career_Stats_Receiving.csv"),
    ],
)
def test_bad_input_is_one_line_with_exit_code_two_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workload: str, content: str, complaint: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "orders.csv").write_text(content)
    assert command("train", workload, "--data", tmp_path / "data", "--output", tmp_path / "run") == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_of_one_workload_does_not_predict_for_the_other(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--model", folder / "player-position", "--input", folder / "delivery", "--output", tmp_path / "out.csv")
    assert command("predict", "delivery-time", *options) == 2
    assert "a run of player-position, not of delivery-time" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("workload", "change"),
    [
        ("delivery-time", lambda model: model["network"].update(depth=9)),
        ("delivery-time", lambda model: model.pop("interval_factors")),
        ("player-position", lambda model: model["network"].update(depth=9)),
        ("player-position", lambda model: model["settings"].update(model="oracle")),
    ],
)
def test_a_model_of_another_version_is_one_clear_line(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    workload: str,
    change: Callable[[dict[str, Any]], object],
) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / workload, run)
    model = json.loads((run / "model.json").read_text())
    change(model)
    (run / "model.json").write_text(json.dumps(model))
    data = folder / {"delivery-time": "delivery", "player-position": "nfl"}[workload]
    capsys.readouterr()
    assert command("predict", workload, "--model", run, "--input", data, "--output", tmp_path / "out.csv") == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith(f"Error: {run}: The model was written by another version of Groundwork")
    assert complaint.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(("workload", "data"), [("delivery-time", "delivery"), ("player-position", "nfl")])
def test_a_pipeline_of_another_scikit_learn_is_one_clear_line(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    workload: str,
    data: str,
) -> None:
    written_with = sklearn.__version__
    monkeypatch.setattr("sklearn.base.__version__", "9.1")
    options = ("--model", folder / workload, "--input", folder / data, "--output", tmp_path / "out.csv")
    capsys.readouterr()
    assert command("predict", workload, *options) == 2
    complaint = capsys.readouterr().err
    assert f"The pipeline was written with scikit-learn {written_with}, and this is 9.1. Train again" in complaint
    assert complaint.count("\n") == 1


@mock_aws
def test_data_and_model_may_be_in_s3(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(storage, "s3", lambda: boto3.client("s3"))
    boto3.client("s3").create_bucket(Bucket="bucket")
    for path in (folder / "nfl").iterdir():
        (locate("s3://bucket/nfl") / path.name).write(path.read_bytes())
    options = ("--data", "s3://bucket/nfl", "--output", "s3://bucket/run", "--trees", 5, "--splits", 0, "--epochs", 2)
    assert command("train", "player-position", *options, "--device", "cpu", "--metrics", "cloudwatch") == 0
    arguments = ("--model", "s3://bucket/run", "--input", "s3://bucket/nfl", "--output", "s3://bucket/predictions.csv")
    assert command("predict", "player-position", *arguments) == 0
    assert locate("s3://bucket/predictions.csv").read().startswith(b"prediction,Player Id,Year,")


def test_tuning_tries_so_many_settings_and_goes_on_where_it_ended(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--data", folder / "delivery", "--output", tmp_path, "--folds", 2, "--epochs", 1, "--device", "cpu")
    assert command("tune", "delivery-time", "--trials", 1, *options) == 0
    first = json.loads((tmp_path / "tuning.json").read_text())
    assert command("tune", "delivery-time", "--trials", 2, "--figures", *options) == 0
    tuning = json.loads((tmp_path / "tuning.json").read_text())
    assert len(first["trials"]) == 1
    assert tuning["trials"][:1] == first["trials"]
    assert len(tuning["trials"]) == 2
    assert tuning["best"]["value"] == min(trial["value"] for trial in tuning["trials"])
    assert all(trial["settings"]["splits"] == 0 for trial in tuning["trials"])
    assert all(trial["standard_error"] > 0 for trial in tuning["trials"])
    assert set(tuning["as_good_as_the_best"]) < {trial["run"] for trial in tuning["trials"]}
    for trial, drawn in zip(tuning["trials"], (False, True), strict=True):
        assert Path(trial["run"], "figures", "residuals.png").exists() == drawn
        assert ("<img" in Path(trial["run"], "report.html").read_text()) == drawn
    said = capsys.readouterr().out.splitlines()
    program, *words = shlex.split(next(line for line in reversed(said) if line.startswith("groundwork train ")))
    assert program == "groundwork"
    assert any(line.startswith(f"The best settings are in {tuning['best']['run']}: ") for line in said)
    trial_only = delivery_time.WORKLOAD.trial_settings
    shortened = [word for name in trial_only for word in (f"--{name.replace('_', '-')}", 0)]
    assert command(*words, *shortened, "--no-figures", "--device", "cpu", "--output", tmp_path / "again") == 0
    assert metrics(tmp_path / "again")["settings"] == tuning["best"]["settings"]


def test_a_file_that_is_no_searchs_is_not_replaced(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tuning.json").write_text("[440]")
    options = ("--data", folder / "delivery", "--output", tmp_path, "--device", "cpu")
    assert command("tune", "delivery-time", *options) == 2
    assert "tuning.json: This file is not of a search" in capsys.readouterr().err
    assert (tmp_path / "tuning.json").read_text() == "[440]"


def test_a_study_is_not_continued_on_other_data(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.journal").write_bytes(b"")
    Search("delivery-time", load("delivery-time"), {}, RunOptions(), "other data", str(tmp_path)).study(
        JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    )
    options = ("--data", folder / "delivery", "--output", tmp_path, "--device", "cpu")
    assert command("tune", "delivery-time", *options) == 2
    assert "The study there is of other data or settings" in capsys.readouterr().err


def change(data: Path) -> None:
    """Take some rows out of each file."""
    for file in data.iterdir():
        header, *rows = file.read_text().splitlines()
        file.write_text("\n".join([header, *rows[30:]]) + "\n")


def test_a_study_is_not_continued_when_what_lies_at_the_place_of_its_data_has_changed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = shutil.copytree(folder / "delivery", tmp_path / "data")
    options = ("--data", data, "--output", tmp_path / "study", "--folds", 2, "--epochs", 1, "--device", "cpu")
    assert command("tune", "delivery-time", "--trials", 1, *options) == 0
    change(data)
    assert command("tune", "delivery-time", "--trials", 2, *options) == 2
    assert f"{data}: The data has changed" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "study" / "tuning.json").read_text())["trials"]) == 1
    shutil.copytree(folder / "delivery", data, dirs_exist_ok=True)
    assert command("tune", "delivery-time", "--trials", 2, *options) == 0


@pytest.mark.parametrize(
    ("workload", "data", "options"), [("delivery-time", "delivery", DELIVERY), ("player-position", "nfl", POSITION)]
)
def test_an_interrupted_run_is_not_continued_on_other_data(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    workload: str,
    data: str,
    options: tuple[str, ...],
) -> None:
    copy = shutil.copytree(folder / data, tmp_path / "data")
    arguments = ("train", workload, "--data", copy, "--output", tmp_path / "run", *options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "record", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
        assert command(*arguments) == 75
    change(copy)
    assert command(*arguments) == 2
    assert "belongs to a run on other data" in capsys.readouterr().err
    shutil.copytree(folder / data, copy, dirs_exist_ok=True)
    assert command(*arguments) == 0
    assert "continuing at epoch 2" in capsys.readouterr().out


def test_several_workers_share_a_grid_without_trying_anything_twice(folder: Path, tmp_path: Path) -> None:
    options = ("--data", folder / "delivery", "--output", tmp_path, "--epochs", 1, "--folds", 2, "--repeats", 1)
    assert command("tune", "delivery-time", "--trials", 2, "--workers", 2, "--sampler", "grid", *options) == 0
    trials = json.loads((tmp_path / "tuning.json").read_text())["trials"]
    tried = {tuple(trial["settings"][name] for name in delivery_time.WORKLOAD.grid) for trial in trials}
    assert len(trials) == len(tried) == 2


def test_settings_are_searched_for_in_each_split_where_trials_are_asked_for(folder: Path, tmp_path: Path) -> None:
    tuned_on: list[int] = []
    original = delivery_time.tuned

    def tuned(settings: Settings, rows: pd.DataFrame, device: torch.device) -> Settings:
        tuned_on.append(len(rows))
        return original(settings, rows, device)

    options = ("--splits", 1, "--epochs", 1, "--nested-trials", 1, "--folds", 2, "--repeats", 1, "--device", "cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery_time, "tuned", tuned)
        assert command("train", "delivery-time", "--data", folder / "delivery", "--output", tmp_path, *options) == 0
    assert tuned_on == [400, 320]
    assert "(1 trials)" in (tmp_path / "MODEL_CARD.md").read_text()
