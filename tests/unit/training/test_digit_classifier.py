"""Predictions of the classifier: averaged over moved copies, and computed in one precision everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from contract.errors import InputError
from workloads.storage import locate
from workloads.training.mnist import FILES, format_idx, read_images
from workloads.training.models.digit_classifier import model as digit_classifier
from workloads.training.models.digit_classifier.augmentation import moved
from workloads.training.models.digit_classifier.settings import Settings
from workloads.training.models.digit_gan.judge import Judge
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train


def write_noise(folder: Path) -> None:
    """Write 40 images of random pixels to learn from, and 40 to test on, with random labels."""
    generator = np.random.default_rng(0)
    for name in FILES:
        shape, values = ((40, 28, 28), 256) if "images" in name else ((40,), 10)
        (folder / name).write_bytes(format_idx(generator.integers(0, values, shape).astype(np.uint8)))


@pytest.mark.parametrize("move", [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (2, -3)])
def test_background_moves_in_where_an_image_moves_out(move: tuple[int, int]) -> None:
    images = torch.randint(1, 255, (2, 6, 7), dtype=torch.uint8)
    down, right = move
    expected = torch.zeros_like(images)
    expected[:, max(down, 0) : 6 + min(down, 0), max(right, 0) : 7 + min(right, 0)] = images[
        :, max(-down, 0) : 6 + min(-down, 0), max(-right, 0) : 7 + min(-right, 0)
    ]
    assert torch.equal(moved(images, down, right), expected)


def test_a_stroke_at_the_edge_does_not_come_in_at_the_other_side() -> None:
    class LeftColumn(nn.Module):
        """Says 1 where there is something in the left column."""

        def forward(self, images: Tensor) -> Tensor:
            lit = (images[:, :, 0] > 0).any(1).float() * 100
            return torch.stack([50 - lit, lit - 50], 1)

    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    image[:, :, -1] = 255
    assert digit_classifier.predict_probabilities(LeftColumn(), image, shifts=True)[0, 1] < 0.01


def test_the_test_figures_are_computed_as_predictions_are_whatever_the_precision_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_noise(tmp_path)
    seen: list[tuple[bool, Tensor]] = []
    original = digit_classifier.predict_probabilities

    def spy(model: nn.Module, images: Tensor, *, shifts: bool) -> Tensor:
        probabilities = original(model, images, shifts=shifts)
        seen.append((torch.is_autocast_enabled("cpu"), probabilities))
        return probabilities

    monkeypatch.setattr(digit_classifier, "predict_probabilities", spy)
    settings = Settings(epochs=1, batch_size=10)
    options = RunOptions(device="cpu", precision="bfloat16", figures=False)
    run = str(tmp_path / "run")
    train(digit_classifier.NAME, digit_classifier.WORKLOAD, settings, options=options, data=str(tmp_path), output=run)
    (validated_in_bfloat16, _), (tested_in_bfloat16, tested) = seen
    assert validated_in_bfloat16
    assert not tested_in_bfloat16
    digit_classifier.predict(locate(run), locate(str(tmp_path / FILES[2])))
    torch.testing.assert_close(seen[-1][1], tested, rtol=0, atol=1e-6)


def test_the_tiny_network_has_at_most_5000_weights() -> None:
    assert sum(weights.numel() for weights in digit_classifier.build("tiny").parameters()) <= 5_000


def test_members_learn_from_parts_of_their_own_and_their_probabilities_are_averaged() -> None:
    torch.manual_seed(0)
    members = digit_classifier.build("tiny", members=3)
    assert isinstance(members, digit_classifier.Members)
    images = torch.randint(256, (6, 28, 28), dtype=torch.uint8)
    alone = [member.eval()(images).softmax(1) for member in members]
    torch.testing.assert_close(members.eval()(images).softmax(1), torch.stack(alone).mean(0))
    members(images)
    members.train()(images)[2:4].sum().backward()
    assert [any(weights.grad.any() for weights in member.parameters()) for member in members] == [
        False,
        True,
        False,
    ]


def test_a_run_of_several_networks_predicts_as_it_was_tested_and_judges_no_generator(tmp_path: Path) -> None:
    write_noise(tmp_path)
    settings = Settings(epochs=1, batch_size=10, architecture="tiny", members=2, weight_average=0.5)
    options = RunOptions(device="cpu", precision="float32", figures=False)
    run = tmp_path / "run"
    trained = train(
        digit_classifier.NAME, digit_classifier.WORKLOAD, settings, options=options, data=str(tmp_path), output=str(run)
    )
    assert trained.headline["Weights"] == "9,696"
    predicted = digit_classifier.predict(locate(str(run)), locate(str(tmp_path / FILES[2]))).table["prediction"]
    truth = read_labels(tmp_path / FILES[3])
    assert (predicted.to_numpy() == truth).mean() == trained.test["accuracy"]
    with pytest.raises(InputError, match="consists of 2 networks"):
        Judge.of_run(locate(str(run)))


def read_labels(path: Path) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(path.read_bytes(), np.uint8, offset=8)


def test_a_run_of_fewer_images_learns_from_the_first_ones_only(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    for folder in (whole, part):
        folder.mkdir()
        write_noise(folder)
    (part / FILES[0]).write_bytes(format_idx(read_images(locate(str(part / FILES[0])))[:30]))
    (part / FILES[1]).write_bytes(format_idx(read_labels(part / FILES[1])[:30]))
    settings = {"epochs": 1, "batch_size": 10, "architecture": "tiny"}
    options = RunOptions(device="cpu", precision="float32", figures=False)
    runs = [
        train(digit_classifier.NAME, digit_classifier.WORKLOAD, chosen, options=options, data=str(data), output=output)
        for chosen, data, output in (
            (Settings(**settings, training_images=30), whole, str(tmp_path / "run-of-whole")),
            (Settings(**settings), part, str(tmp_path / "run-of-part")),
        )
    ]
    assert [run.data["training_images"] for run in runs] == [30, 30]
    for name, weights in runs[0].model.items():
        assert torch.equal(weights, runs[1].model[name])
