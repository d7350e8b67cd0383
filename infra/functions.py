"""Python functions of one file each, inline in the template: no bundle, no bucket, the same in CDK and console."""

from pathlib import Path

from aws_cdk import Duration, RemovalPolicy, aws_iam, aws_lambda, aws_sqs
from constructs import Construct

from infra.logs import log_group

FOLDER = Path(__file__).parent.parent / "lambda"


class Function(aws_lambda.Function):
    """`lambda/<folder>/index.py` with its own log group, and a role that may write there and nothing else.

    A run that keeps failing leaves its event in the dead-letter queue.

    Attributes:
        logs: its log group.
        permissions: its role.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        folder: str,
        description: str,
        environment: dict[str, str],
        failed_events: aws_sqs.IQueue,
        log_retention_days: int,
        policy: RemovalPolicy,
    ) -> None:
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
            code=aws_lambda.Code.from_inline((FOLDER / folder / "index.py").read_text(encoding="utf-8")),
            environment=environment,
            role=self.permissions,
            log_group=self.logs,
            dead_letter_queue=failed_events,
            timeout=Duration.seconds(30),
            memory_size=256,
        )
        self.logs.grant_write(self.permissions)
