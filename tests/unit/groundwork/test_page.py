"""The demonstration's page: a stack's picture from its template, and everything that was recorded."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from contract.errors import InputError
from groundwork.demo import page
from groundwork.demo.checklist import Checklist
from groundwork.demo.diagram import arrows, boxes, layers, svg
from groundwork.demo.show import PARTS, chosen

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


@pytest.fixture
def template() -> dict[str, Any]:
    """A rule that starts a function, whose role's policy lets it write to a table."""
    return {
        "Description": "A stack.",
        "Resources": {
            "Rule": resource("AWS::Events::Rule", Targets=[{"Arn": {"Fn::GetAtt": ["Function", "Arn"]}}]),
            "Function": resource("AWS::Lambda::Function", Role={"Fn::GetAtt": ["Role", "Arn"]}),
            "Role": resource("AWS::IAM::Role"),
            "Policy": resource(
                "AWS::IAM::Policy",
                Roles=[{"Ref": "Role"}],
                PolicyDocument={"Statement": [{"Resource": {"Fn::GetAtt": ["Table", "Arn"]}}]},
            ),
            "Table": resource("AWS::DynamoDB::Table"),
            "Alone": resource("AWS::S3::Bucket"),
        },
        "Outputs": {"TableName": {"Value": {"Ref": "Table"}, "Description": "The <table>."}},
    }


def test_arrows_follow_references_also_through_roles_and_their_policies(template: dict[str, Any]) -> None:
    assert {(start.name, end.name) for start, end in arrows(template)} == {("Rule", "Function"), ("Function", "Table")}


def test_arrows_point_right_where_they_can(template: dict[str, Any]) -> None:
    columns = [{box.name for box in column} for column in layers(boxes(template).values(), arrows(template))]
    assert columns == [{"Rule"}, {"Function"}, {"Table", "Alone"}]


def test_references_in_a_circle_are_drawn_once() -> None:
    circle = {
        "Resources": {
            "A": resource("AWS::SQS::Queue", Other={"Ref": "B"}),
            "B": resource("AWS::SQS::Queue", Other={"Ref": "A"}),
        }
    }
    assert len(arrows(circle)) == 1
    assert svg(circle, "").count('class="arrow"') == 1


def test_many_resources_of_a_type_are_one_box() -> None:
    alarms = {"Resources": {f"Alarm{number}": resource("AWS::CloudWatch::Alarm") for number in range(5)}}
    assert {box.name for box in boxes(alarms).values()} == {"5 alarms"}
    assert "5 alarms" in svg(alarms, "")


def test_the_page_holds_what_was_recorded_and_needs_nothing_else(template: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "figure.png").write_bytes(PIXEL)
    report = Checklist(Console(quiet=True))
    report.step("Deploy")
    report.stack = "Stack"
    report.step("Ask <it>")
    report.fact("address", "localhost")
    report.line("a line")
    report.output("groundwork ask", "the answer & more")
    report.promise("it answers", held=True, seen="42")
    report.picture(tmp_path / "figure.png", "What it drew", "One pixel")
    report.finish()
    page.write(tmp_path / "index.html", report, [page.section("Stack", template, {"TableName": "t"}, report.steps)])

    text = (tmp_path / "index.html").read_text()
    for expected in ("Ask &lt;it&gt;", "address localhost", "a line", "the answer &amp; more", "it answers", "(42)"):
        assert expected in text
    assert 'alt="One pixel"' in text
    assert "<figcaption>What it drew</figcaption>" in text
    assert base64.b64encode(PIXEL).decode() in text
    assert "The &lt;table&gt;." in text
    assert "<script" not in text
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", text)


def test_a_person_may_choose_stacks_by_name() -> None:
    assert chosen("") == list(PARTS)
    assert chosen("terminationalarm, Training") == ["Training", "TerminationAlarm"]
    with pytest.raises(InputError, match=r"There is no stack films\. Choose from Training"):
        chosen("films")
