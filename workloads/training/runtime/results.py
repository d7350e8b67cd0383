"""What `fit` returns: everything a run folder is written from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contract.design import LEAST_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from matplotlib.figure import Figure as MatplotlibFigure

_POINTS_IN_INCH = 72
_HALF_PAGE = 566  # pixels, in templates/report.html


@dataclass(frozen=True)
class Figure:
    """One figure of the report, written to `figures/<name>.png` with its title and words inside.

    Attributes:
        name: File name without suffix.
        title: What the reader sees above it.
        alt: What it shows, in words, with the figures that matter, for readers who cannot see it.
        figure: The figure itself (build it with `matplotlib.figure.Figure()`: no pyplot, no global state).
    """

    name: str
    title: str
    alt: str
    figure: MatplotlibFigure

    @property
    def wide(self) -> bool:
        """Whether its letters would be too small to read at half the page's width."""
        return self.least_width > _HALF_PAGE

    @property
    def least_width(self) -> int:
        """How wide it must be shown for its smallest letters to be read, in pixels of a page."""
        sizes = [getattr(artist, "get_fontsize", lambda: math.inf)() for artist in self.figure.findobj()]
        smallest = min(sizes)
        return math.ceil(self.figure.get_figwidth() * _POINTS_IN_INCH * LEAST_TEXT / smallest)


@dataclass(frozen=True)
class Table:
    """One table of the report and the model card; cells are shown with `str`."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class ModelCard:
    """What somebody must know before using the model. Markdown, a paragraph or list each.

    Attributes:
        title: Name of the model.
        summary: What it does and how, in a few sentences.
        data: What it was trained on: origin, size, licence, class balance.
        intended_use: What it is for, and what it is not for.
        limits: Known bias, known failures.
    """

    title: str
    summary: str
    data: str
    intended_use: str
    limits: str


@dataclass(frozen=True)
class Results:
    """What a training run ends with.

    Attributes:
        test: Final figures on the test set: numbers, or lists or mappings of numbers (`test` in metrics.json).
        headline: The few figures a reader looks for first, as shown: `{"Test accuracy": "99.7 %"}`.
        data: Facts on the data, such as the number of rows; its digest is the run's (`Run.use_data`).
        card: The model card.
        figures: Draws the figures, in the order of the report; not called in a run that shall have none.
        tables: Tables of the report and the model card, per-class results first.
        model: Weights by name, written to `model.safetensors`; None for models that are not tensors.
        model_settings: What rebuilds the network around the weights, written to `model.json`.
        files: Anything else, by path in the run folder.
    """

    test: Mapping[str, Any]
    headline: Mapping[str, str]
    data: Mapping[str, Any]
    card: ModelCard
    figures: Callable[[], Sequence[Figure]] = tuple
    tables: Sequence[Table] = ()
    model: Mapping[str, torch.Tensor] | None = None
    model_settings: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
