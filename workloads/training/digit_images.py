"""Pictures made of digit images: grids, PNG, an animated GIF."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_GAP = 2  # pixels between images
_BACKGROUND = 96
_LAST_FRAME_MILLISECONDS = 3000


def tiled(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Images [n, h, w] side by side, row by row, as one image."""
    count, height, width = images.shape
    rows = math.ceil(count / columns)
    whole = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP), _BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        top = _GAP + index // columns * (height + _GAP)
        left = _GAP + index % columns * (width + _GAP)
        whole[top : top + height, left : left + width] = image
    return whole


def png(image: NDArray[np.uint8]) -> bytes:
    """A grey image [h, w] as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def gif(frames: Sequence[NDArray[np.uint8]], milliseconds: int = 120) -> bytes:
    """Grey images [h, w] of one size as an animated GIF that repeats, resting on its last frame."""
    first, *rest = (Image.fromarray(frame) for frame in frames)
    durations = [milliseconds] * len(rest) + [_LAST_FRAME_MILLISECONDS]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    return buffer.getvalue()


def captioned(
    images: NDArray[np.uint8], captions: Sequence[str], right: Sequence[bool], columns: int = 10
) -> MatplotlibFigure:
    """A figure of images [n, h, w], each with a caption: green when right, else red."""
    rows = max(1, math.ceil(len(images) / columns))
    figure = MatplotlibFigure(figsize=(columns, 1.25 * rows), layout="constrained")
    for index, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if index < len(images):
            axes.imshow(images[index], cmap="gray_r", vmin=0, vmax=255)
            axes.set_title(captions[index], fontsize=8, color="#1b7837" if right[index] else "#b2182b")
    return figure


def panels(columns: dict[str, NDArray[np.uint8]]) -> MatplotlibFigure:
    """A figure of large images [h, w] side by side, each under its title."""
    figure = MatplotlibFigure(figsize=(4.6 * len(columns), 4.9), layout="constrained")
    for axes, (title, image) in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns.items(), strict=True):
        axes.axis("off")
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=10)
    return figure
