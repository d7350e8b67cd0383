"""Which zones offer which instance types.

moto gap: a filter of DescribeInstanceTypeOfferings takes no wildcards, such as `g4dn.*`.
"""

from __future__ import annotations

import fnmatch
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES, InstanceTypeOfferingBackend

from localcloud.hooks import wrap

_FILTER = "instance-type"


@wrap(InstanceTypeOfferingBackend, "matches_filters")
def _matches_filters(
    original: Any, self: InstanceTypeOfferingBackend, offering: dict[str, Any], filters: Any, location_type: str
) -> bool:
    other_filters = {name: values for name, values in filters.items() if name != _FILTER}
    patterns = filters.get(_FILTER, ["*"])
    is_wanted = any(fnmatch.fnmatchcase(offering["InstanceType"], pattern) for pattern in patterns)
    return is_wanted and bool(original(self, offering, other_filters, location_type))


def vcpus(instance_type: str) -> int:
    """Return the vCPUs of an instance type; 0 of one that EC2 does not have."""
    return int(INSTANCE_TYPES.get(instance_type, {}).get("VCpuInfo", {}).get("DefaultVCpus", 0))
