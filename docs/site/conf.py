"""Build the documentation as a site that can be searched: Sphinx reads the same pages that GitHub shows.

`make docs` runs it. The sections of docs/README.md become the menu; a page that no section links to is an error.
"""

from __future__ import annotations

import html
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

# The pages on the API import the project, with the packages that `make setup` has installed.
sys.path += [str(ROOT), *map(str, ROOT.glob(".venv/lib/python*/site-packages"))]

project = "Groundwork"
version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
root_doc = "docs/README"
exclude_patterns = [".*", "benchmarks", "build", "cdk.out", "demo", "lambda", "node_modules", "runs", "tests"]
include_patterns = ["*.md", "cloudformation/README.md", "docs/*.md", "docs/**/*.md"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
suppress_warnings = ["misc.highlighting_failure"]

autoclass_content = "both"
autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"Groundwork {version}"
html_additional_pages = {"index": "index.html"}
templates_path = ["."]
html_static_path = [str(ROOT / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"), "accessible.js"]
html_js_files = ["mermaid.min.js", "accessible.js"]
html_copy_source = False
html_theme_options = {"light_css_variables": {"color-brand-content": "#0b57d0"}}


class Mermaid(Directive):
    """A diagram, which Mermaid draws in the reader's browser."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the diagram's text where Mermaid looks for it."""
        diagram = html.escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">\n{diagram}\n</pre>', format="html")]


def menu(page: str) -> str:
    """Return a table of contents, with one part for each section of a page and the pages that it links to."""
    sections = re.split(r"^#+ ", page, flags=re.MULTILINE)[1:]
    return "\n".join(contents(section, r"[^)#]+", caption=section.partition("\n")[0]) for section in sections)


def contents(text: str, links: str, caption: str = "") -> str:
    """Return a hidden table of contents of the pages that a text links to, as far as they match a pattern."""
    pages = dict.fromkeys(re.findall(rf"\]\(({links})\.md", text))
    options = [":hidden:", f":caption: {caption}"] if caption else [":hidden:"]
    return "\n".join(["```{toctree}", *options, "", *pages, "```", ""]) if pages else ""


def _add_menu(app: Sphinx, page: str, source: list[str]) -> None:
    """Add the menu to the first page; to others, the pages in the folder of the same name."""
    if page == app.config.root_doc:
        source[0] += f"\n{menu(source[0])}"
    else:
        source[0] += f"\n{contents(source[0], rf'{Path(page).name}/[^)#]+')}"


def _mark_examples(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Say to Sphinx that what is indented after an empty line is an example, as our docstrings write it."""
    for index in range(len(lines) - 1, 0, -1):
        if lines[index].startswith("    ") and not lines[index - 1]:
            lines[index:index] = ["::", ""]


def setup(app: Sphinx) -> None:
    """Add what Sphinx lacks."""
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", _add_menu)
    app.connect("autodoc-process-docstring", _mark_examples, priority=100)  # before napoleon
