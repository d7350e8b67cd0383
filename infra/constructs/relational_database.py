"""A relational database on RDS, as each stack that has one wants it: private, encrypted, reached by TLS alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aws_cdk import RemovalPolicy, aws_rds, aws_secretsmanager
from constructs import Construct

from infra.parameters import text


@dataclass(frozen=True)
class Engine:
    """Which database server.

    Attributes:
        name: as RDS calls it, such as `postgres`.
        version: of the engine.
        family: of its parameter group.
        parameters: of the server; they require TLS, and log slow statements.
        port: where it listens.
    """

    name: str
    version: str
    family: str
    parameters: Mapping[str, str]
    port: int


class DatabaseSettings(Protocol):
    """What a person chooses."""

    @property
    def database_instance_type(self) -> str: ...  # noqa: D102 - the settings describe themselves
    @property
    def database_storage_gib(self) -> int: ...  # noqa: D102
    @property
    def database_maximum_storage_gib(self) -> int: ...  # noqa: D102
    @property
    def database_two_zones(self) -> bool: ...  # noqa: D102
    @property
    def backup_days(self) -> int: ...  # noqa: D102


class RelationalDatabase(Construct):
    """An instance of RDS in isolated subnets; its password is made by Secrets Manager and never seen.

    Attributes:
        instance: the instance.
        secret: how to reach it, as JSON: username, password, host, port, dbname, engine.
        attachment: writes host and port into the secret; what needs them waits for it.
        subnets: the group of subnets.
        parameters: the group of parameters.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        engine: Engine,
        settings: DatabaseSettings,
        *,
        database: str,
        user: str,
        secret_description: str,
        subnets: Sequence[str],
        security_group: str,
        policy: RemovalPolicy,
        **properties: Any,
    ) -> None:
        """Make it.

        Args:
            scope: where.
            name: its name in the scope.
            engine: which server.
            settings: its size and backups.
            database: name of the database in it.
            user: name of its owner.
            secret_description: what the secret is for.
            subnets: ids of isolated subnets in two zones.
            security_group: the id of what decides who reaches it.
            policy: of secret and backups, when the stack goes.
            properties: more of the instance's.
        """
        super().__init__(scope, name)
        self.secret = aws_secretsmanager.Secret(
            self,
            "Access",
            description=secret_description,
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(
                secret_string_template=f'{{"username": "{user}"}}',
                generate_string_key="password",
                exclude_punctuation=True,
                password_length=40,
            ),
            removal_policy=policy,
        )
        self.subnets = aws_rds.CfnDBSubnetGroup(
            self,
            "Subnets",
            db_subnet_group_description="Isolated subnets in two zones.",
            subnet_ids=subnets,
        )
        self.parameters = aws_rds.CfnDBParameterGroup(
            self,
            "Parameters",
            family=engine.family,
            description="Connections by TLS alone; slow statements are logged.",
            parameters=engine.parameters,
        )
        self.instance = aws_rds.CfnDBInstance(
            self,
            "Instance",
            engine=engine.name,
            engine_version=engine.version,
            auto_minor_version_upgrade=True,
            db_instance_class=settings.database_instance_type,
            db_name=database,
            master_username=self.secret.secret_value_from_json("username").unsafe_unwrap(),
            master_user_password=self.secret.secret_value_from_json("password").unsafe_unwrap(),
            port=text(engine.port),
            allocated_storage=text(settings.database_storage_gib),
            max_allocated_storage=settings.database_maximum_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            multi_az=settings.database_two_zones,
            publicly_accessible=False,
            db_subnet_group_name=self.subnets.ref,
            db_parameter_group_name=self.parameters.ref,
            vpc_security_groups=[security_group],
            backup_retention_period=settings.backup_days,
            copy_tags_to_snapshot=True,
            delete_automated_backups=policy is RemovalPolicy.DESTROY,
            **properties,
        )
        self.attachment = aws_secretsmanager.CfnSecretTargetAttachment(
            self,
            "Attachment",
            secret_id=self.secret.secret_arn,
            target_id=self.instance.ref,
            target_type="AWS::RDS::DBInstance",
        )
