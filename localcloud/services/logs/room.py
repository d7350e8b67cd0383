"""What this room installs, and what runs in it beside requests."""

from localcloud.services.logs import requests  # noqa: F401 (importing installs it)
