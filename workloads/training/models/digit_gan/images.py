"""Pictures made of digit images: grids, PNG, an animated GIF."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure
from PIL import Image, ImageDraw

from contract.design import RIGHT, WRONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_GAP = 2  # pixels between images
_BACKGROUND = 96
_STRIP = 16  # pixels below an image, with a label
_CAPTION = 8  # pixels above an image
_FILM_MILLISECONDS = 4_500


def tiled(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Put images [n, h, w] side by side, row by row, into one image."""
    count, height, width = images.shape
    rows = math.ceil(count / columns)
    mosaic = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP), _BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        top = _GAP + index // columns * (height + _GAP)
        left = _GAP + index % columns * (width + _GAP)
        mosaic[top : top + height, left : left + width] = image
    return mosaic


def png(image: NDArray[np.uint8]) -> bytes:
    """Return a grey image [h, w] as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def labelled(image: NDArray[np.uint8], label: str) -> NDArray[np.uint8]:
    """A grey image [h, w] with a strip below it, in which a label stands."""
    strip = Image.new("L", (image.shape[1], _STRIP), _BACKGROUND)
    ImageDraw.Draw(strip).text((image.shape[1] - _GAP, _STRIP // 2), label, fill=255, anchor="rm")
    return np.concatenate([image, np.asarray(strip)])


def gif(frames: Sequence[NDArray[np.uint8]], comment: str) -> bytes:
    """Grey images [h, w] of one size as an animated GIF that ends on its last frame, before five seconds are over.

    What moves for longer needs a control to pause it (WCAG 2.2, criterion 2.2.2), which a picture does not have. The
    file holds the comment, which says what it shows. With 16 shades of grey the file is a quarter as large as with 256,
    and it looks the same.
    """
    first, *others = (Image.fromarray(frame // 16 * 17) for frame in frames)
    buffer = io.BytesIO()
    first.save(
        buffer, "GIF", save_all=True, append_images=others, duration=_FILM_MILLISECONDS // len(frames), comment=comment
    )
    return buffer.getvalue()


def captioned(
    images: NDArray[np.uint8], captions: Sequence[str], right: Sequence[bool], columns: int = 10
) -> MatplotlibFigure:
    """Return a figure of images [n, h, w], dark on light, each with a caption in the colour of right or wrong."""
    framed = np.pad(images, ((0, 0), (_CAPTION, 0), (0, 0)))
    mosaic = tiled(framed, columns)
    height, width = framed.shape[1] + _GAP, framed.shape[2] + _GAP
    figure = MatplotlibFigure(figsize=(columns, columns * mosaic.shape[0] / mosaic.shape[1]))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=255)
    for index, caption in enumerate(captions):
        x, y = _GAP + (index % columns + 0.5) * width, _GAP + index // columns * height
        axes.text(x, y, caption, ha="center", va="top", fontsize=8, color=RIGHT if right[index] else WRONG)
    return figure


def panels(columns: dict[str, NDArray[np.uint8]]) -> MatplotlibFigure:
    """Return a figure of large images [h, w] side by side, each under its title."""
    figure = MatplotlibFigure(figsize=(4.6 * len(columns), 4.9), layout="constrained")
    for axes, (title, image) in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns.items(), strict=True):
        axes.axis("off")
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=10)
    return figure
