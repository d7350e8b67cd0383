"""The stacks' templates, synthesised once for all tests of a worker, under each settings."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

os.environ["CDK_VALIDATION"] = "false"  # the CDK's own schema check; cfn-lint is tested here, and takes half the time

from aws_cdk import App, Stack

from infra.config import Config
from infra.console.templates import FOLDER, TEMPLATES
from infra.stacks import STACKS

Json = dict[str, Any]


class Synthesised:
    """The CDK's templates of all stacks."""

    def __init__(self, folder: Path) -> None:
        app = App(outdir=str(folder))
        self.stacks: dict[str, Stack] = {stack.__name__: stack(app, stack.__name__, Config()) for stack in STACKS}
        self.folder = folder
        app.synth()
        self.templates: dict[str, Json] = {
            name: json.loads((folder / f"{name}.template.json").read_text()) for name in self.stacks
        }


@pytest.fixture(scope="session")
def synthesised(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return Synthesised(tmp_path_factory.mktemp("cdk"))


@pytest.fixture(scope="session")
def all_templates(synthesised: Synthesised) -> dict[str, Json]:
    """Every template there is: the CDK's by stack, the console's by file."""
    return synthesised.templates | {file: read_yaml((FOLDER / file).read_text()) for file in TEMPLATES}


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Json]:
    """A stack's template under settings other than the defaults."""

    @cache
    def text(file: str, context: str) -> str:
        kind = TEMPLATES[file]
        app = App(outdir=str(tmp_path_factory.mktemp("cdk")))
        kind(app, kind.__name__, Config.from_context(json.loads(context)))
        return json.dumps(app.synth().get_stack_by_name(kind.__name__).template)

    def template(file: str, context: Json) -> Json:
        content: Json = json.loads(text(file, json.dumps(context, sort_keys=True)))  # each test's own
        return content

    return template


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short functions as the long ones."""


def _function(loader: _Loader, tag: str, node: yaml.Node) -> Json:
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {name: value.split(".", 1) if tag == "GetAtt" else value}


_Loader.add_multi_constructor("!", _function)


def read_yaml(text: str) -> Json:
    content: Json = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with CloudFormation's functions
    return content


def of_type(template: Json, kind: str) -> Iterator[tuple[str, Json]]:
    """Logical id and body of the resources of a type."""
    for name, body in template["Resources"].items():
        if body["Type"] == kind:
            yield name, body


def only(template: Json, kind: str) -> Json:
    """Properties of the one resource of a type."""
    [(_, body)] = of_type(template, kind)
    properties: Json = body["Properties"]
    return properties


def statements(template: Json) -> Iterator[tuple[str, Json]]:
    """Every statement of every policy: of roles, keys, buckets, topics and queues."""

    def walk(name: str, node: Any) -> Iterator[tuple[str, Json]]:
        if isinstance(node, dict):
            if "Effect" in node:
                yield name, node
            for value in node.values():
                yield from walk(name, value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(name, value)

    for name, body in template["Resources"].items():
        yield from walk(name, body.get("Properties", {}))


def references(node: Any, resources: Json) -> Iterator[str]:
    """Logical ids of the resources that a value names."""
    if isinstance(node, list):
        for item in node:
            yield from references(item, resources)
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and value in resources:
                yield value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.split(".")[0]
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                yield from (name for name in re.findall(r"\$\{(\w+)", text) if name in resources)
                yield from references(value[1:], resources)
            else:
                yield from references(value, resources)


def joined(value: Any) -> Any:
    """A text as `Fn::Sub` writes it, however the template joins it: `Groundwork/${AWS::StackName}`."""
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, items = value["Fn::Join"]
        return separator.join(f"${{{item['Ref']}}}" if isinstance(item, dict) else item for item in items)
    return value["Fn::Sub"] if isinstance(value, dict) and "Fn::Sub" in value else value


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def usual(value: Any, template: Json) -> str:
    """A value as text, or its parameter's default."""
    return str(template["Parameters"][value["Ref"]]["Default"] if isinstance(value, dict) else value)
