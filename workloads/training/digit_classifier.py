"""Recognise handwritten digits: MNIST, or any data set of its form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from sklearn import metrics
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from workloads.training.mnist import CLASSES, Digits, load_mnist, read_images
from workloads.training.muon import Muon
from workloads.training.runtime.figures import confusion_matrix, curves, image_grid
from workloads.training.runtime.randomness import shuffled
from workloads.training.runtime.results import Figure, ModelCard, Results, Table
from workloads.training.runtime.run_folder import load_metrics, load_model
from workloads.training.runtime.settings import TrainingSettings
from workloads.training.runtime.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

    import optuna
    from numpy.typing import NDArray

    from workloads.training.runtime.run import Run
    from workloads.training.runtime.storage import Location

NAME = "digit-classifier"
_RIGHT, _WRONG = "#1b7837", "#b2182b"  # green and red that differ in lightness as well


class Settings(TrainingSettings):
    """Options of the digit classifier."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "best": {
            "architecture": "wide",
            "epochs": 20,
            "shift": 2,
            "rotation": 10.0,
            "scale": 0.1,
            "shear": 0.1,
            "weight_average": 0.998,
        }
    }

    architecture: Literal["compact", "wide", "reference"] = Field(
        "compact",
        description="compact: four convolutions, 77k weights; wide: the same, 159k weights; "
        "reference: one convolution and two linear layers, 805k weights.",
    )
    batch_size: int = Field(128, ge=1, description="Images a step, over all devices.")
    learning_rate: float = Field(0.02, gt=0, description="Peak of AdamW's learning rate, which rises and falls once.")
    muon_learning_rate: float = Field(0.1, gt=0, description="Peak of Muon's, for the weights of hidden convolutions.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay of AdamW.")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the target spread over all classes.")
    shift: int = Field(1, ge=0, le=8, description="Training images move by up to so many pixels each way.")
    rotation: float = Field(0, ge=0, le=45, description="Training images turn by up to so many degrees either way.")
    scale: float = Field(0, ge=0, le=0.5, description="Training images grow or shrink by up to this share.")
    shear: float = Field(0, ge=0, le=0.5, description="Training images slant by up to so many pixels a row.")
    weight_average: float = Field(
        0,
        ge=0,
        lt=1,
        description="Decay a step of the running average of the weights that is the model; 0: no average.",
    )
    test_time_shifts: bool = Field(
        default=True, description="Predict from the image and its copies moved by one pixel, averaged."
    )
    validation_fraction: float = Field(
        1 / 30, gt=0, lt=1, description="Share of the training set held out to validate each epoch."
    )


def build(architecture: str) -> nn.Sequential:
    """A network from uint8 images [n, 28, 28] to the logits [n, 10]; its last layer is linear."""
    if architecture == "reference":
        return nn.Sequential(
            Normalise(),
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 14 * 14, 128),
            nn.ReLU(),
            nn.Linear(128, CLASSES),
        )
    first, second, third = {"compact": (24, 48, 64), "wide": (32, 64, 96)}[architecture]
    return nn.Sequential(
        Normalise(),
        *_convolution(1, first, 5, nn.MaxPool2d(2)),  # pooled before the slower normalisation
        *_convolution(first, second, 3, nn.MaxPool2d(2)),
        *_convolution(second, third, 3),
        *_convolution(third, third, 3),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(third, CLASSES),
    ).to(memory_format=torch.channels_last)  # twice as fast on a CPU


class Normalise(nn.Module):
    """From images [n, 28, 28], 0 to 255, to float32 [n, 1, 28, 28] of mean 0 and deviation 1 over MNIST."""

    def forward(self, images: Tensor) -> Tensor:
        """Scale the images."""
        return images.unsqueeze(1).float().sub(33.3).div(78.6).contiguous(memory_format=torch.channels_last)


def _convolution(inputs: int, outputs: int, size: int, *pooling: nn.Module) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    return [convolution, *pooling, nn.BatchNorm2d(outputs), nn.ReLU()]


def augmented(images: Tensor, settings: Settings) -> Tensor:
    """Each image moved, turned, scaled and slanted by its own random amounts: [n, 28, 28] as before."""
    if settings.rotation or settings.scale or settings.shear:
        return warped(images, settings)
    return shifted(images, settings.shift)


def shifted(images: Tensor, most: int) -> Tensor:
    """Each image moved by its own whole number of pixels, up to `most` each way; background moves in."""
    count, height, width = images.shape
    padded = functional.pad(images, (most,) * 4)
    moves = torch.randint(0, 2 * most + 1, (2, count, 1), device=images.device)
    rows = moves[0] + torch.arange(height, device=images.device)
    columns = moves[1] + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]]


def warped(images: Tensor, settings: Settings) -> Tensor:
    """Each image under its own affine map, with bilinear interpolation: float32 [n, 28, 28]."""
    count, height, width = images.shape
    angle, growth, slant, across, down = torch.rand(5, count, device=images.device) * 2 - 1
    angle, growth, slant = angle * math.radians(settings.rotation), 1 + growth * settings.scale, slant * settings.shear
    cosine, sine = growth * angle.cos(), growth * angle.sin()
    move = 2 * settings.shift / width  # from -1 to 1 across the image
    rows = (cosine, slant * cosine - sine, across * move, sine, slant * sine + cosine, down * move)
    grid = functional.affine_grid(
        torch.stack(rows, 1).view(count, 2, 3), [count, 1, height, width], align_corners=False
    )
    return functional.grid_sample(images.unsqueeze(1).float(), grid, align_corners=False).squeeze(1)


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
    moving = get_ema_multi_avg_fn(settings.weight_average)  # type: ignore[no-untyped-call]
    average = AveragedModel(model, multi_avg_fn=moving, use_buffers=True)
    steps = settings.epochs * max(1, len(train_images) // settings.batch_size)
    optimisers, schedules = optimisers_and_schedules(model, settings, steps)
    kept_optimisers = {f"optimiser_{index}": optimiser for index, optimiser in enumerate(optimisers)}
    kept_schedules = {f"schedule_{index}": schedule for index, schedule in enumerate(schedules)}
    run.keep(model=model, average=average, **kept_optimisers, **kept_schedules)
    final = average.module if settings.weight_average else model

    for _ in run.epochs(settings.epochs):
        network.train()
        for rows in run.batches(len(train_images), settings.batch_size):
            with run.autocast():
                logits = network(augmented(train_images[rows], settings)).float()
                loss = functional.cross_entropy(logits, train_labels[rows], label_smoothing=settings.label_smoothing)
            run.step(loss, *optimisers)
            for schedule in schedules:
                schedule.step()
            if settings.weight_average:
                average.update_parameters(model)
        run.record(**validate(final, valid_images, valid_labels, settings, run))

    test_images = torch.from_numpy(digits.test_images).to(run.device)
    with run.autocast():
        probabilities = predict_probabilities(final, test_images, shifts=settings.test_time_shifts)
    return _results(settings, digits, final, probabilities.cpu().numpy(), run)


def optimisers_and_schedules(
    model: nn.Module, settings: Settings, steps: int
) -> tuple[list[torch.optim.Optimizer], list[LRScheduler]]:
    """Muon for the weights of hidden convolutions and AdamW for the rest, with rates that rise and fall linearly."""
    hidden = [layer.weight for layer in model.modules() if isinstance(layer, nn.Conv2d) and layer.in_channels > 1]
    chosen = {id(weight) for weight in hidden}
    others = [weight for weight in model.parameters() if id(weight) not in chosen]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(others, settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay)
    ]
    if hidden:
        optimisers.append(Muon(hidden, settings.muon_learning_rate))
    rise = max(1.0, 0.1 * steps)

    def rate(step: int) -> float:
        return min((step + 1) / rise, (steps - step) / max(1.0, steps - rise), 1.0)

    return optimisers, [LambdaLR(optimiser, rate) for optimiser in optimisers]


@torch.inference_mode()
def classify(model: nn.Module, images: Tensor) -> Tensor:
    """What a network gives for images uint8 [n, 28, 28], without training it."""
    model.eval()
    return torch.cat([model(batch).float() for batch in torch.split(images, 1000)])


def predict_probabilities(model: nn.Module, images: Tensor, *, shifts: bool) -> Tensor:
    """Probabilities [n, 10] of images uint8 [n, 28, 28].

    Args:
        model: Gives logits.
        images: The images.
        shifts: Average over the image and its four copies moved by one pixel.
    """
    moves = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)] if shifts else [(0, 0)]
    views = [classify(model, images.roll(move, (1, 2))).softmax(1) for move in moves]
    return torch.stack(views).mean(0)


def validate(model: nn.Module, images: Tensor, labels: Tensor, settings: Settings, run: Run) -> dict[str, float]:
    """Loss, accuracy, macro precision and macro recall on the validation set."""
    with run.autocast():
        probabilities = predict_probabilities(model, images, shifts=settings.test_time_shifts)
    truth, predicted = labels.cpu().numpy(), probabilities.argmax(1).cpu().numpy()
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        truth, predicted, average="macro", zero_division=0, labels=range(CLASSES)
    )
    return {
        "validation_loss": _loss(probabilities, labels),
        "validation_accuracy": float((truth == predicted).mean()),
        "validation_precision": float(precision),
        "validation_recall": float(recall),
    }


def _loss(probabilities: Tensor, labels: Tensor) -> float:
    """Mean cross-entropy."""
    return functional.nll_loss(probabilities.clamp_min(1e-12).log(), labels).item()


def predict(run: Location, inputs: Location) -> pd.DataFrame:
    """The digit in each image and its probability, in the order of the images.

    Args:
        run: A finished run.
        inputs: An idx file (`.gz` or not), an `.npy` file, or a folder of PNG files.

    Raises:
        InputError: The run or the images cannot be read.
    """
    weights, architecture = load_model(run, NAME)
    shifts = load_metrics(run, NAME)["settings"]["test_time_shifts"]
    images = torch.from_numpy(read_images(inputs))
    model = build(**architecture)
    model.load_state_dict(weights)
    confidence, prediction = predict_probabilities(model, images, shifts=shifts).max(1)
    return pd.DataFrame({"prediction": prediction.numpy(), "confidence": confidence.numpy().round(6)})


def _results(
    settings: Settings, digits: Digits, model: nn.Module, probabilities: NDArray[np.float32], run: Run
) -> Results:
    truth = digits.test_labels.astype(np.int64)
    predicted = probabilities.argmax(1)
    accuracy = float((predicted == truth).mean())
    counts = metrics.confusion_matrix(truth, predicted, labels=range(CLASSES))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(CLASSES), zero_division=0
    )
    loss = _loss(torch.from_numpy(probabilities), torch.from_numpy(truth))
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
            f"{weights:,} weights)."
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


def search(trial: optuna.Trial) -> dict[str, Any]:
    """Settings of one trial of `groundwork tune`."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.003, 0.05, log=True),
        "muon_learning_rate": trial.suggest_float("muon_learning_rate", 0.03, 0.3, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [64, 128, 256]),
        "label_smoothing": trial.suggest_float("label_smoothing", 0, 0.2),
    }


WORKLOAD = Workload(
    settings=Settings,
    fit=fit,
    predict=predict,
    search=search,
    unit="images",
    objective=("validation_accuracy", "maximize"),
)
