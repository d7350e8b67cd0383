"""Timestream for InfluxDB: a real influxd behind InfluxDB 2's API (`influxdb_server.py`) for every instance.

moto gaps: an instance is a record without a database behind it, and cannot be updated.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from moto.timestreaminfluxdb.exceptions import ValidationException
from moto.timestreaminfluxdb.models import DBInstance, InstanceStatus, TimestreamInfluxDBBackend
from moto.timestreaminfluxdb.responses import TimestreamInfluxDBResponse

from contract.errors import phrase
from localcloud.cloud import processes
from localcloud.cloud.context import Cloud
from localcloud.cloud.isolation import alone
from localcloud.engines import front
from localcloud.engines.programs import find
from localcloud.errors import LocalCloudError
from localcloud.hooks import add, wrap

#: What an update may change, by moto's names. The port is that of the engine here, which keeps it.
CHANGEABLE = {
    "allocatedStorage": "allocated_storage",
    "dbInstanceType": "db_instance_type",
    "dbParameterGroupIdentifier": "db_parameter_group_id",
    "dbStorageType": "db_storage_type",
    "deploymentType": "deployment_type",
    "logDeliveryConfiguration": "log_delivery_configuration",
}


@dataclass
class Servers:
    """The processes behind instances, by their ids."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)


class Server(NamedTuple):
    """A running InfluxDB.

    Attributes:
        process: Its process.
        port: The loopback port of its front (`influxdb_server.py`).
        token: May do everything; of an instance that was set up before, it is empty.
    """

    process: subprocess.Popen[bytes]
    port: int
    token: str


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
    command, environment = front.command("influxdb_server", find("influxd"), str(folder / "influxdb2.json"))
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
    """The environment of an influxd that keeps its data in a folder and takes a free loopback port."""
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
    with alone("timestreaminfluxdb"):
        instance: DBInstance = original(self, *args, **kw)
    folder = cloud.new_folder("influxdb")
    access = {"username": instance.username or "admin", "password": instance.password}
    place = {"bucket": instance.bucket or "default", "organization": instance.organization or "default"}
    try:
        cloud.state(Servers).running[instance.id], instance.port, _ = start(folder, **access, **place)
    except LocalCloudError as error:
        del self.db_instances[instance.id]
        raise ValidationException(str(error)) from error
    instance.endpoint, instance.status = f"localhost:{instance.port}", InstanceStatus.AVAILABLE
    return instance


@wrap(TimestreamInfluxDBBackend, "delete_db_instance")
def _delete_db_instance(cloud: Cloud, original: Any, self: TimestreamInfluxDBBackend, id: str) -> DBInstance:  # noqa: A002 - moto's
    with alone("timestreaminfluxdb"):
        instance: DBInstance = original(self, id)
    if process := cloud.state(Servers).running.pop(instance.id, None):
        processes.end(process)
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
