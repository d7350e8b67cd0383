"""Log groups of our own, so that every log has a retention and a policy."""

from aws_cdk import RemovalPolicy, aws_logs
from constructs import Construct


class LogGroup(aws_logs.LogGroup):
    """A log group with its retention, kept or deleted with its stack by `policy`; AWS chooses its name."""

    def __init__(self, scope: Construct, name: str, retention_days: int, policy: RemovalPolicy) -> None:
        super().__init__(scope, name, removal_policy=policy)
        resource = self.node.default_child
        assert isinstance(resource, aws_logs.CfnLogGroup)
        # The enum of the CDK cannot take a parameter of a console template.
        resource.retention_in_days = retention_days
