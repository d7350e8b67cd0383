"""What this room installs, and what runs in it beside requests."""

from __future__ import annotations

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.cloudwatch import actions, alarm_history, alarms, composite_alarms, metrics, requests


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks, and start what runs beside requests."""
    hooks.install(cloud, actions, alarm_history, composite_alarms, alarms, metrics, requests)
    cloud.every(1, alarms.evaluate_alarms, cloud)
    cloud.every(1, metrics.measure_queues, cloud)
