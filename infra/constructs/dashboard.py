"""A dashboard: the alarms of the stack at its top, and graphs with their thresholds and one unit on each axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Aws, Stack, aws_cloudwatch

COLUMNS = 24
#: Alarms that fit into one row of the widget that lists them, and the rows that its title takes.
ALARMS_IN_A_ROW, TITLE_ROWS = 4, 1
#: Statistics that grow with the period, so that the threshold of an alarm holds only for its own period.
ADDED_UP = ("Sum", "SampleCount")


@dataclass(frozen=True)
class Line:
    """A line of a graph.

    Attributes:
        metric: Name of the metric.
        dimensions: Its dimensions, by name.
        statistic: What is computed over a period.
        label: Its name in the legend; the metric's name if empty.
        namespace: The metric's namespace; the graph's if empty.
    """

    metric: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    statistic: str = "Average"
    label: str = ""
    namespace: str = ""


@dataclass(frozen=True)
class GraphWidget:
    """A graph with one unit on each axis.

        GraphWidget("load", "AWS/RDS", [Line("CPUUtilization")], "%", [Line("DatabaseConnections")], "connections")

    Attributes:
        title: What it shows.
        namespace: The namespace of its metrics.
        left: The lines that belong to the left axis.
        left_unit: What the left axis counts.
        right: The lines that belong to the right axis.
        right_unit: What the right axis counts.
        period: Length of a period, in seconds.
        width: How many of the dashboard's 24 columns it takes.
    """

    title: str
    namespace: str
    left: Sequence[Line]
    left_unit: str = ""
    right: Sequence[Line] = ()
    right_unit: str = ""
    period: int = 60
    width: int = 8


def dashboard(
    stack: Stack, graphs: Sequence[GraphWidget], variables: Sequence[Mapping[str, Any]] = ()
) -> aws_cloudwatch.CfnDashboard:
    """Make a dashboard of a stack, whose alarms are there already.

        dashboard(self, [GraphWidget("requests", "Shop", left=[Line("Requests", statistic="Sum")])])

    The alarms are listed at the top. Each graph has the threshold of every alarm that watches one of its metrics.

    Args:
        stack: The stack.
        graphs: Its graphs, from left to right and from top to bottom.
        variables: What the reader chooses at its top.
    """
    alarms = [node for node in stack.node.find_all() if isinstance(node, aws_cloudwatch.CfnAlarm)]
    widgets = [*_listed(alarms), *(_widget(graph, alarms) for graph in graphs)]
    body = {**({"variables": list(variables)} if variables else {}), "widgets": widgets}
    return aws_cloudwatch.CfnDashboard(stack, "Dashboard", dashboard_body=stack.to_json_string(body))


def _listed(alarms: Sequence[aws_cloudwatch.CfnAlarm]) -> Iterator[dict[str, Any]]:
    """Yield the widget that lists alarms; those that only some deployments have are left out."""
    arns = [alarm.attr_arn for alarm in alarms if alarm.cfn_options.condition is None]
    if arns:
        height = TITLE_ROWS + -(-len(arns) // ALARMS_IN_A_ROW)
        yield {
            "type": "alarm",
            "width": COLUMNS,
            "height": height,
            "properties": {"title": "alarms", "alarms": arns},
        }


def _widget(graph: GraphWidget, alarms: Sequence[aws_cloudwatch.CfnAlarm]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "title": graph.title,
        "region": Aws.REGION,
        "period": graph.period,
        "metrics": [*_rows(graph, graph.left, {}), *_rows(graph, graph.right, {"yAxis": "right"})],
    }
    axes = {"left": (graph.left, graph.left_unit), "right": (graph.right, graph.right_unit)}
    properties["yAxis"] = {
        side: {"min": 0, "showUnits": False, **({"label": unit} if unit else {})}
        for side, (lines, unit) in axes.items()
        if lines
    }
    if thresholds := [
        *_thresholds(graph, graph.left, alarms, {}),
        *_thresholds(graph, graph.right, alarms, {"yAxis": "right"}),
    ]:
        properties["annotations"] = {"horizontal": thresholds}
    return {"type": "metric", "width": graph.width, "height": 6, "properties": properties}


def _rows(graph: GraphWidget, lines: Sequence[Line], axis: Mapping[str, str]) -> Iterator[list[Any]]:
    for line in lines:
        dimensions = [item for pair in line.dimensions.items() for item in pair]
        options = {"stat": line.statistic, **({"label": line.label} if line.label else {}), **axis}
        yield [line.namespace or graph.namespace, line.metric, *dimensions, options]


def _thresholds(
    graph: GraphWidget, lines: Sequence[Line], alarms: Sequence[aws_cloudwatch.CfnAlarm], axis: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the thresholds of the alarms that watch lines of a graph over periods of the same length."""
    for alarm in alarms:
        watched = [
            line
            for line in lines
            if (line.namespace or graph.namespace, line.metric, line.statistic)
            == (alarm.namespace, alarm.metric_name, alarm.statistic)
        ]
        if watched and (alarm.period == graph.period or alarm.statistic not in ADDED_UP):
            yield {"value": alarm.threshold, "label": f"alarm: {watched[0].label or watched[0].metric}", **axis}
