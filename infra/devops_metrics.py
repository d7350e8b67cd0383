"""A time series database for monitoring data, on either face of Timestream, watched by two alarms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aws_cdk import (
    Aws,
    CfnCondition,
    CfnRule,
    CfnRuleAssertion,
    Duration,
    Fn,
    Stack,
    aws_cloudwatch,
    aws_ec2,
    aws_iam,
    aws_s3,
    aws_secretsmanager,
    aws_timestream,
)
from constructs import Construct

from infra.alerts import AlertTopic, alarm
from infra.config import Config
from infra.guardrails import acknowledge, data_policy
from infra.network import Network
from infra.parameters import is_chosen, only_if, text
from infra.stack import GroundworkStack

METRICS = "Groundwork/DevOpsMetrics"
DATABASE, TABLE = "devops", "metrics"
PORT = 8086
#: Where Timestream for LiveAnalytics is offered (AWS General Reference, "Timestream endpoints and quotas").
LIVEANALYTICS_REGIONS = [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "us-gov-west-1",
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-2",
    "eu-central-1",
    "eu-west-1",
]


@dataclass(frozen=True)
class Engine:
    """What the stack tells about an engine.

    Attributes:
        database: name of its database.
        table: name of its table.
        policy: ARN of the policy of who uses it.
        condition: in a console template, whether it is created.
    """

    database: str
    table: str
    policy: str
    condition: CfnCondition | None = None


class DevOpsMetrics(GroundworkStack):
    """The database, who may write to it, and what tells when nobody does."""

    DESCRIPTION = "A time series database for monitoring data: Timestream for InfluxDB or for LiveAnalytics."

    def __init__(self, scope: Construct, name: str, config: Config | Callable[[Stack], Config], **options: Any) -> None:
        super().__init__(scope, name, config, **options)
        self.settings = self.config.devops_metrics
        self.policy = data_policy(
            delete_data=self.settings.delete_data, allow_data_deletion=self.config.allow_data_deletion
        )
        self.heading("Records that LiveAnalytics rejects late, and InfluxDB's own logs.")
        self.reports = self._reports()
        influxdb, other = is_chosen(self, self.settings.engine, "influxdb")
        engines = [self._engine(influxdb, self._influxdb), self._engine(other, self._liveanalytics)]
        database, table, policy = (_of_the_chosen(engines, part) for part in ("database", "table", "policy"))
        self.heading("Whom to tell, and when: rejected rows, and silence.")
        topic = AlertTopic(self, "Topic", email=self.settings.email)
        rejected, silence = self._alarms(topic)
        self.heading("What was written and rejected, at a glance.")
        dashboard = self._dashboard()

        self.output("Engine", self.settings.engine, "Which face of Timestream this is.")
        self.output("DatabaseName", database, "Name of the database (of InfluxDB: the bucket).")
        self.output("TableName", table, "Name of the table (of InfluxDB: the measurement).")
        self.output("IngestionPolicyArn", policy, "Attach this policy to the role that writes and asks.")
        self.output("ReportBucketName", self.reports.bucket_name, "Holds rejected records and InfluxDB's logs.")
        self.output("TopicArn", topic.topic_arn, "Where alarms are published; subscribe to it to be told.")
        self.output("RejectedAlarmName", rejected.ref, "The alarm on rejected rows.")
        self.output("SilenceAlarmName", silence.ref, "The alarm on silence.")
        self.output("DashboardName", dashboard.dashboard_name, "The metrics in CloudWatch.")

    def _engine(self, chosen: bool | CfnCondition, build: Callable[[], Engine]) -> Engine | None:
        """Build an engine if it is chosen, or, in a console template, so that it is created if it is chosen."""
        if chosen is False:
            return None
        before = len(self.node.children)
        engine = build()
        if chosen is True:
            return engine
        only_if(chosen, self.node.children[before:])
        return replace(engine, condition=chosen)

    def _reports(self) -> aws_s3.Bucket:
        bucket = aws_s3.Bucket(
            self,
            "Reports",
            encryption=aws_s3.BucketEncryption.S3_MANAGED,
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            removal_policy=self.policy,
        )
        resource = bucket.node.default_child
        assert isinstance(resource, aws_s3.CfnBucket)  # noqa: S101 - for the type checker
        rule = aws_s3.CfnBucket.RuleProperty(
            id="OldReports", status="Enabled", expiration_in_days=self.settings.report_days
        )
        resource.lifecycle_configuration = aws_s3.CfnBucket.LifecycleConfigurationProperty(rules=[rule])
        acknowledge(bucket, {"S1": "It holds logs and reports itself; who reads them is in CloudTrail."})
        return bucket

    def _ingestion(self, name: str, permissions: dict[str, list[str]]) -> str:
        """ARN of a policy for whoever runs `groundwork devops-metrics`: permissions are actions by resource."""
        policy = aws_iam.ManagedPolicy(self, name, description="Writes monitoring data, and asks for it.")
        policy.add_statements(
            aws_iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Aws.STACK_ID]),
            aws_iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": METRICS}},
            ),
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
        """A private instance, reached on one port by members of one security group."""
        self.heading("InfluxDB: private, encrypted, its password in a secret.")
        settings = self.settings
        network = Network(self, "Network", settings, log_retention_days=settings.log_retention_days, policy=self.policy)
        clients = aws_ec2.SecurityGroup(
            self, "Clients", vpc=network.vpc, allow_all_outbound=False, description="Reaches InfluxDB, and HTTPS."
        )
        server = aws_ec2.SecurityGroup(
            self, "Server", vpc=network.vpc, allow_all_outbound=False, description="InfluxDB, for its clients alone."
        )
        # As resources of their own: the groups refer to each other.
        aws_ec2.CfnSecurityGroupIngress(
            self,
            "FromClients",
            description="InfluxDB from its clients",
            group_id=server.security_group_id,
            source_security_group_id=clients.security_group_id,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
        )
        aws_ec2.CfnSecurityGroupEgress(
            self,
            "ToServer",
            description="InfluxDB",
            group_id=clients.security_group_id,
            destination_security_group_id=server.security_group_id,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
        )
        clients.add_egress_rule(aws_ec2.Peer.any_ipv4(), aws_ec2.Port.tcp(443), "HTTPS to AWS")
        secret = aws_secretsmanager.Secret(
            self,
            "Access",
            description="Name and password of InfluxDB's first user; add a key token for InfluxDB 2.",
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(
                secret_string_template='{"username": "groundwork"}',  # noqa: S106 - no password
                generate_string_key="password",
                exclude_punctuation=True,
                password_length=40,
            ),
            removal_policy=self.policy,
        )
        acknowledge(
            secret, {"SMG4": "InfluxDB takes its first password at creation only; tokens are rotated in InfluxDB."}
        )
        self.reports.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="InfluxDBDeliversLogs",
                principals=[aws_iam.ServicePrincipal("timestream-influxdb.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[self.reports.arn_for_objects("InfluxLogs/*")],
            )
        )
        influxdb = aws_timestream.CfnInfluxDBInstance(
            self,
            "InfluxDB",
            db_instance_type=settings.instance_type,
            allocated_storage=settings.storage_gib,
            db_storage_type="InfluxIOIncludedT1",
            deployment_type="SINGLE_AZ",
            publicly_accessible=False,
            port=PORT,
            organization="groundwork",
            bucket=DATABASE,
            username=secret.secret_value_from_json("username").unsafe_unwrap(),
            password=secret.secret_value_from_json("password").unsafe_unwrap(),
            vpc_subnet_ids=network.subnet_ids,
            vpc_security_group_ids=[server.security_group_id],
            log_delivery_configuration=aws_timestream.CfnInfluxDBInstance.LogDeliveryConfigurationProperty(
                s3_configuration=aws_timestream.CfnInfluxDBInstance.S3ConfigurationProperty(
                    bucket_name=self.reports.bucket_name, enabled=True
                )
            ),
        )
        influxdb.apply_removal_policy(self.policy)
        assert self.reports.policy  # noqa: S101 - for the type checker
        influxdb.node.add_dependency(self.reports.policy, *network.routes)
        self.output("Endpoint", influxdb.attr_endpoint, "Host name of InfluxDB, reached by HTTPS on port 8086.")
        self.output("SecretArn", secret.secret_arn, "Secret with InfluxDB's user, password and token.")
        self.output("ClientSecurityGroupId", clients.security_group_id, "Members reach InfluxDB.")
        return Engine(
            DATABASE,
            TABLE,
            self._ingestion("InfluxDBIngestion", {secret.secret_arn: ["secretsmanager:GetSecretValue"]}),
        )

    def _liveanalytics(self) -> Engine:
        """Database and table; late rows are taken, and those rejected late are reported."""
        self.heading("LiveAnalytics: database and table.")
        settings = self.settings
        CfnRule(
            self,
            "LiveAnalyticsIsOffered",
            rule_condition=Fn.condition_equals(settings.engine, "liveanalytics"),
            assertions=[
                CfnRuleAssertion(
                    assert_=Fn.condition_contains(LIVEANALYTICS_REGIONS, Aws.REGION),
                    assert_description="Timestream for LiveAnalytics is not offered in this region: choose the engine "
                    "influxdb, or one of " + ", ".join(LIVEANALYTICS_REGIONS),
                )
            ],
        )
        database = aws_timestream.CfnDatabase(self, "Database")
        database.apply_removal_policy(self.policy)
        table = aws_timestream.CfnTable(
            self,
            "Table",
            database_name=database.ref,
            retention_properties={
                "MemoryStoreRetentionPeriodInHours": text(settings.memory_retention_hours),
                "MagneticStoreRetentionPeriodInDays": text(settings.magnetic_retention_days),
            },
            magnetic_store_write_properties={
                "EnableMagneticStoreWrites": True,
                "MagneticStoreRejectedDataLocation": {
                    "S3Configuration": {
                        "BucketName": self.reports.bucket_name,
                        "EncryptionOption": "SSE_S3",
                        "ObjectKeyPrefix": "rejected",
                    }
                },
            },
        )
        table.apply_removal_policy(self.policy)
        for resource in (database, table):  # cfn-lint warns of a service in maintenance: that is what the setting says
            resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3697"]}})
        acknowledge(
            database, {"TS3": "Encrypted under AWS's own key; a key of the account would cost more than it adds."}
        )
        permissions = {
            table.attr_arn: ["timestream:WriteRecords", "timestream:Select", "timestream:DescribeTable"],
            self.reports.arn_for_objects("rejected/*"): ["s3:PutObject"],  # Timestream reports in the writer's name
            "*": ["timestream:DescribeEndpoints"],
        }
        return Engine(database.ref, table.attr_name, self._ingestion("LiveAnalyticsIngestion", permissions))

    def _alarms(self, topic: AlertTopic) -> tuple[aws_cloudwatch.CfnAlarm, aws_cloudwatch.CfnAlarm]:
        """Both watch what `groundwork devops-metrics ingest` sends, so they are the same for either engine."""
        stack = {"Stack": Aws.STACK_NAME}
        rejected = alarm(
            topic,
            "RejectedRows",
            what_to_do="Rows could not be written. Read the quarantine file beside the ingested one: it has the line "
            "number and the reason of each. Mend the source or the mapping file, and ingest again: nothing doubles.",
            namespace=METRICS,
            metric="RowsRejected",
            dimensions=stack,
        )
        silence = alarm(
            topic,
            "Silence",
            what_to_do="No row was written for a while. Is ingestion running, does its source still grow, and can it "
            "reach the database? It prints what it cannot do.",
            namespace=METRICS,
            metric="RowsWritten",
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
                            namespace=METRICS,
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
                for title, metric in (("rows written a minute", "RowsWritten"), ("rows rejected", "RowsRejected"))
            )
        )
        return dashboard


def _of_the_chosen(engines: Sequence[Engine | None], part: str) -> str:
    """A part of the engine that is chosen; in a console template, of the one whose condition holds."""
    built = [engine for engine in engines if engine]
    first = built[0]
    if len(built) > 1 and first.condition:
        both = (getattr(engine, part) for engine in built)
        return Fn.condition_if(first.condition.logical_id, *both).to_string()
    return str(getattr(first, part))
