"""What is not in every region has a rule that says so by name, and the table of regions is CloudFormation's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cfnlint
import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError
from moto.cloudformation.exceptions import ValidationError

from groundwork.preflight.checks import Check, Questions, Verdict
from groundwork.preflight.environment import region
from groundwork.preflight.template import Template
from infra.regions import OFFERS
from localcloud.cloudformation import rules

from .conftest import Json

FOLDER = Path(cfnlint.__file__).parent / "data" / "schemas" / "providers"
#: Regions of partitions that anybody may have an account in, and of the United States' government.
REGIONS = sorted(
    path.stem for path in FOLDER.glob("*-*-*.json") if "iso" not in path.stem and not path.stem.startswith("eusc")
)


def has(name: str, kind: str) -> bool:
    try:
        PROVIDER_SCHEMA_MANAGER.get_resource_schema(name, kind)
    except ResourceNotFoundError:
        return False
    return True


@pytest.mark.parametrize("kind", OFFERS)
def test_the_table_is_that_of_cloudformations_registry(kind: str) -> None:
    assert OFFERS[kind].regions == [name for name in REGIONS if has(name, kind)]


def test_every_type_that_is_not_in_every_region_is_in_the_table(all_templates: dict[str, Json]) -> None:
    kinds = {body["Type"] for template in all_templates.values() for body in template["Resources"].values()}
    kinds = {kind for kind in kinds if kind.startswith("AWS::") and kind != "AWS::CDK::Metadata"}
    lacking = {kind for kind in kinds if not all(has(name, kind) for name in REGIONS)}
    of_a_service = {kind.rpartition("::")[0] for kind in OFFERS}
    assert {kind for kind in lacking if kind.rpartition("::")[0] not in of_a_service} == set()


def test_every_template_with_such_a_type_has_its_rule(all_templates: dict[str, Json]) -> None:
    found = set()
    for name, template in all_templates.items():
        for kind, offer in OFFERS.items():
            if any(body["Type"] == kind for body in template["Resources"].values()):
                found.add(kind)
                assert any(rule.endswith(offer.rule) for rule in template["Rules"]), (name, kind)
    assert found == OFFERS.keys() - {"AWS::Timestream::InfluxDBCluster"}  # which no default has


def test_a_rule_has_a_condition_only_where_a_parameter_decides_it(all_templates: dict[str, Json]) -> None:
    conditions = [
        rule["RuleCondition"]
        for template in all_templates.values()
        for rule in template.get("Rules", {}).values()
        if "RuleCondition" in rule
    ]
    assert len(conditions) == 2  # the two engines of the console's devops-metrics.yaml
    assert all({"Ref": "Engine"} in condition["Fn::Equals"] for condition in conditions)


@pytest.mark.parametrize("file", ["devops-metrics.yaml", "data-ecosystem.yaml"])
def test_influxdb_3_has_the_rule_of_influxdb(synthesise: Callable[..., Json], file: str) -> None:
    section = file.removesuffix(".yaml").replace("-", "_")
    assert any(
        rule.endswith("InfluxDBIsOffered") for rule in synthesise(file, {f"{section}.influxdb_version": "3"})["Rules"]
    )


@pytest.mark.parametrize(("where", "refused"), [("us-east-1", False), ("ap-east-2", True)])
def test_a_rule_refuses_a_region_by_the_services_name(
    all_templates: dict[str, Json], where: str, refused: bool
) -> None:
    of_template = {name: rule for name, rule in all_templates["DataEcosystem"]["Rules"].items() if "Offered" in name}
    assert of_template

    for name, rule in of_template.items():
        if not refused:
            rules.check({name: rule}, {"AWS::Region": where})
            continue
        service = "Amazon Neptune" if "Neptune" in name else "Timestream for InfluxDB"
        with pytest.raises(ValidationError, match=f"{service} is not offered in this region"):
            rules.check({name: rule}, {"AWS::Region": where})


class _Account:
    number, region = "123456789012", "ap-east-2"


def test_preflight_names_the_services_that_the_region_lacks(all_templates: dict[str, Json]) -> None:
    account: Any = _Account()
    questions = Questions(account, Check("region", (), region))
    judgements = [*region(Template("DataEcosystem", all_templates["DataEcosystem"]), questions)]
    assert [judgement.result for judgement in judgements] == [Verdict.REFUSED, Verdict.REFUSED]
    assert "Amazon Neptune in ap-east-2" in judgements[0].reason
    assert "us-east-1" in judgements[0].way_out
    [good] = region(Template("Training", all_templates["Training"]), questions)
    assert good.result is Verdict.OK


def test_every_source_is_awss() -> None:

    assert all(offer.source.startswith("https://docs.aws.amazon.com/general/") for offer in OFFERS.values())
