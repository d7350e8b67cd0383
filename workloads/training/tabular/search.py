"""Hyperparameter search inside the training rows of a split, so that its test rows are never tuned on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import optuna

from workloads.training.runtime.settings import TrainingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

SettingsType = TypeVar("SettingsType", bound=TrainingSettings)


def best_settings(
    settings: SettingsType,
    search: Callable[[optuna.Trial], dict[str, Any]],
    loss: Callable[[SettingsType], float],
    trials: int,
    seed: int,
) -> SettingsType:
    """Return the settings with the least loss of several trials (TPE), or the given ones if there are no trials.

    Args:
        settings: What the search does not set keeps its value.
        search: Draws values of settings.
        loss: Of a model with some settings, measured on rows it did not learn from.
        trials: How many are tried.
        seed: Of the sampler.
    """
    if not trials:
        return settings
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(lambda trial: loss(settings.model_copy(update=search(trial))), n_trials=trials)
    # Values are drawn again from the best trial, because a setting may be a function of what was suggested.
    chosen = search(optuna.trial.FixedTrial(study.best_params))  # type: ignore[arg-type]
    return settings.model_copy(update=chosen)
