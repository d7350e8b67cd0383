"""Timestream for InfluxDB: a real influxd behind InfluxDB 2's API (`localcloud.engines.influxdb`) for every instance.

Clusters of InfluxDB 3 Core have the same engine behind InfluxDB 3's API (`influxdb/version3.py`).

moto gaps: instances and clusters are records without a database behind them; an instance cannot be updated, and a
cluster neither updated nor deleted.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from moto.timestreaminfluxdb.exceptions import ResourceNotFoundException, ValidationException
from moto.timestreaminfluxdb.models import DBInstance, InstanceStatus, ParameterGroup, TimestreamInfluxDBBackend
from moto.timestreaminfluxdb.responses import TimestreamInfluxDBResponse

from contract.errors import phrase
from localcloud.cloud import processes
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.engines import front
from localcloud.engines.programs import find
from localcloud.errors import LocalCloudError
from localcloud.hooks import add, after, replace, wrap

#: What an update may change, by moto's names. The port is that of the engine here, which keeps it.
CHANGEABLE = {
    "allocatedStorage": "allocated_storage",
    "dbInstanceType": "db_instance_type",
    "dbParameterGroupIdentifier": "db_parameter_group_id",
    "dbStorageType": "db_storage_type",
    "deploymentType": "deployment_type",
    "logDeliveryConfiguration": "log_delivery_configuration",
}


class Server(NamedTuple):
    """A running InfluxDB.

    Attributes:
        process: Its process.
        port: The loopback port of its front (`localcloud.engines.influxdb`).
        token: May do everything; of an instance that was set up before, it is empty.
    """

    process: subprocess.Popen[bytes]
    port: int
    token: str


@dataclass
class Servers:
    """What runs behind instances and clusters, by their ids."""

    running: dict[str, Server] = field(default_factory=dict)


#: What the service makes of a cluster itself, by the API's names; a cluster keeps what its request said beside these.
PARAMETER_GROUP = "InfluxDBV3Core"
_OF_VERSION_2 = (
    "username",
    "password",
    "organization",
    "bucket",
    "deploymentType",
    "allocatedStorage",
    "dbStorageType",
)
_CLUSTER_CHANGES = (
    "logDeliveryConfiguration",
    "dbParameterGroupIdentifier",
    "dbInstanceType",
    "failoverMode",
    "maintenanceSchedule",
)


@dataclass
class Clusters:
    """Clusters of InfluxDB 3, by their ids, as the API describes them."""

    described: dict[str, dict[str, Any]] = field(default_factory=dict)


def start(folder: Path, *, username: str, password: str, bucket: str, organization: str = "local") -> Server:
    """Start InfluxDB, and set it up if its folder is new; wait until it serves.

    Args:
        folder: Holds its data, buckets and authorizations, and its log.
        username: The first user.
        password: The user's password, at least 8 characters.
        bucket: The first bucket, which keeps points for ever.
        organization: The organization that all of it belongs to.

    Raises:
        LocalCloudError: influxd is not installed, did not start, or a name or the password is not allowed.
    """
    command, environment = front.command("influxdb", find("influxd"), str(folder / "influxdb2.json"))
    process, listening = processes.serve(
        command, log=folder / "influxd.log", environment=environment | settings(folder), ready=r"listening on (\d+)"
    )
    port = int(listening[1])
    request = {"username": username, "password": password, "org": organization, "bucket": bucket}
    try:
        return Server(process, port, _set_up(f"http://127.0.0.1:{port}/api/v2/setup", request))
    except LocalCloudError:
        processes.end(process)
        raise


def start3(folder: Path) -> Server:
    """Start InfluxDB 3 with a new admin token; wait until it serves.

    Args:
        folder: Holds its data and its log; it is new.

    Raises:
        LocalCloudError: influxd is not installed, or did not start.
    """
    command, environment = front.command("influxdb.version3", find("influxd"), str(folder / "influxdb3.json"))
    process, listening = processes.serve(
        command, log=folder / "influxd.log", environment=environment | settings(folder), ready=r"listening on (\d+)"
    )
    port = int(listening[1])
    url = f"http://127.0.0.1:{port}/api/v3/configure/token/admin"
    with urllib.request.urlopen(url, b"{}", timeout=60) as response:
        return Server(process, port, str(json.load(response)["token"]))


def _set_up(url: str, request: dict[str, str]) -> str:
    """Set an instance up; return its first token, or an empty text if it was set up before."""
    try:
        with urllib.request.urlopen(url, json.dumps(request).encode(), timeout=60) as response:  # noqa: S310 - loopback
            return str(json.load(response)["auth"]["token"])
    except urllib.error.HTTPError as error:
        error_body = json.load(error)
        if error_body["code"] == "conflict":
            return ""
        raise LocalCloudError(f"InfluxDB refuses to be set up: {phrase(error_body['message'])}.") from error


def settings(folder: Path) -> dict[str, str]:
    """Return the environment of an influxd that keeps its data in a folder and takes a free loopback port."""
    return os.environ | {
        "INFLUXDB_REPORTING_DISABLED": "true",
        "INFLUXDB_MONITOR_STORE_ENABLED": "false",
        "INFLUXDB_BIND_ADDRESS": "127.0.0.1:0",
        "INFLUXDB_META_DIR": str(folder / "meta"),
        "INFLUXDB_DATA_DIR": str(folder / "data"),
        "INFLUXDB_DATA_WAL_DIR": str(folder / "wal"),
        "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
        "INFLUXDB_HTTP_BIND_ADDRESS": "127.0.0.1:0",  # a free port, which the log names
        "INFLUXDB_HTTP_AUTH_ENABLED": "true",
        "INFLUXDB_HTTP_LOG_ENABLED": "false",
        "INFLUXDB_HTTP_MAX_BODY_SIZE": "0",
    }


@wrap(TimestreamInfluxDBBackend, "create_db_instance")
def _create_db_instance(
    cloud: Cloud, original: Any, self: TimestreamInfluxDBBackend, *args: Any, **kw: Any
) -> DBInstance:
    with cloud.lock("timestreaminfluxdb"):
        instance: DBInstance = original(self, *args, **kw)
    folder = cloud.new_folder("influxdb")
    access = {"username": instance.username or "admin", "password": instance.password}
    place = {"bucket": instance.bucket or "default", "organization": instance.organization or "default"}
    try:
        server = cloud.state(Servers).running[instance.id] = start(folder, **access, **place)
    except LocalCloudError as error:
        del self.db_instances[instance.id]
        raise ValidationException(str(error)) from error
    instance.port = server.port
    instance.endpoint, instance.status = f"localhost:{instance.port}", InstanceStatus.AVAILABLE
    return instance


@wrap(TimestreamInfluxDBBackend, "delete_db_instance")
def _delete_db_instance(cloud: Cloud, original: Any, self: TimestreamInfluxDBBackend, id: str) -> DBInstance:  # noqa: A002 - moto's
    with cloud.lock("timestreaminfluxdb"):
        instance: DBInstance = original(self, id)
    if server := cloud.state(Servers).running.pop(instance.id, None):
        processes.end(server.process)
    return instance


@add(TimestreamInfluxDBResponse, "update_db_instance")
def _update_db_instance(self: TimestreamInfluxDBResponse) -> str:
    """Change an instance while its engine keeps running; its storage can only grow."""
    request = json.loads(self.body)
    instance = self.timestreaminfluxdb_backend.get_db_instance(id=request["identifier"])
    storage = request.get("allocatedStorage", instance.allocated_storage)
    if storage < instance.allocated_storage:
        raise ValidationException(
            f"The allocated storage of a DB instance can only be increased: it has {instance.allocated_storage} GiB, "
            f"and {storage} GiB were requested."
        )
    for name in CHANGEABLE.keys() & request.keys():
        setattr(instance, CHANGEABLE[name], request[name])
    return json.dumps(instance.to_dict())


@replace(TimestreamInfluxDBResponse, "create_db_cluster")
def _create_db_cluster(cloud: Cloud, self: TimestreamInfluxDBResponse) -> str:
    """Make a cluster of InfluxDB 3 Core, with its admin token in a secret; others are refused by name."""
    request: dict[str, Any] = json.loads(self.body)
    clusters = cloud.state(Clusters).described
    if request.get("dbParameterGroupIdentifier") != PARAMETER_GROUP:
        raise ValidationException(
            f"The local cloud has clusters of InfluxDB 3 Core only: dbParameterGroupIdentifier {PARAMETER_GROUP}."
        )
    if of_version_2 := [name for name in _OF_VERSION_2 if name in request]:
        raise ValidationException(f"{', '.join(of_version_2)} cannot be specified for InfluxDB 3.")
    if any(cluster["name"] == request["name"] for cluster in clusters.values()):
        raise ValidationException(f"A DB cluster with the name {request['name']} already exists.")
    identifier = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(10))
    try:
        server = start3(cloud.new_folder("influxdb"))
    except LocalCloudError as error:
        raise ValidationException(str(error)) from error
    cloud.state(Servers).running[identifier] = server
    secret = cloud.client("secretsmanager").create_secret(
        Name=f"READONLY-InfluxDB-auth-parameters-{identifier}", SecretString=json.dumps({"token": server.token})
    )
    cluster = {
        "publiclyAccessible": False,
        "failoverMode": "AUTOMATIC",
        "networkType": "IPV4",
        **{name: value for name, value in request.items() if name != "tags"},
        "id": identifier,
        "arn": f"arn:aws:timestream-influxdb:{REGION}:{ACCOUNT}:db-cluster/{identifier}",
        "status": "AVAILABLE",
        "endpoint": f"localhost:{server.port}",
        "port": server.port,
        "engineType": "INFLUXDB_V3_CORE",
        "influxAuthParametersSecretArn": secret["ARN"],
    }
    clusters[identifier] = cluster
    if request.get("tags"):
        self.timestreaminfluxdb_backend.tag_resource(resource_arn=cluster["arn"], tags=request["tags"])
    return json.dumps({"dbClusterId": identifier, "dbClusterStatus": "CREATING"})


def _cluster(cloud: Cloud, self: TimestreamInfluxDBResponse) -> dict[str, Any]:
    identifier = json.loads(self.body)["dbClusterId"]
    cluster = cloud.state(Clusters).described.get(identifier)
    if cluster is None:
        raise ResourceNotFoundException(f"DB cluster {identifier} not found")
    return cluster


@replace(TimestreamInfluxDBResponse, "get_db_cluster")
def _get_db_cluster(cloud: Cloud, self: TimestreamInfluxDBResponse) -> str:
    """Describe a cluster."""
    return json.dumps(_cluster(cloud, self))


@replace(TimestreamInfluxDBResponse, "list_db_clusters")
def _list_db_clusters(cloud: Cloud, self: TimestreamInfluxDBResponse) -> str:  # noqa: ARG001 - the hook's signature
    """List all clusters, on one page."""
    return json.dumps({"items": list(cloud.state(Clusters).described.values())})


@add(TimestreamInfluxDBResponse, "update_db_cluster")
def _update_db_cluster(cloud: Cloud, self: TimestreamInfluxDBResponse) -> str:
    """Change what a cluster says of itself; the engine keeps running, on the port that it has here."""
    request, cluster = json.loads(self.body), _cluster(cloud, self)
    cluster |= {name: request[name] for name in _CLUSTER_CHANGES if name in request}
    return json.dumps({"dbClusterStatus": cluster["status"]})


@add(TimestreamInfluxDBResponse, "delete_db_cluster")
def _delete_db_cluster(cloud: Cloud, self: TimestreamInfluxDBResponse) -> str:
    """Delete a cluster with its data and its secret."""
    cluster = _cluster(cloud, self)
    del cloud.state(Clusters).described[cluster["id"]]
    if server := cloud.state(Servers).running.pop(cluster["id"], None):
        processes.end(server.process)
    secret = cluster["influxAuthParametersSecretArn"]
    cloud.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    return json.dumps({"dbClusterStatus": "DELETING"})


@after(ParameterGroup, "to_dict")
def _without_parameters(description: dict[str, Any], _self: ParameterGroup) -> None:
    """Leave out the parameters of a group that has none; moto gap: it answers what no client can read."""
    if not description["parameters"]:
        del description["parameters"]
