"""What this room installs, and what runs in it beside requests."""

from __future__ import annotations

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.rds import behaviour, offerings, parameter_groups, snapshots


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks, and start what runs beside requests."""
    hooks.install(cloud, behaviour, snapshots, offerings, parameter_groups)
    cloud.every(5, behaviour.measure_databases, cloud)
