"""The list of resource types that people use, and what it says of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localcloud.services import usage

PAGE = Path(__file__).parents[3] / "docs" / "local-cloud-types.md"


def test_the_list_says_what_is_here() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert usage.documented(text, usage.listed(text)) == text, (
        "run python -m localcloud.services.usage docs/local-cloud-types.md"
    )
    assert {usage.status(kind) for kind in usage.listed(text)} == {usage.WORKS, usage.REFUSED, usage.SERVICE}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("AWS::SQS::Queue", usage.WORKS),
        ("AWS::CloudFormation::Stack", usage.WORKS),
        ("Custom::Greeting", usage.WORKS),
        ("AWS::Lambda::CodeSigningConfig", usage.REFUSED),
        ("AWS::AppSync::GraphQLApi", usage.SERVICE),
    ],
)
def test_a_type_is_here_or_its_service_is_or_neither(kind: str, status: str) -> None:
    assert usage.status(kind) == status


def test_apps_and_resources_are_counted(tmp_path: Path) -> None:
    queue, topic = {"Type": "AWS::SQS::Queue"}, {"Type": "AWS::SNS::Topic"}
    templates = {"one/A": {"A": queue, "B": queue}, "one/B": {"A": topic}, "two/A": {"A": queue}}
    for name, resources in templates.items():
        path = tmp_path / f"{name}.template.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"Resources": resources}), encoding="utf-8")
    assert usage.counted(tmp_path) == {"AWS::SQS::Queue": (2, 3), "AWS::SNS::Topic": (1, 1)}
