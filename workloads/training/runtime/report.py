"""The report and the model card of a run, rendered from templates."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup, escape

from contract import design

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloads.training.runtime.results import Figure, Results

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _with_code(text: str) -> Markup:
    """Return a model card's words, whose names in backticks are code, as HTML."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


_TEMPLATES.filters["with_code"] = _with_code


def render_report(
    results: Results,
    images: Mapping[Figure, bytes],
    history: Sequence[Mapping[str, float]],
    metrics: Mapping[str, Any],
) -> str:
    """Return one HTML page with everything in it, images included; it opens without a network.

    Args:
        results: What `fit` returned.
        images: The figures, in their order, each as PNG.
        history: One row an epoch.
        metrics: The content of metrics.json.
    """
    encoded = {figure: base64.b64encode(content).decode() for figure, content in images.items()}
    return _TEMPLATES.get_template("report.html").render(
        results=results,
        card=results.card,
        images=encoded,
        history=history,
        metrics=metrics,
        design=design.stylesheet(),
    )


def render_model_card(results: Results, metrics: Mapping[str, Any]) -> str:
    """Return the model card, in Markdown."""
    return _TEMPLATES.get_template("MODEL_CARD.md").render(results=results, card=results.card, metrics=metrics)
