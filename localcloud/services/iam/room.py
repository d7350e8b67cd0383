"""What this room installs, and what runs in it beside requests."""

from __future__ import annotations

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.iam import behaviour, groups, identity_providers, service_linked_roles


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks."""
    hooks.install(cloud, behaviour, groups, identity_providers, service_linked_roles)
    service_linked_roles.seed(cloud)
