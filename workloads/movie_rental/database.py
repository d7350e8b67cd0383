"""PostgreSQL: connections, and the schema's versions."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg

from workloads.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

Connection = psycopg.Connection[tuple[Any, ...]]

SCHEMA = Path(__file__).parent / "schema"
_LOCK = 5_318_008_001  # of this workload's schema; any number that nobody else takes
_SECRET = re.compile(r"(//[^:/@]*):[^@/]*@")


def shown(url: str) -> str:
    """A database's URL without its password, and how it is connected to."""
    return _SECRET.sub(r"\1@", url).partition("?")[0]


@contextmanager
def explained(url: str) -> Iterator[None]:
    """What goes wrong with a database, as one line for people."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        reason = (str(error).strip().splitlines() or ["the connection is gone"])[0]
        raise InputError(f"{shown(url)}: PostgreSQL cannot be reached: {reason}") from error
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{shown(url)}: PostgreSQL refused: {reason}") from error


def connect(url: str) -> Connection:
    """A connection in which every statement is a transaction, unless a block makes them one; times are in UTC.

    Raises:
        InputError: The database cannot be reached, or the address is none.
    """
    if urlsplit(url).scheme not in {"postgresql", "postgres"}:
        raise InputError(f"{shown(url)}: expected postgresql://user@host:port/database")
    with explained(url):
        return psycopg.connect(
            url, autocommit=True, connect_timeout=10, application_name="movie-rental", options="-c timezone=UTC"
        )


def upgrade(connection: Connection) -> list[str]:
    """Bring the schema up to date; the names of the versions that were added. Safe to run twice at once."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute("CREATE TABLE IF NOT EXISTS schema_versions (name text PRIMARY KEY)")
        there = {name for (name,) in connection.execute("SELECT name FROM schema_versions")}
        added = [path for path in sorted(SCHEMA.glob("*.sql")) if path.stem not in there]
        for path in added:
            connection.execute(path.read_bytes())
            connection.execute("INSERT INTO schema_versions VALUES (%s)", [path.stem])
    return [path.stem for path in added]
