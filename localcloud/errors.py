"""The error of the local cloud."""

from __future__ import annotations

from contract.errors import InputError


class LocalCloudError(InputError):
    """The local cloud cannot do what was asked, on this machine or at all; the message says what and why."""
