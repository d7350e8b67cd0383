"""What becomes of a stack's data and logs when it goes, and that the rest of it can go at all."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.console.templates import TEMPLATES
from infra.cost.estimate import TYPES
from infra.left import KINDS

from .conftest import Json, of_type, references, usual

#: Types that hold nothing that could be lost. Every other type must say what becomes of it.
STATELESS = re.compile(
    r"AWS::(AutoScaling|Batch|Budgets|CloudWatch|EC2|ElasticLoadBalancingV2|Events|IAM|Lambda|Scheduler|SNS)::\w+|"
    r"AWS::(Logs::MetricFilter|RDS::DBParameterGroup|RDS::DBSubnetGroup|Neptune::DBSubnetGroup|S3::BucketPolicy|"
    r"SQS::QueuePolicy|SecretsManager::(SecretTargetAttachment|RotationSchedule))"
)
ALL = [*(stack.__name__ for stack in TEMPLATES.values()), *TEMPLATES]
STAYS = {"Retain", "RetainExceptOnCreate"}
BOTH_KEYS = {"allow_data_deletion": "true"}


@pytest.fixture(params=ALL)
def template(request: pytest.FixtureRequest, all_templates: dict[str, Json]) -> Json:
    return all_templates[request.param]


def test_everything_that_holds_data_says_what_becomes_of_it(template: Json) -> None:
    for name, body in template["Resources"].items():
        if not STATELESS.fullmatch(body["Type"]):
            assert body.get("DeletionPolicy"), name
            replaced = "Retain" if body["DeletionPolicy"] == "RetainExceptOnCreate" else body["DeletionPolicy"]
            assert body.get("UpdateReplacePolicy") == replaced, name


def test_what_stays_and_bills_is_found_when_its_stack_is_gone(template: Json) -> None:
    for name, body in template["Resources"].items():
        if body.get("DeletionPolicy") in STAYS and "free" not in TYPES[body["Type"]]:
            assert body["Type"] in {*KINDS, "AWS::Timestream::Table"}, name  # a table is found by its database


def test_nothing_that_a_failed_deployment_created_is_left_behind(template: Json) -> None:
    """`Retain` holds when a creation rolls back, and a protected database cannot be deleted."""
    for name, body in template["Resources"].items():
        assert body.get("DeletionPolicy") != "Retain", name
        properties = body.get("Properties", {})
        for key in ("DeletionProtection", "DeletionProtectionEnabled"):
            assert usual(properties.get(key, "false"), template).lower() == "false", name
        attributes = properties.get("LoadBalancerAttributes", [])
        protection = [each["Value"] for each in attributes if each["Key"] == "deletion_protection.enabled"]
        assert "true" not in protection, name


def test_what_stays_needs_nothing_that_goes(template: Json) -> None:
    """AWS cannot delete a subnet in which a database stays: the removal would fail half way."""
    resources = template["Resources"]
    for name, body in resources.items():
        if body.get("DeletionPolicy") in STAYS:
            needed = {each for each in references(body.get("Properties", {}), resources) if each != name}
            assert {each for each in needed if resources[each].get("DeletionPolicy") not in STAYS} == set(), name


def test_every_log_group_is_the_stacks_own(template: Json) -> None:
    """What AWS makes by itself has no retention and stays for ever."""
    groups = {name for name, _ in of_type(template, "AWS::Logs::LogGroup")}

    def is_ours(value: Any) -> bool:
        return bool(groups & set(references(value, template["Resources"])))

    for name, body in template["Resources"].items():
        properties = body.get("Properties", {})
        match body["Type"]:
            case "AWS::Lambda::Function":
                assert is_ours(properties["LoggingConfig"]["LogGroup"]), name
            case "AWS::EC2::FlowLog":
                assert is_ours(properties["LogGroupName"]), name
            case "AWS::Batch::JobDefinition":
                containers = [properties["ContainerProperties"]] if "ContainerProperties" in properties else []
                nodes = properties.get("NodeProperties", {}).get("NodeRangeProperties", [])
                for container in [*containers, *(node["Container"] for node in nodes)]:
                    assert is_ours(container["LogConfiguration"]["Options"]["awslogs-group"]), name
            case "AWS::RDS::DBInstance" | "AWS::Neptune::DBCluster":  # exported logs go to groups that RDS makes
                exported = {"EnableCloudwatchLogsExports", "EnablePerformanceInsights", "MonitoringInterval"}
                assert not exported & properties.keys(), name
            case "AWS::OpenSearchService::Domain":
                assert all(is_ours(log) for log in properties.get("LogPublishingOptions", {}).values()), name
            case "Custom::InfluxDBToken":  # a function of the stack
                assert properties["ServiceToken"]["Fn::GetAtt"][0] in template["Resources"], name
            case kind:
                assert not re.search(r"ApiGateway|CodeBuild|StepFunctions|EKS|CustomResource|^Custom::", kind), (
                    f"{name}: say here where {kind} logs"
                )


@pytest.mark.parametrize("file", TEMPLATES)
def test_data_go_only_when_both_keys_turn(file: str, synthesise: Any) -> None:
    own = {f"{TEMPLATES[file].SECTION}.delete_data": "true"}

    def kept(context: Json) -> set[str]:
        resources = synthesise(file, context)["Resources"]
        return {name for name, body in resources.items() if body.get("DeletionPolicy", "Delete") != "Delete"}

    assert kept(own) == kept(BOTH_KEYS) != set()
    assert kept(own | BOTH_KEYS) == set()
