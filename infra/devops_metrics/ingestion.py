"""Define jobs that ingest files from S3: a queue that scales to zero, and whom it lets read and write what."""

from __future__ import annotations

from aws_cdk import Aws, RemovalPolicy, aws_batch, aws_ec2, aws_iam, aws_s3
from constructs import Construct

from contract.metrics import Namespace
from infra.constructs.bucket import abandoned_uploads, private_bucket
from infra.constructs.fargate import FargateJobs
from infra.constructs.network import Network
from infra.constructs.permissions import put_metrics
from infra.guardrails import acknowledge
from infra.settings.devops_metrics import DevOpsMetricsSettings

PREFIX = "ingestion"
REQUIREMENTS = "workloads/timeseries/requirements.txt"
VCPUS, MEMORY_MIB, MOST_VCPUS = 1, 2048, 16
DAY_SECONDS = 86_400


def files_bucket(scope: Construct, *, policy: RemovalPolicy) -> aws_s3.Bucket:
    """Make the bucket for files that are to be ingested.

        files = files_bucket(self, policy=self.policy)

    Args:
        scope: Where it stands.
        policy: What becomes of the bucket when its stack goes.
    """
    return private_bucket(
        scope,
        "Files",
        policy=policy,
        why_no_access_log="The stack's jobs read it; CloudTrail's data events can tell who else does.",
        why_not_versioned="Its files are copies, whose rows are in the database once they are ingested.",
        rules=[abandoned_uploads()],
    )


def reading(files: aws_s3.Bucket, reports: aws_s3.Bucket) -> list[aws_iam.PolicyStatement]:
    """Return the permissions to read the files, and to read and write the reports on them.

    Args:
        files: The bucket of the files.
        reports: The bucket of the reports, which are below one prefix.
    """
    return [
        aws_iam.PolicyStatement(actions=["s3:ListBucket"], resources=[files.bucket_arn]),
        aws_iam.PolicyStatement(actions=["s3:GetObject"], resources=[files.arn_for_objects("*")]),
        aws_iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[reports.bucket_arn],
            conditions={"StringLike": {"s3:prefix": f"{PREFIX}/*"}},
        ),
        aws_iam.PolicyStatement(
            actions=["s3:GetObject", "s3:PutObject"], resources=[reports.arn_for_objects(f"{PREFIX}/*")]
        ),
    ]


REASONS = {
    "IAM5[Resource::<Files.Arn>/*]": "The files that are ingested.",
    f"IAM5[Resource::<Reports.Arn>/{PREFIX}/*]": "The reports on the files that were ingested.",
}
"""Why `reading` names objects by a pattern, by finding."""


class Ingestion(Construct):
    """Jobs on Fargate, of which `groundwork devops-metrics ingest --jobs` submits as many as somebody asks for.

        ingestion = Ingestion(
            self, "Ingestion", settings, secret=secret, clients=clients, network=network, files=files, reports=reports,
            policy=self.policy,
        )

    A job reaches InfluxDB as a member of its clients. It may read the token and the files, and write reports.

    Attributes:
        queue: The queue of the jobs.
        job: Their definition, whose parameter `plan` is the address of what they do.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        settings: DevOpsMetricsSettings,
        *,
        secret: str,
        clients: aws_ec2.SecurityGroup,
        network: Network,
        files: aws_s3.Bucket,
        reports: aws_s3.Bucket,
        policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        jobs = FargateJobs(
            self,
            "Jobs",
            group=clients,
            image=settings.image,
            description="Permissions of the jobs that ingest files from S3.",
            log_retention_days=settings.log_retention_days,
            policy=policy,
        )
        jobs.role.add_to_policy(aws_iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[secret]))
        for statement in (*reading(files, reports), put_metrics(Namespace.DEVOPS_METRICS)):
            jobs.role.add_to_policy(statement)
        acknowledge(jobs.role, {"IAM5[Resource::*]": "Metrics know no resource.", **REASONS})
        self.queue: aws_batch.CfnJobQueue
        self.job: aws_batch.CfnJobDefinition
        self.queue, self.job = jobs.make(
            subnet_ids=network.subnet_ids,
            routes=network.routes,
            code=settings.code,
            requirements=REQUIREMENTS,
            arguments=["devops-metrics", "ingest-part", "Ref::plan", "--stack", Aws.STACK_NAME],
            timeout_seconds=DAY_SECONDS,
            memory_mib=MEMORY_MIB,
            vcpus=VCPUS,
            most_vcpus=MOST_VCPUS,
            parameters={"plan": ""},
        )

    def submitting(self) -> list[aws_iam.PolicyStatement]:
        """Return the permissions to submit the jobs, and to wait for them."""
        return [
            aws_iam.PolicyStatement(
                actions=["batch:SubmitJob"], resources=[self.queue.attr_job_queue_arn, self.job.attr_job_definition_arn]
            ),
            aws_iam.PolicyStatement(actions=["batch:DescribeJobs"], resources=["*"]),
        ]
