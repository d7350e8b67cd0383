"""The networks of the digit GAN, and how images are drawn with one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from workloads.training.mnist import CLASSES


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

    def forward(self, noise: Tensor, digits: Tensor | None) -> Tensor:
        """Draw an image for each row of noise."""
        if self.conditional and digits is not None:
            noise = torch.cat([noise, one_hot(digits, CLASSES).to(noise.dtype)], 1)
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
        if self.digits is not None:
            nn.init.zeros_(self.digits.weight)  # random vectors of this size would drown everything else

    def forward(self, images: Tensor, digits: Tensor) -> Tensor:
        """Judge each image."""
        features = self.features(images)
        logits: Tensor = self.realism(features).squeeze(1)
        if self.digits is not None:
            logits = logits + (self.digits(digits) * features).sum(1)
        return logits


@torch.no_grad()
def follow(average: nn.Module, trained: nn.Module, *, decay: float, step: int) -> None:
    """Move averaged weights towards the trained ones: quickly in the first steps, then with the given decay."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    for weights, target in zip(average.parameters(), trained.parameters(), strict=True):
        weights.lerp_(target, share)
    for statistics, latest in zip(average.buffers(), trained.buffers(), strict=True):
        statistics.copy_(latest)


def to_signed(images: Tensor) -> Tensor:
    """Convert uint8 [n, 28, 28] to float [n, 1, 28, 28] in -1..1."""
    return images.unsqueeze(1).float().div(127.5).sub(1)


def to_bytes(images: Tensor) -> Tensor:
    """Convert float [n, 1, 28, 28] in -1..1 to uint8 [n, 28, 28]."""
    return images.squeeze(1).float().add(1).mul(127.5).round().to(torch.uint8)


class Drawing(nn.Module):
    """From noise [n, noise_size], and digits [n] when conditional, to images uint8 [n, 28, 28]."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, noise: Tensor, digits: Tensor | None = None) -> Tensor:
        """Draw an image for each row of noise."""
        return to_bytes(self.generator(noise, digits))


@torch.inference_mode()
def draw(generator: Generator, digits: Tensor, seed: int) -> Tensor:
    """Draw images uint8 [n, 28, 28] of the given digits [n] (of any, when the generator is not conditional).

    The same seed draws the same images on every device, up to rounding.
    """
    generator.eval()
    randomness = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(digits), generator.noise_size, generator=randomness).to(digits.device)
    batches = zip(torch.split(noise, 500), torch.split(digits, 500), strict=True)
    return torch.cat([to_bytes(generator(*batch)) for batch in batches])
