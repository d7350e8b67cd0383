"""What this room installs, and what runs in it beside requests."""

from localcloud.services.sns import behaviour  # noqa: F401 (importing installs it)
