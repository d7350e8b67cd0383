"""Errors of the stacks' commands, for people."""


class InfraError(ValueError):
    """What was asked for cannot be done: the message says what, where, and what to do."""
