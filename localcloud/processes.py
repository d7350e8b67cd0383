"""Processes that never outlive the cloud: functions, jobs and engines."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from localcloud.errors import LocalCloudError

LEASH = str(Path(__file__).with_name("leash.py"))

# Every leash waits for the end of this pipe, whose only writer is this process.
_held, _alive = os.pipe()
_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()


def start(
    command: Sequence[str],
    *,
    folder: str | Path,
    environment: Mapping[str, str],
    stdin: int | IO[Any] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start ``command`` on a leash, in a process group of its own; output and errors come from ``stdout``."""
    process = subprocess.Popen(
        [sys.executable, "-IS", LEASH, str(_held), *command],
        cwd=folder,
        env=dict(environment),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[_held],
    )
    with _lock:
        _running.difference_update([other for other in _running if other.returncode is not None])
        _running.add(process)
    return process


def serve(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    ready: str,
    patience: float = 60,
) -> tuple[subprocess.Popen[bytes], re.Match[str]]:
    """Start a server on a leash, with all its output in a log, and wait until it says there that it is ready.

    Args:
        command: The server.
        log: Its log, in the folder where it runs.
        environment: Its environment.
        ready: A regular expression for what it says when it is ready.
        patience: Seconds to wait at most.

    Returns:
        The process, and the match of `ready`.

    Raises:
        LocalCloudError: It ended instead, or took too long; with the last line of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    process = start(
        ["sh", "-c", 'log="$0"; exec "$@" > "$log" 2>&1', str(log), *command],
        folder=log.parent,
        environment=environment,
    )
    if process.stdout:
        process.stdout.close()  # all goes to the log
    deadline = time.monotonic() + patience
    while not (said := re.search(ready, text := _read(log))):
        if process.poll() is not None or time.monotonic() > deadline:
            end(process)
            last = (text.strip().splitlines() or ["it said nothing"])[-1]
            raise LocalCloudError(f"{log.stem} did not start: {last} (log: {log})")
        time.sleep(0.02)
    return process, said


def free_port() -> int:
    """A loopback port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_to_all(folder: Path) -> bool:
    """Whether whom root runs a program as can reach a folder: not where it, or one above it, is private."""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def end(process: subprocess.Popen[bytes], patience: float = 5) -> None:
    """Ask the process group to end (SIGTERM), and make it end (SIGKILL) after ``patience`` seconds."""
    _send(process, signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        _send(process, signal.SIGKILL)
        process.wait()


def end_all() -> None:
    """End every process that is still running."""
    with _lock:
        running = [process for process in _running if process.poll() is None]
    for process in running:
        _send(process, signal.SIGTERM)
    for process in running:
        end(process, patience=2)


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
