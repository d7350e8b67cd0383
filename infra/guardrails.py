"""What holds for every stack: findings are acknowledged with a reason, and deleting data takes two keys."""

from aws_cdk import Acknowledgment, RemovalPolicy, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Accept findings of cdk-nag's AwsSolutions rules on one construct and what it contains.

    Args:
        construct: where the finding is.
        reasons: why each finding is no fault, by rule, with its detail where the rule has one: `IAM5[Resource::*]`.
    """
    for rule, reason in reasons.items():
        Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason))


def data_policy(*, delete_data: bool, allow_data_deletion: bool) -> RemovalPolicy:
    """What happens to data when its stack goes: it stays, unless the stack's key and the global one both turn."""
    return RemovalPolicy.DESTROY if delete_data and allow_data_deletion else RemovalPolicy.RETAIN
