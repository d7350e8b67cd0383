"""A leash ends its command with everything that the command has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from localcloud.cloud import processes
from tests.processes import is_at_work

#: Two generations that leave their parents and their session, and ignore the signals that ask them to end.
FAMILY = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
for _ in range(2):
    if os.fork():
        break
    os.setsid()
else:
    os.closerange(0, 3)
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(600)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a shell script on a leash; `$FAMILY FILE` starts a daemon that writes its process id to the file."""
    (tmp_path / "family.py").write_text(FAMILY)
    environment = os.environ | {"FAMILY": f"{sys.executable} {tmp_path / 'family.py'}"}
    started = []

    def run(script: str, **options: float) -> subprocess.Popen[bytes]:
        command = ["sh", "-c", script]
        started.append(processes.start(command, folder=tmp_path, environment=environment, **options))
        return started[-1]

    yield run
    for process in started:
        processes.end(process, patience=0)
        process.communicate()


def daemon(file: Path, eventually: Callable[..., str]) -> psutil.Process:
    return psutil.Process(int(eventually(lambda: file.exists() and file.read_text())))


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("true", 0)])
def test_its_exit_code_is_that_of_the_command(
    start: Callable[..., subprocess.Popen[bytes]], script: str, code: int
) -> None:
    assert start(script).wait(30) == code


def test_a_command_that_is_missing_is_named(tmp_path: Path) -> None:
    process = processes.start(["no-such-program"], folder=tmp_path, environment=os.environ)
    assert process.communicate()[0] == b"cannot start no-such-program: No such file or directory\n"
    assert process.returncode == 127


def test_what_outlives_the_command_ends_with_it(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, eventually: Callable[..., str]
) -> None:
    process = start("$FAMILY daemon; until [ -s daemon ]; do sleep 0.01; done; exit 5")
    assert process.wait(30) == 5
    assert not psutil.pid_exists(int((tmp_path / "daemon").read_text()))


def test_what_outlives_the_command_may_have_time_to_end(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    process = start(
        "(trap 'sleep 0.2; echo saved; exit' TERM; touch trapped; while :; do sleep 0.01; done) & "
        "until [ -e trapped ]; do sleep 0.01; done",
        grace=30,
    )
    assert process.communicate(timeout=60)[0].splitlines()[-1] == b"saved"


@pytest.mark.parametrize("patience", [0, 0.5])
def test_who_ignores_a_request_to_end_is_killed_with_all_that_it_started(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, eventually: Callable[..., str], patience: float
) -> None:
    process = start("trap '' TERM; $FAMILY daemon; while :; do sleep 1; done")
    stray = daemon(tmp_path / "daemon", eventually)
    processes.end(process, patience)
    assert process.returncode == 137
    assert not stray.is_running()


def test_a_leash_that_somebody_has_stopped_still_ends(
    start: Callable[..., subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("trap '' TERM; echo ready; while :; do sleep 1; done")
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(processes, "KILL_SECONDS", 0.2)
    processes.end(process, patience=0)
    assert process.returncode == -signal.SIGKILL


def test_everything_ends_when_its_owner_is_killed(tmp_path: Path, eventually: Callable[..., str]) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    code = (
        "import os, sys; from localcloud.cloud import processes\n"
        "command = ['sh', '-c', f'{sys.executable} family.py daemon; sleep 600']\n"
        "processes.start(command, folder='.', environment=os.environ); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE) as owner:
        stray = daemon(tmp_path / "daemon", eventually)
        started = psutil.Process(owner.pid).children(recursive=True)
        owner.kill()
    assert stray in started  # the leash has adopted it
    assert len(started) >= 3
    _, alive = psutil.wait_procs(started, timeout=60)
    assert alive == []


@pytest.mark.parametrize("patience", [0, 0.1])
def test_strays_of_a_cloud_are_found_by_their_environment(
    start: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[..., str],
    patience: float,
) -> None:
    monkeypatch.setenv(processes.CLOUD, str(tmp_path / "mine"))
    mine = start("$FAMILY daemon; sleep 600")
    monkeypatch.setenv(processes.CLOUD, str(tmp_path / "other"))
    other = start("sleep 600")
    stray = daemon(tmp_path / "daemon", eventually)
    mine.kill()  # its leash, which could not do anything about it
    assert mine.wait() == -signal.SIGKILL
    assert processes.end_strays(tmp_path / "mine", patience)
    assert eventually(lambda: not is_at_work(stray))
    assert not processes.end_strays(tmp_path / "mine")
    assert other.poll() is None


def test_what_a_process_writes_is_its_owners(start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    assert start("touch file; mkdir folder").wait(30) == 0
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700
