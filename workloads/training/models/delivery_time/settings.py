"""Settings of the delivery times, and what a search tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workloads.training.runtime.settings import TrainingSettings

if TYPE_CHECKING:
    import optuna


class Settings(TrainingSettings):
    """Options of the delivery times."""

    epochs: int = Field(20, ge=1, description="Passes over the training rows.")
    architecture: Literal["linear-path", "reference"] = Field(
        "linear-path",
        description="linear-path: one hidden layer beside a linear path; reference: three hidden layers, squared loss.",
    )
    hidden: int = Field(32, ge=1, description="Units of the hidden layer of linear-path.")
    batch_size: int = Field(64, ge=1, description="Rows per step.")
    learning_rate: float = Field(0.01, gt=0, description="Peak of the one-cycle schedule.")
    weight_decay: float = Field(10.0, ge=0, description="Decoupled weight decay of the hidden layers.")
    folds: int = Field(5, ge=2, description="Parts of the rows; each network of the ensemble leaves one of them out.")
    repeats: int = Field(2, ge=1, description="How often the rows are divided into parts again.")
    splits: int = Field(20, ge=0, description="Random splits of the evaluation; 0: train only.")
    nested_trials: int = Field(
        0, ge=0, description="Trials of a search for settings, only in each split's training rows."
    )


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Return the settings of a trial."""
    return {
        "hidden": trial.suggest_categorical("hidden", [16, 32, 64]),
        "weight_decay": trial.suggest_float("weight_decay", 1.0, 50.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.003, 0.03, log=True),
        "epochs": trial.suggest_int("epochs", 10, 50, step=10),
    }
