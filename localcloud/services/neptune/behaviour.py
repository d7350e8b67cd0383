"""Neptune: an embedded graph database behind its openCypher endpoint, so that boto3's `neptunedata` works unchanged.

moto gap: a cluster is a record without a database behind it. The signature of requests (IAM) is not verified.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBCluster, RDSBackend

from localcloud.cloud import processes
from localcloud.cloud.certificates import Certificate, issue
from localcloud.cloud.context import Cloud
from localcloud.cloud.isolation import alone
from localcloud.engines import front
from localcloud.errors import LocalCloudError
from localcloud.hooks import after, wrap


@dataclass
class Servers:
    """The processes behind clusters, by their ARNs."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)


def start(folder: Path, certificate: Certificate | None = None) -> tuple[subprocess.Popen[bytes], int]:
    """Start an empty graph database, or the one that is in the folder; wait until it serves.

    Args:
        folder: Holds its data and log.
        certificate: Serve HTTPS with it; plain HTTP without.

    Returns:
        The process, and its loopback port.

    Raises:
        LocalCloudError: It did not start.
    """
    tls = [str(certificate.certificate), str(certificate.key)] if certificate else []
    command, environment = front.command("neptune_server", str(folder / "graph"), *tls)
    process, ready = processes.serve(
        command, log=folder / "neptune.log", environment=environment, ready=r"listening on (\d+)"
    )
    return process, int(ready[1])


@wrap(RDSBackend, "create_db_cluster")
def _create_db_cluster(cloud: Cloud, original: Any, self: RDSBackend, kwargs: dict[str, Any]) -> DBCluster:
    if kwargs.get("engine") != "neptune":
        with alone("rds"):
            aurora: DBCluster = original(self, kwargs)
        return aurora
    authentication = kwargs.pop("enable_iam_database_authentication", False)  # moto knows it for Aurora only
    with alone("rds"):
        cluster: DBCluster = original(self, kwargs)
    cluster.iam_auth = authentication
    folder = cloud.new_folder("neptune")
    try:
        cloud.state(Servers).running[cluster.db_cluster_arn], cluster.port = start(folder, issue(cloud.folder, folder))
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
    with alone("rds"):
        cluster: DBCluster = original(self, *args, **kwargs)
    if process := cloud.state(Servers).running.pop(cluster.db_cluster_arn, None):
        processes.end(process)
    return cluster


@wrap(DBCluster, "endpoint", "reader_endpoint")
def _endpoint(cloud: Cloud, original: Any, self: DBCluster) -> str:
    """Return the address of the engine behind a cluster, if there is one."""
    return "localhost" if self.db_cluster_arn in cloud.state(Servers).running else str(original(self))
