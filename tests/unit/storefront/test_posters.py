"""A poster depends only on its film: it is the same every time, whatever the title, and nothing but a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.rental_company.generated import CATEGORIES, GeneratedCompany
from workloads.storefront.motifs import HEIGHT, MOTIFS, WIDTH
from workloads.storefront.posters import PALETTES, poster, poster_name

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = {"svg", "defs", "clipPath", "rect", "g", "circle", "ellipse", "polygon", "path", "text"}
TEXT = st.text(max_size=80)


def level(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    full = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_has_its_colours_and_scene_and_its_titles_can_be_read(category: str) -> None:
    palette = PALETTES[category]
    lighter, darker = sorted((level(palette.ink), level(palette.ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 7
    assert category in MOTIFS
    drawing = poster("SILVER NOMAD", category, 1966)
    assert drawing == poster("SILVER NOMAD", category, 1966)
    assert drawing != poster("GOLDEN NOMAD", category, 1966)
    assert len(drawing) < 60_000


@given(title=TEXT, category=TEXT | st.sampled_from(CATEGORIES), year=st.none() | st.integers(1900, 2100))
def test_any_title_gives_a_picture_without_anything_that_runs_or_loads(
    title: str, category: str, year: int | None
) -> None:
    root = ET.fromstring(poster(title, category, year))  # noqa: S314 - our own
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in DRAWN
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name or name == "style"]


def test_titles_stay_on_the_poster() -> None:
    """By the width of the widest typeface, or squeezed to the room there is; and between top and bottom."""
    for film in GeneratedCompany(scale=0.2).rows("film"):
        root = ET.fromstring(poster(film["title"], "Drama", film["release_year"]))  # noqa: S314 - our own
        lines = [text for text in root.iter(f"{SVG}text") if text.get("font-weight")]
        assert " ".join(line.text or "" for line in lines).split() == film["title"].split()
        for line in lines:
            size, given_length = float(line.get("font-size", 0)), line.get("textLength")
            width = float(given_length) if given_length else len(line.text or "") * size * 0.82
            assert 30 + width <= WIDTH - 25
            assert HEIGHT / 3 < float(line.get("y", 0)) < HEIGHT - 40


def test_the_name_tells_what_is_drawn() -> None:
    name = poster_name(7, "SILVER NOMAD", "Drama", 1966)
    assert name.startswith("posters/7-")
    assert name == poster_name(7, "SILVER NOMAD", "Drama", 1966)
    changed = {
        poster_name(7, "GOLD", "Drama", 1966),
        poster_name(7, "SILVER NOMAD", "New", 1966),
        poster_name(7, "SILVER NOMAD", "Drama", 1967),
    }
    assert len(changed | {name}) == 4
