"""The widgets of a CloudWatch dashboard, read from its body as CloudWatch reads it.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from localcloud.console.charts import Moment, Threshold
from localcloud.console.metrics import Metric, is_known

COLUMNS = 24
_DEFAULT_SIZE = 6
#: A CSS colour that a dashboard may choose for a line.
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Place:
    """Where a widget is, in cells of the dashboard's 24 columns.

    Attributes:
        x: First column, from 0.
        y: First row, from 0.
        width: How many columns.
        height: How many rows.
    """

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Widget:
    """A widget of a dashboard.

    Attributes:
        number: Its place in the dashboard's body, from 0.
        kind: ``metric``, ``text``, ``alarm``, ``log`` or another type of CloudWatch.
        place: Where it is.
        title: Its title.
        properties: Its properties, as the body has them.
        metrics: The lines of a metric widget.
        problems: What of it cannot be shown here, as sentences.
    """

    number: int
    kind: str
    place: Place
    title: str
    properties: Mapping[str, Any]
    metrics: tuple[Metric, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def view(self) -> str:
        """How a metric widget shows its metrics: over time (``timeSeries``) or by their latest values."""
        return str(self.properties.get("view", "timeSeries"))

    @property
    def alarms(self) -> list[str]:
        """The names of the alarms that an alarm widget lists, or whose graph a metric widget is."""
        arns = self.properties.get("alarms") or self.properties.get("annotations", {}).get("alarms", [])
        return [str(arn).partition(":alarm:")[2] for arn in arns]

    @property
    def thresholds(self) -> list[Threshold]:
        """Its horizontal annotations; a band is shown as its two ends."""
        rows = self.properties.get("annotations", {}).get("horizontal", [])
        lines = [
            line for row in rows for line in (row if isinstance(row, list) else [row]) if line.get("visible", True)
        ]
        return [
            Threshold(float(line["value"]), str(line.get("label", line["value"])), line.get("yAxis") == "right")
            for line in lines
        ]

    @property
    def moments(self) -> list[Moment]:
        """Its vertical annotations; a band is shown as its two ends."""
        rows = self.properties.get("annotations", {}).get("vertical", [])
        lines = [
            line for row in rows for line in (row if isinstance(row, list) else [row]) if line.get("visible", True)
        ]
        return [Moment(datetime.fromisoformat(line["value"]), str(line.get("label", line["value"]))) for line in lines]

    def axis(self, side: str) -> tuple[str, tuple[float | None, float | None]]:
        """Return the label, the least and the greatest value of an axis, ``left`` or ``right``, where they are set."""
        settings = self.properties.get("yAxis", {}).get(side, {})
        return str(settings.get("label", "")), (settings.get("min"), settings.get("max"))


@dataclass(frozen=True)
class Choice:
    """Something that the reader of a dashboard chooses at its top: a variable.

    Attributes:
        name: Its id.
        label: Its name for people.
        options: Values and their labels.
        chosen: The value.
    """

    name: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str


@dataclass(frozen=True)
class Board:
    """A dashboard.

    Attributes:
        choices: Its variables.
        widgets: Its widgets, from top to bottom and from left to right.
    """

    choices: tuple[Choice, ...] = ()
    widgets: tuple[Widget, ...] = field(default=())


def board(body: str, chosen: Mapping[str, str]) -> Board:
    """Read the body of a dashboard.

    Args:
        body: JSON.
        chosen: Values of its variables, by their ids; others have their default values.
    """
    document = json.loads(body)
    choices = tuple(_choice(variable, chosen) for variable in document.get("variables", []))
    for variable, choice in zip(document.get("variables", []), choices, strict=True):
        document = _set(document, variable, choice.chosen)
    rows = list(zip(document.get("widgets", []), _places(document.get("widgets", [])), strict=True))
    widgets = [_widget(number, row, place) for number, (row, place) in enumerate(rows)]
    return Board(choices, tuple(sorted(widgets, key=lambda widget: (widget.place.y, widget.place.x))))


def _choice(variable: Mapping[str, Any], chosen: Mapping[str, str]) -> Choice:
    options = tuple((str(row["value"]), str(row.get("label", row["value"]))) for row in variable.get("values", []))
    values = [value for value, _ in options]
    wanted = chosen.get(str(variable["id"]), str(variable.get("defaultValue", "")))
    value = wanted if wanted in values or not values else values[0]
    return Choice(str(variable["id"]), str(variable.get("label", variable["id"])), options, value)


def _set(document: dict[str, Any], variable: Mapping[str, Any], value: str) -> dict[str, Any]:
    """Give a variable its value: a property or dimension everywhere, or a text that stands for it."""
    if variable.get("type") == "pattern":
        text = json.dumps(document["widgets"]).replace(str(variable["pattern"]), value)
        return document | {"widgets": json.loads(text)}
    document, name = copy.deepcopy(document), variable.get("property")
    for widget in document.get("widgets", []):
        properties = widget.get("properties", {})
        if name in properties:
            properties[name] = value
        for row in properties.get("metrics", []):
            for place, item in enumerate(row[:-1]):
                if item == name and place >= 2:  # noqa: PLR2004 - after the namespace and the metric's name
                    row[place + 1] = value
    return document


def _places(widgets: list[dict[str, Any]]) -> Iterator[Place]:
    """Yield where widgets are; those without coordinates follow each other in rows, below what is above them."""
    x = y = row_height = 0
    for widget in widgets:
        width = min(int(widget.get("width", _DEFAULT_SIZE)), COLUMNS)
        height = int(widget.get("height", _DEFAULT_SIZE))
        if "x" in widget and "y" in widget:
            yield Place(int(widget["x"]), int(widget["y"]), width, height)
            continue
        if x + width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        yield Place(x, y, width, height)
        x, row_height = x + width, max(row_height, height)


def _widget(number: int, row: Mapping[str, Any], place: Place) -> Widget:
    properties = row.get("properties", {})
    metrics, problems = [], []
    if row["type"] == "metric":
        for metric, problem in _lines(properties):
            metrics += [metric] if metric else []
            problems += [problem] if problem else []
        metrics = [metric if metric.label else replace(metric, label=_label(metric, metrics)) for metric in metrics]
    elif row["type"] not in {"text", "alarm", "log"}:
        problems.append(f"The console does not show widgets of the type {row['type']}.")
    title = str(properties.get("title", "" if row["type"] == "text" else row["type"]))
    return Widget(number, row["type"], place, title, properties, tuple(metrics), tuple(problems))


def _lines(properties: Mapping[str, Any]) -> Iterator[tuple[Metric | None, str]]:
    """Yield the metrics of a widget, or why one cannot be shown.

    A dot in a row stands for the item above it, and three dots for all that are missing.
    """
    above: list[str] = []
    rows = properties.get("metrics", [])
    for row in rows:
        options = row[-1] if isinstance(row[-1], dict) else {}
        items = [item for item in row if not isinstance(item, dict)]
        if "expression" in options:
            if options.get("visible", True):
                yield None, f"The local cloud does not compute {options['expression']}."
            continue
        if "..." in items:
            place = items.index("...")
            items = [*above[: len(above) - len(items) + 1 + place], *items[place + 1 :]]
        items = [above[place] if item == "." else item for place, item in enumerate(items)]
        above = items
        if not options.get("visible", True):
            continue
        namespace, name, *pairs = (str(item) for item in items)
        statistic = str(options.get("stat", properties.get("stat", "Average")))
        dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
        if not is_known(statistic):
            yield None, f"The console does not compute the statistic {statistic} of {name}."
            continue
        colour = str(options.get("color", ""))
        metric = Metric(
            namespace=namespace,
            name=name,
            dimensions=dimensions,
            statistic=statistic,
            period=int(options.get("period", properties.get("period", 300))),
            label=str(options.get("label", "")),
            right=options.get("yAxis") == "right",
            colour=colour if COLOUR.fullmatch(colour) else "",
        )
        yield metric, ""


def _label(metric: Metric, metrics: Sequence[Metric]) -> str:
    """Return a label of what tells a line from the others of its widget: its metric, its dimensions, its statistic."""
    alike = [other for other in metrics if other.name == metric.name]
    differing = [
        value
        for name, value in metric.dimensions.items()
        if any(other.dimensions.get(name) != value for other in alike)
    ]
    statistic = [metric.statistic] if any(other.statistic != metric.statistic for other in alike) else []
    return " ".join([metric.name, *differing, *statistic])
