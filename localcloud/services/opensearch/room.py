"""What this room installs, and what runs in it beside requests."""

from localcloud.services.opensearch import behaviour, offerings  # noqa: F401 (importing installs it)
