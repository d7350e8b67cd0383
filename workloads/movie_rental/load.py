"""Puts a film rental company's data into a PostgreSQL database: the old database of demonstrations and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from psycopg import sql

from contract.errors import InputError
from workloads.movie_rental import database
from workloads.rental_company.tables import TABLES, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from workloads.rental_company import RentalCompany

_TYPES = {
    "integer": "integer",
    "text": "text",
    "numeric": "numeric(5, 2)",
    "boolean": "boolean",
    "date": "date",
    "time": "timestamptz",
    "texts": "text[]",
}


def create_database(url: str, name: str) -> str:
    """Return the URL of a database of that name on a server, made if it is not there.

    Raises:
        InputError: The server refuses.
        UnavailableError: The server cannot be reached.
    """
    with database.asking(url), database.connect(url) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return on_server(url, name)


def on_server(url: str, name: str) -> str:
    """Return the URL of another database on the server of one."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def load(
    company: RentalCompany, url: str, *, replace: bool = False, progress: Callable[[str, int], None] = lambda *_: None
) -> dict[str, int]:
    """Load a company in one transaction. Return the number of rows of each table.

    Args:
        company: The data.
        url: An empty database.
        replace: Drop the tables that are there.
        progress: Told the table and how many rows of it are in.

    Raises:
        InputError: The database has such tables already, or the data cannot be read.
        UnavailableError: The database cannot be reached.
    """
    rows: dict[str, int] = {}
    with database.asking(url), database.connect(url) as connection, connection.transaction():
        if replace:
            for table in TABLES:
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(table)))
        statement = "SELECT t FROM unnest(%s::text[]) t WHERE to_regclass(t) IS NOT NULL"
        if existing := [name for (name,) in connection.execute(statement, [[*TABLES]])]:
            raise InputError(
                f"{database.shown(url)}: The database has a table {existing[0]} already. Choose an empty database, or "
                "replace its tables with --replace."
            )
        for table, columns in TABLES.items():
            defined = [sql.SQL(f"{{}} {_TYPES[kind]}").format(sql.Identifier(name)) for name, kind in columns.items()]
            defined.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, key_of(table)))))
            connection.execute(
                sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(table), sql.SQL(", ").join(defined))
            )
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            copied = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            rows[table] = 0
            with connection.cursor() as cursor, cursor.copy(copied) as copy:
                for row in company.rows(table):
                    copy.write_row([row[name] for name in columns])
                    rows[table] += 1
                    if rows[table] % 1000 == 0:
                        progress(table, rows[table])
            progress(table, rows[table])
        connection.execute("ANALYZE")
    return rows
