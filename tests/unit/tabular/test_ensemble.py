"""Ensembles: each member is as if it were alone, and never learns from what it leaves out."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from workloads.training.tabular.ensemble import Ensemble, QuietLoop, fit_ensemble, leave_out, out_of_fold


def fit(features: torch.Tensor, target: torch.Tensor, learns: torch.Tensor) -> Ensemble:
    loop = QuietLoop(3)
    model = Ensemble(learns.shape[1], features.shape[1], [8], 1, dropout=0.1)
    fit_ensemble(
        model,
        features,
        learns,
        lambda outputs, rows: (outputs[..., 0] - target[rows, None]).square(),
        loop,
        epochs=20,
        batch_size=16,
        learning_rate=0.05,
        weight_decay=0.1,
    )
    return model


def example() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 3, generator=generator)
    learns = torch.tensor(leave_out(np.arange(60), 3, 1, seed=0), dtype=torch.float32)
    return features, features @ torch.tensor([1.0, -2.0, 0.5]), learns


@given(
    groups=st.lists(st.integers(0, 12), min_size=1, max_size=40),
    folds=st.integers(2, 6),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_every_group_is_left_out_whole_and_once_a_repeat(
    groups: list[int], folds: int, repeats: int, seed: int
) -> None:
    learns = leave_out(np.array(groups), folds, repeats, seed)
    assert learns.shape == (len(groups), folds * repeats)
    assert ((~learns).sum(1) == repeats).all()
    for group in set(groups):
        assert len(np.unique(learns[np.array(groups) == group], axis=0)) == 1


def test_a_member_does_not_change_with_the_targets_it_leaves_out() -> None:
    features, target, learns = example()
    altered = torch.where(learns[:, 0] == 0, 1000.0, target)
    first, second = fit(features, target, learns), fit(features, altered, learns)
    assert torch.equal(first.weights[0][0], second.weights[0][0])
    assert not torch.equal(first.weights[0][1], second.weights[0][1])


def test_out_of_fold_predictions_are_those_of_the_members_that_left_the_row_out() -> None:
    outputs = torch.arange(12.0).reshape(2, 3, 2)
    learns = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert torch.equal(out_of_fold(outputs, learns), torch.stack([outputs[0, 1], outputs[1, :2].mean(0)]))


def test_training_learns_and_is_repeatable() -> None:
    features, target, learns = example()
    model = fit(features, target, learns)
    with torch.inference_mode():
        unseen = out_of_fold(model(features), learns)[:, 0]
    assert (unseen - target).square().mean() < 0.1 * target.var()
    again = fit(features, target, learns)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))


def test_an_ensemble_is_built_again_from_its_arguments() -> None:
    model = Ensemble(2, 3, [5, 4], 2, linear_path=False)
    again = Ensemble(**model.arguments)
    again.load_state_dict(model.state_dict())
    rows = torch.randn(4, 3)
    assert again(rows).shape == (4, 2, 2)
    assert torch.equal(again(rows), model(rows))
