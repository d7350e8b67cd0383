"""Write a page per stack that says of each security rule whether the stack does what it asks, or why it does not.

`python -m infra.check.compliance` writes the pages, and `python -m infra.check` compares them. An acknowledgement for
which there is no finding is a fault: it would hide the next one.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from aws_cdk import App, CfnResource, Stack

from infra import PROJECT
from infra.check.checkov import checkov
from infra.check.findings import Finding, acknowledged, acknowledgements
from infra.check.foundational import CONTROLS, OF_THE_ACCOUNT
from infra.check.rules import Rule, of_cdk_nag, of_checkov
from infra.check.synthesis import CONTEXT, Acknowledged, acknowledged_findings, synthesise
from infra.config import Config
from infra.guardrails import TEMPLATE_RULES
from infra.stacks import STACKS
from terminal import files

Json = dict[str, Any]
FOLDER = PROJECT / "docs" / "compliance"
EXPLAINED = Path(__file__).with_name("foundational.yaml")
HEADER = """\
# Security rules of {stack}

The stack with its default settings. [Compliance](../compliance.md) says what the outcomes mean. `make templates` writes
this page, and `make check` compares it.
"""
#: The rule of another tool that asks the same as a control.
LIKE = {control.name: control.like for control in CONTROLS if control.like}
STANDARD = [Rule(control.name, control.asks, frozenset(control.types)) for control in CONTROLS]


@dataclass(frozen=True)
class Judged:
    """A stack, and what every tool says of it.

    Attributes:
        stack: The stack with its default settings.
        template: Its template.
        findings: Those of checkov and of the standard, passed ones included.
        by_cdk: The acknowledged findings of cdk-nag and of the CDK's own rules.
    """

    stack: Stack
    template: Json
    findings: tuple[Finding, ...]
    by_cdk: tuple[Acknowledged, ...]

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.stack.node.id

    def types(self) -> set[str]:
        """Return the types of its resources."""
        return {body["Type"] for body in self.template["Resources"].values()}

    def outcomes(self) -> dict[str, dict[str, set[str]]]:
        """Return the resources that do not do what a rule asks for, by rule and reason; a fault has no reason."""
        outcomes: dict[str, dict[str, set[str]]] = {}
        reason_for = Reasons(self.stack)
        for finding in self.findings:
            if not finding.is_passed:
                outcomes.setdefault(finding.rule, {}).setdefault(reason_for(finding), set()).add(finding.resource)
        ids = {
            resource.node.path: str(self.stack.resolve(resource.logical_id))
            for resource in self.stack.node.find_all()
            if isinstance(resource, CfnResource)
        }
        for acknowledged_finding in self.by_cdk:
            if resource := ids.get(acknowledged_finding.resource):
                rule = acknowledged_finding.rule.partition("[")[0]
                outcomes.setdefault(rule, {}).setdefault(acknowledged_finding.reason, set()).add(resource)
        return outcomes


def foundational(file: str, template: Json) -> list[Finding]:
    """Return what the controls of AWS Foundational Security Best Practices say of the resources of a template."""
    resources: Json = template["Resources"]
    return [
        Finding(file, name, control.name, control.asks, control.holds(body.get("Properties", {}), resources))
        for control in CONTROLS
        for name, body in resources.items()
        if control.asks_of(body)
    ]


class Reasons:
    """The reasons that a stack's constructs, and foundational.yaml, give for findings."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack.node.id
        self._by_constructs = acknowledged(stack)
        self._by_file: dict[str, dict[str, str]] = yaml.safe_load(EXPLAINED.read_text("utf-8"))

    def __call__(self, finding: Finding) -> str:
        """Return the reason, or nothing."""
        place = f"{self._stack}/{finding.resource}"
        by_file = [
            reason for pattern, reason in self._by_file.get(finding.rule, {}).items() if fnmatchcase(place, pattern)
        ]
        rules = [finding.rule, LIKE.get(finding.rule, "")]
        by_constructs = [self._by_constructs.get((finding.resource, rule), "") for rule in rules]
        return next(filter(None, [*by_file, *by_constructs]), "")


def faults(judged_stacks: Iterable[Judged]) -> Iterator[str]:
    """Yield findings of the standard that nobody explains, and what is explained for nothing, as lines for people."""
    needed = set()
    for judged in judged_stacks:
        reason_for = Reasons(judged.stack)
        for finding in foundational(f"{judged.name}.template.json", judged.template):
            if not finding.is_passed:
                needed.add((finding.rule, f"{judged.name}/{finding.resource}"))
                if not reason_for(finding):
                    yield str(finding)
    for rule, patterns in yaml.safe_load(EXPLAINED.read_text("utf-8")).items():
        for pattern in patterns:
            if not any(rule == name and fnmatchcase(place, pattern) for name, place in needed):
                yield f"foundational.yaml explains {rule} of {pattern} for nothing: remove it"


def stale(stacks: Mapping[str, Stack], findings: Iterable[Finding], by_cdk: Iterable[Acknowledged]) -> Iterator[str]:
    """Yield the acknowledgements for which no tool has a finding, as lines for people.

    A construct stands in a stack of the CDK and in its twin for the console; a finding in one of them is enough.

    Args:
        stacks: The stack behind each template, by the template's file.
        findings: What the tools say that know only templates.
        by_cdk: What cdk-nag and the CDK's own rules found, and a construct acknowledges.
    """
    failed = {(finding.template, finding.resource, finding.rule) for finding in findings if not finding.is_passed}
    at = {(finding.construct, finding.rule) for finding in by_cdk}
    is_needed: dict[tuple[str, str], bool] = {}
    for file, stack in stacks.items():
        for acknowledgement in acknowledgements(stack):
            construct = f"{type(stack).__name__}/{acknowledgement.construct}"
            is_of_console = not file.endswith(".template.json")  # the CDK's rules do not see it
            for rule in acknowledgement.reasons:
                if is_of_console and not rule.startswith(TEMPLATE_RULES):
                    continue
                in_template = any((file, resource, rule) in failed for resource in acknowledgement.resources)
                before = is_needed.get((construct, rule), False)
                is_needed[construct, rule] = before or in_template or (construct, rule) in at
    for (construct, rule), needed in is_needed.items():
        if not needed:
            yield f"{construct} acknowledges {rule} for nothing: no tool finds it, so remove the acknowledgement"


def pages(judged_stacks: Iterable[Judged]) -> dict[Path, str]:
    """Return what the pages should say."""
    by_tool = {"cdk-nag": of_cdk_nag(), "checkov": of_checkov(), "AWS Foundational Security Best Practices": STANDARD}
    return {FOLDER / f"{_file(judged.name)}.md": _page(judged, by_tool) for judged in judged_stacks}


def _file(stack: str) -> str:
    return next(known.SECTION for known in STACKS if known.__name__ == stack).replace("_", "-")


def _page(judged: Judged, by_tool: Mapping[str, list[Rule]]) -> str:
    sections = [HEADER.format(stack=judged.name)]
    outcomes, types = judged.outcomes(), judged.types()
    asked = {finding.rule: finding.message for finding in judged.findings}
    for tool, known in by_tool.items():
        rules = {rule.name: rule for rule in known}
        if tool == "checkov":  # some of its rules look at whole templates, and are known only from what they said
            names = [name for name in asked if name.startswith("CKV") and name not in rules]
            rules |= {name: Rule(name, asked[name], frozenset()) for name in names}
        is_asked = {
            name: bool(rule.types & types) if tool == "cdk-nag" else name in asked for name, rule in rules.items()
        }
        in_order = sorted(rules.values(), key=_in_order)
        heading = "what it reports" if tool == "cdk-nag" else "what it asks for"
        rows = [f"| rule | {heading} | outcome |", "|---|---|---|"]
        rows += [
            f"| {rule.name} | {_text(rule.asks)} | {_outcome(outcomes.get(rule.name, {}))} |"
            for rule in in_order
            if is_asked[rule.name]
        ]
        others = _list(rule.name for rule in in_order if not is_asked[rule.name])
        table = "\n".join(rows)
        sections.append(f"## {tool}\n\n{table}\n\nNot applicable, because the stack has no such resource: {others}.\n")
    sections.append(f"Not answered by a template, but by the account or what runs in it: {_list(OF_THE_ACCOUNT)}.\n")
    return "\n".join(sections)


def _in_order(rule: Rule) -> list[str | int]:
    return [int(token) if token.isdigit() else token for token in re.split(r"(\d+)", rule.name)]


def _text(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _outcome(by_reason: Mapping[str, set[str]]) -> str:
    if not by_reason:
        return "passed"
    return " ".join(
        f"Acknowledged for {_list(sorted(names))}: {_text(reason)}"
        if reason
        else f"**Failed** for {_list(sorted(names))}."
        for reason, names in by_reason.items()
    )


def judge(stacks: Iterable[Stack], folder: Path, by_checkov: Iterable[Finding]) -> list[Judged]:
    """Return what the tools say of stacks that were synthesised into a folder."""
    by_cdk = tuple(acknowledged_findings(folder))
    said = list(by_checkov)
    judged = []
    for stack in stacks:
        file = f"{stack.node.id}.template.json"
        template = json.loads((folder / file).read_text(encoding="utf-8"))
        own = [finding for finding in said if finding.template == file]
        judged.append(Judged(stack, template, (*own, *foundational(file, template)), by_cdk))
    return judged


def main() -> None:
    """Write the pages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        app = App(outdir=name, context=CONTEXT)
        stacks = [stack(app, stack.__name__, Config()) for stack in STACKS]
        synthesise(app)
        templates = [folder / f"{stack.node.id}.template.json" for stack in stacks]
        for path, text in pages(judge(stacks, folder, checkov(templates))).items():
            files.write(path, text.encode())


if __name__ == "__main__":
    main()
