"""A dashboard's body is read as CloudWatch reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.console.widgets import Place, board


def metric_widget(*metrics: list[Any], **properties: Any) -> dict[str, Any]:
    return {"type": "metric", "properties": {"metrics": list(metrics), **properties}}


def read(*widgets: dict[str, Any], variables: list[Any] | None = None, **chosen: str) -> Any:
    return board(json.dumps({"widgets": list(widgets), "variables": variables or []}), chosen)


def test_widgets_without_coordinates_follow_each_other_in_rows_of_24_columns() -> None:
    widths = [8, 8, 8, 12, 24]
    shown = read(*({"type": "text", "width": width, "height": 3} for width in widths))
    assert [widget.place for widget in shown.widgets] == [
        Place(0, 0, 8, 3),
        Place(8, 0, 8, 3),
        Place(16, 0, 8, 3),
        Place(0, 3, 12, 3),
        Place(0, 6, 24, 3),
    ]


def test_widgets_come_from_top_to_bottom_with_the_numbers_that_they_have_in_the_body() -> None:
    shown = read({"type": "text", "x": 0, "y": 9}, {"type": "text", "x": 6, "y": 0}, {"type": "text", "x": 0, "y": 0})
    assert [widget.number for widget in shown.widgets] == [2, 1, 0]


def test_dots_stand_for_what_the_row_above_has() -> None:
    [widget] = read(
        metric_widget(
            ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "one"],
            [".", "DatabaseConnections", ".", "."],
            ["...", "two"],
            ["...", {"stat": "Maximum"}],
        )
    ).widgets
    assert [(metric.name, metric.dimensions, metric.statistic) for metric in widget.metrics] == [
        ("CPUUtilization", {"DBInstanceIdentifier": "one"}, "Average"),
        ("DatabaseConnections", {"DBInstanceIdentifier": "one"}, "Average"),
        ("DatabaseConnections", {"DBInstanceIdentifier": "two"}, "Average"),
        ("DatabaseConnections", {"DBInstanceIdentifier": "two"}, "Maximum"),
    ]


def test_a_row_may_have_an_axis_a_label_a_period_and_a_colour_of_its_own() -> None:
    options = {"yAxis": "right", "label": "all", "period": 60, "color": "#aa00bb", "stat": "p99.9"}
    [metric] = read(metric_widget(["A", "B", options], period=300, stat="Sum")).widgets[0].metrics
    assert (metric.right, metric.label, metric.period, metric.colour, metric.statistic) == (
        True,
        "all",
        60,
        "#aa00bb",
        "p99.9",
    )


def test_a_label_says_what_tells_a_line_from_the_others() -> None:
    [alone] = read(metric_widget(["A", "Runs", "F", "one"])).widgets[0].metrics
    assert alone.label == "Runs"
    metrics = read(
        metric_widget(
            ["A", "Runs", "F", "one"], ["...", "two"], [".", "Errors", ".", "."], ["...", {"stat": "Maximum"}]
        )
    )
    labels = [metric.label for metric in metrics.widgets[0].metrics]
    assert labels == ["Runs one", "Runs two", "Errors Average", "Errors Maximum"]


def test_a_colour_that_is_none_is_left_out() -> None:
    [metric] = read(metric_widget(["A", "B", {"color": "red;} body {display:none"}])).widgets[0].metrics
    assert metric.colour == ""


@pytest.mark.parametrize(
    ("row", "named"),
    [
        (["A", "B", {"stat": "tm99"}], "tm99"),
        ([{"expression": "SEARCH('{A,B}', 'Sum')"}], "SEARCH"),
    ],
)
def test_what_cannot_be_computed_is_named_and_not_drawn(row: list[Any], named: str) -> None:
    [widget] = read(metric_widget(row)).widgets
    assert widget.metrics == ()
    assert named in widget.problems[0]


def test_a_metric_that_only_an_expression_uses_is_not_drawn() -> None:
    [widget] = read(metric_widget(["A", "B", {"id": "m", "visible": False}], ["A", "C"])).widgets
    assert [metric.name for metric in widget.metrics] == ["C"]


def test_a_widget_of_another_type_says_that_it_is_not_shown() -> None:
    [widget] = read({"type": "explorer", "properties": {}}).widgets
    assert "explorer" in widget.problems[0]


def test_a_variable_changes_a_dimension_in_every_widget() -> None:
    variable = {"type": "property", "property": "Workload", "id": "w", "defaultValue": "one", "visible": True}
    variable |= {"inputType": "select", "values": [{"value": "one"}, {"value": "two", "label": "the second"}]}
    widgets = [
        metric_widget(["Training", "Loss", "Workload", "one"]),
        metric_widget(["Training", "Rate", "Workload", "one"]),
    ]
    default, other = read(*widgets, variables=[variable]), read(*widgets, variables=[variable], w="two")
    assert [widget.metrics[0].dimensions["Workload"] for widget in default.widgets] == ["one", "one"]
    assert [widget.metrics[0].dimensions["Workload"] for widget in other.widgets] == ["two", "two"]
    assert other.choices[0].options == (("one", "one"), ("two", "the second"))
    assert other.choices[0].chosen == "two"


def test_a_value_that_a_variable_does_not_have_is_not_chosen() -> None:
    variable = {"type": "property", "property": "W", "id": "w", "defaultValue": "one", "values": [{"value": "one"}]}
    assert read(metric_widget(["A", "B", "W", "one"]), variables=[variable], w="<x>").choices[0].chosen == "one"


def test_a_pattern_is_replaced_wherever_it_stands() -> None:
    variable = {
        "type": "pattern",
        "pattern": "PLACE",
        "id": "p",
        "defaultValue": "north",
        "values": [{"value": "north"}],
    }
    [widget] = read(metric_widget(["A", "B", "Site", "shop-PLACE"], title="In PLACE"), variables=[variable]).widgets
    assert (widget.title, widget.metrics[0].dimensions) == ("In north", {"Site": "shop-north"})


def test_annotations_are_lines_on_their_axis_and_bands_have_two() -> None:
    horizontal = [
        {"value": 5, "label": "most", "yAxis": "right"},
        [{"value": 1}, {"value": 2}],
        {"value": 9, "visible": False},
    ]
    vertical = [{"value": "2026-11-29T10:00:00Z", "label": "deployed"}]
    [widget] = read(metric_widget(["A", "B"], annotations={"horizontal": horizontal, "vertical": vertical})).widgets
    assert [(line.value, line.label, line.right) for line in widget.thresholds] == [
        (5.0, "most", True),
        (1.0, "1", False),
        (2.0, "2", False),
    ]
    assert [moment.label for moment in widget.moments] == ["deployed"]


def test_alarms_are_known_by_the_names_in_their_arns() -> None:
    arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a name: with a colon"
    listed, graph = {"type": "alarm", "properties": {"alarms": [arn]}}, metric_widget(annotations={"alarms": [arn]})
    assert [widget.alarms for widget in read(listed, graph).widgets] == [["a name: with a colon"]] * 2
