"""What the stack's alarms and dashboard watch: rows written and rejected, sent to CloudWatch every minute."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contract.errors import GroundworkError
from contract.metrics import IngestionMetric, Namespace
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.devops_metrics.ingest import Tally

_EVERY = 60.0  # seconds


class Heartbeat:
    """Sends what happened since the last time. CloudWatch being away never ends an ingestion.

    Args:
        stack: Value of the one dimension, `Stack`.
        warn: Tells a person, once, that CloudWatch takes nothing.
    """

    def __init__(self, stack: str, warn: Callable[[str], None]) -> None:
        config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 3})
        self._cloudwatch: Any = boto3.client("cloudwatch", config=config)
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
        data = [
            {
                "MetricName": name,
                "Dimensions": [{"Name": "Stack", "Value": self._stack}],
                "Value": float(after - before),
                "Unit": "Count",
            }
            for name, after, before in zip(IngestionMetric, now, self._sent, strict=True)
        ]
        try:
            with asking_aws("Metrics", service="CloudWatch"):
                self._cloudwatch.put_metric_data(Namespace=Namespace.DEVOPS_METRICS, MetricData=data)
        except GroundworkError as error:
            if self._warn:
                self._warn(f"CloudWatch takes no metrics, and ingestion goes on. {error}")
            self._warn = None
            return
        self._sent = now
