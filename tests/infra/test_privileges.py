"""What code calls and what its role may do are the same, both ways."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from infra.check.privileges import ROLES, called_from, calls, roles
from infra.console.templates import TEMPLATES

from .conftest import Json, Synthesised

STACKS = [stack.__name__ for stack in TEMPLATES.values()]
VARIANTS = {
    "DevOpsMetrics with LiveAnalytics": ("devops-metrics.yaml", {"devops_metrics.engine": "liveanalytics"}),
    "DataEcosystem with LiveAnalytics": ("data-ecosystem.yaml", {"data_ecosystem.engine": "liveanalytics"}),
}


def faults(stack: str, template: Json) -> list[str]:
    return [fault for role in roles(stack, template) for fault in role.faults()]


@pytest.mark.parametrize("stack", STACKS)
def test_roles_may_do_what_their_code_calls_and_nothing_else(synthesised: Synthesised, stack: str) -> None:
    assert faults(stack, synthesised.templates[stack]) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_so_they_do_with_the_other_engine(synthesise: Callable[..., Json], variant: str) -> None:
    file, context = VARIANTS[variant]
    assert faults(variant, synthesise(file, context)) == []


def test_explained_roles_exist(synthesised: Synthesised, synthesise: Callable[..., Json]) -> None:
    templates = synthesised.templates | {name: synthesise(file, context) for name, (file, context) in VARIANTS.items()}
    for stack in ROLES.keys() - {"anchors"}:
        assert ROLES[stack].keys() <= templates[stack]["Resources"].keys()


def test_a_missing_and_a_needless_action_are_found(synthesised: Synthesised) -> None:
    template = copy.deepcopy(synthesised.templates["TerminationAlarm"])
    policy = template["Resources"]["TerminationLoggerRoleDefaultPolicy"]["Properties"]["PolicyDocument"]
    for statement in policy["Statement"]:
        if "ec2:DescribeInstances" in statement["Action"]:
            statement["Action"] = ["ec2:TerminateInstances", *statement["Action"][:-1]]
    assert sorted(faults("TerminationAlarm", template)) == [
        "TerminationAlarm: TerminationLoggerRole: ec2:DescribeInstances is called but not allowed",
        "TerminationAlarm: TerminationLoggerRole: ec2:TerminateInstances is allowed but not called",
    ]


def test_a_needless_explanation_is_found(synthesised: Synthesised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROLES["TerminationAlarm"], "TerminationLoggerRole", {"also": {"sqs:SendMessage": "because"}})
    [fault] = faults("TerminationAlarm", synthesised.templates["TerminationAlarm"])
    assert fault.endswith("privileges.yaml explains sqs:SendMessage for nothing")


@pytest.mark.parametrize(
    ("source", "actions"),
    [
        ('boto3.client("s3").list_objects_v2()', {"s3:ListBucket"}),
        ('c = boto3.client("s3")\nc.get_paginator("list_objects_v2")', {"s3:ListBucket"}),
        ('t = boto3.resource("dynamodb").Table("t")\nt.put_item()', {"dynamodb:PutItem"}),
        ('c = session.client("cloudwatch")\ncall(c.put_metric_data, 1)', {"cloudwatch:PutMetricData"}),
        (
            'client("dynamodb").transact_write_items([{"Put": 1}, {"Delete": 2}])',
            {"dynamodb:PutItem", "dynamodb:DeleteItem"},
        ),
        (
            'boto3.client("neptunedata").execute_open_cypher_query("MATCH (a) SET a.b = 1")',
            {"neptune-db:ReadDataViaQuery", "neptune-db:WriteDataViaQuery"},
        ),
        ('SigV4Auth(credentials, "es", region)\nsend("POST", "/_bulk")', {"es:ESHttpPost"}),
        ('boto3.client("s3")\nstore.put_metric_data()', set()),
    ],
)
def test_calls_become_actions(source: str, actions: set[str]) -> None:
    assert calls(source) == actions


def test_imports_count_wherever_they_stand() -> None:
    assert "s3:GetObject" in called_from("loader")
    assert "cloudwatch:PutMetricData" in called_from("workloads.training.runtime.train")
    assert called_from("workloads.errors") == frozenset()
