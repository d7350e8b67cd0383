"""PostgreSQL behind RDS: TLS, its parameter group, the master user's rights, restarts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from localcloud.cloud import outside
from localcloud.engines import postgresql
from localcloud.engines.postgresql import Server
from localcloud.errors import LocalCloudError

ACCESS = {"username": "boss'\"s", "password": 'it\'s \\ "secret"'}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("postgresql")
    made = postgresql.start(folder, **ACCESS, database="rental", parameters={"rds.force_ssl": "1", "work_mem": "8MB"})
    yield made
    made.stop()


def connect(server: Server, **options: Any) -> psycopg.Connection[Any]:
    defaults = {"host": "localhost", "port": server.port, "dbname": "rental", "sslmode": "verify-full"}
    access = {"user": ACCESS["username"], "password": ACCESS["password"], "sslrootcert": str(server.authority)}
    return psycopg.connect(**{**defaults, **access, **options})


def test_the_master_user_owns_the_database_and_is_no_superuser(server: Server) -> None:
    with connect(server) as connection:
        version, memory = connection.execute(
            "SELECT current_setting('server_version'), current_setting('work_mem')"
        ).fetchone()  # type: ignore[misc]
        rights = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        connection.execute("CREATE TABLE films (title text)")
    assert version.startswith("18.")
    assert memory == "8MB"
    assert rights == (False, True, True)


def test_the_data_lie_in_a_private_folder_whoever_runs_the_server(server: Server) -> None:
    assert (server.folder / "data" / "PG_VERSION").read_text() == "18\n"
    assert server.folder.parent.stat().st_mode & 0o077 == 0  # pytest's, which root's stand-in cannot enter
    assert (server.folder / "data").stat().st_mode & 0o777 == 0o700


def test_programs_below_a_private_folder_run_from_a_copy_that_goes_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(outside, "open_to_all", lambda _folder: False)
    mask = os.umask(0o077)  # as in the local cloud
    request.addfinalizer(lambda: os.umask(mask))
    made = postgresql.start(tmp_path / "new", **ACCESS, database="rental", parameters={})
    programs = made._packages
    assert (programs != postgresql.PACKAGES) == (os.getuid() == 0)  # nobody else needs a copy
    with connect(made) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    made.remove()
    assert not made.folder.exists()
    assert programs.exists() == (programs == postgresql.PACKAGES)


def test_a_copy_of_the_programs_is_whole(tmp_path: Path) -> None:
    postgresql._copy_programs(tmp_path)
    for name in ("initdb", "postgres"):
        program = tmp_path / postgresql.PROGRAMS / "bin" / name
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        assert done.stdout.startswith(f"{name} (PostgreSQL) 18."), done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"sslmode": "disable"}, "no encryption"),
        ({"password": "wrong"}, "password authentication failed"),
        ({"sslrootcert": __file__}, "certificate"),
        ({"dbname": "nowhere"}, "does not exist"),
    ],
)
def test_who_comes_otherwise_is_turned_away(server: Server, options: dict[str, str], reason: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=reason):
        connect(server, **options)


def test_a_million_bytes_go_through_unchanged(server: Server) -> None:
    data = bytes(range(256)) * 4096
    with connect(server) as connection:
        found = connection.execute("SELECT %s::bytea", [data]).fetchone()
    assert found == (data,)


def test_data_outlive_a_restart_which_ends_sessions_and_takes_new_parameters(server: Server) -> None:
    with connect(server) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    open_session = connect(server)
    another = {"password": "another"}
    server.change_password(**another)
    server.restart({"rds.force_ssl": "0"})
    with pytest.raises(psycopg.OperationalError):
        open_session.execute("SELECT 1")
    with connect(server, **another, sslmode="disable") as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
    server.change_password(ACCESS["password"])


def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"postgresql did not start: .*no_such_parameter"):
        postgresql.start(tmp_path / "new", **ACCESS, database="", parameters={"no_such_parameter": "1"})


def test_a_question_is_answered_with_some_rows_and_cannot_write(server: Server) -> None:
    answer = server.ask("rental", "SELECT number, '50%' AS share FROM generate_series(1, 5) AS number", 3)
    assert (answer.columns, answer.rows, answer.more) == (
        ["number", "share"],
        [(1, "50%"), (2, "50%"), (3, "50%")],
        True,
    )
    assert server.ask("", "SELECT 1 AS one WHERE false", 3).columns == ["one"]
    for writes in ("CREATE TABLE asked (id int)", "SELECT 1; CREATE TABLE asked (id int)"):
        with pytest.raises(LocalCloudError, match="PostgreSQL says"):
            server.ask("rental", writes, 3)
