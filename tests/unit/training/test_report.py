"""The page of a run, in the words and figures that its workload gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from PIL import Image

from workloads.training.runtime.report import render_model_card, render_report
from workloads.training.runtime.results import Figure, ModelCard, Results
from workloads.training.runtime.run_folder import write_run_folder

if TYPE_CHECKING:
    from collections.abc import Callable

METRICS: dict[str, Any] = {
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


def results(summary: str = "") -> Results:
    card = ModelCard("Title", summary, "", "", "")
    return Results(test={}, headline={"Figure": "1"}, data={}, card=card)


def page(*figures: Figure, summary: str = "") -> str:
    return render_report(results(summary), dict.fromkeys(figures, b""), [], METRICS)


def figure(name: str, width: float) -> Figure:
    drawn = MatplotlibFigure(figsize=(width, 3))
    drawn.text(0, 0, "letters", fontsize=10)
    return Figure(name, name, f"What {name} shows.", drawn)


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


def test_a_report_and_a_model_card_of_sample_data_say_so_and_no_others_do() -> None:
    sample = {**METRICS, "data": {"uri": "nowhere", "sha256": "0", "sample": True}}
    renders: list[Callable[[dict[str, Any]], str]] = [
        lambda metrics: render_report(results(), {figure("curves", 7): b""}, [], metrics),
        lambda metrics: render_model_card(results(), {**metrics, "machine": {**metrics["machine"], "device": "cpu"}}),
    ]
    for render in renders:
        assert "Sample data." in render(sample)
        assert "ample data" not in render(METRICS)


def test_a_figure_of_sample_data_says_so_in_the_picture_itself(tmp_path: Path) -> None:
    machine = {**METRICS["machine"], "device": "cpu"}
    pictures = []
    for sample in (False, True):
        folder = tmp_path / str(sample)
        folder.mkdir()
        drawn = Results({}, {"Figure": "1"}, {}, results().card, figures=lambda: [figure("curves", 7)])
        facts = {**METRICS, "machine": machine, "data": {"sha256": "0", "sample": sample}}
        write_run_folder(folder, drawn, [{"epoch": 1.0}], facts)
        pictures.append(Image.open(folder / "figures" / "curves.png"))
    assert pictures[0].info["Description"] == "What curves shows."
    assert pictures[1].info["Description"] == "Sample data. What curves shows."
    assert pictures[0].tobytes() != pictures[1].tobytes()


def test_the_title_says_what_the_figure_in_it_is_of() -> None:
    assert "<title>Title: Figure 1</title>" in page()
