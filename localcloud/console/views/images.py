"""What the views that draw charts have in common: sizes, times, and the response."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from flask import Response, abort

from localcloud.console import charts

#: The spans of time that a reader chooses from, as CloudWatch offers them.
SPANS = {
    "1h": ("hour", timedelta(hours=1)),
    "3h": ("3 hours", timedelta(hours=3)),
    "12h": ("12 hours", timedelta(hours=12)),
    "1d": ("day", timedelta(days=1)),
    "1w": ("week", timedelta(weeks=1)),
}
DEFAULT_SPAN = "1h"
SMALLEST, LARGEST = 120, 2400


def span(arguments: Mapping[str, str]) -> str:
    """Return the key in `SPANS` that a request names."""
    return arguments.get("span", "") if arguments.get("span", "") in SPANS else DEFAULT_SPAN


def end(arguments: Mapping[str, str]) -> datetime:
    """Return the right end of a chart's time axis: ``until`` in seconds since 1970, or now."""
    until = arguments.get("until", "")
    if until.isascii() and until.isdecimal() and len(until) <= 10:  # noqa: PLR2004 - until the year 2286
        return datetime.fromtimestamp(int(until), UTC)
    return datetime.now(UTC)


def drawn(chart: charts.Chart | None, arguments: Mapping[str, str]) -> Response:
    """Return a chart as an SVG response.

    Args:
        chart: What it shows.
        arguments: ``width`` and ``height`` in pixels, and the ``theme``.

    Raises:
        NotFound: There is no chart.
    """
    if chart is None:
        abort(404, "There is nothing to draw.")
    content = charts.svg(
        chart,
        _pixels(arguments, "width", 720),
        _pixels(arguments, "height", 260),
        "dark" if arguments.get("theme") == "dark" else "light",
    )
    return Response(content, content_type="image/svg+xml")


def _pixels(arguments: Mapping[str, str], name: str, default: int) -> int:
    text = arguments.get(name, "")
    return min(max(int(text), SMALLEST), LARGEST) if text.isascii() and text.isdecimal() else default
