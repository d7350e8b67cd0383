"""Networks that exist before the stack: VPCs, subnets and security groups, and whether jobs reach AWS from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundwork.preflight.checks import check, ok, refused, warning
from workloads.account.facts import WAY, describe_subnet, way_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template

_ZONES_OF_A_DATABASE = 2


def zones_of(stack: Template, subnets: Iterable[Any], account: Questions) -> list[str]:
    """Return the zones of subnets, those of the stack and those that exist; without what nobody knows."""
    zones = set()
    for value in subnets:
        subnet = stack.subnet(value)
        zone = stack.zone(subnet)
        if isinstance(zone, int):
            zones |= set(account.zones[zone : zone + 1])
        elif zone:
            zones.add(zone)
        elif isinstance(subnet, str) and (existing := describe_subnet(subnet, account)):
            zones.add(existing["AvailabilityZone"])
    return sorted(zones)


@check("VPC", "ec2:DescribeVpcs")
def vpc(stack: Template, account: Questions) -> Iterator[Judgement]:
    """A VPC that the settings name exists."""
    for identifier in stack.identifiers(r"vpc-[0-9a-f]+"):
        response = account.find("ec2:DescribeVpcs", VpcIds=[identifier])
        if not response or not response["Vpcs"]:
            yield refused(
                f"There is no VPC {identifier} in {account.region}.",
                "Correct the setting vpc_id, or leave it empty for a VPC of the stack's own.",
            )
        else:
            yield ok(f"{identifier} exists.")


@check("subnets", "ec2:DescribeSubnets")
def subnets(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Subnets that the settings name exist, and belong to one VPC, that of the settings."""
    vpcs = set(stack.identifiers(r"vpc-[0-9a-f]+"))
    named_subnets = {identifier: describe_subnet(identifier, account) for identifier in stack.subnets()}
    if not named_subnets:
        return
    if missing := [identifier for identifier, subnet in named_subnets.items() if subnet is None]:
        yield refused(
            f"There is no subnet {', '.join(missing)} in {account.region}.", "Correct the setting subnet_ids."
        )
        return
    elsewhere = {
        identifier: subnet["VpcId"]
        for identifier, subnet in named_subnets.items()
        if subnet and subnet["VpcId"] not in vpcs
    }
    if vpcs and elsewhere:
        identifier, other_vpc = next(iter(elsewhere.items()))
        yield refused(
            f"Subnet {identifier} belongs to {other_vpc}, and not to {', '.join(vpcs)}.",
            "Name a VPC and subnets of that VPC: vpc_id and subnet_ids.",
        )
        return
    yield ok(f"{', '.join(named_subnets)} exist.")


@check("zones of databases", "ec2:DescribeSubnets", "ec2:DescribeAvailabilityZones")
def database_zones(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The subnets of databases are in two zones at least."""
    for resource in stack.resources("AWS::RDS::DBSubnetGroup", "AWS::Neptune::DBSubnetGroup"):
        members = resource.properties["SubnetIds"]
        zones = zones_of(stack, members, account)
        if isinstance(members, list) and len(zones) < _ZONES_OF_A_DATABASE:
            yield refused(
                f"{resource.name}: the subnets are in {', '.join(zones) or 'no zone'}, and RDS needs two zones.",
                "Choose subnets in two zones.",
            )
        else:
            yield ok(f"{resource.name}: {', '.join(zones)}.")


@check("security groups", "ec2:DescribeSecurityGroups")
def security_groups(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Security groups that the settings name exist."""
    for identifier in stack.identifiers(r"sg-[0-9a-f]+"):
        response = account.find("ec2:DescribeSecurityGroups", GroupIds=[identifier])
        if not response or not response["SecurityGroups"]:
            yield refused(f"There is no security group {identifier} in {account.region}.", "Correct the setting.")
        else:
            yield ok(f"{identifier} exists.")


@check("way to AWS", *WAY)
def ways(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Instances in subnets that exist reach S3 and the registry of images from there."""
    for identifier in stack.subnets():
        subnet = describe_subnet(identifier, account)
        if subnet is None:
            continue
        reason, way_out = way_problem(subnet, account)
        yield warning(reason, way_out) if reason else ok(f"{identifier} has one.")
