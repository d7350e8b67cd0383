"""How good the digit GAN is, beside a plain DCGAN and the reference architecture trained for as long on this machine.

    GROUNDWORK_DATA=... python benchmarks/gan.py [--seeds 2]

For each seed, `groundwork train digit-gan` trains with its default settings; then each peer trains for the same wall
time in the same precision, and goes on until it has had as much processor time as well, should the machine be busy with
something else. One digit classifier judges them all, on as many images as the test set of MNIST has. The peers' time is
training alone; ours includes the quality measured and the checkpoint written after every epoch.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from measurement import circumstances, record
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from workloads.storage import locate
from workloads.training.mnist import load_mnist
from workloads.training.models import digit_classifier, digit_gan
from workloads.training.models.digit_gan.judge import Judge
from workloads.training.models.digit_gan.networks import Discriminator, Generator, draw, to_signed
from workloads.training.runtime.device import autocast, choose_precision
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUALITY = ("frechet_distance", "precision", "recall", "digit_entropy")
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
    """DCGAN's first weights."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)


PEERS: Mapping[str, Callable[[], tuple[nn.Module, nn.Module]]] = {
    "plain DCGAN": lambda: (PlainGenerator(), PlainDiscriminator()),
    "reference": lambda: (Generator("reference", conditional=False), Discriminator("reference", conditional=False)),
}


def train_peer(
    generator: Generator, discriminator: nn.Module, images: Tensor, labels: Tensor, times: Mapping[str, float]
) -> dict[str, float]:
    """Train as DCGAN does (Adam 2e-4, betas 0.5 and 0.999, batches of 64) for some wall and processor time.

    Returns:
        The times it took, and its steps.
    """
    rate, betas, precision = 2e-4, (0.5, 0.999), choose_precision("auto", CPU)
    generator_optimiser = torch.optim.Adam(generator.parameters(), rate, betas)
    discriminator_optimiser = torch.optim.Adam(discriminator.parameters(), rate, betas)
    steps, wall, cpu = 0, time.perf_counter(), time.process_time()
    while True:
        for rows in torch.split(torch.randperm(len(images)), BATCH_SIZE)[:-1]:
            taken = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
            if all(taken[name] >= times[name] for name in taken):
                return {**taken, "steps": steps}
            steps += 1
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


def compare(seed: int, epochs: int, data: str, folder: Path) -> dict[str, dict[str, float]]:
    """Train all for one seed, ours first, and have the classifier in `folder` judge them."""
    classifier, output = folder / "classifier", folder / f"gan-{seed}"
    settings = digit_gan.Settings(seed=seed, epochs=epochs, classifier=str(classifier))
    cpu = time.process_time()
    test = train(
        digit_gan.NAME, digit_gan.WORKLOAD, settings, options=RunOptions(device="cpu"), data=data, output=str(output)
    ).test
    times = {"seconds": 0.0, "cpu_seconds": time.process_time() - cpu}
    with (output / "history.csv").open() as file:
        times["seconds"] = sum(float(row["epoch_seconds"]) for row in csv.DictReader(file))
    rows = {"ours": {name: test[name] for name in QUALITY} | times}

    digits = load_mnist(locate(data))
    images, labels = torch.from_numpy(digits.train_images), torch.from_numpy(digits.train_labels).long()
    judge = Judge.of_run(locate(str(classifier)))
    test_features, _ = judge.look(torch.from_numpy(digits.test_images))
    for name, networks in PEERS.items():
        torch.manual_seed(seed)
        generator, discriminator = cast("tuple[Generator, nn.Module]", networks())
        taken = train_peer(generator, discriminator, images, labels, times)
        quality = judge.measure(test_features, draw(generator, labels[: len(test_features)], seed=seed))
        rows[name] = {key: quality[key] for key in QUALITY} | taken
    for name, row in rows.items():
        print(f"seed {seed}  {name:12} " + "  ".join(f"{key} {value:.3f}" for key, value in row.items()), flush=True)
    return rows


def main() -> None:
    """Measure, print, and write `results/gan.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds (default: 2)")
    usual = digit_gan.Settings().epochs
    parser.add_argument("--epochs", type=int, default=usual, help=f"ours; the peers get its time (default: {usual})")
    arguments = parser.parse_args()
    count = arguments.seeds
    if "GROUNDWORK_DATA" not in os.environ:
        parser.error("set GROUNDWORK_DATA to a folder that has mnist/")
    data = str(Path(os.environ["GROUNDWORK_DATA"], "mnist"))
    with tempfile.TemporaryDirectory() as name:
        folder, classifier = Path(name), digit_classifier.WORKLOAD
        options, output = RunOptions(device="cpu"), str(folder / "classifier")
        train(digit_classifier.NAME, classifier, classifier.settings(), options=options, data=data, output=output)
        seeds = [compare(seed, arguments.epochs, data, folder) for seed in range(count)]
        facts: dict[str, Any] = json.loads((folder / "gan-0" / "metrics.json").read_text())
    means = {
        name: {key: statistics.mean(rows[name][key] for rows in seeds) for key in seeds[0][name]} for name in seeds[0]
    }
    ratios = {name: means[name]["frechet_distance"] / means["ours"]["frechet_distance"] for name in PEERS}
    result = {
        "what": "Fréchet distance to the test set, on the digit classifier's features, after equal wall time",
        **circumstances("torch"),
        "precision": facts["machine"]["precision"],
        "settings": facts["settings"]
        | {"seed": list(range(count)), "classifier": "digit-classifier, default settings"},
        "frechet_distance_of_training_images": facts["test"]["frechet_distance_of_training_images"],
        "peer_to_ours": ratios,
        "means": means,
        "seeds": seeds,
    }
    record("gan", result)
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f} times our Fréchet distance")


if __name__ == "__main__":
    main()
