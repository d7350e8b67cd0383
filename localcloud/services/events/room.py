"""What this room installs, and what runs in it beside requests."""

from localcloud.services.events import behaviour, inputs, patterns  # noqa: F401 (importing installs it)
