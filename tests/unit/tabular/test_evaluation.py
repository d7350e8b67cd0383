"""The scores of several models, in words and tables."""

import pytest

from workloads.training.tabular.evaluation import Comparison


def compared(*scores: float) -> Comparison:
    comparison = Comparison("network")
    for split, score in enumerate(scores):
        comparison.add(split, "mean", {"r2": 0.0})
        comparison.add(split, "network", {"r2": score})
    return comparison


@pytest.mark.parametrize(
    ("scores", "words", "cell"),
    [((0.8,), "one split", "0.800"), ((0.8, 0.9), "mean of 2 splits", "0.850 ± 0.050")],
)
def test_one_split_has_no_mean_and_no_deviation(scores: tuple[float, ...], words: str, cell: str) -> None:
    comparison = compared(*scores)
    assert comparison.over == words
    table = comparison.table("Models", ("r2",))
    assert table.title == f"Models, {words}"
    assert ("network", cell) in table.rows
