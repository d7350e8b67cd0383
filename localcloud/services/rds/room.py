"""What this room installs, and what runs in it beside requests."""

from localcloud.cloud.background import every
from localcloud.services.rds import behaviour, offerings, parameter_groups  # noqa: F401 (importing installs it)


def start() -> None:
    """Start what runs beside requests."""
    every(5, behaviour.measure_databases)
