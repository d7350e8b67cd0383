"""What this room installs, and what runs in it beside requests."""

from __future__ import annotations

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.dynamodb import behaviour, bulk_put, imports, items, reading, serialization, tables


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks."""
    hooks.install(cloud, behaviour, bulk_put, imports, items, reading, serialization, tables)
