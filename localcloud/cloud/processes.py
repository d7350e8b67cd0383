"""Processes that never outlive the cloud: functions, jobs and engines."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import psutil

from localcloud.errors import LocalCloudError

LEASH = str(Path(__file__).with_name("leash.py"))
#: The environment variable that names the folder of the cloud that a process belongs to.
CLOUD = "LOCALCLOUD_FOLDER"
#: Seconds until a leash must have ended that was told to kill everything.
KILL_SECONDS = 5.0


class Process(Protocol):
    """A leash, as `subprocess.Popen` and `prepared.ForkedProcess` have it."""

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its process group."""

    @property
    def returncode(self) -> int | None:
        """The exit code of its command, once somebody has waited for it."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """What its command prints."""

    def poll(self) -> int | None:
        """Return the exit code of its command; None while something still runs on it."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code of its command when nothing runs on it any more."""

    def send_signal(self, sig: int) -> None:
        """Send a signal to the leash itself."""


# Every leash waits for the end of this pipe, whose only writer is this process.
_lifeline, _alive = os.pipe()
_running: set[Process] = set()
_lock = threading.Lock()
_ending = threading.Event()


def start(
    command: Sequence[str],
    *,
    folder: str | Path,
    environment: Mapping[str, str],
    stdin: int | IO[Any] = subprocess.DEVNULL,
    grace: float = 0,
    descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a command on a leash, in its own session; ``stdout`` gives its output and its errors.

    Args:
        command: The program and its arguments.
        folder: The folder in which the command runs.
        environment: Its environment variables.
        stdin: Its standard input.
        grace: Seconds before processes that outlive the command are killed.
        descriptors: Open files that the command and its leash inherit, under the same numbers.

    Returns:
        The leash. It ends when every process of the command has ended, with the command's exit code.

    Raises:
        LocalCloudError: This process is ending.
    """
    check_alive(command[0])
    process = subprocess.Popen(
        [sys.executable, "-IS", LEASH, str(_lifeline), str(grace), *command],
        cwd=folder,
        env={**environment, **of_cloud()},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[_lifeline, *descriptors],
    )
    keep(process)
    return process


def check_alive(program: str) -> None:
    """Refuse to start a program while this process is ending.

    Raises:
        LocalCloudError: It is.
    """
    if _ending.is_set():
        raise LocalCloudError(f"{program} is not started, because the local cloud is ending.")


def of_cloud() -> dict[str, str]:
    """Return the variable that says to which cloud a process belongs; none if this process belongs to none."""
    return {name: os.environ[name] for name in (CLOUD,) if name in os.environ}


def lifeline() -> int:
    """Return the open file that ends with this process, for leashes which it does not start itself."""
    return _lifeline


def keep(process: Process) -> None:
    """Remember a leash, which `end_all` ends."""
    with _lock:
        _running.difference_update([running for running in _running if running.returncode is not None])
        _running.add(process)


@contextlib.contextmanager
def frozen(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stop all that runs on a leash, as it is, and let it go on afterwards: its files do not change meanwhile."""
    leash = psutil.Process(process.pid)
    stopped: list[psutil.Process] = []
    try:
        while new := [child for child in leash.children(recursive=True) if child not in stopped]:
            for child in new:  # one that is new may have started another before it stopped
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.suspend()
                stopped.append(child)
        yield
    finally:
        for child in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.resume()


def serve(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    ready: str,
    patience: float = 60,
    grace: float = 0,
    descriptors: Sequence[int] = (),
) -> tuple[subprocess.Popen[bytes], re.Match[str]]:
    """Start a server on a leash, write its output to a log, and wait until the log says that it is ready.

    Args:
        command: The server and its arguments.
        log: The server's log file; the server runs in the file's folder.
        environment: Its environment variables.
        ready: A regular expression for the line that says that the server is ready.
        patience: Seconds to wait at most.
        grace: As in `start`.
        descriptors: As in `start`.

    Returns:
        The process, and the match of `ready`.

    Raises:
        LocalCloudError: The server ended or took too long; the message has the last line of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    process = start(
        ["sh", "-c", 'log="$0"; exec "$@" > "$log" 2>&1', str(log), *command],
        folder=log.parent,
        environment=environment,
        grace=grace,
        descriptors=descriptors,
    )
    if process.stdout:
        process.stdout.close()  # all goes to the log
    deadline = time.monotonic() + patience
    while not (match := re.search(ready, text := _read(log))):
        if process.poll() is not None or time.monotonic() > deadline:
            end(process)
            last = (text.strip().splitlines() or ["it said nothing"])[-1]
            raise LocalCloudError(f"{log.stem} did not start: {last} (log: {log})")
        time.sleep(0.02)
    return process, match


def free_port() -> int:
    """Return a loopback port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def end(process: Process, patience: float = 5) -> None:
    """Ask a command to end (SIGTERM), and kill it with all its descendants after ``patience`` seconds."""
    _ask(process)
    _kill_after(patience, process)


def end_all(patience: float = 2) -> None:
    """End every process that is still running, at the same time; none can be started from now on."""
    _ending.set()
    with _lock:
        running = [process for process in _running if process.poll() is None]
    for process in running:
        _ask(process)
    deadline = time.monotonic() + patience
    for process in running:
        _kill_after(max(0, deadline - time.monotonic()), process)


def end_strays(cloud: Path, patience: float = 3) -> bool:
    """End the processes of a cloud whose server has ended; true if there were any.

    Their leashes are ending them already. What is left after ``patience`` seconds has lost its leash, too, and is
    killed; the environment of each process says which cloud it belongs to.
    """
    strays = _processes_of(cloud)
    any_stray = bool(strays)
    deadline = time.monotonic() + patience
    while strays and time.monotonic() < deadline:
        time.sleep(0.05)
        strays = _processes_of(cloud)
    deadline = time.monotonic() + KILL_SECONDS
    while strays:  # once at least: on a busy machine it takes long to look
        for process in strays:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.05)
        strays = _processes_of(cloud) if time.monotonic() < deadline else set()
    return any_stray


def _processes_of(cloud: Path) -> set[psutil.Process]:
    """Return a cloud's processes and their descendants, except this process and its parents."""
    members = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # the process has ended, or belongs to another user
            if process.environ().get(CLOUD) == str(cloud):
                members |= {process, *process.children(recursive=True)}
    this = psutil.Process()
    return members - {this, *this.parents()}


def _ask(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _kill_after(patience: float, process: Process) -> None:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGUSR1)
    try:
        process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:  # the leash itself does not answer, for example because somebody has stopped it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
