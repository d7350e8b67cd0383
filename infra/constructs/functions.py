"""Python functions of one file each, inline in the template: no bundle, no bucket, the same in CDK and console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration, RemovalPolicy, aws_ec2, aws_iam, aws_lambda, aws_sqs
from constructs import Construct

from infra.constructs.inline import source
from infra.constructs.logs import log_group
from infra.guardrails import acknowledge


@dataclass(frozen=True)
class InNetwork:
    """Where a function runs that must reach what is in a network.

    Attributes:
        vpc: The network.
        group: The function's security group.
        subnet_ids: Its subnets; by default the isolated ones of the network.
    """

    vpc: aws_ec2.IVpc
    group: aws_ec2.ISecurityGroup
    subnet_ids: list[str] | None = None

    def options(self) -> dict[str, Any]:
        """Return the CDK's options of such a function."""
        if self.subnet_ids is not None:  # which may be one token for all of them, so the CDK cannot look at them
            return {}
        isolated = aws_ec2.SubnetSelection(subnet_type=aws_ec2.SubnetType.PRIVATE_ISOLATED)
        return {"vpc": self.vpc, "vpc_subnets": isolated, "security_groups": [self.group]}


class Function(aws_lambda.Function):
    """`lambda/<folder>/index.py` with its own log group, and a role that may only write to it.

        logger = Function(
            self, "TerminationLogger", folder="termination_logger", description="Writes a line for each instance.",
            environment={"TABLE": table.table_name}, failed_events=queue, log_retention_days=90, policy=self.policy,
        )
        table.grant(logger, "dynamodb:PutItem")

    It has 256 MiB and 30 seconds. A run that keeps failing leaves its event in the dead-letter queue, if it has one:
    a function whose caller waits for the result needs none.

    Attributes:
        logs: Its log group.
        permissions: Its role.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        folder: str,
        description: str,
        environment: dict[str, str],
        failed_events: aws_sqs.IQueue | None = None,
        log_retention_days: int,
        policy: RemovalPolicy,
        timeout_seconds: int = 30,
        network: InNetwork | None = None,
    ) -> None:
        """Make the function.

        Args:
            scope: Where it stands, with its log group and role.
            name: Its construct's name.
            folder: Its folder below `lambda`.
            description: What it does.
            environment: Its environment variables, which hold no secret.
            failed_events: Where events go that keep failing.
            log_retention_days: How long its log is kept.
            policy: What becomes of its log when the stack goes.
            timeout_seconds: How long a run may take.
            network: Where it runs, if it must reach what is in a network.
        """
        self.logs = log_group(scope, f"{name}Logs", log_retention_days, policy)
        self.permissions = aws_iam.Role(
            scope,
            f"{name}Role",
            assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Permissions of the function {name}.",
        )
        super().__init__(
            scope,
            name,
            description=description,
            runtime=aws_lambda.Runtime.PYTHON_3_14,
            architecture=aws_lambda.Architecture.ARM_64,
            handler="index.handler",
            code=aws_lambda.Code.from_inline(source(folder)),
            environment=environment,
            role=self.permissions,
            log_group=self.logs,
            dead_letter_queue=failed_events,
            timeout=Duration.seconds(timeout_seconds),
            memory_size=256,
            **(network.options() if network else {}),
        )
        self.logs.grant_write(self.permissions)
        acknowledge(
            self,
            {
                "CKV_AWS_115": "Few events come; reserving concurrency would take it from other functions.",
                "CKV_AWS_173": "Its environment holds names, no secret.",
            },
        )
        if not failed_events:
            acknowledge(self, {"CKV_AWS_116": "Its caller waits for the result, and hears of a failure."})
        if not network:
            reason = "It calls only the AWS API; inside a VPC that would need endpoints, which cost money."
            acknowledge(self, {"CKV_AWS_117": reason})
        else:
            self._enter_network(network)

    def _enter_network(self, network: InNetwork) -> None:
        """Let Lambda give the function an address in a network, and keep the function's own code from these calls."""
        actions = ["CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface", "DescribeSubnets"]
        enter = aws_iam.Policy(
            self.permissions,
            "EnterNetwork",
            statements=[
                aws_iam.PolicyStatement(actions=[f"ec2:{action}" for action in actions], resources=["*"]),
                aws_iam.PolicyStatement(
                    effect=aws_iam.Effect.DENY,
                    actions=[f"ec2:{action}" for action in actions],
                    resources=["*"],
                    conditions={"ArnLike": {"lambda:SourceFunctionArn": "arn:*:lambda:*:*:function:*"}},
                ),
            ],
            roles=[self.permissions],
        )
        acknowledge(
            enter,
            {
                **dict.fromkeys(
                    ("IAM5[Resource::*]", "IAM_RESOURCE_STAR", "CKV_AWS_111"),
                    "Lambda makes the interfaces, for the function, in subnets it is not told of; its code is denied.",
                ),
            },
        )
        self.node.add_dependency(enter)
        if network.subnet_ids is not None:
            function = self.node.default_child
            assert isinstance(function, aws_lambda.CfnFunction)  # noqa: S101 - for the type checker
            function.vpc_config = aws_lambda.CfnFunction.VpcConfigProperty(
                subnet_ids=network.subnet_ids, security_group_ids=[network.group.security_group_id]
            )
