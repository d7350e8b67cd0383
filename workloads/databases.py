"""The boundary to relational databases: every error of a driver becomes one of ours, whichever driver it is.

The drivers (psycopg, PyMySQL, sqlite3) follow PEP 249, and SQLAlchemy wraps their errors, so one reading of class
names, SQLSTATEs and error numbers serves all of them, and none needs to be installed.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from contract.errors import InputError
from contract.services import overloaded, refused, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from contract.errors import GroundworkError

#: Beginnings of the SQLSTATEs that pass. Source: PostgreSQL's manual, appendix A.
_PASSING_STATES = (
    "08",  # the connection fails
    "25006",  # a read-only transaction: the writer has failed over to another server
    "40",  # serialization failures and deadlocks
    "53",  # connections, memory or disk run short
    "55P03",  # a lock is not available
    "57",  # the server is starting, stopping or recovering, or has cancelled the statement
    "58",  # input and output of the server fail
)
#: MySQL's errors that pass. Source: MySQL's error message reference, and MariaDB's for 1927 and 1969.
_PASSING_NUMBERS = frozenset(
    {
        *(0, 2002, 2003, 2006, 2013, 2055),  # the connection fails, or is gone
        *(1021, 1037, 1038, 1041),  # disk or memory run short
        *(1040, 1129, 1203, 1226),  # there are too many connections, or too many failed ones
        *(1053, 1077, 1078, 1079, 1080, 3032),  # the server stops, or is offline
        *(1158, 1159, 1160, 1161, 4031),  # packets of a connection are lost
        *(1205, 1213),  # locks: a timeout, a deadlock
        *(1290, 1836),  # the server is read-only: the writer has failed over to another one
        *(1317, 1927, 1969, 3024),  # the statement or the connection was cancelled
    }
)
NO_SUCH_TABLE = 1146  # of MySQL
_ANSWERS = _PASSING_NUMBERS - {0, *range(2000, 3000)}  # those that the server gives
#: What PostgreSQL says about a connection that will not be better later; libpq gives no SQLSTATE for connections.
_LASTING = (
    "authentication failed",
    "channel binding",
    "does not exist",
    "does not support ssl",
    "invalid port number",
    "is not permitted to log in",
    "no password supplied",
    "no pg_hba.conf entry",
    "permission denied",
    "unsupported frontend protocol",
)


@contextmanager
def asking_database(
    place: object,
    errors: type[Exception] | tuple[type[Exception], ...],
    *,
    service: str,
    trust: str,
    reasons: Mapping[object, str] = MappingProxyType({}),
) -> Iterator[None]:
    """Turn the errors of the database requests inside into ours.

    Args:
        place: Which database.
        errors: The root of the driver's errors, such as `psycopg.Error`, and of those that a library makes of them.
        service: What the database is.
        trust: The variable that names a file of authorities to trust.
        reasons: What MySQL's numbers mean here, in sentences; for other errors, the driver's own message is given.

    Raises:
        InputError: The database refuses the connection or a statement.
        UnavailableError: The database cannot be reached, or cannot do it now.
    """
    try:
        yield
    except errors as error:
        raise _explained(place, error, service, trust, reasons) from error


def _explained(
    place: object, error: Exception, service: str, trust: str, reasons: Mapping[object, str]
) -> GroundworkError:
    cause: Any = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error  # if it was wrapped
    state, number, reason = getattr(cause, "sqlstate", None), _number(cause), _first_line(cause)
    if number is not None:  # the SQLSTATE of most errors of MySQL is HY000, a general error
        passing = number in _PASSING_NUMBERS
    elif state:
        passing = state.startswith(_PASSING_STATES)
    elif hasattr(cause, "sqlite_errorname"):
        passing = cause.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    else:
        passing = _is_of_connection(cause) and not any(words in str(cause).lower() for words in _LASTING)
    if not passing and number in reasons:
        return InputError(f"{place}: {reasons[number]}")
    if not passing:
        return refused(place, service, reason)
    if number in _ANSWERS or (state and number is None):
        return overloaded(place, service, reason)
    return unreachable(place, service, reason, trust=trust)


def _number(error: Exception) -> int | None:
    """Return MySQL's number of an error."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None


def _is_of_connection(error: Exception) -> bool:
    """Return whether an error without a code concerns the connection, by its class in PEP 249."""
    names = {base.__name__ for base in type(error).__mro__}
    return bool(names & {"OperationalError", "InterfaceError", "InternalError", "TimeoutError"})


def _first_line(error: Exception) -> str:
    """Return the message without the statement, the hints and the links below it."""
    text = str(error.args[-1]) if error.args else str(error)
    return (text.strip().splitlines() or ["The connection is gone"])[0]
