"""Models beside the baselines over many splits, in one table."""

from __future__ import annotations

import hashlib
import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn import metrics

from workloads.differences import means_something, paired_difference, shown
from workloads.training.runtime.results import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Scores = dict[str, float]


def regression_scores(truth: NDArray[np.float64], prediction: NDArray[np.float64]) -> Scores:
    """R2, mean absolute error and root mean squared error, in the units of the target."""
    return {
        "r2": float(metrics.r2_score(truth, prediction)),
        "mae": float(metrics.mean_absolute_error(truth, prediction)),
        "rmse": float(metrics.root_mean_squared_error(truth, prediction)),
    }


def classification_scores(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], groups: NDArray[np.int64]
) -> Scores:
    """Accuracy, and the mean of the F1 of the classes that occur: of rows, and of groups.

    Args:
        truth: Class numbers, [n].
        probabilities: [n, classes]; the largest is the prediction.
        groups: Whose row it is, [n]. In the scores `..._by_group` each group counts as much as another, however many
            rows it has.
    """
    prediction = probabilities.argmax(1)
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    scores = {}
    for suffix, weights in {"": None, "_by_group": 1 / sizes[group]}.items():
        f1 = metrics.f1_score(truth, prediction, average="macro", zero_division=0, sample_weight=weights)
        scores[f"accuracy{suffix}"] = float(metrics.accuracy_score(truth, prediction, sample_weight=weights))
        scores[f"macro_f1{suffix}"] = float(f1)
    return scores


class Comparison:
    """The scores of several models on several splits.

    Args:
        delivered: The name of the model that the run delivers.
        test_share: The share of the rows that a split tests on.

    Attributes:
        delivered: As above.
        rows: A row a split and model: `split`, `model` and the scores.
    """

    def __init__(self, delivered: str, test_share: float) -> None:
        self.delivered = delivered
        self.rows: list[dict[str, Any]] = []
        self._test_share = test_share

    def add(self, split: int, model: str, scores: Mapping[str, float]) -> None:
        """Add the scores of a model on the test rows of a split."""
        self.rows.append({"split": split, "model": model, **scores})

    @property
    def splits(self) -> int:
        """How many splits there are scores of."""
        return len({row["split"] for row in self.rows})

    @property
    def over(self) -> str:
        """What the scores are of, in words."""
        return "one split" if self.splits == 1 else f"mean of {self.splits} splits"

    def mean(self, model: str) -> Scores:
        """Return each score's mean over the splits."""
        return {name: value["mean"] for name, value in self.summary()[model].items()}

    def summary(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By model and score: `mean`, `least` and `most` of the splits, and the `difference` to the delivered model.

        The difference is that of `paired_difference`: the delivered model less this one. One split has none.
        """
        frame = pd.DataFrame(self.rows).set_index("split")
        delivered = frame[frame["model"] == self.delivered]
        figures: dict[str, dict[str, dict[str, Any]]] = {}
        for name in dict.fromkeys(frame["model"]):
            rows = frame[frame["model"] == name]
            scores = rows.drop(columns="model").dropna(axis=1, how="all")
            figures[str(name)] = {
                str(score): {
                    "mean": float(scores[score].mean()),
                    "least": float(scores[score].min()),
                    "most": float(scores[score].max()),
                }
                for score in scores
            }
            if name != self.delivered and self.splits > 1:
                for score in scores:
                    values = (delivered[score] - rows[score]).tolist()
                    figures[str(name)][str(score)]["difference"] = paired_difference(values, self._test_share)
        return figures

    def table(self, title: str, scores: Sequence[str], digits: int = 3) -> Table:
        """Return a table of scores with a row for each model; over several splits, also how the delivered one differs.

        The differences are shown with their standard errors, and marked where they mean nothing.
        """
        columns, lines = ["Model"], [[name] for name in self.summary()]
        for score in scores:
            name = score.replace("_", " ")
            columns += [name, f"{self.delivered} less this"] if self.splits > 1 else [name]
            for line, figures in zip(lines, self.summary().values(), strict=True):
                line.append(f"{figures[score]['mean']:.{digits}f}")
                if self.splits > 1:
                    difference = figures[score].get("difference")
                    line.append(shown(difference, digits) if difference else "")
        return Table(f"{title}, {self.over}", columns, lines)

    def verdict(self, score: str, baselines: Iterable[str], *, higher_is_better: bool = True) -> str:
        """A sentence on the delivered model beside the best of some baselines; empty where there is one split."""
        summary = self.summary()
        best = max(baselines, key=lambda name: summary[name][score]["mean"] * (1 if higher_is_better else -1))
        difference = summary[best][score].get("difference")
        if difference is None:
            return ""
        name = score.replace("_", " ").replace("r2", "R2")
        ahead = (difference["mean"] > 0) == higher_is_better
        verdict = ("better" if ahead else "worse") if means_something(difference) else "no different"
        return (
            f"Beside {best}, the best of the baselines by {name}, the {self.delivered} is {verdict}: "
            f"{difference['mean']:+.3f} ± {difference['standard_error']:.3f} (paired over the splits, corrected for "
            f"their overlap; p = {difference['p']:.2f})."
        )


def digest(frame: pd.DataFrame) -> str:
    """SHA-256 of a table's values, whatever file they came in."""
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()


def errors_by_group(
    groups: Mapping[str, pd.Series],
    residuals: NDArray[np.float64],
    indicators: Mapping[str, NDArray[np.bool_]] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return, for each way to group rows, a line for each group.

    Its columns are `Rows`, `MAE`, `Bias` (the mean of truth - prediction) and shares.

    Args:
        groups: The group of each row, by the name of the grouping; missing is a group of its own.
        residuals: Truth - prediction, [n].
        indicators: By the name of a column, what holds for each row, [n]; the column has its share of the group.
    """
    shares = indicators or {}
    columns = {"Rows": np.ones(len(residuals), int), "MAE": abs(residuals), "Bias": residuals, **shares}
    frames = {}
    for name, group in groups.items():
        names = group.astype("object").where(group.notna().to_numpy(), "missing").map(str)
        ordered = isinstance(group.dtype, pd.CategoricalDtype)
        order = [*group.cat.categories, "missing"] if ordered else sorted(set(names))
        by_group = pd.DataFrame(columns).groupby(names.to_numpy())
        errors = by_group.agg({column: "sum" if column == "Rows" else "mean" for column in columns})
        frames[name] = errors.loc[[group for group in order if group in errors.index]]
    return frames


def ranges(values: pd.Series, edges: Sequence[float]) -> pd.Series:
    """Return the range that each value is in, an ordered category: `to 5`, `5 to 10`, `above 10`."""
    names = [f"to {edges[0]}", *(f"{low} to {high}" for low, high in itertools.pairwise(edges)), f"above {edges[-1]}"]
    return pd.cut(values, [-math.inf, *edges, math.inf], labels=names)


def lines(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return columns and lines of a table of the report: the index first; floats have two decimals."""
    cells = frame.map(lambda value: f"{value:.2f}" if isinstance(value, float) else str(value))
    return ["Group", *map(str, frame.columns)], [[str(row[0]), *row[1:]] for row in cells.itertuples()]
