"""Conformal intervals hold as many truths as they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InputError
from workloads.training.tabular.intervals import conformal_factor, coverage_band, fewest_rows


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


@pytest.mark.parametrize(("coverage", "rows"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_with_too_few_rows_there_is_no_interval(coverage: float, rows: int) -> None:
    assert fewest_rows(coverage) == rows
    assert conformal_factor(np.ones(rows), np.zeros(rows), np.ones(rows), coverage) == 1
    with pytest.raises(InputError, match=f"{rows - 1} rows are too few .* At least {rows} are needed"):
        conformal_factor(np.ones(rows - 1), np.zeros(rows - 1), np.ones(rows - 1), coverage)


def test_nine_of_ten_samples_are_within_the_band_of_their_coverage() -> None:
    generator = np.random.default_rng(1)
    least, most = coverage_band(60, 0.8, 100)
    held = []
    for _ in range(1000):
        truth = generator.normal(size=160)
        factor = conformal_factor(truth[:60], np.zeros(60), np.ones(60), 0.8)
        held.append(np.mean(np.abs(truth[60:]) <= factor))
    within = np.mean([least <= share <= most for share in held])
    assert 0.88 <= within <= 0.95


def test_more_rows_make_the_band_narrower() -> None:
    few, many = coverage_band(40, 0.8, 200), coverage_band(4000, 0.8, 200)
    assert many[1] - many[0] < few[1] - few[0]
