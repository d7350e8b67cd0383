"""Log groups of our own, so that every log has a retention and a policy."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, aws_logs
from constructs import Construct

from infra.guardrails import acknowledge


def log_group(scope: Construct, name: str, retention_days: int, policy: RemovalPolicy) -> aws_logs.LogGroup:
    """Make a log group whose name AWS chooses.

        logs = log_group(self, "JobLogs", settings.log_retention_days, self.policy)

    Args:
        scope: Where it stands.
        name: Its construct's name.
        retention_days: How long a line is kept; one of the values that CloudWatch Logs offers.
        policy: What becomes of it when its stack goes.
    """
    group = aws_logs.LogGroup(scope, name, removal_policy=policy)
    # The CDK's own option takes no parameter of a console template.
    group.node.default_child.add_property_override("RetentionInDays", retention_days)  # type: ignore[union-attr]
    reason = "Encrypted under CloudWatch's key; a key of the account would cost, and the log holds no secret."
    acknowledge(group, {"CKV_AWS_158": reason})
    return group
