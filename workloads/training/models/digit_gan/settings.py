"""Settings of the digit GAN, and those that belong to the reference architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from workloads.training.runtime.settings import TrainingSettings

_REFERENCE: Mapping[str, Any] = {
    "conditional": False,
    "batch_size": 64,
    "generator_learning_rate": 2e-4,
    "discriminator_learning_rate": 2e-4,
    "second_moment_decay": 0.999,
    "average_decay": 0.0,
    "gradient_penalty": 0.0,
}
"""The settings that belong to the reference architecture: those of DCGAN (Radford et al. 2015)."""


class Settings(TrainingSettings):
    """Options of the digit GAN."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "short": {"epochs": 2, "training_images": 15_000, "quality_images": 2_000}
    }

    epochs: int = Field(8, ge=1, description="Passes over the training set.")
    architecture: Literal["compact", "reference"] = Field(
        "compact",
        description="compact: small networks for many steps; reference: DCGAN's widths, and its settings unless given.",
    )
    conditional: bool = Field(
        default=True, description="Learn to draw a chosen digit. (The reference architecture cannot.)"
    )
    batch_size: int = Field(32, ge=1, description="Real images per step, over all devices; as many are generated.")
    generator_learning_rate: float = Field(1e-3, gt=0, description="Step size of the generator's Adam.")
    discriminator_learning_rate: float = Field(1e-3, gt=0, description="Step size of the discriminator's Adam.")
    second_moment_decay: float = Field(0.99, ge=0, lt=1, description="Adam's second beta, of both networks.")
    average_decay: float = Field(
        0.995,
        ge=0,
        lt=1,
        description="Decay of the average of the generator's weights over steps, which is kept; 0: off.",
    )
    gradient_penalty: float = Field(
        0.5, ge=0, description="Weight of the discriminator's squared gradient at real images (R1); 0: off."
    )
    training_images: int = Field(60_000, ge=1, description="Images to learn from, at most: the first of the set.")
    quality_images: int = Field(10_000, ge=100, description="Images that the final quality is measured on, at most.")
    score_images: int = Field(
        0,
        ge=0,
        description="Generated images that a classifier learns from, to be tested on real ones; 0: no such score.",
    )
    classifier: str | None = Field(
        None, description="A finished run of digit-classifier that judges the images; without it one is trained first."
    )

    @model_validator(mode="before")
    @classmethod
    def _settings_of_the_reference(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**_REFERENCE, **values} if values.get("architecture") == "reference" else values

    @field_validator("conditional")
    @classmethod
    def _reference_is_unconditional(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("architecture") == "reference":
            raise ValueError("The reference architecture cannot draw a chosen digit")
        return value

    @field_validator("score_images")
    @classmethod
    def _score_needs_digits(cls, value: int, info: ValidationInfo) -> int:
        if value and not info.data.get("conditional", True):
            raise ValueError("A generator that cannot draw a chosen digit gives a classifier no digits to learn")
        return value
