"""Timestream's two faces as constructs that stacks share: for InfluxDB, private in a network; for LiveAnalytics."""

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
    aws_secretsmanager,
    aws_timestream,
)
from constructs import Construct, IDependable

from infra.constructs.security_groups import let_reach
from infra.guardrails import acknowledge
from infra.parameters import text

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
class Place:
    """Where an instance stands.

    Attributes:
        vpc: its network.
        subnet_ids: its subnets.
        routes: what must stand before it, and outlive it.
    """

    vpc: aws_ec2.IVpc
    subnet_ids: list[str]
    routes: Sequence[IDependable] = ()


def report_bucket(scope: Construct, *, days: int, policy: RemovalPolicy) -> aws_s3.Bucket:
    """The bucket of what LiveAnalytics rejects late, and of InfluxDB's own logs, kept for some days."""
    bucket = aws_s3.Bucket(
        scope,
        "Reports",
        encryption=aws_s3.BucketEncryption.S3_MANAGED,
        block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        removal_policy=policy,
    )
    resource = bucket.node.default_child
    assert isinstance(resource, aws_s3.CfnBucket)  # noqa: S101 - for the type checker
    rule = aws_s3.CfnBucket.RuleProperty(id="OldReports", status="Enabled", expiration_in_days=days)
    resource.lifecycle_configuration = aws_s3.CfnBucket.LifecycleConfigurationProperty(rules=[rule])
    logs_itself = "It holds logs and reports itself; who reads them is in CloudTrail."
    acknowledge(
        bucket, {"S1": logs_itself, "CKV_AWS_18": logs_itself, "CKV_AWS_21": "Reports are written once, and expire."}
    )
    return bucket


class InfluxDB:
    """A private instance, reached on one port from security groups that are let in, its password in a secret.

    Attributes:
        endpoint: its host name.
        secret: holds name and password of its first user.
        server: its security group.
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
        policy: RemovalPolicy,
    ) -> None:
        self._scope, self._place = scope, place
        self.server = aws_ec2.SecurityGroup(
            scope, "Server", vpc=place.vpc, allow_all_outbound=False, description="InfluxDB, for its clients alone."
        )
        self.secret = aws_secretsmanager.Secret(
            scope,
            "Access",
            description="Name and password of InfluxDB's first user; add a key token for InfluxDB 2.",
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(
                secret_string_template='{"username": "groundwork"}',  # noqa: S106 - no password
                generate_string_key="password",
                exclude_punctuation=True,
                password_length=40,
            ),
            removal_policy=policy,
        )
        acknowledge(
            self.secret,
            {
                "SMG4": "InfluxDB takes its first password at creation only; tokens are rotated in InfluxDB.",
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
            port=PORT,
            organization="groundwork",
            bucket=bucket,
            username=self.secret.secret_value_from_json("username").unsafe_unwrap(),
            password=self.secret.secret_value_from_json("password").unsafe_unwrap(),
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

    def clients(self) -> aws_ec2.SecurityGroup:
        """A security group for whoever writes and asks: members reach InfluxDB, and AWS."""
        scope, vpc = self._scope, self._place.vpc
        group = aws_ec2.SecurityGroup(
            scope, "Clients", vpc=vpc, allow_all_outbound=False, description="Reaches InfluxDB, and HTTPS."
        )
        let_reach(scope, "Server", source=group, target=self.server, port=PORT, what="InfluxDB")
        group.add_egress_rule(aws_ec2.Peer.any_ipv4(), aws_ec2.Port.tcp(443), "HTTPS to AWS")
        return group


class LiveAnalytics:
    """Database and table; late rows are taken, and those rejected late are reported.

    Attributes:
        database: the database's name.
        table: the table's name.
        table_arn: the table's ARN.
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
        for resource in (database, table):  # cfn-lint warns of a service in maintenance: that is what the setting says
            resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3697"]}})
        acknowledge(
            database, {"TS3": "Encrypted under AWS's own key; a key of the account would cost more than it adds."}
        )
        self.database, self.table, self.table_arn = database.ref, table.attr_name, table.attr_arn
