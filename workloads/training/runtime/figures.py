"""Figures that more than one model draws. No pyplot: no display, no global state.

Nor seaborn, which takes as long to import as PyTorch: a job that trains on images needs it for nothing else.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
from cycler import cycler
from matplotlib import style
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.ticker import MaxNLocator

from contract.design import LIGHT, MARKERS, SERIES_LIGHT
from workloads.training.runtime.results import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_STYLE = "seaborn-v0_8-whitegrid"
#: Colours and markers of the curves, and text, as on every page.
_LOOK = {
    "axes.prop_cycle": cycler(color=SERIES_LIGHT) + cycler(marker=MARKERS),
    "text.color": LIGHT["ink"],
    "axes.labelcolor": LIGHT["ink"],
    "xtick.color": LIGHT["ink"],
    "ytick.color": LIGHT["ink"],
    "lines.markersize": 5,
    "font.size": 11,
}


def new_figure(width: float = 7, height: float = 4.2) -> tuple[MatplotlibFigure, Axes]:
    """Return an empty figure with one set of axes, in the style of the reports; sizes in inches."""
    figure, [axes] = new_panels(1, width, height)
    return figure, axes


def new_panels(
    count: int, width: float, height: float, *, same_scale: bool = False
) -> tuple[MatplotlibFigure, list[Axes]]:
    """An empty figure with several sets of axes side by side, which may share their vertical scale; sizes in inches."""
    with style.context([_STYLE, _LOOK]):
        figure = MatplotlibFigure(figsize=(width, height), layout="constrained")
        return figure, [*figure.subplots(1, count, squeeze=False, sharey=same_scale)[0]]


def curves(
    name: str, title: str, history: Sequence[Mapping[str, float]], panels: Mapping[str, Sequence[str]]
) -> Figure:
    """Columns of history over the epochs, a panel for each group.

    Args:
        name: File name without suffix.
        title: Title in the report.
        history: One row an epoch.
        panels: For each panel, by the label of its vertical axis, the columns drawn in it.
    """
    figure, axes = new_panels(len(panels), max(6.0, 4.8 * len(panels)), 3.8)
    epochs = [row["epoch"] for row in history]
    for axis, (label, columns) in zip(axes, panels.items(), strict=True):
        for column in columns:
            values = [row.get(column, float("nan")) for row in history]
            every = math.ceil(len(epochs) / _MOST_MARKED)
            axis.plot(epochs, values, markevery=every, label=column.replace("_", " "))
        axis.set(xlabel="epoch", ylabel=label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend()
    last = history[-1]
    shown = (column for column in itertools.chain.from_iterable(panels.values()) if column in last)
    ends = ", ".join(f"{column.replace('_', ' ')} {last[column]:.4f}" for column in shown)
    return Figure(name, title, f"Curves over {len(history)} epochs, ending at {ends}.", figure)


_MOST_MARKED = 30  # markers on a curve
_MOST_NUMBERED = 16  # classes whose counts can be read in a figure


def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> Figure:
    """Counts of rows by true class (down) and predicted class (across).

    Blue goes by the share that is right, orange by the number of errors, which would not be seen beside what is right.
    """
    figure, axes = new_figure(6.4, 5.6)
    right = np.eye(len(classes), dtype=bool)
    errors = np.where(right, 0, counts)
    axes.imshow(errors, cmap="Oranges", vmin=0, vmax=max(1, errors.max()))
    recall = counts / counts.sum(1, keepdims=True).clip(min=1)
    axes.imshow(np.ma.masked_where(~right, recall), cmap="Blues", vmin=0, vmax=2)  # half of the scale: text stays dark
    for (row, column), count in np.ndenumerate(counts):
        if len(classes) > _MOST_NUMBERED:
            break  # numbers would cover each other; the table beside the figure has them by class
        colour = "white" if errors[row, column] > errors.max() / 2 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour)
    places = range(len(classes))
    axes.set(xlabel="predicted", ylabel="true", xticks=places, xticklabels=classes, yticks=places, yticklabels=classes)
    if len(classes) > _MOST_NUMBERED:
        axes.tick_params(labelsize=7)
    axes.grid(visible=False)
    wrong = int(errors.sum())
    alt = f"Confusion matrix of {int(counts.sum())} rows in {len(classes)} classes; {wrong} are wrong"
    if wrong:
        row, column = divmod(int(errors.argmax()), len(classes))
        alt += f"; the commonest mistake takes {classes[row]} for {classes[column]} ({int(errors.max())} times)"
    return Figure("confusion_matrix", "Confusion matrix", alt + ".", figure)


def image_grid(
    images: NDArray[np.uint8], captions: Sequence[str], colours: Sequence[str], columns: int = 8
) -> MatplotlibFigure:
    """Small grey images in rows, a coloured caption above each, on one set of axes: many sets take seconds to draw.

    Args:
        images: uint8 [n, height, width], 0 is shown white.
        captions: One an image.
        colours: One a caption.
        columns: Images in a row.
    """
    count, height, width = images.shape
    rows = max(1, math.ceil(count / columns))
    cell_height, cell_width = height + height // 3, width + width // 4  # room for the caption, and between columns
    mosaic = np.zeros((rows * cell_height, columns * cell_width), np.uint8)
    figure = MatplotlibFigure(figsize=(columns, columns * mosaic.shape[0] / mosaic.shape[1]))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for index, (image, caption, colour) in enumerate(zip(images, captions, colours, strict=True)):
        row, column = divmod(index, columns)
        top, left = (row + 1) * cell_height - height, column * cell_width + width // 8
        mosaic[top : top + height, left : left + width] = image
        axes.text(left + width / 2, top - 1, caption, ha="center", va="bottom", color=colour, fontsize=8)
    axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=255)
    return figure
