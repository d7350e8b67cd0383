"""The report and the model card of a run, rendered from templates."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workloads.training.runtime.results import Results

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_report(
    results: Results,
    history: Sequence[Mapping[str, float]],
    metrics: Mapping[str, Any],
    figures: Mapping[str, bytes],
) -> str:
    """One HTML page with everything in it, images included; it opens without a network.

    Args:
        results: What `fit` returned.
        history: One row an epoch.
        metrics: The content of metrics.json.
        figures: PNG by name.
    """
    images = {name: base64.b64encode(content).decode() for name, content in figures.items()}
    return _TEMPLATES.get_template("report.html").render(
        results=results, card=results.card, history=history, metrics=metrics, images=images
    )


def render_model_card(results: Results, metrics: Mapping[str, Any]) -> str:
    """The model card, in Markdown."""
    return _TEMPLATES.get_template("MODEL_CARD.md").render(results=results, card=results.card, metrics=metrics)
