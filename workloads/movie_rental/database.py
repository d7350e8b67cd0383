"""PostgreSQL: connections, and the schema's versions."""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from contract.errors import InputError
from workloads.databases import asking_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

Connection = psycopg.Connection[tuple[Any, ...]]

SCHEMA = Path(__file__).parent / "schema"
_LOCK = 5_318_008_001  # of this workload's schema; any number that nobody else takes
_PLAN = 5_318_008_002  # of whoever begins or joins a migration
_WRITTEN = 5_318_008_100  # and following, one for each partition: of those who write: see `lock`
_HELD = 5_318_008_200  # and following: of the process that moves a partition

MOST_PARTITIONS = 16
SHARED = -1
"""The partition of a migration with what belongs to no film; the others are numbered from 0."""

_NUMBERS = [SHARED, MOST_PARTITIONS - 1]
#: Both sides notice within two minutes that the other's machine is gone. Otherwise a command would wait for hours for a
#: server that has failed over, and a server would keep the locks of a client that is no more.
_KEEPALIVES = {"idle": 60, "interval": 10, "count": 6}  # seconds, seconds, probes
_SECRET = re.compile(r"(//[^:/@]*):[^@/]*@")


def shown(url: str) -> str:
    """Return a database's URL without its password and its parameters."""
    return _SECRET.sub(r"\1@", url).partition("?")[0]


def asking(url: str) -> AbstractContextManager[None]:
    """Turn the errors of the requests inside into ours.

    Raises:
        InputError: The database refuses the connection or a statement.
        UnavailableError: The database cannot be reached, or cannot do it now.
    """
    return asking_database(shown(url), psycopg.Error, service="PostgreSQL", trust="PGSSLROOTCERT")


def connect(url: str) -> Connection:
    """Connect: every statement is a transaction, unless a block makes them one; times are in UTC.

    Raises:
        InputError: The address is not one of a database, or the database refuses the connection.
        UnavailableError: The database cannot be reached.
    """
    if urlsplit(url).scheme not in {"postgresql", "postgres"}:
        raise InputError(
            f"{shown(url)}: This is not the address of a database. Write it as postgresql://user@host:port/database."
        )
    of_client: dict[str, Any] = {f"keepalives_{name}": value for name, value in _KEEPALIVES.items()}
    of_server = " ".join(f"-c tcp_keepalives_{name}={value}" for name, value in _KEEPALIVES.items())
    with asking(url):
        return psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=10,
            application_name="movie-rental",
            options=f"-c timezone=UTC {of_server}",
            **of_client,
        )


def upgrade(connection: Connection) -> list[str]:
    """Bring the schema up to date. Return the versions that were added. Two processes may run it at the same time."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute("CREATE TABLE IF NOT EXISTS schema_versions (name text PRIMARY KEY)")
        installed = {name for (name,) in connection.execute("SELECT name FROM schema_versions")}
        added = [path for path in sorted(SCHEMA.glob("*.sql")) if path.stem not in installed]
        for path in added:
            connection.execute(path.read_bytes())
            connection.execute("INSERT INTO schema_versions VALUES (%s)", [path.stem])
    return [path.stem for path in added]


@contextmanager
def sharing_lock(connection: Connection) -> Iterator[None]:
    """Share the locks of `lock` over several transactions: nothing inside happens during a round of a migration."""
    _advise(connection, "pg_advisory_lock_shared")
    try:
        yield
    finally:
        if not connection.closed:
            _advise(connection, "pg_advisory_unlock_shared")


def lock(connection: Connection, *, exclusive: bool = False) -> None:
    """Take the locks that every writer takes, one for each partition of a migration, until the transaction ends.

    Those who rent, return, add and change share them, and so does each batch of a rebuild. An erasure takes them
    exclusively, and each round of a migration that of its partition, so that none of these works with what it read
    before another.

    Args:
        connection: With a transaction that has read nothing yet.
        exclusive: Whether nobody else may hold them.
    """
    _advise(connection, "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared")


def _advise(connection: Connection, function: str) -> None:
    """Call a function with the lock of each partition, in an order that is always the same."""
    asked = sql.SQL("SELECT {}(%s + number) FROM generate_series(%s::integer, %s) AS number").format(
        sql.Identifier(function)
    )
    connection.execute(asked, [_WRITTEN, *_NUMBERS])


def lock_partition(connection: Connection, number: int) -> None:
    """Take the lock of one partition until the transaction ends: that of a round of its migration."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITTEN + number])


def lock_plan(connection: Connection) -> None:
    """Let nobody else begin or join a migration until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_PLAN])


def hold(connection: Connection, number: int, *, patience: str) -> None:
    """Be the process that moves a partition, until `release` or the end of the connection.

    Args:
        connection: Without a transaction.
        number: Which partition.
        patience: How long to wait for another process, such as `150s`; `0`: as long as it takes.

    Raises:
        LockNotAvailable: Another process holds it for longer.
    """
    connection.execute("SELECT set_config('lock_timeout', %s, false)", [patience])
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", [_HELD + number])
    finally:
        with suppress(psycopg.OperationalError):
            connection.execute("SET lock_timeout = 0")


def release(connection: Connection, number: int) -> None:
    """Let other processes move a partition; a connection that is lost has done so."""
    with suppress(psycopg.OperationalError):
        connection.execute("SELECT pg_advisory_unlock(%s)", [_HELD + number])


def no_partition_held(connection: Connection) -> bool:
    """Return whether no process moves a partition; then none begins to until the transaction ends."""
    asked = "SELECT bool_and(pg_try_advisory_xact_lock(%s + number)) FROM generate_series(%s::integer, %s) AS number"
    [(free,)] = connection.execute(asked, [_HELD, *_NUMBERS])
    return bool(free)
