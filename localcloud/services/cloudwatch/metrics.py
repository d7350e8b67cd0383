"""CloudWatch metrics that AWS itself writes: from metric filters, functions and queues.

moto gaps: metric filters have no effect, and queues have no metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogsBackend, LogStream, logs_backends
from moto.sqs.models import sqs_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap
from localcloud.services.logs.filter_patterns import MISSING, PatternError, compile_pattern, select


@dataclass
class QueueState:
    """How many messages waited in a queue when it was last measured."""

    waiting: int = 0


def measure(namespace: str, name: str, value: float, dimensions: dict[str, str] | None = None) -> None:
    """Put one value of a metric, now."""
    datum = {
        "MetricName": name,
        "Value": value,
        "Timestamp": datetime.now(UTC).replace(tzinfo=None),
        "Dimensions": [{"Name": key, "Value": item} for key, item in (dimensions or {}).items()],
    }
    cloudwatch_backends[ACCOUNT][REGION].put_metric_data(namespace, [datum])


@wrap(LogsBackend, "put_metric_filter")
def _put_metric_filter(original: Any, self: LogsBackend, name: str, pattern: str, *args: Any) -> None:
    try:
        compile_pattern(pattern)
    except PatternError as error:
        raise InvalidParameterException(msg=f"Invalid metric filter: {error}") from error
    original(self, name, pattern, *args)


@after(LogStream, "put_log_events")
def _logged(_: str, stream: LogStream, log_events: list[dict[str, Any]]) -> None:
    filters = logs_backends[ACCOUNT][REGION].filters.get_matching_filters(log_group_name=stream.log_group.name)
    for metric_filter in filters:
        match = compile_pattern(metric_filter["filterPattern"])
        for event in log_events:
            fields = match(event["message"])
            for change in metric_filter["metricTransformations"]:
                _apply(change, fields)


def _apply(change: dict[str, Any], fields: Any) -> None:
    target = change["metricNamespace"], change["metricName"]
    if fields is None:
        if "defaultValue" in change:
            measure(*target, float(change["defaultValue"]))
        return
    dimensions = {name: select(fields, path) for name, path in change.get("dimensions", {}).items()}
    value = select(fields, change["metricValue"]) if change["metricValue"].startswith("$") else change["metricValue"]
    try:
        number = float(value)
    except (TypeError, ValueError):
        return  # CloudWatch, too, passes over what is not a number
    if MISSING not in dimensions.values():
        measure(*target, number, {name: str(item) for name, item in dimensions.items()})


def measure_queues(cloud: Cloud) -> None:
    """Write what waits in each queue that has something waiting, or just had."""
    for queue in list(sqs_backends[ACCOUNT][REGION].queues.values()):
        waiting = len(queue.messages)
        state = cloud.state(QueueState, queue)
        if waiting or state.waiting:
            state.waiting = waiting
            measure("AWS/SQS", "ApproximateNumberOfMessagesVisible", waiting, {"QueueName": queue.name})
