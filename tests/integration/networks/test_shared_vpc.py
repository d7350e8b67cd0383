"""All five stacks in one VPC that exists, in a new account, as docs/network.md says; test_company.py deploys them."""

from __future__ import annotations

import re
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
def context(network: dict[str, str]) -> dict[str, str]:
    of_stacks = [networks.settings(stack, network) for stack in networks.SECTIONS]
    values = {name: value for settings in of_stacks for name, value in settings.items()}
    values |= {f"{section}.code": "s3://code/code.zip" for section in ("training", "data_ecosystem", "web_app")}
    return values | {"data_ecosystem.search_service_role": "true"}


@pytest.fixture(scope="module")
def bodies(context: dict[str, str]) -> dict[str, Json]:
    return templates(Config.from_context(context))


def refused_and_warned(bodies: dict[str, Json]) -> list[tuple[str, str]]:
    stacks: list[Template] = []
    for name, body in bodies.items():
        stacks.append(Template(name, body, networks.SECTIONS[name], tuple(stacks)))
    of_networks = ("quota of VPCs", "quota of internet gateways", "VPC", "subnets", "zones of databases", "endpoints")
    of_networks += ("way to AWS", "way of functions", "way of bulk loads")
    return [
        (finding.check, finding.reason)
        for finding in run(stacks, Account(), subjects.CHECKS)
        if finding.result is Verdict.REFUSED or (finding.check in of_networks and finding.result is not Verdict.OK)
    ]


def test_preflight_finds_room_for_all_five(bodies: dict[str, Json]) -> None:
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
