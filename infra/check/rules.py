"""Which rules cdk-nag and checkov have, and which types of resources each rule looks at.

Neither tool says which of its rules apply to a template. The rules' own code does: those of cdk-nag name the classes
of the CDK that they look at, and checkov keeps its rules by type.
"""

from __future__ import annotations

import importlib
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cdk_nag

from infra.check.tools import run

_APPLIED = re.compile(r"ruleSuffixOverride: '(\w+)',\s+info: (['\"`])(.*?)\2,\s.*?rule: \w+\.(\w+),", re.DOTALL)
_LOOKED_AT = re.compile(r"instanceof (aws_\w+?)(?:_\d+)?\.(Cfn\w+)")
_BY_TYPE = """
import json
from checkov.cloudformation.checks.resource import *
from checkov.cloudformation.checks.resource.registry import cfn_registry as registry
print(json.dumps([[check.id, check.name, of] for of, checks in registry.checks.items() for check in checks]))
"""


@dataclass(frozen=True)
class Rule:
    """A rule of a tool.

    Attributes:
        name: As `infra.guardrails.acknowledge` takes it.
        asks: What it asks for, or what it reports, in the tool's words.
        types: The types of resources that it looks at.
    """

    name: str
    asks: str
    types: frozenset[str]


def of_cdk_nag() -> list[Rule]:
    """Return the rules of the pack AwsSolutions.

    Raises:
        RuntimeError: The package has no such rules, or one of them looks at nothing that we can find.
    """
    [archive] = Path(str(cdk_nag.__file__)).parent.glob("_jsii/*.tgz")
    with tarfile.open(archive) as files:
        texts = {
            Path(member.name).stem: (files.extractfile(member) or archive.open("rb")).read().decode()
            for member in files
            if member.name.endswith(".js") and ("/rules/" in member.name or member.name.endswith("aws-solutions.js"))
            if not member.name.endswith("index.js")
        }
    rules = [
        Rule(name, asks, frozenset(_types(texts[function])))
        for name, _, asks, function in _APPLIED.findall(texts["aws-solutions"])
    ]
    silent = [rule.name for rule in rules if not rule.types]
    if not rules or silent:
        raise RuntimeError(f"cdk-nag's rules are not where they were: {len(rules)} found, without types: {silent}")
    return sorted(rules, key=lambda rule: rule.name)


def _types(source: str) -> Iterator[str]:
    """Yield the types of the classes that a rule of cdk-nag looks at."""
    for module, name in _LOOKED_AT.findall(source):
        yield getattr(importlib.import_module(f"aws_cdk.{module}"), name).CFN_RESOURCE_TYPE_NAME


def of_checkov() -> list[Rule]:
    """Return the rules for resources of CloudFormation.

    Raises:
        RuntimeError: checkov is not installed.
    """
    [entries] = run("python", "-c", _BY_TYPE, folder=Path(tempfile.gettempdir()))
    asks = {name: text for name, text, _ in entries}
    return [Rule(name, asks[name], frozenset(of for known, _, of in entries if known == name)) for name in sorted(asks)]
