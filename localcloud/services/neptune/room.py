"""What this room installs, and what runs in it beside requests."""

from __future__ import annotations

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.neptune import behaviour, loads, roles


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks."""
    hooks.install(cloud, behaviour, roles, loads)
