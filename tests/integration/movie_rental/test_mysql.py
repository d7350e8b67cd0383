"""Sakila of a MySQL server is copied into PostgreSQL as it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import pytest

from contract.errors import InputError, UnavailableError
from localcloud.engines import mariadb
from tests.integration.movie_rental.conftest import Servers
from workloads.movie_rental import database
from workloads.movie_rental.commands import _open_source
from workloads.movie_rental.load import create_database, load
from workloads.movie_rental.migrate import migrate
from workloads.movie_rental.source import Source
from workloads.movie_rental.verify import verify
from workloads.rental_company.generated import GeneratedCompany
from workloads.rental_company.mysql import MySQLCompany
from workloads.rental_company.tables import TABLES

PASSWORD = "p@ss: word/%"  # noqa: S105 - of a test
TYPES = {
    "integer": "INT",
    "text": "TEXT",
    "numeric": "DECIMAL(5,2)",
    "boolean": "TINYINT(1)",
    "date": "DATETIME",
    "time": "DATETIME",
    "texts": "SET('Trailers','Commentaries','Deleted Scenes','Behind the Scenes')",
}
OF_MYSQL = {("film", "release_year"): "YEAR", ("rental", "last_update"): "TIMESTAMP"}
ABSENT = {("customer", "activebool")}


def shape(table: str) -> dict[str, str]:
    """The columns of a table as Sakila for MySQL has them, with their types."""
    return {
        name: OF_MYSQL.get((table, name), TYPES[kind])
        for name, kind in TABLES[table].items()
        if (table, name) not in ABSENT
    }


@pytest.fixture(scope="module")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, pymysql.Connection[Any]]]:
    """The address of a MariaDB server with a company's tables, and a connection to it."""
    folder = tmp_path_factory.mktemp("mysql") / "server"
    server = mariadb.start(folder, username="admin", password=PASSWORD, database="sakila", parameters={})
    connection = pymysql.connect(
        host="localhost", port=server.port, user="admin", password=PASSWORD, database="sakila", autocommit=True
    )
    company = GeneratedCompany(0.02)
    with connection.cursor() as cursor:
        for table in TABLES:
            columns = shape(table)
            cursor.execute(
                f"CREATE TABLE {table} ({', '.join(f'{name} {kind} NULL' for name, kind in columns.items())})"
            )
            values = ", ".join(["%s"] * len(columns))
            rows = [
                [",".join(row[name]) if isinstance(row[name], list) else row[name] for name in columns]
                for row in company.rows(table)
            ]
            cursor.executemany(f"INSERT INTO {table} VALUES ({values})", rows)  # noqa: S608
    yield f"mysql://admin:{quote(PASSWORD, safe='')}@localhost:{server.port}/sakila", connection
    connection.close()
    server.stop()


def copied(servers: Servers, address: str, name: str) -> str:
    url = create_database(servers.postgresql_url, name)
    with contextlib.closing(MySQLCompany(address)) as company:
        rows = load(company, url)
        assert rows == {table: company.count(table) for table in TABLES}
    return url


def test_a_copy_has_what_the_company_has(servers: Servers, mysql: tuple[str, Any]) -> None:
    address, _ = mysql
    copy = copied(servers, address, "from_mysql")
    original = create_database(servers.postgresql_url, "original")
    load(GeneratedCompany(0.02), original)
    with database.connect(copy) as ours, database.connect(original) as theirs:
        for table, kinds in TABLES.items():
            names = ", ".join(name for name in kinds if (table, name) not in ABSENT)
            query = f"SELECT {names} FROM {table} ORDER BY 1, 2"  # noqa: S608
            assert ours.execute(query.encode()).fetchall() == theirs.execute(query.encode()).fetchall(), table
    made = servers.new()
    with Source(copy) as source:
        migrate(source, made)
    with Source(copy) as source:
        assert [one.kind for one in verify(source, made) if not one.equal] == []


def test_a_time_that_does_not_exist_is_named(servers: Servers, mysql: tuple[str, Any]) -> None:
    address, connection = mysql
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        cursor.execute("SELECT return_date FROM rental WHERE rental_id = 8")
        [before] = cursor.fetchone()
        cursor.execute("UPDATE rental SET return_date = '0000-00-00 00:00:00' WHERE rental_id = 8")
        with pytest.raises(InputError, match=r"sakila, rental 8: The return_date is '0000-00-00 00:00:00'"):
            copied(servers, address, "zero_dates")
        cursor.execute("UPDATE rental SET return_date = %s WHERE rental_id = 8", [before])


@pytest.mark.parametrize(
    ("change", "back", "message"),
    [
        ("RENAME TABLE payment TO payments", "RENAME TABLE payments TO payment", "it has no table payment"),
        (
            "ALTER TABLE film RENAME COLUMN title TO name",
            "ALTER TABLE film RENAME COLUMN name TO title",
            "The table film has no column title",
        ),
    ],
)
def test_what_is_missing_is_named(mysql: tuple[str, Any], change: str, back: str, message: str) -> None:
    address, connection = mysql
    with connection.cursor() as cursor:
        cursor.execute(change)
        with pytest.raises(InputError, match=message):
            MySQLCompany(address)
        cursor.execute(back)


def test_an_address_that_leads_nowhere_is_told_without_its_password(mysql: tuple[str, Any]) -> None:
    address, _ = mysql
    for wrong, error in (
        (address.replace("/sakila", ""), InputError),
        (address.replace("/sakila", "/nowhere"), InputError),
        (address.replace(quote(PASSWORD, safe=""), "wrong-secret"), InputError),
        ("mysql://admin:wrong-secret@localhost:9/sakila", UnavailableError),
    ):
        with pytest.raises(error) as caught:
            MySQLCompany(wrong)
        assert "secret" not in str(caught.value)
        assert quote(PASSWORD, safe="") not in str(caught.value)


@pytest.mark.parametrize("source", ["mysql://root:secret@localhost/sakila", "mariadb://localhost/sakila", "dump.sql"])
def test_a_source_of_mysql_is_refused_with_the_way(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dump.sql").touch()
    with pytest.raises(InputError, match=r"load-source --from mysql://\.\.\. --into postgresql:///sakila") as caught:
        _open_source(source, None)
    assert "secret" not in str(caught.value)


def test_amounts_stay_exact(mysql: tuple[str, Any]) -> None:
    address, _ = mysql
    with contextlib.closing(MySQLCompany(address)) as company:
        assert sum(row["amount"] for row in company.rows("payment")) == sum(
            (row["amount"] for row in GeneratedCompany(0.02).rows("payment")), Decimal()
        )
