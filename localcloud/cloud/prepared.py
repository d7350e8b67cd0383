"""Processes that begin with what their container image has imported: they are forked, where the platform can.

An image has modules that take seconds to import, such as PyTorch. The first program of an image lets a process import
them (`fork_server.py`), from which that program and all later ones are forked. A forked process has its own leash,
folder, environment and output, as one that is started. What cannot be forked is started.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from localcloud import host
from localcloud.cloud import processes
from localcloud.cloud.context import Cloud, log
from localcloud.cloud.fork_server import MESSAGE_BYTES, Program, may_fork
from localcloud.cloud.leash import PATIENCE
from localcloud.errors import LocalCloudError

ROOT = Path(__file__).parents[2]
FORK_SERVER = "localcloud.cloud.fork_server"
#: Seconds that the imports may take.
IMPORT_SECONDS = 120


class ForkedProcess:
    """A leash that was forked.

    Args:
        output: The reading end of the pipe into which its command prints.
        status: The reading end of the pipe that says its process id and the exit code of its command.

    Attributes:
        stdout: What its command prints.
        pid: Its process id.
        returncode: The exit code of its command; None before somebody has waited for it.

    Raises:
        LocalCloudError: The process that forks has ended.
    """

    def __init__(self, output: int, status: int) -> None:
        self.stdout: IO[bytes] | None = os.fdopen(output, "rb")
        self.returncode: int | None = None
        self._status = status
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, status)
        number = b""
        while not number.endswith(b" ") and (byte := os.read(status, 1)):
            number += byte
        if not number:
            self.stdout.close()
            raise LocalCloudError("The process that forks has ended.")
        self.pid = int(number)

    def poll(self) -> int | None:
        """Return the exit code of its command; None while something still runs on it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code of its command when nothing runs on it any more.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            TimeoutExpired: Something still runs then.
        """
        if self.returncode is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        with self._lock:
            if self.returncode is None:
                code = os.read(self._status, 16)
                self.returncode = int(code) if code else -signal.SIGKILL
            return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send a signal to the leash itself, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)


@dataclass
class _Image:
    """What a container image has imported.

    Attributes:
        lock: Held while it imports, and while it is asked to fork.
        leash: The leash of the process that forks; None before its first program.
        control: The socket to that process.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    leash: processes.Process | None = None
    control: socket.socket = field(default_factory=socket.socket)


@dataclass
class _Images:
    """The images of a cloud, by the part of their name that `Host.prepared` has."""

    images: dict[str, _Image] = field(default_factory=dict)


def start(
    cloud: Cloud,
    image: str,
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    own: Mapping[str, str],
) -> processes.Process:
    """Start a command on a leash: forked from a process that has imported what its image has, where that can be.

    Args:
        cloud: The cloud.
        image: The name of the container image.
        command: The program and its arguments.
        folder: The folder in which the command runs.
        environment: The environment variables that all programs of the cloud's images have.
        own: The program's own variables.
    """
    name = next((name for name in host.current().prepared if name in image), None)
    if name and command and sys.platform == "linux" and _is_python(command[0], environment):
        program = Program([*command[1:]], str(folder), {**environment, **own, **processes.of_cloud()})
        try:
            if forked := _fork(cloud, name, program, environment):
                return forked
        except (LocalCloudError, OSError):
            log.exception("a process of image %s cannot be forked, so it is started", image)
    return processes.start(command, folder=folder, environment={**environment, **own})


def _is_python(program: str, environment: Mapping[str, str]) -> bool:
    """Return whether this is the interpreter of this process, with its packages."""
    here, file = Path(sys.executable), Path(shutil.which(program, path=environment["PATH"]) or "/")
    return file.parent == here.parent and file.samefile(here)


def _fork(cloud: Cloud, name: str, program: Program, environment: Mapping[str, str]) -> ForkedProcess | None:
    """Fork a process for a program; None if a new process would be another one.

    Raises:
        LocalCloudError: The modules cannot be imported, or this process is ending.
        OSError: The process that forks has ended.
    """
    message = program.encoded()
    if len(message) > MESSAGE_BYTES or not may_fork(program.arguments, program.environment, environment):
        return None
    image = cloud.state(_Images).images.setdefault(name, _Image())
    with image.lock:
        if image.leash is None or image.leash.poll() is not None:
            _import(cloud, name, image, environment)
        processes.check_alive(sys.executable)
        output, printed = os.pipe()
        status, said = os.pipe()
        try:
            socket.send_fds(image.control, [message], [printed, said, processes.lifeline()])
        except OSError:
            os.close(output)
            os.close(status)
            raise
        finally:
            os.close(printed)
            os.close(said)
    process = ForkedProcess(output, status)
    processes.keep(process)
    return process


def _import(cloud: Cloud, name: str, image: _Image, environment: Mapping[str, str]) -> None:
    """Start the process that imports what an image has.

    Raises:
        LocalCloudError: A module cannot be imported.
    """
    image.control.close()
    image.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        descriptor = theirs.fileno()
        image.leash, _ = processes.serve(
            [sys.executable, "-m", FORK_SERVER, str(descriptor), *host.current().prepared[name]],
            log=cloud.new_folder("image") / "imports.log",
            environment={**environment, "PYTHONPATH": str(ROOT)},
            ready="^ready$",
            patience=IMPORT_SECONDS,
            grace=PATIENCE,
            descriptors=[descriptor],
        )
