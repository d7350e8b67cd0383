"""Differences between models: what is noise is called noise, and what is none is not called one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import ShuffleSplit

from workloads.training.tabular.differences import means_something, paired_difference, shown, sign_test


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
