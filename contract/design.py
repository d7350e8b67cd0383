"""The look that pages, reports and figures share: colours for light and dark, and the type.

Colours of text have a contrast of at least 4.5 to 1 with the backgrounds, lines of charts at least 3 to 1 (WCAG 2.2).
The series of charts can be told apart by people who are colour-blind (after Okabe and Ito, Color Universal Design,
2008, https://jfly.uni-koeln.de/color/), and each has a dash pattern of its own besides.
"""

from __future__ import annotations

from collections.abc import Mapping

LIGHT = {
    "ground": "#f6f5f1",
    "paper": "#ffffff",
    "ink": "#1d2430",
    "quiet": "#566072",
    "line": "#dcdad2",
    "accent": "#0b5c8a",
    "good": "#1b6e37",
    "bad": "#b3261e",
    "warn": "#8a5300",
    "busy": "#0b5c8a",
    "good-ground": "#e7f3ea",
    "bad-ground": "#fbe9e7",
    "warn-ground": "#fbf0dc",
    "busy-ground": "#e4f0f7",
    "compute": "#c65f14",
    "data": "#2f63ad",
    "storage": "#2f7d4c",
    "messages": "#b23470",
    "watching": "#6a4fc0",
    "network": "#66707c",
}
DARK = {
    "ground": "#14181f",
    "paper": "#1c222c",
    "ink": "#e9ecf1",
    "quiet": "#a9b3c3",
    "line": "#353e4c",
    "accent": "#7cc4f0",
    "good": "#7fd69b",
    "bad": "#ff9d94",
    "warn": "#f2c46d",
    "busy": "#7cc4f0",
    "good-ground": "#1d3327",
    "bad-ground": "#40211f",
    "warn-ground": "#3a2f18",
    "busy-ground": "#1a3141",
    "compute": "#f09a5a",
    "data": "#82aef0",
    "storage": "#7fd09c",
    "messages": "#ef8db9",
    "watching": "#b7a4f5",
    "network": "#a7b0bc",
}
#: The colours of a chart's series, in order, on the light and on the dark background.
SERIES_LIGHT = ("#0072b2", "#c34d00", "#00795b", "#a0457f", "#7a5c00", "#4b5563")
SERIES_DARK = ("#56b4e9", "#ff9a5c", "#3ecfa3", "#e79fcb", "#e5c84f", "#c3cad6")
#: The marker of each series, as matplotlib names it, so that nobody needs the colours.
MARKERS = ("o", "s", "^", "D", "v", "P")
#: What is right and what is wrong in a figure on white; the sign beside the colour says it, too.
RIGHT, WRONG = SERIES_LIGHT[0], SERIES_LIGHT[1]
RIGHT_SIGN, WRONG_SIGN = "✓", "✗"
#: The smallest text of a figure where it is shown, in pixels.
LEAST_TEXT = 11
#: The key in a PNG file of the width at which its smallest text has that size.
LEAST_WIDTH = "LeastWidth"
SANS = 'system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'
MONOSPACE = 'ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", monospace'


def stylesheet() -> str:
    """Return the CSS that defines each colour as a custom property (``--ink``), for light and dark."""
    fonts = f"--sans: {SANS}; --monospace: {MONOSPACE};"
    light = f":root {{ color-scheme: light dark; {fonts} {_properties(LIGHT)} }}"
    return f"{light}\n@media (prefers-color-scheme: dark) {{ :root {{ {_properties(DARK)} }} }}\n"


def _properties(colours: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
