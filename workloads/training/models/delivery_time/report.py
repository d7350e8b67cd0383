"""What a run of the delivery times tells: figures, tables, metrics and the model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.feature_selection import f_regression

from workloads.training.models.delivery_time.orders import FEATURES, TARGET, encoder
from workloads.training.runtime.figures import curves
from workloads.training.runtime.results import Figure, ModelCard, Results, Table
from workloads.training.tabular import figures
from workloads.training.tabular.evaluation import errors_by_group, lines, ranges, regression_scores
from workloads.training.tabular.intervals import coverage_band

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from workloads.training.models.delivery_time.settings import Settings
    from workloads.training.tabular.evaluation import Comparison

_NEW_ORDERS = 200  # in the sentence on coverage


def report(
    settings: Settings,
    table: pd.DataFrame,
    unseen: pd.DataFrame,
    comparison: Comparison,
    history: Sequence[Mapping[str, float]],
) -> Results:
    """Everything that a run of the delivery times ends with, except the model itself.

    Args:
        settings: The run's.
        table: All rows.
        unseen: Minutes and intervals of each, out of fold: `prediction`, `lower_80`, `upper_80`, ...
        comparison: The scores of all models on all splits.
        history: One row an epoch.
    """
    truth, prediction = table[TARGET].to_numpy(np.float64), unseen["prediction"].to_numpy()
    errors = errors_by_group(
        {
            "traffic": table["Traffic_Level"],
            "weather": table["Weather"],
            "distance (km)": ranges(table["Distance_km"], [5, 10, 15]),
            "true time (min)": ranges(table[TARGET], [30, 60, 90]),
        },
        truth - prediction,
        {f"Within {percent} %": covered for percent, covered in within_intervals(truth, unseen).items()},
    )
    encoded = encoder().fit_transform(table[list(FEATURES)])
    with_target = encoded.assign(**{TARGET: truth})
    scores = figures.feature_scores(encoded, truth, f_regression)
    missing = {name: int(table[name].isna().sum()) for name in FEATURES}
    pooled = regression_scores(truth, prediction)
    test: dict[str, Any] = {
        "out_of_fold": pooled,
        "feature_scores": scores,
        "correlation": figures.correlations(with_target),
    }
    headline = {"R2 out of fold": f"{pooled['r2']:.3f}", "MAE out of fold": f"{pooled['mae']:.2f} min"}
    verdict = ""
    tables = [
        Table(f"Errors (min) and shares within the intervals by {name}, out of fold", *lines(group))
        for name, group in errors.items()
    ]
    if settings.splits:
        mean, summary = comparison.mean(comparison.delivered), comparison.summary()
        test = {**mean, "splits": settings.splits, "models": summary, "per_split": comparison.rows, **test}
        headline = {
            f"R2, {comparison.over}": f"{mean['r2']:.3f}",
            "MAE": f"{mean['mae']:.2f} min",
            "RMSE": f"{mean['rmse']:.2f} min",
            "Truth within the 80 % and 95 % intervals": f"{mean['coverage_80']:.1%}, {mean['coverage_95']:.1%}",
        }
        verdict = comparison.verdict("r2", [name for name in summary if name != comparison.delivered])
        tables.insert(0, comparison.table("Models on random test fifths", ("r2", "mae", "rmse")))

    def drawn() -> list[Figure]:
        losses = {"loss": ["training_loss", "validation_loss"], "minutes": ["validation_mae"]}
        beside = "The network beside the baselines"
        return [
            *([figures.model_bars(test["models"], "mae", beside)] if settings.splits else []),
            *figures.regression_figures(truth, prediction, "min"),
            figures.error_by_group(errors, "min"),
            figures.correlation_heat_map(with_target),
            *figures.feature_score_bars(scores),
            curves("loss", "Loss and mean absolute error, validated out of fold", history, losses),
        ]

    return Results(
        test=test,
        headline=headline,
        data={"rows": len(table), "missing_cells": missing},
        card=_model_card(settings, table, missing, errors["true time (min)"], verdict),
        figures=drawn,
        tables=tables,
    )


def within_intervals(truth: NDArray[np.float64], predicted: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Return whether each truth [n] is within its interval, by the percentage in the names of the columns."""
    percentages = [name.removeprefix("lower_") for name in map(str, predicted) if name.startswith("lower_")]
    return {
        percent: predicted[f"lower_{percent}"].le(truth).to_numpy() & predicted[f"upper_{percent}"].ge(truth).to_numpy()
        for percent in percentages
    }


def coverage_note(rows: int) -> str:
    """Return sentences that say what the coverage of intervals means that were made from some number of rows."""
    bands = []
    for coverage in (0.8, 0.95):
        least, most = coverage_band(rows, coverage, _NEW_ORDERS)
        bands.append(f"{coverage:.0%} intervals hold between {least:.0%} and {most:.0%}")
    return (
        "The coverage of the intervals is marginal: it holds on average over all orders, not for each kind of order "
        f"(the tables show the share of each group). These intervals are made from {rows:,} rows: in nine of ten "
        f"samples of {_NEW_ORDERS} new orders, the {' and the '.join(bands)} of them."
    )


def _model_card(
    settings: Settings, table: pd.DataFrame, missing: dict[str, int], by_time: pd.DataFrame, verdict: str
) -> ModelCard:
    empty = ", ".join(f"{name} {count}" for name, count in missing.items() if count) or "none"
    worst = str(by_time["MAE"].idxmax())
    orders, error, bias = by_time[["Rows", "MAE", "Bias"]].to_numpy(np.float64)[by_time["MAE"].argmax()].tolist()
    later = f"{abs(bias):.1f} min {'later' if bias > 0 else 'earlier'}"
    tuning = (
        f"Settings were searched for only in each split's training rows ({settings.nested_trials} trials)."
        if settings.nested_trials
        else "The figures are those of the given settings: where these were chosen on the same rows, they flatter."
    )
    return ModelCard(
        title="Delivery time",
        summary=(
            "Predicts the minutes from order to door, with intervals that hold 80 % and 95 % of the orders on average. "
            f"{settings.folds * settings.repeats} fully connected networks (architecture `{settings.architecture}`), "
            "each trained without one part of the rows; the prediction is their mean."
        ),
        data=(
            f"{len(table):,} orders with distance, weather, traffic, time of day, vehicle, preparation time and "
            f"experience of the courier. Empty cells: {empty}; an empty category is a category of its own, an empty "
            f"number becomes the median and is marked. Minutes: {table[TARGET].min():.0f} to "
            f"{table[TARGET].max():.0f}, mean {table[TARGET].mean():.1f}."
        ),
        intended_use=(
            "To tell a customer when to expect an order of this kind. Not to judge a courier: what makes a single "
            "order late is not in the data. Not for places, fleets or distances unlike those it learned from. The "
            "pipeline is a joblib file: reading one from an untrusted source can run code."
        ),
        limits=(
            f"Errors grow with the distance, and are largest where it truly took {worst} min: {error:.1f} min on "
            f"average over {orders:.0f} orders, which came {later} than predicted. A few orders in a hundred take half "
            "an hour or more longer for no reason in the data; no model of these columns sees them coming. "
            f"{coverage_note(len(table))} {verdict} {tuning}"
        ),
    )
