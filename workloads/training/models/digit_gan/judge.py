"""A trained digit classifier as the judge of generated images: what it sees in them, and which digits it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from contract.errors import InputError
from workloads.training.mnist import CLASSES
from workloads.training.models.digit_classifier import model as digit_classifier
from workloads.training.models.digit_classifier.augmentation import augmented
from workloads.training.models.digit_classifier.settings import Settings
from workloads.training.models.digit_gan import quality as generative_quality
from workloads.training.runtime.device import descend
from workloads.training.runtime.run_folder import load_model, rebuilding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloads.storage import Location
    from workloads.training.runtime.run import Run

_LEAST_STEPS = 60  # of training, for small data sets


@dataclass(frozen=True)
class Judge:
    """A trained digit classifier.

    Attributes:
        network: From images uint8 [n, 28, 28] to logits [n, 10]; its last layer is linear.
        settings: What builds it.
    """

    network: nn.Sequential
    settings: Mapping[str, Any]

    @classmethod
    def of_run(cls, run: Location) -> Judge:
        """Return the classifier of a finished run of digit-classifier.

        Raises:
            InputError: It is none.
        """
        weights, settings = load_model(run, digit_classifier.NAME)
        if settings.get("classes", CLASSES) != CLASSES:
            raise InputError(
                f"{run}: The classifier knows {settings['classes']} classes. Give one of {CLASSES}, the digits."
            )
        if settings.get("members", 1) > 1:
            raise InputError(
                f"{run}: The classifier consists of {settings['members']} networks, and what they see "
                "cannot be compared. Give a run of one network."
            )
        with rebuilding(run):
            return cls.of_weights(weights, settings)

    @classmethod
    def of_weights(cls, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Judge:
        """Return the classifier that the settings build, with the given weights."""
        network = digit_classifier.build_network(**settings)
        network.load_state_dict(weights)
        return cls(network, settings)

    @classmethod
    def trained_on(cls, images: Tensor, labels: Tensor, run: Run) -> Judge:
        """Return a classifier trained with the default settings of digit-classifier, in one pass over a training set.

        Args:
            images: uint8 [n, 28, 28].
            labels: int64 [n], on the same device.
            run: Gives the precision, and the scaling of the loss that it needs.
        """
        recipe = Settings()
        settings: dict[str, Any] = {"architecture": recipe.architecture}
        network = digit_classifier.build_network(**settings).to(images.device)
        scaler = run.new_scaler()
        steps = max(_LEAST_STEPS, len(images) // recipe.batch_size)
        optimisers, schedules = digit_classifier.optimisers_and_schedules(network, recipe, steps)
        for rows in torch.randint(len(images), (steps, recipe.batch_size), device=images.device):
            with run.autocast():
                logits = network(augmented(images[rows], recipe)).float()
                loss = functional.cross_entropy(logits, labels[rows], label_smoothing=recipe.label_smoothing)
            descend(scaler, loss, optimisers)
            for schedule in schedules:
                schedule.step()
        return cls(network, settings)

    def to(self, device: torch.device) -> Judge:
        """Return the same on a device."""
        return Judge(self.network.to(device), self.settings)

    @torch.inference_mode()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what it sees in images uint8 [n, 28, 28].

        Returns:
            Features float [n, d], the inputs of its last layer, and the digits int64 [n] it takes the images for.
        """
        features = digit_classifier.classify(self.network[:-1], images)
        return features, self.network[-1](features).argmax(1)

    def measure(self, real_features: Tensor, images: Tensor) -> dict[str, float]:
        """Return the quality of generated images uint8 [n, 28, 28], compared with the features [m, d] of real ones."""
        features, digits = self.look(images)
        precision, recall = generative_quality.precision_and_recall(real_features, features)
        entropy = generative_quality.relative_entropy(digits, CLASSES)
        return {
            "frechet_distance": generative_quality.frechet_distance(real_features, features),
            "precision": precision,
            "recall": recall,
            "digit_entropy": entropy,
            "mode_collapse": float(generative_quality.is_collapsed(entropy, recall)),
        }


def accuracy_score(images: Tensor, labels: Tensor, real: Tensor, truth: Tensor, run: Run) -> float:
    """Return the share of real digits that a classifier names right which has learned from generated images only.

    The classification accuracy score of Ravuri and Vinyals, "Classification accuracy score for conditional generative
    models" (2019). It falls where images are wrong, and where their variety is less than that of real ones.

    Args:
        images: Generated, uint8 [n, 28, 28].
        labels: The digits that they were asked to show, int64 [n].
        real: uint8 [m, 28, 28].
        truth: Their digits, int64 [m].
        run: Gives the precision.
    """
    _, verdicts = Judge.trained_on(images, labels, run).look(real)
    return float((verdicts == truth).double().mean())
