"""Where a stack runs: the settings of its network, which is its own or exists already."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from infra.settings.setting import Settings, setting
from infra.settings.types import AvailabilityZone, Items, OptionalCidr


def vpc(description: str, *, empty: str, console: bool | Literal["required"] = "required") -> Any:
    """Describe the setting of a stack's VPC."""
    return setting(
        "",
        description,
        empty=empty,
        group="Network",
        kind="AWS::EC2::VPC::Id",
        console=console,
        pattern=r"^(vpc-[0-9a-f]+)?$",
        hint="a VPC's id, such as vpc-0a1b2c3d",
    )


def subnets(description: str, *, console: bool | Literal["required"] = "required") -> Any:
    """Describe the setting of some subnets of that VPC."""
    return setting(
        [],
        description,
        empty="those of the VPC that the stack makes",
        group="Network",
        kind="List<AWS::EC2::Subnet::Id>",
        console=console,
    )


def zone(place: str, *, console: bool) -> Any:
    """Describe the setting of one of the two availability zones of a stack's own VPC."""
    return setting(
        "",
        f"Availability zone of the {place} subnets of the stack's own VPC.",
        empty=f"the {place} zone of the region",
        group="Network",
        console=console,
    )


class NetworkSettings(Settings):
    """Where the instances of a stack run that needs one kind of subnet."""

    vpc_id: str = vpc(
        "VPC for the instances.", empty="the stack makes its own, with public subnets in two zones and no NAT gateway"
    )
    subnet_ids: Items = subnets("Subnets of that VPC, in at least two zones, that reach the internet.")
    first_zone: AvailabilityZone = zone("first", console=False)
    second_zone: AvailabilityZone = zone("second", console=False)

    @model_validator(mode="after")
    def _network(self) -> Self:
        _together(vpc_id=self.vpc_id, subnet_ids=self.subnet_ids)
        _check_subnets(subnet_ids=self.subnet_ids)
        _check_zones(self.first_zone, self.second_zone, self.vpc_id)
        return self


class TieredNetworkSettings(Settings):
    """Where a stack runs that has public subnets, and isolated ones for its databases.

    An existing VPC decides which resources the stack has, so a console template, which makes its own, does not ask.
    """

    vpc_id: str = vpc(
        "Existing VPC for the stack.",
        empty="the stack makes its own, with public and isolated subnets in two zones and no NAT gateway",
        console=False,
    )
    vpc_cidr: OptionalCidr = setting(
        "",
        "Address range of that VPC.",
        empty="that of the VPC that the stack makes",
        group="Network",
        hint="the IPv4 range of the VPC, such as 10.0.0.0/16",
        console=False,
    )
    public_subnet_ids: Items = subnets(
        "Subnets of that VPC, in two zones, with a route to an internet gateway.", console=False
    )
    isolated_subnet_ids: Items = subnets(
        "Subnets of that VPC, in two zones, for databases and what is next to them; they need no route to the "
        "internet.",
        console=False,
    )
    vpc_endpoint: bool = setting(
        default=True,
        description="Make the interface endpoint that the stack needs in its isolated subnets. Turn it off where that "
        "VPC has such an endpoint, or where those subnets have a NAT gateway.",
        group="Network",
        console=False,
    )
    first_zone: AvailabilityZone = zone("first", console=True)
    second_zone: AvailabilityZone = zone("second", console=True)

    @model_validator(mode="after")
    def _network(self) -> Self:
        _together(
            vpc_id=self.vpc_id,
            vpc_cidr=self.vpc_cidr,
            public_subnet_ids=self.public_subnet_ids,
            isolated_subnet_ids=self.isolated_subnet_ids,
        )
        _check_subnets(public_subnet_ids=self.public_subnet_ids, isolated_subnet_ids=self.isolated_subnet_ids)
        _check_zones(self.first_zone, self.second_zone, self.vpc_id)
        for name in ("public_subnet_ids", "isolated_subnet_ids"):
            if len(set(getattr(self, name))) == 1:
                raise ValueError(f"{name} has one subnet, and the stack needs subnets in two zones")
        if both := set(self.public_subnet_ids) & set(self.isolated_subnet_ids):
            raise ValueError(f"{min(both)} is among public_subnet_ids and isolated_subnet_ids: it can be only one")
        if not self.vpc_id and not self.vpc_endpoint:
            raise ValueError("vpc_endpoint can be turned off only in an existing VPC: give vpc_id too")
        return self


def _together(**values: object) -> None:
    if len({bool(value) for value in values.values()}) > 1:
        *names, last = values
        raise ValueError(f"{', '.join(names)} and {last} go together: give all, or none for a network of its own")


def _check_subnets(**lists: list[str]) -> None:
    for name, subnet_ids in lists.items():
        if strange := [subnet for subnet in subnet_ids if not subnet.startswith("subnet-")]:
            raise ValueError(f"{name}: {strange[0]!r} is not a subnet's id, such as subnet-0a1b2c3d")


def _check_zones(first: str, second: str, vpc_id: str) -> None:
    if bool(first) != bool(second):
        raise ValueError("first_zone and second_zone go together: give both, or neither for the region's first two")
    if first and first == second:
        raise ValueError(f"first_zone and second_zone are both {first}: they must be two zones")
    if first and vpc_id:
        raise ValueError("first_zone and second_zone are those of the stack's own VPC: leave them out beside vpc_id")
