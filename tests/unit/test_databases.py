"""What the driver of a database raises: an outage, after which a job is tried again, or a refusal."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pymysql
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from psycopg import errors
from sqlalchemy.exc import SQLAlchemyError

from contract.errors import GroundworkError, InputError, UnavailableError
from workloads.databases import asking_database


def told(error: Exception, kinds: type[Exception] | tuple[type[Exception], ...]) -> GroundworkError:
    """What the boundary makes of an error."""
    with (
        pytest.raises(GroundworkError, match=r"^Database: .*\.$") as caught,
        asking_database("Database", kinds, service="It", trust="CA_FILE"),
    ):
        raise error
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.OperationalError("connection failed: Connection refused\n\tIs it running?"), UnavailableError),
        (psycopg.OperationalError("connection failed: server closed the connection unexpectedly"), UnavailableError),
        (psycopg.OperationalError("FATAL:  the database system is starting up"), UnavailableError),
        (psycopg.OperationalError("the connection is closed"), UnavailableError),
        (psycopg.InterfaceError(), UnavailableError),
        (errors.AdminShutdown("terminating connection"), UnavailableError),
        (errors.TooManyConnections("sorry"), UnavailableError),
        (errors.DeadlockDetected("deadlock"), UnavailableError),
        (errors.SerializationFailure("could not serialize"), UnavailableError),
        (errors.QueryCanceled("statement timeout"), UnavailableError),
        (errors.DiskFull("no space left"), UnavailableError),
        (errors.ReadOnlySqlTransaction("cannot execute INSERT"), UnavailableError),
        (psycopg.OperationalError('FATAL:  password authentication failed for user "u"'), InputError),
        (psycopg.OperationalError('FATAL:  database "x" does not exist'), InputError),
        (psycopg.OperationalError("server does not support SSL, but SSL was required"), InputError),
        (psycopg.OperationalError("SSL error: certificate verify failed"), InputError),
        (psycopg.ProgrammingError('missing "=" after "x" in connection info string'), InputError),
        (errors.InvalidPassword("password authentication failed"), InputError),
        (errors.UndefinedTable('relation "x" does not exist'), InputError),
        (errors.InsufficientPrivilege("permission denied for table x"), InputError),
        (errors.UniqueViolation("duplicate key"), InputError),
    ],
)
def test_errors_of_postgresql(error: psycopg.Error, kind: type[GroundworkError]) -> None:
    assert type(told(error, psycopg.Error)) is kind


@pytest.mark.parametrize(
    ("number", "words", "kind"),
    [
        (2003, "Can't connect to MySQL server on 'x' ([Errno 111] Connection refused)", UnavailableError),
        (2013, "Lost connection to MySQL server during query", UnavailableError),
        (0, "", UnavailableError),  # of a connection that was closed
        (1040, "Too many connections", UnavailableError),
        (1053, "Server shutdown in progress", UnavailableError),
        (1205, "Lock wait timeout exceeded", UnavailableError),
        (1213, "Deadlock found", UnavailableError),
        (1290, "The MySQL server is running with the --read-only option", UnavailableError),
        (2003, "Can't connect to MySQL server on 'x' ([SSL] certificate verify failed: expired)", InputError),
        (1045, "Access denied for user 'u'", InputError),
        (1049, "Unknown database 'x'", InputError),
        (1142, "INSERT command denied", InputError),
        (1064, "You have an error in your SQL syntax", InputError),
    ],
)
def test_errors_of_mysql_as_sqlalchemy_wraps_them(number: int, words: str, kind: type[GroundworkError]) -> None:
    def connect() -> object:
        raise pymysql.err.OperationalError(number, words)

    with pytest.raises(SQLAlchemyError) as wrapped:
        sqlalchemy.create_engine("mysql+pymysql://", creator=connect).connect()
    assert type(told(wrapped.value, SQLAlchemyError)) is kind


def test_what_sqlalchemy_finds_by_itself() -> None:
    assert type(told(sqlalchemy.exc.TimeoutError("QueuePool limit reached"), SQLAlchemyError)) is UnavailableError
    assert type(told(sqlalchemy.exc.ArgumentError("Could not parse the URL"), SQLAlchemyError)) is InputError


def test_errors_that_are_wrapped_twice() -> None:
    lost = sqlalchemy.exc.OperationalError("SELECT 1", {}, pymysql.err.OperationalError(2013, "Lost connection"))
    wrapped = StorageInternalError("An exception is raised during the commit.")
    wrapped.__cause__ = lost
    assert type(told(wrapped, (SQLAlchemyError, StorageInternalError))) is UnavailableError


def test_a_sqlite_file_that_another_process_holds_is_waited_for_and_one_that_cannot_be_opened_is_not(
    tmp_path: Path,
) -> None:
    file = tmp_path / "study.db"
    with sqlite3.connect(file, isolation_level=None) as first, sqlite3.connect(file, timeout=0) as second:
        first.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as locked:
            second.execute("CREATE TABLE t (x)")
        assert type(told(locked.value, sqlite3.Error)) is UnavailableError
        first.execute("ROLLBACK")
    for connection in (first, second):
        connection.close()
    with pytest.raises(sqlite3.OperationalError) as absent:
        sqlite3.connect(tmp_path / "absent" / "study.db")
    assert type(told(absent.value, sqlite3.Error)) is InputError
