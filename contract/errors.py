"""The errors of all packages, in one tree: each class has the exit code with which it ends a command.

    GroundworkError                1  The command failed.
    ├── InputError                 2  Something that a person can change is wrong: an option, a file, a setting,
    │   │                             a permission, or a resource that is missing.
    │   ├── ConfigError            2  infra: a setting of a stack
    │   ├── UnknownCostError       2  infra: the price file lacks something
    │   ├── LocalCloudError        2  localcloud: what the local cloud lacks on this machine, or cannot do
    │   │   └── HeldError          2  localcloud: another process holds a lock
    │   ├── NotPermittedError      2  workloads: the credentials do not allow an operation
    │   └── RefusedRowError        2  workloads: a database does not take a row, however often it is offered
    ├── TemporaryError            75  The same command may succeed later.
    │   ├── UnavailableError      75  A service cannot be reached, is overloaded, or fails for the moment.
    │   │   └── ExpiredError      75  The credentials have expired.
    │   └── Interrupted           75  workloads: this machine is going away
    ├── TrainingStopped            1  workloads: training ended before its last epoch
    │   └── NonFiniteLossError     1  workloads: the loss became NaN or infinite
    ├── RemovalError               1  infra: AWS or the CDK could not remove a stack
    ├── DeploymentError            1  groundwork: CloudFormation or the CDK could not deploy a stack
    └── PromiseBrokenError         1  groundwork: the demonstration saw something else than it promised

A package adds a class where its callers need to tell a case apart, and raises the classes above in every other case.

A message is one line of whole sentences. It says what is wrong and what to do, and names the place first where there is
one: a file with line and column, an option, a resource.

    def read_price(file: Path) -> float:
        try:
            return float(file.read_text())
        except OSError as error:
            raise InputError(f"{file}: The file cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise InputError(f"{file}: The price is not a number. Write it as 0.5.") from error

A command line handles all of them in one place:

    try:
        read_price(Path("price.txt"))
    except GroundworkError as error:
        sys.exit(report(error))  # Error: price.txt: The file cannot be read: No such file or directory.
"""

from __future__ import annotations

import sys


class GroundworkError(Exception):
    """A command cannot do what it was asked to do; the message is for the person who ran it.

    Attributes:
        exit_code: The exit code of a command that ends with this error.
        advice: A sentence that a command line prints after the message. It is no part of the message, because what
            helps depends on the command: a web server that logs the error is not run again.
    """

    exit_code = 1
    advice = ""


class InputError(GroundworkError):
    """Something that a person can change is wrong: an option, a file, a setting, a permission, a missing resource."""

    exit_code = 2


class TemporaryError(GroundworkError):
    """The same command may succeed later. AWS Batch starts a job again that ends with this exit code."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: the caller is invited to try again
    advice = "Run the same command again later."


class UnavailableError(TemporaryError):
    """A service cannot be reached, is overloaded, or fails for the moment."""


class ExpiredError(UnavailableError):
    """The credentials have expired; a client that is made after they are renewed works again."""


def report(error: GroundworkError) -> int:
    """Print an error and its advice as one line on standard error, and return the exit code for it."""
    print(f"Error: {error} {error.advice}".rstrip(), file=sys.stderr)  # noqa: T201 - what a command line says
    return error.exit_code


def phrase(text: object) -> str:
    """Return a text of somebody else, such as a driver's message, as the end of a sentence: one line, no full stop."""
    return " ".join(str(text).split()).rstrip(".")
