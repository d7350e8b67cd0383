"""Digit images moved, turned, scaled, slanted and bent at random, so that a network sees more hands than wrote them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from torchvision.transforms.v2 import RandomAffine

    from workloads.training.models.digit_classifier.settings import Settings

_BENDS = 6  # random displacements each way; between them they are interpolated


def augmented(images: Tensor, settings: Settings) -> Tensor:
    """Change each image by its own random amounts: [n, 28, 28] as before, uint8 or float32."""
    if settings.transforms == "torchvision":
        one_by_one = torchvision_transform(settings)
        return torch.stack([one_by_one(image.unsqueeze(0)).squeeze(0) for image in images])
    if settings.rotation or settings.scale or settings.shear or settings.bend:
        return warped(images, settings)
    return shifted(images, settings.shift)


def torchvision_transform(settings: Settings) -> RandomAffine:
    """Torchvision's transform of one image [1, 28, 28] by the amounts in the settings; it does not bend."""
    from torchvision.transforms import v2 as transforms

    slant = math.degrees(math.atan(settings.shear))
    share = settings.shift / 28
    return transforms.RandomAffine(
        degrees=settings.rotation,
        translate=(share, share),
        scale=(1 - settings.scale, 1 + settings.scale),
        shear=(-slant, slant),
        interpolation=transforms.InterpolationMode.BILINEAR,
    )


def shifted(images: Tensor, most: int) -> Tensor:
    """Move each image by its own whole number of pixels, up to `most` each way; background moves in."""
    count, height, width = images.shape
    padded = functional.pad(images, (most,) * 4)
    moves = torch.randint(0, 2 * most + 1, (2, count, 1), device=images.device)
    rows = moves[0] + torch.arange(height, device=images.device)
    columns = moves[1] + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]]


def moved(images: Tensor, down: int, right: int) -> Tensor:
    """Return all images [n, 28, 28] moved by the same whole number of pixels; background moves in."""
    height, width = images.shape[1:]
    padded = functional.pad(images, (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0)))
    return padded[:, max(-down, 0) :, max(-right, 0) :][:, :height, :width]


def warped(images: Tensor, settings: Settings) -> Tensor:
    """Each image under its own affine map, and bent smoothly, with bilinear interpolation: float32 [n, 28, 28].

    Bending is the elastic distortion of Simard et al., "Best practices for convolutional neural networks applied to
    visual document analysis" (2003), with the displacements of a coarse grid interpolated in place of blurred ones.
    """
    count, height, width = images.shape
    angle, growth, slant, across, down = torch.rand(5, count, device=images.device) * 2 - 1
    angle, growth, slant = angle * math.radians(settings.rotation), 1 + growth * settings.scale, slant * settings.shear
    cosine, sine = growth * angle.cos(), growth * angle.sin()
    move = 2 * settings.shift / width  # from -1 to 1 across the image
    rows = (cosine, slant * cosine - sine, across * move, sine, slant * sine + cosine, down * move)
    grid = functional.affine_grid(
        torch.stack(rows, 1).view(count, 2, 3), [count, 1, height, width], align_corners=False
    )
    if settings.bend:
        displacements = torch.randn(count, 2, _BENDS, _BENDS, device=images.device) * (2 * settings.bend / width)
        smooth = functional.interpolate(displacements, (height, width), mode="bicubic", align_corners=True)
        grid = grid + smooth.permute(0, 2, 3, 1)
    return functional.grid_sample(images.unsqueeze(1).float(), grid, align_corners=False).squeeze(1)
