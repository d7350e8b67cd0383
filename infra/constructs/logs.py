"""Log groups of our own, so that every log has a retention and a policy."""

from aws_cdk import RemovalPolicy, aws_logs
from constructs import Construct

from infra.guardrails import acknowledge


def log_group(scope: Construct, name: str, retention_days: int, policy: RemovalPolicy) -> aws_logs.LogGroup:
    """A log group with its retention, kept or deleted with its stack by `policy`; AWS chooses its name."""
    group = aws_logs.LogGroup(scope, name, removal_policy=policy)
    # Not by the CDK's own option, whose list of retentions cannot take a parameter of a console template.
    group.node.default_child.add_property_override("RetentionInDays", retention_days)  # type: ignore[union-attr]
    acknowledge(
        group, {"CKV_AWS_158": "Encrypted under a key of CloudWatch's; a key of one's own costs, and logs no secret."}
    )
    return group
