"""What several callers want to know about an account."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from contract.quotas import vcpu_quota

if TYPE_CHECKING:
    from contract.quotas import Quota
    from workloads.account.reader import Json, Reader

#: What `quota_value` asks for.
QUOTA = ("servicequotas:GetServiceQuota", "servicequotas:GetAWSDefaultServiceQuota")
#: What `way_problem` asks for.
WAY = ("ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeVpcEndpoints")
#: An image in a private registry of ECR.
PRIVATE_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
#: What `default_route` and `endpoints` ask for.
ROUTES = ("ec2:DescribeRouteTables",)
ENDPOINTS = ("ec2:DescribeVpcEndpoints",)
_ANYWHERE = "0.0.0.0/0"
_ENDPOINTS = ("s3", "ecr.api", "ecr.dkr", "logs")  # without a way to the internet, jobs need these


def quota_value(quota: Quota, account: Reader) -> float:
    """Return a quota of the account; AWS's default if Service Quotas has no value for the account."""
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    response = account.find("servicequotas:GetServiceQuota", **names) or account.ask(
        "servicequotas:GetAWSDefaultServiceQuota", **names
    )
    return float(response["Quota"]["Value"])


def increase(quota: Quota, value: int) -> str:
    """Return how to ask AWS for more."""
    return (
        f"Ask for {value}: aws service-quotas request-service-quota-increase --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {value}"
    )


def describe_type(kind: str, account: Reader) -> Json | None:
    """Return EC2's description of an instance type; None if there is no such type."""
    response = account.find("ec2:DescribeInstanceTypes", InstanceTypes=[kind])
    return response["InstanceTypes"][0] if response and response["InstanceTypes"] else None


def vcpus(kind: str, account: Reader) -> int:
    """Return the vCPUs of an instance type; 0 if EC2 does not have it."""
    description = describe_type(kind, account)
    return int(description["VCpuInfo"]["DefaultVCpus"]) if description else 0


def used_vcpus(quota: Quota, account: Reader) -> int:
    """Return the vCPUs of running instances that count against a quota."""
    states = {"Name": "instance-state-name", "Values": ["pending", "running"]}
    reservations = account.ask("ec2:DescribeInstances", Filters=[states])["Reservations"]
    return sum(
        vcpus(instance["InstanceType"], account)
        for reservation in reservations
        for instance in reservation["Instances"]
        if vcpu_quota(instance["InstanceType"], spot=instance.get("InstanceLifecycle") == "spot") == quota
    )


def describe_subnet(identifier: str, account: Reader) -> Json | None:
    """Return EC2's description of a subnet; None if there is no such subnet."""
    response = account.find("ec2:DescribeSubnets", SubnetIds=[identifier])
    return response["Subnets"][0] if response and response["Subnets"] else None


def way_problem(subnet: Json, account: Reader, *, has_address: bool = False) -> tuple[str, str]:
    """Return why instances in a subnet do not reach S3 and the registry, and the way out; two empty texts if they do.

    Args:
        subnet: A subnet as EC2 describes it.
        account: Where to ask.
        has_address: Whether instances get a public address whatever the subnet says.
    """
    identifier, target = subnet["SubnetId"], default_route(subnet, account)
    if not target and not _has_endpoints(subnet, account):
        return (
            f"Subnet {identifier} has no route to the internet: what starts there reaches neither S3 nor a registry.",
            f"Add a route to an internet gateway or a NAT gateway, or VPC endpoints for {', '.join(_ENDPOINTS)}.",
        )
    if target.startswith("igw-") and not has_address and not subnet["MapPublicIpOnLaunch"]:
        return (
            f"Subnet {identifier} gives instances no public address, which they need to use its internet gateway.",
            f"aws ec2 modify-subnet-attribute --subnet-id {identifier} --map-public-ip-on-launch",
        )
    return "", ""


def route_tables(subnet: Json, account: Reader) -> list[Json]:
    """Return the route table of a subnet: its own, or else the main one of its VPC."""
    by_subnet = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    tables = account.ask("ec2:DescribeRouteTables", Filters=by_subnet)["RouteTables"]
    if not tables:
        main = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "association.main", "Values": ["true"]}]
        tables = account.ask("ec2:DescribeRouteTables", Filters=main)["RouteTables"]
    return list(tables)


def default_route(subnet: Json, account: Reader) -> str:
    """Return where a subnet sends what is for the internet; empty if nowhere."""
    routes: list[dict[str, Any]] = [route for table in route_tables(subnet, account) for route in table["Routes"]]
    for route in routes:
        if route.get("DestinationCidrBlock") == _ANYWHERE and route.get("State", "active") == "active":
            keys = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId")
            return next((str(route[key]) for key in keys if route.get(key)), "")
    return ""


def endpoints(vpc: str, account: Reader) -> list[Json]:
    """Return the endpoints of a VPC, as EC2 describes them."""
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    return list(account.ask("ec2:DescribeVpcEndpoints", Filters=of_vpc)["VpcEndpoints"])


def _has_endpoints(subnet: Json, account: Reader) -> bool:
    names = [endpoint["ServiceName"] for endpoint in endpoints(subnet["VpcId"], account)]
    return all(any(name.endswith(f".{service}") for name in names) for service in _ENDPOINTS)


def image_is_missing(image: str, region: str, account: Reader) -> bool:
    """Return whether a private registry of this region lacks an image; others cannot be asked."""
    name = PRIVATE_IMAGE.fullmatch(image)
    if name is None or name["region"] != region:
        return False
    identifier = {"imageDigest": name["digest"]} if name["digest"] else {"imageTag": name["tag"] or "latest"}
    images = account.find(
        "ecr:DescribeImages", registryId=name["account"], repositoryName=name["repository"], imageIds=[identifier]
    )
    return images is None
