"""MNIST and data sets of its form: idx files, wherever and under whatever of their common names people have them."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import re
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from contract.errors import InputError, phrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.storage import Location

SIDE = 28
CLASSES = 10
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_DIMENSIONS = {"images": 3, "labels": 1}
_NAME = re.compile(r"(?P<stem>(?P<part>train|t10k|test)-(?P<what>images|labels))[-.]idx[13]-ubyte(\.gz)?")
_EMNIST = re.compile(r"emnist-\w+-(train|test)-(images|labels)")
_FEWEST_IMAGES = 2
_SHOWN = 4  # names in a message
_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Digits:
    """A training and a test set of digit images.

    Attributes:
        train_images: uint8 [n, 28, 28], 0 is background.
        train_labels: uint8 [n], 0 to 9.
        test_images: uint8 [m, 28, 28].
        test_labels: uint8 [m].
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]

    def first(self, count: int) -> Digits:
        """The same with no more than so many training images."""
        return replace(self, train_images=self.train_images[:count], train_labels=self.train_labels[:count])

    @property
    def sha256(self) -> str:
        """A digest of all pixels and labels, whatever files they came in."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(array.tobytes())
        return digest.hexdigest()


def load_mnist(data: Location) -> Digits:
    """Read the four idx files of a data set, `.gz` or not, at a location or in its `MNIST/raw` (torchvision's layout).

    `train-images.idx3-ubyte` and a folder of the file's own name around it are understood, too: common programs that
    unpack archives make these names.

    Raises:
        InputError: A file is missing, damaged, or does not hold what it should; or the files are of another data set.
    """
    train_images, train_labels, test_images, test_labels = _files(data)
    digits = Digits(*_read_pair(train_images, train_labels), *_read_pair(test_images, test_labels))
    if len(digits.train_images) < _FEWEST_IMAGES:
        raise InputError(
            f"{train_images}: The {len(digits.train_images)} images are too few to train on: at least "
            f"{_FEWEST_IMAGES} are needed, because some of them are held out to validate."
        )
    return digits


def read_images(source: Location) -> NDArray[np.uint8]:
    """Read images of an idx file (`.gz` or not) or an `.npy` file.

    Returns:
        uint8 [n, 28, 28].

    Raises:
        InputError: The file holds no such images.
    """
    content = source.read()
    images = _npy(content, source.uri) if source.name.endswith(".npy") else parse_idx(content, source.uri)
    return _checked_images(images, source.uri)


def parse_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """The array of bytes in an idx file.

    The format (http://yann.lecun.com/exdb/mnist): two zero bytes, the type (8: unsigned byte), the number of
    dimensions, each dimension as a big-endian 32-bit integer, then the values, last dimension fastest.

    Args:
        content: The file, gzip-compressed or not.
        name: What to call it in errors.

    Raises:
        InputError: It is not an idx file of unsigned bytes, or is truncated or too long.
    """
    if content.startswith(_GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(f"{name}: The gzip data is damaged: {phrase(error)}.") from error
    if len(content) < 4 or content[:2] != b"\0\0":  # noqa: PLR2004 - the magic number
        raise InputError(f"{name}: The file is not an idx file: it begins with {content[:4].hex(' ') or 'nothing'}.")
    kind, dimensions = content[2], content[3]
    if kind != _UNSIGNED_BYTE or dimensions == 0:
        raise InputError(
            f"{name}: The file has type {kind:#04x} and {dimensions} dimensions, but must hold unsigned bytes (0x08)."
        )
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise InputError(
            f"{name}: The file is truncated: it has {len(content)} bytes, and its header alone has {header}."
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4))
    expected = header + math.prod(shape)
    if len(content) != expected:
        problem = "truncated" if len(content) < expected else "too long"
        raise InputError(
            f"{name}: The file is {problem}: it has {len(content)} bytes; its header {list(shape)} needs {expected}."
        )
    return np.frombuffer(bytearray(content), np.uint8, offset=header).reshape(shape)


def format_idx(array: NDArray[np.uint8]) -> bytes:
    """An array of bytes as an idx file."""
    header = bytes((0, 0, _UNSIGNED_BYTE, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def sample_mnist() -> dict[str, bytes]:
    """A small stand-in for MNIST that needs no download: scikit-learn's 1,797 handwritten digits as idx files.

    Their 8x8 images are scaled to 20x20 and centred in 28x28, as MNIST's are; 1,437 to train on, 360 to test on.
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415 - scikit-learn takes a second, and no training needs it
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = np.zeros((len(pixels), SIDE, SIDE), np.uint8)
    for image, small in zip(images, pixels, strict=True):
        image[4:24, 4:24] = np.asarray(Image.fromarray(small).resize((20, 20), Image.Resampling.BICUBIC))
    labels = digits.target.astype(np.uint8)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=0
    )
    arrays = (train_images, train_labels, test_images, test_labels)
    return {f"{name}.gz": gzip.compress(format_idx(array), mtime=0) for name, array in zip(FILES, arrays, strict=True)}


def _files(data: Location) -> list[Location]:
    """The four files of a data set, in the order of `FILES`."""
    names = data.names()
    sets: dict[str, dict[str, str]] = {}
    for name in names:
        folder, _, file = name.rpartition("/")
        if match := _NAME.fullmatch(file):
            if folder.rpartition("/")[2].startswith(match["stem"]):  # a folder that an unpacked archive made
                folder = folder.rpartition("/")[0]
            which = f"{'train' if match['part'] == 'train' else 't10k'}-{match['what']}"
            sets.setdefault(folder, {}).setdefault(f"{which}-idx{_DIMENSIONS[match['what']]}-ubyte", name)
    for folder in ("", "MNIST/raw"):
        if sets.get(folder, {}).keys() == {*FILES}:
            return [data / sets[folder][file] for file in FILES]
    raise InputError(f"{data}: {_what_is_there(data, names, sets)}")


def _what_is_there(data: Location, names: Sequence[str], sets: Mapping[str, Mapping[str, str]]) -> str:
    """Why the files of a folder cannot be used, and what to do."""
    whole = [folder for folder, files in sets.items() if files.keys() == {*FILES}]
    if whole:
        return f"The data set is in {' and in '.join(whole)}. Name the folder that you want: --data {data}/{whole[0]}."
    if emnist := next((name for name in names if _EMNIST.search(name)), ""):
        return (
            f"The file {emnist} is of EMNIST, whose images are stored transposed. Transpose each image, and save the "
            f"files as {FILES[0]} and so on. Only the digits 0 to 9 can be learnt."
        )
    if sets:
        folder, files = max(sets.items(), key=lambda item: len(item[1]))
        where = f" in {folder}" if folder else ""
        missing = ", ".join(name for name in FILES if name not in files)
        return f"There is {', '.join(files.values())}{where}, but {missing} is missing (.gz or not)."
    there = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    what = f"there is {there}" if names else "there are no files at all"
    return f"There is no {FILES[0]}.gz (nor {FILES[0]}); {what}. Expected: {', '.join(FILES)}."


def _read_pair(images_at: Location, labels_at: Location) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = _checked_images(parse_idx(images_at.read(), images_at.uri), images_at.uri)
    labels = parse_idx(labels_at.read(), labels_at.uri)
    if labels.ndim != 1:
        raise InputError(f"{labels_at}: The array has {labels.ndim} dimensions, but labels have one.")
    if len(labels) != len(images):
        raise InputError(f"{labels_at}: There are {len(labels)} labels for the {len(images)} images of {images_at}.")
    wrong = np.flatnonzero(labels >= CLASSES)
    if len(wrong):
        raise InputError(
            f"{labels_at}, row {wrong[0]}: The label is {labels[wrong[0]]}, but labels are 0 to 9: the models know ten "
            "classes."
        )
    return images, labels


def _checked_images(images: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):  # noqa: PLR2004 - rows of two-dimensional images
        raise InputError(f"{name}: The array has the shape {list(images.shape)}, but images of 28x28 have [n, 28, 28].")
    if not len(images):
        raise InputError(f"{name}: There are no images in the file.")
    return images


def _npy(content: bytes, name: str) -> NDArray[np.uint8]:
    try:
        array: NDArray[np.uint8] = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{name}: The file is not an .npy file: {phrase(error)}.") from error
    if array.dtype != np.uint8:
        raise InputError(f"{name}: The values are of type {array.dtype}, but must be uint8, 0 (background) to 255.")
    return array
