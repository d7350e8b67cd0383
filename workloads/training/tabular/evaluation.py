"""Models beside the baselines over many splits, in one table."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn import metrics

from workloads.training.runtime.results import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

Scores = dict[str, float]


def regression_scores(truth: NDArray[np.float64], prediction: NDArray[np.float64]) -> Scores:
    """R2, mean absolute error and root mean squared error, in the units of the target."""
    return {
        "r2": float(metrics.r2_score(truth, prediction)),
        "mae": float(metrics.mean_absolute_error(truth, prediction)),
        "rmse": float(metrics.root_mean_squared_error(truth, prediction)),
    }


def classification_scores(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Scores:
    """Accuracy, and the mean of the F1 of the classes that occur.

    Args:
        truth: Class numbers, [n].
        probabilities: [n, classes]; the largest is the prediction.
    """
    prediction = probabilities.argmax(1)
    return {
        "accuracy": float(metrics.accuracy_score(truth, prediction)),
        "macro_f1": float(metrics.f1_score(truth, prediction, average="macro", zero_division=0)),
    }


class Comparison:
    """The scores of several models on several splits."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, split: int, model: str, scores: Mapping[str, float]) -> None:
        """The scores of a model on the test rows of a split."""
        self.rows.append({"split": split, "model": model, **scores})

    def mean(self, model: str) -> Scores:
        """Each score's mean over the splits."""
        return {name: value["mean"] for name, value in self.summary()[model].items()}

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """By model and score: mean and standard deviation over the splits."""
        frame = pd.DataFrame(self.rows)
        figures: dict[str, dict[str, dict[str, float]]] = {}
        for name in dict.fromkeys(frame["model"]):
            scores = frame[frame["model"] == name].drop(columns=["split", "model"]).dropna(axis=1, how="all")
            figures[str(name)] = {
                str(score): {"mean": float(scores[score].mean()), "sd": float(scores[score].std(ddof=0))}
                for score in scores
            }
        return figures

    def table(self, title: str, scores: Sequence[str], digits: int = 3) -> Table:
        """Mean ± standard deviation of some scores, a line a model."""
        lines = [
            (name, *(f"{figures[score]['mean']:.{digits}f} ± {figures[score]['sd']:.{digits}f}" for score in scores))
            for name, figures in self.summary().items()
        ]
        return Table(title, ("Model", *(score.replace("_", " ") for score in scores)), lines)


def digest(frame: pd.DataFrame) -> str:
    """SHA-256 of a table's values, whatever file they came in."""
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()


def group_table(title: str, groups: pd.Series, errors: pd.DataFrame) -> Table:
    """How many rows a group has and the mean of each column of errors in it; missing is a group of its own.

    Args:
        title: Of the table.
        groups: The group of each row.
        errors: One column an error, aligned with the groups.
    """
    names = groups.astype("object").where(groups.notna(), "missing")
    means = errors.groupby(names, sort=False).mean()
    sizes = names.value_counts()
    lines = [(name, int(sizes[name]), *(f"{value:.2f}" for value in means.loc[name])) for name in means.index]
    return Table(title, (str(groups.name), "Rows", *errors.columns), lines)
