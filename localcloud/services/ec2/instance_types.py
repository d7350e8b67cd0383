"""Which zones offer which instance types, and how EC2 refuses the others.

moto gap: a filter of DescribeInstanceTypeOfferings takes no wildcards, such as `g4dn.*`, and RunInstances launches any
type in any zone. moto ships what AWS answers to DescribeInstanceTypes and DescribeInstanceTypeOfferings.
"""

from __future__ import annotations

import fnmatch
from functools import cache
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES, InstanceTypeOfferingBackend
from moto.ec2.models.instances import InstanceBackend, Reservation

from localcloud.cloud.account import REGION
from localcloud.hooks import wrap

_FILTER = "instance-type"
#: What AWS Batch takes beside instance types and their families.
BATCH_CHOICES = ("optimal", "default_x86_64", "default_arm64")


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


@cache
def zones(instance_type: str) -> tuple[str, ...]:
    """Return the zones that offer an instance type, in order."""
    offerings = INSTANCE_TYPE_OFFERINGS["availability-zone"][REGION]
    return tuple(sorted(row["Location"] for row in offerings if row["InstanceType"] == instance_type))


@cache
def choices(of: str) -> list[str]:
    """Return the instance types that a rule lists.

    Args:
        of: `aws` for all that there are, `region` for those that the region offers, and `batch` for those with their
            families and what else AWS Batch takes.
    """
    if of == "aws":
        return sorted(INSTANCE_TYPES)
    offered = sorted({row["InstanceType"] for row in INSTANCE_TYPE_OFFERINGS["region"][REGION]})
    families = dict.fromkeys(kind.partition(".")[0] for kind in offered)
    return offered if of == "region" else [*BATCH_CHOICES, *families, *offered]


@wrap(InstanceBackend, "run_instances")
def _run_instances(
    original: Any, self: EC2Backend, image_id: str, count: int, *args: Any, **kwargs: Any
) -> Reservation:
    if kind := requested(self, kwargs):
        subnets = [kwargs.get("subnet_id"), *(card.get("SubnetId") for card in kwargs.get("nics") or [])]
        subnet = next((name for name in subnets if name), None)
        zone = self.get_subnet(subnet).availability_zone if subnet else kwargs.get("placement")
        check(kind, None if "launch_config" in kwargs else zone)  # an Auto Scaling group would try its other zones
    reservation: Reservation = original(self, image_id, count, *args, **kwargs)
    return reservation


def requested(backend: EC2Backend, launch: dict[str, Any]) -> str:
    """Return the instance type of a launch, or that of its launch template, or the default one."""
    if launch.get("launch_template") and launch.get("is_instance_type_default"):
        template = backend._get_template_from_args(launch["launch_template"])  # noqa: SLF001 - as moto launches
        if kind := template.data.get("InstanceType"):
            return str(kind)
    return str(launch.get("instance_type") or "")


def check(kind: str, zone: str | None = None) -> None:
    """Refuse an instance type that the region, or the chosen zone, does not offer, in the words of RunInstances.

    Raises:
        EC2ClientError: The type does not exist, or is not offered there. Sources of its words are
            https://github.com/hashicorp/terraform-provider-aws/issues/9113 for a region, and
            https://github.com/ned1313/Getting-Started-Terraform/issues/44 for a zone.
    """
    if kind not in INSTANCE_TYPES:
        raise EC2ClientError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    offering = zones(kind)
    if not offering:
        raise EC2ClientError(
            "Unsupported",
            "The requested configuration is currently not supported. Please check the documentation for supported "
            "configurations.",
        )
    if zone and zone not in offering:
        raise EC2ClientError(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}). "
            "Please retry your request by not specifying an Availability Zone or choosing "
            f"{', '.join(offering)}.",
        )
