"""What would go wrong in a VPC that exists is named before the deployment, with the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contract.stacks import StackName
from groundwork.preflight import subjects
from groundwork.preflight.checks import Finding, Verdict, run
from groundwork.preflight.template import Template
from infra.config import Config
from infra.templates import templates
from localcloud import LocalCloud
from tests import networks
from workloads.account.reader import Account

DATA, WEB, TRAINING = StackName.DATA_ECOSYSTEM, StackName.WEB_APP, StackName.TRAINING
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
SECRETS = "com.amazonaws.us-east-1.secretsmanager"
Change = Callable[[LocalCloud, dict[str, str]], dict[str, str]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def network(cloud: LocalCloud) -> dict[str, str]:
    """The VPC of the documentation, one for each test, which may spoil it."""
    number = len(cloud.client("cloudformation").describe_stacks()["Stacks"])
    return networks.make(cloud, name=f"Network{number}")


def findings(stack: str, settings: dict[str, str]) -> list[Finding]:
    section = networks.SECTIONS[stack]
    body = templates(Config.from_context(settings), [stack])[stack]
    return run([Template(stack, body, section)], Account(), subjects.CHECKS)


def another_range(_: LocalCloud, __: dict[str, str]) -> dict[str, str]:
    return {"data_ecosystem.vpc_cidr": "10.1.0.0/16"}


def subnet(cloud: LocalCloud, network: dict[str, str], zone: str) -> str:
    """One more subnet of the VPC, with the main route table, which leads nowhere."""
    ec2 = cloud.client("ec2")
    made = ec2.create_subnet(VpcId=network["VpcId"], CidrBlock="10.0.64.0/24", AvailabilityZone=zone)
    return str(made["Subnet"]["SubnetId"])


def one_zone(kind: str, setting: str) -> Change:
    def change(cloud: LocalCloud, network: dict[str, str]) -> dict[str, str]:
        other = subnet(cloud, network, "us-east-1a")
        return {setting: f"{network[kind].split(',')[0]},{other}"}

    return change


def no_route(cloud: LocalCloud, network: dict[str, str]) -> dict[str, str]:
    other = subnet(cloud, network, "us-east-1b")
    return {"data_ecosystem.public_subnet_ids": f"{network['PublicSubnetIds'].split(',')[0]},{other}"}


def no_gateways(cloud: LocalCloud, network: dict[str, str]) -> dict[str, str]:
    other = subnet(cloud, network, "us-east-1b")
    return {"data_ecosystem.isolated_subnet_ids": f"{network['IsolatedSubnetIds'].split(',')[0]},{other}"}


def no_endpoint(_: LocalCloud, __: dict[str, str]) -> dict[str, str]:
    return {"data_ecosystem.vpc_endpoint": "false"}


def no_endpoint_for_the_rotation(_: LocalCloud, __: dict[str, str]) -> dict[str, str]:
    return {"web_app.vpc_endpoint": "false", "web_app.password_rotation_days": "30"}


def another_endpoint(cloud: LocalCloud, network: dict[str, str]) -> dict[str, str]:
    cloud.client("ec2").create_vpc_endpoint(
        VpcId=network["VpcId"],
        ServiceName=SECRETS,
        VpcEndpointType="Interface",
        SubnetIds=network["IsolatedSubnetIds"].split(",")[:1],
        PrivateDnsEnabled=True,
    )
    return {}


def no_host_names(cloud: LocalCloud, network: dict[str, str]) -> dict[str, str]:
    cloud.client("ec2").modify_vpc_attribute(VpcId=network["VpcId"], EnableDnsHostnames={"Value": False})
    return {}


CASES: list[tuple[str, Change, str, Verdict, str]] = [
    (DATA, another_range, "VPC", Verdict.REFUSED, "has the address range 10.0.0.0/16, and not 10.1.0.0/16"),
    (
        DATA,
        one_zone("IsolatedSubnetIds", "data_ecosystem.isolated_subnet_ids"),
        "zones of databases",
        Verdict.REFUSED,
        "the subnets are in us-east-1a, and RDS needs two zones",
    ),
    (
        WEB,
        one_zone("PublicSubnetIds", "web_app.public_subnet_ids"),
        "zones of load balancers",
        Verdict.REFUSED,
        "the subnets are in us-east-1a, and a load balancer needs two zones",
    ),
    (DATA, no_route, "way to AWS", Verdict.WARNING, "no route to the internet"),
    (DATA, no_gateways, "way of functions", Verdict.WARNING, "do not reach dynamodb"),
    (DATA, no_gateways, "way of bulk loads", Verdict.WARNING, "Neptune does not reach S3"),
    (DATA, no_endpoint, "way of functions", Verdict.WARNING, "do not reach secretsmanager"),
    (WEB, no_endpoint_for_the_rotation, "way of functions", Verdict.WARNING, "do not reach secretsmanager"),
    (
        DATA,
        another_endpoint,
        "endpoints",
        Verdict.REFUSED,
        "has an endpoint of secretsmanager with private DNS already",
    ),
    (DATA, no_host_names, "endpoints", Verdict.REFUSED, "enableDnsHostnames is off"),
]


@pytest.mark.parametrize(
    ("stack", "change", "check", "verdict", "words"),
    CASES,
    ids=[f"{case[2]} {number}" for number, case in enumerate(CASES)],
)
def test_what_an_existing_vpc_lacks_is_named_with_a_way_out(
    cloud: LocalCloud,
    network: dict[str, str],
    stack: str,
    change: Change,
    check: str,
    verdict: Verdict,
    words: str,
) -> None:
    settings: dict[str, Any] = networks.settings(stack, network)
    if check == "zones of load balancers":
        settings["web_app.certificate_arn"] = CERTIFICATE
    before = {finding.check for finding in findings(stack, settings) if finding.result is verdict}
    assert check not in before
    named = [finding for finding in findings(stack, settings | change(cloud, network)) if finding.check == check]
    assert any(finding.result is verdict and words in finding.reason for finding in named), named
    assert all(finding.way_out for finding in named if finding.result is verdict)


def test_an_endpoint_that_exists_serves_where_the_stack_makes_none(cloud: LocalCloud, network: dict[str, str]) -> None:
    another_endpoint(cloud, network)
    settings = networks.settings(DATA, network) | {"data_ecosystem.vpc_endpoint": "false"}
    found = [finding for finding in findings(DATA, settings) if finding.check in {"endpoints", "way of functions"}]
    assert {finding.check for finding in found} == {"way of functions"}
    assert {finding.result for finding in found} == {Verdict.OK}


def test_isolated_subnets_need_no_way_to_the_internet(cloud: LocalCloud, network: dict[str, str]) -> None:
    settings = networks.settings(StackName.DEVOPS_METRICS, network)
    assert [one for one in findings(StackName.DEVOPS_METRICS, settings) if one.check == "way to AWS"] == []
