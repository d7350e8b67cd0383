"""Define the database of the web application: MySQL that the internet cannot reach, with its password in a secret."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, aws_ec2
from constructs import Construct

from infra.constructs.network import let_in_vpc
from infra.constructs.relational_database import Engine, RelationalDatabase
from infra.constructs.security_groups import HTTPS, let_out, security_group
from infra.guardrails import acknowledge, keep_what_it_needs
from infra.settings.web_app import WebAppSettings
from infra.web_app.network import DATABASE_PORT, WebNetwork, connect

NAME = "storefront"
MYSQL = Engine(
    "mysql",
    version="8.4",  # RDS chooses the patch version, and upgrades it by itself
    family="mysql8.4",
    parameters={"require_secure_transport": "1", "slow_query_log": "1", "long_query_time": "1"},
    port=DATABASE_PORT,
    rotation="MySQLSingleUser",
)


class Database(RelationalDatabase):
    """A MySQL 8.4 database that is backed up every day."""

    def __init__(
        self, scope: Construct, name: str, settings: WebAppSettings, network: WebNetwork, policy: RemovalPolicy
    ) -> None:
        super().__init__(
            scope,
            name,
            MYSQL,
            settings,
            database=NAME,
            user="storefront",
            secret_description="How to reach the storefront's database.",  # noqa: S106 - no password
            subnets=network.isolated_subnets,
            security_group=network.database.security_group_id,
            policy=policy,
            deletion_protection=policy is not RemovalPolicy.DESTROY and settings.database_deletion_protection,
        )
        self.instance.apply_removal_policy(policy)
        # cfn-lint knows the major versions of PostgreSQL, and none of MySQL; RDS takes both.
        self.instance.add_metadata("cfn-lint", {"config": {"ignore_checks": ["E3691"]}})
        keep_what_it_needs(policy, self.subnets, self.parameters, network.database, *network.kept_with_data)
        if settings.password_rotation_days:
            self._rotate(settings, network)
        acknowledge(
            self,
            {
                "CKV_AWS_149": "Encrypted under AWS's own key, which only this account can use.",
                "CKV_AWS_157": "A standby doubles the cost; the setting database_two_zones adds it.",
                "CKV_AWS_118": "RDS's own metrics, one a minute, are what the alarms need.",
                "CKV_AWS_161": "The application's password is in Secrets Manager; a person reaches it there, too.",
                "E9006": "RDS takes a major version of MySQL, too; the rule knows patch versions only.",
                "RDS3": "A standby doubles the cost; the setting database_two_zones adds it.",
                "RDS11": "A strange port hides nothing: only the instances' security group reaches it.",
                "RDS10": "A first deployment that fails could not be rolled back: RDS would refuse to delete the "
                "database. The setting database_deletion_protection turns it on later; the database stays when the "
                "stack goes either way.",
            },
        )
        if not settings.password_rotation_days:
            acknowledge(self, {"SMG4": "Rotation needs an endpoint, billed by the hour: password_rotation_days."})

    def _rotate(self, settings: WebAppSettings, network: WebNetwork) -> None:
        """Let AWS's own function change the password; it runs in the isolated subnets, so it needs an endpoint."""
        function = security_group(self, "Rotation", network.vpc, "Changes the password of the database.")
        connect(self, "RotationToDatabase", function, network.database, port=DATABASE_PORT, protocol="MySQL")
        endpoint: aws_ec2.CfnVPCEndpoint | None = None
        if settings.vpc_endpoint:
            service = security_group(self, "SecretsManager", network.vpc, "Endpoint of Secrets Manager.")
            connect(self, "RotationToSecrets", function, service, port=HTTPS, protocol="HTTPS")
            let_in_vpc(self, service, settings)
            endpoint = aws_ec2.CfnVPCEndpoint(
                self,
                "SecretsEndpoint",
                service_name=f"com.amazonaws.{self.instance.stack.region}.secretsmanager",
                vpc_endpoint_type="Interface",
                vpc_id=network.vpc.vpc_id,
                subnet_ids=network.isolated_subnets,
                security_group_ids=[service.security_group_id],
                private_dns_enabled=True,
            )
        else:
            let_out(self, "RotationToVpc", function, settings.vpc_cidr, port=HTTPS, description="HTTPS to an endpoint")
        self.rotate_password(
            settings.password_rotation_days, group=function, subnets=network.isolated_subnets, after=endpoint
        )
