"""MySQL and MariaDB for RDS: a real MariaDB server.

MySQL 8 cannot be installed without root, so use SQL that both accept with an instance of MySQL.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.errors import phrase
from localcloud.cloud import processes
from localcloud.cloud.certificates import issue
from localcloud.engines.database_server import LONGEST_SECONDS, DatabaseServer, Rows, Saved
from localcloud.engines.programs import environment, find
from localcloud.errors import LocalCloudError

#: What MySQL 8.4 has by default, where MariaDB differs.
AS_MYSQL = {
    "character_set_server": "utf8mb4",
    "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION",
}
#: What `AS_MYSQL` changes, as MariaDB has it by default, for an instance of MariaDB.
#: Source: https://mariadb.com/kb/en/sql-mode/.
OWN_DEFAULTS = {"sql_mode": "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"}
#: What the master user of RDS for MySQL may do: not everything.
PRIVILEGES = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, "
    "CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"
)


class Server(DatabaseServer):
    """A MariaDB server."""

    def _start(self, parameters: Mapping[str, str]) -> subprocess.Popen[bytes]:
        options = {
            "datadir": self.folder / "data",
            "tmpdir": self.folder,
            "pid_file": "mariadb.pid",
            "socket": "mariadb.sock",  # in the data folder: a path from the root may be too long for a socket
            "bind_address": "127.0.0.1",
            "port": self.port,
            "skip_name_resolve": "ON",
            "ssl_ca": self._certificate.authority,
            "ssl_cert": self._certificate.certificate,
            "ssl_key": self._certificate.key,
            "innodb_buffer_pool_size": "64M",
            **AS_MYSQL,
            # What MariaDB does not know of MySQL's parameters it notes in its log.
            **{f"loose_{name}": value for name, value in parameters.items()},
        }
        process, _ = processes.serve(
            [*_program(), *(f"--{name}={value}" for name, value in options.items())],
            log=self.folder / "mariadb.log",
            environment=_environment(),
            ready="ready for connections",
        )
        return process

    def ask(self, database: str, text: str, limit: int) -> Rows:
        """Ask one question, as `DatabaseServer.ask` says."""
        import pymysql

        try:
            with self._connect(database) as connection, connection.cursor() as cursor:
                cursor.execute("SET SESSION sql_select_limit = %s", (limit + 1,))
                cursor.execute("SET SESSION TRANSACTION READ ONLY")  # one that is read-only by itself lets DDL through
                cursor.execute(text)
                columns, rows = [column[0] for column in cursor.description or ()], cursor.fetchmany(limit + 1)
        except pymysql.MySQLError as error:
            raise LocalCloudError(f"MariaDB says: {error.args[-1]}") from error
        return Rows(columns, rows[:limit], more=len(rows) > limit)

    def _set_password(self, password: str) -> None:
        with self._connect("") as connection, connection.cursor() as cursor:
            cursor.execute("SET PASSWORD = PASSWORD(%s)", (password,))

    def _connect(self, database: str) -> Any:
        import pymysql

        return pymysql.connect(
            host="localhost",
            port=self.port,
            user=self._username,
            password=self._password,
            database=database or None,
            ssl={"ca": str(self.authority)},
            read_timeout=LONGEST_SECONDS,
        )


def start(
    folder: Path,
    *,
    authorities: Path | None = None,
    username: str,
    password: str,
    database: str,
    parameters: Mapping[str, str],
) -> Server:
    """Start a server with a master user and, if named, a database; wait until it serves, with and without TLS.

    Args:
        folder: Holds its data and log; a new one.
        authorities: The folder with the authority that issues its certificate, the cloud's; its own by default.
        username: The master user.
        password: The master user's password.
        database: The first database; none when empty.
        parameters: Of its parameter group, such as ``require_secure_transport``.

    Raises:
        LocalCloudError: MariaDB is not installed, or did not start.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    program = _program()
    shared = _shared_files(Path(program[0]))
    tables = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
    user = f"{_quoted(username)}@'%'"
    script = [
        "CREATE DATABASE mysql;",  # a statement ends with its line
        "USE mysql;",
        "SET @auth_root_socket=NULL;",
        *((shared / table).read_text() for table in tables),
        "DELETE FROM global_priv WHERE User = 'root';",  # it has no password
        "FLUSH PRIVILEGES;",
        f"CREATE USER {user} IDENTIFIED BY {_quoted(password)};",
        f"GRANT {PRIVILEGES} ON *.* TO {user} WITH GRANT OPTION;",
        *([f"CREATE DATABASE `{database.replace('`', '``')}` CHARACTER SET utf8mb4;"] if database else []),
    ]
    done = subprocess.run(
        [*program, "--bootstrap", f"--datadir={data}"],
        input="\n".join(script),
        env=_environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalCloudError(f"MariaDB cannot make its tables: {phrase(done.stderr.strip()[-500:])}.")
    server = Server(folder, issue(authorities or folder, folder), username, password)
    server.restart(parameters)
    return server


def restore(folder: Path, saved: Saved, *, authorities: Path | None = None, parameters: Mapping[str, str]) -> Server:
    """Start a server with data that another one has saved; wait until it serves.

    Args:
        folder: Holds its data and log; a new one.
        saved: The data, and who opens them.
        authorities: The folder with the authority that issues its certificate, the cloud's; its own by default.
        parameters: Of its parameter group.

    Raises:
        LocalCloudError: MariaDB is not installed, or did not start.
    """
    saved.copy(folder / "data")
    server = Server(folder, issue(authorities or folder, folder), saved.username, saved.password)
    server.restart(parameters)
    return server


def _environment() -> dict[str, str]:
    """MariaDB's environment: it has modes of its own for files and folders, whatever the process's mask is."""
    return environment() | {"UMASK": "0600", "UMASK_DIR": "0700"}


def _program() -> list[str]:
    """Return the program and how it is always called: without the machine's own settings, as whoever runs the cloud."""
    program = Path(find("mariadbd")).resolve()
    user = pwd.getpwuid(os.getuid()).pw_name
    return [str(program), "--no-defaults", f"--user={user}", f"--lc-messages-dir={_shared_files(program)}"]


def _shared_files(program: Path) -> Path:
    prefix = program.parent.parent
    folders = [prefix / "share" / name for name in ("mariadb", "mysql")]
    folder = next((candidate for candidate in folders if (candidate / "mysql_system_tables.sql").exists()), None)
    if not folder:
        raise LocalCloudError(f"MariaDB's system tables are neither in {folders[0]} nor in {folders[1]}.")
    return folder


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
