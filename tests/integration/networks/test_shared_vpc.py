"""All five stacks in one VPC that exists, in a new account, as docs/network.md says."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from contract.quotas import ADDRESSES, DATABASES, INTERNET_GATEWAYS, ON_DEMAND, VPCS
from contract.stacks import StackName
from groundwork.preflight import subjects
from groundwork.preflight.checks import Verdict, run
from groundwork.preflight.template import Template
from infra.config import Config
from infra.templates import templates
from localcloud import LocalCloud
from tests import networks
from workloads.account.reader import Account

pytestmark = pytest.mark.timeout(600)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud whose account is new, and may have five VPCs."""
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(folder, account="new", iam="enforce") as running, pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[3])
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def network(cloud: LocalCloud) -> dict[str, str]:
    return networks.make(cloud)


@pytest.fixture(scope="module")
def context(cloud: LocalCloud, network: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    bundle = tmp_path_factory.mktemp("code") / "code.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("workloads/__init__.py", "")
    cloud.client("s3").create_bucket(Bucket="code")
    cloud.client("s3").upload_file(str(bundle), "code", "code.zip")
    of_stacks = [networks.settings(stack, network) for stack in networks.SECTIONS]
    values = {name: value for settings in of_stacks for name, value in settings.items()}
    values |= {f"{section}.code": "s3://code/code.zip" for section in ("training", "data_ecosystem", "web_app")}
    return values | {"data_ecosystem.search_service_role": "true"}


@pytest.fixture(scope="module")
def bodies(context: dict[str, str]) -> dict[str, Json]:
    return templates(Config.from_context(context))


@pytest.fixture(scope="module")
def deployed(cloud: LocalCloud, context: dict[str, str]) -> LocalCloud:
    cloud.deploy(context=context)
    return cloud


def refused_and_warned(bodies: dict[str, Json]) -> list[tuple[str, str]]:
    stacks: list[Template] = []
    for name, body in bodies.items():
        stacks.append(Template(name, body, networks.SECTIONS[name], tuple(stacks)))
    of_networks = ("quota of VPCs", "quota of internet gateways", "VPC", "subnets", "zones of databases", "endpoints")
    of_networks += ("way to AWS", "way of functions")
    return [
        (finding.check, finding.reason)
        for finding in run(stacks, Account(), subjects.CHECKS)
        if finding.result is Verdict.REFUSED or (finding.check in of_networks and finding.result is not Verdict.OK)
    ]


def test_preflight_finds_room_for_all_five(bodies: dict[str, Json]) -> None:
    assert refused_and_warned(bodies) == []


def test_all_five_are_deployed_without_another_vpc(deployed: LocalCloud, network: dict[str, str]) -> None:
    ec2 = deployed.client("ec2")
    assert {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]} == {network["VpcId"]}
    stacks = {
        stack["StackName"]: stack["StackStatus"]
        for stack in deployed.client("cloudformation").describe_stacks()["Stacks"]
    }
    assert {name: stacks[name] for name in StackName} == dict.fromkeys(StackName, "CREATE_COMPLETE")


def test_databases_are_in_the_isolated_subnets_and_servers_in_the_public_ones(
    deployed: LocalCloud, network: dict[str, str]
) -> None:
    isolated, public = (set(network[name].split(",")) for name in ("IsolatedSubnetIds", "PublicSubnetIds"))
    groups = deployed.client("rds").describe_db_subnet_groups()["DBSubnetGroups"]
    in_use = {subnet["SubnetIdentifier"] for group in groups for subnet in group["Subnets"]}
    assert in_use == isolated
    reservations = deployed.client("ec2").describe_instances()["Reservations"]
    assert {one["SubnetId"] for group in reservations for one in group["Instances"]} <= public
    functions = deployed.client("lambda").list_functions()["Functions"]
    places = [set(one["VpcConfig"]["SubnetIds"]) for one in functions if one.get("VpcConfig", {}).get("SubnetIds")]
    assert places
    assert all(place == isolated for place in places)


def test_preflight_has_nothing_against_an_update(deployed: LocalCloud, bodies: dict[str, Json]) -> None:
    assert refused_and_warned(bodies) == []


def test_the_endpoint_lets_in_the_whole_vpc(bodies: dict[str, Json]) -> None:
    """Its name leads there from everywhere in the VPC: other stacks would lose Secrets Manager."""
    rules = bodies[StackName.DATA_ECOSYSTEM]["Resources"]
    rule = rules["NetworkSecretsGroupFromVpc"]["Properties"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("10.0.0.0/16", 443, 443)


def test_the_page_says_what_counts_against_which_quota() -> None:
    kinds = {
        VPCS: "AWS::EC2::VPC",
        INTERNET_GATEWAYS: "AWS::EC2::InternetGateway",
        ADDRESSES: "AWS::EC2::EIP",
        DATABASES: "AWS::RDS::DBInstance",
    }
    page = networks.PAGE.read_text()
    rows = {
        name: (int(value), [int(cell) for cell in cells.split("|")])
        for name, value, cells in re.findall(r"^\| ([^|(]+) \((\d+)\) \|([\d| ]+)\|$", page, re.MULTILINE)
    }
    named = dict(zip((VPCS, INTERNET_GATEWAYS, ADDRESSES, DATABASES, ON_DEMAND["standard"]), rows.items(), strict=True))
    defaults = templates(Config())
    for quota, (name, (value, cells)) in named.items():
        assert value == quota.default, name
        if quota in kinds:
            counted = [
                Counter(body["Type"] for body in template["Resources"].values())[kinds[quota]]
                for template in defaults.values()
            ]
            assert cells == counted, name


def test_the_template_of_the_page_has_no_findings() -> None:
    assert lint(networks.template(), config=ManualArgs(regions=["us-east-1"])) == []
