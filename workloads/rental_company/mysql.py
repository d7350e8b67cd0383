"""Reads Sakila from a MySQL or MariaDB server, in one transaction."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
from pymysql.cursors import SSCursor

from contract.errors import InputError
from workloads.databases import asking_database
from workloads.rental_company.tables import TABLES, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from workloads.rental_company.tables import Kind, Row

SCHEMES = ("mysql", "mariadb")
_OPTIONAL = {"last_update", "activebool", "original_language_id"}
_CONNECT_SECONDS = 10


class MySQLCompany:
    """The company of a database of the shape of Sakila, as it is when this is made.

    Times without a zone are in UTC.

    Args:
        url: `mysql://user:password@host:port/database`; with `?ssl_ca=FILE`, the server must prove who it is.

    Raises:
        InputError: The address is not one of a database, or the database refuses, or lacks a table or a column.
        UnavailableError: The database cannot be reached.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        name = address.path.removeprefix("/")
        if address.scheme not in SCHEMES or not address.hostname or not name:
            raise InputError(
                f"{_shown(url)}: This is not the address of a database. Write it as mysql://user@host:port/database."
            )
        self.origin = _shown(url)
        authority = parse_qs(address.query).get("ssl_ca", [None])[0]
        with self._asking(), contextlib.ExitStack() as undo:
            self._connection = pymysql.connect(
                host=address.hostname,
                port=address.port or 3306,
                user=unquote(address.username or ""),
                password=unquote(address.password or ""),
                database=unquote(name),
                charset="utf8mb4",
                connect_timeout=_CONNECT_SECONDS,
                init_command="SET time_zone = '+00:00'",
                cursorclass=SSCursor,  # memory does not grow with a table
                **({"ssl_ca": authority, "ssl_verify_cert": True, "ssl_verify_identity": True} if authority else {}),
            )
            undo.callback(self._connection.close)
            self._ask("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self._ask("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            self._columns = self._read_columns()
            undo.pop_all()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of one of `TABLES`, in order of its key. One table is read at a time.

        Raises:
            InputError: A value is not of its type, such as the time 0000-00-00; the message names the row.
            UnavailableError: The database cannot be reached any more.
        """
        kinds = {name: kind for name, kind in TABLES[table].items() if name in self._columns[table]}
        key = key_of(table)
        names = ", ".join(f"`{name}`" for name in kinds)
        order = ", ".join(f"`{name}`" for name in key)
        absent = dict.fromkeys(name for name in TABLES[table] if name not in kinds)
        with self._asking(), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM `{table}` ORDER BY {order}")  # noqa: S608 - names of ours
            for cells in cursor:
                cell_of_column = dict(zip(kinds, cells, strict=True))
                row: Row = {**absent}
                for name, kind in kinds.items():
                    try:
                        cell = cell_of_column[name]
                        row[name] = None if cell is None else _CONVERTERS[kind](cell)
                    except ValueError as error:
                        number = ", ".join(str(cell_of_column[column]) for column in key)
                        raise InputError(
                            f"{self.origin}, {table} {number}: The {name} is {cell!r}, which is not of type {kind}. "
                            "Correct the row, or set it to NULL where it is not known."
                        ) from error
                yield row

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        with self._asking():
            [(rows,)] = self._ask(f"SELECT count(*) FROM `{table}`")  # noqa: S608 - a name of ours
        return int(rows)

    def _asking(self) -> contextlib.AbstractContextManager[None]:
        return asking_database(self.origin, pymysql.Error, service="MySQL", trust="ssl_ca in the address")

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def _read_columns(self) -> dict[str, set[str]]:
        columns: dict[str, set[str]] = {}
        listed = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = database()"
        for table, column in self._ask(listed):
            columns.setdefault(table, set()).add(column)
        if missing := [table for table in TABLES if table not in columns]:
            raise InputError(
                f"{self.origin}: This is not a film rental company's database: it has no table {', '.join(missing)}."
            )
        for table, kinds in TABLES.items():
            if lacking := kinds.keys() - columns[table] - _OPTIONAL:
                raise InputError(f"{self.origin}: The table {table} has no column {', '.join(sorted(lacking))}.")
        return columns


def _shown(url: str) -> str:
    """Return an address without the password and the parameters."""
    address = urlsplit(url)
    user = f"{address.username}@" if address.username else ""
    place = address.netloc.rpartition("@")[2]
    return f"{address.scheme}://{user}{place}{address.path}"


def _text(cell: Any) -> str:
    return cell.decode() if isinstance(cell, bytes) else str(cell)


def _texts(cell: Any) -> list[str]:
    return _text(cell).split(",") if cell else []  # a SET


def _boolean(cell: Any) -> bool:
    return any(cell) if isinstance(cell, bytes) else bool(int(cell))  # BIT or TINYINT


def _date(cell: Any) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    return cell if isinstance(cell, date) else date.fromisoformat(_text(cell))


def _time(cell: Any) -> datetime:
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=UTC)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
    moment = datetime.fromisoformat(_text(cell))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_CONVERTERS: Mapping[Kind, Callable[[Any], Any]] = {
    "integer": int,
    "text": _text,
    "numeric": lambda cell: Decimal(str(cell)),
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "texts": _texts,
}
