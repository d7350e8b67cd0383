"""The demonstration's page: a stack's picture from its template, and everything that was recorded."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from contract.errors import InputError
from groundwork.demo import page
from groundwork.demo.checklist import Checklist, Picture
from groundwork.demo.show import PARTS, chosen
from localcloud.console.diagram import arrows, boxes, layers, svg

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


@pytest.mark.parametrize(
    "reference",
    [
        {"Ref": "Table"},
        {"Fn::GetAtt": ["Table", "Arn"]},
        {"Fn::GetAtt": "Table.Arn"},
        {"Fn::Sub": "arn of ${Table.Arn}"},
        {"Fn::Sub": ["${Table}/${Name}", {"Name": "x"}]},
    ],
)
def test_every_form_of_a_reference_is_an_arrow(reference: dict[str, Any]) -> None:
    template = {
        "Resources": {
            "Function": resource("AWS::Lambda::Function", Of=reference),
            "Table": resource("AWS::DynamoDB::Table"),
        }
    }
    assert {(start.name, end.name) for start, end in arrows(template)} == {("Function", "Table")}


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


def test_a_box_may_be_a_link() -> None:
    template = {"Resources": {"Jobs": resource("AWS::SQS::Queue"), "Other": resource("AWS::SQS::Queue")}}
    drawn = svg(template, "Queues", {"Jobs": "/queues/jobs?a=1&b=2"})
    assert 'role="group"' in drawn
    assert drawn.count('<a href="/queues/jobs?a=1&amp;b=2">') == drawn.count("<a ") == 1
    assert 'role="img"' in svg(template, "Queues")


def test_a_stack_without_what_is_drawn_has_no_picture() -> None:
    assert svg({"Resources": {"Role": resource("AWS::IAM::Role")}}, "Nothing") == ""


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
    report.ran(22.4)
    report.document("the model", tmp_path / "my model" / "report.html")
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
    assert set(re.findall(r"(?:src|href)=[\"'](?!data:|#)([^\"']*)", text)) == {"my%20model/report.html"}
    assert "the job ran 22 s" in text
    assert text.index("What was checked") < text.index("What it drew") < text.index("What was deployed")
    assert "Rule → Function" in text


def test_the_page_leads_into_the_console_of_a_cloud_that_keeps_running(
    template: dict[str, Any], tmp_path: Path
) -> None:
    report = Checklist(Console(quiet=True))
    report.step("Deploy")
    report.finish()
    sections = [page.section("Stack", template, {}, report.steps)]
    page.write(tmp_path / "index.html", report, sections, "http://localhost:1/")
    assert 'href="http://localhost:1/stacks/Stack"' in (tmp_path / "index.html").read_text()
    page.write(tmp_path / "index.html", report, sections)
    assert "localhost" not in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(("width", "least"), [(2080, 1271), (1040, 636), (390, 300), (200, 200)])
def test_a_figure_is_never_shown_so_small_that_its_text_cannot_be_read(tmp_path: Path, width: int, least: int) -> None:
    Image.new("L", (width, 10)).save(tmp_path / "figure.png")
    assert Picture(tmp_path / "figure.png", "", "").least_width == least


def test_a_person_may_choose_stacks_by_name() -> None:
    assert chosen("") == list(PARTS)
    assert chosen("terminationalarm, Training") == ["Training", "TerminationAlarm"]
    with pytest.raises(InputError, match=r"There is no stack films\. Choose from Training"):
        chosen("films")
