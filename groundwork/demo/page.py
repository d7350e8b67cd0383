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
class Part:
    """What the page tells of one stack.

    Attributes:
        stack: Its name.
        description: What it is, as its template says.
        picture: Its main resources, as SVG.
        resources: How many resources of each type, the most frequent first.
        outputs: Name, value and description.
        steps: What ran.
    """

    stack: str
    description: str
    picture: str
    resources: list[tuple[str, int]]
    outputs: list[tuple[str, str, str]]
    steps: list[Step]

    @property
    def promises(self) -> int:
        """How many promises were kept."""
        return sum(len(step.promises) for step in self.steps)

    @property
    def pictured(self) -> list[Step]:
        """The steps of which pictures came out."""
        return [step for step in self.steps if step.pictures]


def part(stack: str, template: dict[str, Any], outputs: dict[str, str], steps: list[Step]) -> Part:
    """What the page tells of a stack.

    Args:
        stack: Its name.
        template: As it was synthesised.
        outputs: As it was deployed, by name.
        steps: Of the record; those of other stacks are left out.
    """
    kinds = Counter(body["Type"].removeprefix("AWS::") for body in template["Resources"].values())
    described = template.get("Outputs", {})
    return Part(
        stack=stack,
        description=template["Description"],
        picture=diagram.svg(template, f"The main resources of {stack}, and which refers to which."),
        resources=kinds.most_common(),
        outputs=[(name, value, described.get(name, {}).get("Description", "")) for name, value in outputs.items()],
        steps=[step for step in steps if step.part == stack],
    )


def write(path: Path, report: Checklist, parts: list[Part]) -> None:
    """Write the page to a file, with its pictures inside."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["embedded"] = embedded
    text = environment.get_template("page.html").render(
        parts=parts,
        others=[step for step in report.steps if step.part not in {part.stack for part in parts}],
        promises=report.kept,
        seconds=sum(step.seconds for step in report.steps),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def embedded(path: Path) -> str:
    """A picture as a data URL."""
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def template_of(folder: Path, stack: str) -> dict[str, Any]:
    """A stack's template in the CDK's output folder."""
    content: dict[str, Any] = json.loads((folder / f"{stack}.template.json").read_text(encoding="utf-8"))
    return content
