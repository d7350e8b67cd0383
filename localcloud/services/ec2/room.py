"""What this room installs, and what runs in it beside requests."""

from __future__ import annotations

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.ec2 import (
    absent,
    attachments,
    behaviour,
    default_vpc,
    dependencies,
    flow_logs,
    image_parameters,
    instance_types,
    one_off,
    placement_groups,
    quotas,
    vpc_endpoints,
)


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks."""
    hooks.install(
        cloud,
        absent,
        behaviour,
        default_vpc,
        dependencies,
        flow_logs,
        image_parameters,
        instance_types,
        one_off,
        placement_groups,
        quotas,
        attachments,
        vpc_endpoints,
    )
