"""Recognise handwritten digits: MNIST, or any data set of its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from sklearn import metrics
from torch import Tensor, nn
from torch.nn import functional

from workloads.training.mnist import CLASSES, Digits, load_mnist, read_images
from workloads.training.runtime.figures import confusion_matrix, curves, image_grid
from workloads.training.runtime.randomness import shuffled
from workloads.training.runtime.results import Figure, ModelCard, Results, Table
from workloads.training.runtime.run_folder import load_model
from workloads.training.runtime.settings import TrainingSettings
from workloads.training.runtime.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workloads.training.runtime.run import Run
    from workloads.training.runtime.storage import Location

NAME = "digit-classifier"
_RIGHT, _WRONG = "#1b7837", "#b2182b"  # green and red that differ in lightness as well


class Settings(TrainingSettings):
    """Options of the digit classifier."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    architecture: Literal["compact", "reference"] = Field(
        "compact", description="compact: three convolutions, 27k weights; reference: one convolution, 805k weights."
    )
    batch_size: int = Field(256, ge=1, description="Images a step, over all devices.")
    learning_rate: float = Field(0.01, gt=0, description="Peak of the one-cycle schedule.")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay of AdamW.")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the target spread over all classes.")
    shift: int = Field(1, ge=0, le=8, description="Training images move by up to so many pixels each way.")
    validation_fraction: float = Field(
        1 / 12, gt=0, lt=1, description="Share of the training set held out to validate each epoch."
    )


def build(architecture: str) -> nn.Sequential:
    """A network from uint8 images [n, 28, 28] to the logits [n, 10]."""
    if architecture == "reference":
        layers: list[nn.Module] = [
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 14 * 14, 128),
            nn.ReLU(),
            nn.Linear(128, CLASSES),
        ]
    else:
        layers = [
            *_convolution(1, 16),
            nn.MaxPool2d(2),
            *_convolution(16, 32),
            nn.MaxPool2d(2),
            *_convolution(32, 64),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(64, CLASSES),
        ]
    return nn.Sequential(Normalise(), *layers)


class Normalise(nn.Module):
    """From uint8 [n, 28, 28] to float32 [n, 1, 28, 28] with mean 0 and deviation 1 (over MNIST's training set)."""

    def forward(self, images: Tensor) -> Tensor:
        """Scale the images."""
        return images.unsqueeze(1).float().sub(33.3).div(78.6)


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def shifted(images: Tensor, most: int) -> Tensor:
    """Each image moved by its own random number of pixels, up to `most` each way; background moves in."""
    count, height, width = images.shape
    padded = functional.pad(images, (most,) * 4)
    moves = torch.randint(0, 2 * most + 1, (2, count, 1), device=images.device)
    rows = moves[0] + torch.arange(height, device=images.device)
    columns = moves[1] + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]]


def fit(settings: Settings, data: Location, run: Run) -> Results:
    """Train on the digits at a location; validate each epoch on a part of the training set; test once, at the end."""
    digits = load_mnist(data)
    order = shuffled(len(digits.train_images), settings.seed, 0)
    held_out = max(1, round(settings.validation_fraction * len(order)))
    images = torch.from_numpy(digits.train_images)
    labels = torch.from_numpy(digits.train_labels).long()
    valid_images, valid_labels = images[order[:held_out]].to(run.device), labels[order[:held_out]].to(run.device)
    train_images, train_labels = images[order[held_out:]].to(run.device), labels[order[held_out:]].to(run.device)

    model = build(settings.architecture)
    network = run.distribute(model)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=settings.weight_decay)
    steps = settings.epochs * max(1, len(train_images) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=steps)
    run.keep(model=model, optimiser=optimiser, schedule=schedule)

    for _ in run.epochs(settings.epochs):
        network.train()
        for rows in run.batches(len(train_images), settings.batch_size):
            with run.autocast():
                logits = network(shifted(train_images[rows], settings.shift))
                loss = functional.cross_entropy(logits, train_labels[rows], label_smoothing=settings.label_smoothing)
            run.step(loss, optimiser)
            schedule.step()
        run.record(**validate(model, valid_images, valid_labels, run))

    test_logits = classify(model, torch.from_numpy(digits.test_images).to(run.device), run)
    return _results(settings, digits, model, test_logits, run)


@torch.inference_mode()
def classify(model: nn.Module, images: Tensor, run: Run | None = None) -> Tensor:
    """Logits [n, 10] of images uint8 [n, 28, 28]."""
    model.eval()
    logits = []
    for batch in torch.split(images, 1000):
        if run is None:
            logits.append(model(batch))
        else:
            with run.autocast():
                logits.append(model(batch).float())
    return torch.cat(logits)


def validate(model: nn.Module, images: Tensor, labels: Tensor, run: Run) -> dict[str, float]:
    """Loss, accuracy, macro precision and macro recall."""
    logits = classify(model, images, run)
    truth, predicted = labels.cpu().numpy(), logits.argmax(1).cpu().numpy()
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        truth, predicted, average="macro", zero_division=0, labels=range(CLASSES)
    )
    return {
        "validation_loss": functional.cross_entropy(logits, labels).item(),
        "validation_accuracy": float((truth == predicted).mean()),
        "validation_precision": float(precision),
        "validation_recall": float(recall),
    }


def predict(run: Location, inputs: Location) -> pd.DataFrame:
    """The digit in each image and its probability, in the order of the images.

    Args:
        run: A finished run.
        inputs: An idx file (`.gz` or not), an `.npy` file, or a folder of PNG files.

    Raises:
        InputError: The run or the images cannot be read.
    """
    weights, architecture = load_model(run, NAME)
    images = torch.from_numpy(read_images(inputs))
    model = build(**architecture)
    model.load_state_dict(weights)
    confidence, prediction = functional.softmax(classify(model, images), 1).max(1)
    return pd.DataFrame({"prediction": prediction.numpy(), "confidence": confidence.numpy().round(6)})


def _results(settings: Settings, digits: Digits, model: nn.Module, logits: Tensor, run: Run) -> Results:
    truth = digits.test_labels.astype(np.int64)
    probabilities = functional.softmax(logits, 1).cpu().numpy()
    predicted = probabilities.argmax(1)
    accuracy = float((predicted == truth).mean())
    counts = metrics.confusion_matrix(truth, predicted, labels=range(CLASSES))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(CLASSES), zero_division=0
    )
    loss = functional.cross_entropy(logits, torch.from_numpy(truth).to(logits.device)).item()
    test = {
        "accuracy": accuracy,
        "loss": loss,
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "f1": float(f1.mean()),
        "per_class_accuracy": {str(digit): float(value) for digit, value in enumerate(recall)},
        "confusion_matrix": counts.tolist(),
    }
    names = [str(digit) for digit in range(CLASSES)]
    train_counts = np.bincount(digits.train_labels, minlength=CLASSES)
    weights = sum(parameter.numel() for parameter in model.parameters())
    return Results(
        test=test,
        headline={
            "Test accuracy": f"{accuracy:.2%}",
            "Worst class": f"{recall.min():.2%} (digit {recall.argmin()})",
            "Mistakes": f"{int((predicted != truth).sum())} of {len(truth):,}",
            "Weights": f"{weights:,}",
        },
        data={
            "sha256": digits.sha256,
            "training_images": len(digits.train_labels),
            "test_images": len(truth),
            "training_images_per_class": train_counts.tolist(),
        },
        card=_model_card(settings, digits, train_counts, weights),
        figures=[
            curves(
                "loss_and_accuracy",
                "Loss and accuracy",
                run.history,
                {"loss": ["training_loss", "validation_loss"], "accuracy": ["validation_accuracy"]},
            ),
            curves(
                "precision_and_recall",
                "Precision and recall on the validation set, mean over the digits",
                run.history,
                {"share": ["validation_precision", "validation_recall"]},
            ),
            confusion_matrix(counts, names),
            _test_digits(digits.test_images, truth, predicted),
            _worst_mistakes(digits.test_images, truth, probabilities),
        ],
        tables=[
            Table(
                "Per digit, on the test set",
                ("Digit", "Images", "Recall", "Precision", "F1"),
                [
                    (digit, int(support[digit]), f"{recall[digit]:.2%}", f"{precision[digit]:.2%}", f"{f1[digit]:.2%}")
                    for digit in range(CLASSES)
                ],
            )
        ],
        model=model.state_dict(),
        model_settings={"architecture": settings.architecture},
    )


def _model_card(settings: Settings, digits: Digits, train_counts: NDArray[np.int64], weights: int) -> ModelCard:
    return ModelCard(
        title="Digit classifier",
        summary=(
            f"Names the digit in a 28x28 grey image. A convolutional network (architecture `{settings.architecture}`, "
            f"{weights:,} weights), trained for {settings.epochs} epochs."
        ),
        data=(
            f"{len(digits.train_labels):,} images of handwritten digits to learn from "
            f"({settings.validation_fraction:.1%} of them held out to validate), "
            f"{len(digits.test_labels):,} to test on. "
            f"Images of each digit to learn from: {train_counts.min():,} (digit {train_counts.argmin()}) to "
            f"{train_counts.max():,} (digit {train_counts.argmax()})."
        ),
        intended_use=(
            "Single digits, white on black, scaled to 20x20 and centred in 28x28 as MNIST's are. Not for several "
            "digits in an image, letters, photographs, or decisions about people without a person who checks."
        ),
        limits=(
            "Always answers with one of ten digits, also for an image of none. MNIST was written around 1990 by census "
            "employees and students in the United States: a 1 with a long upstroke, a 7 with a bar and other habits of "
            "other regions are rare in it and recognised less well. Confidence is softened by label smoothing."
        ),
    )


def _test_digits(images: NDArray[np.uint8], truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> Figure:
    shown = range(min(40, len(images)))
    right = sum(int(truth[index] == predicted[index]) for index in shown)
    captions = [f"{truth[index]} → {predicted[index]}" for index in shown]
    return Figure(
        "test_digits",
        "Test digits: truth → prediction",
        f"The first {len(shown)} test digits with truth and prediction; {right} are right.",
        image_grid(
            images[: len(shown)], captions, [_RIGHT if truth[index] == predicted[index] else _WRONG for index in shown]
        ),
    )


def _worst_mistakes(images: NDArray[np.uint8], truth: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Figure:
    predicted = probabilities.argmax(1)
    given_to_truth = probabilities[np.arange(len(truth)), truth]
    worst = [index for index in np.argsort(given_to_truth) if predicted[index] != truth[index]][:40]
    captions = [f"{truth[index]} → {predicted[index]} ({probabilities[index].max():.0%})" for index in worst]
    first = f", first a {truth[worst[0]]} taken for a {predicted[worst[0]]}" if worst else ""
    return Figure(
        "worst_mistakes",
        "Worst mistakes: truth → prediction (confidence)",
        f"The {len(worst)} worst mistakes on the test set, by the probability given to the truth{first}.",
        image_grid(images[worst], captions, [_WRONG] * len(worst)),
    )


WORKLOAD = Workload(
    settings=Settings,
    fit=fit,
    predict=predict,
    unit="images",
    objective=("validation_accuracy", "maximize"),
)
