"""Recognise handwritten digits, or other classes: MNIST, or any data set of its form."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from contract.errors import InputError
from workloads.training.mnist import CLASSES, SIDE, load_mnist, read_images
from workloads.training.models.digit_classifier.augmentation import augmented, moved
from workloads.training.models.digit_classifier.muon import Muon
from workloads.training.models.digit_classifier.report import confusion, cross_entropy, per_class, results
from workloads.training.models.digit_classifier.settings import Settings, search
from workloads.training.runtime.randomness import shuffled
from workloads.training.runtime.run_folder import load_metrics, load_model, rebuilding
from workloads.training.runtime.workload import STANDARD_ERROR, Exportable, Predictions, Workload
from workloads.training.scans import is_image, read_scans

if TYPE_CHECKING:
    from workloads.storage import Location
    from workloads.training.runtime.results import Results
    from workloads.training.runtime.run import Run

NAME = "digit-classifier"

#: Of each architecture but the reference: the channels of its convolutions, and which one is pooled besides the first.
_CONVOLUTIONS = {
    "compact": ((24, 48, 64, 64), 1),
    "narrow": ((8, 32, 64, 64), 1),
    "deep": ((32, 64, 64, 128, 128), 2),
    "tiny": ((8, 14, 14, 13), 2),
}


def build(architecture: str, classes: int = CLASSES, members: int = 1) -> nn.Module:
    """Return a network, or several that decide together, from images uint8 [n, 28, 28] to the logits [n, classes]."""
    if members == 1:
        return build_network(architecture, classes)
    return Members(build_network(architecture, classes) for _ in range(members))


def build_network(architecture: str, classes: int = CLASSES) -> nn.Sequential:
    """Return a network from uint8 images [n, 28, 28] to the logits [n, classes]; its last layer is linear."""
    if architecture == "reference":
        return nn.Sequential(
            Normalise(),
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 14 * 14, 128),
            nn.ReLU(),
            nn.Linear(128, classes),
        )
    if architecture not in _CONVOLUTIONS:
        raise ValueError(f"There is no architecture {architecture}")
    channels, pooled = _CONVOLUTIONS[architecture]
    layers: list[nn.Module] = [Normalise()]
    for index, (inputs, outputs) in enumerate(pairwise((1, *channels))):
        size = 3 if index else 5
        layers.append(nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False))
        if index in {0, pooled}:
            layers.append(nn.MaxPool2d(2))  # pooled before the slower normalisation
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
    head = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels[-1], classes)]
    return nn.Sequential(*layers, *head).to(memory_format=torch.channels_last)  # twice as fast on CPUs


class Members(nn.ModuleList):
    """Networks that each learn by themselves, and whose probabilities are averaged when they are asked."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the mean of the probabilities.

        In training each member sees its own equal part of the images, and the logits are those of these members.
        """
        if self.training:
            pairs = zip(self, images.chunk(len(self)), strict=False)  # a device may get fewer images than members
            return torch.cat([member(chunk) for member, chunk in pairs])
        return torch.stack([member(images).float().softmax(1) for member in self]).mean(0).clamp_min(1e-12).log()


class Normalise(nn.Module):
    """From images [n, 28, 28], 0 to 255, to float32 [n, 1, 28, 28] of mean 0 and deviation 1 over MNIST."""

    def forward(self, images: Tensor) -> Tensor:
        """Scale the images."""
        return images.unsqueeze(1).float().sub(33.3).div(78.6).contiguous(memory_format=torch.channels_last)


def fit(settings: Settings, data: Location, run: Run) -> Results:
    """Train on the digits at a location; validate each epoch on a part of the training set; test once, at the end."""
    digits = load_mnist(data, settings.classes)
    if settings.training_images:
        digits = digits.first(settings.training_images)
    learnt = np.unique(digits.train_labels)
    if len(learnt) == 1:
        raise InputError(f"{data}: All training images are of the class {learnt[0]}. At least two classes are needed.")
    for note in digits.notes:
        run.say(note)
    if len(unseen := np.setdiff1d(digits.test_labels, learnt)):
        count = int(np.isin(digits.test_labels, unseen).sum())
        run.say(
            f"{count:,} of {len(digits.test_labels):,} test images are of classes that no training image has, and will "
            f"all be wrong: {', '.join(map(str, unseen))}"
        )
    run.use_data(digits.sha256)
    order = shuffled(len(digits.train_images), settings.seed, 0)
    held_out = max(1, round(settings.validation_fraction * len(order)))
    images = torch.from_numpy(digits.train_images)
    labels = torch.from_numpy(digits.train_labels).long()
    valid_images, valid_labels = images[order[:held_out]].to(run.device), labels[order[:held_out]].to(run.device)
    train_images, train_labels = images[order[held_out:]].to(run.device), labels[order[held_out:]].to(run.device)

    model = build(settings.architecture, settings.classes, settings.members)
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
        for batch in run.batches(len(train_images), settings.batch_size):
            rows = batch.repeat(settings.members)  # each member sees the images in a form of its own
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
    # In float32, as `predict` computes, whatever the precision of the training.
    probabilities = predict_probabilities(final, test_images, shifts=settings.test_time_shifts)
    return results(digits, settings, final, probabilities.cpu().numpy(), run.history)


def optimisers_and_schedules(
    model: nn.Module, settings: Settings, steps: int
) -> tuple[list[torch.optim.Optimizer], list[LRScheduler]]:
    """Muon for the weights of hidden convolutions and AdamW for the rest, with rates that rise and fall linearly."""
    hidden = [layer.weight for layer in model.modules() if isinstance(layer, nn.Conv2d) and layer.in_channels > 1]
    chosen = {id(weight) for weight in hidden}
    remaining = [weight for weight in model.parameters() if id(weight) not in chosen]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(remaining, settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay)
    ]
    if hidden:
        optimisers.append(Muon(hidden, settings.muon_learning_rate))
    rise = max(1.0, 0.1 * steps)

    def rate(step: int) -> float:
        return min((step + 1) / rise, (steps - step) / max(1.0, steps - rise), 1.0)

    return optimisers, [LambdaLR(optimiser, rate) for optimiser in optimisers]


@torch.inference_mode()
def classify(model: nn.Module, images: Tensor) -> Tensor:
    """Return what a network gives for images uint8 [n, 28, 28], without training it."""
    model.eval()
    return torch.cat([model(batch).float() for batch in torch.split(images, 1000)])


def predict_probabilities(model: nn.Module, images: Tensor, *, shifts: bool) -> Tensor:
    """Probabilities [n, classes] of images uint8 [n, 28, 28].

    Args:
        model: Gives logits.
        images: The images.
        shifts: Average over the image and its four copies moved by one pixel; background moves in.
    """
    return torch.stack([classify(model, view).softmax(1) for view in _views(images, shifts=shifts)]).mean(0)


def _views(images: Tensor, *, shifts: bool) -> list[Tensor]:
    moves = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)] if shifts else [(0, 0)]
    return [moved(images, *move) for move in moves]


def validate(model: nn.Module, images: Tensor, labels: Tensor, settings: Settings, run: Run) -> dict[str, float]:
    """Loss, accuracy, macro precision and macro recall on the validation set."""
    with run.autocast():
        probabilities = predict_probabilities(model, images, shifts=settings.test_time_shifts)
    truth, predicted = labels.cpu().numpy(), probabilities.argmax(1).cpu().numpy()
    precision, recall, _ = per_class(confusion(truth, predicted, settings.classes))  # NaN for a class without images
    return {
        "validation_loss": cross_entropy(probabilities, labels),
        "validation_accuracy": (accuracy := float((truth == predicted).mean())),
        STANDARD_ERROR: math.sqrt(accuracy * (1 - accuracy) / len(truth)),
        "validation_precision": float(np.nanmean(precision)),
        "validation_recall": float(np.nanmean(recall)),
    }


def predict(run: Location, inputs: Location) -> Predictions:
    """Name the class of each image, with its probability, in the order of the images; of image files also the name.

    Args:
        run: A finished run.
        inputs: An idx file (`.gz` or not), an `.npy` file, an image, or a folder of images (see `scans`).

    Raises:
        InputError: The run or the images cannot be read.
    """
    import pandas as pd

    model, shifts = _load(run)
    scans = None if inputs.is_file() and not is_image(inputs.name) else read_scans(inputs)
    images = torch.from_numpy(scans.images if scans else read_images(inputs))
    confidence, prediction = predict_probabilities(model, images, shifts=shifts).max(1)
    table = pd.DataFrame({"prediction": prediction.numpy(), "confidence": confidence.numpy().round(6)})
    if scans is None:
        return Predictions(table)
    return Predictions(table.assign(file=scans.names), scans.notes)


def _load(run: Location) -> tuple[nn.Module, bool]:
    """Return the network of a finished run, and whether it predicts from moved copies too."""
    weights, architecture = load_model(run, NAME)
    with rebuilding(run):
        model = build(**architecture)
        model.load_state_dict(weights)
        return model, load_metrics(run, NAME)["settings"]["test_time_shifts"]


class Probabilities(nn.Module):
    """From images uint8 [n, 28, 28] to the probabilities [n, classes] that `predict` computes."""

    def __init__(self, model: nn.Module, *, shifts: bool) -> None:
        super().__init__()
        self.model = model
        self.shifts = shifts

    def forward(self, images: Tensor) -> Tensor:
        """Average over the copies."""
        views = _views(images, shifts=self.shifts)
        return torch.stack([self.model(view).softmax(1) for view in views]).mean(0)


def export(run: Location) -> Exportable:
    """Return what gives probabilities [n, classes] of images uint8 [n, 28, 28]."""
    model, shifts = _load(run)
    images = torch.randint(256, (10, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Exportable(Probabilities(model, shifts=shifts), {"images": images}, "probabilities")


WORKLOAD = Workload(
    settings=Settings,
    fit=fit,
    predict=predict,
    search=search,
    unit="images",
    objective=("validation_accuracy", "maximize"),
    export=export,
)
