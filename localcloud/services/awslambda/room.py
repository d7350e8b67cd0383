"""What this room installs, and what runs in it beside requests."""

from localcloud.cloud.background import every
from localcloud.services.awslambda import behaviour, event_sources  # noqa: F401 (importing installs it)


def start() -> None:
    """Start what runs beside requests."""
    every(0.2, event_sources.poll)
