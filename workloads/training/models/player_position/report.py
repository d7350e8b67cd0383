"""What a run of the positions tells: figures, tables, metrics and the model card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.feature_selection import f_classif

from workloads.training.models.player_position.players import CLASSES
from workloads.training.runtime import figures as shared_figures
from workloads.training.runtime.results import Figure, ModelCard, Results, Table
from workloads.training.tabular import figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.training.models.player_position.combination import Rows
    from workloads.training.models.player_position.settings import Settings
    from workloads.training.tabular.evaluation import Comparison

BASELINES = ("majority", "logistic regression", "gradient boosting", "forest")
"""What the delivered model is held against in words: models that somebody would train instead."""


@dataclass(frozen=True)
class Evaluation:
    """What the models are worth on rows that they did not learn from.

    Attributes:
        comparison: The scores of all on all splits.
        confusion: The delivered model's counts by true (down) and predicted class over all splits.
        by_player: For each other model: on how many players the delivered one is right more often (`better`) or less
            often (`worse`) over all splits, and the `p` of the sign test.
    """

    comparison: Comparison
    confusion: NDArray[np.int64]
    by_player: dict[str, dict[str, float]]


def report(
    settings: Settings,
    rows: Rows,
    evaluation: Evaluation,
    history: Sequence[Mapping[str, float]],
) -> Results:
    """Everything that a run of the positions ends with, except the model itself.

    Args:
        settings: The run's.
        rows: All labelled rows.
        evaluation: What the models are worth; `comparison.delivered` is the one that the run delivers.
        history: One row an epoch.
    """
    comparison, confusion = evaluation.comparison, evaluation.confusion
    sizes = np.bincount(rows.labels, minlength=len(CLASSES))
    people = [len(np.unique(rows.players[rows.labels == number])) for number in range(len(CLASSES))]
    imputed = rows.features.fillna(rows.features.median()).fillna(0.0)
    scores = figures.feature_scores(imputed, rows.labels, f_classif)
    test: dict[str, Any] = {"feature_scores": scores, "correlation": figures.correlations(imputed)}
    headline = {"Players": f"{sum(people):,}", "Seasons": f"{len(rows.labels):,}"}
    tables = []
    worst = verdict = ""
    if settings.splits:
        summary, mean = (
            comparison.summary(),
            comparison.mean(comparison.delivered),
        )
        precision, recall, f1 = _per_class(confusion)
        per_class = {
            name: {"precision": precision[index], "recall": recall[index], "f1": f1[index], "rows": int(sizes[index])}
            for index, name in enumerate(CLASSES)
        }
        test = {
            **mean,
            "splits": settings.splits,
            "by_player": evaluation.by_player,
            "models": summary,
            "per_class": per_class,
            "confusion_matrix": confusion.tolist(),
            "per_split": comparison.rows,
            **test,
        }
        headline = {
            f"Accuracy by player, {comparison.over}": f"{mean['accuracy_by_group']:.1%}",
            "Accuracy by season": f"{mean['accuracy']:.1%}",
            "Macro-F1 by player and by season": f"{mean['macro_f1_by_group']:.3f}, {mean['macro_f1']:.3f}",
            **headline,
        }
        tables = [
            Table(
                "Per position, over all splits",
                ("Position", "Players", "Seasons", "Precision", "Recall", "F1"),
                [
                    (
                        name,
                        people[index],
                        int(sizes[index]),
                        *(f"{value[index]:.1%}" for value in (precision, recall, f1)),
                    )
                    for index, name in enumerate(CLASSES)
                ],
            ),
            comparison.table("By player: models on fifths of the players", ("accuracy_by_group", "macro_f1_by_group")),
            comparison.table("By season: models on fifths of the players", ("accuracy", "macro_f1")),
            Table(
                f"Players on whom the {comparison.delivered} is right more often, or less often",
                ("Model", "More often", "Less often", "p of the sign test"),
                [
                    (name, int(test["better"]), int(test["worse"]), f"{test['p']:.3f}")
                    for name, test in evaluation.by_player.items()
                ],
            ),
        ]
        verdict = comparison.verdict("accuracy_by_group", [name for name in summary if name in BASELINES])
        weakest = int(np.argmin(f1))
        worst = f"It is worst at {CLASSES[weakest]} (F1 {f1[weakest]:.2f}), of which it saw {people[weakest]} players. "

    def drawn() -> list[Figure]:
        return [
            *(_measured(confusion, test["models"]) if settings.splits else []),
            figures.correlation_heat_map(imputed[list(scores)[:24]]),
            *figures.feature_score_bars(scores),
            shared_figures.curves(
                "loss_and_accuracy",
                "Loss and accuracy of the network, validated on players its members did not see",
                history,
                {"loss": ["training_loss", "validation_loss"], "accuracy": ["validation_accuracy"]},
            ),
        ]

    return Results(
        test=test,
        headline=headline,
        data={
            "rows": len(rows.labels),
            "players": sum(people),
            "rows_per_position": dict(zip(CLASSES, sizes.tolist(), strict=True)),
            "missing_cells": {name: int(count) for name, count in rows.features.isna().sum().items() if count},
        },
        card=_model_card(settings, rows, people, f"{worst}{verdict}"),
        figures=drawn,
        tables=tables,
    )


def _measured(confusion: NDArray[np.int64], models: dict[str, Any]) -> list[Figure]:
    return [
        shared_figures.confusion_matrix(confusion, CLASSES),
        figures.model_bars(models, "macro_f1_by_group", "The model beside its parts and the baselines"),
    ]


def _per_class(confusion: NDArray[np.int64]) -> tuple[list[float], list[float], list[float]]:
    """Precision, recall and F1 of each class, from counts by true (down) and predicted class."""
    right = confusion.diagonal()
    precision = right / confusion.sum(0).clip(min=1)
    recall = right / confusion.sum(1).clip(min=1)
    f1 = 2 * right / (confusion.sum(0) + confusion.sum(1)).clip(min=1)
    return precision.tolist(), recall.tolist(), f1.tolist()


def _model_card(settings: Settings, rows: Rows, people: list[int], measured: str) -> ModelCard:
    counts = ", ".join(f"{name} {count}" for name, count in zip(CLASSES, people, strict=True))
    tuning = (
        f"Settings were searched for only in each split's training rows ({settings.nested_trials} trials). "
        if settings.nested_trials
        else "The figures are those of the given settings: where these were chosen on the same players, they flatter. "
    )
    return ModelCard(
        title="Player position",
        summary=(
            f"Names the position of a football player ({', '.join(CLASSES)}) from {settings.features} features of a "
            f"{settings.level}. A random forest, {settings.folds * settings.repeats} networks that have the forest's "
            f"probabilities among their features, and gradient boosting; delivered is the {settings.model}."
        ),
        data=(
            f"{len(rows.labels):,} seasons of {sum(people):,} players with a position ({counts}). Seasons "
            "without one, or with another position, were left out. A missing number is marked as such. Not read: "
            "positions in other files, jersey numbers, names, teams, years."
        ),
        intended_use=(
            "To fill in positions that a table of statistics lacks, for players of these five positions. Not to judge "
            "players. Not for positions other than the five: it always answers with one of them. The pipelines are a "
            "joblib file: reading one from an untrusted source can run code."
        ),
        limits=(
            f"{measured} Those whose position is known were active when the data was collected: players of earlier "
            "decades, who were lighter and ran and caught otherwise, are outside of what it learned from. A "
            f"player who has played little has few numbers to be recognised by. {tuning}"
        ),
    )
