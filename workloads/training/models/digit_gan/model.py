"""Generate handwritten digits: a generative adversarial network (GAN) trained on MNIST, or a data set of its form.

A generator turns noise into images; a discriminator learns to tell them from real ones, and the generator learns from
its answers (Goodfellow et al. 2014). How good the images are is judged by what a digit classifier sees in them.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import Adam

from contract.errors import InputError
from workloads.storage import locate
from workloads.training.mnist import CLASSES, SIDE, Digits, load_mnist
from workloads.training.models.digit_gan import quality as generative_quality
from workloads.training.models.digit_gan import report
from workloads.training.models.digit_gan.images import png, tiled
from workloads.training.models.digit_gan.judge import Judge
from workloads.training.models.digit_gan.networks import Discriminator, Drawing, Generator, draw, follow, to_signed
from workloads.training.models.digit_gan.settings import Settings
from workloads.training.runtime.randomness import seed_everything, shuffled
from workloads.training.runtime.run_folder import load_model, rebuilding
from workloads.training.runtime.workload import Exportable, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workloads.storage import Location
    from workloads.training.runtime.results import Results
    from workloads.training.runtime.run import Run

NAME = "digit-gan"
FILM_FRAMES = 48
CHECKPOINT_IMAGES = 2_000
"""How many images the quality after each epoch is measured on."""
_PENALTY_EVERY = 8  # steps; weighted as much more
_ATTEMPTS = 50  # batches drawn for a digit before giving up


class Film:
    """Images of the same noise at moments of training, more of them at its beginning, where more changes.

    Its state is kept in checkpoints, so the film of a continued run is whole.

    Args:
        total_steps: How many steps training takes.

    Attributes:
        steps: Steps so far.
        frames: The images of each frame, uint8 [n, 28, 28].
    """

    def __init__(self, total_steps: int) -> None:
        self._due = {math.ceil(total_steps * (frame / FILM_FRAMES) ** 2) for frame in range(FILM_FRAMES + 1)}
        self.steps = 0
        self.frames: list[Tensor] = []

    def step(self, draw: Callable[[], Tensor]) -> None:
        """Count a step, and take a frame if one is due: images uint8 [n, 28, 28]."""
        if self.steps in self._due:
            self.frames.append(draw().cpu())
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {"step": self.steps, "frames": self.frames}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.steps, self.frames = state["step"], list(state["frames"])


def fit(settings: Settings, data: Location, run: Run) -> Results:
    """Train both networks on the digits at a location; measure quality each epoch, on the test set once, at the end.

    Raises:
        InputError: The data or the classifier cannot be used.
    """
    digits = _load(settings, data, run)
    run.use_data(digits.sha256)
    images = torch.from_numpy(digits.train_images).to(run.device)
    labels = torch.from_numpy(digits.train_labels).long().to(run.device)
    judge = _judge(settings, images, labels, run)

    seed_everything(settings.seed)  # equal weights to begin with, whatever training the judge drew
    generator = Generator(settings.architecture, conditional=settings.conditional)
    discriminator = Discriminator(settings.architecture, conditional=settings.conditional)
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)  # a third faster, on CPUs too
    generate_batch, discriminate = run.distribute(generator), run.distribute(discriminator)
    betas = (0.5, settings.second_moment_decay)
    generator_optimiser = Adam(generator.parameters(), settings.generator_learning_rate, betas, fused=True)
    discriminator_optimiser = Adam(discriminator.parameters(), settings.discriminator_learning_rate, betas, fused=True)
    average = copy.deepcopy(generator)
    film = Film(settings.epochs * max(1, len(images) // settings.batch_size))
    run.keep(
        generator=generator,
        discriminator=discriminator,
        average=average,
        generator_optimiser=generator_optimiser,
        discriminator_optimiser=discriminator_optimiser,
        film=film,
    )
    sample = shuffled(len(images), settings.seed, 0)[:CHECKPOINT_IMAGES].to(run.device)
    sample_features, _ = judge.look(images[sample])
    film_digits = torch.arange(CLASSES, device=run.device).repeat_interleave(10)

    run.use_threads(1)
    for _ in run.epochs(settings.epochs):
        generator.train()
        for rows in run.batches(len(images), settings.batch_size):
            film.step(lambda: draw(average, film_digits, seed=settings.seed))
            penalised = settings.gradient_penalty > 0 and film.steps % _PENALTY_EVERY == 0
            real, classes = to_signed(images[rows]).requires_grad_(penalised), labels[rows]
            noise = torch.randn(len(rows), generator.noise_size, device=run.device)
            with run.autocast(wide_range=penalised):  # the scaler does not reach the gradient inside the penalty
                generated = generate_batch(noise, classes).float()
                logits = discriminate(torch.cat([real, generated.detach()]), torch.cat([classes, classes]))
                is_real = torch.arange(len(logits), device=run.device) < len(rows)
                discriminator_loss = binary_cross_entropy_with_logits(logits, is_real.to(logits.dtype))
                if penalised:
                    penalty = _PENALTY_EVERY * settings.gradient_penalty * squared_gradient(logits, real)
                    discriminator_loss = discriminator_loss + penalty
            run.step(discriminator_loss, discriminator_optimiser, name="discriminator_loss")
            discriminator.requires_grad_(requires_grad=False)
            with run.autocast():
                logits = discriminator(generated, classes)
                generator_loss = binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
            run.step(generator_loss, generator_optimiser, name="generator_loss")
            run.add_loss("training_loss", discriminator_loss.detach() + generator_loss.detach())
            discriminator.requires_grad_(requires_grad=True)
            follow(average, generator, decay=settings.average_decay, step=film.steps)
        drawn = draw(average, labels[sample], seed=settings.seed)
        quality = judge.measure(sample_features, drawn)
        run.record(**quality)
        run.say(f"  Fréchet distance {quality['frechet_distance']:.2f}")

    film.step(lambda: draw(average, film_digits, seed=settings.seed))
    return replace(
        report.results(settings, digits, average, judge, film.frames, run),
        model={
            **{f"generator.{name}": tensor for name, tensor in average.state_dict().items()},
            **{f"classifier.{name}": tensor for name, tensor in judge.network.state_dict().items()},
        },
        model_settings={
            "generator": {"architecture": settings.architecture, "conditional": settings.conditional},
            "classifier": dict(judge.settings),
        },
    )


def _load(settings: Settings, data: Location, run: Run) -> Digits:
    """Read the images, and say what a person should know of them.

    Raises:
        InputError: They cannot be learned from, or judged.
    """
    digits = load_mnist(data).first(settings.training_images)
    if min(len(digits.train_images), len(digits.test_images)) <= generative_quality.NEIGHBOURS:
        raise InputError(
            f"{data}: There are too few images. Quality is measured on more than {generative_quality.NEIGHBOURS}."
        )
    if settings.classifier is None and len(shown := np.unique(digits.train_labels)) == 1:
        raise InputError(
            f"{data}: All training images are of the digit {shown[0]}, and the classifier that judges the images needs "
            "two digits to learn from. Name one that knows more with --classifier RUN."
        )
    for note in digits.notes:
        run.say(note)
    return digits


def _judge(settings: Settings, images: Tensor, labels: Tensor, run: Run) -> Judge:
    if settings.classifier is not None:
        return Judge.of_run(locate(settings.classifier)).to(run.device)
    run.say("training a digit classifier first, to judge the images by (--classifier RUN takes one you have)")
    return Judge.trained_on(images, labels, run)


def squared_gradient(logits: Tensor, images: Tensor) -> Tensor:
    """The mean squared norm of the gradient that logits have at images [n, 1, 28, 28]: R1 (Mescheder et al. 2018)."""
    (gradient,) = torch.autograd.grad(logits[: len(images)].sum(), images, create_graph=True)
    return gradient.square().sum() / len(images)


def generate(run: Location, digits: Sequence[int], count: int, seed: int) -> dict[str, bytes]:
    """Generate `images/<digit>-<number>.png` of chosen digits, and `grid.png` of all, with a row for each digit.

    Only images that the classifier takes for the wanted digit are returned, also from conditional generators.

    Args:
        run: A finished run.
        digits: Which digits.
        count: Images of each.
        seed: The same seed gives the same images.

    Raises:
        InputError: The run cannot be read, or its generator does not draw one of the digits.
    """
    weights, settings = load_model(run, NAME)
    with rebuilding(run):
        generator = _generator(weights, settings)
        judge = Judge.of_weights(_below("classifier.", weights), settings["classifier"])
    drawn = {digit: _draw_digit(generator, judge, digit, count, seed).numpy() for digit in digits}
    files = {
        f"images/{digit}-{number:04}.png": png(image)
        for digit, images in drawn.items()
        for number, image in enumerate(images)
    }
    return {**files, "grid.png": png(tiled(np.concatenate(list(drawn.values())), columns=count))}


def export(run: Location) -> Exportable:
    """Return what draws images uint8 [n, 28, 28] from noise [n, noise size], and digits [n] where it is conditional."""
    generator = load_generator(run)
    digits = torch.arange(CLASSES)
    noise = torch.randn(len(digits), generator.noise_size, generator=torch.Generator().manual_seed(0))
    inputs = {"noise": noise, "digits": digits} if generator.conditional else {"noise": noise}
    return Exportable(Drawing(generator), inputs, "images")


def load_generator(run: Location) -> Generator:
    """Return the generator of a finished run.

    Raises:
        InputError: This is not a finished run, or one of another version.
    """
    weights, settings = load_model(run, NAME)
    with rebuilding(run):
        return _generator(weights, settings)


def _generator(weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Generator:
    generator = Generator(**settings["generator"])
    generator.load_state_dict(_below("generator.", weights))
    return generator


def _draw_digit(generator: Generator, judge: Judge, digit: int, count: int, seed: int) -> Tensor:
    accepted = torch.empty(0, SIDE, SIDE, dtype=torch.uint8)
    for attempt in range(_ATTEMPTS):
        labels = torch.full((max(100, 2 * count),), digit)
        images = draw(generator, labels, seed=int(np.random.SeedSequence((seed, digit, attempt)).generate_state(1)[0]))
        _, verdicts = judge.look(images)
        accepted = torch.cat([accepted, images[verdicts == digit]])
        if len(accepted) >= count:
            return accepted[:count]
    tried = _ATTEMPTS * len(labels)
    raise InputError(
        f"The classifier takes {len(accepted)} of {tried:,} generated images for a {digit}, which is too few. "
        "Train the generator longer."
    )


def _below(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


WORKLOAD = Workload(
    settings=Settings,
    fit=fit,
    unit="images",
    objective=("frechet_distance", "minimize"),
    generate=generate,
    export=export,
)
