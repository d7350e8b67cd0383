"""The scenes on posters: one for each category, varied by the film."""

# ruff: noqa: PLR0917 - x and y, then what is drawn there

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

WIDTH, HEIGHT = 400, 600


class Palette(NamedTuple):
    """A poster's colours."""

    ink: str
    ground: str
    first: str
    second: str


def _circle(x: float, y: float, radius: float, fill: str, opacity: float = 1) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}" opacity="{opacity:.2f}"/>'


def _ring(x: float, y: float, radius: float, stroke: str, width: float, opacity: float = 1) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="none" stroke="{stroke}" '
        f'stroke-width="{width:.1f}" opacity="{opacity:.2f}"/>'
    )


def _box(x: float, y: float, width: float, height: float, fill: str, opacity: float = 1) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{fill}" opacity="{opacity:.2f}"/>'


def _shape(points: list[tuple[float, float]], fill: str, opacity: float = 1) -> str:
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{corners}" fill="{fill}" opacity="{opacity:.2f}"/>'


def _rays(x: float, y: float, count: int, turn: float, fill: str, opacity: float = 1) -> str:
    """Beams from a point to beyond the edges."""
    step, rays = 2 * math.pi / count, ""
    for number in range(count):
        angle = turn + number * step
        ends = [
            (x + 800 * math.cos(direction), y + 800 * math.sin(direction)) for direction in (angle, angle + step / 2)
        ]
        rays += _shape([(x, y), *ends], fill, opacity)
    return rays


def _ridge(base: float, height: float, peaks: int, fill: str, random: Random) -> str:
    """Mountains from edge to edge."""
    step = WIDTH / peaks
    points = [(-20.0, HEIGHT + 0.0), (-20.0, base)]
    for number in range(peaks):
        points.append((step * (number + 0.5) + random.uniform(-20, 20), base - height * random.uniform(0.6, 1)))
        points.append((step * (number + 1), base - height * random.uniform(0, 0.25)))
    return _shape([*points, (WIDTH + 20.0, HEIGHT + 0.0)], fill)


def _wave(level: float, height: float, length: float, phase: float, fill: str, opacity: float = 1) -> str:
    points = [(-10.0, HEIGHT + 0.0)]
    points += [(x, level + height * math.sin(x / length * 2 * math.pi + phase)) for x in range(-10, WIDTH + 11, 10)]
    return _shape([*points, (WIDTH + 10.0, HEIGHT + 0.0)], fill, opacity)


def _blast(palette: Palette, random: Random) -> str:
    x, y = random.uniform(120, 280), random.uniform(150, 250)
    rays = _rays(x, y, random.choice([14, 18, 22]), random.random(), palette.first, 0.55)
    points = list[tuple[float, float]]()
    for number in range(24):
        reach = random.uniform(95, 130) if number % 2 else random.uniform(55, 75)
        points.append((x + reach * math.cos(number * math.pi / 12), y + reach * math.sin(number * math.pi / 12)))
    return rays + _shape(points, palette.second) + _circle(x, y, 34, palette.ink)


def _bouncing(palette: Palette, random: Random) -> str:
    scene, x, level = "", -20.0, 330.0
    colours = [palette.first, palette.second, palette.ink]
    for number in range(9):
        x += random.uniform(38, 60)
        radius = random.uniform(22, 46)
        y = level - abs(math.sin(number * 0.9)) * random.uniform(160, 250)
        scene += _circle(x, y, radius, colours[number % 3]) + _circle(
            x - radius / 3, y - radius / 3, radius / 5, "#fff", 0.7
        )
    return scene + _wave(360, 14, 260, random.random() * 6, palette.first, 0.35)


def _balloons(palette: Palette, random: Random) -> str:
    scene, colours = "", [palette.first, palette.second, "#ffffff"]
    for number in range(7):
        x, y, radius = 40 + number * 53 + random.uniform(-12, 12), random.uniform(80, 250), random.uniform(26, 44)
        colour = colours[number % 3]
        string = f'd="M{x:.0f} {y + radius:.0f} q 14 60 -4 130"'
        scene += f'<path {string} fill="none" stroke="{palette.ink}" stroke-width="1.5"/>'
        scene += f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{radius * 0.85:.0f}" ry="{radius:.0f}" fill="{colour}"/>'
        scene += _shape([(x, y + radius - 2), (x - 6, y + radius + 8), (x + 6, y + radius + 8)], colour)
    return scene


def _deco(palette: Palette, random: Random) -> str:
    y = random.uniform(330, 380)
    scene = _rays(200, y, random.choice([24, 32, 40]), 0, palette.second, 0.8)
    for radius in (190, 150, 110, 70):
        scene += _circle(200, y, radius, palette.ground) + _ring(200, y, radius, palette.first, 5)
    return scene + _circle(200, y, 40, palette.first)


def _confetti(palette: Palette, random: Random) -> str:
    scene, colours = "", [palette.first, palette.second, palette.ink, "#ffffff"]
    for _ in range(58):
        x, y, turn = random.uniform(0, 400), random.uniform(0, 400), random.uniform(0, 180)
        shape = random.choice([_box(-9, -4, 18, 8, random.choice(colours)), _circle(0, 0, 6, random.choice(colours))])
        scene += f'<g transform="translate({x:.0f} {y:.0f}) rotate({turn:.0f})">{shape}</g>'
    smile = f'M130 200 a70 70 0 0 0 140 0 z" fill="{palette.first}"'
    return (
        scene
        + _circle(200, 190, 96, palette.ground)
        + f'<path d="{smile}/>'
        + "".join(_circle(x, 165, 12, palette.ink) for x in (165, 235))
    )


def _contours(palette: Palette, random: Random) -> str:
    x, y = random.uniform(120, 280), random.uniform(140, 240)
    scene = ""
    for number in range(14, 0, -1):
        wide, high = number * random.uniform(22, 25), number * random.uniform(15, 18)
        stroke = palette.second if number % 4 == 0 else palette.first
        scene += (
            f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{wide:.0f}" ry="{high:.0f}" fill="none" stroke="{stroke}" '
            f'stroke-width="{3 if number % 4 == 0 else 1.6}" '
            f'transform="rotate({random.uniform(-18, 18):.0f} {x:.0f} {y:.0f})"/>'
        )
    return scene + _circle(x, y, 7, palette.second)


def _eclipse(palette: Palette, random: Random) -> str:
    x, y, shift = random.uniform(150, 250), random.uniform(160, 220), random.choice([-1, 1]) * random.uniform(45, 75)
    scene = "".join(_ring(x, y, 130 + 22 * number, palette.second, 1.5, 0.5 - number * 0.08) for number in range(1, 6))
    return (
        scene
        + _circle(x, y, 125, palette.second)
        + _circle(x + shift, y + 12, 112, palette.first)
        + _wave(390, 16, 330, random.random() * 6, palette.ink, 0.14)
    )


def _houses(palette: Palette, random: Random) -> str:
    scene, x = _circle(random.uniform(80, 320), 110, 46, palette.first), -10.0
    colours = [palette.second, palette.ink, palette.first]
    for number in range(6):
        wide, high = random.uniform(58, 86), random.uniform(90, 190)
        top, colour = 430 - high, colours[number % 3]
        scene += _box(x, top, wide, 400, colour) + _shape(
            [(x - 6, top), (x + wide / 2, top - 46), (x + wide + 6, top)], colour
        )
        for row in range(3):
            scene += _box(x + wide * 0.2, top + 18 + row * 38, 13, 17, palette.ground, 0.9)
            scene += _box(x + wide * 0.6, top + 18 + row * 38, 13, 17, palette.ground, 0.9)
        x += wide + 4
    return scene


def _arches(palette: Palette, random: Random) -> str:
    scene, colours = "", [palette.first, palette.second, palette.ink]
    for row in range(5):
        for column in range(5):
            x, y = column * 100 - 50 * (row % 2), 60 + row * 90
            for ring, colour in enumerate(random.sample(colours, 3)):
                radius = 50 - ring * 15
                scene += f'<path d="M{x - radius} {y} a{radius} {radius} 0 0 1 {2 * radius} 0 z" fill="{colour}"/>'
    return scene


def _tiles(palette: Palette, random: Random) -> str:
    scene, colours = "", [palette.first, palette.second, palette.ink]
    for row in range(9):
        for column in range(8):
            x, y, colour = column * 50, row * 50, random.choice(colours)
            kind = random.randrange(5)
            if kind == 0:
                scene += _box(x + 4, y + 4, 42, 42, colour)
            elif kind == 1:
                scene += _circle(x + 25, y + 25, 20, colour)
            elif kind == 2:  # noqa: PLR2004 - of five
                scene += _shape([(x + 4, y + 46), (x + 46, y + 46), (x + 25, y + 6)], colour)
            else:
                scene += _circle(x + 25, y + 25, 3.5, colour, 0.8)
    return scene


def _woods(palette: Palette, random: Random) -> str:
    scene = _circle(random.uniform(110, 290), random.uniform(110, 160), 78, palette.first)
    for number in range(26):
        x, far = number * 17 - 15 + random.uniform(-6, 6), number % 2
        top, wide = random.uniform(120, 250) + 60 * far, random.uniform(9, 16)
        colour = palette.ground if far else palette.second
        scene += _shape([(x - wide, 620), (x, top), (x + wide, 620)], colour)
        for branch in range(3):
            y, side = top + 50 + branch * 46, (-1) ** branch
            scene += _shape([(x, y), (x, y + 7), (x + side * random.uniform(22, 40), y - 22)], colour)
    return scene


def _equaliser(palette: Palette, random: Random) -> str:
    scene = "".join(_ring(200, 210, 40 + 26 * number, palette.first, 2, 0.5) for number in range(9))
    for column in range(13):
        high = random.randint(2, 12)
        for row in range(high):
            colour = palette.first if row > 7 else palette.second if row > 3 else palette.ink  # noqa: PLR2004
            scene += _box(14 + column * 29, 420 - row * 28, 21, 19, colour, 0.95)
    return scene


def _sparks(palette: Palette, random: Random) -> str:
    scene, colours = "", [palette.first, palette.second, palette.ink]
    for number in range(11):
        x, y, size = random.uniform(10, 390), random.uniform(20, 380), random.uniform(24, 86)
        points = list[tuple[float, float]]()
        for corner in range(8):
            reach = size if corner % 2 == 0 else size * 0.24
            points.append((x + reach * math.cos(corner * math.pi / 4), y + reach * math.sin(corner * math.pi / 4)))
        scene += _shape(points, colours[number % 3], 0.92)
    return scene


def _planets(palette: Palette, random: Random) -> str:
    scene = "".join(
        _circle(random.uniform(0, 400), random.uniform(0, 460), random.uniform(0.8, 2.4), palette.ink, 0.8)
        for _ in range(90)
    )
    x, y, radius = random.uniform(130, 270), random.uniform(170, 240), random.uniform(80, 110)
    tilt = random.uniform(-28, 28)
    wide, high = radius * 1.75, radius * 0.42
    belt = f'<ellipse cx="{x:.0f}" cy="{y:.0f}" rx="{wide:.0f}" ry="{high:.0f}" fill="none" '
    turned = f'transform="rotate({tilt:.0f} {x:.0f} {y:.0f})"'
    front = f'<path d="M{x - wide:.0f} {y:.0f} a{wide:.0f} {high:.0f} 0 0 0 {wide * 2:.0f} 0" '
    return (
        scene
        + f'{belt}stroke="{palette.second}" stroke-width="9" {turned}/>'
        + _circle(x, y, radius, palette.first)
        + _circle(x + radius * 0.25, y + radius * 0.2, radius * 0.75, palette.ground, 0.25)
        + f'{front}fill="none" stroke="{palette.second}" stroke-width="9" {turned}/>'
        + _circle(x + random.choice([-1, 1]) * 150, y - 110, random.uniform(14, 26), palette.second)
    )


def _track(palette: Palette, random: Random) -> str:
    x, scene = random.choice([-60, 460]), ""
    for lane in range(9, 1, -1):
        colour = palette.first if lane % 2 else palette.ground
        scene += _circle(x, 430, lane * 52, colour) + _ring(x, 430, lane * 52, palette.ink, 3, 0.9)
    return scene + _circle(400 - abs(x - 60) / 4 if x < 0 else 100, 100, 40, palette.second)


def _journey(palette: Palette, random: Random) -> str:
    scene = _circle(random.uniform(90, 310), 150, 66, palette.first)
    scene += "".join(
        _box(random.uniform(-40, 300), 70 + 34 * number, random.uniform(70, 150), 6, palette.ink, 0.18)
        for number in range(5)
    )
    far, near = palette.second, palette.ink
    return scene + _ridge(300, 130, 4, far, random) + _ridge(380, 110, 3, near, random)


MOTIFS: Mapping[str, Callable[[Palette, Random], str]] = {
    "Action": _blast,
    "Animation": _bouncing,
    "Children": _balloons,
    "Classics": _deco,
    "Comedy": _confetti,
    "Documentary": _contours,
    "Drama": _eclipse,
    "Family": _houses,
    "Foreign": _arches,
    "Games": _tiles,
    "Horror": _woods,
    "Music": _equaliser,
    "New": _sparks,
    "Sci-Fi": _planets,
    "Sports": _track,
    "Travel": _journey,
}
