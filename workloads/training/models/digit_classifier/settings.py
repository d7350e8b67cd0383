"""Settings of the digit classifier, its presets, and what a search tries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from workloads.training.mnist import CLASSES, MOST_CLASSES
from workloads.training.runtime.settings import TrainingSettings

if TYPE_CHECKING:
    import optuna


_BEST: Mapping[str, Any] = {
    "architecture": "deep",
    "epochs": 12,
    "rotation": 8.0,
    "scale": 0.08,
    "shear": 0.08,
    "bend": 0.4,
    "weight_average": 0.998,
}


class Settings(TrainingSettings):
    """Options of the digit classifier."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"architecture": "narrow", "training_images": 36_000},
        "best": _BEST,
        "ensemble": {**_BEST, "members": 3},
        "tiny": {
            "architecture": "tiny",
            "epochs": 10,
            "label_smoothing": 0.0,
            "rotation": 5.0,
            "scale": 0.05,
            "shear": 0.05,
            "bend": 0.3,
            "weight_average": 0.998,
        },
    }

    architecture: Literal["compact", "narrow", "deep", "tiny", "reference"] = Field(
        "compact",
        description="compact: four convolutions, 77k weights; narrow: the same with fewer channels, 59k weights; "
        "deep: five wider ones, 279k weights; tiny: four with few channels, 5k weights; "
        "reference: one convolution and two linear layers, 805k weights.",
    )
    members: int = Field(
        1, ge=1, le=20, description="Networks that learn side by side, and whose probabilities are averaged."
    )
    classes: int = Field(
        CLASSES,
        ge=2,
        le=MOST_CLASSES,
        description="How many classes there are, with labels from 0 on; EMNIST has 10 digits, 47 classes, or 62.",
    )
    training_images: int = Field(
        0, ge=0, description="Images to learn from, at most: the first of the set; 0: all of them."
    )
    batch_size: int = Field(128, ge=1, description="Images per step, over all devices.")
    learning_rate: float = Field(0.02, gt=0, description="Peak of AdamW's learning rate, which rises and falls once.")
    muon_learning_rate: float = Field(0.1, gt=0, description="Peak of Muon's, for the weights of hidden convolutions.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay of AdamW.")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the target that is spread over all classes.")
    shift: int = Field(1, ge=0, le=8, description="Largest shift of training images, in pixels.")
    rotation: float = Field(0, ge=0, le=45, description="Largest rotation of training images, in degrees.")
    scale: float = Field(0, ge=0, le=0.5, description="Largest change of the size of training images, as a share.")
    shear: float = Field(0, ge=0, le=0.5, description="Largest slant of training images, in pixels per row.")
    bend: float = Field(0, ge=0, le=5, description="How far training images bend smoothly, in pixels.")
    transforms: Literal["batch", "torchvision"] = Field(
        "batch",
        description="batch: change a batch of images at once, on the device; torchvision: each by its transforms.",
    )
    weight_average: float = Field(
        0,
        ge=0,
        lt=1,
        description="Decay per step of the running average of the weights, which becomes the model; 0: no average.",
    )
    test_time_shifts: bool = Field(
        default=True, description="Predict from the image and its copies moved by one pixel, averaged."
    )
    validation_fraction: float = Field(
        1 / 30, gt=0, lt=1, description="Share of the training set held out to validate each epoch."
    )


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Settings of one trial of `groundwork tune`."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.003, 0.05, log=True),
        "muon_learning_rate": trial.suggest_float("muon_learning_rate", 0.03, 0.3, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [64, 128, 256]),
        "label_smoothing": trial.suggest_float("label_smoothing", 0, 0.2),
    }
