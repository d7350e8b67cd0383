"""What this room installs."""

from __future__ import annotations

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.stepfunctions import machines


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks; what runs executions is installed when somebody asks for the first time."""
    hooks.install(cloud, machines)
