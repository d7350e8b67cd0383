"""Costs: every type has a price or a reason, nothing bills idle without one, and the page says what the code does."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from contract.errors import InputError
from contract.prices import PRICES
from groundwork.__main__ import app
from infra.console.templates import TEMPLATES
from infra.cost import page
from infra.cost.estimate import (
    ALWAYS_ON,
    TYPES,
    Estimate,
    UnknownCostError,
    estimate,
    free,
    not_opted_into,
)
from tests.documents import document

from .conftest import Json, Synthesised, of_type

STACKS = [stack.__name__ for stack in TEMPLATES.values()]
FORBIDDEN = {"AWS::EC2::NatGateway"}


@pytest.fixture(scope="session")
def estimates(synthesised: Synthesised) -> dict[str, Estimate]:
    return {name: estimate(name, template) for name, template in synthesised.templates.items()}


def add(template: Json, **resources: Json) -> Json:
    changed = copy.deepcopy(template)
    changed["Resources"].update(resources)
    return changed


def test_documents_say_what_the_page_promises(estimates: dict[str, Estimate]) -> None:
    every = document(CliRunner().invoke(app, ["cost", "--json"]).stdout, "cost")
    assert every["usd_idle_per_month"] == pytest.approx({name: stack.idle for name, stack in estimates.items()})
    one = document(CliRunner().invoke(app, ["cost", "WebApp", "--json"]).stdout, "cost STACK")
    assert [charge["resource"] for charge in one["charges"]] == [one.resource for one in estimates["WebApp"].charges]


def test_nothing_bills_while_idle_that_nobody_opted_into(estimates: dict[str, Estimate]) -> None:
    assert not_opted_into(estimates.values()) == []


def test_who_opted_into_what_no_longer_bills_is_not_listed(synthesised: Synthesised) -> None:
    """A reason stands for something that a stack has, under its defaults or under the setting that it names."""
    assert ALWAYS_ON.keys() == set(STACKS)
    for stack, reasons in ALWAYS_ON.items():
        kinds = {body["Type"] for body in synthesised.templates[stack]["Resources"].values()}
        unused = {kind for kind, reason in reasons.items() if kind not in kinds and "only when" not in reason}
        assert unused <= {"AWS::AutoScaling::AutoScalingGroup"}, stack  # instead of the instance


def test_no_nat_gateway_and_no_kept_vcpus(all_templates: dict[str, Json]) -> None:
    for template in all_templates.values():
        assert not FORBIDDEN & {body["Type"] for body in template["Resources"].values()}
        for name, body in of_type(template, "AWS::Batch::ComputeEnvironment"):
            assert body["Properties"]["ComputeResources"].get("MinvCpus", 0) == 0, name
    assert not any(FORBIDDEN & reasons.keys() for reasons in ALWAYS_ON.values())


def test_every_type_of_every_template_has_a_row(all_templates: dict[str, Json]) -> None:
    used = {body["Type"] for template in all_templates.values() for body in template["Resources"].values()}
    assert used <= TYPES.keys()


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::EC2::NatGateway", "Properties": {}},
        {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}},
        {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Subnets": ["a"]}},
        {
            "Type": "AWS::Batch::ComputeEnvironment",
            "Properties": {"ComputeResources": {"Type": "EC2", "InstanceTypes": ["c7i"], "MinvCpus": 1}},
        },
    ],
    ids=lambda resource: resource["Type"],
)
def test_what_is_added_and_always_on_is_noticed(synthesised: Synthesised, stack: str, resource: Json) -> None:
    found = estimate(stack, add(synthesised.templates[stack], Planted=resource))
    assert sum(charge.usd for charge in found.charges if charge.resource == "Planted") > 1
    if resource["Type"] not in ALWAYS_ON[stack]:
        lines = not_opted_into([found])
        assert lines
        assert all(line.startswith(f"{stack}: Planted ({resource['Type']}) bills ") for line in lines)


def test_an_unknown_type_and_an_unknown_size_are_errors_that_name_them(synthesised: Synthesised) -> None:
    template = synthesised.templates["TerminationAlarm"]
    with pytest.raises(UnknownCostError, match=r"Nobody has said what AWS::Redshift::Cluster costs\. Add a row"):
        estimate("TerminationAlarm", add(template, New={"Type": "AWS::Redshift::Cluster"}))
    changed = copy.deepcopy(template)
    changed["Resources"]["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["InstanceType"] = "u-24tb1.metal"
    with pytest.raises(
        InputError, match=r"There is no price for ec2\.u-24tb1\.metal\. Add it to contract/prices\.json"
    ):
        estimate("TerminationAlarm", changed)


def test_a_group_costs_its_instances_with_disk_and_address(synthesised: Synthesised) -> None:
    template = copy.deepcopy(synthesised.templates["TerminationAlarm"])
    group = template["Resources"]["AutoScalingGroup"]["Properties"]
    one = estimate("TerminationAlarm", template).idle
    group["DesiredCapacity"] = "3"
    each = 0.0104 * 730 + 8 * 0.08 + 0.005 * 730
    assert estimate("TerminationAlarm", template).idle - one == pytest.approx(2 * each)
    group["DesiredCapacity"] = "0"
    assert one - estimate("TerminationAlarm", template).idle == pytest.approx(each)


def test_a_standby_doubles_the_database(synthesised: Synthesised) -> None:
    template = copy.deepcopy(synthesised.templates["WebApp"])
    [(name, database)] = of_type(template, "AWS::RDS::DBInstance")
    before = estimate("WebApp", template).idle
    database["Properties"]["MultiAZ"] = True
    more = estimate("WebApp", template).idle - before
    assert more == pytest.approx(0.016 * 730 + 20 * 0.115), name


def test_three_dashboards_of_an_account_are_free(estimates: dict[str, Estimate]) -> None:
    dashboards = sum(
        charge.kind == "AWS::CloudWatch::Dashboard" for each in estimates.values() for charge in each.charges
    )
    assert free(estimates.values()) == 3 * min(dashboards, 3)


def test_prices_say_where_they_are_from_and_are_used() -> None:
    rows = yaml.safe_load((Path(page.__file__).parent / "types.yaml").read_text())
    named = {name for row in rows.values() for name in (*row.get("month", ()), *row.get("use", ()))}
    assert named <= PRICES.keys()
    for name, known in PRICES.items():
        assert known.usd > 0, name
        assert known.source, name
    for kind, row in rows.items():
        assert len({"free"} & row.keys()) + len({"month", "use", "counted"} & row.keys()) >= 1, kind
        assert not ("free" in row and len(row) > 1), kind


def test_the_page_has_the_figures_that_the_code_computes(estimates: dict[str, Estimate]) -> None:
    text = page.PAGE.read_text()
    assert text == page.with_costs(text, estimates.values()), "run `make templates`"
    assert re.search(r"\| all of them in one account \| \d+\.\d\d \|", text)
