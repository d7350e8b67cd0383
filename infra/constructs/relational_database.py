"""A relational database on RDS: private, encrypted, backed up, reached through TLS only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aws_cdk import Aws, RemovalPolicy, Token, aws_ec2, aws_rds, aws_secretsmanager
from constructs import Construct, IDependable

from infra.constructs.secrets import login
from infra.guardrails import acknowledge
from infra.parameters import text, unless_set, value_or

INHERITED = "Encrypted; a database that is restored inherits the encryption of what it is restored from."


@dataclass(frozen=True)
class Engine:
    """Which database server.

    Attributes:
        name: Its name in RDS, such as `postgres`.
        version: Its version.
        family: The family of its parameter group.
        parameters: Parameters of the server, which require TLS and log slow statements.
        port: The TCP port on which it listens.
        rotation: Which function of AWS's changes a password of it.
    """

    name: str
    version: str
    family: str
    parameters: Mapping[str, str]
    port: int
    rotation: str


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
    @property
    def backup_window(self) -> str: ...  # noqa: D102
    @property
    def maintenance_window(self) -> str: ...  # noqa: D102
    @property
    def database_snapshot(self) -> str: ...  # noqa: D102
    @property
    def database_source(self) -> str: ...  # noqa: D102
    @property
    def database_restore_time(self) -> str: ...  # noqa: D102


class RelationalDatabase(Construct):
    """An instance of RDS in isolated subnets, with a password that Secrets Manager chooses and nobody sees.

        database = RelationalDatabase(
            self, "Database", MYSQL, self.settings, database="shop", user="shop", secret_description="A login.",
            subnets=network.isolated_subnets, security_group=network.database.security_group_id, policy=self.policy,
        )

    It has encrypted gp3 storage that grows by itself, and takes minor versions of its engine by itself. It begins
    empty, or with the data of a snapshot or of another instance's backups; then it has the database, the user and the
    encryption that it had there, and the password of its own secret.

    Attributes:
        instance: The instance.
        secret: How to reach it, as JSON: username, password, host, port, dbname, engine.
        attachment: Writes host and port into the secret; whatever needs them waits for it.
        subnets: The group of subnets.
        parameters: The group of parameters.
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
        """Make the instance and its secret.

        Args:
            scope: Where it stands.
            name: Its construct's name.
            engine: Which server.
            settings: Its size and its backups.
            database: The name of the database in it.
            user: The name of the database's owner.
            secret_description: What the secret is for.
            subnets: Ids of isolated subnets in two zones.
            security_group: The id of the group that decides who reaches it.
            policy: What becomes of the secret and of automated backups when the stack goes.
            properties: More of `aws_rds.CfnDBInstance`.
        """
        super().__init__(scope, name)
        self._engine = engine
        self.secret = login(self, user=user, description=secret_description, policy=policy)
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
            **self._origin(settings, database),
            master_user_password=self.secret.secret_value_from_json("password").unsafe_unwrap(),
            port=text(engine.port),
            allocated_storage=text(settings.database_storage_gib),
            max_allocated_storage=settings.database_maximum_storage_gib,
            storage_type="gp3",
            multi_az=settings.database_two_zones,
            publicly_accessible=False,
            db_subnet_group_name=self.subnets.ref,
            db_parameter_group_name=self.parameters.ref,
            vpc_security_groups=[security_group],
            backup_retention_period=settings.backup_days,
            preferred_backup_window=settings.backup_window,
            preferred_maintenance_window=settings.maintenance_window,
            copy_tags_to_snapshot=True,
            delete_automated_backups=policy is RemovalPolicy.DESTROY,
            **properties,
        )
        if settings.database_snapshot or settings.database_source:
            acknowledge(self.instance, {"CKV_AWS_16": INHERITED})
        self.attachment = aws_secretsmanager.CfnSecretTargetAttachment(
            self,
            "Attachment",
            secret_id=self.secret.secret_arn,
            target_id=self.instance.ref,
            target_type="AWS::RDS::DBInstance",
        )

    def rotate_password(
        self, days: int, *, group: aws_ec2.ISecurityGroup, subnets: Sequence[str], after: IDependable | None = None
    ) -> None:
        """Let AWS's own function change the password, for which the template needs a transform of AWS's.

            database.rotate_password(30, group=rotation, subnets=network.isolated_subnets, after=endpoint)

        Args:
            days: How often.
            group: The function's security group, which must reach the database and Secrets Manager.
            subnets: Ids of the subnets in which the function runs.
            after: What must stand before the first rotation, which begins at once.
        """
        self.instance.stack.add_transform("AWS::SecretsManager-2024-09-16")  # it adds the function and its role
        schedule = aws_secretsmanager.CfnRotationSchedule(
            self,
            "RotationSchedule",
            secret_id=self.attachment.ref,
            rotation_rules=aws_secretsmanager.CfnRotationSchedule.RotationRulesProperty(automatically_after_days=days),
            hosted_rotation_lambda=aws_secretsmanager.CfnRotationSchedule.HostedRotationLambdaProperty(
                rotation_type=self._engine.rotation,
                vpc_security_group_ids=group.security_group_id,
                vpc_subnet_ids=",".join(subnets),
            ),
        )
        if after:
            schedule.node.add_dependency(after)

    def _origin(self, settings: DatabaseSettings, database: str) -> dict[str, Any]:
        """Return the properties that say with which data the instance begins."""
        source, snapshot = settings.database_source, settings.database_snapshot
        if source:
            time = settings.database_restore_time
            moment = {"restore_time": time} if time else {"use_latest_restorable_time": True}
            return {"source_dbi_resource_id": source, **moment}
        user = self.secret.secret_value_from_json("username").unsafe_unwrap()
        own = {"db_name": database, "master_username": user, "storage_encrypted": True}
        properties = {name: unless_set(self, "DatabaseSnapshot", snapshot, value) for name, value in own.items()}
        identifier = value_or(self, "DatabaseSnapshot", snapshot, Aws.NO_VALUE if Token.is_unresolved(snapshot) else "")
        return properties | {"db_snapshot_identifier": identifier or None}
