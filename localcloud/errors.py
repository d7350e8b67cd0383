"""Errors that tell a person what to change."""


class LocalCloudError(Exception):
    """The local cloud cannot do what was asked: the message says what and why."""
