"""Check that every statement of every policy is needed: by a request of the demonstration, by code, or for a reason.

`python -m groundwork.demo.statements` runs the demonstration in a local cloud that enforces policies, and writes down
which statements it needed: those without which a request would have been denied. The record is in used.yaml. Code that
the demonstration does not run is looked up in `infra.check.privileges`. Everything else needs a reason in unused.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from infra import PROJECT
from infra.check.privileges import ROLES, Role, roles
from infra.config import Config
from infra.templates import templates as synthesised
from terminal import files

Json = dict[str, Any]
USED = Path(__file__).with_name("used.yaml")
UNUSED = Path(__file__).with_name("unused.yaml")
PAGE = PROJECT / "docs" / "security.md"
BEGIN, END = "<!-- statements -->", "<!-- end -->"
#: Where a resource keeps a policy, by its type.
PLACES = {
    "AWS::IAM::ManagedPolicy": "PolicyDocument",
    "AWS::IAM::Policy": "PolicyDocument",
    "AWS::IAM::Role": "AssumeRolePolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::OpenSearchService::Domain": "AccessPolicies",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
}
#: Where a policy that is a resource of its own names the resource that it belongs to, by its type.
OWNERS = {
    "AWS::Lambda::Permission": "FunctionName",
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SNS::TopicPolicy": "Topics",
    "AWS::SQS::QueuePolicy": "Queues",
}


@dataclass(frozen=True)
class Statement:
    """A statement of a policy in a template.

    Attributes:
        stack: The stack's name, or the variant of it that was synthesised.
        policy: Logical id of the policy; of a bucket's, a topic's, a queue's or a function's, that of its owner.
        actions: What it is about.
        denies: Whether its effect is ``Deny``.
        principals: For whom, in a resource's policy: services, or logical ids of roles.
        resources: Logical ids of what it is on, as far as they are in the template.
        roles: Logical ids of the roles, or of the managed policy, that it allows something.
    """

    stack: str
    policy: str
    actions: tuple[str, ...]
    denies: bool
    principals: tuple[str, ...]
    resources: tuple[str, ...]
    roles: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What tells it from the other statements of its policy."""
        words = ["denies"] if self.denies else []
        words += [", ".join(self.actions)]
        words += [f"by {', '.join(self.principals)}"] if self.principals else []
        words += [f"on {', '.join(self.resources)}"] if self.resources else []
        return " ".join(words)


def statements(stack: str, template: Json) -> Iterator[Statement]:
    """Yield the statements of a template's policies.

    Args:
        stack: The stack's name.
        template: The template.
    """
    resources: Json = template["Resources"]
    for name, body in resources.items():
        properties = body.get("Properties", {})
        owner = next(_named(properties.get(OWNERS.get(body["Type"], "")), resources), name)
        if body["Type"] == "AWS::Lambda::Permission":
            actions, principals = (properties["Action"],), (properties["Principal"],)
            yield Statement(stack, owner, actions, denies=False, principals=principals, resources=())
        documents = [properties[place]] if (place := PLACES.get(body["Type"])) in properties else []
        documents += [policy["PolicyDocument"] for policy in properties.get("Policies") or [] if "IAM" in body["Type"]]
        for document in documents:
            for statement in document["Statement"]:
                yield _statement(stack, owner, name, statement, resources)


def _statement(stack: str, owner: str, policy: str, statement: Json, resources: Json) -> Statement:
    properties, kind = resources[policy]["Properties"], resources[policy]["Type"]
    principals = [
        text
        for value in _values(statement.get("Principal"))
        for text in ([value] if isinstance(value, str) else [*_named(value, resources)] or ["the account"])
    ]
    holders: list[str] = []
    if "Principal" not in statement:
        attached = [
            name
            for name, body in resources.items()
            if body["Type"] == "AWS::IAM::Role" and {"Ref": policy} in body["Properties"].get("ManagedPolicyArns", [])
        ]
        listed = [role["Ref"] for role in properties.get("Roles", [])]
        holders = [policy] if kind == "AWS::IAM::Role" else [*listed, *attached] or [policy]
    return Statement(
        stack,
        owner,
        tuple(sorted(_values(statement["Action"]))),
        statement["Effect"] == "Deny",
        tuple(sorted(principals)),
        tuple(sorted({*_named(statement.get("Resource"), resources)} - {owner})),
        tuple(holders),
    )


def _values(element: Any) -> list[Any]:
    """The values of an element that may be one, a list, or lists by kind."""
    if element is None:
        return []
    if isinstance(element, Mapping) and element.keys() <= {"AWS", "Service"}:
        return [value for values in element.values() for value in _values(values)]
    return element if isinstance(element, list) else [element]


def _named(value: Any, resources: Json) -> Iterator[str]:
    """Yield the logical ids of resources that a value refers to."""
    if isinstance(value, list):
        for item in value:
            yield from _named(item, resources)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            match key, item:
                case "Ref", str():
                    yield from [item] if item in resources else []
                case "Fn::GetAtt", [str() as name, *_]:
                    yield name
                case "Fn::Sub", str():
                    yield from (name for name in re.findall(r"\$\{(\w+)[.}]", item) if name in resources)
                case _:
                    yield from _named(item, resources)


@dataclass(frozen=True)
class Judgement:
    """What is known of the need for a statement.

    Attributes:
        statement: The statement.
        used: The actions of requests that no other statement allowed.
        called: Those of its actions that code calls which the demonstration does not run.
        reasons: Why the others stay, by action.
    """

    statement: Statement
    used: tuple[str, ...]
    called: tuple[str, ...]
    reasons: Mapping[str, str]

    def faults(self) -> Iterator[str]:
        """Yield the actions that nothing needs, as lines for people."""
        known = {*self.used, *self.called, *self.reasons}
        for action in self.statement.actions:
            if action not in known:
                where = f"{self.statement.stack}: {self.statement.policy}: {self.statement.label}"
                yield f"{where}: nothing needs {action}: remove it, or say in unused.yaml why it stays"

    @property
    def row(self) -> str:
        """The row of the page's table."""
        refused = f"refused: {', '.join(self.used)}" if self.used else ""
        called = f"called by code that the demonstration does not run: {', '.join(self.called)}" if self.called else ""
        by_reason: dict[str, list[str]] = {}
        for action, reason in self.reasons.items():
            by_reason.setdefault(reason, []).append(action)
        is_mixed = bool(self.used or self.called or len(by_reason) > 1)
        kept = [f"{', '.join(some)}: {reason}" if is_mixed else reason for reason, some in by_reason.items()]
        outcome = "; ".join(filter(None, [refused, called, *kept]))
        statement = self.statement
        return f"| {statement.stack} | {statement.policy} | {statement.label} | {outcome} |"


def judged(templates: Mapping[str, Json]) -> list[Judgement]:
    """Judge the statements of templates, by the names of their stacks."""
    used = yaml.safe_load(USED.read_text("utf-8"))
    reasons: dict[str, str] = yaml.safe_load(UNUSED.read_text("utf-8"))
    judgements = []
    for stack, template in templates.items():
        by_name = {role.name: role for role in roles(stack, template)}
        for statement in statements(stack, template):
            labels = used.get(stack, {}).get(statement.policy, {})
            judgements.append(_judgement(statement, labels.get(statement.label, []), by_name, reasons))
    return judgements


def _judgement(
    statement: Statement, used: list[str], by_name: Mapping[str, Role], reasons: Mapping[str, str]
) -> Judgement:
    needed = {action for name in statement.roles if name in by_name for action in by_name[name].needed}
    also = {
        action: reason
        for name in statement.roles
        for action, reason in ROLES.get(statement.stack, {}).get(name, {}).get("also", {}).items()
    }
    own = [action for action in statement.actions if any(fnmatchcase(name, action) for name in used)]
    rest = [action for action in statement.actions if action not in own]
    where = f"{statement.stack}/{statement.policy}/{statement.label}"
    kept = {action: why for action in rest for pattern, why in reasons.items() if fnmatchcase(where, pattern)}
    if not statement.denies:
        kept = {action: also[action] for action in rest if action in also} | kept
    called = [action for action in rest if action in needed and action not in kept and not statement.denies]
    return Judgement(statement, tuple(own), tuple(called), kept)


def faults(templates: Mapping[str, Json]) -> list[str]:
    """Return what nothing needs, and what the records explain for nothing, as lines for people."""
    judgements = judged(templates)
    places = [f"{row.statement.stack}/{row.statement.policy}/{row.statement.label}" for row in judgements]
    patterns = yaml.safe_load(UNUSED.read_text("utf-8"))
    stale = [pattern for pattern in patterns if not any(fnmatchcase(place, pattern) for place in places)]
    return [
        *(fault for judgement in judgements for fault in judgement.faults()),
        *(f"unused.yaml explains {pattern} for nothing" for pattern in stale),
    ]


def written(templates: Mapping[str, Json]) -> str:
    """The page of the documentation, with the table as it is now."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    rows = ["| stack | policy | statement | without it |", "|---|---|---|---|"]
    rows += [judgement.row for judgement in judged(templates)]
    table = "\n".join(rows)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def templates() -> dict[str, Json]:
    """The templates of the stacks with their default settings, by the names of the stacks."""
    return synthesised(Config())


if __name__ == "__main__":
    files.write(PAGE, written(templates()).encode())
