"""The errors that only workloads tell apart; all others are in `contract.errors`."""

from __future__ import annotations

from contract.errors import GroundworkError, InputError, TemporaryError


class RefusedRowError(InputError):
    """A database does not take a row as it is, however often it is offered; the message says which row, and why."""


class TrainingStopped(GroundworkError):  # noqa: N818 - an interruption is not an error
    """Training ended before its last epoch; the message says why."""


class NonFiniteLossError(TrainingStopped):
    """The loss became NaN or infinite."""


class Interrupted(TemporaryError):  # noqa: N818 - as above
    """The machine is going away: a checkpoint is written, and the same command continues from it."""
