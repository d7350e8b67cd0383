"""Define the time series of rentals, on either engine of Timestream."""

from __future__ import annotations

from aws_cdk import Aws, RemovalPolicy, aws_ec2, aws_iam
from constructs import Construct

from contract.stacks import TimeSeriesOutput
from infra.constructs.security_groups import let_reach
from infra.constructs.timeseries import InfluxDB, LiveAnalytics, Place, Size, report_bucket
from infra.data_ecosystem.network import EcosystemNetwork
from infra.guardrails import acknowledge
from infra.settings.data_ecosystem import DataEcosystemSettings

BUCKET, TABLE = "rental", "rentals"


class Trends(Construct):
    """A time series with one point per rental; it is deleted with its stack, since PostgreSQL has all of its data.

    Attributes:
        outputs: Name, value and description of the outputs, which DevOpsMetrics has for its engine too.
        environment: The environment variables of a function that writes to it.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        settings: DataEcosystemSettings,
        network: EcosystemNetwork,
        policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        self._network = network
        self._influxdb: InfluxDB | None = None
        self._table: LiveAnalytics | None = None
        self._cell = settings.timestream_cell
        self._reports = report_bucket(self, policy=policy)
        database, table, outputs = BUCKET, TABLE, {}
        published: str = settings.engine
        if settings.engine == "influxdb":
            influxdb = self._influxdb = InfluxDB(
                self,
                engine=settings.engine,
                place=Place(network.vpc, network.isolated_subnets),
                buckets={BUCKET: 0},
                size=Size(settings.influxdb_version, settings.influxdb_instance_type, settings.influxdb_storage_gib),
                reports=self._reports,
                log_retention_days=settings.log_retention_days,
                log_policy=policy,
                policy=RemovalPolicy.DESTROY,
            )
            published = influxdb.engine
            outputs = {
                TimeSeriesOutput.ENDPOINT: (
                    influxdb.endpoint,
                    f"Host name of InfluxDB, reached by HTTPS on port {influxdb.port}.",
                ),
                TimeSeriesOutput.SECRET_ARN: (
                    influxdb.secret.secret_arn,
                    "Secret with a token for InfluxDB.",
                ),
            }
        else:
            liveanalytics = self._table = LiveAnalytics(
                self,
                engine=settings.engine,
                memory_retention_hours=settings.memory_retention_hours,
                magnetic_retention_days=settings.magnetic_retention_days,
                reports=self._reports,
                policy=RemovalPolicy.DESTROY,
            )
            database, table = liveanalytics.database, liveanalytics.table
        self.environment = {"ENGINE": published, "DATABASE": database, "TABLE": table}
        if self._table:  # nothing in the network can ask Timestream for the account's address
            address = f"https://{settings.timestream_cell}.timestream.{Aws.REGION}.{Aws.URL_SUFFIX}"
            self.environment["AWS_ENDPOINT_URL_TIMESTREAM_WRITE"] = address
        if TimeSeriesOutput.ENDPOINT in outputs:
            self.environment |= {
                "INFLUXDB_ENDPOINT": outputs[TimeSeriesOutput.ENDPOINT][0],
                "INFLUXDB_SECRET": outputs[TimeSeriesOutput.SECRET_ARN][0],
            }
        self.outputs = [
            (TimeSeriesOutput.ENGINE, published, "Which face of Timestream holds the trends."),
            (TimeSeriesOutput.DATABASE_NAME, database, "Name of its database (of InfluxDB: the bucket)."),
            (TimeSeriesOutput.TABLE_NAME, table, "Name of its table (of InfluxDB: the measurement)."),
            *((name, *output) for name, output in outputs.items()),
        ]

    def let_in(
        self, rotation: aws_ec2.SecurityGroup | None, **clients: aws_ec2.SecurityGroup
    ) -> aws_ec2.InterfaceVpcEndpoint | None:
        """Let clients reach the engine, and the services that functions without a way out need beside it.

        Args:
            rotation: The group of a function that changes a password, which calls Secrets Manager, too.
            clients: The groups of those who write and ask.

        Returns:
            The endpoint of Secrets Manager, if the stack makes one.
        """
        for client, group in clients.items():
            if self._influxdb:
                way = Construct(self, f"From{client}")
                server, port = self._influxdb.server, self._influxdb.port
                let_reach(way, "InfluxDB", source=group, target=server, port=port, service="InfluxDB", client=client)
        if not self._influxdb:
            self._network.endpoint("Timestream", f"timestream.{self._cell}", **clients)
        if not (self._influxdb or rotation):
            return None
        callers = clients | ({"Rotation": rotation} if rotation else {})
        return self._network.endpoint("Secrets", "secretsmanager", **callers)

    def permit(self, *, job: aws_iam.Role, projector: aws_iam.Role) -> None:
        """Let jobs write and query, and the projector write."""
        if self._influxdb:
            for role in (job, projector):
                self._influxdb.secret.grant_read(role)
            return
        assert self._table  # noqa: S101 - one or the other
        for role, asking in ((job, ["timestream:Select", "timestream:DescribeTable"]), (projector, [])):
            for actions, resource in (
                (["timestream:WriteRecords", *asking], self._table.table_arn),
                (["s3:PutObject"], self._reports.arn_for_objects("rejected/*")),
                (["timestream:DescribeEndpoints"], "*"),
            ):
                role.add_to_policy(aws_iam.PolicyStatement(actions=actions, resources=[resource]))
            acknowledge(
                role,
                {
                    "IAM5[Resource::*]": "Timestream's endpoints know no resource.",
                    "IAM5[Resource::<TrendsReports.Arn>/rejected/*]": "Timestream names the reports.",
                },
            )
