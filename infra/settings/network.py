"""Where the instances of a stack run: settings that several stacks share."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from infra.settings.setting import Settings, setting
from infra.settings.types import Items


def vpc(description: str) -> Any:
    """Describe the setting of a stack's VPC."""
    return setting(
        "",
        description,
        empty="the stack makes its own, with public subnets in two zones and no NAT gateway",
        group="Network",
        kind="AWS::EC2::VPC::Id",
        console="required",
        pattern=r"^(vpc-[0-9a-f]+)?$",
        hint="a VPC's id, such as vpc-0a1b2c3d",
    )


def subnets(description: str) -> Any:
    """Describe the setting of the subnets of that VPC."""
    return setting(
        [],
        description,
        empty="those of the VPC that the stack makes",
        group="Network",
        kind="List<AWS::EC2::Subnet::Id>",
        console="required",
    )


class NetworkSettings(Settings):
    """Where the instances of a stack run."""

    vpc_id: str = vpc("VPC for the instances.")
    subnet_ids: Items = subnets("Subnets of that VPC, in at least two zones, that reach the internet.")

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if bool(self.vpc_id) != bool(self.subnet_ids):
            raise ValueError("vpc_id and subnet_ids go together: give both, or neither for a network of its own")
        if strange := [subnet for subnet in self.subnet_ids if not subnet.startswith("subnet-")]:
            raise ValueError(f"subnet_ids: {strange[0]!r} is not a subnet's id, such as subnet-0a1b2c3d")
        return self
