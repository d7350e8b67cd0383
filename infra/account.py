"""What a company's account asks of every stack: tags, a permissions boundary, a path for roles, places for logs."""

from __future__ import annotations

import jsii
from aws_cdk import Aspects, Aws, IAspect, Stack, aws_iam, aws_s3
from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import IConstruct

from contract.tags import ENVIRONMENT
from infra.config import Config
from infra.constructs.network import FLOW_LOG_BUCKET

ROOT_PATH = "/"


@jsii.implements(IAspect)
class UnderPath:
    """Gives roles, instance profiles and managed policies a path."""

    def __init__(self, path: str) -> None:
        self._path = path

    def visit(self, node: IConstruct) -> None:
        """Set the path of a construct of the tree, if it has one."""
        if isinstance(node, aws_iam.CfnRole | aws_iam.CfnInstanceProfile | aws_iam.CfnManagedPolicy):
            node.path = self._path


@jsii.implements(IAspect)
class AccessLogsTo:
    """Sends the access logs of buckets and load balancers to a bucket, below `STACK/CONSTRUCT`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def visit(self, node: IConstruct) -> None:
        """Turn the log of a construct of the tree on, if it can have one."""
        place = node.node.path.removesuffix("/Resource")
        if isinstance(node, aws_s3.CfnBucket):
            node.logging_configuration = aws_s3.CfnBucket.LoggingConfigurationProperty(
                destination_bucket_name=self._bucket, log_file_prefix=f"{place}/"
            )
        elif isinstance(node, elb.CfnLoadBalancer):
            values = {"enabled": "true", "bucket": self._bucket, "prefix": place}
            attribute = elb.CfnLoadBalancer.LoadBalancerAttributeProperty
            log = [attribute(key=f"access_logs.s3.{key}", value=value) for key, value in values.items()]
            attributes = node.load_balancer_attributes
            node.load_balancer_attributes = [*(attributes if isinstance(attributes, list) else []), *log]


def follow_account(stack: Stack, config: Config) -> None:
    """Let a stack follow the settings of every stack: its tags go to all its resources that take tags.

    follow_account(stack, config)
    """
    if config.flow_log_bucket_arn:
        stack.node.set_context(FLOW_LOG_BUCKET, config.flow_log_bucket_arn)
    if config.access_log_bucket:
        Aspects.of(stack).add(AccessLogsTo(config.access_log_bucket))
    environment = {ENVIRONMENT: config.environment} if config.environment else {}
    for key, value in (config.tags | environment).items():
        stack.tags.set_tag(key, value)
    if boundary := config.permissions_boundary:
        if not boundary.startswith("arn:"):
            boundary = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:policy/{boundary}"
        policy = aws_iam.ManagedPolicy.from_managed_policy_arn(stack, "Boundary", boundary)
        aws_iam.PermissionsBoundary.of(stack).apply(policy)
    if config.role_path != ROOT_PATH:
        Aspects.of(stack).add(UnderPath(config.role_path))
