"""What this room installs, and what runs in it beside requests."""

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.ec2 import behaviour, one_off, placement_groups


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks."""
    hooks.install(cloud, behaviour, one_off, placement_groups)
