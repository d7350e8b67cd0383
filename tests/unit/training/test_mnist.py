"""MNIST's files: what is read, and what is refused with a clear line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from contract.errors import InputError
from workloads.storage import locate
from workloads.training.mnist import FILES, Digits, format_idx, load_mnist, parse_idx, read_images, sample_mnist

byte_arrays = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=4, max_side=5))


@given(byte_arrays, st.booleans())
def test_an_array_survives_its_idx_file(array: NDArray[np.uint8], compressed: bool) -> None:
    content = format_idx(array)
    read = parse_idx(gzip.compress(content) if compressed else content, "file")
    assert read.shape == array.shape
    assert (read == array).all()
    assert read.flags.writeable  # PyTorch warns otherwise


@given(byte_arrays, st.data())
def test_a_file_cut_anywhere_is_refused(array: NDArray[np.uint8], data: st.DataObject) -> None:
    content = format_idx(array)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(InputError, match=r"file: The file is (truncated|not an idx file)"):
        parse_idx(content[:cut], "file")


@given(st.binary(max_size=200))
def test_any_bytes_are_an_array_or_refused(content: bytes) -> None:
    try:
        assert format_idx(parse_idx(content, "file")) == content
    except InputError as error:
        assert str(error).startswith("file: ")  # noqa: PT017


def put(folder: Path, **changed: bytes) -> Path:
    """A small valid data set, with some files replaced (dashes as underscores)."""
    images = np.zeros((12, 28, 28), np.uint8)
    images[np.arange(12), 14, np.arange(12)] = 255
    labels = (np.arange(12) % 10).astype(np.uint8)
    for name in FILES:
        content = format_idx(images if "images" in name else labels)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(changed.get(name.replace("-", "_"), content))
    return folder


@pytest.fixture(scope="module")
def sample() -> dict[str, bytes]:
    return sample_mnist()


@pytest.mark.parametrize("subfolder", ["", "MNIST/raw"])
@pytest.mark.parametrize("compressed", [True, False])
def test_both_layouts_compressed_or_not_hold_the_same_data(
    sample: dict[str, bytes], tmp_path: Path, subfolder: str, compressed: bool
) -> None:
    for name, content in sample.items():
        path = tmp_path / subfolder / (name if compressed else name.removesuffix(".gz"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if compressed else gzip.decompress(content))
    digits = load_mnist(locate(str(tmp_path)))
    assert digits.train_images.shape == (1437, 28, 28)
    assert digits.test_images.shape == (360, 28, 28)
    assert set(digits.test_labels) == set(range(10))
    assert digits.sha256 == Digits(*(parse_idx(content, name) for name, content in sample.items())).sha256


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_labels_idx1_ubyte": format_idx(np.zeros(11, np.uint8))}, "There are 11 labels for the 12 images"),
        (
            {"train_labels_idx1_ubyte": format_idx(np.full(12, 10, np.uint8))},
            "row 0: The label is 10, but the labels of 10 classes are 0 to 9",
        ),
        (
            {"train_labels_idx1_ubyte": format_idx(np.zeros((12, 1), np.uint8))},
            "The array has 2 dimensions, but labels have one",
        ),
        ({"t10k_images_idx3_ubyte": format_idx(np.zeros((12, 32, 32), np.uint8))}, "but images of 28x28 have"),
        ({"t10k_images_idx3_ubyte": format_idx(np.zeros((0, 28, 28), np.uint8))}, "There are no images in the file"),
        ({"t10k_images_idx3_ubyte": b"\x89PNG\r\n"}, "not an idx file: it begins with 89 50 4e 47"),
        ({"t10k_images_idx3_ubyte": b"\0\0\x0d\x03" + bytes(12)}, "The file has type 0x0d and 3 dimensions"),
        ({"t10k_images_idx3_ubyte": gzip.compress(bytes(99))[:-9]}, "The gzip data is damaged"),
        ({"t10k_images_idx3_ubyte": b""}, "not an idx file: it begins with nothing"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, changed: dict[str, bytes], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_mnist(locate(str(put(tmp_path, **changed))))
    assert next(iter(changed)).replace("_", "-") in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match=r"but t10k-labels-idx1-ubyte is missing \(\.gz or not\)"):
        load_mnist(locate(str(tmp_path)))


@pytest.mark.parametrize(
    "place",
    [
        lambda name: name.replace("-idx", ".idx"),  # as 7-Zip and Kaggle write it
        lambda name: f"{name}/{name}",  # a folder that the unpacked archive made
        lambda name: f"{name.replace('-idx', '.idx')}/{name.replace('-idx', '.idx')}",
        lambda name: name.replace("t10k", "test"),
    ],
)
def test_common_names_of_the_files_are_understood(tmp_path: Path, place: Callable[[str], str]) -> None:
    (tmp_path / "plain").mkdir()
    whole = load_mnist(locate(str(put(tmp_path / "plain"))))
    for name in FILES:
        path = tmp_path / "other" / place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((tmp_path / "plain" / name).read_bytes())
    assert load_mnist(locate(str(tmp_path / "other"))).sha256 == whole.sha256


@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "KMNIST/raw"])
def test_another_data_set_is_refused_with_the_folder_that_has_it(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    put(tmp_path / folder)
    with pytest.raises(InputError, match=f"The data set is in {folder}.*--data {tmp_path}/{folder}"):
        load_mnist(locate(str(tmp_path)))


def put_emnist(folder: Path, split: str, source: Path, transposed: bool = True) -> Path:
    """The files of a data set with the names of EMNIST, which has rows and columns exchanged."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        array = parse_idx((source / name).read_bytes(), name)
        turned = array.swapaxes(1, 2) if transposed and array.ndim == 3 else array
        content = gzip.compress(format_idx(np.ascontiguousarray(turned)))
        (folder / f"emnist-{split}-{name.replace('t10k', 'test')}.gz").write_bytes(content)
    return folder


@pytest.fixture
def unpacked(sample: dict[str, bytes], tmp_path: Path) -> Path:
    (tmp_path / "sample").mkdir()
    for name, content in sample.items():
        (tmp_path / "sample" / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    return tmp_path / "sample"


def test_the_images_of_emnist_are_turned_to_stand_upright(unpacked: Path, tmp_path: Path) -> None:
    whole = load_mnist(locate(str(unpacked)))
    emnist = put_emnist(tmp_path / "emnist", "digits", unpacked)
    assert load_mnist(locate(str(emnist))).sha256 == whole.sha256
    images = read_images(locate(str(emnist / "emnist-digits-test-images-idx3-ubyte.gz")))
    assert (images == whole.test_images).all()


def test_of_several_data_sets_in_a_folder_none_is_chosen(unpacked: Path, tmp_path: Path) -> None:
    emnist = put_emnist(tmp_path / "emnist", "digits", unpacked)
    put_emnist(emnist, "letters", unpacked)
    with pytest.raises(InputError, match=r"several data sets: emnist-digits, emnist-letters\."):
        load_mnist(locate(str(emnist)))
    with pytest.raises(InputError, match=f"The data set is in emnist .*--data {tmp_path}/emnist"):
        load_mnist(locate(str(put_emnist(emnist / "x", "mnist", unpacked).parent.parent)))


def test_a_missing_file_of_emnist_is_named_as_emnist_does(unpacked: Path, tmp_path: Path) -> None:
    emnist = put_emnist(tmp_path / "emnist", "digits", unpacked)
    (emnist / "emnist-digits-test-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="but emnist-digits-test-labels-idx1-ubyte is missing"):
        load_mnist(locate(str(emnist)))


def test_digits_that_lie_on_their_sides_are_refused_under_the_names_of_mnist(unpacked: Path) -> None:
    for name in FILES:
        array = parse_idx((unpacked / name).read_bytes(), name)
        turned = array.swapaxes(1, 2) if array.ndim == 3 else array
        (unpacked / name).write_bytes(format_idx(np.ascontiguousarray(turned)))
    with pytest.raises(InputError, match=r"wider than they are tall.*EMNIST"):
        load_mnist(locate(str(unpacked)))


def test_more_classes_than_ten_are_read_where_they_are_declared(tmp_path: Path) -> None:
    labels = format_idx(np.array([*range(50, 62)], np.uint8))
    folder = locate(str(put(tmp_path, train_labels_idx1_ubyte=labels)))
    with pytest.raises(InputError, match=r"row 0: The label is 50, but the labels of 10 classes .* --classes 62"):
        load_mnist(folder)
    assert load_mnist(folder, 62).train_labels.max() == 61
    put(tmp_path, train_labels_idx1_ubyte=format_idx(np.full(12, 62, np.uint8)))
    with pytest.raises(InputError, match=r"The label is 62, .* There can be 62 classes at most"):
        load_mnist(folder, 62)


def test_a_folder_of_other_files_is_refused_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").write_bytes(b"")
    with pytest.raises(InputError, match=r"There is no train-images-idx3-ubyte\.gz .*there is mnist\.npz"):
        load_mnist(locate(str(tmp_path)))


def test_a_single_training_image_is_too_few(tmp_path: Path) -> None:
    one = {
        "train_images_idx3_ubyte": format_idx(np.zeros((1, 28, 28), np.uint8)),
        "train_labels_idx1_ubyte": format_idx(np.zeros(1, np.uint8)),
    }
    with pytest.raises(InputError, match="1 images are too few to train on: at least 2"):
        load_mnist(locate(str(put(tmp_path, **one))))


@pytest.mark.parametrize("file", ["train_images_idx3_ubyte", "t10k_images_idx3_ubyte"])
@pytest.mark.parametrize(
    ("shade", "dot", "message"),
    [
        (0, 0, "None of the 12 images shows anything"),
        (255, 240, "None of the 12"),
        (0, 255, "All 12 images are the same"),
    ],
)
def test_images_from_which_nothing_can_be_learnt_are_refused(
    tmp_path: Path, file: str, shade: int, dot: int, message: str
) -> None:
    images = np.full((12, 28, 28), shade, np.uint8)
    images[:, 14, 14] = dot
    with pytest.raises(InputError, match=f"{file.replace('_', '-')}: {message}"):
        load_mnist(locate(str(put(tmp_path, **{file: format_idx(images)}))))


def test_images_that_show_nothing_are_counted(tmp_path: Path, sample: dict[str, bytes]) -> None:
    for name, content in sample.items():
        (tmp_path / name).write_bytes(content)
    digits = load_mnist(locate(str(tmp_path)))
    assert digits.notes == []
    digits.train_images[:3] = 7
    digits.test_images[5] = 255
    assert [note.partition(":")[0] for note in digits.notes] == [
        "3 of 1,437 training images show nothing",
        "1 of 360 test images show nothing",
    ]


def test_images_are_the_same_from_idx_and_npy(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (11, 28, 28), np.uint8)
    (tmp_path / "images.gz").write_bytes(gzip.compress(format_idx(images)))
    np.save(tmp_path / "images.npy", images)
    for name in ("images.gz", "images.npy"):
        assert (read_images(locate(str(tmp_path / name))) == images).all(), name


def test_unusable_arrays_are_refused_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", np.zeros((2, 28, 28)))
    (tmp_path / "text.npy").write_text("no array")
    for name, message in {
        "floats.npy": "The values are of type float64, but must be uint8",
        "text.npy": "not an .npy file",
    }.items():
        with pytest.raises(InputError, match=message):
            read_images(locate(str(tmp_path / name)))
