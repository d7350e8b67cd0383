"""Conformal intervals hold as many truths as they promise."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workloads.training.tabular.intervals import conformal_factor


@given(st.integers(20, 300), st.sampled_from([0.5, 0.8, 0.95]), st.integers(0, 1000))
def test_the_rows_it_was_made_from_are_held_in_the_promised_share_and_hardly_more(
    count: int, coverage: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    truth, prediction, scale = generator.normal(size=count), np.zeros(count), generator.uniform(0.5, 2, count)
    held = np.mean(np.abs(truth) / scale <= conformal_factor(truth, prediction, scale, coverage))
    assert coverage <= held <= coverage + 2 / count or held == 1


def test_new_rows_are_held_in_the_promised_share() -> None:
    generator = np.random.default_rng(0)
    held = []
    for _ in range(300):
        scale = generator.uniform(0.2, 5, 200)
        truth = generator.standard_t(3, 200) * scale
        half = conformal_factor(truth[:100], np.zeros(100), scale[:100], 0.8) * scale[100:]
        held.append(np.mean(np.abs(truth[100:]) <= half))
    assert abs(np.mean(held) - 0.8) < 0.015
