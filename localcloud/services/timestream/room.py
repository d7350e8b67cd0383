"""What this room installs, and what runs in it beside requests."""

from localcloud.services.timestream import behaviour, closed  # noqa: F401 (importing installs it)
