"""RDS: a real database server for every instance that is created; the instance's endpoint is its address.

moto gaps: an instance is a record without a database behind it, and without metrics; a new subnet group replaces the
one that has its name, and one that is modified is gone.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from moto.rds.exceptions import DBSubnetGroupNotFoundError, RDSClientError
from moto.rds.models import DBInstance, DBSubnetGroup, RDSBackend, rds_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloud.isolation import alone
from localcloud.engines import mariadb, postgresql
from localcloud.engines.database_server import DatabaseServer
from localcloud.errors import LocalCloudError
from localcloud.hooks import after, replace, wrap
from localcloud.services.cloudwatch.metrics import measure
from localcloud.services.rds.parameter_groups import is_formula

GIB = 1024**3


#: The function that starts the server behind each engine of RDS: with a new folder, ``authorities``, ``username``,
#: ``password``, ``database`` (may be empty) and the ``parameters`` of its parameter group.
ENGINES: dict[str, Callable[..., DatabaseServer]] = {"mysql": mariadb.start, "postgres": postgresql.start}


@dataclass
class Servers:
    """The servers behind instances, by their ARNs."""

    by_arn: dict[str, DatabaseServer] = field(default_factory=dict)


@wrap(RDSBackend, "create_db_instance")
def _create_db_instance(cloud: Cloud, original: Any, self: RDSBackend, db_kwargs: dict[str, Any]) -> DBInstance:
    with alone("rds"):
        instance: DBInstance = original(self, db_kwargs)
    if instance.engine not in ENGINES or instance.db_cluster_identifier:
        return instance
    try:
        server = ENGINES[instance.engine](
            cloud.new_folder("database"),
            authorities=cloud.folder,
            username=instance.master_username,
            password=db_kwargs.get("master_user_password", ""),
            database=instance.db_name or "",
            parameters=_parameters(instance),
        )
    except LocalCloudError as error:
        del self.databases[instance.db_instance_identifier]
        raise RDSClientError("InternalFailure", str(error)) from error
    cloud.state(Servers).by_arn[instance.db_instance_arn], instance.port = server, server.port
    return instance


@wrap(RDSBackend, "modify_db_instance")
def _modify_db_instance(
    cloud: Cloud, original: Any, self: RDSBackend, db_instance_identifier: str, db_kwargs: dict[str, Any]
) -> DBInstance:
    db_kwargs.pop("db_port_number", None)  # the port is the server's
    with alone("rds"):
        modified: DBInstance = original(self, db_instance_identifier, db_kwargs)
    server, password = cloud.state(Servers).by_arn.get(modified.db_instance_arn), db_kwargs.get("master_user_password")
    if server and password:
        server.change_password(password)
    return modified


@wrap(RDSBackend, "create_subnet_group")
def _create_subnet_group(original: Any, self: RDSBackend, subnet_name: str, *args: Any, **kwargs: Any) -> DBSubnetGroup:
    if subnet_name in self.subnet_groups:
        raise RDSClientError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{subnet_name}' already exists.")
    group: DBSubnetGroup = original(self, subnet_name, *args, **kwargs)
    return group


@wrap(RDSBackend, "modify_db_subnet_group")
def _modify_subnet_group(original: Any, self: RDSBackend, subnet_name: str, *args: Any, **kwargs: Any) -> DBSubnetGroup:
    if subnet_name not in self.subnet_groups:
        raise DBSubnetGroupNotFoundError(subnet_name)
    group: DBSubnetGroup = original(self, subnet_name, *args, **kwargs)
    self.subnet_groups[subnet_name] = group
    return group


@after(RDSBackend, "start_db_instance", "reboot_db_instance")
def _restart(cloud: Cloud, started: DBInstance, *_args: Any, **_kwargs: Any) -> None:
    if server := cloud.state(Servers).by_arn.get(started.db_instance_arn):
        server.restart(_parameters(started))


@after(RDSBackend, "stop_db_instance")
def _stop(cloud: Cloud, stopped: DBInstance, *_args: Any, **_kwargs: Any) -> None:
    if server := cloud.state(Servers).by_arn.get(stopped.db_instance_arn):
        server.stop()


@wrap(RDSBackend, "delete_db_instance")
def _delete_db_instance(cloud: Cloud, original: Any, self: RDSBackend, *args: Any, **kwargs: Any) -> DBInstance:
    with alone("rds"):
        instance: DBInstance = original(self, *args, **kwargs)
    if server := cloud.state(Servers).by_arn.pop(instance.db_instance_arn, None):
        server.remove()
    return instance


def measure_databases(cloud: Cloud) -> None:
    """Write the free storage of each running server, of what its instance was given, and its connections."""
    servers = cloud.state(Servers).by_arn
    running = {
        instance.db_instance_identifier: (instance, servers[instance.db_instance_arn])
        for instance in list(rds_backends[ACCOUNT][REGION].databases.values())
        if instance.db_instance_arn in servers and instance.status == "available"
    }
    for name, (instance, server) in running.items():
        used = 0
        for folder, _, files in os.walk(server.folder):
            for file in files:
                with contextlib.suppress(FileNotFoundError):  # a temporary one
                    used += Path(folder, file).stat().st_size
        free = instance.allocated_storage * GIB - used
        measure("AWS/RDS", "FreeStorageSpace", free, {"DBInstanceIdentifier": name})
    if not running:
        return
    with contextlib.suppress(psutil.AccessDenied):  # not every system tells everybody
        connections = psutil.net_connections("tcp4")
        connected = Counter(
            end.laddr.port for end in connections if end.laddr and end.status == psutil.CONN_ESTABLISHED
        )
        for name, (_, server) in running.items():
            measure("AWS/RDS", "DatabaseConnections", connected[server.port], {"DBInstanceIdentifier": name})


def _parameters(instance: DBInstance) -> dict[str, str]:
    """What the parameter group says; RDS applies it, too, when an instance starts.

    A formula is about memory that the instance here does not have: the engine's own value stays.
    """
    groups = instance.db_parameter_groups()
    values = {name: str(row["ParameterValue"]) for group in groups for name, row in group.parameters.items()}
    return {name: value for name, value in values.items() if not is_formula(value)}


@replace(DBInstance, "address")
def _address(cloud: Cloud, instance: DBInstance) -> str:
    if instance.db_instance_arn in cloud.state(Servers).by_arn:
        return "localhost"
    return f"{instance.db_instance_identifier}.aaaaaaaaaa.{instance.region}.rds.amazonaws.com"
