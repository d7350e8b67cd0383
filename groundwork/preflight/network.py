"""Networks that exist before the stack: VPCs, subnets and security groups, and whether jobs reach AWS from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundwork.preflight.checks import check, ok, refused, warning
from workloads.account.facts import (
    ENDPOINTS,
    ROUTES,
    WAY,
    default_route,
    describe_subnet,
    endpoints,
    route_tables,
    way_problem,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template
    from workloads.account.reader import Json

_ZONES_OF_A_DATABASE = _ZONES_OF_A_BALANCER = 2
_DYNAMODB, _S3 = "dynamodb", "s3"
_VPC = r"vpc-[0-9a-f]+"


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
    """A VPC that the settings name exists, with the address range that they say."""
    cidr = stack.setting("vpc_cidr")
    for identifier in stack.identifiers(_VPC):
        response = account.find("ec2:DescribeVpcs", VpcIds=[identifier])
        if not response or not response["Vpcs"]:
            yield refused(
                f"There is no VPC {identifier} in {account.region}.",
                "Correct the setting vpc_id, or leave it empty for a VPC of the stack's own.",
            )
            continue
        (existing,) = response["Vpcs"]
        ranges = [association["CidrBlock"] for association in existing.get("CidrBlockAssociationSet", ())]
        ranges = ranges or [existing["CidrBlock"]]
        if cidr and cidr not in ranges:
            yield refused(
                f"{identifier} has the address range {', '.join(ranges)}, and not {cidr}.",
                f"Set it: -c {stack.section}.vpc_cidr={ranges[0]}",
            )
        else:
            yield ok(f"{identifier} exists.")


@check("subnets", "ec2:DescribeSubnets")
def subnets(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Subnets that the settings name exist, and belong to one VPC, that of the settings."""
    vpcs = set(stack.identifiers(_VPC))
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


@check("zones of load balancers", "ec2:DescribeSubnets", "ec2:DescribeAvailabilityZones")
def balancer_zones(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The subnets of load balancers are in two zones at least."""
    for resource in stack.resources("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        zones = zones_of(stack, resource.properties["Subnets"], account)
        if len(zones) < _ZONES_OF_A_BALANCER:
            yield refused(
                f"{resource.name}: the subnets are in {', '.join(zones) or 'no zone'}, and a load balancer needs two "
                "zones.",
                "Choose subnets in two zones.",
            )
        else:
            yield ok(f"{resource.name}: {', '.join(zones)}.")


@check("way to AWS", *WAY)
def ways(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Instances and jobs in subnets that exist reach S3 and the registry of images from there."""
    for identifier, has_address in stack.starting_subnets().items():
        subnet = describe_subnet(identifier, account)
        if subnet is None:
            continue
        reason, way_out = way_problem(subnet, account, has_address=has_address)
        yield warning(reason, way_out) if reason else ok(f"{identifier} has one.")


@check("way of functions", "ec2:DescribeSubnets", *ROUTES, *ENDPOINTS)
def ways_of_functions(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Functions in subnets that exist reach the services that they call from there."""
    needed = _services(stack) - set(stack.endpoints().values())
    for identifier in stack.function_subnets() if needed else ():
        subnet = describe_subnet(identifier, account)
        if subnet is None:
            continue
        if missing := sorted(needed - _reached(subnet, needed, account)):
            yield warning(
                f"Functions in {identifier} do not reach {', '.join(missing)}: the subnet has neither a NAT gateway "
                "nor an endpoint of the service.",
                "Add the gateway endpoint of DynamoDB to its route table, which is free."
                if missing == [_DYNAMODB]
                else f"Make the endpoints in its VPC; for {missing[-1]}, leave out "
                f"-c {stack.section}.vpc_endpoint=false.",
            )
        else:
            yield ok(f"{identifier} has a way to {', '.join(sorted(needed))}.")


@check("way of bulk loads", "ec2:DescribeSubnets", *ROUTES, *ENDPOINTS)
def ways_of_bulk_loads(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Neptune reaches S3 from subnets that exist, and loads files from there."""
    loads = any("AssociatedRoles" in cluster.properties for cluster in stack.resources("AWS::Neptune::DBCluster"))
    for identifier in stack.graph_subnets() if loads else ():
        subnet = describe_subnet(identifier, account)
        if subnet is None:
            continue
        if _reached(subnet, {_S3}, account):
            yield ok(f"{identifier} has one.")
        else:
            yield warning(
                f"Neptune does not reach S3 from {identifier}: the subnet has neither a NAT gateway nor an endpoint of "
                "S3, so bulk loads fail.",
                "Add the gateway endpoint of S3 to its route table, which is free.",
            )


@check("endpoints", "ec2:DescribeVpcAttribute", "cloudformation:ListStackResources", *ENDPOINTS)
def interface_endpoints(stack: Template, account: Questions) -> Iterator[Judgement]:
    """A VPC that exists takes the endpoints that the stack makes: it has DNS, and no other endpoint has their names."""
    made = {name: service for name, service in stack.endpoints().items() if name not in account.deployed(stack.stack)}
    for identifier in stack.identifiers(_VPC) if made else ():
        for attribute in ("enableDnsSupport", "enableDnsHostnames"):
            response = account.find("ec2:DescribeVpcAttribute", VpcId=identifier, Attribute=attribute)
            key = attribute[0].upper() + attribute[1:]
            if response and not response[key]["Value"]:
                option = "--enable-dns-support" if key == "EnableDnsSupport" else "--enable-dns-hostnames"
                yield refused(
                    f"{identifier} takes no endpoint with private DNS: {attribute} is off.",
                    f"aws ec2 modify-vpc-attribute --vpc-id {identifier} {option}",
                )
        for service in made.values():
            if others := _private(identifier, service, account):
                yield refused(
                    f"{identifier} has an endpoint of {service} with private DNS already, {others[0]}; AWS takes one.",
                    f"Use that one: -c {stack.section}.vpc_endpoint=false; its security group must let the VPC in.",
                )
            else:
                yield ok(f"{identifier} has no other endpoint of {service}.")


def _services(stack: Template) -> set[str]:
    """Return the services that functions in subnets call, by the names of their endpoints."""
    services: set[str] = set()
    if any(stack.resources("AWS::SecretsManager::RotationSchedule")):
        services.add("secretsmanager")
    for function in stack.resources("AWS::Lambda::Function"):
        variables = function.properties.get("Environment", {}).get("Variables", {})
        if not function.properties.get("VpcConfig"):
            continue
        if "DEAD_LETTERS" in variables:
            services.add(_DYNAMODB)
        if "INFLUXDB_SECRET" in variables:
            services.add("secretsmanager")
        if "AWS_ENDPOINT_URL_TIMESTREAM_WRITE" in variables:
            services.add(f"timestream.{stack.setting('timestream_cell') or 'ingest-cell1'}")
    return services


def _reached(subnet: Json, services: set[str], account: Questions) -> set[str]:
    """Return those of some services to which a subnet has a NAT gateway or an endpoint."""
    route = default_route(subnet, account)
    if route and not route.startswith("igw-"):
        return services
    tables = {table["RouteTableId"] for table in route_tables(subnet, account)}
    return services & {
        endpoint["ServiceName"].split(".", 3)[-1]
        for endpoint in endpoints(subnet["VpcId"], account)
        if endpoint.get("VpcEndpointType") == "Interface" or tables & set(endpoint.get("RouteTableIds", ()))
    }


def _private(vpc: str, service: str, account: Questions) -> list[str]:
    """Return the ids of a VPC's endpoints that answer to the name of a service."""
    return [
        endpoint["VpcEndpointId"]
        for endpoint in endpoints(vpc, account)
        if endpoint["ServiceName"].endswith(f".{service}") and endpoint.get("PrivateDnsEnabled")
    ]
