"""Generate handwritten digits: a generative adversarial network (GAN) trained on MNIST, or a data set of its form.

A generator turns noise into images; a discriminator learns to tell them from real ones, and the generator learns from
its answers (Goodfellow et al. 2014). How good the images are is judged by what a digit classifier sees in them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, ValidationInfo, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from workloads.errors import InputError
from workloads.training import digit_classifier, generative_quality
from workloads.training.digit_images import captioned, gif, panels, png, tiled
from workloads.training.mnist import CLASSES, Digits, load_mnist
from workloads.training.runtime.figures import curves
from workloads.training.runtime.randomness import seed_everything, shuffled
from workloads.training.runtime.results import Figure, ModelCard, Results, Table
from workloads.training.runtime.run_folder import load_model
from workloads.training.runtime.settings import TrainingSettings
from workloads.training.runtime.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workloads.training.runtime.run import Run
    from workloads.training.runtime.storage import Location

NAME = "digit-gan"
NOTEBOOK = Path(__file__).with_suffix(".ipynb")
FILM_FRAMES = 48
CHECKPOINT_IMAGES = 2_000
"""How many images the quality after each epoch is measured on."""

_REFERENCE: Mapping[str, Any] = {
    "conditional": False,
    "batch_size": 64,
    "generator_learning_rate": 2e-4,
    "discriminator_learning_rate": 2e-4,
    "second_moment_decay": 0.999,
    "average_decay": 0.0,
}
"""The settings that belong to the reference architecture: those of DCGAN (Radford et al. 2015)."""


class Settings(TrainingSettings):
    """Options of the digit GAN."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"short": {"epochs": 2}}

    epochs: int = Field(16, ge=1, description="Passes over the training set.")
    architecture: Literal["compact", "reference"] = Field(
        "compact",
        description="compact: small networks for many steps; reference: DCGAN's widths, and its settings unless given.",
    )
    conditional: bool = Field(
        default=True, description="Learn to draw a chosen digit. (The reference architecture cannot.)"
    )
    batch_size: int = Field(64, ge=1, description="Real images a step, over all devices; as many are generated.")
    generator_learning_rate: float = Field(1e-3, gt=0, description="Step size of the generator's Adam.")
    discriminator_learning_rate: float = Field(1e-3, gt=0, description="Step size of the discriminator's Adam.")
    second_moment_decay: float = Field(0.99, ge=0, lt=1, description="Adam's second beta, of both networks.")
    average_decay: float = Field(
        0.995, ge=0, lt=1, description="The generator that is kept averages the trained one's weights over steps; 0: off."
    )
    quality_images: int = Field(10_000, ge=100, description="Images that the final quality is measured on, at most.")
    classifier: str | None = Field(
        None, description="A finished run of digit-classifier that judges the images; without it one is trained first."
    )

    @model_validator(mode="before")
    @classmethod
    def _settings_of_the_reference(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**_REFERENCE, **given} if given.get("architecture") == "reference" else given

    @field_validator("conditional")
    @classmethod
    def _reference_is_unconditional(cls, value: bool, others: ValidationInfo) -> bool:
        if value and others.data.get("architecture") == "reference":
            raise ValueError("the reference architecture cannot draw a chosen digit")
        return value


class Generator(nn.Module):
    """From noise [n, noise_size], and digits [n] when conditional, to images float [n, 1, 28, 28] in -1..1."""

    def __init__(self, architecture: str, *, conditional: bool) -> None:
        super().__init__()
        self.conditional = conditional
        self.noise_size, width = (100, 128) if architecture == "reference" else (64, 64)
        self.layers = nn.Sequential(
            nn.Linear(self.noise_size + conditional * CLASSES, width * 7 * 7, bias=False),
            nn.Unflatten(1, (width, 7, 7)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor, digits: Tensor) -> Tensor:
        """Draw an image for each row of noise."""
        if self.conditional:
            noise = torch.cat([noise, functional.one_hot(digits, CLASSES).to(noise.dtype)], 1)
        images: Tensor = self.layers(noise)
        return images


class Discriminator(nn.Module):
    """From images float [n, 1, 28, 28] in -1..1, and digits [n] when conditional, to logits [n]: positive says real.

    When conditional it is a projection discriminator (Miyato and Koyama 2018): a vector for each digit, times features.
    """

    def __init__(self, architecture: str, *, conditional: bool) -> None:
        super().__init__()
        width = 64 if architecture == "reference" else 32
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.realism = nn.Linear(2 * width * 7 * 7, 1)
        self.digits = nn.Embedding(CLASSES, 2 * width * 7 * 7) if conditional else None

    def forward(self, images: Tensor, digits: Tensor) -> Tensor:
        """Judge each image."""
        features = self.features(images)
        logits: Tensor = self.realism(features).squeeze(1)
        if self.digits is not None:
            logits = logits + (self.digits(digits) * features).sum(1)
        return logits


@dataclass(frozen=True)
class Judge:
    """A trained digit classifier.

    Attributes:
        network: From images uint8 [n, 28, 28] to logits [n, 10]; its last layer is linear.
        settings: What builds it.
    """

    network: nn.Sequential
    settings: Mapping[str, Any]

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What it sees in images: features [n, d], the inputs of its last layer, and the digits [n] it takes them for."""
        with torch.inference_mode():
            features = digit_classifier.classify(self.network[:-1], images)
            return features, self.network[-1](features).argmax(1)


class Film:
    """Images of the same noise at moments of training, more of them at its beginning, where more changes.

    Its state is kept in checkpoints, so the film of a continued run is whole.

    Args:
        steps: How many steps training takes.
    """

    def __init__(self, steps: int) -> None:
        self._due = {round(steps * (frame / FILM_FRAMES) ** 2) for frame in range(FILM_FRAMES + 1)}
        self._step = 0
        self.frames: list[Tensor] = []

    def step(self, draw: Callable[[], Tensor]) -> None:
        """Count a step, and take a frame if one is due: images uint8 [n, 28, 28]."""
        if self._step in self._due:
            self.frames.append(draw().cpu())
        self._step += 1

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"step": self._step, "frames": self.frames}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self._step, self.frames = state["step"], list(state["frames"])


def fit(settings: Settings, data: Location, run: Run) -> Results:
    """Train both networks on the digits at a location; measure quality each epoch, and against the test set at the end."""
    digits = load_mnist(data)
    images = torch.from_numpy(digits.train_images).to(run.device)
    labels = torch.from_numpy(digits.train_labels).long().to(run.device)
    judge = _judge(settings, images, labels, run)

    seed_everything(settings.seed)  # equal weights to begin with, whatever training the judge drew
    generator = Generator(settings.architecture, conditional=settings.conditional)
    discriminator = Discriminator(settings.architecture, conditional=settings.conditional)
    generate_batch, discriminate = run.distribute(generator), run.distribute(discriminator)
    optimisers = {
        network: torch.optim.Adam(network.parameters(), rate, betas=(0.5, settings.second_moment_decay))
        for network, rate in (
            (generator, settings.generator_learning_rate),
            (discriminator, settings.discriminator_learning_rate),
        )
    }
    average = AveragedModel(generator, multi_avg_fn=_exponential_average(settings.average_decay))
    film = Film(settings.epochs * max(1, len(images) // settings.batch_size))
    run.keep(
        generator=generator,
        discriminator=discriminator,
        average=average,
        generator_optimiser=optimisers[generator],
        discriminator_optimiser=optimisers[discriminator],
        film=film,
    )
    sample = shuffled(len(images), settings.seed, 0)[:CHECKPOINT_IMAGES].to(run.device)
    sample_features, _ = judge.look(images[sample])
    film_digits = torch.arange(CLASSES, device=run.device).repeat_interleave(10)

    for _ in run.epochs(settings.epochs):
        generator.train()
        for rows in run.batches(len(images), settings.batch_size):
            film.step(lambda: draw(average.module, film_digits, seed=settings.seed))
            real, asked = to_signed(images[rows]), labels[rows]
            noise = torch.randn(len(rows), generator.noise_size, device=run.device)
            with run.autocast():
                generated = generate_batch(noise, asked).float()
                logits = discriminate(torch.cat([real, generated.detach()]), torch.cat([asked, asked]))
                loss = functional.binary_cross_entropy_with_logits(logits, _is_real(len(rows), logits))
            run.step(loss, optimisers[discriminator], name="discriminator_loss")
            discriminator.requires_grad_(False)
            with run.autocast():
                logits = discriminator(generated, asked)
                loss = functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
            run.step(loss, optimisers[generator], name="generator_loss")
            discriminator.requires_grad_(True)
            average.update_parameters(generator)
        drawn = draw(average.module, labels[sample], seed=settings.seed)
        quality = measure(judge, sample_features, drawn)
        run.record(**quality)
        run.say(f"  Fréchet distance {quality['frechet_distance']:.2f}")

    film.step(lambda: draw(average.module, film_digits, seed=settings.seed))
    return _results(settings, digits, average.module, judge, film, run)


def _judge(settings: Settings, images: Tensor, labels: Tensor, run: Run) -> Judge:
    """The classifier of the run that the settings name, or one trained here, in one pass over the training set."""
    if settings.classifier is not None:
        weights, classifier = load_model(locate(settings.classifier), digit_classifier.NAME)
        return Judge(_classifier(weights, classifier).to(run.device), classifier)
    run.say("training a digit classifier first, to judge the images by (--classifier RUN uses one you have)")
    recipe = digit_classifier.Settings()
    classifier = {"architecture": recipe.architecture}
    network = digit_classifier.build(**classifier).to(run.device)
    steps = max(JUDGE_STEPS, len(images) // recipe.batch_size)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    for rows in torch.randint(len(images), (steps, recipe.batch_size), device=run.device):
        logits = network(digit_classifier.shifted(images[rows], recipe.shift))
        optimiser.zero_grad()
        functional.cross_entropy(logits, labels[rows], label_smoothing=recipe.label_smoothing).backward()
        optimiser.step()
        schedule.step()
    return Judge(network, classifier)


def _exponential_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], None]:
    """An update of averaged weights that follows the first steps quickly, and later ones with the given decay."""

    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor) -> None:
        step = int(steps)
        share = 1 - min(decay, (1 + step) / (10 + step))
        for average, value in zip(averaged, current, strict=True):
            average.lerp_(value, share)

    return update


def _is_real(count: int, logits: Tensor) -> Tensor:
    """Targets for so many real images, then as many generated ones."""
    return torch.cat([torch.ones_like(logits[:count]), torch.zeros_like(logits[count:])])


def to_signed(images: Tensor) -> Tensor:
    """From uint8 [n, 28, 28] to float [n, 1, 28, 28] in -1..1."""
    return images.unsqueeze(1).float().div(127.5).sub(1)


def to_bytes(images: Tensor) -> Tensor:
    """From float [n, 1, 28, 28] in -1..1 to uint8 [n, 28, 28]."""
    return images.squeeze(1).float().add(1).mul(127.5).round().to(torch.uint8)


@torch.inference_mode()
def draw(generator: Generator, digits: Tensor, seed: int) -> Tensor:
    """Images uint8 [n, 28, 28] of the given digits [n] (of any, when the generator is not conditional).

    The same seed draws the same images on every device, up to rounding.
    """
    generator.eval()
    randomness = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(digits), generator.noise_size, generator=randomness).to(digits.device)
    batches = zip(noise.split(500), digits.split(500), strict=True)
    return torch.cat([to_bytes(generator(*batch)) for batch in batches])


def measure(judge: Judge, real_features: Tensor, images: Tensor) -> dict[str, float]:
    """The quality of generated images uint8 [n, 28, 28], compared with the features [m, d] of real ones."""
    features, digits = judge.look(images)
    precision, recall = generative_quality.precision_and_recall(real_features, features)
    entropy = generative_quality.relative_entropy(digits, CLASSES)
    return {
        "frechet_distance": generative_quality.frechet_distance(real_features, features),
        "precision": precision,
        "recall": recall,
        "digit_entropy": entropy,
        "mode_collapse": float(generative_quality.is_collapsed(entropy, recall)),
    }


def generate(run: Location, digits: Sequence[int], count: int, seed: int) -> dict[str, bytes]:
    """Images of chosen digits: `images/<digit>-<number>.png`, and all of them in `grid.png`, a row a digit.

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
    generator = Generator(**settings["generator"])
    generator.load_state_dict(_below("generator.", weights))
    judge = Judge(_classifier(_below("classifier.", weights), settings["classifier"]), settings["classifier"])
    drawn = {digit: _draw_digit(generator, judge, digit, count, seed).numpy() for digit in digits}
    files = {
        f"images/{digit}-{number:04}.png": png(image) for digit, images in drawn.items() for number, image in enumerate(images)
    }
    return {**files, "grid.png": png(tiled(np.concatenate(list(drawn.values())), columns=count))}


def _draw_digit(generator: Generator, judge: Judge, digit: int, count: int, seed: int) -> Tensor:
    found = torch.empty(0, 28, 28, dtype=torch.uint8)
    for attempt in range(_ATTEMPTS):
        asked = torch.full((max(100, 2 * count),), digit)
        images = draw(generator, asked, seed=int(np.random.SeedSequence((seed, digit, attempt)).generate_state(1)[0]))
        _, verdicts = judge.look(images)
        found = torch.cat([found, images[verdicts == digit]])
        if len(found) >= count:
            return found[:count]
    tried = _ATTEMPTS * len(asked)
    raise InputError(f"of {tried:,} generated images the classifier takes {len(found)} for a {digit}: train it longer")


def _classifier(weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> nn.Sequential:
    network = digit_classifier.build(**settings)
    network.load_state_dict(weights)
    return network


def _below(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
