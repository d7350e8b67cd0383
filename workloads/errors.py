"""Errors that tell a person what to change."""


class InputError(ValueError):
    """What the user gave cannot be used: the message says what, where, and what to do.

    Attributes:
        exit_code: What the process exits with.
    """

    exit_code = 2


class UnavailableError(InputError):
    """A service cannot be reached or refuses for now (an outage, throttling, credentials that ran out)."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: the caller is invited to try again


class TrainingStopped(Exception):  # noqa: N818 - an interruption is not an error
    """Training ended before its last epoch: the message says why and where it can go on.

    Attributes:
        exit_code: What the process exits with; never 2, which means bad input.
    """

    exit_code = 1


class NonFiniteLossError(TrainingStopped):
    """The loss became NaN or infinite."""


class Interrupted(TrainingStopped):
    """The machine is going away: a checkpoint is written, and the same command continues from it."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: the caller is invited to try again
