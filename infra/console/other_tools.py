"""Files that other programs import, from the templates: tables for NoSQL Workbench, a dashboard for Grafana.

Formats: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/workbench.Modeler.ImportExisting.html and
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.stacks import StackName
from infra import PROJECT

FOLDER = PROJECT / "docs" / "models"
#: The files by the template of the console that they come from.
FILES = {
    "data-ecosystem.yaml": FOLDER / "data-ecosystem.nosql-workbench.json",
    "devops-metrics.yaml": FOLDER / "devops-metrics.grafana.json",
}
#: Attributes of items that are no keys, with their types, which a template does not know.
ATTRIBUTES = {
    "Movies": {
        "Genres": "L", "Cast": "L", "Director": "S", "Description": "S", "Language": "S", "Rating": "S", "Length": "N",
        "RentalRate": "N", "ReplacementCost": "N", "RentalDuration": "N", "SpecialFeatures": "L", "Embedding": "B",
        "Version": "N", "Removed": "BOOL",
    },
    "DeadLetters": {"Reason": "S", "Record": "S", "ExpiresAt": "N"},
}  # fmt: skip
#: What stands for the intrinsic functions in a dashboard: variables of Grafana.
_VARIABLES = {"AWS::StackName": "$stack", "AWS::Region": "default"}
_SOURCE = {"type": "cloudwatch", "uid": "${DS_CLOUDWATCH}"}
_COLUMNS = 24  # of both CloudWatch and Grafana
_TALLER = 1.4  # a row of Grafana is lower than one of CloudWatch


def texts(templates: Mapping[str, Mapping[str, Any]]) -> dict[Path, str]:
    """Return the text of each file whose template is there, by its path.

    Args:
        templates: Synthesised templates by their files' names.
    """
    makers = {"data-ecosystem.yaml": workbench, "devops-metrics.yaml": grafana}
    return {
        path: json.dumps(makers[file](templates[file]), indent=2, ensure_ascii=False) + "\n"
        for file, path in FILES.items()
        if file in templates
    }


def workbench(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the DynamoDB tables of a template as a data model of NoSQL Workbench."""
    written = "Nov 29, 2026, 12:00 PM"  # it has to be there, and must not change with each run
    return {
        "ModelName": f"Groundwork {StackName.DATA_ECOSYSTEM}",
        "ModelMetadata": {
            "Author": "Groundwork",
            "DateCreated": written,
            "DateLastModified": written,
            "Description": template["Description"],
            "AWSService": "Amazon DynamoDB",
            "Version": "3.0",
        },
        "DataModel": [
            _table(name, body["Properties"])
            for name, body in template["Resources"].items()
            if body["Type"] == "AWS::DynamoDB::Table"
        ],
    }


def _table(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    types = {row["AttributeName"]: row["AttributeType"] for row in properties["AttributeDefinitions"]}
    keys = {row["AttributeName"] for row in properties["KeySchema"]}
    others = {attribute: kind for attribute, kind in types.items() if attribute not in keys} | ATTRIBUTES[name]
    return {
        "TableName": name,
        "KeyAttributes": _keys(properties["KeySchema"], types),
        "NonKeyAttributes": [{"AttributeName": other, "AttributeType": kind} for other, kind in others.items()],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index["IndexName"],
                "KeyAttributes": _keys(index["KeySchema"], types),
                "Projection": index["Projection"],
            }
            for index in properties.get("GlobalSecondaryIndexes", [])
        ],
        "TableData": [],
        "DataAccess": {"MySql": {}},
        "SampleDataFormats": {},
        "BillingMode": properties["BillingMode"],
    }


def _keys(schema: list[dict[str, str]], types: Mapping[str, str]) -> dict[str, Any]:
    names = {"HASH": "PartitionKey", "RANGE": "SortKey"}
    return {
        names[row["KeyType"]]: {"AttributeName": row["AttributeName"], "AttributeType": types[row["AttributeName"]]}
        for row in schema
    }


def grafana(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dashboard of a template for Grafana, whose data source CloudWatch reads the same metrics.

    Alarms stay in CloudWatch; their thresholds are lines in the panels.

    Raises:
        ValueError: The dashboard has a metric that this does not translate, such as an expression.
    """
    body = next(
        resource["Properties"]["DashboardBody"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Dashboard"
    )
    panels: list[dict[str, Any]] = []
    left = top = 0
    for widget in json.loads(_text(body))["widgets"]:
        if widget["type"] != "metric":
            continue
        width, height = widget["width"], round(widget["height"] * _TALLER)
        if left + width > _COLUMNS:
            left, top = 0, top + height
        panels.append(_panel(widget["properties"], len(panels) + 1, {"x": left, "y": top, "w": width, "h": height}))
        left += width
    name = str(StackName.DEVOPS_METRICS)
    stack = {"name": "stack", "type": "textbox", "label": "Stack", "query": name, "skipUrlSync": False}
    current = {"text": name, "value": name, "selected": True}
    return {
        "__inputs": [
            {
                "name": "DS_CLOUDWATCH",
                "label": "CloudWatch",
                "type": "datasource",
                "pluginId": "cloudwatch",
                "pluginName": "Amazon CloudWatch",
            }
        ],
        "__requires": [
            {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.0.0"},
            {"type": "datasource", "id": "cloudwatch", "name": "Amazon CloudWatch", "version": "1.0.0"},
            {"type": "panel", "id": "timeseries", "name": "Time series", "version": ""},
        ],
        "id": None,
        "uid": "groundwork-devops-metrics",
        "title": f"Groundwork {name}",
        "tags": ["groundwork"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [{**stack, "current": current, "options": [current]}]},
        "panels": panels,
    }


def _panel(properties: Mapping[str, Any], number: int, place: Mapping[str, int]) -> dict[str, Any]:
    axis = properties.get("yAxis", {}).get("left", {})
    lines = [line["value"] for line in properties.get("annotations", {}).get("horizontal", [])]
    steps: list[dict[str, Any]] = [{"color": "blue", "value": None}]
    steps += [{"color": "orange", "value": value} for value in lines]
    look = {"axisLabel": axis.get("label", ""), "thresholdsStyle": {"mode": "line" if lines else "off"}}
    return {
        "id": number,
        "type": "timeseries",
        "title": properties["title"],
        "datasource": _SOURCE,
        "gridPos": dict(place),
        "fieldConfig": {
            "defaults": {"min": axis.get("min"), "custom": look, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": [
            _target(metric, chr(ord("A") + index), properties) for index, metric in enumerate(properties["metrics"])
        ],
    }


def _target(metric: list[Any], name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    options = metric[-1] if isinstance(metric[-1], dict) else {}
    words = [word for word in metric if isinstance(word, str)]
    if "expression" in options or len(words) < 2 or len(words) % 2 or any(word in {".", "..."} for word in words):  # noqa: PLR2004
        raise ValueError(f"This metric of a dashboard is not translated for Grafana: {metric}")
    namespace, metric_name, *dimensions = words
    return {
        "refId": name,
        "datasource": _SOURCE,
        "queryMode": "Metrics",
        "metricQueryType": 0,
        "metricEditorMode": 0,
        "namespace": namespace,
        "metricName": metric_name,
        "dimensions": dict(zip(dimensions[::2], dimensions[1::2], strict=True)),
        "matchExact": True,
        "statistic": options.get("stat") or properties.get("stat", "Average"),
        "period": str(options.get("period") or properties.get("period", "")),
        "region": "default",
        "label": options.get("label", metric_name),
        "id": "",
        "expression": "",
    }


def _text(value: Any) -> str:
    """Return the text of a dashboard's body, with variables of Grafana where it refers to something."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, pieces]}:
            return str(separator).join(_text(piece) for piece in pieces)
        case {"Ref": name}:
            return _VARIABLES.get(name, "")
        case _:
            return ""
