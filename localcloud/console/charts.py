"""Charts of metrics as SVG, drawn by matplotlib: lines over time, with axes on both sides, thresholds and moments."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

import matplotlib as mpl
from matplotlib import dates
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from contract import design
from localcloud.console.metrics import Series

Theme = Literal["light", "dark"]
#: Points of a length in CSS pixels; matplotlib's SVG counts 72 to the inch.
TEXT = 12
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), "-.", (0, (8, 3)), (0, (3, 1, 1, 1, 1, 1)))
_FEW = 40
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "console",
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "Segoe UI", "Roboto", "DejaVu Sans"],
    "font.size": TEXT,
}
_drawing = threading.Lock()  # matplotlib's settings and fonts are shared by all threads


@dataclass(frozen=True)
class Threshold:
    """A horizontal line.

    Attributes:
        value: Its height.
        label: Its name.
        right: Whether it belongs to the axis on the right.
    """

    value: float
    label: str
    right: bool = False


@dataclass(frozen=True)
class Moment:
    """A vertical line.

    Attributes:
        time: When.
        label: Its name.
    """

    time: datetime
    label: str


@dataclass(frozen=True)
class Chart:
    """What a chart shows.

    Attributes:
        begin: The left end of the time axis, in UTC.
        end: The right end.
        series: The lines.
        thresholds: Horizontal lines.
        moments: Vertical lines.
        stacked: Whether the series are stacked as areas.
        left: The label of the left axis.
        right: The label of the right axis.
        limits: Least and greatest value of the left and of the right axis, where they are set.
    """

    begin: datetime
    end: datetime
    series: Sequence[Series]
    thresholds: Sequence[Threshold] = ()
    moments: Sequence[Moment] = ()
    stacked: bool = False
    left: str = ""
    right: str = ""
    limits: tuple[tuple[float | None, float | None], tuple[float | None, float | None]] = ((None, None), (None, None))


def svg(chart: Chart, width: int, height: int, theme: Theme = "light") -> bytes:
    """Draw a chart.

    Args:
        chart: What it shows.
        width: In CSS pixels.
        height: In CSS pixels.
        theme: The background that it stands on.

    Returns:
        An SVG document whose text is text.
    """
    colours = design.DARK if theme == "dark" else design.LIGHT
    palette = design.SERIES_DARK if theme == "dark" else design.SERIES_LIGHT
    content = io.BytesIO()
    with _drawing, mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained", facecolor="none")
        axes: Any = figure.add_subplot(facecolor="none")
        right = axes.twinx() if any(series.metric.right for series in chart.series) else None
        for side in filter(None, (axes, right)):
            _set_up(side, chart, colours, width)
        axes.set_ylabel(chart.left, color=colours["quiet"])
        axes.grid(axis="y", color=colours["line"], linewidth=0.8)
        if right is not None:
            right.set_ylabel(chart.right, color=colours["quiet"])
        lines = [
            _draw(right if series.metric.right and right is not None else axes, series, index, palette)
            for index, series in enumerate(chart.series)
            if series.values
        ]
        for threshold in chart.thresholds:
            side = right if threshold.right and right is not None else axes
            line = side.axhline(threshold.value, color=colours["bad"], linewidth=1.4, linestyle=(0, (6, 3)))
            line.set_label(threshold.label)
            lines.append(line)
        for moment in chart.moments:
            if chart.begin <= moment.time <= chart.end:
                line = axes.axvline(moment.time, color=colours["quiet"], linewidth=1.2, label=moment.label)
                lines.append(line)
        for side, (least, most) in zip((axes, right), chart.limits, strict=True):
            if side is not None:
                _limit(side, chart, least, most, right=side is right)
        if lines:
            columns = max(1, width // 230)
            figure.legend(
                handles=lines, loc="outside lower left", ncols=columns, frameon=False, labelcolor=colours["ink"]
            )
        else:
            axes.text(0.5, 0.5, "No data", transform=axes.transAxes, ha="center", va="center", color=colours["quiet"])
            axes.set_yticks([])
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue()


def _set_up(axes: Any, chart: Chart, colours: dict[str, str], width: int) -> None:
    make: Any = dates  # which has no types
    locator = make.AutoDateLocator(tz=UTC, minticks=3, maxticks=max(3, width // 100))
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(make.ConciseDateFormatter(locator, tz=UTC, show_offset=False))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, min_n_ticks=2))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.set_xlim(chart.begin, chart.end)
    axes.tick_params(colors=colours["quiet"], length=0)
    axes.tick_params(axis="x", pad=7)  # or the first label would touch the zero
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(colours["line"])


def _draw(axes: Any, series: Series, index: int, palette: Sequence[str]) -> Any:
    """Draw a series and return its line; where periods have no value, the line is interrupted."""
    points = list(_interrupted(series))
    colour = series.metric.colour or palette[index % len(palette)]
    [line] = axes.plot(
        [time for time, _ in points],
        [value for _, value in points],
        color=colour,
        linewidth=1.8,
        linestyle=_DASHES[index % len(_DASHES)],
        marker="o" if len(series.values) <= _FEW else "",
        markersize=4,
        label=series.metric.label,
    )
    return line


def _interrupted(series: Series) -> Iterator[tuple[datetime, float]]:
    points = list(zip(series.times, series.values, strict=True))
    longest = timedelta(seconds=max(series.metric.period, 60) * 3)
    for (time, value), (following, _) in pairwise(points):
        yield time, value
        if following - time > longest:
            yield time + (following - time) / 2, float("nan")
    yield from points[-1:]


def _limit(axes: Any, chart: Chart, least: float | None, most: float | None, *, right: bool) -> None:
    """Let an axis begin at zero where its values allow it, as CloudWatch's do, unless its ends are set."""
    values = [value for series in chart.series if series.metric.right == right for value in series.values]
    values += [threshold.value for threshold in chart.thresholds if threshold.right == right]
    bottom = least if least is not None else min([0, *values])
    highest = max([bottom, *values])
    axes.set_ylim(bottom, most if most is not None else highest + ((highest - bottom) * 0.08 or 1))


def short(value: float) -> str:
    """Return a number as an axis says it: ``0.25``, ``1,200``, ``3.4M``."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:,.4g}" if abs(value) < 1e3 else f"{value:,.0f}"  # noqa: PLR2004 - the thousand
