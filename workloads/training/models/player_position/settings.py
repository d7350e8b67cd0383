"""Settings of the players' positions, and what a search tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workloads.training.models.player_position.players import Features, Level
from workloads.training.runtime.settings import TrainingSettings

if TYPE_CHECKING:
    import optuna


class Settings(TrainingSettings):
    """Options of the player positions."""

    epochs: int = Field(30, ge=1, description="Passes over the training rows.")
    features: Features = Field(
        "all", description="receiving: catches only; rushing: carries too; all: height and weight too."
    )
    level: Level = Field("career", description="What a row describes: one season, or all seasons of a player together.")
    rows: Literal["all", "with-receptions"] = Field(
        "all", description="Learn from and test on all seasons, or on those with a catch."
    )
    model: Literal["combination", "network", "forest", "boosting"] = Field(
        "combination",
        description="What predicts: the network that sees the forest, the forest, gradient boosting, or their mean.",
    )
    balance: Literal["none", "weights"] = Field(
        "none", description="weights: rare positions count more, by the root of how much rarer they are."
    )
    forest: Literal["fixed", "grid"] = Field(
        "fixed", description="grid: search trees, depth and split with GridSearchCV, in each split's training rows."
    )
    trees: int = Field(200, ge=1, description="Trees of the forest.")
    depth: int = Field(20, ge=1, description="Largest depth of a tree.")
    min_split: int = Field(5, ge=2, description="Smallest number of rows that a tree divides further.")
    hidden: int = Field(64, ge=1, description="Units of the network's hidden layer; half of them in a second one.")
    batch_size: int = Field(256, ge=1, description="Rows per step.")
    learning_rate: float = Field(0.01, gt=0, description="Peak of the one-cycle schedule.")
    weight_decay: float = Field(1.0, ge=0, description="Decoupled weight decay of the hidden layers.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Share of hidden units dropped in training.")
    folds: int = Field(
        5, ge=2, description="Parts of the players; each network of the ensemble leaves one of them out."
    )
    repeats: int = Field(2, ge=1, description="How often the players are divided into parts, with networks for each.")
    splits: int = Field(10, ge=0, description="Splits of the evaluation, each with a fifth of the players; 0: none.")
    nested_trials: int = Field(
        0, ge=0, description="Trials of a search for settings, only in each split's training rows."
    )


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Return the settings of a trial."""
    return {
        "hidden": trial.suggest_categorical("hidden", [16, 32, 64, 128]),
        "weight_decay": trial.suggest_float("weight_decay", 0.1, 20.0, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.003, 0.03, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
    }
