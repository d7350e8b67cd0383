"""The quotas of an AWS account that the stacks count against: how AWS names them, and what a new account has.

Codes and default values are those of Service Quotas (`aws service-quotas list-aws-default-service-quotas`).
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Quota(NamedTuple):
    """A quota of an account in one region.

    Attributes:
        service: The service, as Service Quotas calls it.
        code: The quota's code, such as L-F678F1CE.
        name: Its name in the console.
        default: Its value in a new account.
        used_for: What counts against it, in the plural.
    """

    service: str
    code: str
    name: str
    default: int
    used_for: str


VPCS = Quota("vpc", "L-F678F1CE", "VPCs per Region", 5, "VPCs")
INTERNET_GATEWAYS = Quota("vpc", "L-A4707A72", "Internet gateways per Region", 5, "internet gateways")
ADDRESSES = Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5, "Elastic IP addresses")
DATABASES = Quota("rds", "L-7B6409FD", "DB instances", 40, "DB instances")
FARGATE = Quota("fargate", "L-3032A538", "Fargate On-Demand vCPU resource count", 6, "vCPUs of Fargate")

#: vCPUs of instances that run on demand, and of spot instances, by the bucket that their family belongs to.
#: See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits.
ON_DEMAND = {
    "standard": Quota(
        "ec2",
        "L-1216C47A",
        "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        5,
        "vCPUs of standard instances on demand",
    ),
    "g": Quota("ec2", "L-DB2E81BA", "Running On-Demand G and VT instances", 0, "vCPUs of G and VT instances on demand"),
    "p": Quota("ec2", "L-417A185B", "Running On-Demand P instances", 0, "vCPUs of P instances on demand"),
}
SPOT = {
    "standard": Quota(
        "ec2",
        "L-34B43A08",
        "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
        5,
        "vCPUs of standard spot instances",
    ),
    "g": Quota("ec2", "L-3819A6DF", "All G and VT Spot Instance Requests", 0, "vCPUs of G and VT spot instances"),
    "p": Quota("ec2", "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", 0, "vCPUs of P spot instances"),
}
QUOTAS = (VPCS, INTERNET_GATEWAYS, ADDRESSES, DATABASES, FARGATE, *ON_DEMAND.values(), *SPOT.values())

_BUCKETS = {"g": "g", "gr": "g", "vt": "g", "p": "p"}
_STANDARD = frozenset("acdhimrtz")
_OTHERS = frozenset({"dl", "hpc", "mac", "trn", "inf", "u"})  # families with quotas of their own, or with none


def vcpu_quota(instance_type: str, *, spot: bool = False) -> Quota | None:
    """Return the quota against which the vCPUs of an instance count; None if it is none of those above.

    Args:
        instance_type: A type, such as `g4dn.xlarge`, or a family, such as `g4dn`.
        spot: Whether it is a spot instance.
    """
    family = re.match("[a-z]+", instance_type)
    letters = family[0] if family else ""
    bucket = _BUCKETS.get(letters)
    if not bucket and letters and letters not in _OTHERS and letters[0] in _STANDARD:
        bucket = "standard"
    return (SPOT if spot else ON_DEMAND)[bucket] if bucket else None
