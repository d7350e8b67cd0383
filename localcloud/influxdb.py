"""Timestream for InfluxDB: a real influxd for every instance that is created; the instance's endpoint is its address.

moto gap: an instance is a record without a database behind it.
"""

import base64
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from moto.timestreaminfluxdb.exceptions import ValidationException
from moto.timestreaminfluxdb.models import DBInstance, InstanceStatus, TimestreamInfluxDBBackend

from localcloud import processes
from localcloud.engines import find
from localcloud.errors import LocalCloudError
from localcloud.hooks import instead

START_SECONDS = 30
_running: dict[str, subprocess.Popen[bytes]] = {}


def start(folder: Path, port: int, *, username: str, password: str, database: str) -> subprocess.Popen[bytes]:
    """Start influxd with one user who may do everything, and one database; wait until it serves.

    Args:
        folder: Holds its data and log.
        port: Loopback port.
        username: The user.
        password: The user's password.
        database: The database.

    Raises:
        LocalCloudError: influxd is not installed, or did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "INFLUXDB_REPORTING_DISABLED": "true",
        "INFLUXDB_MONITOR_STORE_ENABLED": "false",
        "INFLUXDB_BIND_ADDRESS": "127.0.0.1:0",
        "INFLUXDB_META_DIR": str(folder / "meta"),
        "INFLUXDB_DATA_DIR": str(folder / "data"),
        "INFLUXDB_DATA_WAL_DIR": str(folder / "wal"),
        "INFLUXDB_DATA_QUERY_LOG_ENABLED": "false",
        "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{port}",
        "INFLUXDB_HTTP_AUTH_ENABLED": "true",
        "INFLUXDB_HTTP_LOG_ENABLED": "false",
        "INFLUXDB_HTTP_MAX_BODY_SIZE": "0",
    }
    log = folder / "influxd.log"
    command = ["sh", "-c", 'exec "$0" run > "$1" 2>&1', find("influxd"), str(log)]
    process = processes.start(command, folder=folder, environment=os.environ | settings)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while not _answers(f"{url}/ping"):
        if process.poll() is not None or time.monotonic() > deadline:
            processes.end(process)
            raise LocalCloudError(f"influxd did not start (log: {log})")
        time.sleep(0.05)
    quoted = password.replace("\\", "\\\\").replace("'", "\\'")
    _run(url, f"CREATE USER \"{username}\" WITH PASSWORD '{quoted}' WITH ALL PRIVILEGES", {})
    access = base64.b64encode(f"{username}:{password}".encode()).decode()
    _run(url, f'CREATE DATABASE "{database}"', {"Authorization": f"Basic {access}"})
    return process


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - loopback
            return True
    except OSError:
        return False


def _run(url: str, statement: str, headers: dict[str, str]) -> None:
    body = urllib.parse.urlencode({"q": statement}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/query", body, headers), timeout=30):  # noqa: S310 - loopback
        pass


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@instead(TimestreamInfluxDBBackend, "create_db_instance")
def _create_db_instance(original: Any, self: TimestreamInfluxDBBackend, *args: Any, **kw: Any) -> DBInstance:
    made: DBInstance = original(self, *args, **kw)
    port = _free_port()
    folder = Path(os.environ["LOCALCLOUD_FOLDER"]) / "influxdb" / made.id
    try:
        _running[made.id] = start(
            folder, port, username=made.username or "admin", password=made.password, database=made.bucket
        )
    except LocalCloudError as error:
        del self.db_instances[made.id]
        raise ValidationException(str(error)) from error
    made.endpoint, made.port, made.status = f"localhost:{port}", port, InstanceStatus.AVAILABLE
    return made


@instead(TimestreamInfluxDBBackend, "delete_db_instance")
def _delete_db_instance(original: Any, self: TimestreamInfluxDBBackend, id: str) -> DBInstance:  # noqa: A002 - moto's
    gone: DBInstance = original(self, id)
    if process := _running.pop(gone.id, None):
        processes.end(process)
    return gone
