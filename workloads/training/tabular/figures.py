"""Figures that both reports of tables draw, and those of a regression."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import seaborn as sns
from sklearn.feature_selection import SelectKBest
from sklearn.metrics import r2_score

from workloads.training.runtime.figures import new_figure, new_panels
from workloads.training.runtime.results import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

_ANNOTATED = 12  # columns; more figures than that are not read, and take seconds to draw
_DOTS: dict[str, Any] = {"s": 9, "alpha": 0.5, "linewidths": 0}


def feature_scores(
    features: pd.DataFrame, target: NDArray[np.float64] | NDArray[np.int64], score: Callable[..., object]
) -> dict[str, float]:
    """Score how much each feature by itself tells of the target (scikit-learn's SelectKBest), the highest first.

    Args:
        features: Encoded features without missing values, [n, features]; a constant one has no score.
        target: [n].
        score: `f_regression` or `f_classif`.
    """
    varied = features.loc[:, features.max() > features.min()]
    if varied.empty or not (target != target[0]).any():
        return {}
    scores = SelectKBest(score, k="all").fit(varied, target).scores_
    score_of_feature = dict(zip(varied.columns, np.nan_to_num(scores).tolist(), strict=True))
    return dict(sorted(score_of_feature.items(), key=lambda item: -item[1]))


def correlations(features: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return Pearson's correlation of each pair of columns; 0 if a column is constant."""
    table = features.corr().fillna(0.0).round(4)
    return {str(name): {str(column): float(value) for column, value in table[name].items()} for name in table}


def correlation_heat_map(features: pd.DataFrame) -> Figure:
    """Pearson's correlation of each column with each."""
    table = features.corr().fillna(0.0)
    size = 2 + 0.34 * len(table)
    figure, axes = new_figure(size + 1, size)
    sns.heatmap(
        table,
        vmin=-1,
        vmax=1,
        cmap="vlag",
        ax=axes,
        square=True,
        annot=len(table) <= _ANNOTATED,
        fmt=".1f",
        annot_kws={"size": 6},
        cbar_kws={"shrink": 0.6},
    )
    axes.tick_params(labelsize=8)
    names = [str(name) for name in table]
    strength = table.abs().where(~np.eye(len(table), dtype=bool), 0.0)
    row, column = np.unravel_index(int(strength.to_numpy().argmax()), strength.shape)
    value = float(table.to_numpy()[row, column])
    alt = f"Correlation of {len(table)} columns; the strongest, {value:.2f}, of {names[row]} and {names[column]}."
    return Figure("correlation", "Correlation", alt, figure)


def feature_score_bars(scores: Mapping[str, float], most: int = 20) -> list[Figure]:
    """Draw the features that tell most of the target, as bars; no figure where nothing varies."""
    if not scores:
        return []
    names, values = list(scores)[:most], list(scores.values())[:most]
    figure, axes = new_figure(7, 1 + 0.24 * len(names))
    axes.barh(names, values)
    axes.invert_yaxis()
    axes.set(xlabel="F score (SelectKBest)", xscale="log" if min(values) > 0 else "linear")
    axes.tick_params(labelsize=8)
    alt = f"F scores of {len(names)} features; {names[0]} has most with {values[0]:.0f}."
    return [Figure("feature_scores", "What each feature by itself tells of the target", alt, figure)]


def model_bars(summary: Mapping[str, Mapping[str, Mapping[str, Any]]], score: str, title: str) -> Figure:
    """Draw one score of several models: the mean over the splits, and the range of them, which is not an error bar."""
    bars = {name: figures[score] for name, figures in summary.items() if score in figures}
    figure, axes = new_figure(7, 1 + 0.32 * len(bars))
    means = [value["mean"] for value in bars.values()]
    below = [value["mean"] - value["least"] for value in bars.values()]
    above = [value["most"] - value["mean"] for value in bars.values()]
    several = any(below) or any(above)
    axes.barh(list(bars), means, xerr=[below, above] if several else None, capsize=3)
    axes.invert_yaxis()
    axes.set(xlabel=score.replace("_", " ") + (" (mean, least and most of the splits)" if several else ""))
    alt = "; ".join(f"{name} {value['mean']:.3f}" for name, value in bars.items())
    return Figure("models", title, f"{score.replace('_', ' ')}: {alt}.", figure)


def regression_figures(truth: NDArray[np.float64], prediction: NDArray[np.float64], unit: str) -> list[Figure]:
    """Predictions against truth, residuals against prediction, histogram and Q-Q plot of the residuals.

    Args:
        truth: [n].
        prediction: Out of fold, [n].
        unit: Of both, as in "min".
    """
    residuals = truth - prediction
    r2 = r2_score(truth, prediction)

    against, axes = new_figure(5.4, 5)
    axes.scatter(truth, prediction, **_DOTS)
    ends = [float(min(truth.min(), prediction.min())), float(max(truth.max(), prediction.max()))]
    axes.plot(ends, ends, color="black", linewidth=1, label=f"right ($R^2$ = {r2:.3f})")
    axes.set(xlabel=f"truth ({unit})", ylabel=f"prediction ({unit})")
    axes.legend()

    spread, axes = new_figure(6, 4)
    axes.scatter(prediction, residuals, **_DOTS)
    axes.axhline(0, color="black", linewidth=1)
    axes.set(xlabel=f"prediction ({unit})", ylabel=f"truth - prediction ({unit})")

    shape, [histogram, quantiles] = new_panels(2, 9, 3.8)
    histogram.hist(residuals, bins=40)
    histogram.set(xlabel=f"truth - prediction ({unit})", ylabel="rows")
    ranks = (np.arange(len(residuals)) + 0.5) / len(residuals)
    theoretical = np.array([NormalDist().inv_cdf(rank) for rank in ranks])
    quantiles.scatter(theoretical, np.sort(residuals), **_DOTS)
    quantiles.plot(theoretical, residuals.mean() + residuals.std() * theoretical, color="black", linewidth=1)
    quantiles.set(xlabel="quantile of the normal distribution", ylabel=f"quantile of the residuals ({unit})")

    late = float((residuals > 3 * np.median(np.abs(residuals)) / 0.6745).mean())  # beyond 3 robust deviations
    return [
        Figure("prediction", "Predictions against truth", f"{len(truth)} rows out of fold; R2 {r2:.3f}.", against),
        Figure(
            "residuals",
            "Residuals against prediction",
            f"Residuals have median {np.median(residuals):.1f} {unit} and grow with the prediction.",
            spread,
        ),
        Figure(
            "residual_shape",
            "Residuals: histogram and Q-Q",
            f"Standard deviation {residuals.std():.1f} {unit}; {late:.1%} of the rows take far longer than predicted.",
            shape,
        ),
    ]


def error_by_group(errors: Mapping[str, pd.DataFrame], unit: str) -> Figure:
    """Return the mean absolute error in groups of rows, a panel for each way to group them (see `errors_by_group`)."""
    figure, panels = new_panels(len(errors), 3.2 * len(errors), 3.6, same_scale=True)
    for axes, (name, groups) in zip(panels, errors.items(), strict=True):
        axes.bar([str(group) for group in groups.index], groups["MAE"])
        axes.set(title=name)
        axes.tick_params(axis="x", rotation=45)
    panels[0].set(ylabel=f"mean absolute error ({unit})")
    worst = {name: (groups["MAE"].idxmax(), groups["MAE"].max()) for name, groups in errors.items()}
    alt = "; ".join(f"{name}: worst in {group} ({value:.1f} {unit})" for name, (group, value) in worst.items())
    return Figure("error_by_group", "Where the model errs", f"{alt}.", figure)
