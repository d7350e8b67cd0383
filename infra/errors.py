"""Errors of the stacks' commands, for people."""


class InfraError(ValueError):
    """What was asked for cannot be done: the message says what, where, and what to do.

    Attributes:
        exit_code: What the process exits with; 2 is for what was given.
    """

    exit_code = 2
