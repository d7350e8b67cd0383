"""What this room installs, and what runs in it beside requests."""

from localcloud.services.servicequotas import behaviour  # noqa: F401 (importing installs it)
