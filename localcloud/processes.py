"""Processes that never outlive the cloud: functions, jobs and engines."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

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
