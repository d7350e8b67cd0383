"""What this room installs, and what runs in it beside requests."""

from localcloud.services.s3 import behaviour  # noqa: F401 (importing installs it)
