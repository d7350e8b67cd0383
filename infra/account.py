"""What a company's account asks of every stack: tags, a permissions boundary, and a path for roles."""

from __future__ import annotations

import jsii
from aws_cdk import Aspects, Aws, IAspect, Stack, aws_iam
from constructs import IConstruct

from contract.tags import ENVIRONMENT
from infra.config import Config

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


def follow_account(stack: Stack, config: Config) -> None:
    """Let a stack follow the settings of every stack: its tags go to all its resources that take tags.

    follow_account(stack, config)
    """
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
