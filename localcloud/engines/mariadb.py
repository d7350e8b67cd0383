"""MySQL for RDS: a real MariaDB server. No MySQL 8 is to be had without root, so keep to SQL that both accept."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path

from contract.errors import phrase
from localcloud.cloud import processes
from localcloud.cloud.certificates import issue
from localcloud.engines.database_server import DatabaseServer
from localcloud.engines.programs import environment, find
from localcloud.errors import LocalCloudError

#: What MySQL 8.4 has by default, where MariaDB differs.
AS_MYSQL = {
    "character_set_server": "utf8mb4",
    "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION",
}
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

    def _set_password(self, password: str) -> None:
        import pymysql

        tls = {"ca": str(self.authority)}
        connection = pymysql.connect(
            host="localhost", port=self.port, user=self._username, password=self._password, ssl=tls
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SET PASSWORD = PASSWORD(%s)", (password,))


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


def _environment() -> dict[str, str]:
    """MariaDB's environment: it has modes of its own for files and folders, whatever the process's mask is."""
    return environment() | {"UMASK": "0600", "UMASK_DIR": "0700"}


def _program() -> list[str]:
    """The program and how it is always called: without the machine's own settings, as whoever runs the cloud."""
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
