"""What this room installs, and what runs in it beside requests."""

from localcloud.services.ec2 import behaviour, one_off, placement_groups, quotas  # noqa: F401 (importing installs it)
