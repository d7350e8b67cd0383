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
    ├── BuildError                 1  infra: the package of constructs could not be built
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

import re
import sys

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ENDED_TWICE = re.compile(r"(?<=[^\s./][.?!])\.(?=\s|$)")  # the second mark; not the folder `..`, nor an ellipsis
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class GroundworkError(Exception):
    """A command cannot do what it was asked to do; the message is for the person who ran it.

    Attributes:
        exit_code: The exit code of a command that ends with this error.
        advice: A sentence that a command line prints after the message. It does not belong to the message, because what
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
    complain(f"{error} {error.advice}".rstrip())
    return error.exit_code


def complain(message: str) -> None:
    """Print the line of an error on standard error; a sentence that quotes another one ends once, not with `?.`."""
    message = _ENDED_TWICE.sub("", message)
    print(f"Error: {printable(message)}", file=sys.stderr)  # noqa: T201 - what a command line says


def phrase(text: object) -> str:
    """Return a text of somebody else, such as a driver's message, as the end of a sentence: one line, no full stop."""
    return " ".join(str(text).split()).rstrip(".")


def printable(text: str, *, keep: str = "") -> str:
    r"""Write out the characters that a terminal obeys instead of showing them, as JSON does: `\u001b` for Escape.

    A file name, a heading or a cell may hold them, and would otherwise move the cursor, erase lines or change colours.
    They are the control characters, separators of lines, and marks that turn the direction of text (CVE-2021-42574);
    and halves of surrogate pairs, with which Python stands for bytes of a file name that are not UTF-8.

    Args:
        text: What is to be printed.
        keep: The characters that stay, such as line breaks where the text may have several lines.
    """
    return _UNPRINTABLE.sub(lambda match: match[0] if match[0] in keep else _written_out(match[0]), text)


def _written_out(character: str) -> str:
    return _SHORT.get(character, f"\\u{ord(character):04x}")
