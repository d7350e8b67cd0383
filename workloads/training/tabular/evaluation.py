"""Models beside the baselines over many splits, in one table."""

from __future__ import annotations

import hashlib
import itertools
import math
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
    """The scores of several models on several splits.

    Attributes:
        delivered: The name of the model that the run delivers.
        rows: A row a split and model: `split`, `model` and the scores.
    """

    def __init__(self, delivered: str) -> None:
        self.delivered = delivered
        self.rows: list[dict[str, Any]] = []

    def add(self, split: int, model: str, scores: Mapping[str, float]) -> None:
        """The scores of a model on the test rows of a split."""
        self.rows.append({"split": split, "model": model, **scores})

    @property
    def over(self) -> str:
        """What the scores are of, in words."""
        splits = len({row["split"] for row in self.rows})
        return "one split" if splits == 1 else f"mean of {splits} splits"

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
        """Some scores, a line a model: mean ± standard deviation where there are several splits."""

        def text(score: Mapping[str, float]) -> str:
            deviation = f" ± {score['sd']:.{digits}f}" if len({row["split"] for row in self.rows}) > 1 else ""
            return f"{score['mean']:.{digits}f}{deviation}"

        lines = [(name, *(text(figures[score]) for score in scores)) for name, figures in self.summary().items()]
        return Table(f"{title}, {self.over}", ("Model", *(score.replace("_", " ") for score in scores)), lines)


def digest(frame: pd.DataFrame) -> str:
    """SHA-256 of a table's values, whatever file they came in."""
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()


def errors_by_group(groups: Mapping[str, pd.Series], residuals: NDArray[np.float64]) -> dict[str, pd.DataFrame]:
    """For each way to group rows, a line a group: `Rows`, `MAE` and `Bias` (the mean of truth - prediction).

    Args:
        groups: The group of each row, by the name of the grouping; missing is a group of its own.
        residuals: Truth - prediction, [n].
    """
    frames = {}
    for name, group in groups.items():
        names = group.astype("object").where(group.notna().to_numpy(), "missing").map(str)
        ordered = isinstance(group.dtype, pd.CategoricalDtype)
        order = [*group.cat.categories, "missing"] if ordered else sorted(set(names))
        by_group = pd.DataFrame({"Rows": 1, "MAE": abs(residuals), "Bias": residuals}).groupby(names.to_numpy())
        errors = by_group.agg({"Rows": "sum", "MAE": "mean", "Bias": "mean"})
        frames[name] = errors.loc[[group for group in order if group in errors.index]]
    return frames


def ranges(values: pd.Series, edges: Sequence[float]) -> pd.Series:
    """The range that each value is in, an ordered category: `to 5`, `5 to 10`, `above 10`."""
    names = [f"to {edges[0]}", *(f"{low} to {high}" for low, high in itertools.pairwise(edges)), f"above {edges[-1]}"]
    return pd.cut(values, [-math.inf, *edges, math.inf], labels=names)


def lines(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Columns and lines of a table of the report: the index first, whole numbers whole, others with two digits."""
    shown = frame.map(lambda value: f"{value:.2f}" if isinstance(value, float) else str(value))
    return ["Group", *map(str, frame.columns)], [[str(row[0]), *row[1:]] for row in shown.itertuples()]
