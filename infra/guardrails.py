"""What holds for every stack: findings are acknowledged with a reason, and deleting data takes two keys."""

from __future__ import annotations

import re

from aws_cdk import Acknowledgment, CfnResource, RemovalPolicy, Validations
from constructs import IConstruct

#: Under this name a construct keeps what it acknowledges, for the tools that only know templates and for the pages.
ACKNOWLEDGED = "groundwork:acknowledged"
#: How the names of rules begin that look at templates.
TEMPLATE_RULES = ("CKV_", "CKV2_", "IAM_")
_CDK_RULE = re.compile(r"[EFW]\d{4}")


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept findings of the checks on one construct and what it contains.

    Args:
        construct: where the finding is.
        reasons: why a finding is not a fault, by rule: cdk-nag's AwsSolutions rules with their detail where they have
            one (`IAM5[Resource::*]`), the CDK's own (`E9006`), checkov's (`CKV_AWS_18`), those of
            `infra.check.policies` (`IAM_RESOURCE_STAR`).
    """
    for rule, reason in reasons.items():
        construct.node.add_metadata(ACKNOWLEDGED, {rule: reason})
        if not rule.startswith(TEMPLATE_RULES):
            prefix = "CloudFormation-Validate::" if _CDK_RULE.fullmatch(rule) else "AwsSolutions::AwsSolutions-"
            Validations.of(construct).acknowledge(Acknowledgment(id=f"{prefix}{rule}", reason=reason))


def data_policy(*, delete_data: bool, allow_data_deletion: bool) -> RemovalPolicy:
    """What happens to data when its stack goes: it stays, unless the stack's key and the global one both turn.

    What a failed deployment created goes when the deployment is rolled back (`RetainExceptOnCreate`): it holds no data
    yet, and would be in the way of the next deployment.
    """
    both = delete_data and allow_data_deletion
    return RemovalPolicy.DESTROY if both else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


def keep_what_it_needs(policy: RemovalPolicy, *needed: IConstruct) -> None:
    """Let what a database stands on stay where the database stays, or AWS could not remove the rest of the stack.

    Args:
        policy: the database's.
        needed: networks, subnets, security groups: they cost nothing. What the stack did not make is left alone.
    """
    for construct in needed:
        resource = construct if isinstance(construct, CfnResource) else construct.node.default_child
        if isinstance(resource, CfnResource):
            resource.apply_removal_policy(policy)
