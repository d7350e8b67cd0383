"""How good the digit GAN is, beside a plain DCGAN and the reference architecture on this machine.

    GROUNDWORK_DATA=... python benchmarks/gan.py [--seeds 2] [--epochs 1]

For each seed, `groundwork train digit-gan` trains with its default settings, and once more with `--no-conditional`,
because neither peer knows which digit an image shows. Then each peer trains in the same precision and is looked at
twice: when it has had as much wall time and processor time as ours, and when it has made as many steps. The peers'
time is that of training; ours includes the quality measured and the checkpoint written after every epoch.

The classification accuracy score is the share of the real test images that a digit classifier names right which has
learned from 60,000 images of a generator only. `compact` knows which digit it draws. The images of the others have the
digits that the judge sees in them, which it has learned from real images: their score is not free of real labels.

The classifier in `benchmarks/judge` judges all of them, in every run of this benchmark, because the same images score
differently under two classifiers. Its `metrics.json` says how it was trained; `--new-judge` replaces it. `groundwork
train digit-gan --classifier benchmarks/judge` gives figures that can be compared with these.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import torch
from measurement import circumstances, record
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from workloads.storage import locate
from workloads.training.mnist import Digits, load_mnist
from workloads.training.models.digit_classifier import model as digit_classifier
from workloads.training.models.digit_gan import model as digit_gan
from workloads.training.models.digit_gan.judge import Judge, accuracy_score
from workloads.training.models.digit_gan.networks import Discriminator, Generator, draw, to_signed
from workloads.training.models.digit_gan.settings import Settings as GanSettings
from workloads.training.runtime.device import autocast, choose_precision
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from workloads.training.runtime.run import Run

SCORE = "classification_accuracy_score"
SCORE_IMAGES = 60_000
QUALITY = ("frechet_distance", "precision", "recall")
CLOCKS = ("seconds", "cpu_seconds")
OURS = {"ours": True, "ours, unconditional": False}
JUDGE = Path(__file__).parent / "judge"
BATCH_SIZE = 64
CPU = torch.device("cpu")


class PlainGenerator(nn.Module):
    """DCGAN's generator (Radford et al. 2015), begun at 7x7 and two doublings long, which makes it 28x28."""

    noise_size = 100

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (self.noise_size, 1, 1)),
            nn.ConvTranspose2d(self.noise_size, 256, 7, bias=False),
            nn.BatchNorm2d(256),
            nn.ReLU(),
            nn.ConvTranspose2d(256, 128, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 1, 4, stride=2, padding=1, bias=False),
            nn.Tanh(),
        ).apply(_initialise)

    def forward(self, noise: Tensor, _digits: Tensor) -> Tensor:
        """Draw an image for each row of noise."""
        images: Tensor = self.layers(noise)
        return images


class PlainDiscriminator(nn.Module):
    """DCGAN's discriminator, for 28x28."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, 256, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(256),
            nn.LeakyReLU(0.2),
            nn.Conv2d(256, 1, 3, bias=False),
            nn.Flatten(0),
        ).apply(_initialise)

    def forward(self, images: Tensor, _digits: Tensor) -> Tensor:
        """Judge each image."""
        logits: Tensor = self.layers(images)
        return logits


def _initialise(module: nn.Module) -> None:
    """Draw the initial weights of DCGAN."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)


PEERS: Mapping[str, Callable[[], tuple[nn.Module, nn.Module]]] = {
    "plain DCGAN": lambda: (PlainGenerator(), PlainDiscriminator()),
    "reference": lambda: (Generator("reference", conditional=False), Discriminator("reference", conditional=False)),
}


def train_peer(
    generator: Generator, discriminator: nn.Module, images: Tensor, labels: Tensor
) -> Iterator[dict[str, float]]:
    """Train as DCGAN does (Adam 2e-4, betas 0.5 and 0.999, batches of 64), for as long as somebody asks for more.

    Yields:
        After each step: the seconds of the wall clock and of the processor that the steps took so far, and their
        number. What happens between two steps does not count.
    """
    rate, betas, precision = 2e-4, (0.5, 0.999), choose_precision("auto", CPU)
    generator_optimiser = torch.optim.Adam(generator.parameters(), rate, betas)
    discriminator_optimiser = torch.optim.Adam(discriminator.parameters(), rate, betas)
    spent = {"seconds": 0.0, "cpu_seconds": 0.0, "steps": 0}
    while True:
        for rows in torch.split(torch.randperm(len(images)), BATCH_SIZE)[:-1]:
            wall, cpu = time.perf_counter(), time.process_time()
            generator.train()
            digits = labels[rows]
            with autocast(CPU, precision):
                generated = generator(torch.randn(BATCH_SIZE, generator.noise_size), digits).float()
                real, fake = discriminator(to_signed(images[rows]), digits), discriminator(generated.detach(), digits)
                loss = binary_cross_entropy_with_logits(real, torch.ones_like(real))
                loss = loss + binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
            discriminator_optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            discriminator_optimiser.step()
            with autocast(CPU, precision):
                fake = discriminator(generated, digits)
                loss = binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
            generator_optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            generator_optimiser.step()
            spent["seconds"] += time.perf_counter() - wall
            spent["cpu_seconds"] += time.process_time() - cpu
            spent["steps"] += 1
            yield dict(spent)


def train_ours(seed: int, epochs: int, data: str, output: Path, *, conditional: bool) -> dict[str, float]:
    """Train ours through the same function as `groundwork train`, and return its quality, time, steps and images."""
    settings = GanSettings(seed=seed, epochs=epochs, classifier=str(JUDGE), conditional=conditional)
    cpu = time.process_time()
    test = train(
        digit_gan.NAME, digit_gan.WORKLOAD, settings, options=RunOptions(device="cpu"), data=data, output=str(output)
    ).test
    spent = {"cpu_seconds": time.process_time() - cpu}
    with (output / "history.csv").open() as file:
        spent["seconds"] = sum(float(row["epoch_seconds"]) for row in csv.DictReader(file))
    images = json.loads((output / "metrics.json").read_text())["data"]["training_images"]
    steps = epochs * (images // settings.batch_size)
    agreement = {"as_asked_for": test["as_asked_for"]} if conditional else {}
    return (
        {name: test[name] for name in QUALITY}
        | agreement
        | spent
        | {"steps": steps, "images": steps * settings.batch_size}
    )


def compare(seed: int, epochs: int, data: str, folder: Path) -> dict[str, dict[str, float]]:
    """Train all for one seed, ours first, and have the judge look at what they draw.

    Each peer is looked at twice: after the time of ours, and after the steps of ours.
    """
    digits = load_mnist(locate(data))
    images, labels = torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels).long()
    judge = Judge.of_run(locate(str(JUDGE)))
    rows = {
        name: train_ours(seed, epochs, data, folder / f"{name}-{seed}", conditional=conditional)
        for name, conditional in OURS.items()
    }
    ours = rows["ours"]
    for name, conditional in OURS.items():
        kept = digit_gan.load_generator(locate(str(folder / f"{name}-{seed}")))
        rows[name][SCORE] = score(kept, None if conditional else judge, digits, seed)
    test_features, _ = judge.look(torch.from_numpy(digits.test_images))
    for name, networks in PEERS.items():
        torch.manual_seed(seed)
        generator, discriminator = cast("tuple[Generator, nn.Module]", networks())
        due: dict[str, Callable[[dict[str, float]], bool]] = {
            f"{name}, equal time": lambda spent: all(spent[clock] >= ours[clock] for clock in CLOCKS),
            f"{name}, equal steps": lambda spent: spent["steps"] >= ours["steps"],
        }
        for spent in train_peer(generator, discriminator, images, labels):
            for row in [row for row, reached in due.items() if reached(spent)]:
                del due[row]
                quality = judge.measure(test_features, draw(generator, labels[: len(test_features)], seed=seed))
                rows[row] = {key: quality[key] for key in QUALITY} | spent | {"images": spent["steps"] * BATCH_SIZE}
                rows[row][SCORE] = score(generator, judge, digits, seed)
            if not due:
                break
    for name, measured in rows.items():
        figures = "  ".join(f"{key} {value:.3f}" for key, value in measured.items())
        print(f"seed {seed}  {name:26} {figures}", flush=True)
    return rows


def score(generator: Generator, judge: Judge | None, digits: Digits, seed: int) -> float:
    """Return the classification accuracy score of a generator; a judge labels the images of one without digits."""
    learnt = torch.from_numpy(digits.train_labels).long()
    labels = learnt[torch.arange(SCORE_IMAGES) % len(learnt)]
    images = draw(generator, labels, seed=seed + 1)
    if judge:
        _, labels = judge.look(images)
    torch.manual_seed(seed)
    precision = choose_precision("auto", CPU)
    run = SimpleNamespace(
        autocast=lambda: autocast(CPU, precision), new_scaler=lambda: torch.amp.GradScaler("cpu", enabled=False)
    )
    truth = torch.from_numpy(digits.test_labels).long()
    return accuracy_score(images, labels, torch.from_numpy(digits.test_images), truth, cast("Run", run))


def keep_judge(data: str) -> None:
    """Train the classifier that judges every run of this benchmark, and keep its weights and how they came about."""
    with tempfile.TemporaryDirectory() as name:
        workload, run = digit_classifier.WORKLOAD, Path(name, "run")
        options = RunOptions(device="cpu", precision="float32")
        train(digit_classifier.NAME, workload, workload.settings(), options=options, data=data, output=str(run))
        metrics = json.loads((run / "metrics.json").read_text())
        JUDGE.mkdir(exist_ok=True)
        for file in ("model.safetensors", "model.json"):
            (JUDGE / file).write_bytes((run / file).read_bytes())
    recipe = {
        "workload": metrics["workload"],
        "recipe": "groundwork train digit-classifier --device cpu --precision float32",
        **{name: metrics[name] for name in ("seed", "settings", "versions")},
        "data": {"sha256": metrics["data"]["sha256"]},
        "test": {"accuracy": metrics["test"]["accuracy"]},
    }
    (JUDGE / "metrics.json").write_text(json.dumps(recipe, indent=2) + "\n")


def judge_facts() -> dict[str, Any]:
    """Describe the classifier that judges: its recipe, seed and accuracy, and the SHA-256 of its weights."""
    metrics = json.loads((JUDGE / "metrics.json").read_text())
    digest = hashlib.sha256((JUDGE / "model.safetensors").read_bytes()).hexdigest()
    return {name: metrics[name] for name in ("recipe", "seed", "test")} | {"sha256": digest}


def main() -> None:
    """Measure, print, and write `results/gan.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds (default: 2)")
    parser.add_argument("--epochs", type=int, default=1, help="of ours; the peers follow (default: 1)")
    parser.add_argument("--new-judge", action="store_true", help="only train the judge again, and keep it")
    arguments = parser.parse_args()
    if "GROUNDWORK_DATA" not in os.environ:
        parser.error("set GROUNDWORK_DATA to a folder that has mnist/")
    data = str(Path(os.environ["GROUNDWORK_DATA"], "mnist"))
    if arguments.new_judge:
        keep_judge(data)
        return
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = [compare(seed, arguments.epochs, data, folder) for seed in range(arguments.seeds)]
        facts: dict[str, Any] = json.loads((folder / "ours-0" / "metrics.json").read_text())
    means = {
        name: {key: statistics.mean(rows[name][key] for rows in seeds) for key in seeds[0][name]} for name in seeds[0]
    }
    result = {
        "what": "Fréchet distance to the test set, on the features of one classifier, after equal time and equal steps",
        **circumstances("torch"),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 1),
        "precision": facts["machine"]["precision"],
        "settings": facts["settings"] | {"seed": list(range(arguments.seeds)), "classifier": "benchmarks/judge"},
        "judge": judge_facts(),
        "frechet_distance_of_training_images": facts["test"]["frechet_distance_of_training_images"],
        "means": means,
        "seeds": seeds,
    }
    record("gan", result)


if __name__ == "__main__":
    main()
