"""What a reader sees of a finished digit GAN: figures, tables, the film, the model card."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from contract.design import RIGHT_SIGN, WRONG_SIGN
from workloads.training.mnist import CLASSES, Digits
from workloads.training.models.digit_gan.images import captioned, gif, labelled, panels, tiled
from workloads.training.models.digit_gan.judge import accuracy_score
from workloads.training.models.digit_gan.networks import draw
from workloads.training.models.digit_gan.quality import (
    COLLAPSED_ENTROPY,
    COLLAPSED_RECALL,
    nearest_neighbour_ratio,
    nearest_neighbours,
)
from workloads.training.runtime.figures import curves
from workloads.training.runtime.randomness import shuffled
from workloads.training.runtime.results import Figure, ModelCard, Results, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from workloads.training.models.digit_gan.judge import Judge
    from workloads.training.models.digit_gan.networks import Generator
    from workloads.training.models.digit_gan.settings import Settings
    from workloads.training.runtime.run import Run

NOTEBOOK = Path(__file__).with_name("digit_gan.ipynb")
_NEIGHBOUR_IMAGES = 1_000  # whose nearest training images are looked for
_SIDE_BY_SIDE = 100  # images of the grid of real, and of that of generated ones
_SHOWN = 40
_NEIGHBOURS_SHOWN = 10


def results(  # noqa: PLR0917 - what training ends with
    settings: Settings, digits: Digits, generator: Generator, judge: Judge, frames: Sequence[Tensor], run: Run
) -> Results:
    """Everything a finished run says of its generator, except the model itself.

    Args:
        settings: The run's.
        digits: The data; its test set is what generated images are compared with.
        generator: The one that is kept.
        judge: What looks at the images.
        frames: The film: uint8 [100, 28, 28] each.
        run: The run, for its device and history.
    """
    count = min(settings.quality_images, len(digits.test_images), len(digits.train_images))
    training = torch.from_numpy(digits.train_images[shuffled(len(digits.train_images), settings.seed, 0)[:count]])
    test_images = torch.from_numpy(digits.test_images[:count])
    chosen = shuffled(len(digits.train_labels), settings.seed, 1)[:count]
    requested = torch.from_numpy(digits.train_labels[chosen]).long()
    generated = draw(generator, requested.to(run.device), seed=settings.seed)
    test_features, test_verdicts = judge.look(test_images.to(run.device))
    _, verdicts = judge.look(generated)
    real = judge.measure(test_features, training.to(run.device))
    drawn = torch.bincount(verdicts.cpu(), minlength=CLASSES)
    test = {
        **judge.measure(test_features, generated),
        "frechet_distance_of_training_images": real["frechet_distance"],
        "digits_drawn": int((drawn > 0).sum()),
        "digit_shares": {str(digit): float(share) for digit, share in enumerate(drawn / len(verdicts))},
        "nearest_neighbour_ratio": nearest_neighbour_ratio(
            _pixels(generated[:_NEIGHBOUR_IMAGES].cpu()),
            _pixels(test_images[:_NEIGHBOUR_IMAGES]),
            _pixels(torch.from_numpy(digits.train_images)),
        ),
        "classifier_accuracy": float(
            (test_verdicts.cpu() == torch.from_numpy(digits.test_labels[:count])).double().mean()
        ),
    }
    if settings.conditional:
        test["as_asked_for"] = float((verdicts.cpu() == requested).double().mean())
    if settings.score_images:
        run.say(f"training a classifier on {settings.score_images:,} generated images")
        learnt = torch.from_numpy(digits.train_labels).long()
        labels = learnt[torch.arange(settings.score_images) % len(learnt)].to(run.device)
        images = draw(generator, labels, seed=settings.seed + 1)
        shown, truth = test_images.to(run.device), torch.from_numpy(digits.test_labels[:count]).long().to(run.device)
        test["classification_accuracy_score"] = accuracy_score(images, labels, shown, truth, run)
    return Results(
        test=test,
        headline=headline(test, sum(parameter.numel() for parameter in generator.parameters())),
        data={
            "training_images": len(digits.train_images),
            "test_images": len(digits.test_images),
            "training_images_per_class": np.bincount(digits.train_labels, minlength=CLASSES).tolist(),
        },
        card=model_card(settings.model_dump(), digits, test),
        figures=partial(
            figures,
            digits,
            generated.cpu().numpy(),
            requested.numpy() if settings.conditional else None,
            verdicts.cpu().numpy(),
            run.history,
        ),
        tables=tables(test, real),
        files={
            "training.gif": film([frame.numpy() for frame in frames], sample=run.sample),
            NOTEBOOK.name: NOTEBOOK.read_bytes(),
        },
    )


def _pixels(images: Tensor) -> Tensor:
    return images.flatten(1).float()


def film(frames: Sequence[NDArray[np.uint8]], *, sample: bool) -> bytes:
    """Return the images [100, 28, 28] of each frame as an animated GIF, which says so where they are of sample data."""
    pictures = [tiled(frame, columns=10) for frame in frames]
    comment = "What the generator makes of one noise as it learns"
    if sample:
        pictures, comment = [labelled(picture, "sample data") for picture in pictures], f"Sample data. {comment}"
    return gif(pictures, comment)


def figures(
    digits: Digits,
    generated: NDArray[np.uint8],
    requested: NDArray[np.int64] | None,
    verdicts: NDArray[np.int64],
    history: Sequence[Mapping[str, float]],
) -> list[Figure]:
    """Return the figures of the report.

    Args:
        digits: The data.
        generated: uint8 [n, 28, 28].
        requested: The digits [n] that were asked for; None: the generator is not conditional.
        verdicts: The digits [n] that the classifier takes them for.
        history: One row an epoch.
    """
    return [
        _real_and_generated(digits.test_images, generated),
        _verdicts(generated[:_SHOWN], None if requested is None else requested[:_SHOWN], verdicts[:_SHOWN]),
        curves("losses", "Losses", history, {"loss": ["generator_loss", "discriminator_loss"]}),
        curves(
            "quality",
            "Quality over training, against training images",
            history,
            {"Fréchet distance": ["frechet_distance"], "share": ["precision", "recall", "digit_entropy"]},
        ),
        _nearest_training_images(generated[:_NEIGHBOURS_SHOWN], digits.train_images),
    ]


def _real_and_generated(real: NDArray[np.uint8], generated: NDArray[np.uint8]) -> Figure:
    sides = {"real": real, "generated": generated}
    return Figure(
        "real_and_generated",
        "Real digits and generated ones",
        f"Two grids of up to {_SIDE_BY_SIDE} digits each: real ones of the test set, and generated ones.",
        panels({name: tiled(images[:_SIDE_BY_SIDE], columns=10) for name, images in sides.items()}),
    )


def _verdicts(images: NDArray[np.uint8], requested: NDArray[np.int64] | None, verdicts: NDArray[np.int64]) -> Figure:
    if requested is None:
        drawn = ", ".join(str(digit) for digit in np.unique(verdicts))
        captions, right = [str(verdict) for verdict in verdicts], np.ones(len(verdicts), bool)
        title, alt = "Generated digits: what the classifier takes them for", f"the classifier sees the digits {drawn}"
    else:
        captions, right = (
            [
                f"{RIGHT_SIGN if label == verdict else WRONG_SIGN} {label} → {verdict}"
                for label, verdict in zip(requested, verdicts, strict=True)
            ],
            requested == verdicts,
        )
        title, alt = (
            "Generated digits: asked for → what the classifier takes them for",
            f"{right.sum()} are as asked for",
        )
    return Figure(
        "verdicts", title, f"{len(images)} generated digits; {alt}.", captioned(images, captions, right.tolist())
    )


def _nearest_training_images(generated: NDArray[np.uint8], training: NDArray[np.uint8]) -> Figure:
    distances, nearest = nearest_neighbours(
        torch.from_numpy(generated).flatten(1).float(), torch.from_numpy(training).flatten(1).float()
    )
    captions = ["generated"] * len(generated) + [f"{distance:,.0f} away" for distance in distances]
    return Figure(
        "nearest_training_images",
        "Generated digits, and below each the training image nearest to it (Euclidean distance of grey values)",
        f"{len(generated)} generated digits and the nearest training images, {distances.min():,.0f} or more away.",
        captioned(np.concatenate([generated, training[nearest.numpy()]]), captions, [True] * len(captions)),
    )


def tables(test: Mapping[str, Any], real: Mapping[str, float]) -> list[Table]:
    """Return the tables of the report.

    Args:
        test: The final figures.
        real: The same measures of training images, where they apply: what a perfect generator would reach.
    """
    measures = {"Fréchet distance": "frechet_distance", "Precision": "precision", "Recall": "recall"}
    return [
        Table(
            "Quality, against the test set",
            ("Measure", "Generated images", "Training images"),
            [(name, f"{test[key]:.3f}", f"{real[key]:.3f}") for name, key in measures.items()],
        ),
        Table(
            "Per digit, as the classifier sees it",
            ("Digit", "Share of the generated images"),
            [(digit, f"{share:.1%}") for digit, share in test["digit_shares"].items()],
        ),
    ]


def headline(test: Mapping[str, Any], weights: int) -> dict[str, str]:
    """Return the figures a reader looks for first."""
    return {
        "Fréchet distance": f"{test['frechet_distance']:.2f}",
        "Precision": f"{test['precision']:.1%}",
        "Recall": f"{test['recall']:.1%}",
        **({"Digit as asked for": f"{test['as_asked_for']:.1%}"} if "as_asked_for" in test else {}),
        **(
            {"Real digits right after learning from generated ones": f"{test['classification_accuracy_score']:.2%}"}
            if "classification_accuracy_score" in test
            else {}
        ),
        "Digits drawn": f"{test['digits_drawn']} of {CLASSES}",
        "Weights of the generator": f"{weights:,}",
    }


def model_card(settings: Mapping[str, Any], digits: Digits, test: Mapping[str, Any]) -> ModelCard:
    """Return what to know before using the model."""
    counts = np.bincount(digits.train_labels, minlength=CLASSES)
    kind = "of a digit that one chooses" if settings["conditional"] else "of digits, without a choice of which"
    habits = (
        " The data's habits are the generator's: MNIST was written around 1990 by census employees and students in the "
        "United States."
    )
    collapse = "It is flagged as collapsed. " if test["mode_collapse"] else ""
    return ModelCard(
        title="Digit GAN",
        summary=(
            f"Draws 28x28 grey images {kind}. A generative adversarial network (architecture "
            f"`{settings['architecture']}`) trained for {settings['epochs']} epochs, with the digit classifier that "
            "judged it. `training.gif` shows the same noise over training, `digit_gan.ipynb` shows it inline."
        ),
        data=(
            f"{len(digits.train_labels):,} images to learn from, {len(digits.test_labels):,} to "
            f"compare with at the end. Images of each digit to learn from: {counts.min():,} (digit {counts.argmin()}) "
            f"to {counts.max():,} (digit {counts.argmax()})."
        ),
        intended_use=(
            "To learn about generative models, and to test software that takes images of digits. Not to enlarge the "
            "training set of a classifier without a check that it gains, and not to imitate handwriting."
        ),
        limits=(
            f"{collapse}The measures rest on the features of a digit classifier ({test['classifier_accuracy']:.2%} "
            "right on the test set): compare them only between runs with the same classifier and number of images. "
            f"Mode collapse means a digit entropy below {COLLAPSED_ENTROPY} of the largest possible, or a recall below "
            f"{COLLAPSED_RECALL}.{habits if digits.is_mnist else ''} {1 - test['precision']:.0%} of the "
            "images look like no real one to the classifier."
        ),
    )
