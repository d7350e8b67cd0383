"""Any three options together give a template for the console, and any two one of the CDK, that the local cloud accepts.

The CDK is slower, so that it takes a sample of the combinations of three, those with most new ones first. Nothing is
deployed: each template goes through what the local cloud checks before a deployment, with all values that are known by
then.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.config import Config
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
    "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    "source_cidr": "203.0.113.0/24",
}
_PUBLIC, _ISOLATED = "subnet-0a1b2c3d,subnet-1a2b3c4d", "subnet-2a1b2c3d,subnet-3a2b3c4d"
_VPC = {"vpc_id": "vpc-0a1b2c3d"}
_TIERS = _VPC | {"vpc_cidr": "10.1.0.0/16", "public_subnet_ids": _PUBLIC, "isolated_subnet_ids": _ISOLATED}
#: Settings of which some go together and others exclude each other: every choice that makes sense, as one option.
CHOICES: list[list[Json]] = [
    [{}, {"first_zone": "us-east-1b", "second_zone": "us-east-1c"}, _VPC | {"subnet_ids": _PUBLIC}],
    [{}, {"first_zone": "us-east-1b", "second_zone": "us-east-1c"}, _TIERS, _TIERS | {"vpc_endpoint": False}],
    [{}, {"ssh_key_name": "key", "ssh_cidr": "203.0.113.7/32"}],
    [
        {},
        {"database_storage_gib": 20, "database_maximum_storage_gib": 22},
        {"database_storage_gib": 16384, "database_maximum_storage_gib": 65536},
    ],
    [
        {},
        {"minimum_instances": 0, "desired_instances": 0, "maximum_instances": 1},
        {"minimum_instances": 100, "desired_instances": 100, "maximum_instances": 100},
    ],
    [
        {},
        {"period_seconds": 60, "evaluation_periods": 1440, "datapoints_to_alarm": 1440},
        {"period_seconds": 86400, "evaluation_periods": 7, "datapoints_to_alarm": 1},
    ],
    [
        {},
        {"search_instance_type": "t3.small.search", "search_storage_gib": 100},
        {"search_instance_type": "r6g.4xlarge.search", "search_storage_gib": 3584},
    ],
    [{}, {"raw_days": 1}, {"raw_days": 1, "rollup_days": 1}, {"raw_days": 36500, "rollup_days": 36500}],
]
#: What a person chooses for a parameter that has no default, by its type.
NETWORK = {"AWS::EC2::VPC::Id": "vpc-0a1b2c3d", "List<AWS::EC2::Subnet::Id>": ["subnet-0a1b2c3d", "subnet-1a2b3c4d"]}
#: Enumerations and ranges with more values than this give their ends and the default.
FEW = 6
#: How many rows with any three options the CDK synthesises, of some 70: each takes 0.4 s of a processor.
SAMPLE = 20
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
    for choices in CHOICES:
        names = set().union(*choices)
        if names <= values.keys():
            values["+".join(sorted(names))] = choices
            values = {name: offered for name, offered in values.items() if name not in names}
    return values


def settings_of(row: Json) -> Json:
    """The settings of a row of options, in which some options stand for several settings."""
    flat: Json = {}
    for name, value in row.items():
        flat |= value if "+" in name else {name: value}
    return flat


def covering(values: Options, strength: int) -> list[Json]:
    """Rows in which the values of any so many options stand together at least once, those with most new ones first."""
    names = sorted(values, key=lambda name: -len(values[name]))
    missing = {
        combination
        for places in itertools.combinations(range(len(names)), min(strength, len(names)))
        for combination in itertools.product(
            *[[(place, value) for value in range(len(values[names[place]]))] for place in places]
        )
    }
    rows = []
    while missing:
        row = dict(min(missing))
        for place, name in enumerate(names):
            if place not in row:
                others = [*itertools.combinations(sorted(row.items()), strength - 1)]
                row[place] = max(
                    range(len(values[name])),
                    key=lambda value, place=place, others=others: sum(
                        tuple(sorted((*other, (place, value)))) in missing for other in others
                    ),
                )
        missing -= {*itertools.combinations(sorted(row.items()), strength)}
        rows.append({names[place]: values[names[place]][value] for place, value in row.items()})
    return rows


def refusals(template: Json, wanted: Callable[[Json], bool] = lambda _: True) -> list[str]:
    """What the local cloud refuses of a template."""
    problems = []
    limits.check(template)
    for name, body in template["Resources"].items():
        if body["Type"] in CDK_ONLY or not wanted(body):
            continue
        if problem := refusal(body["Type"], json.dumps(body.get("Properties", {}), sort_keys=True)):
            problems.append(f"{name} ({body['Type']}): {problem}")
    return problems


@cache
def refusal(kind: str, properties: str) -> str:
    """Why the local cloud refuses a resource; most are the same in many templates, and are checked once."""
    given = json.loads(properties)
    try:
        schemas.check(kind, given)
        rules.check(kind, given)
    except schemas.PropertyError as error:
        return str(error)
    return ""


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


@pytest.mark.parametrize("strength", [2, 3])
def test_a_row_for_any_values_of_so_many_options(strength: int) -> None:
    values = {"a": [1, 2], "b": [1, 2, 3], "c": [1, 2], "d": [1], "e": [1, 2]}
    rows = covering(values, strength)
    for names in itertools.combinations(values, strength):
        combinations = {tuple(row[name] for name in names) for row in rows}
        assert combinations == {*itertools.product(*(values[name] for name in names))}
    assert len(rows) < 2 * 3 * 2 * 2


@pytest.mark.parametrize("file", TEMPLATES)
def test_the_consoles_templates_pass_with_any_three_options(file: str) -> None:
    section = section_of(file)
    template = templates.parse((FOLDER / file).read_text())
    for row in map(settings_of, covering(options(section), 3)):
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
def test_the_cdks_templates_pass_with_any_two_options_and_a_sample_of_threes(
    file: str, synthesise: Callable[..., Json]
) -> None:
    section = section_of(file)
    values = options(section)
    for row in map(settings_of, [*covering(values, 2), *covering(values, 3)[:SAMPLE]]):
        context = {f"{section}.{name}": value for name, value in row.items()}
        template = synthesise(file, context)
        template.pop("Transform", None)  # a macro, which the local cloud does not have; it adds a function for rotation
        assert refusals(templates.parse(json.dumps(template))) == [], row
