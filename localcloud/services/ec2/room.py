"""What this room installs, and what runs in it beside requests."""

from localcloud.services.ec2 import (  # noqa: F401 (importing installs it)
    behaviour,
    default_vpc,
    instance_types,
    one_off,
    placement_groups,
    quotas,
)
