"""Images of single digits as people have them, made to look as those of MNIST do.

MNIST's digits are white on black, scaled to fit into 20x20 pixels with their proportions kept, and placed in 28x28 so
that their centre of mass is in the middle (LeCun et al., 1998, Gradient-Based Learning Applied to Document
Recognition, section III-A). An image of 28x28 keeps its geometry; any other size is brought into that form.
"""

from __future__ import annotations

import io
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloads.storage import Location

SIDE = 28
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_BOX = 20  # MNIST's digits fit into so many pixels
_LIGHT = 0.6  # of the range of grey: a border that is lighter than this is paper
_INK = 0.2  # of the darkest stroke: what is fainter is paper or noise
_LEAST_CONTRAST = 16  # of 255: an image with less shows nothing
_SHOWN = 3  # names in a note


@dataclass(frozen=True)
class Scans:
    """Images of digits, ready for the classifier.

    Attributes:
        images: uint8 [n, 28, 28], 0 is background.
        names: The file of each image, relative to the folder.
        notes: What a person should know: files that were left out, images that were inverted or show nothing.
    """

    images: NDArray[np.uint8]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def read_scans(source: Location) -> Scans:
    """Read an image file, or all image files of a folder in the order of their names.

    Dark strokes on a light background are inverted. Where the background is transparent, whatever is opaque is the
    stroke.

    Raises:
        InputError: There is no image, or one cannot be read; the message names the file.
    """
    if source.is_file():
        files, unread = {source.name: source}, []
    else:
        names = source.names()
        files = {name: source / name for name in names if is_image(name)}
        unread = [name for name in names if name not in files]
    if not files:
        kinds = ", ".join(suffix.removeprefix(".") for suffix in SUFFIXES)
        raise InputError(f"{source}: There is no such file, and no folder with images ({kinds}){_instead(unread)}.")
    images, inverted, blank = [], [], []
    for name, file in files.items():
        pixels, was_inverted = _grey(file)
        if shows_nothing(pixels[np.newaxis])[0]:
            blank.append(name)
        elif was_inverted:
            inverted.append(name)
        images.append(pixels if pixels.shape == (SIDE, SIDE) else centred(pixels))
    return Scans(np.stack(images), tuple(files), tuple(_notes(len(files), inverted, blank, unread)))


def shows_nothing(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell of each image, [n, height, width], whether it is one shade of grey, as nearly as the eye can tell."""
    pixels = images.reshape(len(images), -1)
    contrast: NDArray[np.uint8] = pixels.max(1) - pixels.min(1)
    return contrast < _LEAST_CONTRAST


def is_image(name: str) -> bool:
    """Tell by the ending whether a file is an image."""
    return name.lower().endswith(SUFFIXES)


def centred(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale a white-on-black digit of any size into a box of 20x20, its centre of mass in the middle of 28x28.

    Args:
        ink: uint8 [height, width], 0 is background.

    Returns:
        uint8 [28, 28].
    """
    background = float(np.median(_border(ink)))
    strength = np.clip(ink.astype(np.float64) - background, 0, None)
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    if not strength.max():
        return canvas
    strength *= 255 / strength.max()
    strength[strength < _INK * 255] = 0
    rows, columns = np.flatnonzero(strength.any(1)), np.flatnonzero(strength.any(0))
    digit = strength[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].round().astype(np.uint8)
    scale = _BOX / max(digit.shape)
    height, width = (max(1, round(size * scale)) for size in digit.shape)
    small = np.asarray(Image.fromarray(digit).resize((width, height), Image.Resampling.LANCZOS))
    total = small.sum(dtype=np.float64)
    if not total:
        return canvas
    middle = (SIDE - 1) / 2
    top = round(middle - float((small.sum(1) * np.arange(height)).sum() / total))
    left = round(middle - float((small.sum(0) * np.arange(width)).sum() / total))
    top, left = min(max(top, 0), SIDE - height), min(max(left, 0), SIDE - width)
    canvas[top : top + height, left : left + width] = small
    return canvas


def _grey(file: Location) -> tuple[NDArray[np.uint8], bool]:
    """Return the strokes of an image, white on black, and whether it was inverted for that."""
    try:
        with Image.open(io.BytesIO(file.read())) as opened:
            if (pages := getattr(opened, "n_frames", 1)) > 1:
                raise InputError(
                    f"{file}: The image has {pages} pages or frames, and only one can be read. Save each as a file of "
                    "its own."
                )
            image = ImageOps.exif_transpose(opened)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                opacity = np.asarray(image.getchannel("A"))
                if np.median(_border(opacity)) < 128:  # noqa: PLR2004 - mostly transparent
                    return opacity, False
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            if image.mode.startswith(("I", "F")):  # 16 or 32 bits
                values = np.asarray(image, np.float64)
                pixels = (values * (255 / max(values.max(), 1))).round().astype(np.uint8)
            else:
                pixels = np.asarray(image.convert("L"))
    except UnidentifiedImageError as error:
        raise InputError(f"{file}: This is not an image that can be read: its format is not known.") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: This is not an image that can be read: {phrase(error)}.") from error
    darkest, lightest = float(pixels.min()), float(pixels.max())
    inverted = bool(np.median(_border(pixels)) > darkest + _LIGHT * (lightest - darkest))
    return (255 - pixels if inverted else pixels), inverted


def _border(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _notes(count: int, inverted: Sequence[str], blank: Sequence[str], unread: Sequence[str]) -> list[str]:
    notes = []
    if inverted:
        notes.append(
            f"{len(inverted)} of {count} images are dark on light, and were inverted, as the model was trained on "
            f"light digits: {_some(inverted)}."
        )
    if blank:
        notes.append(f"{len(blank)} of {count} images show nothing, so their prediction means nothing: {_some(blank)}.")
    if unread:
        notes.append(f"{len(unread)} files were not read, as they are not images: {_some(unread)}.")
    return notes


def _instead(unread: Sequence[str]) -> str:
    if not unread:
        return ""
    endings = Counter(PurePosixPath(name).suffix or "no ending" for name in unread)
    return "; it has " + ", ".join(f"{count} of {ending}" for ending, count in endings.most_common(_SHOWN))


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(itertools.islice(names, _SHOWN))
    return f"{listed}, and {len(names) - _SHOWN} more" if len(names) > _SHOWN else listed
