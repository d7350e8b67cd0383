"""Define what the engines' own bulk loaders need: a bucket for files, and who may read it and start a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy, aws_dynamodb, aws_iam
from constructs import Construct

from infra.constructs.bucket import abandoned_uploads, private_bucket, rule
from infra.guardrails import acknowledge

if TYPE_CHECKING:
    from infra.data_ecosystem.engines import Graph

FILE_DAYS = 7
"""Age at which a file is dropped that an interrupted job left, in days."""


class BulkLoads(Construct):
    """A bucket from which Neptune and DynamoDB load files, and the role by which Neptune reads it.

    Whoever loads deletes the files afterwards; the bucket drops what an interrupted job left.

    Attributes:
        bucket: The bucket.
        graph_role: The role that a Neptune cluster takes on, once it is associated with it.
    """

    def __init__(self, scope: Construct, name: str, policy: RemovalPolicy) -> None:
        super().__init__(scope, name)
        self.bucket = private_bucket(
            self,
            "Bucket",
            policy=policy,
            why_no_access_log="Jobs and Neptune use it; CloudTrail's data events can tell who else does.",
            why_not_versioned="Its files are copies, and are deleted once they are loaded.",
            rules=[rule("LeftFiles", expiration_in_days=FILE_DAYS), abandoned_uploads()],
        )
        # The trust that AWS documents, which has no condition on the account or the cluster:
        # https://docs.aws.amazon.com/neptune/latest/userguide/bulk-load-tutorial-IAM-CreateRole.html
        self.graph_role = aws_iam.Role(
            self,
            "GraphRole",
            assumed_by=aws_iam.ServicePrincipal("rds.amazonaws.com"),
            description="Lets Neptune read the files that it loads.",
        )
        self._let_use(self.graph_role, "s3:GetObject")

    def permit(self, job: aws_iam.Role, *, library: aws_dynamodb.ITable, graph: Graph) -> None:
        """Let jobs write files, load them into the library and the graph, and delete them.

        DynamoDB reads files, and writes its report on rejected items, with the permissions of the job.
        """
        self._let_use(job, "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
        loads = ["neptune-db:GetLoaderJobStatus", "neptune-db:StartLoaderJob"]
        job.add_to_policy(aws_iam.PolicyStatement(actions=loads, resources=[graph.data_arn]))
        self._let_put(job, library.table_arn)

    def _let_put(self, job: aws_iam.Role, table: str) -> None:
        """Let jobs put items into a table in bulk, by a policy of its own for actions that checkers do not know yet.

        Neither they nor the service authorization reference say of which form the ARN of an operation is, so it is
        taken to be below its table's, as that of an import is:
        https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html.
        """
        statement = aws_iam.PolicyStatement
        policy = aws_iam.Policy(
            self,
            "BulkPut",
            roles=[job],
            statements=[
                statement(actions=["dynamodb:StartBulkPutItems"], resources=[table]),
                statement(actions=["dynamodb:DescribeBulkOperation"], resources=[f"{table}/*"]),
            ],
        )
        acknowledge(
            policy,
            {
                "IAM5[Resource::<Movies.Arn>/*]": "DynamoDB names the operations.",
                "IAM_UNKNOWN_ACTION": "The actions are those of operations that are newer than the checker's list.",
            },
        )
        resource = policy.node.default_child
        assert isinstance(resource, aws_iam.CfnPolicy)  # noqa: S101 - for the type checker
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3037"]}})  # its list is as old

    def _let_use(self, role: aws_iam.Role, *actions: str) -> None:
        """Let a role list the bucket, and do something with its objects."""
        files = self.bucket.arn_for_objects("*")
        role.add_to_policy(aws_iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]))
        role.add_to_policy(aws_iam.PolicyStatement(actions=list(actions), resources=[files]))
        acknowledge(role, {"IAM5[Resource::<BulkLoadsBucket.Arn>/*]": "The files that are loaded, whichever they are."})
