"""Neptune: an embedded graph database behind its openCypher endpoint, so that boto3's `neptunedata` works unchanged.

moto gap: a cluster is a record without a database behind it, and a snapshot one without data. A cluster without a
password, which Neptune's are, cannot be restored. `localcloud.access.data_requests` admits requests.
"""

from __future__ import annotations

import copy
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBCluster, DBClusterSnapshot, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.cloud import processes
from localcloud.cloud.certificates import Certificate, issue
from localcloud.cloud.context import Cloud
from localcloud.engines import front
from localcloud.errors import LocalCloudError
from localcloud.hooks import after, wrap
from localcloud.services.rds.behaviour import LATEST_ONLY, SAVED, require_final_snapshot


@dataclass
class Servers:
    """The processes behind clusters, and their folders, by the ARNs of the clusters."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)

    def save(self, cluster: DBCluster, folder: Path) -> Path | None:
        """Copy the data of a cluster as they are now into a folder, and return it; None if it has no server."""
        arn = cluster.db_cluster_arn
        if arn not in self.running:
            return None
        with processes.frozen(self.running[arn]):
            shutil.copytree(self.folders[arn] / "graph", folder / "graph")
        return folder


@dataclass
class Contents:
    """What a snapshot holds: the folder with its data; nothing where its cluster had no server yet."""

    folder: Path | None = None


def start(
    folder: Path, certificate: Certificate | None = None, gate: front.Gate | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start an empty graph database, or the one that is in the folder; wait until it serves.

    Args:
        folder: Holds its data and log.
        certificate: Serve HTTPS with it; plain HTTP without.
        gate: Where it asks whether a request may go on; without one, every request may.

    Returns:
        The process, and its loopback port.

    Raises:
        LocalCloudError: It did not start.
    """
    tls = [str(certificate.certificate), str(certificate.key)] if certificate else []
    command, environment = front.command("neptune_server", str(folder / "graph"), *tls, gate=gate)
    process, ready = processes.serve(
        command, log=folder / "neptune.log", environment=environment, ready=r"listening on (\d+)"
    )
    return process, int(ready[1])


@wrap(RDSBackend, "create_db_cluster")
def _create_db_cluster(cloud: Cloud, original: Any, self: RDSBackend, kwargs: dict[str, Any]) -> DBCluster:
    if kwargs.get("engine") != "neptune":
        with cloud.lock("rds"):
            aurora: DBCluster = original(self, kwargs)
        return aurora
    saved: Path | None = kwargs.pop(SAVED, None)
    authentication = kwargs.pop("enable_iam_database_authentication", False)  # moto knows it for Aurora only
    with cloud.lock("rds"):
        cluster: DBCluster = original(self, kwargs)
    cluster.iam_auth = authentication
    folder = cloud.new_folder("neptune")
    gate = front.Gate(cloud.endpoint, str(cloud.folder), cluster.db_cluster_arn)
    servers = cloud.state(Servers)
    if saved:
        shutil.copytree(saved / "graph", folder / "graph")
    try:
        process, cluster.port = start(folder, issue(cloud.folder, folder), gate)
        servers.running[cluster.db_cluster_arn] = process
        servers.folders[cluster.db_cluster_arn] = folder
    except LocalCloudError as error:
        del self.clusters[cluster.db_cluster_identifier]
        raise RDSClientError("InternalFailure", str(error)) from error
    return cluster


@after(RDSBackend, "modify_db_cluster")
def _modify_db_cluster(modified: DBCluster, self: RDSBackend, kwargs: dict[str, Any]) -> None:
    """Let an update turn authentication by IAM on and off (moto reads another attribute than it writes)."""
    enabled = kwargs.get("enable_iam_database_authentication")
    if enabled is not None:
        self.clusters[modified.db_cluster_identifier].iam_auth = modified.iam_auth = enabled


@wrap(RDSBackend, "delete_db_cluster")
def _delete_db_cluster(cloud: Cloud, original: Any, self: RDSBackend, *args: Any, **kwargs: Any) -> DBCluster:
    with cloud.lock("rds"):
        cluster: DBCluster = original(self, *args, **kwargs)
    servers = cloud.state(Servers)
    servers.folders.pop(cluster.db_cluster_arn, None)
    if process := servers.running.pop(cluster.db_cluster_arn, None):
        processes.end(process)
    return cluster


@wrap(RDSResponse, "delete_db_cluster")
def _check_final_snapshot(original: Any, self: RDSResponse) -> Any:
    require_final_snapshot(self.params.get("SkipFinalSnapshot"), self.params.get("FinalDBSnapshotIdentifier"))
    return original(self)


@after(RDSBackend, "create_db_cluster_snapshot")
def _create_snapshot(cloud: Cloud, created: DBClusterSnapshot, *_args: Any, **_kwargs: Any) -> None:
    folder = cloud.state(Servers).save(created.cluster, cloud.new_folder("snapshot"))
    cloud.set_state(created, Contents(folder))


@after(RDSBackend, "delete_db_cluster_snapshot")
def _delete_snapshot(cloud: Cloud, deleted: DBClusterSnapshot, *_args: Any, **_kwargs: Any) -> None:
    if folder := cloud.state(Contents, deleted).folder:
        shutil.rmtree(folder)


@wrap(RDSBackend, "restore_db_cluster_from_snapshot")
def _restore_from_snapshot(
    cloud: Cloud, original: Any, self: RDSBackend, from_snapshot_id: str, overrides: dict[str, Any]
) -> DBCluster:
    """Restore a cluster of Neptune as moto restores one to a point in time: otherwise it asks for a password."""
    snapshot = self.get_db_cluster_snapshot(from_snapshot_id)
    if snapshot.cluster.engine != "neptune":
        aurora: DBCluster = original(self, from_snapshot_id, overrides)
        return aurora
    settings = {name.removeprefix("_"): copy.copy(value) for name, value in vars(snapshot.cluster).items()}
    for name in ("backend", "db_subnet_group", "vpc_security_group_ids"):
        settings.pop(name, None)
    settings |= {name: value for name, value in overrides.items() if value}
    return self.create_db_cluster({**settings, SAVED: cloud.state(Contents, snapshot).folder})


@wrap(RDSBackend, "restore_db_cluster_to_point_in_time")
def _restore_to_point_in_time(
    cloud: Cloud, original: Any, self: RDSBackend, *, source_db_cluster_identifier: str, **options: Any
) -> DBCluster:
    """Restore to the latest time only: the engine here keeps no log from which an earlier one could be restored."""
    source = self.clusters.get(source_db_cluster_identifier)
    if source and source.engine == "neptune":
        if options.get("restore_to_time"):
            raise RDSClientError("InvalidParameterValue", LATEST_ONLY)
        folder = cloud.new_folder("snapshot")
        options[SAVED] = cloud.state(Servers).save(source, folder)
    try:
        restored: DBCluster = original(self, source_db_cluster_identifier=source_db_cluster_identifier, **options)
    finally:
        if SAVED in options:
            shutil.rmtree(folder)
    return restored


@wrap(DBCluster, "endpoint", "reader_endpoint")
def _endpoint(cloud: Cloud, original: Any, self: DBCluster) -> str:
    """Return the address of the engine behind a cluster, if there is one."""
    return "localhost" if self.db_cluster_arn in cloud.state(Servers).running else str(original(self))
