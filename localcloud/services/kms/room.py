"""What this room installs, and what runs in it beside requests."""

from localcloud.services.kms import key_policies  # noqa: F401 (importing installs it)
