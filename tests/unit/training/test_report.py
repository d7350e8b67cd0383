"""The page of a run, in the words and figures that its workload gives."""

import pytest
from matplotlib.figure import Figure as MatplotlibFigure

from workloads.training.runtime.report import render_report
from workloads.training.runtime.results import Figure, ModelCard, Results

METRICS = {
    "workload": "none",
    "seed": 0,
    "epochs": 1,
    "seconds": 1.0,
    "attempts": 1,
    "started": "2026-01-01T00:00:00+00:00",
    "machine": {"gpu": None, "processor": "one", "precision": "float32"},
    "settings": {},
    "options": {},
    "versions": {},
    "data": {"uri": "nowhere", "sha256": "0"},
    "test": {},
}


def page(*figures: Figure, summary: str = "") -> str:
    card = ModelCard("Title", summary, "", "", "")
    results = Results(test={}, headline={"Figure": "1"}, data={}, card=card)
    return render_report(results, dict.fromkeys(figures, b""), [], METRICS)


def figure(name: str, width: float) -> Figure:
    return Figure(name, name, f"What {name} shows.", MatplotlibFigure(figsize=(width, 3)))


def test_names_in_backticks_are_code_and_nothing_else_is_html() -> None:
    shown = page(summary="Trained with `deep` & <b>care</b>, `<i>`.")
    assert "<p>Trained with <code>deep</code> &amp; &lt;b&gt;care&lt;/b&gt;, <code>&lt;i&gt;</code>.</p>" in shown


@pytest.mark.parametrize(("width", "tag"), [(7, "<figure>"), (9.6, '<figure class="wide">')])
def test_a_figure_has_the_width_that_its_letters_need(width: float, tag: str) -> None:
    assert f"{tag}<figcaption>curves</figcaption>" in page(figure("curves", width))


def test_without_figures_there_is_no_place_for_them() -> None:
    assert "<h2>Figures</h2>" in page(figure("curves", 7))
    assert "<h2>Figures</h2>" not in page()
    assert "<figure" not in page()
