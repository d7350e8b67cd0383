"""A time series database: Timestream for InfluxDB, private in a network, or Timestream for LiveAnalytics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import (
    Aws,
    CfnRule,
    CfnRuleAssertion,
    Fn,
    RemovalPolicy,
    aws_ec2,
    aws_iam,
    aws_s3,
    aws_timestream,
)
from constructs import Construct, IDependable

from contract.timeseries import INFLUXDB_PORT
from infra.constructs.bucket import private_bucket, rule
from infra.constructs.influxdb_token import InfluxDBToken
from infra.constructs.secrets import login
from infra.constructs.security_groups import let_reach, security_group
from infra.guardrails import acknowledge
from infra.parameters import text

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


ORGANIZATION = "groundwork"


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


def report_bucket(scope: Construct, *, days: int, policy: RemovalPolicy) -> aws_s3.Bucket:
    """Make the bucket for what LiveAnalytics rejects late, and for InfluxDB's own logs.

        reports = report_bucket(self, days=90, policy=self.policy)

    Args:
        scope: Where it stands.
        days: How long an object is kept.
        policy: What becomes of the bucket when its stack goes.
    """
    bucket = private_bucket(
        scope,
        "Reports",
        policy=policy,
        why_no_access_log="It holds logs and reports itself; who reads them is in CloudTrail.",
        rules=[rule("OldReports", expiration_in_days=days)],
    )
    acknowledge(bucket, {"CKV_AWS_21": "Reports are written once, and expire."})
    return bucket


class InfluxDB:
    """A private instance that listens on one port for the security groups that are let in.

        influxdb = InfluxDB(
            self, place=Place(network.vpc, network.subnet_ids), bucket="devops", instance_type="db.influx.medium",
            storage_gib=20, reports=report_bucket(self, days=90, policy=policy), log_retention_days=90,
            log_policy=policy, policy=policy,
        )
        clients = influxdb.clients()

    Attributes:
        endpoint: Its host name.
        secret: Holds the token for its bucket.
        server: Its security group.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        place: Place,
        bucket: str,
        instance_type: str,
        storage_gib: int,
        reports: aws_s3.Bucket,
        log_retention_days: int,
        log_policy: RemovalPolicy,
        policy: RemovalPolicy,
    ) -> None:
        self._scope, self._place = scope, place
        self.server = security_group(scope, "Server", place.vpc, "InfluxDB, for its clients alone.")
        admin = login(
            scope,
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
        reports.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="InfluxDBDeliversLogs",
                principals=[aws_iam.ServicePrincipal("timestream-influxdb.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[reports.arn_for_objects("InfluxLogs/*")],
            )
        )
        instance = aws_timestream.CfnInfluxDBInstance(
            scope,
            "InfluxDB",
            db_instance_type=instance_type,
            allocated_storage=storage_gib,
            db_storage_type="InfluxIOIncludedT1",
            deployment_type="SINGLE_AZ",
            publicly_accessible=False,
            port=INFLUXDB_PORT,
            organization=ORGANIZATION,
            bucket=bucket,
            username=admin.secret_value_from_json("username").unsafe_unwrap(),
            password=admin.secret_value_from_json("password").unsafe_unwrap(),
            vpc_subnet_ids=place.subnet_ids,
            vpc_security_group_ids=[self.server.security_group_id],
            log_delivery_configuration=aws_timestream.CfnInfluxDBInstance.LogDeliveryConfigurationProperty(
                s3_configuration=aws_timestream.CfnInfluxDBInstance.S3ConfigurationProperty(
                    bucket_name=reports.bucket_name, enabled=True
                )
            ),
        )
        instance.apply_removal_policy(policy)
        assert reports.policy  # noqa: S101 - for the type checker
        instance.node.add_dependency(reports.policy, *place.routes)
        self.endpoint = instance.attr_endpoint
        self.secret = InfluxDBToken(
            scope,
            "Token",
            endpoint=self.endpoint,
            organization=ORGANIZATION,
            bucket=bucket,
            admin=admin,
            server=self.server,
            vpc=place.vpc,
            subnet_ids=place.subnet_ids,
            log_retention_days=log_retention_days,
            log_policy=log_policy,
            policy=policy,
        ).secret

    def clients(self) -> aws_ec2.SecurityGroup:
        """Make a security group for whoever writes and asks: its members reach InfluxDB, and AWS."""
        group = security_group(
            self._scope, "Clients", self._place.vpc, "Reaches InfluxDB, and HTTPS.", https_out="HTTPS to AWS"
        )
        let_reach(self._scope, "Server", source=group, target=self.server, port=INFLUXDB_PORT, service="InfluxDB")
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
        CfnRule(
            scope,
            "LiveAnalyticsIsOffered",
            rule_condition=Fn.condition_equals(engine, "liveanalytics"),
            assertions=[
                CfnRuleAssertion(
                    assert_=Fn.condition_contains(LIVEANALYTICS_REGIONS, Aws.REGION),
                    assert_description="Timestream for LiveAnalytics is not offered in this region: choose the engine "
                    "influxdb, or one of " + ", ".join(LIVEANALYTICS_REGIONS),
                )
            ],
        )
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
