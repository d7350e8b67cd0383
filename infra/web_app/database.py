"""The database of the web application: MySQL out of the internet's reach, its password in a secret."""

from aws_cdk import RemovalPolicy, aws_ec2, aws_rds, aws_secretsmanager
from constructs import Construct, IDependable

from infra.guardrails import acknowledge, keep_what_it_needs
from infra.parameters import text
from infra.settings.web_app import WebAppSettings
from infra.web_app.network import DATABASE_PORT, WebNetwork, connect, security_group

NAME = "storefront"
MAINTENANCE = "sun:04:30-sun:05:30"


class Database(Construct):
    """MySQL 8.4: encrypted, private, TLS alone, backed up every day.

    Attributes:
        instance: the instance of RDS.
        secret: how to reach it, as JSON: username, password, host, port, dbname, engine.
        ready: what must stand before the secret is whole.
    """

    def __init__(
        self, scope: Construct, name: str, settings: WebAppSettings, network: WebNetwork, policy: RemovalPolicy
    ) -> None:
        super().__init__(scope, name)
        self.secret = aws_secretsmanager.Secret(
            self,
            "Access",
            description="How to reach the storefront's database.",
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(
                secret_string_template='{"username": "storefront"}',  # noqa: S106 - no password
                generate_string_key="password",
                exclude_punctuation=True,
                password_length=40,
            ),
            removal_policy=policy,
        )
        subnets = aws_rds.CfnDBSubnetGroup(
            self,
            "Subnets",
            db_subnet_group_description="Isolated subnets in two zones.",
            subnet_ids=network.isolated_subnets,
        )
        parameters = aws_rds.CfnDBParameterGroup(
            self,
            "Parameters",
            family="mysql8.4",
            description="Connections by TLS alone; slow statements are logged.",
            parameters={"require_secure_transport": "ON", "slow_query_log": "1", "long_query_time": "1"},
        )
        self.instance = aws_rds.CfnDBInstance(
            self,
            "Instance",
            engine="mysql",
            engine_version=aws_rds.MysqlEngineVersion.VER_8_4_10.mysql_full_version,
            auto_minor_version_upgrade=True,
            db_instance_class=settings.database_instance_type,
            db_name=NAME,
            master_username=self.secret.secret_value_from_json("username").unsafe_unwrap(),
            master_user_password=self.secret.secret_value_from_json("password").unsafe_unwrap(),
            port=text(DATABASE_PORT),
            allocated_storage=text(settings.database_storage_gib),
            max_allocated_storage=settings.database_maximum_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            multi_az=settings.database_two_zones,
            publicly_accessible=False,
            db_subnet_group_name=subnets.ref,
            db_parameter_group_name=parameters.ref,
            vpc_security_groups=[network.database.security_group_id],
            backup_retention_period=settings.backup_days,
            preferred_backup_window=settings.backup_window,
            preferred_maintenance_window=MAINTENANCE,
            copy_tags_to_snapshot=True,
            delete_automated_backups=policy is RemovalPolicy.DESTROY,
            deletion_protection=policy is not RemovalPolicy.DESTROY,
        )
        self.instance.apply_removal_policy(policy)
        vpc = network.vpc
        keep_what_it_needs(policy, subnets, parameters, network.database, vpc, *vpc.isolated_subnets)
        attachment = aws_secretsmanager.CfnSecretTargetAttachment(
            self,
            "Attachment",
            secret_id=self.secret.secret_arn,
            target_id=self.instance.ref,
            target_type="AWS::RDS::DBInstance",
        )
        self.ready: IDependable = attachment
        if settings.password_rotation_days:
            self._rotate(attachment, settings.password_rotation_days, network)
        acknowledge(
            self,
            {
                "CKV_AWS_149": "Encrypted under AWS's own key, which this account alone can use.",
                "CKV_AWS_157": "A standby doubles the cost; the setting database_two_zones adds it.",
                "CKV_AWS_118": "RDS's own metrics, one a minute, are what the alarms need.",
                "CKV_AWS_161": "The application's password is in Secrets Manager; a person reaches it there, too.",
                "CKV2_AWS_69": "The parameter group requires TLS; the rule knows no MySQL 8.4.",
                "RDS3": "A standby doubles the cost; the setting database_two_zones adds it.",
                "RDS11": "A strange port hides nothing: only the instances' security group reaches it.",
                **({"RDS10": "Both keys to the data were turned."} if policy is RemovalPolicy.DESTROY else {}),
            },
        )
        if not settings.password_rotation_days:
            acknowledge(self, {"SMG4": "Rotation needs an endpoint, billed by the hour: password_rotation_days."})

    def _rotate(self, attachment: aws_secretsmanager.CfnSecretTargetAttachment, days: int, network: WebNetwork) -> None:
        """Let AWS's own function change the password; it runs in the isolated subnets, so it needs an endpoint."""
        function = security_group(self, "Rotation", network.vpc, "Changes the password of the database.")
        service = security_group(self, "SecretsManager", network.vpc, "Endpoint of Secrets Manager.")
        connect(self, "RotationToDatabase", function, network.database, port=DATABASE_PORT, protocol="MySQL")
        connect(self, "RotationToSecrets", function, service, port=443, protocol="HTTPS")
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
        # The transform is AWS's: CloudFormation replaces the property by the function and its role.
        self.instance.stack.add_transform("AWS::SecretsManager-2024-09-16")
        schedule = aws_secretsmanager.CfnRotationSchedule(
            self,
            "RotationSchedule",
            secret_id=attachment.ref,
            rotation_rules=aws_secretsmanager.CfnRotationSchedule.RotationRulesProperty(automatically_after_days=days),
            hosted_rotation_lambda=aws_secretsmanager.CfnRotationSchedule.HostedRotationLambdaProperty(
                rotation_type="MySQLSingleUser",
                vpc_security_group_ids=function.security_group_id,
                vpc_subnet_ids=",".join(network.isolated_subnets),
            ),
        )
        schedule.node.add_dependency(endpoint)
