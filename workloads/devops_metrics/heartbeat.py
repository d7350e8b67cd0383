"""What the stack's alarms and dashboard watch: rows written and rejected, every minute, and complete backups."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contract.errors import GroundworkError
from contract.metrics import BackupMetric, IngestionMetric, Namespace
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloads.devops_metrics.ingest import Tally

_EVERY = 60.0  # seconds


class Heartbeat:
    """Sends what happened since the last time. CloudWatch being away never ends an ingestion.

    Args:
        stack: Value of the one dimension, `Stack`.
        warn: Tells a person, once, that CloudWatch takes nothing.
    """

    def __init__(self, stack: str, warn: Callable[[str], None]) -> None:
        self._cloudwatch = _cloudwatch()
        self._stack = stack
        self._warn: Callable[[str], None] | None = warn
        self._sent = (0, 0)
        self._next = time.monotonic() + _EVERY

    def beat(self, tally: Tally) -> None:
        """Send, if a minute has passed."""
        if time.monotonic() >= self._next:
            self.send(tally)

    def send(self, tally: Tally) -> None:
        """Send now."""
        self._next = time.monotonic() + _EVERY
        now = (tally.written, tally.quarantined)
        counts = zip(IngestionMetric, now, self._sent, strict=True)
        try:
            _put(self._cloudwatch, self._stack, {name: after - before for name, after, before in counts})
        except GroundworkError as error:
            if self._warn:
                self._warn(f"CloudWatch takes no metrics, and ingestion goes on. {error}")
            self._warn = None
            return
        self._sent = now


def backup_succeeded(stack: str) -> None:
    """Send that a backup is complete, to the alarm on backups that do not succeed.

    Args:
        stack: Value of the one dimension, `Stack`.

    Raises:
        InputError: CloudWatch refuses.
        UnavailableError: CloudWatch is not available.
    """
    _put(_cloudwatch(), stack, {BackupMetric.SUCCEEDED: 1})


def _cloudwatch() -> Any:
    config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 3})
    return boto3.client("cloudwatch", config=config)


def _put(cloudwatch: Any, stack: str, counts: Mapping[str, int]) -> None:
    data = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "Stack", "Value": stack}],
            "Value": float(count),
            "Unit": "Count",
        }
        for name, count in counts.items()
    ]
    with asking_aws("Metrics", service="CloudWatch"):
        cloudwatch.put_metric_data(Namespace=Namespace.DEVOPS_METRICS, MetricData=data)
