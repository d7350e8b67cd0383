"""The report of a training run in a real browser: light and dark, on a desk and on a phone, with forced colours."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from playwright.sync_api import Browser

from contract.design import LEAST_TEXT
from tests.e2e.accessibility import assert_readable
from workloads.training.runtime import figures
from workloads.training.runtime.report import render_report
from workloads.training.runtime.results import Figure, ModelCard, Results, Table
from workloads.training.runtime.run_folder import png

HISTORY = [{"epoch": epoch, "training_loss": 1 / epoch, "validation_loss": 1.2 / epoch} for epoch in range(1, 41)]


def drawn() -> list[Figure]:
    """A figure of each kind that models share."""
    digits = np.full((40, 28, 28), 90, np.uint8)
    return [
        figures.curves("losses", "Losses", HISTORY, {"loss": ["training_loss", "validation_loss"]}),
        figures.confusion_matrix(np.eye(20, dtype=np.int64) + 1, [str(number) for number in range(20)]),
        Figure("digits", "Digits", "Forty digits.", figures.image_grid(digits, ["✗ 4 → 9"] * 40, ["#c34d00"] * 40)),
    ]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("run") / "report.html"
    card = ModelCard("Digits", "What `it` is.", "Where from.", "For what.", "What not.")
    table = Table("By class", ["class", *(f"a long name of column {number}" for number in range(9))], [list(range(10))])
    images = {figure: png(figure, sample=True) for figure in drawn()}
    machine = {"gpu": None, "processor": "a processor", "precision": "float32"}
    metrics = {
        "workload": "digits", "seed": 1, "epochs": 40, "seconds": 3.0, "machine": machine, "started": "2026-01-01",
        "data": {"sample": True}, "settings": {"epochs": 40}, "versions": {"python": "3"},
    }  # fmt: skip
    results = Results(test={}, headline={"Accuracy": "99 %"}, data={}, card=card, tables=[table])
    path.write_text(render_report(results, images, HISTORY, metrics))
    return path.as_uri()


@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_the_report_can_be_read_by_everybody(
    browser: Browser,
    address: str,
    scheme: Literal["light", "dark"],
    width: int,
    forced: Literal["none", "active"],
) -> None:
    assert_readable(browser, address, scheme=scheme, width=width, forced=forced)


@pytest.mark.parametrize("width", [390, 1440])
def test_the_text_of_every_figure_is_at_least_eleven_pixels_tall(browser: Browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(address)
    shown = page.locator("figure img").evaluate_all("images => images.map(image => image.clientWidth)")
    figures_of_report = drawn()
    assert len(shown) == len(figures_of_report)
    for pixels, figure in zip(shown, figures_of_report, strict=True):
        texts = [artist for artist in figure.figure.findobj() if hasattr(artist, "get_fontsize")]
        for text in texts:
            assert text.get_fontsize() * pixels / (72 * figure.figure.get_figwidth()) >= LEAST_TEXT - 0.01
    page.close()
