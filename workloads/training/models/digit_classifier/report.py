"""What a reader sees of a finished digit classifier: figures, tables, the model card."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from contract.design import RIGHT, RIGHT_SIGN, WRONG, WRONG_SIGN
from workloads.training.mnist import CLASSES, Digits
from workloads.training.runtime.figures import confusion_matrix, curves, image_grid
from workloads.training.runtime.results import Figure, ModelCard, Results, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.training.models.digit_classifier.settings import Settings


def results(
    digits: Digits,
    settings: Settings,
    model: nn.Module,
    probabilities: NDArray[np.float32],
    history: Sequence[Mapping[str, float]],
) -> Results:
    """Everything a finished run says of its model.

    Args:
        digits: The data.
        settings: The run's.
        model: The trained network.
        probabilities: Of the test images [m, classes].
        history: One row an epoch.
    """
    truth = digits.test_labels.astype(np.int64)
    predicted = probabilities.argmax(1)
    accuracy = float((predicted == truth).mean())
    classes = settings.classes
    counts = confusion(truth, predicted, classes)
    support, (precision, recall, f1) = counts.sum(1), per_class(counts)
    loss = cross_entropy(torch.from_numpy(probabilities), torch.from_numpy(truth))
    test = {
        "accuracy": accuracy,
        "loss": loss,
        "precision": float(np.nanmean(precision)),
        "recall": float(np.nanmean(recall)),
        "f1": float(np.nanmean(f1)),
        "per_class_accuracy": {str(digit): float(recall[digit]) for digit in np.flatnonzero(support)},
        "confusion_matrix": counts.tolist(),
    }
    train_counts = np.bincount(digits.train_labels, minlength=classes)
    weights = sum(parameter.numel() for parameter in model.parameters())
    return Results(
        test=test,
        headline={
            f"Accuracy on {len(truth):,} test images": f"{accuracy:.2%}",
            "Worst class": f"{np.nanmin(recall):.2%} ({_kind(settings)} {np.nanargmin(recall)})",
            "Mistakes": f"{int((predicted != truth).sum())} of {len(truth):,}",
            "Weights": f"{weights:,}",
        },
        data={
            "training_images": len(digits.train_labels),
            "test_images": len(truth),
            "training_images_per_class": train_counts.tolist(),
        },
        card=_model_card(settings, digits, train_counts, weights),
        figures=partial(_figures, settings, digits.test_images, truth, probabilities, history),
        tables=[
            Table(
                f"Per {_kind(settings)}, on the test set",
                (_kind(settings).capitalize(), "Images", "Recall", "Precision", "F1"),
                [
                    (digit, int(support[digit]), *(share(score[digit]) for score in (recall, precision, f1)))
                    for digit in range(classes)
                ],
            )
        ],
        model=model.state_dict(),
        model_settings={
            "architecture": settings.architecture,
            "classes": classes,
            **({"members": settings.members} if settings.members > 1 else {}),
        },
    )


def _kind(settings: Settings) -> str:
    """Return what the classes are called; more than ten classes are not digits."""
    return "digit" if settings.classes <= CLASSES else "class"


def _network(settings: Settings) -> str:
    if settings.members == 1:
        return "A convolutional network"
    return f"The mean of {settings.members} convolutional networks"


def _model_card(settings: Settings, digits: Digits, train_counts: NDArray[np.int64], weights: int) -> ModelCard:
    kind = _kind(settings)
    origin = (
        " MNIST was written around 1990 by census employees and students in the United States: a 1 with a long "
        "upstroke, a 7 with a bar and other habits of other regions are rare in it and recognised less well."
    )
    prepared = (
        "white on black, scaled to 20x20 and centred in 28x28 as MNIST's digits are"
        if digits.is_mnist
        else "of 28x28 pixels, prepared as those that it learned from"
    )
    return ModelCard(
        title="Digit classifier",
        summary=(
            f"Names the {kind} of a 28x28 grey image. "
            f"{_network(settings)} (architecture `{settings.architecture}`, {weights:,} weights)."
        ),
        data=(
            f"{len(digits.train_labels):,} images of {settings.classes} classes to learn from "
            f"({settings.validation_fraction:.1%} of them held out to validate), "
            f"{len(digits.test_labels):,} to test on. "
            f"Images of each {kind} to learn from: {train_counts.min():,} ({kind} {train_counts.argmin()}) to "
            f"{train_counts.max():,} ({kind} {train_counts.argmax()})."
        ),
        intended_use=(
            f"A single {kind} in an image, {prepared}. "
            "Not for several in an image, other classes than those of the training set, photographs, or decisions "
            "about people without a person who checks."
        ),
        limits=(
            f"Always answers with one of {settings.classes} classes, also for an image of none."
            f"{origin if digits.is_mnist else ''} Confidence is softened by label smoothing."
        ),
    )


def _figures(
    settings: Settings,
    images: NDArray[np.uint8],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    history: Sequence[Mapping[str, float]],
) -> list[Figure]:
    predicted = probabilities.argmax(1)
    return [
        curves(
            "loss_and_accuracy",
            "Loss and accuracy",
            history,
            {"loss": ["training_loss", "validation_loss"], "accuracy": ["validation_accuracy"]},
        ),
        curves(
            "precision_and_recall",
            "Precision and recall on the validation set, mean over the classes",
            history,
            {"share": ["validation_precision", "validation_recall"]},
        ),
        confusion_matrix(
            confusion(truth, predicted, settings.classes), [str(digit) for digit in range(settings.classes)]
        ),
        _test_digits(images, truth, predicted),
        *_worst_mistakes(images, truth, probabilities),
    ]


def _test_digits(images: NDArray[np.uint8], truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> Figure:
    indices = range(min(40, len(images)))
    correct = [bool(truth[index] == predicted[index]) for index in indices]
    signs = [RIGHT_SIGN if is_right else WRONG_SIGN for is_right in correct]
    captions = [f"{sign} {truth[index]} → {predicted[index]}" for sign, index in zip(signs, indices, strict=True)]
    return Figure(
        "test_digits",
        "Test digits: truth → prediction",
        f"The first {len(indices)} test digits with truth and prediction; {sum(correct)} are right.",
        image_grid(
            images[: len(indices)],
            captions,
            [RIGHT if is_right else WRONG for is_right in correct],
        ),
    )


def _worst_mistakes(
    images: NDArray[np.uint8], truth: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> Iterator[Figure]:
    """None, where there are no mistakes."""
    predicted = probabilities.argmax(1)
    given_to_truth = probabilities[np.arange(len(truth)), truth]
    worst = [index for index in np.argsort(given_to_truth) if predicted[index] != truth[index]][:40]
    captions = [f"{truth[index]} → {predicted[index]} ({probabilities[index].max():.0%})" for index in worst]
    if worst:
        first = f"first a {truth[worst[0]]} taken for a {predicted[worst[0]]}"
        yield Figure(
            "worst_mistakes",
            "Worst mistakes: truth → prediction (confidence)",
            f"The {len(worst)} worst mistakes on the test set, by the probability given to the truth, {first}.",
            image_grid(images[worst], captions, [WRONG] * len(worst)),
        )


def confusion(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int = CLASSES) -> NDArray[np.int64]:
    """Counts of images [classes, classes] by true class (down) and predicted class (across)."""
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def per_class(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F1 of each class, from the counts of `confusion`; NaN for a class without images."""
    right, predicted, true = counts.diagonal(), counts.sum(0), counts.sum(1)
    scores = right / np.maximum(predicted, 1), right / np.maximum(true, 1), 2 * right / np.maximum(predicted + true, 1)
    precision, recall, f1 = (np.where(true > 0, score, np.nan) for score in scores)
    return precision, recall, f1


def share(value: float) -> str:
    """Return a share as a percentage; a dash where there is none."""
    return "–" if np.isnan(value) else f"{value:.2%}"


def cross_entropy(probabilities: Tensor, labels: Tensor) -> float:
    """Mean cross-entropy of probabilities [n, classes] against labels [n]."""
    return functional.nll_loss(probabilities.clamp_min(1e-12).log(), labels).item()
