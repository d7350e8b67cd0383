"""Connections to MySQL: always TLS, checked before use, never waited for long, to where the secret says now."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pymysql
from sqlalchemy import create_engine, event, exc

from contract.errors import InputError, UnavailableError
from workloads.databases import NO_SUCH_TABLE
from workloads.secrets import PENDING
from workloads.storefront.secrets import DatabaseAccess

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sqlalchemy import Engine, ExceptionContext
    from sqlalchemy.orm import Session, sessionmaker

    from workloads.storefront.settings import Settings

    Result = TypeVar("Result")

CONNECT_SECONDS = 3
ANSWER_SECONDS = 5  # no page's question takes that long
LOCK_SECONDS = 3
_READ_ONLY = (1290, 1836)  # the server has become one that only reads: the writer has failed over to another one
_ACCESS_DENIED = 1045
_DUPLICATE, _LOCK_WAIT_TIMEOUT, _DEADLOCK = 1062, 1205, 1213
_CONFLICTS = (_DUPLICATE, _LOCK_WAIT_TIMEOUT, _DEADLOCK)
_FROM_THE_CLIENT = range(2000, 3000)  # errors of the connection, which PyMySQL itself words
_ATTEMPTS = 5


class _Connector:
    """Opens connections; reads the secret first, and again when that fails: password or server may have changed.

    A rotation gives the server the new password before the secret's current version has it. If the rotation is
    interrupted there, it stays so until Secrets Manager tries again, and only the pending version opens connections.
    """

    def __init__(self, settings: Settings, patience: int) -> None:
        self._settings = settings
        self._patience = patience
        self._access: DatabaseAccess | None = None
        self._lock = threading.Lock()

    def __call__(self) -> pymysql.Connection[Any]:
        access = self._read(None)
        try:
            return self._connect(access)
        except pymysql.err.OperationalError as error:
            changed = self._read(access)
            if changed == access and error.args[0] == _ACCESS_DENIED:
                changed = self._pending() or access
            if changed == access:
                raise
            return self._connect(changed)

    def leave_a_read_only_server(self, context: ExceptionContext) -> None:
        """Drop all connections after an error that says that the server only reads, and read the secret again."""
        error = context.sqlalchemy_exception
        if isinstance(error, exc.DBAPIError) and _number(error) in _READ_ONLY:
            context.is_disconnect = True
            with self._lock:
                self._access = None

    def _read(self, refused: DatabaseAccess | None) -> DatabaseAccess:
        """Return the access that is known, unless it is the refused one."""
        with self._lock:
            if self._access is None or self._access == refused:
                self._access = DatabaseAccess.read(self._settings.database_secret)
            return self._access

    def _pending(self) -> DatabaseAccess | None:
        """Return the access that a rotation is bringing into use, if there is one."""
        with suppress(InputError, UnavailableError):
            return DatabaseAccess.read(self._settings.database_secret, PENDING)
        return None

    def _connect(self, access: DatabaseAccess) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host=access.host,
            port=access.port,
            user=access.username,
            password=access.password,
            database=access.name,
            charset="utf8mb4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=self._patience,
            write_timeout=self._patience,
            init_command=f"SET time_zone = '+00:00', innodb_lock_wait_timeout = {LOCK_SECONDS}",
            ssl_ca=self._settings.database_ca,
            ssl_verify_cert=True,
            ssl_verify_identity=True,
        )


def connect(settings: Settings, connections: int = 8, patience: int | None = None) -> Engine:
    """Return the engine of the settings' database. Nothing is connected yet.

    Args:
        settings: Which database.
        connections: How many are kept; whoever wants one more waits 3 seconds for it.
        patience: Seconds to wait for an answer (default: what a page can wait).
    """
    connector = _Connector(settings, patience or ANSWER_SECONDS)
    engine = create_engine(
        "mysql+pymysql://",
        creator=connector,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        pool_recycle=1800,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
    )
    event.listen(engine, "handle_error", connector.leave_a_read_only_server)
    return engine


def transact(sessions: sessionmaker[Session], work: Callable[[Session], Result]) -> Result:
    """Return what `work` returns, in a transaction of its own; again if it collided with another transaction.

    Raises:
        UnavailableError: It collided every time.
        DBAPIError: The database is away, or something is wrong.
    """
    for _ in range(_ATTEMPTS):
        try:
            with sessions.begin() as session:
                return work(session)
        except exc.DBAPIError as error:
            if _number(error) not in _CONFLICTS:
                raise
    raise UnavailableError(f"The transaction collided with others {_ATTEMPTS} times.")


def is_away(error: exc.SQLAlchemyError) -> bool:
    """Return whether the database is away, overloaded or empty, rather than the statement wrong."""
    if isinstance(error, exc.DBAPIError) and (error.connection_invalidated or _number(error) == NO_SUCH_TABLE):
        return True
    return isinstance(error, exc.OperationalError | exc.InterfaceError | exc.TimeoutError)


def reason(error: Exception) -> str:
    """Say in a line why something is away, without the values of a statement, which a server's message may quote."""
    if isinstance(error, exc.DBAPIError) and _number(error) not in _FROM_THE_CLIENT:
        return f"the database answered with error {_number(error)} ({type(error.orig).__name__})"
    return str(error).split("\n")[0]


def _number(error: exc.DBAPIError) -> object:
    return error.orig.args[0] if error.orig and error.orig.args else None
