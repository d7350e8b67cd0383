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
_CAPTION = 8  # pixels above an image
_LAST_FRAME_MILLISECONDS = 3000


def tiled(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Images [n, h, w] side by side, row by row, as one image."""
    count, height, width = images.shape
    rows = math.ceil(count / columns)
    mosaic = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP), _BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        top = _GAP + index // columns * (height + _GAP)
        left = _GAP + index % columns * (width + _GAP)
        mosaic[top : top + height, left : left + width] = image
    return mosaic


def png(image: NDArray[np.uint8]) -> bytes:
    """A grey image [h, w] as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def gif(frames: Sequence[NDArray[np.uint8]], comment: str, milliseconds: int = 120) -> bytes:
    """Grey images [h, w] of one size as an animated GIF that repeats, resting on its last frame.

    The comment, which says what it shows, stands in the file. It has 16 shades: a quarter of the size that all 256
    take, and no difference to the eye.
    """
    first, *others = (Image.fromarray(frame // 16 * 17) for frame in frames)
    durations = [milliseconds] * len(others) + [_LAST_FRAME_MILLISECONDS]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=durations, loop=0, comment=comment)
    return buffer.getvalue()


def captioned(
    images: NDArray[np.uint8], captions: Sequence[str], right: Sequence[bool], columns: int = 10
) -> MatplotlibFigure:
    """A figure of images [n, h, w], dark on light, each with a caption above it: green when right, else red."""
    framed = np.pad(images, ((0, 0), (_CAPTION, 0), (0, 0)))
    mosaic = tiled(framed, columns)
    height, width = framed.shape[1] + _GAP, framed.shape[2] + _GAP
    figure = MatplotlibFigure(figsize=(columns, columns * mosaic.shape[0] / mosaic.shape[1]))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=255)
    for index, caption in enumerate(captions):
        x, y = _GAP + (index % columns + 0.5) * width, _GAP + index // columns * height
        axes.text(x, y, caption, ha="center", va="top", fontsize=8, color="#1b7837" if right[index] else "#b2182b")
    return figure


def panels(columns: dict[str, NDArray[np.uint8]]) -> MatplotlibFigure:
    """A figure of large images [h, w] side by side, each under its title."""
    figure = MatplotlibFigure(figsize=(4.6 * len(columns), 4.9), layout="constrained")
    for axes, (title, image) in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns.items(), strict=True):
        axes.axis("off")
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=10)
    return figure
