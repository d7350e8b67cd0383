"""PostgreSQL: connections, and the schema's versions."""

from __future__ import annotations

import re
from contextlib import contextmanager
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
_WRITERS = 5_318_008_002  # of those who write: see `lock`
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
    """Share the lock of `lock` over several transactions: nothing inside happens during a round of a migration."""
    connection.execute("SELECT pg_advisory_lock_shared(%s)", [_WRITERS])
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock_shared(%s)", [_WRITERS])


def lock(connection: Connection, *, exclusive: bool = False) -> None:
    """Take the lock that every writer takes, until the transaction ends.

    Those who rent, return, add and change share it, and so does each batch of a rebuild. An erasure and each round of a
    migration take it exclusively, so that neither works with what it read before the other.

    Args:
        connection: With a transaction that has read nothing yet.
        exclusive: Whether nobody else may hold it.
    """
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    connection.execute(sql.SQL("SELECT {}(%s)").format(sql.Identifier(function)), [_WRITERS])
