"""Images as people have them: formats, transparency, dark on light, any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contract.errors import InputError
from workloads.storage import locate
from workloads.training.scans import SUFFIXES, centred, read_scans


def seven(side: int = 28) -> NDArray[np.uint8]:
    """A digit in white on black, as MNIST has them."""
    image = Image.new("L", (side, side))
    pen = ImageDraw.Draw(image)
    unit = side / 28
    pen.line([(8 * unit, 7 * unit), (20 * unit, 7 * unit), (12 * unit, 21 * unit)], fill=255, width=round(3 * unit))
    return np.asarray(image)


def test_images_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    images = np.stack([np.roll(seven(), shift, axis=1) for shift in (0, 1, 2)])
    for name, image in zip(("a.png", "b.PNG", "folder/c.png"), images, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / name)
    scans = read_scans(locate(str(tmp_path)))
    assert (scans.images == images).all()
    assert scans.names == ("a.png", "b.PNG", "folder/c.png")
    assert scans.notes == ()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_digit(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(seven()).save(tmp_path / f"digit{suffix}")
    assert read_scans(locate(str(tmp_path))).images[0].astype(int) == pytest.approx(seven().astype(int), abs=60)


@pytest.mark.parametrize("stroke", [0, 90, 255])
def test_on_a_transparent_background_the_opaque_is_the_stroke(tmp_path: Path, stroke: int) -> None:
    grey = Image.new("L", (28, 28), stroke)
    Image.merge("LA", (grey, Image.fromarray(seven()))).save(tmp_path / "digit.png")
    assert (read_scans(locate(str(tmp_path))).images[0] == seven()).all()


def test_an_opaque_image_with_an_alpha_channel_is_read_as_it_looks(tmp_path: Path) -> None:
    Image.fromarray(seven()).convert("RGBA").save(tmp_path / "digit.png")
    assert (read_scans(locate(str(tmp_path))).images[0] == seven()).all()


def test_dark_on_light_is_inverted_and_said(tmp_path: Path) -> None:
    Image.fromarray(255 - seven()).save(tmp_path / "digit.png")
    scans = read_scans(locate(str(tmp_path)))
    assert (scans.images[0] == seven()).all()
    assert "1 of 1 images are dark on light, and were inverted" in scans.notes[0]


def test_a_digit_of_sixteen_bits_keeps_its_strokes(tmp_path: Path) -> None:
    Image.fromarray(seven().astype(np.uint16) * 257).save(tmp_path / "digit.png")
    assert (read_scans(locate(str(tmp_path))).images[0] == seven()).all()


def test_an_image_that_shows_nothing_is_named(tmp_path: Path) -> None:
    Image.new("L", (28, 28), 7).save(tmp_path / "empty.png")
    Image.fromarray(seven()).save(tmp_path / "seven.png")
    assert read_scans(locate(str(tmp_path))).notes == (
        "1 of 2 images show nothing, so their prediction means nothing: empty.png.",
    )


def test_files_that_are_left_out_are_counted_and_named(tmp_path: Path) -> None:
    Image.fromarray(seven()).save(tmp_path / "seven.png")
    for name in ("1.txt", "2.txt", "3.heic", "4.pdf"):
        (tmp_path / name).touch()
    assert read_scans(locate(str(tmp_path))).notes == (
        "4 files were not read, as they are not images: 1.txt, 2.txt, 3.heic, and 1 more.",
    )


@pytest.mark.parametrize(("width", "height"), [(280, 280), (60, 300), (300, 60), (7, 9), (29, 28)])
@pytest.mark.parametrize("paper", [0, 60])
def test_a_digit_of_any_size_fits_as_mnist_made_it(width: int, height: int, paper: int) -> None:
    canvas = np.full((height, width), paper, np.uint8)
    canvas[height // 4 : height // 2, width // 4 : width // 2] = 230
    digit = centred(canvas)
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    weights = digit / digit.sum()
    assert abs(float((weights.sum(1) * np.arange(28)).sum()) - 13.5) <= 1
    assert abs(float((weights.sum(0) * np.arange(28)).sum()) - 13.5) <= 1


def test_scaling_a_large_drawing_gives_what_the_small_one_is(tmp_path: Path) -> None:
    Image.fromarray(seven(280)).save(tmp_path / "large.png")
    large = read_scans(locate(str(tmp_path))).images[0]
    assert np.corrcoef(large.ravel(), centred(seven()).ravel())[0, 1] > 0.9


def several_pages(folder: Path) -> None:
    page = Image.fromarray(seven())
    page.save(folder / "b.tiff", save_all=True, append_images=[page, page])


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (
            lambda folder: (folder / "b.png").write_text("no image"),
            r"b\.png: This is not an image .* its format is not known",
        ),
        (several_pages, r"b\.tiff: The image has 3 pages or frames, and only one can be read"),
        (lambda folder: (folder / "b.npz").touch(), r"no folder with images .*; it has 1 of \.npz"),
        (lambda folder: None, "There is no such file, and no folder with images"),  # noqa: ARG005
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, prepare: Callable[[Path], None], message: str) -> None:
    prepare(tmp_path)
    with pytest.raises(InputError, match=message):
        read_scans(locate(str(tmp_path)))
