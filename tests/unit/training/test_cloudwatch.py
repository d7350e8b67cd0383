"""Metrics to CloudWatch: batched, finite, and never in the way."""

from __future__ import annotations

import json
import math
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from workloads.training.runtime.cloudwatch import CloudWatchMetrics


def published(client: Any) -> dict[str, list[float]]:
    """All values of workloads in the namespace, by metric."""
    pages = client.get_paginator("get_metric_data").paginate
    listed = client.list_metrics(Namespace="Groundwork/Training")["Metrics"]
    metrics = [metric for metric in listed if metric["Dimensions"]]
    queries = [
        {"Id": f"m{index}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
        for index, metric in enumerate(metrics)
    ]
    now = datetime.now(UTC)
    start, end = now - timedelta(minutes=5), now + timedelta(minutes=5)
    results = pages(MetricDataQueries=queries, StartTime=start, EndTime=end)
    return {
        metrics[int(result["Id"][1:])]["MetricName"]: result["Values"]
        for page in results
        for result in page["MetricDataResults"]
    }


class Recorder:
    """Counts the data of each request to a real client."""

    def __init__(self) -> None:
        self.client = boto3.client("cloudwatch", region_name="us-east-1")
        self.sizes: list[int] = []

    def put_metric_data(self, **request: Any) -> None:
        self.sizes.append(len(request["MetricData"]))
        self.client.put_metric_data(**request)


@pytest.mark.usefixtures("aws")
def test_values_arrive_under_the_workload_in_requests_of_at_most_a_thousand() -> None:
    recorder = Recorder()
    metrics = CloudWatchMetrics("digit-classifier", pytest.fail, lambda: recorder)  # type: ignore[arg-type, return-value]
    for _ in range(1250):
        metrics.put({"training_loss": 0.5, "validation_accuracy": 1.0, "learning_rate": 3.0})
    metrics.flush()
    assert recorder.sizes == [1000, 1000, 500]
    assert {name: sum(values) for name, values in published(recorder.client).items()} == {
        "TrainingLoss": 625,
        "ValidationAccuracy": 1250,
    }
    dimensions = recorder.client.list_metrics()["Metrics"][0]["Dimensions"]
    assert dimensions == [{"Name": "Workload", "Value": "digit-classifier"}]
    metrics.flush()
    assert len(recorder.sizes) == 3


@pytest.mark.usefixtures("aws")
def test_values_that_are_not_finite_are_counted_and_not_sent() -> None:
    client = boto3.client("cloudwatch", region_name="us-east-1")
    metrics = CloudWatchMetrics("digit-gan", pytest.fail, lambda: client)
    metrics.put({"training_loss": math.nan, "validation_loss": -math.inf, "epoch_seconds": 2.0, "other": math.nan})
    metrics.flush()
    assert published(client) == {"NonFiniteLoss": [2], "EpochSeconds": [2]}
    dimensions = {
        json.dumps(metric["Dimensions"]) for metric in client.list_metrics(MetricName="NonFiniteLoss")["Metrics"]
    }
    assert dimensions == {"[]", json.dumps([{"Name": "Workload", "Value": "digit-gan"}])}  # an alarm watches them all


def test_what_an_outage_kept_back_survives_in_a_checkpoint() -> None:
    metrics, later = (CloudWatchMetrics("digit-gan", pytest.fail, lambda: Recorder().client) for _ in range(2))
    metrics.put({"training_loss": 0.5, "mode_collapse": 1.0})
    later.restore(metrics.pending())
    assert later.pending() == metrics.pending()
    assert [row[0] for row in later.pending()] == ["TrainingLoss", "ModeCollapse", "ModeCollapse"]


@pytest.mark.usefixtures("aws")
def test_an_outage_warns_once_and_what_it_held_back_is_sent_afterwards() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"  # nobody listens
    down = boto3.client(
        "cloudwatch", region_name="us-east-1", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1})
    )
    warnings: list[str] = []
    metrics = CloudWatchMetrics("digit-gan", warnings.append, lambda: down)
    for _ in range(3):
        metrics.put({"training_loss": 1.0})
        metrics.flush()
    assert len(warnings) == 1
    assert "training goes on, they are kept" in warnings[0]
    up = boto3.client("cloudwatch", region_name="us-east-1")
    metrics._client = up
    metrics.flush()
    assert sum(published(up)["TrainingLoss"]) == 3


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ExpiredToken", "Message": "The token has expired"}}, "PutMetricData"),
        RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
    ],
)
def test_credentials_that_expire_are_read_anew_and_what_they_held_back_is_sent(error: Exception) -> None:
    class Expired:
        def put_metric_data(self, **_: Any) -> None:
            raise error

    renewed, warnings = Recorder(), list[str]()
    clients = iter([Expired(), Expired(), renewed])
    metrics = CloudWatchMetrics("digit-gan", warnings.append, lambda: next(clients))  # type: ignore[arg-type, return-value]
    for _ in range(3):
        metrics.put({"training_loss": 1.0})
        metrics.flush()
    assert len(warnings) == 1
    assert sum(published(renewed.client)["TrainingLoss"]) == 3
