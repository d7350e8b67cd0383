"""What a browser can tell of how well a page can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page

#: For each text that is seen: its contrast with what is behind it, by WCAG 2.2's formula, and what it needs.
CONTRAST = """() => {
  const number = colour => colour.match(/[\\d.]+/g).map(Number);
  const level = colour => { const [r, g, b] = number(colour).map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = element => { for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    const parts = number(colour);
    if (parts.length < 4 || parts[3] === 1) return colour; } return 'rgb(255, 255, 255)'; };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (!text || box.width < 2 || style.visibility === 'hidden') continue;
    const [one, other] = [level(style.color), level(behind(element))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
    found.push({text, ratio: (one + 0.05) / (other + 0.05), needed: large ? 3 : 4.5});
  }
  return found;
}"""

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


def axe_violations(page: Page) -> list[str]:
    """Return what axe finds serious or critical on a page: the rule, and the elements that break it."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(results => results.violations)")
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:160]}"
        for violation in found
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


def assert_readable(
    browser: Browser, address: str, *, scheme: Literal["light", "dark"], width: int, forced: Literal["none", "active"]
) -> None:
    """Assert that everybody can read a page, with all that is folded in it: no side scrolling, contrast, and axe.

    Args:
        browser: Chromium.
        address: The page's address.
        scheme: The colours that the reader prefers.
        width: The width of the window in pixels.
        forced: Whether the reader's system chooses the colours.
    """
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, forced_colors=forced)
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe_violations(page) == []
    if forced == "none":
        assert [text for text in page.evaluate(CONTRAST) if text["ratio"] < text["needed"]] == []
    page.close()
