"""Findings of the tools that know templates, not constructs; and which of them the constructs acknowledge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aws_cdk import CfnResource, Stack

from infra.guardrails import ACKNOWLEDGED


@dataclass(frozen=True)
class Finding:
    """What a tool finds wrong with a resource.

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
    """Why a finding is no fault, by logical id and rule, as the stack's constructs say."""
    reasons: dict[tuple[str, str], str] = {}
    for construct in stack.node.find_all():
        said: dict[str, str] = {}
        for entry in construct.node.metadata:
            if entry.type == ACKNOWLEDGED:
                said |= entry.data
        if said:
            resources = [found for found in construct.node.find_all() if isinstance(found, CfnResource)]
            ids = [stack.resolve(resource.logical_id) for resource in resources]
            reasons |= {(resource, rule): reason for resource in ids for rule, reason in said.items()}
    return reasons


def unexplained(findings: Iterable[Finding], stacks: dict[str, Stack]) -> list[Finding]:
    """The findings that no construct acknowledges.

    Args:
        findings: Of any tool.
        stacks: What each template was made from, by the template's file.
    """
    reasons = {file: acknowledged(stack) for file, stack in stacks.items()}
    return [
        finding for finding in findings if (finding.resource, finding.rule) not in reasons.get(finding.template, {})
    ]
