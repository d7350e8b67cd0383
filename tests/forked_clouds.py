"""Forks a cloud's server from a process that has imported what it runs on, which is most of its start.

`forked` takes the place of `localcloud.cloud.local_cloud.start_server` in the tests' own process. Each of pytest's
workers has one process that forks, which it starts with its first cloud and which ends with it. A cloud that would read
another environment when it starts is started as users start theirs, and so are all that commands start.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn

MESSAGE_BYTES = 1 << 17
#: What Python, a library or a module of the local cloud reads when it starts.
READ_AT_START = re.compile(r"(PYTHON|MOTO_|LD_).*|PATH|HOME|TMPDIR|LANG|LC_.*|TZ|LOCALCLOUD_HOST")

#: moto's names of services that many tests use.
SERVICES = (
    *("awslambda", "cloudformation", "cloudwatch", "dynamodb", "ec2", "events", "iam", "kms", "logs", "rds", "s3"),
    *("secretsmanager", "sns", "sqs", "ssm", "sts"),
)
#: Packages of which every module is imported, and single modules.
PACKAGES = ("localcloud.access", "localcloud.cloudformation", "localcloud.console")
MODULES = (
    "cryptography.hazmat.backends.openssl",
    "encodings.ascii",
    "localcloud.cloud.http_handler",
    "localcloud.cloud.identity",
    "localcloud.cloud.isolation",
    "moto.moto_api._internal.urls",
    "moto.moto_server.werkzeug_app",
    *(f"moto.{service}.urls" for service in SERVICES),
)

Start = Callable[[list[str], int, IO[bytes]], Any]


class ForkedServer:
    """A cloud's server, as `LocalCloud` uses a `subprocess.Popen`.

    Args:
        pid: Its process id.
        stdin: The writing end of its standard input; None where it has none.
    """

    def __init__(self, pid: int, stdin: IO[bytes] | None) -> None:
        self.pid = pid
        self.stdin = stdin
        self.returncode: int | None = None
        self._end: int | None = None
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            self._end = os.pidfd_open(pid)

    def __del__(self) -> None:
        if self._end is not None:
            os.close(self._end)

    def poll(self) -> int | None:
        """0 when it has ended, however it did."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self._end is not None and not select.select([self._end], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        self.returncode = 0
        return 0

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self._end is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._end, number)


def forked(start: Start) -> Start:
    """Replace what starts a server's process by what forks it, where the system can."""
    return _Forks(start) if sys.platform == "linux" else start


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class _Forks:
    def __init__(self, start: Start) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._prepared = _environment()

    def __call__(self, words: list[str], folder_lock: int, log: IO[bytes]) -> Any:
        environment = _environment()
        differing = {name for name, _ in environment.items() ^ self._prepared.items()}
        if any(map(READ_AT_START.fullmatch, differing)):
            return self._start(words, folder_lock, log)
        reading, writing = os.pipe()
        message = json.dumps([words, str(Path.cwd()), environment]).encode()
        with self._lock:
            if self._control is None:
                self._control = _begin(self._prepared)
            socket.send_fds(self._control, [message], [reading, log.fileno(), folder_lock])
            pid = int(self._control.recv(32))
        os.close(reading)
        stdin = os.fdopen(writing, "wb", buffering=0)
        if "--attached" in words:
            return ForkedServer(pid, stdin)
        stdin.close()
        return ForkedServer(pid, None)


def _begin(environment: dict[str, str]) -> socket.socket:
    """Start the process that forks, and wait until it can."""
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_clouds", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            pass_fds=[theirs.fileno()],
        )
    control.recv(32)
    atexit.register(process.wait)
    atexit.register(control.close)  # first, and it ends
    return control


def main() -> None:
    """Import what a cloud runs on, and fork one whenever the tests ask for it."""
    from localcloud.cloud import leash, server

    control = socket.socket(fileno=int(sys.argv[1]))
    server.prepare()
    _import()
    gc.freeze()
    signal.signal(signal.SIGCHLD, lambda *_: leash.reap())
    control.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 3)
        if not message:
            return
        if not (pid := os.fork()):
            control.close()
            _serve(*json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(pid).encode())


def _import() -> None:
    """Import what a cloud and its first requests would import, and read its tables."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)
    for name in MODULES:
        importlib.import_module(name)
    from localcloud import services
    from localcloud.services import rules

    for room in services.rooms():
        for name in ("room", "adapters"):
            room.module(name)
    rules._kinds()


def _serve(
    words: list[str], folder: str, environment: dict[str, str], stdin: int, log: int, folder_lock: int
) -> NoReturn:
    """Become a server, as a new process of Python would."""
    from moto.moto_api._internal import mock_random

    from localcloud import __main__ as program
    from localcloud.cloud import processes

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for source, target in ((stdin, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    for descriptor in (stdin, log, processes._lifeline, processes._alive):
        os.close(descriptor)
    processes._lifeline, processes._alive = os.pipe()  # or what runs on a leash would wait for all clouds to end
    mock_random.seed()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    words[words.index("--lock") + 1] = str(folder_lock)
    sys.argv = ["localcloud", *words]
    try:
        program.main()
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
