"""Digit models as ONNX files: ONNX Runtime gives the answers of PyTorch, and what cannot be exported is named."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from contract.errors import InputError
from workloads.storage import locate
from workloads.training.mnist import FILES, read_images
from workloads.training.models.digit_classifier import model as digit_classifier
from workloads.training.models.digit_gan import model as digit_gan
from workloads.training.runtime.onnx import check_answers
from workloads.training.runtime.run_folder import load_model
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train
from workloads.training.runtime.workload import Exportable

Command = Callable[..., int]


@pytest.fixture(scope="module")
def classifier(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("classifier") / "run"
    settings = digit_classifier.Settings(epochs=2, batch_size=50, architecture="tiny")
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


def test_onnx_runtime_gives_the_classifiers_predictions(
    classifier: Path, digits: Path, tmp_path: Path, command: Command
) -> None:
    file, table = tmp_path / "model.onnx", tmp_path / "predictions.csv"
    assert command("export", "--model", classifier, "--output", file) == 0
    images = digits / FILES[2]
    assert command("predict", "digit-classifier", "--model", classifier, "--input", images, "--output", table) == 0
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {"images": read_images(locate(str(images)))})
    predicted = pd.read_csv(table)
    assert np.array_equal(probabilities.argmax(1), predicted["prediction"])
    np.testing.assert_allclose(probabilities.max(1), predicted["confidence"], atol=1e-4)
    facts = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert facts["workload"] == "digit-classifier"
    assert facts["data"] == json.loads((classifier / "metrics.json").read_text())["data"]["sha256"]


@pytest.mark.parametrize("conditional", [True, False])
def test_onnx_runtime_draws_the_generators_images(
    digits: Path,
    classifier: Path,
    tmp_path: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    *,
    conditional: bool,
) -> None:
    run, file = tmp_path / "run", tmp_path / "gan.onnx"
    settings = digit_gan.Settings(epochs=1, batch_size=50, conditional=conditional, classifier=str(classifier))
    options = RunOptions(device="cpu", figures=False)
    train(digit_gan.NAME, digit_gan.WORKLOAD, settings, options=options, data=str(digits), output=str(run))
    capsys.readouterr()
    assert command("export", "--model", run, "--output", file, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["inputs"]) == ["noise", "digits"][: 1 + conditional]
    assert document["bytes"] == file.stat().st_size
    exported = digit_gan.export(locate(str(run)))
    inputs = {name: torch.cat([example, example]) for name, example in exported.inputs.items()}
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (images,) = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    with torch.inference_mode():
        expected = exported.network.eval()(*inputs.values())
    assert images.dtype == np.uint8
    assert np.abs(images.astype(int) - expected.numpy().astype(int)).max() <= 1


@pytest.mark.parametrize("change", [{"architecture": "deep"}, {"architecture": "immense"}, {"blocks": 3}])
def test_a_model_of_another_version_is_one_clear_line(
    classifier: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str], change: dict[str, object]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(classifier, run)
    _, settings = load_model(locate(str(run)), digit_classifier.NAME)
    (run / "model.json").write_text(json.dumps({**settings, **change}))
    assert command("export", "--model", run, "--output", tmp_path / "model.onnx") == 2
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert f"Error: {run}: The model was written by another version of Groundwork" in complaint
    assert not (tmp_path / "model.onnx").exists()


def test_a_run_of_another_workload_is_one_clear_line(
    classifier: Path, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(classifier, run)
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps({**metrics, "workload": "delivery-time"}))
    assert command("export", "--model", run, "--output", tmp_path / "model.onnx") == 2
    assert f"{run}: This is a run of delivery-time, which cannot be exported." in capsys.readouterr().err


def test_packages_that_are_not_installed_are_named(
    classifier: Path,
    tmp_path: Path,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert command("export", "--model", classifier, "--output", tmp_path / "model.onnx") == 2
    assert "pip install --group onnx" in capsys.readouterr().err


def one_operator(operator: str) -> bytes:
    """An ONNX file whose graph is one operator."""
    put_in, given = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3]) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "graph", [put_in], [given])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def test_an_operator_that_the_runtime_lacks_is_named() -> None:
    exportable = Exportable(nn.Identity(), {"x": torch.zeros(2, 3)}, "y")
    with pytest.raises(InputError, match=r"ONNX Runtime .* cannot run the model: .*Grumble.*Install a newer") as caught:
        check_answers(one_operator("Grumble"), exportable)
    assert "\n" not in str(caught.value)


def test_a_file_that_answers_otherwise_is_refused() -> None:
    exportable = Exportable(nn.Identity(), {"x": torch.ones(2, 3)}, "y")
    check_answers(one_operator("Identity"), exportable)
    with pytest.raises(InputError, match="the largest difference is 2"):
        check_answers(one_operator("Neg"), exportable)
