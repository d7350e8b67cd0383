"""MNIST and data sets of its form: idx files, wherever and under whatever of their common names people have them."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from contract.errors import InputError, UnavailableError, phrase
from workloads.delimited import unpack
from workloads.training.scans import shows_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.storage import Location

SIDE = 28
CLASSES = 10
MOST_CLASSES = 62
"""Those of EMNIST: digits, capital letters, small letters."""
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_DIMENSIONS = {"images": 3, "labels": 1}
_NAME = re.compile(
    r"(?P<stem>(?P<emnist>emnist-\w+-)?(?P<part>train|t10k|test)-(?P<what>images|labels))[-.]idx[13]-ubyte(\.gz)?"
)
_MNIST = "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b"  # SHA-256 of the test set
_TALLEST = 1  # the digit that is three times as tall as wide in MNIST, at the median
_FEWEST_IMAGES = 2
_SHOWN = 4  # names in a message
_SHOWN_OF_A_CLASS = 200  # images that show whether digits lie on their sides
_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Digits:
    """A training and a test set of images of digits, or of other classes.

    Attributes:
        train_images: uint8 [n, 28, 28], 0 is background.
        train_labels: uint8 [n], from 0 on.
        test_images: uint8 [m, 28, 28].
        test_labels: uint8 [m].
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]

    def first(self, count: int) -> Digits:
        """Return the same data set with at most `count` training images."""
        return replace(self, train_images=self.train_images[:count], train_labels=self.train_labels[:count])

    @property
    def sha256(self) -> str:
        """A digest of all pixels and labels, whatever files they came in."""
        return _sha256(self.train_images, self.train_labels, self.test_images, self.test_labels)

    @property
    def notes(self) -> list[str]:
        """What a person should know of the images, a sentence each."""
        sets = {"training": self.train_images, "test": self.test_images}
        blank = {name: int(shows_nothing(images).sum()) for name, images in sets.items()}
        return [
            f"{count:,} of {len(sets[name]):,} {name} images show nothing: they are of one shade of grey."
            for name, count in blank.items()
            if count
        ]

    @property
    def is_mnist(self) -> bool:
        """Whether these are MNIST's own images, whose origin is known; of the training set a part may be missing."""
        return _sha256(self.test_images, self.test_labels) == _MNIST


def _sha256(*arrays: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()


def load_mnist(data: Location, classes: int = CLASSES) -> Digits:
    """Read the four idx files of a data set, `.gz` or not, at a location or in its `MNIST/raw` (torchvision's layout).

    `train-images.idx3-ubyte` and a folder of the file's own name around it are understood, too: common programs that
    unpack archives make these names. The images of EMNIST's files (`emnist-digits-train-images-idx3-ubyte`), which are
    stored transposed, are turned to stand upright.

    Args:
        data: The location.
        classes: Labels are from 0 to one less than this.

    Raises:
        InputError: A file is missing, damaged, or does not hold what it should; the files are of another data set; or
            there is nothing to learn, as no image shows anything, or all are the same.
    """
    train_images, train_labels, test_images, test_labels = _files(data)
    with ThreadPoolExecutor(max_workers=1) as thread:  # zlib lets another core unpack at the same time
        test = thread.submit(_read_pair, test_images, test_labels, classes)
        digits = Digits(*_read_pair(train_images, train_labels, classes), *test.result())
    if classes == CLASSES and _lies_on_its_side(digits):
        raise InputError(
            f"{train_images}: The digits of all classes are wider than they are tall, as in the files of EMNIST, which "
            "stores its images transposed. Give the files the names that EMNIST has for them "
            "(emnist-digits-train-images-idx3-ubyte and so on), or transpose the images."
        )
    if len(digits.train_images) < _FEWEST_IMAGES:
        raise InputError(
            f"{train_images}: The {len(digits.train_images)} images are too few to train on: at least "
            f"{_FEWEST_IMAGES} are needed, because some of them are held out to validate."
        )
    _refuse_nothing(train_images, digits.train_images)
    _refuse_nothing(test_images, digits.test_images)
    return digits


def _refuse_nothing(source: Location, images: NDArray[np.uint8]) -> None:
    """See that the images of a file show something, and not all the same.

    Raises:
        InputError: They do not.
    """
    # The first images answer both questions of all files but bad ones.
    if shows_nothing(images[:1]).all() and shows_nothing(images).all():
        raise InputError(
            f"{source}: None of the {len(images):,} images shows anything, as each is of one shade of grey. Check how "
            "the file was written."
        )
    if len(images) > 1 and (images[1] == images[0]).all() and (images == images[0]).all():
        raise InputError(f"{source}: All {len(images):,} images are the same. Check how the file was written.")


def read_images(source: Location) -> NDArray[np.uint8]:
    """Read images of an idx file (`.gz` or not) or an `.npy` file.

    Returns:
        uint8 [n, 28, 28].

    Raises:
        InputError: The file holds no such images.
    """
    content = source.read()
    if source.name.endswith(".npy"):
        return _checked_images(_npy(content, source.uri), source.uri)
    return _upright(_checked_images(parse_idx(content, source.uri), source.uri), source)


def parse_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """Return the array of bytes in an idx file.

    The format (http://yann.lecun.com/exdb/mnist): two zero bytes, the type (8: unsigned byte), the number of
    dimensions, each dimension as a big-endian 32-bit integer, then the values, last dimension fastest.

    Args:
        content: The file, gzip-compressed or not.
        name: What to call it in errors.

    Raises:
        InputError: It is not an idx file of unsigned bytes, or is truncated or too long.
    """
    if content.startswith(_GZIP_MAGIC):
        content = unpack(content, name)
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
            f"{name}: The file is truncated: it has {len(content)} bytes, and its header should have {header}."
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
    """Return an array of bytes as an idx file."""
    header = bytes((0, 0, _UNSIGNED_BYTE, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def download_mnist() -> dict[str, bytes]:
    """Return the files of MNIST, downloaded through torchvision, by name.

    Raises:
        UnavailableError: The download fails.
    """
    from torchvision.datasets import MNIST

    with tempfile.TemporaryDirectory() as folder:
        try:
            MNIST(folder, download=True)
        except (OSError, RuntimeError) as error:
            raise UnavailableError(
                f"Data set mnist: It cannot be downloaded: {phrase(error)}. Set GROUNDWORK_DATA to a folder that has "
                "mnist/*.gz, or use the stand-in of `groundwork data sample mnist --to FOLDER`."
            ) from error
        return {path.name: path.read_bytes() for path in Path(folder, "MNIST", "raw").glob("*.gz")}


def sample_mnist() -> dict[str, bytes]:
    """Return a small stand-in for MNIST that needs no download: scikit-learn's 1,797 handwritten digits as idx files.

    Their 8x8 images are scaled to 20x20 and centred in 28x28, as MNIST's are; 1,437 to train on, 360 to test on.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

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
    """Return the four files of a data set, in the order of `FILES`."""
    names = data.names()
    sets: dict[str, dict[str, str]] = {}
    for name in names:
        folder, _, file = name.rpartition("/")
        if match := _NAME.fullmatch(file):
            if folder.rpartition("/")[2].startswith(match["stem"]):  # a folder that an unpacked archive made
                folder = folder.rpartition("/")[0]
            which = f"{'train' if match['part'] == 'train' else 't10k'}-{match['what']}"
            whose = f"{folder}/{match['emnist']}" if match["emnist"] else folder
            sets.setdefault(whose, {}).setdefault(f"{which}-idx{_DIMENSIONS[match['what']]}-ubyte", name)
    emnist = [whose for whose, files in sets.items() if whose.startswith("/emnist-") and files.keys() == {*FILES}]
    if "" not in sets and len(emnist) == 1:
        return [data / sets[emnist[0]][file] for file in FILES]
    if "" not in sets and len(emnist) > 1:
        splits = ", ".join(sorted(whose.strip("/-") for whose in emnist))
        raise InputError(f"{data}: The folder has several data sets: {splits}. Leave the four files of one in it.")
    for folder in ("", "MNIST/raw"):
        if sets.get(folder, {}).keys() == {*FILES}:
            return [data / sets[folder][file] for file in FILES]
    raise InputError(f"{data}: {_what_is_there(data, names, sets)}")


def _what_is_there(data: Location, names: Sequence[str], sets: Mapping[str, Mapping[str, str]]) -> str:
    """Return why the files of a folder cannot be used, and what to do."""
    complete = [
        prefix.rpartition("/emnist-")[0] or prefix.strip("/-")
        for prefix, files in sets.items()
        if files.keys() == {*FILES}
    ]
    if complete:
        folders = " and in ".join(complete)
        return f"The data set is in {folders}. Name the folder that you want: --data {data}/{complete[0]}."
    if sets:
        folder, files = max(sets.items(), key=lambda item: len(item[1]))
        split = folder.rpartition("/")[2] if folder.endswith("-") else ""
        missing = ", ".join(
            split + (name.replace("t10k", "test") if split else name) for name in FILES if name not in files
        )
        return f"There is {', '.join(files.values())}, but {missing} is missing (.gz or not)."
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    inventory = f"there is {listed}" if names else "there are no files at all"
    return f"There is no {FILES[0]}.gz (nor {FILES[0]}); {inventory}. Expected: {', '.join(FILES)}."


def _read_pair(images_at: Location, labels_at: Location, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = _upright(_checked_images(parse_idx(images_at.read(), images_at.uri), images_at.uri), images_at)
    labels = parse_idx(labels_at.read(), labels_at.uri)
    if labels.ndim != 1:
        raise InputError(f"{labels_at}: The array has {labels.ndim} dimensions, but labels have one.")
    if len(labels) != len(images):
        raise InputError(f"{labels_at}: There are {len(labels)} labels for the {len(images)} images of {images_at}.")
    wrong = np.flatnonzero(labels >= classes)
    if len(wrong):
        needed = int(labels.max()) + 1
        remedy = f"The digit-classifier takes --classes {needed}; the digit-gan knows ten digits only."
        if needed > MOST_CLASSES:
            remedy = f"There can be {MOST_CLASSES} classes at most."
        raise InputError(
            f"{labels_at}, row {wrong[0]}: The label is {labels[wrong[0]]}, but the labels of {classes} classes are "
            f"0 to {classes - 1}. {remedy}"
        )
    return images, labels


def _upright(images: NDArray[np.uint8], source: Location) -> NDArray[np.uint8]:
    """Images as they are seen: EMNIST's files hold them with rows and columns exchanged."""
    match = _NAME.fullmatch(source.name.rpartition("/")[2])
    return np.ascontiguousarray(images.swapaxes(1, 2)) if match and match["emnist"] else images


def _lies_on_its_side(digits: Digits) -> bool:
    """Return whether each of the ten digits is wider than tall, and 1 much wider; in MNIST no digit is."""
    images = digits.train_images[: 10 * _SHOWN_OF_A_CLASS]
    labels = digits.train_labels[: len(images)]
    if len({*labels.tolist()}) < CLASSES:
        return False
    tall = [_height_to_width(images[labels == digit]) for digit in range(CLASSES)]
    return all(ratio < 1 for ratio in tall) and tall[_TALLEST] < 2 / 3


def _height_to_width(images: NDArray[np.uint8]) -> float:
    """The standard deviation of the ink over rows by that over columns, a median over images; NaN without any ink."""
    ink, places = images.astype(np.float64), np.arange(SIDE)
    total = np.maximum(ink.sum((1, 2)), 1)
    deviations = []
    for sums in (ink.sum(2), ink.sum(1)):
        middle = (sums * places).sum(1) / total
        deviations.append(np.sqrt((sums * (places - middle[:, None]) ** 2).sum(1) / total))
    drawn = (deviations[0] > 0) & (deviations[1] > 0)
    return float(np.median(deviations[0][drawn] / deviations[1][drawn])) if drawn.any() else math.nan


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
