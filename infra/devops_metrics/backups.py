"""Define the backups of InfluxDB: a bucket, a job that fills it on a schedule, and who is told when none succeeds."""

from __future__ import annotations

import json

from aws_cdk import Aws, RemovalPolicy, aws_batch, aws_cloudwatch, aws_ec2, aws_events, aws_iam, aws_s3, aws_scheduler
from constructs import Construct

from contract.metrics import BackupMetric, Namespace
from infra.constructs.alerts import Alerts, alarm
from infra.constructs.bucket import abandoned_uploads, private_bucket, replaced_versions
from infra.constructs.fargate import FargateJobs
from infra.constructs.jobs import failed_jobs
from infra.constructs.network import Network
from infra.constructs.permissions import put_metrics
from infra.constructs.timeseries import InfluxDB
from infra.guardrails import acknowledge
from infra.settings.devops_metrics import DevOpsMetricsSettings

PREFIX = "influxdb"
REQUIREMENTS = "workloads/timeseries/requirements.txt"
VCPUS, MEMORY_MIB = 1, 8192
HOUR_SECONDS = 3600


class Backups(Construct):
    """A versioned bucket, and a job on Fargate that backs up InfluxDB into it, one at a time.

        backups = Backups(
            self, "Backups", settings, influxdb=influxdb, clients=clients, network=network, policy=self.policy
        )
        backups.alarm(self.topic)
        backups.rule(self.topic)

    A job reaches InfluxDB as a member of its clients. It may read the token, describe the stack, send metrics, and
    read, write and delete below one prefix of the bucket, which keeps replaced and deleted versions for some days.

    Attributes:
        bucket: Holds the backup.
        location: Its address, as `groundwork devops-metrics restore --from` takes it.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        settings: DevOpsMetricsSettings,
        *,
        influxdb: InfluxDB,
        clients: aws_ec2.SecurityGroup,
        network: Network,
        policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        self._hours = settings.backup_schedule_hours
        self.bucket: aws_s3.Bucket = private_bucket(
            self,
            "Bucket",
            policy=policy,
            why_no_access_log="One job writes it; CloudTrail's data events can tell who else reads it.",
            rules=[replaced_versions(settings.backup_days), abandoned_uploads()],
            versioned=True,
        )
        self.location = f"s3://{self.bucket.bucket_name}/{PREFIX}"
        jobs = FargateJobs(
            self,
            "Jobs",
            group=clients,
            image=settings.image,
            description="Permissions of the job that backs up InfluxDB.",
            log_retention_days=settings.log_retention_days,
            policy=policy,
        )
        self._permit(jobs.role, influxdb)
        self.queue, job = jobs.make(
            subnet_ids=network.subnet_ids,
            routes=network.routes,
            code=settings.code,
            requirements=REQUIREMENTS,
            arguments=[
                *("devops-metrics", "backup", "--stack", Aws.STACK_NAME),
                *("--to", self.location, "--tell-alarm"),
            ],
            timeout_seconds=self._hours * HOUR_SECONDS,
            memory_mib=MEMORY_MIB,
            vcpus=VCPUS,
            most_vcpus=VCPUS,  # two must not write into one backup at the same time
        )
        self._schedule(job, influxdb)

    def _permit(self, role: aws_iam.Role, influxdb: InfluxDB) -> None:
        for actions, resource in (
            (["secretsmanager:GetSecretValue"], influxdb.secret.secret_arn),
            (
                ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                self.bucket.arn_for_objects(f"{PREFIX}/*"),
            ),
        ):
            role.add_to_policy(aws_iam.PolicyStatement(actions=actions, resources=[resource]))
        role.add_to_policy(
            aws_iam.PolicyStatement(
                actions=["s3:ListBucket"],
                resources=[self.bucket.bucket_arn],
                conditions={"StringLike": {"s3:prefix": f"{PREFIX}/*"}},
            )
        )
        role.add_to_policy(put_metrics(Namespace.DEVOPS_METRICS))
        acknowledge(
            role,
            {
                "IAM5[Resource::*]": "Metrics know no resource.",
                f"IAM5[Resource::<BackupsBucket.Arn>/{PREFIX}/*]": "The files of the backup.",
            },
        )

    def _schedule(self, job: aws_batch.CfnJobDefinition, influxdb: InfluxDB) -> None:
        """Submit the job at a rate, once all that it needs is there."""
        role = aws_iam.Role(
            self,
            "ScheduleRole",
            assumed_by=aws_iam.ServicePrincipal(
                "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
            description="Lets the schedule submit the job.",
        )
        role.add_to_policy(
            aws_iam.PolicyStatement(
                actions=["batch:SubmitJob"], resources=[self.queue.attr_job_queue_arn, job.attr_job_definition_arn]
            )
        )
        request = {"JobName": "backup", "JobQueue": self.queue.attr_job_queue_arn, "JobDefinition": job.ref}
        schedule = aws_scheduler.CfnSchedule(
            self,
            "Schedule",
            schedule_expression=f"rate({self._hours * 60} minutes)",
            flexible_time_window=aws_scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=aws_scheduler.CfnSchedule.TargetProperty(
                arn=f"arn:{Aws.PARTITION}:scheduler:::aws-sdk:batch:submitJob",
                role_arn=role.role_arn,
                input=json.dumps(request),
            ),
        )
        schedule.node.add_dependency(role, influxdb.ready)

    def alarm(self, topic: Alerts) -> aws_cloudwatch.CfnAlarm:
        """Make the alarm that goes off when no backup has succeeded for more than two periods of the schedule."""
        hours = 2 * self._hours + 1
        return alarm(
            topic,
            "BackupMissing",
            what_to_do="InfluxDB was not backed up for more than two periods of the schedule. Read the log of the job "
            "in Batch. docs/restore.md says what it needs.",
            runbook="a-backup-is-missing",
            namespace=Namespace.DEVOPS_METRICS,
            metric=BackupMetric.SUCCEEDED,
            dimensions={"Stack": Aws.STACK_NAME},
            period_seconds=HOUR_SECONDS,
            datapoints_to_alarm=hours,
            evaluation_periods=hours,
            on_silence=True,
        )

    def rule(self, topic: Alerts) -> aws_events.CfnRule:
        """Make the rule that mails why a backup failed. `tell` lets it publish."""
        message = {
            "what happened": "The backup of InfluxDB failed: job <job>.",
            "reason": "<reason>",
            "what to do": "Read its log, and correct the cause. The next backup goes on where this one stopped.",
        }
        return failed_jobs(topic, [self.queue], message=message)
