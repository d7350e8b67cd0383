"""Compare the findings of tools that know only templates with what the constructs acknowledge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aws_cdk import CfnResource, Stack

from infra.guardrails import ACKNOWLEDGED


@dataclass(frozen=True)
class Finding:
    """What a tool says of a resource: a fault, or that there is none.

    Attributes:
        template: The template's file.
        resource: Logical id.
        rule: The rule's name, as `acknowledge` takes it.
        message: What is wrong, or what the rule asks for.
        is_passed: Whether the resource does what the rule asks for.
    """

    template: str
    resource: str
    rule: str
    message: str
    is_passed: bool = False

    def __str__(self) -> str:
        return f"{self.template}: {self.resource}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Acknowledgement:
    """What a construct acknowledges.

    Attributes:
        construct: Its path below its stack.
        reasons: Why findings are not faults, by rule.
        resources: Logical ids of the resources that the construct contains.
    """

    construct: str
    reasons: dict[str, str]
    resources: tuple[str, ...]


def acknowledgements(stack: Stack) -> Iterator[Acknowledgement]:
    """Yield what the constructs of a stack acknowledge."""
    for construct in stack.node.find_all():
        reasons: dict[str, str] = {}
        for entry in construct.node.metadata:
            if entry.type == ACKNOWLEDGED:
                reasons |= entry.data
        if reasons:
            resources = [child for child in construct.node.find_all() if isinstance(child, CfnResource)]
            ids = tuple(str(stack.resolve(resource.logical_id)) for resource in resources)
            yield Acknowledgement(construct.node.path.partition("/")[2], reasons, ids)


def acknowledged(stack: Stack) -> dict[tuple[str, str], str]:
    """Return the reasons why findings are not faults, by logical id and rule, from the constructs of a stack."""
    return {
        (resource, rule): reason
        for acknowledgement in acknowledgements(stack)
        for resource in acknowledgement.resources
        for rule, reason in acknowledgement.reasons.items()
    }


def unexplained(findings: Iterable[Finding], stacks: dict[str, Stack]) -> list[Finding]:
    """Return the findings that no construct acknowledges.

    Args:
        findings: The findings of any tool.
        stacks: The stack behind each template, by the template's file.
    """
    reasons = {file: acknowledged(stack) for file, stack in stacks.items()}
    return [
        finding
        for finding in findings
        if not finding.is_passed and (finding.resource, finding.rule) not in reasons.get(finding.template, {})
    ]
