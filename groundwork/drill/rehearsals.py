"""For each stack: its engines filled, their data saved and lost, and restored by the stack's settings."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import pymysql

from contract.stacks import DataEcosystemOutput, StackName, WebAppOutput
from groundwork.demo.cli import run
from groundwork.drill import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from groundwork.demo.checklist import Checklist
    from localcloud import LocalCloud

SCALE = "0.02"  # of Pagila's size
SOURCE = "postgresql:///legacy"


class Rehearsal(ABC):
    """A stack on a local cloud, whose data are lost and restored.

    Args:
        cloud: The local cloud; the stack must not be deployed to it yet.
        report: Shows what is done.
        engines: The engines whose data are to come back.

    Attributes:
        STACK: The stack.
        COUNTS: How many rows each engine has that can be restored.
    """

    STACK: ClassVar[StackName]
    COUNTS: ClassVar[Mapping[str, Callable[[LocalCloud], int]]]

    def __init__(self, cloud: LocalCloud, report: Checklist, engines: Collection[str]) -> None:
        self.cloud, self.report, self.engines = cloud, report, engines

    def rehearse(self) -> dict[str, tuple[int, int]]:
        """Return how many rows each engine had before the loss, and has after the restore.

        Raises:
            PromiseBrokenError: Rows are missing.
            CalledProcessError: A command failed.
            LocalCloudError: A deployment failed.
        """
        self.report.step(f"{self.STACK} is deployed and filled")
        self.cloud.deploy(self.STACK)
        self.fill()
        before = self.count()
        for engine, number in before.items():
            self.report.promise(f"{engine} holds data", held=number > 0, seen=f"{number:,} rows")
        self.report.step("The data are saved, and then lost")
        settings = self.lose()
        self.report.step(f"{self.STACK} is deployed with the saved data")
        for name, value in settings.items():
            self.report.fact("-c", f"{name}={value}")
        self.cloud.deploy(self.STACK, context=settings)
        self.rebuild()
        after = self.count()
        for engine, number in before.items():
            claim = f"{engine} has all of its data again"
            self.report.promise(claim, held=after[engine] == number, seen=f"{after[engine]:,} of {number:,} rows")
        self.report.finish()
        return {engine: (number, after[engine]) for engine, number in before.items()}

    def count(self) -> dict[str, int]:
        """Return how many rows each of the engines holds now."""
        return {engine: self.COUNTS[engine](self.cloud) for engine in self.engines}

    @abstractmethod
    def fill(self) -> None:
        """Put data into every engine."""

    @abstractmethod
    def lose(self) -> dict[str, str]:
        """Save the data of the engines, lose them, and return the settings that bring them back."""

    @abstractmethod
    def rebuild(self) -> None:
        """Make again what is derived from restored data."""


class Storefront(Rehearsal):
    """The web application: somebody drops the database; it comes back from a snapshot."""

    STACK = StackName.WEB_APP
    COUNTS: ClassVar = {"mysql": rows.mysql}

    def fill(self) -> None:
        """Load a company."""
        trusting = ("--stack", self.STACK, "--database-ca", str(self.cloud.certificate_authority))
        run(self.cloud, self.report, "storefront", "init", *trusting)
        run(self.cloud, self.report, "storefront", "load", "--only", "database", "--scale", SCALE, *trusting)

    def lose(self) -> dict[str, str]:
        """Take a snapshot, and drop the database."""
        instance, snapshot = physical(self.cloud, self.STACK, "DatabaseInstance"), "before-the-mistake"
        self.cloud.client("rds").create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=snapshot)
        self.report.fact("snapshot", snapshot)
        secret = rows.login(self.cloud, self.cloud.outputs(self.STACK)[WebAppOutput.DATABASE_SECRET_ARN])
        with (
            pymysql.connect(**secret, ssl={"ca": str(self.cloud.certificate_authority)}) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("DROP DATABASE storefront")
        self.report.line("DROP DATABASE storefront")
        return {"web_app.database_snapshot": snapshot}

    def rebuild(self) -> None:
        """Do nothing: everything is in the database."""


class RentalCompany(Rehearsal):
    """The film rental company: its stack is removed; final snapshots and a backup of the table bring it back."""

    STACK = StackName.DATA_ECOSYSTEM
    COUNTS: ClassVar = {
        "postgresql": rows.postgresql,
        "neptune": rows.neptune,
        "dynamodb": rows.dynamodb,
        "opensearch": rows.opensearch,
    }

    def fill(self) -> None:
        """Migrate a company into every engine."""
        run(self.cloud, self.report, "movie-rental", "load-source", "--into", SOURCE, "--scale", SCALE)
        run(self.cloud, self.report, "movie-rental", "migrate", "--source", SOURCE)

    def lose(self) -> dict[str, str]:
        """Back up the film library, empty it, and remove the stack; its other engines leave final snapshots."""
        settings = {"data_ecosystem.movies_stream_arn": self._restored_library()}
        self.cloud.destroy(self.STACK)
        self.report.line(f"groundwork destroy {self.STACK}")
        for kind, operation, name, setting in (
            ("rds", "describe_db_snapshots", "DBSnapshot", "database_snapshot"),
            ("neptune", "describe_db_cluster_snapshots", "DBClusterSnapshot", "graph_snapshot"),
        ):
            answer = getattr(self.cloud.client(kind), operation)(SnapshotType="manual")
            [snapshot] = answer[f"{name}s"]
            self.report.fact("final snapshot", snapshot[f"{name}Identifier"])
            settings[f"data_ecosystem.{setting}"] = snapshot[f"{name}Identifier"]
        return settings

    def rebuild(self) -> None:
        """Fill the search index, which is derived from the film library."""
        if "opensearch" in self.engines:
            run(self.cloud, self.report, "movie-rental", "rebuild")

    def _restored_library(self) -> str:
        """Restore the film library from a backup into another table, and return the ARN of its stream."""
        dynamodb, restored = self.cloud.client("dynamodb"), "movies-restored"
        table = self.cloud.outputs(self.STACK)[DataEcosystemOutput.MOVIES_TABLE_NAME]
        backup = dynamodb.create_backup(TableName=table, BackupName="before-the-mistake")["BackupDetails"]["BackupArn"]
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                dynamodb.delete_item(TableName=table, Key={key: item[key] for key in ("MovieID", "MovieTitle")})
        dynamodb.restore_table_from_backup(TargetTableName=restored, BackupArn=backup)
        dynamodb.get_waiter("table_exists").wait(TableName=restored)
        self.report.fact("restored table", restored)
        recovery = {"PointInTimeRecoveryEnabled": True}
        dynamodb.update_continuous_backups(TableName=restored, PointInTimeRecoverySpecification=recovery)
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        changed = dynamodb.update_table(TableName=restored, StreamSpecification=stream)
        return str(changed["TableDescription"]["LatestStreamArn"])


class Monitoring(Rehearsal):
    """The monitoring data: their stack is removed, and the backup fills the InfluxDB of the next one."""

    STACK = StackName.DEVOPS_METRICS
    COUNTS: ClassVar = {"influxdb": rows.influxdb}
    BACKUP = "s3://groundwork-drill/influxdb"

    def fill(self) -> None:
        """Ingest the data of a simulated fleet."""
        with tempfile.TemporaryDirectory(prefix="groundwork-") as folder:
            fleet = f"{folder}/fleet.csv"
            size = ("--services", "1", "--hosts", "3", "--days", "3", "--interval", "300", "--incidents", "1")
            run(self.cloud, self.report, "devops-metrics", "simulate", "--output", fleet, *size)
            run(self.cloud, self.report, "devops-metrics", "ingest", fleet)

    def lose(self) -> dict[str, str]:
        """Back up the data, and remove the stack; the next one has another, empty InfluxDB."""
        self.cloud.client("s3").create_bucket(Bucket=self.BACKUP.split("/")[2])
        run(self.cloud, self.report, "devops-metrics", "backup", "--to", self.BACKUP)
        self.cloud.destroy(self.STACK)
        self.report.line(f"groundwork destroy {self.STACK}")
        return {}

    def rebuild(self) -> None:
        """Write the backup into the new InfluxDB, which holds nothing yet."""
        empty = self.count()["influxdb"] == 0
        self.report.promise("the new InfluxDB is empty", held=empty)
        run(self.cloud, self.report, "devops-metrics", "restore", "--from", self.BACKUP)


def physical(cloud: LocalCloud, stack: str, resource: str) -> str:
    """Return what AWS calls a resource of a stack."""
    detail = cloud.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=resource)
    return str(detail["StackResourceDetail"]["PhysicalResourceId"])


REHEARSALS: tuple[type[Rehearsal], ...] = (Storefront, RentalCompany, Monitoring)
