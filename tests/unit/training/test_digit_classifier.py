"""Predictions of the classifier: averaged over moved copies, and computed in one precision everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from workloads.storage import locate
from workloads.training.mnist import FILES, format_idx
from workloads.training.models import digit_classifier
from workloads.training.models.digit_classifier.augmentation import moved
from workloads.training.models.digit_classifier.settings import Settings
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train


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
    generator = np.random.default_rng(0)
    for name in FILES:
        shape = (40, 28, 28) if "images" in name else (40,)
        (tmp_path / name).write_bytes(format_idx(generator.integers(0, 10, shape).astype(np.uint8)))
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
