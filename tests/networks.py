"""The VPC for all stacks that docs/network.md has, in a local cloud, and the settings that put the stacks into it."""

from __future__ import annotations

from pathlib import Path

from contract.stacks import StackName
from infra.stacks import STACKS
from localcloud import LocalCloud

PAGE = Path(__file__).parents[1] / "docs" / "network.md"
SECTIONS = {stack.__name__: stack.SECTION for stack in STACKS}
TIERED = {StackName.WEB_APP, StackName.DATA_ECOSYSTEM}


def template() -> str:
    """The template that the page offers."""
    return PAGE.with_suffix(".yaml").read_text()


def make(
    cloud: LocalCloud,
    first: str = "us-east-1a",
    second: str = "us-east-1b",
    name: str = "Network",
    *,
    secrets_endpoint: bool = False,
) -> dict[str, str]:
    """Deploy the template, and return its outputs."""
    parameters = {"FirstZone": first, "SecondZone": second, "SecretsEndpoint": str(secrets_endpoint).lower()}
    cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=template(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    return cloud.outputs(name)


def settings(stack: str, network: dict[str, str]) -> dict[str, str]:
    """The settings that put a stack into the network."""
    public, isolated = network["PublicSubnetIds"], network["IsolatedSubnetIds"]
    values = {"vpc_id": network["VpcId"]}
    if stack in TIERED:
        values |= {"vpc_cidr": "10.0.0.0/16", "public_subnet_ids": public, "isolated_subnet_ids": isolated}
    else:
        values["subnet_ids"] = isolated if stack == StackName.DEVOPS_METRICS else public
    if stack == StackName.DEVOPS_METRICS:
        values["backup_schedule_hours"] = "0"  # its job needs a way to the internet
    return {f"{SECTIONS[stack]}.{name}": value for name, value in values.items()}
