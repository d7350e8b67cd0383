"""Reads metrics back from CloudWatch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from localcloud import LocalCloud


def count_datapoints(cloud: LocalCloud, namespace: str, metric: str, since: datetime, **dimensions: str) -> int:
    """Return how many values of a metric have been sent since a moment."""
    response = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=since - timedelta(minutes=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=60,
        Statistics=["SampleCount"],
    )
    return sum(int(point["SampleCount"]) for point in response["Datapoints"])
