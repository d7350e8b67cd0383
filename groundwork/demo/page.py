"""The demonstration's page: what was deployed, what ran, what came out, which promises held. One file, no scripts."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from groundwork.demo import diagram
from groundwork.demo.checklist import Checklist, Step

TEMPLATES = Path(__file__).parent / "templates"
MEDIA = {".png": "image/png", ".gif": "image/gif", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Section:
    """The section of the page about one stack.

    Attributes:
        stack: Name of the stack.
        description: The description in its template.
        picture: Its main resources, as SVG.
        resources: Number of resources of each type, the most frequent first.
        outputs: Name, value and description of its outputs.
        steps: The steps that ran on it.
    """

    stack: str
    description: str
    picture: str
    resources: list[tuple[str, int]]
    outputs: list[tuple[str, str, str]]
    steps: list[Step]

    @property
    def promises(self) -> int:
        """Return how many promises were kept."""
        return sum(len(step.promises) for step in self.steps)

    @property
    def pictured(self) -> list[Step]:
        """Return the steps that made pictures."""
        return [step for step in self.steps if step.pictures]


def section(stack: str, template: dict[str, Any], outputs: dict[str, str], steps: list[Step]) -> Section:
    """Return the section of the page about a stack.

    Args:
        stack: Name of the stack.
        template: Its synthesised template.
        outputs: Values of its outputs, by name.
        steps: Recorded steps; those of other stacks are left out.
    """
    kinds = Counter(body["Type"].removeprefix("AWS::") for body in template["Resources"].values())
    described = template.get("Outputs", {})
    return Section(
        stack=stack,
        description=template["Description"],
        picture=diagram.svg(template, f"The main resources of {stack}, and which refers to which."),
        resources=kinds.most_common(),
        outputs=[(name, value, described.get(name, {}).get("Description", "")) for name, value in outputs.items()],
        steps=[step for step in steps if step.stack == stack],
    )


def write(path: Path, report: Checklist, sections: list[Section]) -> None:
    """Write the page to a file, with its pictures inside."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["embedded"] = embedded
    text = environment.get_template("page.html").render(
        sections=sections,
        others=[step for step in report.steps if step.stack not in {section.stack for section in sections}],
        promises=report.kept,
        seconds=sum(step.seconds for step in report.steps),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def embedded(path: Path) -> str:
    """Return a picture as a data URL."""
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def template_of(folder: Path, stack: str) -> dict[str, Any]:
    """Return the template of a stack in the output folder of the CDK."""
    content: dict[str, Any] = json.loads((folder / f"{stack}.template.json").read_text(encoding="utf-8"))
    return content
