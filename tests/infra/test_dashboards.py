"""Every dashboard lists the stack's alarms, shows their thresholds, and has one unit on each axis."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infra.console.templates import FOLDER, TEMPLATES

from .conftest import Json, as_list, joined, of_type, read_yaml

DASHBOARDS = {
    file: read_yaml((FOLDER / file).read_text())
    for file in TEMPLATES
    if "AWS::CloudWatch::Dashboard" in (FOLDER / file).read_text()
}


def body_of(template: Json) -> Json:
    """The body of a template's dashboard, with 1 for each number that is a parameter."""
    [(_, dashboard)] = of_type(template, "AWS::CloudWatch::Dashboard")
    [text, *_] = as_list(dashboard["Properties"]["DashboardBody"]["Fn::Sub"])
    body: Json = json.loads(re.sub(r"(?<=: )\$\{\w+\}", "1", text))
    return body


@pytest.fixture(params=DASHBOARDS)
def template(request: pytest.FixtureRequest) -> Json:
    return DASHBOARDS[request.param]


def graphs(template: Json) -> list[Json]:
    return [widget["properties"] for widget in body_of(template)["widgets"] if widget["type"] == "metric"]


def lines(graph: Json, side: str) -> list[list[Any]]:
    return [row for row in graph["metrics"] if row[-1].get("yAxis", "left") == side]


def test_four_stacks_have_a_dashboard() -> None:
    assert len(DASHBOARDS) == 4


def test_the_alarms_of_the_stack_are_listed_at_the_top(template: Json) -> None:
    first = body_of(template)["widgets"][0]
    assert (first["type"], first["width"]) == ("alarm", 24)
    alarms = {name for name, body in of_type(template, "AWS::CloudWatch::Alarm") if "Condition" not in body}
    assert set(first["properties"]["alarms"]) == {f"${{{name}.Arn}}" for name in alarms}


def test_each_axis_has_a_unit_and_begins_at_zero(template: Json) -> None:
    for graph in graphs(template):
        for side, axis in graph["yAxis"].items():
            assert lines(graph, side), graph["title"]
            assert axis["min"] == 0
            assert axis.get("label") or graph["title"] == "loss", graph["title"]


def test_what_is_counted_in_different_units_has_different_axes(template: Json) -> None:
    units = {"CPUUtilization": "%", "NCUUtilization": "%", "DatabaseConnections": "connections", "IteratorAge": "ms"}
    units |= {
        "ApproximateAgeOfOldestMessage": "s",
        "SearchableDocuments": "documents",
        "SecondsSinceProgress": "seconds",
    }
    for graph in graphs(template):
        for side, axis in graph["yAxis"].items():
            known = {units[row[1]] for row in lines(graph, side) if row[1] in units}
            assert known <= {axis.get("label")}, graph["title"]


def test_the_threshold_of_each_alarm_on_a_line_is_drawn_on_its_axis(template: Json) -> None:
    drawn = 0
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm"):
        settings = alarm["Properties"]
        for graph in graphs(template):
            for side in graph["yAxis"]:
                same = [
                    row
                    for row in lines(graph, side)
                    if (row[0], row[1], row[-1]["stat"])
                    == (joined(settings["Namespace"]), settings["MetricName"], settings["Statistic"])
                ]
                if not same or (settings["Statistic"] == "Sum" and settings["Period"] != graph["period"]):
                    continue
                threshold = settings["Threshold"]
                value = threshold if isinstance(threshold, int | float) else 1  # a parameter
                thresholds = [
                    line["value"] for line in graph["annotations"]["horizontal"] if line.get("yAxis", "left") == side
                ]
                assert value in thresholds, name
                drawn += 1
    assert drawn
