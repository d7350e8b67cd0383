"""Compare the findings of tools that know only templates with what the constructs acknowledge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import CfnResource, Stack

from infra.guardrails import ACKNOWLEDGED


@dataclass(frozen=True)
class Finding:
    """A fault that a tool finds in a resource.

    Attributes:
        template: The template's file.
        resource: Logical id.
        rule: The rule's name, as `acknowledge` takes it.
        message: What is wrong.
    """

    template: str
    resource: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.template}: {self.resource}: {self.rule}: {self.message}"


def acknowledged(stack: Stack) -> dict[tuple[str, str], str]:
    """Return the reasons why findings are not faults, by logical id and rule, from the constructs of a stack."""
    reasons: dict[tuple[str, str], str] = {}
    for construct in stack.node.find_all():
        acknowledgements: dict[str, str] = {}
        for entry in construct.node.metadata:
            if entry.type == ACKNOWLEDGED:
                acknowledgements |= entry.data
        if acknowledgements:
            resources = [child for child in construct.node.find_all() if isinstance(child, CfnResource)]
            ids = [stack.resolve(resource.logical_id) for resource in resources]
            reasons |= {(resource, rule): reason for resource in ids for rule, reason in acknowledgements.items()}
    return reasons


def unexplained(findings: Iterable[Finding], stacks: dict[str, Stack]) -> list[Finding]:
    """Return the findings that no construct acknowledges.

    Args:
        findings: The findings of any tool.
        stacks: The stack behind each template, by the template's file.
    """
    reasons = {file: acknowledged(stack) for file, stack in stacks.items()}
    return [
        finding for finding in findings if (finding.resource, finding.rule) not in reasons.get(finding.template, {})
    ]
