"""Every statement that the storefront sends is one of MySQL 8.4, although the server behind it here is MariaDB.

No MySQL server comes from a package registry. SQLAlchemy writes other statements for MySQL than for MariaDB, so each
that is sent here is written for MySQL 8.4 as well, and compared with what MySQL documents: functions, reserved words,
collations and the kinds of statements. The lists name what the storefront uses; whoever uses more looks it up.

Sources, all of https://dev.mysql.com/doc/refman/8.4/en/: built-in-function-reference.html, keywords.html,
charset-unicode-sets.html, sql-statements.html; and for what only MariaDB has, https://mariadb.com/docs/release-notes/
compatibility-and-differences/mariadb-vs-mysql-compatibility.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pymysql.connections import Connection
from pymysql.constants.COMMAND import COM_QUERY
from sqlalchemy import Engine, event
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.dialects.mysql.reserved_words import RESERVED_WORDS_MYSQL

from localcloud import LocalCloud
from workloads.storefront import application, migrations
from workloads.storefront.load import cards, load_database
from workloads.storefront.schema import Base

from .conftest import COMPANY, Shop, Visitor

#: The beginnings of statements that MySQL has.
STATEMENTS = re.compile(
    r"SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE( IF NOT EXISTS)? |DESCRIBE|SHOW (FULL )?TABLES|SET|BEGIN|"
    r"COMMIT|ROLLBACK|SAVEPOINT|RELEASE SAVEPOINT|START TRANSACTION",
    re.DOTALL,
)
#: The functions of MySQL that the storefront calls, some of them through SQLAlchemy and Alembic.
FUNCTIONS = {
    "cast", "coalesce", "concat", "count", "database", "get_lock", "greatest", "group_concat",
    "least", "lower", "max", "min", "now", "release_lock", "sum", "utc_timestamp", "version",
}  # fmt: skip
#: What may stand before a bracket without being a function.
BEFORE_BRACKETS = {
    "and", "as", "by", "char", "check", "datetime", "exists", "from", "in", "index", "integer", "into", "join", "key",
    "like", "not", "numeric", "on", "or", "references", "select", "set", "smallint", "then", "unique", "values",
    "varchar", "when", "where",
}  # fmt: skip
#: Words that MySQL 8.4 reserves and MySQL 8.0 does not.
NEWLY_RESERVED = {"manual", "parallel", "qualify", "tablesample"}
#: Words that SQLAlchemy quotes and MySQL has not reserved since 8.0.19.
NO_LONGER_RESERVED = {"member"}
#: What only MariaDB takes.
MARIADB_ONLY = re.compile(
    r"/\*M!|\bRETURNING\b|\bOR REPLACE TABLE\b|\bSEQUENCE\b|\bPERSISTENT\b|\bSYSTEM VERSIONING\b|"
    r"\bFOR (SYSTEM|PORTION)\b|\bROWS EXAMINED\b|\bFETCH (FIRST|NEXT)\b|\bUCA1400\w*|\bINET[46]\b|\bWAIT \d|"
    r"\bSET STATEMENT\b|\bEXECUTE IMMEDIATE\b|\bBEGIN NOT ATOMIC\b|\bALTER TABLE\b.*\bIF (NOT )?EXISTS\b|"
    r"\bCREATE (UNIQUE )?INDEX IF NOT EXISTS\b",
    re.IGNORECASE | re.DOTALL,
)
COLLATIONS = {"utf8mb4", "utf8mb4_unicode_520_ci", "utf8mb4_bin", "utf8mb4_0900_ai_ci", "binary"}


def for_mysql() -> MySQLDialect_pymysql:
    """SQLAlchemy's dialect as it is when it has found MySQL 8.4 behind a connection."""
    dialect = MySQLDialect_pymysql()
    dialect.server_version_info = (8, 4, 10)
    dialect._requires_alias_for_on_duplicate_key = True
    return dialect


@pytest.fixture(scope="module")
def sent() -> Iterator[list[str]]:
    """The statements that this process would send to MySQL while the module's tests run."""
    statements: list[str] = []
    original, dialect = Connection._execute_command, for_mysql()

    def compiled(_: object, statement: Any, many: Any, one: Any, _options: Any) -> None:
        if isinstance(statement, str):
            statements.append(statement)
            return
        values = next(iter(many), None) or one
        columns = [*values] if isinstance(values, dict) else None
        statements.append(str(statement.compile(dialect=dialect, **({"column_keys": columns} if columns else {}))))

    def execute(self: Connection[Any], command: int, sql: bytes | str) -> None:
        text = sql if isinstance(sql, str) else sql.decode(errors="replace")
        if command == COM_QUERY and not re.match("SELECT|INSERT|UPDATE|DELETE|CREATE|DESCRIBE|SHOW", text):
            statements.append(text)
        original(self, command, sql)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "_execute_command", execute)  # all statements go through it
        event.listen(Engine, "before_execute", compiled)
        yield statements
        event.remove(Engine, "before_execute", compiled)


@pytest.fixture(scope="module")
def statements(sent: list[str], empty_shop: Shop, cloud: LocalCloud) -> list[str]:
    """Every statement of a storefront that is set up, filled, visited, rented from and returned to, without values."""
    assert cloud.running
    migrations.upgrade(empty_shop.engine)
    migrations.upgrade(empty_shop.engine)
    load_database(empty_shop.engine, COMPANY, lambda *_: None)
    load_database(empty_shop.engine, COMPANY, lambda *_: None, replace=True)
    assert cards(empty_shop.engine, 3)
    app = application.create_app(empty_shop.settings)
    app.testing = False
    visitor = Visitor(app)
    copy, member = empty_shop.free_copy(), empty_shop.member()
    for page in ("/", "/?search=a&category=1&page=2", f"/films/{copy.film_id}"):
        assert visitor.get(page).status_code in {200, 404}
    visitor.get("/readyz")
    visitor.sign_in(member)
    film = f"/films/{copy.film_id}"
    assert visitor.post(f"{film}/rentals", {"store": str(copy.store_id)}, film).status_code == 303
    rental = re.search(r"/rentals/(\d+)/return", visitor.get("/rentals").text)
    assert rental
    assert visitor.post(f"/rentals/{rental[1]}/return", {}, "/rentals").status_code == 303
    assert "rentals" in visitor.get("/rentals").request.path
    return sorted({without_values(statement) for statement in sent})


def without_values(statement: str) -> str:
    """A statement whose literals are empty, with one row of values."""
    shortened = re.sub(r"'(?:[^'\\]|\\.|'')*'", "''", statement)
    return re.sub(r"(VALUES\s*\((?:[^()]|\([^()]*\))*\))(\s*,\s*\((?:[^()]|\([^()]*\))*\))+", r"\1", shortened).strip()


def test_the_storefront_was_used_in_every_way(statements: list[str]) -> None:
    kinds = {statement.split()[0].upper() for statement in statements}
    assert kinds >= {"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "SET", "COMMIT"}


def test_every_statement_is_of_a_kind_that_mysql_has(statements: list[str]) -> None:
    assert [statement for statement in statements if not STATEMENTS.match(statement)] == []
    assert [statement for statement in statements if MARIADB_ONLY.search(statement)] == []


def test_every_function_is_one_of_mysql(statements: list[str]) -> None:
    called = {
        word.lower() for statement in statements for word in re.findall(r"(?<!`)\b([A-Za-z_]\w*)\s*\(", statement)
    }
    tables = {
        name
        for statement in statements
        for name in re.findall(r"(?:TABLE|INTO|EXISTS|REFERENCES) `?(\w+)`? \(", statement)
    }
    assert called - FUNCTIONS - BEFORE_BRACKETS - {name.lower() for name in tables} == set()


def test_no_name_is_a_reserved_word_of_mysql(statements: list[str]) -> None:
    tables = Base.metadata.tables
    names = {*tables, *(column.name for table in tables.values() for column in table.columns)}
    names |= {alias for statement in statements for alias in re.findall(r" AS (\w+)\b(?!\()", statement)} - {"new"}
    assert {"film", "rental", "returned_at", "member"} <= names
    words = RESERVED_WORDS_MYSQL - NO_LONGER_RESERVED | NEWLY_RESERVED
    reserved = {name for name in names if name.lower() in words}
    bare = re.compile(rf"(?<![`\w])(?:{'|'.join(sorted(reserved)) or '$^'})(?![`\w])")
    assert [statement for statement in statements if bare.search(statement)] == []


def test_every_collation_is_one_of_mysql(statements: list[str]) -> None:
    named = {
        name.lower()
        for statement in statements
        for name in re.findall(r"(?:COLLATE|CHARSET|CHARACTER SET|NAMES)[ =]+'?(\w+)", statement, re.IGNORECASE)
    }
    assert named <= COLLATIONS


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO film (title) VALUES ('') RETURNING film_id",
        "CREATE OR REPLACE TABLE film (film_id INTEGER)",
        "SELECT title FROM film LIMIT 1 ROWS EXAMINED 10",
        "SELECT NEXT VALUE FOR film_ids FROM SEQUENCE film_ids",
        "ALTER TABLE film ADD COLUMN IF NOT EXISTS year INTEGER",
    ],
)
def test_what_only_mariadb_takes_would_be_found(statement: str) -> None:
    assert MARIADB_ONLY.search(statement)
