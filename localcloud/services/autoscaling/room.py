"""What this room installs, and what runs in it beside requests."""

from localcloud.services.autoscaling import policies  # noqa: F401 (importing installs it)
