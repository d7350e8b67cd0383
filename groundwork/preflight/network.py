"""Networks that exist before the stack: VPCs, subnets and security groups, and whether jobs reach AWS from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundwork.preflight.checks import check, ok, refused, warning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template

_ANYWHERE = "0.0.0.0/0"
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


def describe_subnet(identifier: str, account: Questions) -> dict[str, Any] | None:
    """Return what EC2 says about a subnet; None if there is none."""
    answer = account.find("ec2:DescribeSubnets", SubnetIds=[identifier])
    return answer["Subnets"][0] if answer and answer["Subnets"] else None


@check("VPC", "ec2:DescribeVpcs")
def vpc(stack: Template, account: Questions) -> Iterator[Judgement]:
    """A VPC that the settings name exists."""
    for identifier in stack.identifiers(r"vpc-[0-9a-f]+"):
        answer = account.find("ec2:DescribeVpcs", VpcIds=[identifier])
        if not answer or not answer["Vpcs"]:
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
    wanted = {identifier: describe_subnet(identifier, account) for identifier in stack.subnets()}
    if not wanted:
        return
    if missing := [identifier for identifier, subnet in wanted.items() if subnet is None]:
        yield refused(f"There is no subnet {', '.join(missing)} in {account.region}.", "Correct the setting subnet_ids.")
        return
    elsewhere = {
        identifier: subnet["VpcId"] for identifier, subnet in wanted.items() if subnet and subnet["VpcId"] not in vpcs
    }
    if vpcs and elsewhere:
        identifier, other = next(iter(elsewhere.items()))
        yield refused(
            f"Subnet {identifier} belongs to {other}, and not to {', '.join(vpcs)}.",
            "Name a VPC and subnets of that VPC: vpc_id and subnet_ids.",
        )
        return
    yield ok(f"{', '.join(wanted)} exist.")


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
        answer = account.find("ec2:DescribeSecurityGroups", GroupIds=[identifier])
        if not answer or not answer["SecurityGroups"]:
            yield refused(f"There is no security group {identifier} in {account.region}.", "Correct the setting.")
        else:
            yield ok(f"{identifier} exists.")


@check("way to AWS", "ec2:DescribeSubnets", "ec2:DescribeRouteTables")
def routes(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Instances in subnets that exist reach S3 and the registry of images from there."""
    for identifier in stack.subnets():
        subnet = describe_subnet(identifier, account)
        if subnet is None:
            continue
        target = default_route(subnet, account)
        if not target:
            yield warning(
                f"Subnet {identifier} has no route to the internet: what starts there reaches neither S3 nor a registry.",
                "Add a route 0.0.0.0/0 to an internet gateway or a NAT gateway, or VPC endpoints for s3, ecr.api, "
                "ecr.dkr, logs and ecs.",
            )
        elif target.startswith("igw-") and not subnet["MapPublicIpOnLaunch"]:
            yield warning(
                f"Subnet {identifier} gives instances no public address, which they need to use its internet gateway.",
                f"aws ec2 modify-subnet-attribute --subnet-id {identifier} --map-public-ip-on-launch; or choose a subnet "
                "behind a NAT gateway.",
            )
        else:
            yield ok(f"{identifier}: by {target}.")


def default_route(subnet: dict[str, Any], account: Questions) -> str:
    """Return where a subnet sends what is for the internet; empty if nowhere."""
    by_subnet = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
    tables = account.ask("ec2:DescribeRouteTables", Filters=by_subnet)["RouteTables"]
    if not tables:
        main = [
            {"Name": "vpc-id", "Values": [subnet["VpcId"]]},
            {"Name": "association.main", "Values": ["true"]},
        ]
        tables = account.ask("ec2:DescribeRouteTables", Filters=main)["RouteTables"]
    for route in (route for table in tables for route in table["Routes"]):
        if route.get("DestinationCidrBlock") == _ANYWHERE and route.get("State", "active") == "active":
            return str(
                route.get("GatewayId")
                or route.get("NatGatewayId")
                or route.get("TransitGatewayId")
                or route.get("NetworkInterfaceId")
                or ""
            )
    return ""
