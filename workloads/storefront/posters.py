"""A film's poster, drawn from its title, category and year: an SVG image that is the same every time."""

from __future__ import annotations

import hashlib
from html import escape
from random import Random

from workloads.storefront.motifs import HEIGHT, MOTIFS, WIDTH, Palette

DESIGN = 1
"""Goes up when posters look different, so that nobody is shown an old one."""

PALETTES = {  # ink, ground, two accents: each title's ink on ground has a contrast of 7 and more
    "Action": Palette("#fff4e6", "#7a1f0f", "#ff6b35", "#ffc145"),
    "Animation": Palette("#1b1464", "#ffd460", "#f07b3f", "#2d4059"),
    "Children": Palette("#10316b", "#bfe9ff", "#ff7676", "#ffd93d"),
    "Classics": Palette("#f6e7c1", "#1f1b18", "#b8893b", "#7d5a2b"),
    "Comedy": Palette("#3a0d3f", "#ffe066", "#f25f5c", "#247ba0"),
    "Documentary": Palette("#eef2ea", "#22352c", "#7fa58a", "#d9b44a"),
    "Drama": Palette("#f5e9e2", "#3b1c32", "#a64b5d", "#e8a87c"),
    "Family": Palette("#23395b", "#f7ede2", "#f28482", "#84a59d"),
    "Foreign": Palette("#fdf0d5", "#003049", "#c1121f", "#e9b44c"),
    "Games": Palette("#e9fff9", "#14213d", "#2ec4b6", "#ff9f1c"),
    "Horror": Palette("#f1e3d3", "#14080e", "#9e1b1b", "#49475b"),
    "Music": Palette("#fff0fb", "#2d0b45", "#e0479e", "#44c4e8"),
    "New": Palette("#08244a", "#d6f5e3", "#3d5af1", "#ff5d8f"),
    "Sci-Fi": Palette("#e5f4ff", "#0b132b", "#3a86c8", "#9d6bff"),
    "Sports": Palette("#ffffff", "#0b4f3c", "#e8643c", "#f4d35e"),
    "Travel": Palette("#1d2b4f", "#ffe5c4", "#ee6c4d", "#3d8f9c"),
}
_LARGEST_TYPE, _SMALLEST_TYPE = 62, 22
_LETTER, _WIDEST_LETTER = (
    0.72,
    0.82,
)  # of the type's size: a bold capital as most typefaces have it, and as the widest do
_MARGIN = 30
_TYPEFACES = "'Avenir Next', 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"


def poster_name(film_id: int, title: str, category: str, year: int | None) -> str:
    """Return the poster's name in the bucket; another title has another name."""
    digest = hashlib.sha256(f"{DESIGN}|{title}|{category}|{year}".encode()).hexdigest()[:12]
    return f"posters/{film_id}-{digest}.svg"


def poster(title: str, category: str, year: int | None) -> bytes:
    """Return the poster: SVG of 400 by 600, without scripts, styles or external content."""
    random = Random(f"{title}|{category}")  # noqa: S311 - nothing secret
    title, category = _printable(title), _printable(category)
    palette_name = category if category in PALETTES else random.choice(sorted(PALETTES))
    palette = PALETTES[palette_name]
    lines, size = _set(title)
    bottom = HEIGHT - 64
    top = bottom - (len(lines) - 1) * size * 1.08
    words = "".join(
        f'<text x="{_MARGIN}" y="{top + number * size * 1.08:.1f}" font-size="{size}" font-weight="800"'
        f"{_squeezed(line, size)}>{escape(line)}</text>"
        for number, line in enumerate(lines)
    )
    footer = f"{category} · {year}" if category and year else category or (str(year) if year else "")
    spoken = escape(f"Poster of {title}", quote=True)
    scene = MOTIFS[palette_name](palette, random)
    edge = top - size - 20  # where the scene ends and the title begins
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{spoken}">'
        f'<defs><clipPath id="scene"><rect width="{WIDTH}" height="{edge:.1f}"/></clipPath></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{palette.ground}"/><g clip-path="url(#scene)">{scene}</g>'
        f'<rect x="{_MARGIN}" y="{edge + 4:.1f}" width="44" height="5" fill="{palette.first}"/>'
        f'<g fill="{palette.ink}" font-family="{_TYPEFACES}">{words}'
        f'<text x="{_MARGIN}" y="{HEIGHT - 28}" font-size="17" letter-spacing="2">{escape(footer.upper())}</text>'
        "</g></svg>"
    ).encode()


def _printable(text: str) -> str:
    """Return what XML can hold."""
    return "".join(character for character in text if character.isprintable())


def _set(title: str) -> tuple[list[str], int]:
    """Return the lines of a title, a word each where words are long, and the size of its type."""
    lines = list[str]()
    for word in title.upper().split() or ["UNTITLED"]:
        if lines and len(lines[-1]) + len(word) < 9:  # noqa: PLR2004 - short words share a line
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    lines = [*lines[:4], " ".join(lines[4:])] if len(lines) > 5 else lines  # noqa: PLR2004
    longest = max(len(line) for line in lines)
    size = int((WIDTH - 2 * _MARGIN) / (_LETTER * longest))
    return lines, max(min(size, _LARGEST_TYPE, 260 // len(lines)), _SMALLEST_TYPE)


def _squeezed(line: str, size: int) -> str:
    """Keeps a long line within the margins, whatever typeface the viewer has."""
    room = WIDTH - 2 * _MARGIN
    return f' textLength="{room}" lengthAdjust="spacingAndGlyphs"' if len(line) * size * _WIDEST_LETTER > room else ""
