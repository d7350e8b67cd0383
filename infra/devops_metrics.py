"""Define a time series database for monitoring data, on either engine of Timestream, with two alarms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aws_cdk import Aws, CfnCondition, Duration, Fn, aws_cloudwatch, aws_iam

from contract.metrics import IngestionMetric, Namespace
from contract.stacks import DevOpsMetricsOutput, TimeSeriesOutput
from infra.constructs.alerts import alarm
from infra.constructs.network import Network
from infra.constructs.permissions import put_metrics
from infra.constructs.timeseries import InfluxDB, LiveAnalytics, Place, report_bucket
from infra.guardrails import acknowledge, keep_what_it_needs
from infra.parameters import is_chosen, only_if
from infra.settings.devops_metrics import DevOpsMetricsSettings
from infra.stack import GroundworkStack

DATABASE, TABLE = "devops", "metrics"


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
        self.reports = report_bucket(self, days=self.settings.report_days, policy=self.policy)
        influxdb, liveanalytics = is_chosen(self, self.settings.engine, "influxdb")
        engines = [self._engine(influxdb, self._influxdb), self._engine(liveanalytics, self._liveanalytics)]
        database, table, policy = (_of_chosen(engines, attribute) for attribute in ("database", "table", "policy"))
        self.heading("Whom to tell, and when: rejected rows, and silence.")
        rejected, silence = self._alarms()
        self.heading("What was written and rejected, at a glance.")
        dashboard = self._dashboard()

        self.output(TimeSeriesOutput.ENGINE, self.settings.engine, "Which face of Timestream this is.")
        self.output(TimeSeriesOutput.DATABASE_NAME, database, "Name of the database (of InfluxDB: the bucket).")
        self.output(TimeSeriesOutput.TABLE_NAME, table, "Name of the table (of InfluxDB: the measurement).")
        self.output(
            DevOpsMetricsOutput.INGESTION_POLICY_ARN, policy, "Attach this policy to the role that writes and asks."
        )
        self.output(
            DevOpsMetricsOutput.REPORT_BUCKET_NAME,
            self.reports.bucket_name,
            "Holds rejected records and InfluxDB's logs.",
        )
        self.output_topic()
        self.output(DevOpsMetricsOutput.REJECTED_ALARM_NAME, rejected.ref, "The alarm on rejected rows.")
        self.output(DevOpsMetricsOutput.SILENCE_ALARM_NAME, silence.ref, "The alarm on silence.")
        self.output(DevOpsMetricsOutput.DASHBOARD_NAME, dashboard.dashboard_name, "The metrics in CloudWatch.")

    def _engine(self, chosen: bool | CfnCondition, build: Callable[[], Engine]) -> Engine | None:
        """Build an engine if it is chosen; in a console template, build it under the condition that it is chosen."""
        if chosen is False:
            return None
        before = len(self.node.children)
        engine = build()
        if chosen is True:
            return engine
        only_if(chosen, self.node.children[before:])
        return replace(engine, condition=chosen)

    def _ingestion(self, name: str, permissions: dict[str, list[str]]) -> str:
        """Make a policy for whoever runs `groundwork devops-metrics`, from actions by resource, and return its ARN."""
        policy = aws_iam.ManagedPolicy(self, name, description="Writes monitoring data, and asks for it.")
        policy.add_statements(
            aws_iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Aws.STACK_ID]),
            put_metrics(Namespace.DEVOPS_METRICS),
            *(aws_iam.PolicyStatement(actions=actions, resources=[arn]) for arn, actions in permissions.items()),
        )
        acknowledge(
            policy,
            {
                "IAM5[Resource::*]": "Metrics and Timestream's endpoints know no resource.",
                "IAM5[Resource::<Reports.Arn>/rejected/*]": "Timestream names the reports of late rejections.",
            },
        )
        return policy.managed_policy_arn

    def _influxdb(self) -> Engine:
        self.heading("InfluxDB: private, encrypted, its password in a secret.")
        settings = self.settings
        network = Network(self, "Network", settings, log_retention_days=settings.log_retention_days, policy=self.policy)
        influxdb = InfluxDB(
            self,
            place=Place(network.vpc, network.subnet_ids, network.routes),
            bucket=DATABASE,
            instance_type=settings.instance_type,
            storage_gib=settings.storage_gib,
            reports=self.reports,
            log_retention_days=settings.log_retention_days,
            log_policy=self.policy,
            policy=self.policy,
        )
        keep_what_it_needs(self.policy, influxdb.server, network.vpc, *network.vpc.public_subnets)
        secret = influxdb.secret.secret_arn
        self.output(
            TimeSeriesOutput.ENDPOINT, influxdb.endpoint, "Host name of InfluxDB, reached by HTTPS on port 8086."
        )
        self.output(TimeSeriesOutput.SECRET_ARN, secret, "Secret with a token for InfluxDB.")
        self.output(
            DevOpsMetricsOutput.CLIENT_SECURITY_GROUP_ID,
            influxdb.clients().security_group_id,
            "Members reach InfluxDB.",
        )
        policy = self._ingestion("InfluxDBIngestion", {secret: ["secretsmanager:GetSecretValue"]})
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
            liveanalytics.table_arn: ["timestream:WriteRecords", "timestream:Select", "timestream:DescribeTable"],
            self.reports.arn_for_objects("rejected/*"): ["s3:PutObject"],  # Timestream reports in the writer's name
            "*": ["timestream:DescribeEndpoints"],
        }
        return Engine(
            liveanalytics.database, liveanalytics.table, self._ingestion("LiveAnalyticsIngestion", permissions)
        )

    def _alarms(self) -> tuple[aws_cloudwatch.CfnAlarm, aws_cloudwatch.CfnAlarm]:
        """Make the alarms on what `groundwork devops-metrics ingest` sends, which are the same for both engines."""
        stack = {"Stack": Aws.STACK_NAME}
        rejected = alarm(
            self.topic,
            "RejectedRows",
            what_to_do="Rows could not be written. Read the quarantine file beside the ingested one: it has the line "
            "number and the reason of each. Mend the source or the mapping file, and ingest again: nothing doubles.",
            namespace=Namespace.DEVOPS_METRICS,
            metric=IngestionMetric.ROWS_REJECTED,
            dimensions=stack,
        )
        silence = alarm(
            self.topic,
            "Silence",
            what_to_do="No row was written for a while. Is ingestion running, does its source still grow, and can it "
            "reach the database? It prints what it cannot do.",
            namespace=Namespace.DEVOPS_METRICS,
            metric=IngestionMetric.ROWS_WRITTEN,
            dimensions=stack,
            datapoints_to_alarm=self.settings.silence_minutes,
            evaluation_periods=self.settings.silence_minutes,
            on_silence=True,
        )
        return rejected, silence

    def _dashboard(self) -> aws_cloudwatch.Dashboard:
        dashboard = aws_cloudwatch.Dashboard(self, "Dashboard")
        dashboard.add_widgets(
            *(
                aws_cloudwatch.GraphWidget(
                    title=title,
                    left=[
                        aws_cloudwatch.Metric(
                            namespace=Namespace.DEVOPS_METRICS,
                            metric_name=metric,
                            dimensions_map={"Stack": Aws.STACK_NAME},
                            statistic="Sum",
                            period=Duration.minutes(1),
                            label=title,
                        )
                    ],
                    width=12,
                    height=6,
                )
                for title, metric in (
                    ("rows written a minute", IngestionMetric.ROWS_WRITTEN),
                    ("rows rejected", IngestionMetric.ROWS_REJECTED),
                )
            )
        )
        return dashboard


def _of_chosen(engines: Sequence[Engine | None], attribute: str) -> str:
    """Return an attribute of the chosen engine; in a console template, of the engine whose condition holds."""
    built = [engine for engine in engines if engine]
    first = built[0]
    if len(built) > 1 and first.condition:
        values = (getattr(engine, attribute) for engine in built)
        return Fn.condition_if(first.condition.logical_id, *values).to_string()
    return str(getattr(first, attribute))
