"""What this room installs, and what runs in it beside requests."""

from localcloud.cloud.background import every
from localcloud.services.cloudwatch import alarms, metrics, requests  # noqa: F401 (importing installs them)


def start() -> None:
    """Start what runs beside requests."""
    every(1, alarms.evaluate_alarms)
    every(1, metrics.measure_queues)
