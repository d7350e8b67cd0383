"""Timestream for InfluxDB: a real influxd behind its front, `influxdb_server.py`, for every instance that is created.

moto gaps: an instance is a record without a database behind it, and cannot be updated.
"""

import base64
import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


def start(folder: Path, *, username: str, password: str, database: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start influxd with one user who may do everything, and one database; wait until it serves.

    Args:
        folder: Holds its data and log.
        username: The user.
        password: The user's password.
        database: The database.

    Returns:
        The process, and the loopback port of the front (`influxdb_server.py`).

    Raises:
        LocalCloudError: influxd is not installed, or did not start.
    """
    command, environment = front.command("influxdb_server", find("influxd"))
    process, listening = processes.serve(
        command, log=folder / "influxd.log", environment=environment | settings(folder), ready=r"listening on (\d+)"
    )
    url = f"http://127.0.0.1:{listening[1]}"
    quoted = password.replace("\\", "\\\\").replace("'", "\\'")
    _run(url, f"CREATE USER \"{username}\" WITH PASSWORD '{quoted}' WITH ALL PRIVILEGES", {})
    access = base64.b64encode(f"{username}:{password}".encode()).decode()
    _run(url, f'CREATE DATABASE "{database}"', {"Authorization": f"Basic {access}"})
    return process, int(listening[1])


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


def _run(url: str, statement: str, headers: dict[str, str]) -> None:
    body = urllib.parse.urlencode({"q": statement}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/query", body, headers), timeout=30) as answer:  # noqa: S310 - loopback
            said = answer.read().decode()
    except urllib.error.HTTPError as error:
        said = error.read().decode()
    if '"error"' in said:
        raise LocalCloudError(f"InfluxDB at {url} refuses its first statement: {phrase(said)}.")


@wrap(TimestreamInfluxDBBackend, "create_db_instance")
def _create_db_instance(
    cloud: Cloud, original: Any, self: TimestreamInfluxDBBackend, *args: Any, **kw: Any
) -> DBInstance:
    with alone("timestreaminfluxdb"):
        made: DBInstance = original(self, *args, **kw)
    folder = cloud.new_folder("influxdb")
    access = {"username": made.username or "admin", "password": made.password}
    try:
        cloud.state(Servers).running[made.id], made.port = start(folder, **access, database=made.bucket)
    except LocalCloudError as error:
        del self.db_instances[made.id]
        raise ValidationException(str(error)) from error
    made.endpoint, made.status = f"localhost:{made.port}", InstanceStatus.AVAILABLE
    return made


@wrap(TimestreamInfluxDBBackend, "delete_db_instance")
def _delete_db_instance(cloud: Cloud, original: Any, self: TimestreamInfluxDBBackend, id: str) -> DBInstance:  # noqa: A002 - moto's
    with alone("timestreaminfluxdb"):
        gone: DBInstance = original(self, id)
    if process := cloud.state(Servers).running.pop(gone.id, None):
        processes.end(process)
    return gone


@add(TimestreamInfluxDBResponse, "update_db_instance")
def _update_db_instance(self: TimestreamInfluxDBResponse) -> str:
    """Change an instance, whose engine goes on; its storage only grows."""
    given = json.loads(self.body)
    instance = self.timestreaminfluxdb_backend.get_db_instance(id=given["identifier"])
    storage = given.get("allocatedStorage", instance.allocated_storage)
    if storage < instance.allocated_storage:
        raise ValidationException(
            f"The allocated storage of a DB instance can only be increased: it has {instance.allocated_storage} GiB, "
            f"and {storage} GiB were requested."
        )
    for name in CHANGEABLE.keys() & given.keys():
        setattr(instance, CHANGEABLE[name], given[name])
    return json.dumps(instance.to_dict())
