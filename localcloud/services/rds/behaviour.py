"""RDS: a real database server for every instance that is created; the instance's endpoint is its address.

moto gaps: an instance is a record without a database behind it, and without metrics; all instances have the same
resource id, and forget Performance Insights; a new subnet group replaces the one that has its name, and one that is
modified is gone; a subnet that does not exist is refused with EC2's code, and option groups cannot be listed without a
name.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import string
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
from moto.ec2.exceptions import InvalidSubnetIdError
from moto.rds.exceptions import DBSubnetGroupNotFoundError, InvalidSubnet, RDSClientError
from moto.rds.models import DBInstance, DBSubnetGroup, OptionGroup, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.engines import mariadb, postgresql
from localcloud.engines.database_server import DatabaseServer, Saved
from localcloud.errors import LocalCloudError
from localcloud.hooks import after, replace, wrap
from localcloud.services.cloudwatch.metrics import measure
from localcloud.services.rds.offerings import versions
from localcloud.services.rds.parameter_groups import is_formula

GIB = 1024**3
RESOURCE_ID = string.ascii_uppercase + string.digits
#: The parameter of a new instance, which only the local cloud has, with the data with which the instance begins.
SAVED = "localcloud_saved"
#: What a request calls the setting, and what the description of an instance calls it.
INSIGHTS, INSIGHTS_DESCRIBED = "enable_performance_insights", "performance_insights_enabled"
LATEST_ONLY = "The local cloud restores to the latest time only: say UseLatestRestorableTime, or take a snapshot."

#: The module of the server behind each engine of RDS, whose `start` makes a new one, and `restore` one with saved data.
ENGINES: dict[str, ModuleType] = {"mysql": mariadb, "mariadb": mariadb, "postgres": postgresql}


@dataclass
class Servers:
    """The servers behind instances, by their ARNs."""

    by_arn: dict[str, DatabaseServer] = field(default_factory=dict)


@wrap(RDSBackend, "create_db_instance")
def _create_db_instance(cloud: Cloud, original: Any, self: RDSBackend, db_kwargs: dict[str, Any]) -> DBInstance:
    saved: Saved | None = db_kwargs.pop(SAVED, None)
    if newest := versions(db_kwargs.get("engine", ""))[-1:]:
        db_kwargs["engine_version"] = db_kwargs.get("engine_version") or newest[0]
    with cloud.lock("rds"):
        instance: DBInstance = original(self, db_kwargs)
    vars(instance)[INSIGHTS_DESCRIBED] = bool(db_kwargs.get(INSIGHTS))
    instance.dbi_resource_id = "db-" + "".join(secrets.choice(RESOURCE_ID) for _ in range(26))
    if instance.engine not in ENGINES or instance.db_cluster_identifier:
        return instance
    try:
        server = _serve(cloud, instance, db_kwargs.get("master_user_password", ""), saved)
    except LocalCloudError as error:
        del self.databases[instance.db_instance_identifier]
        raise RDSClientError("InternalFailure", str(error)) from error
    cloud.state(Servers).by_arn[instance.db_instance_arn], instance.port = server, server.port
    return instance


def _serve(cloud: Cloud, instance: DBInstance, password: str, saved: Saved | None) -> DatabaseServer:
    """Start the server of a new instance, empty or with saved data."""
    engine, folder = ENGINES[instance.engine], cloud.new_folder("database")
    shared = {"authorities": cloud.folder, "parameters": _parameters(instance)}
    server: DatabaseServer
    if saved:
        server = engine.restore(folder, saved, **shared)
    else:
        user = {"username": instance.master_username, "password": password}
        server = engine.start(folder, database=instance.db_name or "", **user, **shared)
    return server


@wrap(RDSBackend, "modify_db_instance")
def _modify_db_instance(
    cloud: Cloud, original: Any, self: RDSBackend, db_instance_identifier: str, db_kwargs: dict[str, Any]
) -> DBInstance:
    db_kwargs.pop("db_port_number", None)  # the port is the server's
    current, wanted = self.databases.get(db_instance_identifier), db_kwargs.get("allocated_storage")
    if current and wanted and int(wanted) < current.allocated_storage:
        message = f"The allocated storage can only be increased: the instance has {current.allocated_storage} GiB."
        raise RDSClientError("InvalidParameterCombination", message)
    with cloud.lock("rds"):
        modified: DBInstance = original(self, db_instance_identifier, db_kwargs)
    if INSIGHTS in db_kwargs:
        vars(modified)[INSIGHTS_DESCRIBED] = bool(db_kwargs[INSIGHTS])
    server, password = cloud.state(Servers).by_arn.get(modified.db_instance_arn), db_kwargs.get("master_user_password")
    if server and password:
        server.change_password(password)
    return modified


@wrap(RDSResponse, "create_db_subnet_group", "modify_db_subnet_group")
def _of_subnets(original: Any, self: RDSResponse) -> Any:
    try:
        return original(self)
    except InvalidSubnetIdError as error:
        raise InvalidSubnet(", ".join(self.params.get("SubnetIds", []))) from error


@wrap(RDSBackend, "describe_option_groups")
def _describe_option_groups(original: Any, self: RDSBackend, options: Mapping[str, Any]) -> list[OptionGroup]:
    if options.get("option_group_name"):
        groups: list[OptionGroup] = original(self, options)
        return groups
    wanted = {name: options.get(name) for name in ("engine_name", "major_engine_version")}
    listed = self.option_groups.values()
    return [group for group in listed if all(value in {None, getattr(group, name)} for name, value in wanted.items())]


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
    instance = self.databases.get(kwargs.get("db_instance_identifier", ""))
    if instance and not instance.db_cluster_identifier and not instance.is_replica:
        require_final_snapshot(kwargs.get("skip_final_snapshot"), kwargs.get("final_db_snapshot_identifier"))
    with cloud.lock("rds"):
        deleted: DBInstance = original(self, *args, **kwargs)
    if server := cloud.state(Servers).by_arn.pop(deleted.db_instance_arn, None):
        server.remove()
    return deleted


def require_final_snapshot(skip: Any, identifier: str | None) -> None:
    """Refuse a deletion that says neither how the final snapshot is called nor that there shall be none.

    Raises:
        RDSClientError: It says neither.
    """
    if not skip and not identifier:
        message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        raise RDSClientError("InvalidParameterCombination", message)


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
    """Return what the parameter group says; RDS applies it, too, when an instance starts.

    A formula is about memory that the instance here does not have: the engine's own value stays.
    """
    groups = instance.db_parameter_groups()
    values = {name: str(row["ParameterValue"]) for group in groups for name, row in group.parameters.items()}
    if instance.engine == "mariadb":
        values = mariadb.OWN_DEFAULTS | values
    return {name: value for name, value in values.items() if not is_formula(value)}


@replace(DBInstance, "address")
def _address(cloud: Cloud, instance: DBInstance) -> str:
    if instance.db_instance_arn in cloud.state(Servers).by_arn:
        return "localhost"
    return f"{instance.db_instance_identifier}.aaaaaaaaaa.{instance.region}.rds.amazonaws.com"
