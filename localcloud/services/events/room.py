"""What this room installs, and what runs in it beside requests."""

from localcloud.cloud.background import every
from localcloud.services.events import behaviour, inputs, patterns, requests, schedules  # noqa: F401 (installs them)


def start() -> None:
    """Start what runs beside requests."""
    every(1, schedules.run)
