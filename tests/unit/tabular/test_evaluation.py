"""The scores of several models, in words and tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workloads.training.tabular.evaluation import Comparison, classification_scores, errors_by_group


def compared(*scores: float) -> Comparison:
    comparison = Comparison("network", test_share=0.2)
    for split, score in enumerate(scores):
        comparison.add(split, "mean", {"r2": 0.0})
        comparison.add(split, "linear", {"r2": score + (0.01 if split % 2 else -0.012)})
        comparison.add(split, "network", {"r2": score})
    return comparison


def test_one_split_has_no_mean_and_no_difference() -> None:
    comparison = compared(0.8)
    assert comparison.over == "one split"
    table = comparison.table("Models", ("r2",))
    assert (table.title, table.columns) == ("Models, one split", ["Model", "r2"])
    assert ["network", "0.800"] in table.rows
    assert comparison.verdict("r2", ["mean", "linear"]) == ""


def test_beside_each_model_is_what_the_delivered_one_has_more_and_whether_that_is_noise() -> None:
    table = compared(0.8, 0.82, 0.81, 0.83).table("Models", ("r2",))
    assert table.columns == ["Model", "r2", "network less this"]
    assert table.rows[0][:2] == ["mean", "0.000"]
    differences = [str(row[2]) for row in table.rows]
    assert differences[0].startswith("+0.815 ± 0.0")
    assert not differences[0].endswith("(noise)")
    assert differences[1].endswith("(noise)")
    assert table.rows[2] == ["network", "0.815", ""]


def test_a_standard_deviation_over_overlapping_splits_is_not_shown() -> None:
    assert "sd" not in compared(0.8, 0.9).summary()["network"]["r2"]


def test_the_verdict_is_on_the_best_baseline_and_says_when_the_difference_means_nothing() -> None:
    comparison = compared(0.8, 0.82, 0.81, 0.83)
    verdict = comparison.verdict("r2", ["mean", "linear"])
    assert verdict.startswith("Beside linear, the best of the baselines by R2, the network is no different: +0.001 ±")
    assert "the network is better: +0.815" in comparison.verdict("r2", ["mean"])


def test_where_less_is_better_a_lower_score_is_the_better_one() -> None:
    comparison = Comparison("network", test_share=0.2)
    for split, error in enumerate((5.0, 5.1, 5.2)):
        comparison.add(split, "linear", {"mae": error + 1 + 0.01 * split})
        comparison.add(split, "network", {"mae": error})
    assert "the network is better: -1.010" in comparison.verdict("mae", ["linear"], higher_is_better=False)


def test_by_group_each_group_counts_as_much_as_another() -> None:
    truth, groups = np.array([0, 0, 0, 1]), np.array([7, 7, 7, 9])
    scores = classification_scores(truth, np.eye(2)[[0, 0, 0, 0]], groups)
    assert scores["accuracy"] == pytest.approx(0.75)
    assert scores["accuracy_by_group"] == pytest.approx(0.5)
    assert scores["macro_f1_by_group"] < scores["macro_f1"]


def test_the_share_within_an_interval_is_told_of_each_group() -> None:
    held = {"Within 80 %": np.array([True, False, True, True])}
    table = errors_by_group({"traffic": pd.Series(["Low", "Low", "High", "High"])}, np.ones(4), held)["traffic"]
    assert table["Within 80 %"].to_dict() == {"High": 1.0, "Low": 0.5}
