"""Differences between models: what is noise is called noise, and what is none is not called one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import ShuffleSplit

from workloads.differences import (
    independent_difference,
    means_something,
    paired_difference,
    pooled_difference,
    shown,
    sign_test,
)


def test_a_difference_has_the_standard_error_of_nadeau_and_bengio() -> None:
    difference = paired_difference([0.1, 0.2, 0.3, 0.2], test_share=0.2)
    variance = np.var([0.1, 0.2, 0.3, 0.2], ddof=1)
    assert difference["mean"] == pytest.approx(0.2)
    assert difference["standard_error"] == pytest.approx(np.sqrt((1 / 4 + 0.25) * variance))


def test_two_models_that_are_equally_good_rarely_differ_although_their_splits_overlap() -> None:
    """Two models, each of which sees another useless feature: the plain t-test often finds a difference."""
    generator = np.random.default_rng(0)
    found = {"corrected": 0, "plain": 0}
    for _ in range(60):
        useful, first, second = generator.normal(size=(3, 60))
        target = useful + generator.normal(size=60)
        differences = []
        for seen, unseen in ShuffleSplit(60, test_size=0.2, random_state=0).split(target):
            errors = []
            for useless in (first, second):
                features = np.column_stack([useful, useless])
                prediction = LinearRegression().fit(features[seen], target[seen]).predict(features[unseen])
                errors.append(np.abs(prediction - target[unseen]).mean())
            differences.append(errors[0] - errors[1])
        found["corrected"] += means_something(paired_difference(differences, 0.2))
        found["plain"] += means_something(paired_difference(differences, 0.0))
    assert found["corrected"] < 0.12 * 60
    assert found["plain"] > 0.25 * 60


def test_a_difference_that_means_nothing_says_so() -> None:
    assert shown(paired_difference([0.01, -0.01, 0.02], 0.2)).endswith("(noise)")
    assert shown(paired_difference([0.10, 0.11, 0.12], 0.2)).startswith("+0.110 ± 0.00")
    assert "noise" not in shown(paired_difference([0.10, 0.11, 0.12], 0.2))


def test_a_model_does_not_differ_from_itself() -> None:
    assert not means_something(paired_difference([0.0, 0.0], 0.2))


def test_the_sign_test_counts_subjects_and_leaves_ties_out() -> None:
    test = sign_test(np.array([1.0, 1.0, 0.5, 0.0]), np.array([0.0, 0.0, 0.5, 1.0]))
    assert (test["better"], test["worse"]) == (2, 1)
    assert test["p"] == pytest.approx(1.0)
    assert sign_test(np.ones(8), np.zeros(8))["p"] == pytest.approx(2 / 2**8)
    assert sign_test(np.ones(3), np.ones(3))["p"] == 1


def test_differences_on_independent_subjects_are_judged_by_the_paired_t_test() -> None:
    generator = np.random.default_rng(1)
    first = generator.normal(0.3, 1, 40)
    second = first - generator.normal(0.2, 0.3, 40)
    difference = independent_difference((first - second).tolist())
    judged = stats.ttest_rel(first, second)
    assert difference["mean"] == pytest.approx((first - second).mean())
    assert difference["standard_error"] == pytest.approx((first - second).std(ddof=1) / np.sqrt(40))
    assert difference["p"] == pytest.approx(judged.pvalue)
    assert not means_something(independent_difference([0.5]))


def test_a_score_of_sums_is_judged_by_drawing_subjects_again() -> None:
    def share(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return counts[..., 0] / counts[..., 1]

    generator = np.random.default_rng(2)
    trials = np.full(60, 20.0)
    good, equal, bad = (np.column_stack([generator.binomial(20, p, 60), trials]) for p in (0.6, 0.6, 0.4))
    difference = pooled_difference(good, bad, share)
    assert difference["mean"] == pytest.approx(share(good.sum(0)) - share(bad.sum(0)))
    expected = np.sqrt((good[:, 0] / 20 - bad[:, 0] / 20).var(ddof=1) / 60)
    assert difference["standard_error"] == pytest.approx(expected, rel=0.05)
    assert means_something(difference)
    assert not means_something(pooled_difference(good, equal, share))
    assert not means_something(pooled_difference(good, good, share))
