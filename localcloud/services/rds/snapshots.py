"""Snapshots hold the data of their instance, and a restored instance begins with them.

moto gap: a snapshot is a record without data, and an instance that is restored from one has an empty database.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from moto.rds.exceptions import DBInstanceNotFoundError, RDSClientError
from moto.rds.models import DBInstance, DBSnapshot, RDSBackend

from localcloud.cloud.context import Cloud
from localcloud.engines.database_server import Saved
from localcloud.hooks import after, wrap
from localcloud.services.rds.behaviour import LATEST_ONLY, SAVED, Servers


@dataclass
class Contents:
    """What a snapshot holds; nothing where its instance had no server yet."""

    saved: Saved | None = None


@after(RDSBackend, "create_db_snapshot")
def _create_db_snapshot(cloud: Cloud, created: DBSnapshot, *_args: Any, **_kwargs: Any) -> None:
    if server := cloud.state(Servers).by_arn.get(created.database.db_instance_arn):
        cloud.set_state(created, Contents(server.save(cloud.new_folder("snapshot") / "data")))


@wrap(RDSBackend, "copy_db_snapshot")
def _copy_db_snapshot(
    cloud: Cloud, original: Any, self: RDSBackend, source_db_snapshot_identifier: str, *args: Any, **kwargs: Any
) -> DBSnapshot:
    copied: DBSnapshot = original(self, source_db_snapshot_identifier, *args, **kwargs)
    if saved := cloud.state(Contents, self.get_db_snapshot(source_db_snapshot_identifier)).saved:
        cloud.set_state(copied, Contents(saved.copy(cloud.new_folder("snapshot") / "data")))
    return copied


@after(RDSBackend, "delete_db_snapshot")
def _delete_db_snapshot(cloud: Cloud, deleted: DBSnapshot, *_args: Any, **_kwargs: Any) -> None:
    if saved := cloud.state(Contents, deleted).saved:
        shutil.rmtree(saved.data)


@wrap(RDSBackend, "restore_db_instance_from_db_snapshot")
def _restore_from_snapshot(
    cloud: Cloud, original: Any, self: RDSBackend, from_snapshot_id: str, overrides: dict[str, Any]
) -> DBInstance:
    saved = cloud.state(Contents, self.get_db_snapshot(from_snapshot_id)).saved
    restored: DBInstance = original(self, from_snapshot_id, {**overrides, SAVED: saved})
    return restored


@wrap(RDSBackend, "restore_db_instance_to_point_in_time")
def _restore_to_point_in_time(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    original: Any,
    self: RDSBackend,
    source_db_identifier: str | None,
    target_db_identifier: str,
    overrides: dict[str, Any],
) -> DBInstance:
    """Restore to the latest time only: the engines here keep no log from which an earlier one could be restored."""
    resource = overrides.get("source_dbi_resource_id")
    of_resource = (instance for instance in self.databases.values() if instance.dbi_resource_id == resource)
    source = self.databases.get(source_db_identifier) if source_db_identifier else next(of_resource, None)
    if source is None:
        raise DBInstanceNotFoundError(str(source_db_identifier or resource))
    source_db_identifier = source.db_instance_identifier
    if not source.backup_retention_period:
        message = f"Point in time restore is not enabled for the instance {source_db_identifier}"
        raise RDSClientError("PointInTimeRestoreNotEnabled", message)
    if overrides.get("restore_time"):
        raise RDSClientError("InvalidParameterValue", LATEST_ONLY)
    if not overrides.get("use_latest_restorable_time"):
        message = "Either RestoreTime or UseLatestRestorableTime must be specified."
        raise RDSClientError("InvalidParameterCombination", message)
    server = cloud.state(Servers).by_arn.get(source.db_instance_arn)
    folder = cloud.new_folder("snapshot")
    try:
        saved = server.save(folder / "data") if server else None
        restored: DBInstance = original(self, source_db_identifier, target_db_identifier, {**overrides, SAVED: saved})
    finally:
        shutil.rmtree(folder)
    return restored
