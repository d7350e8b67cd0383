"""The measures of generative models, on sets whose quality is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from workloads.training.models.digit_gan.quality import (
    frechet_distance,
    is_collapsed,
    nearest_neighbour_ratio,
    nearest_neighbours,
    precision_and_recall,
    relative_entropy,
)


def gaussian(count: int = 400, dimensions: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=4))
@settings(max_examples=20, deadline=None)
def test_the_frechet_distance_of_a_shifted_set_is_the_square_of_the_shift(shift: list[float]) -> None:
    moved = gaussian() + torch.tensor(shift, dtype=torch.float64)
    expected = sum(value**2 for value in shift)
    assert frechet_distance(gaussian(), moved) == pytest.approx(expected, abs=1e-6)


@given(st.floats(0, 4))
@settings(max_examples=20, deadline=None)
def test_the_frechet_distance_of_a_scaled_set_is_that_of_its_gaussian(scale: float) -> None:
    features = gaussian()
    features -= features.mean(0)
    expected = (1 - scale) ** 2 * float(features.var(0).sum())
    assert frechet_distance(features, scale * features) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_the_frechet_distance_of_correlated_sets_is_the_formula_with_the_root_of_a_matrix(seed: int) -> None:
    mixing = gaussian(6, 6, seed=seed)
    one, other = gaussian(dimensions=6, seed=seed) @ mixing, gaussian(dimensions=6, seed=seed + 1) + 1
    spreads = [np.cov(features.numpy().T) for features in (one, other)]
    apart = (one.mean(0) - other.mean(0)).numpy()
    expected = apart @ apart + np.trace(sum(spreads) - 2 * scipy.linalg.sqrtm(spreads[0] @ spreads[1]).real)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6)


def test_the_frechet_distance_of_equal_sets_is_zero_and_never_negative() -> None:
    assert frechet_distance(gaussian(), gaussian()) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(gaussian(), gaussian()) >= 0


def test_the_frechet_distance_is_the_same_both_ways() -> None:
    one, other = gaussian(seed=1), 2 * gaussian(seed=2) + 1
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))


def test_precision_and_recall_are_one_for_equal_sets_and_zero_for_distant_ones() -> None:
    assert precision_and_recall(gaussian(), gaussian()) == (1, 1)
    assert precision_and_recall(gaussian(), gaussian() + 100) == (0, 0)


def test_a_generator_of_half_the_variety_keeps_precision_and_loses_half_the_recall() -> None:
    real = torch.cat([gaussian(seed=1), gaussian(seed=2) + 50])
    precision, recall = precision_and_recall(real, gaussian(seed=3))
    assert precision > 0.8
    assert recall == pytest.approx(0.5, abs=0.1)


def test_a_generator_of_real_images_and_noise_keeps_recall_and_loses_half_the_precision() -> None:
    generated = torch.cat([gaussian(seed=1), 50 + gaussian(seed=2)])
    precision, recall = precision_and_recall(gaussian(seed=3), generated)
    assert precision == pytest.approx(0.5, abs=0.1)
    assert recall > 0.8


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200))
def test_the_entropy_of_classes_is_a_share_that_relabelling_does_not_change(labels: list[int]) -> None:
    entropy = relative_entropy(torch.tensor(labels), 10)
    assert -1e-12 <= entropy <= 1 + 1e-12
    assert relative_entropy(9 - torch.tensor(labels), 10) == pytest.approx(entropy)


def test_the_entropy_is_one_when_all_classes_are_equally_many_and_zero_when_there_is_one() -> None:
    assert relative_entropy(torch.arange(50) % 10, 10) == pytest.approx(1)
    assert relative_entropy(torch.full((50,), 3), 10) == 0


def test_copies_of_training_images_are_found() -> None:
    training, held_out = gaussian(seed=1), gaussian(seed=2)
    assert nearest_neighbour_ratio(training[:100], held_out, training) == pytest.approx(0, abs=1e-2)
    assert nearest_neighbour_ratio(gaussian(seed=3), held_out, training) == pytest.approx(1, abs=0.15)


def test_the_nearest_neighbour_of_each_point_is_found() -> None:
    reference = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    distances, indices = nearest_neighbours(torch.tensor([[3.0, 3.0], [0.0, 2.0]]), reference)
    assert distances.tolist() == pytest.approx([1, 2])
    assert indices.tolist() == [1, 0]


def test_missing_digits_and_missing_variety_are_collapse() -> None:
    healthy, few_digits = relative_entropy(torch.arange(100) % 10, 10), relative_entropy(torch.arange(100) % 8, 10)
    assert not is_collapsed(healthy, recall=0.6)
    assert is_collapsed(few_digits, recall=0.6)
    assert is_collapsed(healthy, recall=0.02)
