"""What a browser can tell of how well a page can be read, as scripts for it."""

#: For each text that is seen: its contrast with what is behind it, by WCAG 2.2's formula, and what it needs.
from __future__ import annotations

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
