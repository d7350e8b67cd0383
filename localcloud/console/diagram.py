"""A stack as a picture: its main resources and what refers to what, drawn from its template."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

Json = Mapping[str, Any]

#: What is drawn: type, its name for people, and the family that colours it.
SHOWN = {
    "AWS::AutoScaling::AutoScalingGroup": ("Auto Scaling group", "compute"),
    "AWS::Batch::ComputeEnvironment": ("Batch capacity", "compute"),
    "AWS::Batch::JobDefinition": ("Batch job", "compute"),
    "AWS::Batch::JobQueue": ("Batch queue", "compute"),
    "AWS::EC2::Instance": ("EC2 instance", "compute"),
    "AWS::EC2::LaunchTemplate": ("launch template", "compute"),
    "AWS::Lambda::Function": ("Lambda function", "compute"),
    "AWS::EC2::EIP": ("Elastic IP", "network"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("load balancer", "network"),
    "AWS::DynamoDB::Table": ("DynamoDB table", "data"),
    "AWS::Neptune::DBCluster": ("Neptune graph", "data"),
    "AWS::OpenSearchService::Domain": ("OpenSearch", "data"),
    "AWS::RDS::DBInstance": ("RDS database", "data"),
    "AWS::Timestream::Database": ("Timestream database", "data"),
    "AWS::Timestream::InfluxDBInstance": ("InfluxDB", "data"),
    "AWS::Timestream::Table": ("Timestream table", "data"),
    "AWS::S3::Bucket": ("S3 bucket", "storage"),
    "AWS::SecretsManager::Secret": ("secret", "storage"),
    "AWS::Events::Rule": ("EventBridge rule", "messages"),
    "AWS::SNS::Topic": ("SNS topic", "messages"),
    "AWS::SQS::Queue": ("SQS queue", "messages"),
    "AWS::CloudWatch::Alarm": ("alarm", "watching"),
    "AWS::CloudWatch::Dashboard": ("dashboard", "watching"),
    "AWS::Logs::MetricFilter": ("metric filter", "watching"),
}
PLACEHOLDER = re.compile(r"\$\{(\w+)")
#: As many resources of a type are drawn one by one; more become one box.
MOST = 3
WIDTH, HEIGHT, GAP_ACROSS, GAP_DOWN = 190, 48, 62, 16
LONGEST_NAME = 21  # characters that fit
#: The CSS of a diagram, in the colours of `contract.design`.
STYLE = """
svg.diagram { display: block; height: auto; max-width: 100%; min-width: 620px; }
.box rect { fill: var(--paper); stroke: var(--line); }
.box .band { stroke: none; }
a:hover .box rect:first-child { stroke: var(--accent); }
.box .name { font: 600 13px var(--sans); fill: var(--ink); }
a .box .name { fill: var(--accent); text-decoration: underline; }
.box .kind { font: 12px var(--sans); fill: var(--quiet); }
.arrow { fill: none; stroke: var(--quiet); stroke-width: 1.2; opacity: 0.55; }
.tip { fill: var(--quiet); opacity: 0.8; }
""" + "".join(f".{family} .band {{ fill: var(--{family}); }}\n" for family in sorted({of for _, of in SHOWN.values()}))


@dataclass(frozen=True)
class Box:
    """A box of the picture, which stands for one resource or for several of a type."""

    name: str
    kind: str
    family: str


def boxes(template: Json) -> dict[str, Box]:
    """Return the box of each resource that is drawn, by logical id."""
    resources = {name: body["Type"] for name, body in template["Resources"].items() if body["Type"] in SHOWN}
    counts = Counter(resources.values())
    boxes_by_name = {}
    for name, type_ in resources.items():
        word, family = SHOWN[type_]
        many = counts[type_] > MOST
        plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
        boxes_by_name[name] = Box(f"{counts[type_]} {plural}", "", family) if many else Box(name, word, family)
    return boxes_by_name


def arrows(template: Json) -> set[tuple[Box, Box]]:
    """Return which box refers to which, directly or through roles, policies and other resources without a box."""
    drawn = boxes(template)
    refers: dict[str, set[str]] = {
        name: _references(body, template["Resources"]) - {name} for name, body in template["Resources"].items()
    }
    for name, body in template["Resources"].items():
        if body["Type"] in (
            "AWS::IAM::Policy",
            "AWS::SQS::QueuePolicy",
            "AWS::SNS::TopicPolicy",
            "AWS::S3::BucketPolicy",
        ):
            for owner in refers[name]:  # what a policy lets a role reach, the role reaches
                if template["Resources"][owner]["Type"] == "AWS::IAM::Role":
                    refers[owner] = refers[owner] | refers[name] - {owner}
    edges = set()
    for name, box in drawn.items():
        seen, waiting = {name}, list(refers[name])
        while waiting:
            resource = waiting.pop()
            if resource in seen:
                continue
            seen.add(resource)
            if resource not in drawn:
                waiting.extend(refers[resource])
            elif drawn[resource] != box:
                edges.add((box, drawn[resource]))
    return {(start, end) for start, end in edges if (end, start) not in edges or start.name < end.name}


def _references(node: Any, resources: Json) -> set[str]:
    if isinstance(node, dict):
        names = {node["Ref"]} if isinstance(node.get("Ref"), str) else set()
        match node:
            case {"Fn::GetAtt": [str() as name, *_]}:
                names.add(name)
            case {"Fn::GetAtt": str() as attribute}:
                names.add(attribute.partition(".")[0])
            case {"Fn::Sub": str() as text} | {"Fn::Sub": [str() as text, *_]}:
                names |= set(PLACEHOLDER.findall(text))
        names |= {name for key, value in node.items() if key != "DependsOn" for name in _references(value, resources)}
        return names & resources.keys()
    if isinstance(node, list):
        return {name for item in node for name in _references(item, resources)}
    return set()


def layers(nodes: Iterable[Box], edges: set[tuple[Box, Box]]) -> list[list[Box]]:
    """Boxes from left to right so that arrows point right where they can, with few crossings.

    Layers by longest path, then each layer ordered by the mean place of its neighbours (Sugiyama et al. 1981).
    """
    ends: dict[Box, set[Box]] = defaultdict(set)
    for start, end in edges:
        ends[start].add(end)
    depth: dict[Box, int] = {}

    def place(box: Box, path: frozenset[Box]) -> int:
        if box not in depth:
            below = [place(end, path | {box}) for end in ends[box] if end not in path]
            depth[box] = 1 + max(below, default=-1)
        return depth[box]

    ordered = sorted(set(nodes), key=lambda box: (box.family, box.name))
    for box in ordered:
        place(box, frozenset())
    touched = {box for edge in edges for box in edge}
    deepest = max(depth.values(), default=0)
    columns: list[list[Box]] = [[] for _ in range(deepest + 1)]
    for box in ordered:
        columns[deepest - depth[box] if box in touched else deepest].append(box)
    for _ in range(4):
        rows = {box: row for layer in columns for row, box in enumerate(layer)}
        for layer in columns:
            near = {
                box: [rows[neighbour] for edge in edges if box in edge for neighbour in edge if neighbour != box]
                for box in layer
            }
            layer.sort(key=lambda box: (sum(near[box]) / len(near[box]) if near[box] else len(layer), box.name))
    return [layer for layer in columns if layer]


def svg(template: Json, title: str, links: Mapping[str, str] | None = None) -> str:
    """Return the diagram as SVG: boxes with the classes `box` and their family, arrows with the class `arrow`.

    Args:
        template: The stack's template, with functions in their long form.
        title: What the diagram shows, for people who cannot see it.
        links: Addresses of the pages about boxes, by the boxes' names.

    Returns:
        An element of HTML; nothing if no resource is drawn.
    """
    links = links or {}
    edges = arrows(template)
    columns = layers(boxes(template).values(), edges)
    if not columns:
        return ""
    tallest = max(len(column) for column in columns)
    positions = {
        box: (
            8 + column * (WIDTH + GAP_ACROSS),
            8 + (row + (tallest - len(boxes_)) / 2) * (HEIGHT + GAP_DOWN),
        )
        for column, boxes_ in enumerate(columns)
        for row, box in enumerate(boxes_)
    }
    width = 16 + len(columns) * (WIDTH + GAP_ACROSS) - GAP_ACROSS
    height = 16 + tallest * (HEIGHT + GAP_DOWN) - GAP_DOWN
    role = "group" if links else "img"  # an image has no links in it
    opening = (
        f'<svg class="diagram" viewBox="0 0 {width} {height:.0f}" width="{width}" height="{height:.0f}" role="{role}"'
    )
    elements = [f'{opening} aria-label="{escape(title)}">']
    elements += [
        _arrow(positions[start], positions[end]) for start, end in sorted(edges, key=lambda edge: edge[0].name)
    ]
    elements += [_box(box, x, y, links.get(box.name, "")) for box, (x, y) in positions.items()]
    return "".join([*elements, "</svg>"])


def _box(box: Box, x: float, y: float, link: str) -> str:
    name = box.name if len(box.name) <= LONGEST_NAME else f"{box.name[: LONGEST_NAME - 1]}…"
    middle = y + HEIGHT / 2
    texts = f'<text class="name" x="{x + 14}" y="{middle + (-4 if box.kind else 5):.0f}">{escape(name)}</text>'
    if box.kind:
        texts += f'<text class="kind" x="{x + 14}" y="{middle + 13:.0f}">{escape(box.kind)}</text>'
    drawn = (
        f'<g class="box {box.family}"><rect x="{x}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
        f'<rect class="band" x="{x}" y="{y:.0f}" width="5" height="{HEIGHT}" rx="2.5"/>{texts}</g>'
    )
    return f'<a href="{escape(link)}">{drawn}</a>' if link else drawn


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, y), (to_x, to_y) = start, end
    y, to_y = y + HEIGHT / 2, to_y + HEIGHT / 2
    if to_x > x:
        x, bend = x + WIDTH, (to_x - x - WIDTH) / 2
        path = f"M{x:.0f} {y:.0f}C{x + bend:.0f} {y:.0f} {to_x - bend:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
        head, side = to_x, -1
    else:  # within a column, or back: around its right side
        x, head, side = x + WIDTH, to_x + WIDTH, 1
        path = f"M{x:.0f} {y:.0f}C{x + 40:.0f} {y:.0f} {head + 40:.0f} {to_y:.0f} {head:.0f} {to_y:.0f}"
    tip = f"M{head:.0f} {to_y:.0f}l{side * 7} -4v8z"
    return f'<path class="arrow" d="{path}"/><path class="tip" d="{tip}"/>'
