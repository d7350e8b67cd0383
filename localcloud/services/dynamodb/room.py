"""What this room installs, and what runs in it beside requests."""

from localcloud.services.dynamodb import behaviour, serialization  # noqa: F401 (importing installs it)
