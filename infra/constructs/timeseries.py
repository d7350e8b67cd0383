"""A time series database: Timestream for InfluxDB, private in a network, or Timestream for LiveAnalytics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import (
    CfnResource,
    RemovalPolicy,
    aws_ec2,
    aws_iam,
    aws_s3,
    aws_secretsmanager,
    aws_timestream,
)
from constructs import Construct, IDependable

from contract.timeseries import INFLUXDB3, INFLUXDB3_PORT, INFLUXDB_PORT
from infra.constructs.bucket import private_bucket, rule
from infra.constructs.influxdb_token import InfluxDBToken
from infra.constructs.secrets import login
from infra.constructs.security_groups import let_reach, security_group
from infra.guardrails import acknowledge
from infra.parameters import text
from infra.regions import only_where_offered

ORGANIZATION = "groundwork"
REPORT_DAYS = 90


@dataclass(frozen=True)
class Place:
    """Where an instance stands.

    Attributes:
        vpc: Its network.
        subnet_ids: Its subnets.
        routes: What must stand before it, and outlive it.
    """

    vpc: aws_ec2.IVpc
    subnet_ids: list[str]
    routes: Sequence[IDependable] = ()


def report_bucket(scope: Construct, *, policy: RemovalPolicy) -> aws_s3.Bucket:
    """Make the bucket for what LiveAnalytics rejects late, and for InfluxDB's own logs; an object is kept for 90 days.

        reports = report_bucket(self, policy=self.policy)

    Args:
        scope: Where it stands.
        policy: What becomes of the bucket when its stack goes.
    """
    return private_bucket(
        scope,
        "Reports",
        policy=policy,
        why_no_access_log="It holds logs and reports itself; CloudTrail shows who reads them.",
        why_not_versioned="Reports are written once, and expire.",
        rules=[rule("OldReports", expiration_in_days=REPORT_DAYS)],
    )


@dataclass(frozen=True)
class Size:
    """Which InfluxDB, and how large.

    Attributes:
        version: 2 or 3.
        instance_type: The instance type.
        storage_gib: The storage of version 2, in GiB.
    """

    version: str
    instance_type: str
    storage_gib: int


class InfluxDB:
    """A private InfluxDB that listens on one port for the security groups that are let in.

        influxdb = InfluxDB(
            self, engine="influxdb", place=Place(network.vpc, network.subnet_ids), buckets={"devops": 0},
            size=Size("2", "db.influx.medium", 20), reports=report_bucket(self, policy=policy),
            log_retention_days=90, log_policy=policy, policy=policy,
        )
        clients = influxdb.clients()

    Attributes:
        endpoint: Its host name.
        port: Its port.
        engine: What the stack publishes as its engine.
        secret: Holds a token: of version 2 for its buckets, of version 3 for everything.
        server: Its security group.
        ready: What must be there before a program can use the secret.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        engine: str,
        place: Place,
        buckets: Mapping[str, int],
        size: Size,
        reports: aws_s3.Bucket,
        log_retention_days: int,
        log_policy: RemovalPolicy,
        policy: RemovalPolicy,
    ) -> None:
        self._scope, self._place, self._size, self._reports = scope, place, size, reports
        is_cluster = size.version == "3"
        kind = "AWS::Timestream::InfluxDBCluster" if is_cluster else "AWS::Timestream::InfluxDBInstance"
        only_where_offered(scope, kind, chosen=(engine, "influxdb"))
        self.server = security_group(scope, "Server", place.vpc, "InfluxDB, for its clients alone.")
        self.port = INFLUXDB3_PORT if is_cluster else INFLUXDB_PORT
        self.engine = INFLUXDB3 if is_cluster else engine
        self.secret: aws_secretsmanager.ISecret
        self.ready: IDependable
        reports.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="InfluxDBDeliversLogs",
                principals=[aws_iam.ServicePrincipal("timestream-influxdb.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[reports.arn_for_objects("InfluxLogs/*")],
            )
        )
        if is_cluster:
            self._cluster(policy)
        else:
            self._instance(buckets, log_retention_days=log_retention_days, log_policy=log_policy, policy=policy)

    def _cluster(self, policy: RemovalPolicy) -> None:
        """Make InfluxDB 3: Timestream makes its token and the secret, and it makes databases when they are written to.

        Every property of InfluxDB 2 that is left out here would make a cluster of InfluxDB 2.
        """
        cluster = aws_timestream.CfnInfluxDBCluster(
            self._scope,
            "InfluxDB3",
            db_instance_type=self._size.instance_type,
            db_parameter_group_identifier="InfluxDBV3Core",
            port=self.port,
            publicly_accessible=False,
            vpc_subnet_ids=self._place.subnet_ids,
            vpc_security_group_ids=[self.server.security_group_id],
            log_delivery_configuration=aws_timestream.CfnInfluxDBCluster.LogDeliveryConfigurationProperty(
                s3_configuration=aws_timestream.CfnInfluxDBCluster.S3ConfigurationProperty(
                    bucket_name=self._reports.bucket_name, enabled=True
                )
            ),
        )
        self._finish(cluster, policy)
        self.ready = cluster
        self.endpoint = cluster.attr_endpoint
        self.secret = aws_secretsmanager.Secret.from_secret_complete_arn(
            self._scope, "InfluxDB3Token", cluster.attr_influx_auth_parameters_secret_arn
        )

    def _instance(
        self, buckets: Mapping[str, int], *, log_retention_days: int, log_policy: RemovalPolicy, policy: RemovalPolicy
    ) -> None:
        """Make InfluxDB 2, and a token for its buckets."""
        admin = login(
            self._scope,
            user="groundwork",
            description="Name and password of InfluxDB's first user.",
            policy=policy,
        )
        acknowledge(
            admin,
            {
                "SMG4": "InfluxDB takes its first password at creation only; what programs use is a token.",
                "CKV_AWS_149": "Encrypted under Secrets Manager's own key; only this account reads it.",
            },
        )
        instance = aws_timestream.CfnInfluxDBInstance(
            self._scope,
            "InfluxDB",
            db_instance_type=self._size.instance_type,
            allocated_storage=self._size.storage_gib,
            db_storage_type="InfluxIOIncludedT1",
            deployment_type="SINGLE_AZ",
            publicly_accessible=False,
            port=self.port,
            organization=ORGANIZATION,
            bucket=next(iter(buckets)),
            username=admin.secret_value_from_json("username").unsafe_unwrap(),
            password=admin.secret_value_from_json("password").unsafe_unwrap(),
            vpc_subnet_ids=self._place.subnet_ids,
            vpc_security_group_ids=[self.server.security_group_id],
            log_delivery_configuration=aws_timestream.CfnInfluxDBInstance.LogDeliveryConfigurationProperty(
                s3_configuration=aws_timestream.CfnInfluxDBInstance.S3ConfigurationProperty(
                    bucket_name=self._reports.bucket_name, enabled=True
                )
            ),
        )
        self._finish(instance, policy)
        self.endpoint = instance.attr_endpoint
        token = InfluxDBToken(
            self._scope,
            "Token",
            endpoint=self.endpoint,
            organization=ORGANIZATION,
            buckets=buckets,
            admin=admin,
            server=self.server,
            vpc=self._place.vpc,
            subnet_ids=self._place.subnet_ids,
            log_retention_days=log_retention_days,
            log_policy=log_policy,
            policy=policy,
        )
        self.secret, self.ready = token.secret, token.token

    def _finish(self, database: CfnResource, policy: RemovalPolicy) -> None:
        """Say what becomes of the database, and make it after what it needs."""
        database.apply_removal_policy(policy)
        assert self._reports.policy  # noqa: S101 - for the type checker
        database.node.add_dependency(self._reports.policy, *self._place.routes)

    def clients(self) -> aws_ec2.SecurityGroup:
        """Make a security group for whoever writes and asks: its members reach InfluxDB, and AWS."""
        group = security_group(
            self._scope, "Clients", self._place.vpc, "Reaches InfluxDB, and HTTPS.", https_out="HTTPS to AWS"
        )
        let_reach(self._scope, "Server", source=group, target=self.server, port=self.port, service="InfluxDB")
        return group


class LiveAnalytics:
    """A database and a table that takes late rows, and reports those that it rejects late.

        series = LiveAnalytics(
            self, engine="liveanalytics", memory_retention_hours=24, magnetic_retention_days=400, reports=reports,
            policy=self.policy,
        )

    Attributes:
        database: The database's name.
        table: The table's name.
        table_arn: The table's ARN.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        engine: str,
        memory_retention_hours: int,
        magnetic_retention_days: int,
        reports: aws_s3.Bucket,
        policy: RemovalPolicy,
    ) -> None:
        only_where_offered(scope, "AWS::Timestream::Database", chosen=(engine, "liveanalytics"))
        database = aws_timestream.CfnDatabase(scope, "Database")
        database.apply_removal_policy(policy)
        table = aws_timestream.CfnTable(
            scope,
            "Table",
            database_name=database.ref,
            retention_properties={
                "MemoryStoreRetentionPeriodInHours": text(memory_retention_hours),
                "MagneticStoreRetentionPeriodInDays": text(magnetic_retention_days),
            },
            magnetic_store_write_properties={
                "EnableMagneticStoreWrites": True,
                "MagneticStoreRejectedDataLocation": {
                    "S3Configuration": {
                        "BucketName": reports.bucket_name,
                        "EncryptionOption": "SSE_S3",
                        "ObjectKeyPrefix": "rejected",
                    }
                },
            },
        )
        table.apply_removal_policy(policy)
        for resource in (database, table):  # cfn-lint warns that the service is in maintenance, and so does the setting
            resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3697"]}})
        acknowledge(
            database, {"TS3": "Encrypted under AWS's own key; a key of the account would cost more than it adds."}
        )
        self.database, self.table, self.table_arn = database.ref, table.attr_name, table.attr_arn
