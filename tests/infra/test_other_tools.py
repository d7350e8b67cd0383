"""The files for NoSQL Workbench and Grafana say what the stacks, the workloads and their metrics say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract.dead_letters import PARTITION_KEY, SORT_KEY
from contract.documents import REMOVED
from contract.metrics import IngestionMetric, Namespace
from infra.console import other_tools
from workloads.movie_rental import model


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    content = json.loads(other_tools.FILES["data-ecosystem.yaml"].read_text())
    assert content["ModelMetadata"]["Version"] == "3.0"
    return {table["TableName"]: table for table in content["DataModel"]}


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(other_tools.FILES["devops-metrics.yaml"].read_text())
    return content


def test_the_design_of_the_film_library_has_its_keys_and_indexes(tables: dict[str, Any]) -> None:
    movies = tables["Movies"]
    keys = {part: key["AttributeName"] for part, key in movies["KeyAttributes"].items()}
    assert keys == {"PartitionKey": "MovieID", "SortKey": "MovieTitle"}
    indexes = {index["IndexName"]: index for index in movies["GlobalSecondaryIndexes"]}
    assert indexes.keys() == {"ByGenre", "ByYear"}
    assert indexes["ByYear"]["KeyAttributes"]["PartitionKey"] == {"AttributeName": "Year", "AttributeType": "N"}
    letters = tables["DeadLetters"]["KeyAttributes"]
    assert (letters["PartitionKey"]["AttributeName"], letters["SortKey"]["AttributeName"]) == (PARTITION_KEY, SORT_KEY)


def test_the_design_of_the_film_library_has_every_attribute_that_a_film_may_have(tables: dict[str, Any]) -> None:
    movies = tables["Movies"]
    designed = {row["AttributeName"] for row in movies["NonKeyAttributes"]}
    designed |= {key["AttributeName"] for key in movies["KeyAttributes"].values()}
    assert designed == {*model._ATTRIBUTES, "Genre", REMOVED}


def test_the_panels_ask_for_metrics_that_devops_metrics_writes(dashboard: dict[str, Any]) -> None:
    asked = [target for panel in dashboard["panels"] for target in panel["targets"]]
    assert {(target["namespace"], target["metricName"]) for target in asked} <= {
        (str(Namespace.DEVOPS_METRICS), str(metric)) for metric in IngestionMetric
    }
    assert asked
    assert all(target["dimensions"] == {"Stack": "$stack"} for target in asked)
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["stack"]


def test_panels_lie_beside_each_other_within_the_columns_of_grafana(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert len({(place["x"], place["y"]) for place in places}) == len(places)


def test_a_metric_that_cannot_be_translated_is_refused() -> None:
    widget = {"type": "metric", "width": 6, "height": 6}
    body = json.dumps({"widgets": [{**widget, "properties": {"title": "t", "metrics": [[{"expression": "a"}]]}}]})
    dashboard = {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": body}}
    with pytest.raises(ValueError, match="not translated"):
        other_tools.grafana({"Resources": {"Dashboard": dashboard}})
