"""Training metrics to CloudWatch: in batches, never a NaN, and no outage of it ends a training."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contract.errors import ExpiredError, GroundworkError
from contract.metrics import TRAINING_NAMESPACE, Namespace, TrainingMetric
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.literals import StandardUnitType
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

PUBLISHED: Mapping[str, tuple[str, StandardUnitType]] = {
    "training_loss": (TrainingMetric.TRAINING_LOSS, "None"),
    "validation_loss": (TrainingMetric.VALIDATION_LOSS, "None"),
    "validation_accuracy": (TrainingMetric.VALIDATION_ACCURACY, "None"),
    "samples_per_second": (TrainingMetric.SAMPLES_PER_SECOND, "Count/Second"),
    "epoch_seconds": (TrainingMetric.EPOCH_SECONDS, "Seconds"),
    "cpu_utilization": (TrainingMetric.CPU_UTILIZATION, "Percent"),
    "memory_utilization": (TrainingMetric.MEMORY_UTILIZATION, "Percent"),
    "gpu_utilization": (TrainingMetric.GPU_UTILIZATION, "Percent"),
    "mode_collapse": (TrainingMetric.MODE_COLLAPSE, "Count"),
    "non_finite_loss": (TrainingMetric.NON_FINITE_LOSS, "Count"),
    "seconds_since_progress": (TrainingMetric.SECONDS_SINCE_PROGRESS, "Seconds"),
}
"""What is sent, by its column in history.csv: name and unit. Not every column is: each metric is billed."""

PROBLEMS = ("mode_collapse", "non_finite_loss", "seconds_since_progress")
"""Those that alarms watch, whichever workload it is: they are sent without the dimension as well."""

_DATA_PER_REQUEST = 1000  # PutMetricData's limit
_BUFFER = 100_000  # a day and more of an outage


class CloudWatchMetrics:
    """Buffers metrics and sends them; what could not be sent is kept and sent later.

    Args:
        workload: The value of the one dimension, `Workload`. AWS would bill a metric for each run if runs had one.
        warn: Tells a person, once, that CloudWatch cannot be reached.
        connect: Makes the client: at once, and again when its credentials have expired.
    """

    def __init__(
        self, workload: str, warn: Callable[[str], None], connect: Callable[[], CloudWatchClient] | None = None
    ) -> None:
        self._connect = connect or _connect
        with asking_aws("--metrics cloudwatch"):  # a client needs a region
            self._client = self._connect()
        self._namespace = os.environ.get(TRAINING_NAMESPACE, Namespace.TRAINING)
        self._workload = workload
        self._warn = warn
        self._warned = False
        self._buffer: deque[MetricDatumTypeDef] = deque(maxlen=_BUFFER)
        self._sending = threading.Lock()

    def put(self, values: Mapping[str, float]) -> None:
        """Buffer the published ones of these values; NaN and infinity are counted as `NonFiniteLoss` instead."""
        now = datetime.now(UTC)
        published = {name: value for name, value in values.items() if name in PUBLISHED}
        finite = {name: value for name, value in published.items() if math.isfinite(value)}
        counts = {"non_finite_loss": float(len(published) - len(finite))} if len(finite) < len(published) else {}
        for name, value in (finite | counts).items():
            metric, unit = PUBLISHED[name]
            datum: MetricDatumTypeDef = {"MetricName": metric, "Timestamp": now, "Value": value, "Unit": unit}
            self._buffer.append({**datum, "Dimensions": [{"Name": "Workload", "Value": self._workload}]})
            if name in PROBLEMS:
                self._buffer.append(datum)

    def pending(self) -> list[list[str | float]]:
        """What has not been sent yet, for a checkpoint: metric, unit, value, Unix time, whether of the workload."""
        return [
            [
                datum["MetricName"],
                datum["Unit"],
                datum["Value"],
                datum["Timestamp"].timestamp(),  # type: ignore[union-attr]
                "Dimensions" in datum,
            ]
            for datum in list(self._buffer)
        ]

    def restore(self, pending: Sequence[Sequence[Any]]) -> None:
        """Send what a run before this one could not."""
        for metric, unit, value, seconds, of_workload in pending:
            moment = datetime.fromtimestamp(seconds, UTC)
            datum: MetricDatumTypeDef = {"MetricName": metric, "Timestamp": moment, "Value": value, "Unit": unit}
            if of_workload:
                datum["Dimensions"] = [{"Name": "Workload", "Value": self._workload}]
            self._buffer.append(datum)

    def flush(self, *, patient: bool = True) -> None:
        """Send what is buffered. A failure warns once and keeps it for the next time.

        Args:
            patient: Try although the last time failed, which may take half a minute.
        """
        if self._warned and not patient:
            return
        with self._sending:
            renewed = False
            while self._buffer:
                batch = [self._buffer[index] for index in range(min(len(self._buffer), _DATA_PER_REQUEST))]
                try:
                    with asking_aws("Metrics", service="CloudWatch"):
                        self._client.put_metric_data(Namespace=self._namespace, MetricData=batch)
                except GroundworkError as error:
                    if isinstance(error, ExpiredError):
                        self._client = self._connect()
                        if not renewed:  # this flush may be the run's last
                            renewed = True
                            continue
                    if not self._warned:
                        self._warn(f"CloudWatch takes no metrics now (training goes on, they are kept). {error}")
                    self._warned = True
                    return
                for _ in batch:
                    self._buffer.popleft()
                self._warned = False


def _connect() -> CloudWatchClient:
    config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 3})
    return boto3.Session().client("cloudwatch", config=config)  # of its own: a session reads credentials once
