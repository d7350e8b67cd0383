"""Every combination of two options gives a template that the strict local cloud accepts, from the CDK and the console.

Nothing is deployed: each template goes through what the local cloud checks before a deployment, with all values that
are known by then.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.config import Config, ConfigError
from infra.console.templates import FOLDER, TEMPLATES
from localcloud.cloudformation import limits, schemas, templates
from localcloud.services import rules

Json = dict[str, Any]
Options = Mapping[str, list[Any]]

#: What stands for settings that have neither a list of values nor limits.
EXAMPLES = {
    "email": "me@example.com",
    "host_name": "shop.example.com",
    "code": "s3://bucket/code.zip",
    "source_cidr": "203.0.113.0/24",
}
#: What a person chooses for a parameter that has no default, by its type.
NETWORK = {"AWS::EC2::VPC::Id": "vpc-0a1b2c3d", "List<AWS::EC2::Subnet::Id>": ["subnet-0a1b2c3d", "subnet-1a2b3c4d"]}
#: Enumerations and ranges with more values than this give their ends and the default.
FEW = 6
CDK_ONLY = {"AWS::CDK::Metadata"}


def options(section: str) -> dict[str, list[Any]]:
    """The values of each setting of a stack that the documentation offers, the default first."""
    values: dict[str, list[Any]] = {}
    for name, schema in type(getattr(Config(), section)).model_json_schema()["properties"].items():
        default = schema["default"]
        if schema.get("type") == "boolean":
            offered = [False, True]
        elif "enum" in schema:
            offered = schema["enum"] if len(schema["enum"]) <= FEW else [schema["enum"][0], schema["enum"][-1]]
        elif schema.get("type") == "integer":
            offered = [schema[limit] for limit in ("minimum", "maximum") if limit in schema]
        else:
            offered = [example for ending, example in EXAMPLES.items() if name.endswith(ending)]
        values[name] = [default, *(value for value in offered if value != default)]
    return values


def pairwise(values: Options) -> list[Json]:
    """Rows in which each pair of values of two options stands together at least once."""
    names = sorted(values, key=lambda name: -len(values[name]))
    missing = {
        ((one, first), (two, second))
        for one, two in itertools.combinations(range(len(names)), 2)
        for first in range(len(values[names[one]]))
        for second in range(len(values[names[two]]))
    }
    rows = []
    while missing:
        row = dict(min(missing))
        for place, name in enumerate(names):
            if place not in row:
                row[place] = max(
                    range(len(values[name])),
                    key=lambda value, place=place: sum(
                        tuple(sorted([(place, value), other])) in missing for other in row.items()
                    ),
                )
        missing -= {*itertools.combinations(sorted(row.items()), 2)}
        rows.append({names[place]: values[names[place]][value] for place, value in row.items()})
    return rows


def allowed(section: str, row: Json) -> bool:
    """Whether the settings themselves take a combination."""
    try:
        Config.from_context({f"{section}.{name}": value for name, value in row.items()})
    except ConfigError:
        return False
    return True


def refusals(template: Json, wanted: Callable[[Json], bool] = lambda _: True) -> list[str]:
    """What the local cloud refuses of a template."""
    problems = []
    limits.check(template)
    for name, body in template["Resources"].items():
        if body["Type"] in CDK_ONLY or not wanted(body):
            continue
        try:
            schemas.check(body["Type"], body.get("Properties", {}))
            rules.check(body["Type"], body.get("Properties", {}))
        except schemas.PropertyError as error:
            problems.append(f"{name} ({body['Type']}): {error}")
    return problems


class Chosen:
    """A console template with chosen parameters: its conditions, and its properties as far as they decide them."""

    def __init__(self, template: Json, parameters: Json) -> None:
        self.template = template
        declared = template.get("Parameters", {})
        self.values: Json = {name: body.get("Default", "") for name, body in declared.items()} | {
            "AWS::Region": "us-east-1",
            "AWS::Partition": "aws",
        }
        self.values |= {name: value for name, value in parameters.items() if name in declared}
        for name, body in declared.items():
            if "Default" not in body and not self.values[name]:  # a person must choose one
                self.values[name] = NETWORK.get(body["Type"], "")

    def holds(self, condition: Any) -> bool:
        """Whether a condition holds, by its name or as an expression."""
        if isinstance(condition, str):
            return self.holds(self.template["Conditions"][condition])
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self.holds(argument)
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(map(self.holds, argument))
            case "Fn::Or":
                return any(map(self.holds, argument))
        first, second = (self.resolved(side) for side in argument)
        return text(first) == text(second)

    def resolved(self, node: Any) -> Any:
        """A part of the template with parameters and conditions replaced by what they give."""
        if isinstance(node, list):
            return [self.resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        if node.keys() == {"Ref"} and node["Ref"] in self.values:
            kind = self.template["Parameters"].get(node["Ref"], {}).get("Type", "")
            value = self.values[node["Ref"]]
            if kind.startswith("AWS::SSM::"):
                return node
            return text(value).split(",") if "List" in kind else text(value)
        if node.keys() == {"Fn::If"}:
            condition, yes, no = node["Fn::If"]
            return self.resolved(yes if self.holds(condition) else no)
        return {name: self.resolved(item) for name, item in node.items()}


def text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def section_of(file: str) -> str:
    return Path(file).stem.replace("-", "_")


def test_a_row_for_each_pair() -> None:
    values = {"a": [1, 2], "b": [1, 2, 3], "c": [1, 2], "d": [1]}
    rows = pairwise(values)
    for one, two in itertools.combinations(values, 2):
        assert {(row[one], row[two]) for row in rows} == {*itertools.product(values[one], values[two])}
    assert len(rows) < 2 * 3 * 2


@pytest.mark.parametrize("file", TEMPLATES)
def test_the_consoles_templates_pass_with_every_pair_of_options(file: str) -> None:
    section = section_of(file)
    template = templates.parse((FOLDER / file).read_text())
    rows = [row for row in pairwise(options(section)) if allowed(section, row)]
    assert rows
    for row in rows:
        given = {"".join(word.title() for word in name.split("_")): value for name, value in row.items()}
        chosen = Chosen(template, given)
        resources = {
            name: body | {"Properties": chosen.resolved(body.get("Properties", {}))}
            for name, body in template["Resources"].items()
        }
        problems = refusals(
            template | {"Resources": resources},
            lambda body, chosen=chosen: "Condition" not in body or chosen.holds(body["Condition"]),
        )
        assert problems == [], row


@pytest.mark.parametrize("file", TEMPLATES)
def test_the_cdks_templates_pass_with_every_pair_of_options(file: str, synthesise: Callable[..., Json]) -> None:
    section = section_of(file)
    rows = [row for row in pairwise(options(section)) if allowed(section, row)]
    assert rows
    for row in rows:
        context = {f"{section}.{name}": value for name, value in row.items()}
        template = synthesise(file, context)
        template.pop("Transform", None)  # a macro, which the local cloud does not have; it adds a function for rotation
        assert refusals(templates.parse(json.dumps(template))) == [], row
