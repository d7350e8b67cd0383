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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from workloads.training.models.delivery_time.settings import Settings
    from workloads.training.tabular.evaluation import Comparison


def report(
    settings: Settings,
    table: pd.DataFrame,
    prediction: NDArray[np.float64],
    comparison: Comparison,
    history: Sequence[Mapping[str, float]],
) -> Results:
    """Everything that a run of the delivery times ends with, but for the model itself.

    Args:
        settings: The run's.
        table: All rows.
        prediction: Minutes of each, out of fold, [n].
        comparison: The scores of all models on all splits.
        history: One row an epoch.
    """
    truth = table[TARGET].to_numpy(np.float64)
    errors = errors_by_group(
        {
            "traffic": table["Traffic_Level"],
            "weather": table["Weather"],
            "distance (km)": ranges(table["Distance_km"], [5, 10, 15]),
            "true time (min)": ranges(table[TARGET], [30, 60, 90]),
        },
        truth - prediction,
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
    tables = [Table(f"Errors by {name}, out of fold (min)", *lines(group)) for name, group in errors.items()]
    if settings.splits:
        mean, summary = comparison.mean(comparison.delivered), comparison.summary()
        test = {**mean, "splits": settings.splits, "models": summary, "per_split": comparison.rows, **test}
        headline = {
            f"R2, {comparison.over}": f"{mean['r2']:.3f}",
            "MAE": f"{mean['mae']:.2f} min",
            "RMSE": f"{mean['rmse']:.2f} min",
            "Truth within the 80 % and 95 % intervals": f"{mean['coverage_80']:.1%}, {mean['coverage_95']:.1%}",
        }
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
        card=_model_card(settings, table, missing, errors["true time (min)"]),
        figures=drawn,
        tables=tables,
    )


def _model_card(settings: Settings, table: pd.DataFrame, missing: dict[str, int], by_time: pd.DataFrame) -> ModelCard:
    empty = ", ".join(f"{name} {count}" for name, count in missing.items() if count) or "none"
    worst = str(by_time["MAE"].idxmax())
    orders, error, bias = by_time.to_numpy(np.float64)[by_time["MAE"].argmax()].tolist()
    later = f"{abs(bias):.1f} min {'later' if bias > 0 else 'earlier'}"
    tuning = (
        f"Settings were searched for in each split's training rows alone ({settings.nested_trials} trials)."
        if settings.nested_trials
        else "The figures are those of the given settings: where these were chosen on the same rows, they flatter."
    )
    return ModelCard(
        title="Delivery time",
        summary=(
            "Predicts the minutes from order to door, with intervals that hold 80 % and 95 % of the orders. "
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
            f"{tuning}"
        ),
    )
