"""Errors that tell a person what to change."""


class InputError(ValueError):
    """What the user gave cannot be used: the message says what, where, and what to do."""
