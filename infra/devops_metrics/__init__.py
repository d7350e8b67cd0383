"""Define a time series database for monitoring data, on either engine of Timestream, with alarms and backups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aws_cdk import Aws, CfnCondition, Fn, aws_cloudwatch, aws_iam

from contract.metrics import IngestionMetric, Namespace
from contract.stacks import DevOpsMetricsOutput, TimeSeriesOutput
from contract.timeseries import INFLUXDB3
from infra.constructs.alerts import alarm
from infra.constructs.dashboard import GraphWidget, Line, dashboard
from infra.constructs.jobs import tell
from infra.constructs.network import Network
from infra.constructs.permissions import put_metrics
from infra.constructs.timeseries import InfluxDB, LiveAnalytics, Place, Size, report_bucket
from infra.devops_metrics.backups import Backups
from infra.devops_metrics.ingestion import REASONS, Ingestion, files_bucket, reading
from infra.guardrails import acknowledge, keep_what_it_needs
from infra.parameters import is_chosen, only_if
from infra.settings.devops_metrics import DevOpsMetricsSettings
from infra.stack import GroundworkStack

DATABASE, TABLE, ROLLUPS = "devops", "metrics", "devops_rollups"


@dataclass(frozen=True)
class Engine:
    """An engine, as the stack publishes it.

    Attributes:
        database: Name of its database.
        table: Name of its table.
        policy: ARN of the policy for its users.
        condition: The condition of its creation, in a console template.
    """

    database: str
    table: str
    policy: str
    condition: CfnCondition | None = None


class DevOpsMetrics(GroundworkStack):
    """A stack of the database, a policy for its writers, and alarms on rejected rows and on silence."""

    DESCRIPTION = "A time series database for monitoring data: Timestream for InfluxDB or for LiveAnalytics."
    SECTION = "devops_metrics"
    settings: DevOpsMetricsSettings

    def build(self) -> None:
        """Make the engine that is chosen, its alarms and its dashboard."""
        self.heading("Records that LiveAnalytics rejects late, and InfluxDB's own logs.")
        self.reports = report_bucket(self, policy=self.policy)
        self.heading("Files that are to be ingested.")
        self.files = files_bucket(self, policy=self.policy)
        influxdb, liveanalytics = is_chosen(self, self.settings.engine, "influxdb")
        engines = [self._engine(influxdb, self._influxdb), self._engine(liveanalytics, self._liveanalytics)]
        database, table, policy = (_of_chosen(engines, attribute) for attribute in ("database", "table", "policy"))
        self.heading("Whom to tell, and when: rejected rows, and silence.")
        rejected, silence = self._alarms()
        self._backups(influxdb)
        self.heading("What was written and rejected, at a glance.")
        graphs = self._dashboard()

        version_3 = influxdb is True and self.settings.influxdb_version == "3"
        engine = INFLUXDB3 if version_3 else self.settings.engine
        self.output(TimeSeriesOutput.ENGINE, engine, "Which face of Timestream this is.")
        self.output(TimeSeriesOutput.DATABASE_NAME, database, "Name of the database (of InfluxDB: the bucket).")
        self.output(TimeSeriesOutput.TABLE_NAME, table, "Name of the table (of InfluxDB: the measurement).")
        self.output(
            DevOpsMetricsOutput.INGESTION_POLICY_ARN, policy, "Attach this policy to the role that writes and asks."
        )
        self.output(
            DevOpsMetricsOutput.REPORT_BUCKET_NAME,
            self.reports.bucket_name,
            "Holds rejected records, InfluxDB's logs and the reports on files that were ingested.",
        )
        self.output(DevOpsMetricsOutput.FILES_BUCKET_NAME, self.files.bucket_name, "Holds files to ingest.")
        self.output_topic()
        self.output(DevOpsMetricsOutput.REJECTED_ALARM_NAME, rejected.ref, "The alarm on rejected rows.")
        self.output(DevOpsMetricsOutput.SILENCE_ALARM_NAME, silence.ref, "The alarm on silence.")
        self.output(DevOpsMetricsOutput.DASHBOARD_NAME, graphs.ref, "The metrics in CloudWatch.")

    def _backups(self, chosen: bool | CfnCondition) -> None:
        """Make the backups of InfluxDB, if there is InfluxDB and somebody wants them, and say when they fail."""
        if chosen is False or not self.settings.backup_schedule_hours:
            return
        self.heading("InfluxDB's backups: a job on a schedule.")
        before = len(self.node.children)
        backups = Backups(
            self,
            "Backups",
            self.settings,
            influxdb=self.influxdb,
            clients=self.clients,
            network=self.network,
            policy=self.policy,
        )
        missing, failed = backups.alarm(self.topic), backups.rule(self.topic)
        self.output(DevOpsMetricsOutput.BACKUP_LOCATION, backups.location, "Where the backup of InfluxDB is.")
        self.output(DevOpsMetricsOutput.BACKUP_ALARM_NAME, missing.ref, "The alarm on backups that do not succeed.")
        self._only_if(chosen, before)  # the topic's policy names the rule where there is one
        tell(self.topic, {failed: "no e-mail was sent about a failed backup"})
        self._only_if(chosen, before)

    def _only_if(self, chosen: bool | CfnCondition, first: int) -> None:
        """In a console template, make what was built since then only under the condition."""
        if isinstance(chosen, CfnCondition):
            only_if(chosen, self.node.children[first:])

    def _engine(self, chosen: bool | CfnCondition, build: Callable[[], Engine]) -> Engine | None:
        """Build an engine if it is chosen; in a console template, build it under the condition that it is chosen."""
        if chosen is False:
            return None
        before = len(self.node.children)
        engine = build()
        self._only_if(chosen, before)
        return replace(engine, condition=chosen) if isinstance(chosen, CfnCondition) else engine

    def _ingestion(
        self,
        name: str,
        permissions: dict[str, list[str]],
        *statements: aws_iam.PolicyStatement,
        **reasons: str,
    ) -> str:
        """Make a policy for whoever runs `groundwork devops-metrics`, from actions by resource, and return its ARN.

        Args:
            name: Its construct's name.
            permissions: The actions by resource.
            statements: Further permissions.
            reasons: Why it names resources by a pattern, by finding.
        """
        policy = aws_iam.ManagedPolicy(self, name, description="Writes monitoring data, and asks for it.")
        policy.add_statements(
            aws_iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Aws.STACK_ID]),
            put_metrics(Namespace.DEVOPS_METRICS),
            *(aws_iam.PolicyStatement(actions=actions, resources=[arn]) for arn, actions in permissions.items()),
            *reading(self.files, self.reports),
            *statements,
        )
        reason = "Metrics, Timestream's endpoints and descriptions of jobs know no resource."
        acknowledge(policy, {"IAM5[Resource::*]": reason, **REASONS, **reasons})
        return policy.managed_policy_arn

    def _influxdb(self) -> Engine:
        self.heading("InfluxDB: private, encrypted, its password in a secret.")
        settings = self.settings
        network = self.network = Network(
            self, "Network", settings, log_retention_days=settings.log_retention_days, policy=self.policy
        )
        influxdb = self.influxdb = InfluxDB(
            self,
            engine=settings.engine,
            place=Place(network.vpc, network.subnet_ids, network.routes),
            buckets={DATABASE: settings.raw_days, ROLLUPS: settings.rollup_days},
            size=Size(settings.influxdb_version, settings.instance_type, settings.storage_gib),
            reports=self.reports,
            log_retention_days=settings.log_retention_days,
            log_policy=self.policy,
            policy=self.policy,
        )
        keep_what_it_needs(self.policy, influxdb.server, network.vpc, *network.vpc.public_subnets)
        secret = influxdb.secret.secret_arn
        self.output(
            TimeSeriesOutput.ENDPOINT,
            influxdb.endpoint,
            f"Host name of InfluxDB, reached by HTTPS on port {influxdb.port}.",
        )
        self.output(TimeSeriesOutput.SECRET_ARN, secret, "Secret with a token for InfluxDB.")
        if settings.influxdb_version == "2":  # InfluxDB 3 can neither delete nor keep rollups longer than rows
            self.output(DevOpsMetricsOutput.ROLLUP_BUCKET_NAME, ROLLUPS, "Name of InfluxDB's bucket of rollups.")
        self.clients = influxdb.clients()
        self.output(
            DevOpsMetricsOutput.CLIENT_SECURITY_GROUP_ID,
            self.clients.security_group_id,
            "Members reach InfluxDB.",
        )
        jobs = Ingestion(
            self,
            "Ingestion",
            settings,
            secret=secret,
            clients=self.clients,
            network=network,
            files=self.files,
            reports=self.reports,
            policy=self.policy,
        )
        self.output(DevOpsMetricsOutput.INGESTION_QUEUE_ARN, jobs.queue.attr_job_queue_arn, "Queue of `ingest --jobs`.")
        self.output(DevOpsMetricsOutput.INGESTION_JOB_DEFINITION_ARN, jobs.job.ref, "Job of `ingest --jobs`.")
        policy = self._ingestion("InfluxDBIngestion", {secret: ["secretsmanager:GetSecretValue"]}, *jobs.submitting())
        return Engine(DATABASE, TABLE, policy)

    def _liveanalytics(self) -> Engine:
        self.heading("LiveAnalytics: database and table.")
        settings = self.settings
        liveanalytics = LiveAnalytics(
            self,
            engine=settings.engine,
            memory_retention_hours=settings.memory_retention_hours,
            magnetic_retention_days=settings.magnetic_retention_days,
            reports=self.reports,
            policy=self.policy,
        )
        permissions = {
            liveanalytics.table_arn: [
                *("timestream:WriteRecords", "timestream:Select", "timestream:DescribeTable"),
                "timestream:CreateBatchLoadTask",
            ],
            self.reports.arn_for_objects("rejected/*"): ["s3:PutObject"],  # Timestream reports in the writer's name
            self.files.bucket_arn: ["s3:GetBucketAcl"],  # whoever creates a batch load task needs this permission
            self.reports.bucket_arn: ["s3:GetBucketAcl"],
            "*": [
                *("timestream:DescribeEndpoints", "timestream:DescribeBatchLoadTask"),
                "timestream:ResumeBatchLoadTask",
            ],
        }
        reports = {"IAM5[Resource::<Reports.Arn>/rejected/*]": "Timestream names the reports of late rejections."}
        policy = self._ingestion("LiveAnalyticsIngestion", permissions, **reports)
        return Engine(liveanalytics.database, liveanalytics.table, policy)

    def _alarms(self) -> tuple[aws_cloudwatch.CfnAlarm, aws_cloudwatch.CfnAlarm]:
        """Make the alarms on what `groundwork devops-metrics ingest` sends, which are the same for both engines."""
        stack = {"Stack": Aws.STACK_NAME}
        rejected = alarm(
            self.topic,
            "RejectedRows",
            what_to_do="Rows could not be written. Read the quarantine file beside the ingested one: it has the line "
            "number and the reason of each. Correct the source or the mapping file, and ingest again: nothing doubles.",
            runbook="monitoring-data-is-missing",
            namespace=Namespace.DEVOPS_METRICS,
            metric=IngestionMetric.ROWS_REJECTED,
            dimensions=stack,
        )
        silence = alarm(
            self.topic,
            "Silence",
            what_to_do="No row was written for a while. Check that ingestion is running, that its source grows, and "
            "that it reaches the database. It prints what it cannot do.",
            runbook="monitoring-data-is-missing",
            namespace=Namespace.DEVOPS_METRICS,
            metric=IngestionMetric.ROWS_WRITTEN,
            dimensions=stack,
            datapoints_to_alarm=self.settings.silence_minutes,
            evaluation_periods=self.settings.silence_minutes,
            on_silence=True,
        )
        return rejected, silence

    def _dashboard(self) -> aws_cloudwatch.CfnDashboard:
        dimensions = {"Stack": Aws.STACK_NAME}
        return dashboard(
            self,
            [
                GraphWidget(
                    title,
                    Namespace.DEVOPS_METRICS,
                    [Line(metric, dimensions, "Sum", title)],
                    "rows a minute",
                    width=12,
                )
                for title, metric in (
                    ("rows written", IngestionMetric.ROWS_WRITTEN),
                    ("rows rejected", IngestionMetric.ROWS_REJECTED),
                )
            ],
        )


def _of_chosen(engines: Sequence[Engine | None], attribute: str) -> str:
    """Return an attribute of the chosen engine; in a console template, of the engine whose condition holds."""
    built = [engine for engine in engines if engine]
    first = built[0]
    if len(built) > 1 and first.condition:
        values = (getattr(engine, attribute) for engine in built)
        return Fn.condition_if(first.condition.logical_id, *values).to_string()
    return str(getattr(first, attribute))
