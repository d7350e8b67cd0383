"""The diagrams of the documentation are drawn by Mermaid, as GitHub draws them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
MERMAID = ROOT / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
DIAGRAMS = {
    f"{path.relative_to(ROOT)}:{text[: match.start()].count(chr(10)) + 1}": match[1]
    for path in PAGES
    for text in [path.read_text()]
    for match in re.finditer(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page with Mermaid on it."""
    opened = browser.new_page()
    opened.add_script_tag(content=MERMAID.read_text())
    opened.evaluate("mermaid.initialize({startOnLoad: false})")
    yield opened
    opened.close()


def draw(page: Page, diagram: str) -> str:
    """Return what Mermaid makes of a diagram: SVG, or its error."""
    script = "text => mermaid.render('diagram', text).then(result => result.svg, error => `error: ${error.message}`)"
    return str(page.evaluate(script, diagram))


def test_there_are_diagrams() -> None:
    assert len(DIAGRAMS) > 5


@pytest.mark.parametrize("place", DIAGRAMS)
def test_a_diagram_of_the_docs_is_drawn(page: Page, place: str) -> None:
    assert draw(page, DIAGRAMS[place]).startswith("<svg")


@pytest.mark.parametrize("line", ["graph[(Neptune)]", "a --> class[the stack]", "a --> b; --> c"])
def test_a_diagram_with_a_reserved_word_is_found(page: Page, line: str) -> None:
    assert draw(page, f"flowchart LR\n    {line}\n").startswith("error: ")
