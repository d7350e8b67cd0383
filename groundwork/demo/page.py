"""The demonstration's page: what was deployed, what ran, what came out, which promises held. One file, no scripts."""

from __future__ import annotations

import base64
import io
import json
import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from PIL import Image

from contract import design
from groundwork.demo.checklist import Checklist, Step
from localcloud.console import diagram

TEMPLATES = Path(__file__).parent / "templates"
MEDIA = {".png": "image/png", ".svg": "image/svg+xml"}
#: So many moments of a film are shown, one at a time; nothing moves by itself.
MOMENTS = 9


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
        connections: Which of its main resources refers to which, by their names.
    """

    stack: str
    description: str
    picture: str
    resources: list[tuple[str, int]]
    outputs: list[tuple[str, str, str]]
    steps: list[Step]
    connections: list[tuple[str, str]]

    @property
    def resource_count(self) -> int:
        """Return how many resources it has."""
        return sum(count for _, count in self.resources)

    @property
    def documents(self) -> list[tuple[str, Path]]:
        """Return names and paths of the pages that came out of its steps."""
        return [document for step in self.steps for document in step.documents]

    @property
    def promises(self) -> int:
        """Return how many promises were kept."""
        return sum(len(step.promises) for step in self.steps)


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
        connections=sorted((start.name, end.name) for start, end in diagram.arrows(template)),
    )


def write(path: Path, report: Checklist, sections: list[Section], console: str = "") -> None:
    """Write the page to a file, with its pictures inside.

    Args:
        path: The file.
        report: What was recorded.
        sections: One for each stack.
        console: The address of the console of the cloud, if it keeps running.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"embedded": embedded, "moments": moments}
    environment.filters["relative"] = lambda target: quote(os.path.relpath(target, path.parent))
    text = environment.get_template("page.html").render(
        sections=sections,
        others=[step for step in report.steps if step.stack not in {section.stack for section in sections}],
        promises=report.promises_kept,
        seconds=sum(step.seconds for step in report.steps),
        console=console,
        moments=MOMENTS,
        style=design.stylesheet() + diagram.STYLE,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def embedded(path: Path) -> str:
    """Return a picture as a data URL."""
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def moments(path: Path) -> list[str]:
    """Return some moments of a film, from its first to its last, as data URLs."""
    with Image.open(path) as film:
        count = getattr(film, "n_frames", 1)
        chosen = sorted({round(index * (count - 1) / (MOMENTS - 1)) for index in range(MOMENTS)})
        pictures = []
        for frame in chosen:
            film.seek(frame)
            buffer = io.BytesIO()
            film.convert("L").quantize(16).save(buffer, "PNG", optimize=True)
            pictures.append(f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}")
    return pictures


def template_of(folder: Path, stack: str) -> dict[str, Any]:
    """Return the template of a stack in the output folder of the CDK."""
    content: dict[str, Any] = json.loads((folder / f"{stack}.template.json").read_text(encoding="utf-8"))
    return content
