"""Execution environments: processes in which a function is initialised once and then handles one event after another.

As on AWS, an environment handles one event at a time, keeps its globals and its temporary files between events, and
ends after a timeout, a crash or too much memory, after a change of its function, and when it has been idle for a while.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from localcloud.cloud import processes

RUNTIME = str(Path(__file__).with_name("runtime.py"))
#: Seconds for which a request waits for a busy environment before it gets a new one: as long as it takes to start one.
PATIENCE_SECONDS = 0.1
#: Seconds after which an environment that handles nothing ends. AWS does not say how long it keeps them.
#: Seconds after which an environment takes no other event: the credentials of its role last an hour at least, and an
#: event takes a quarter of one at most.
LIFETIME_SECONDS = 2700.0
#: Seconds between two looks at the memory of a function that is at work.
MEMORY_SECONDS = 0.1
#: What is kept of the output of one invocation, in bytes; a function that prints for ever must not fill the memory.
OUTPUT_BYTES = 8 << 20
MEGABYTE = 1 << 20
#: Exit codes above this one stand for signals.
SIGNALLED = 128

Json = dict[str, Any]
Status = Literal["success", "error", "timeout"]


@dataclass
class Outcome:
    """What came of an invocation, or of an initialisation.

    Attributes:
        status: How it ended.
        payload: The response, or what the caller is told about the error, as JSON.
        error_type: Lambda's name of the error; empty if there is none.
        output: What the function has printed.
        seconds: How long it took.
        memory: The most memory that the environment has used so far, in MB.
    """

    status: Status
    payload: str
    error_type: str
    output: str
    seconds: float
    memory: int


class ExecutionEnvironment:
    """A process for one function.

    Args:
        variables: Its environment variables.
        folder: Where the function's code is.
        memory: What it may use, in MB.
        log_stream: The name of its log stream.

    Attributes:
        initialisations: The attempts to initialise the function that are not in its log yet.
        idle_since: When it has handled its last event, on the monotonic clock.
    """

    def __init__(self, variables: Mapping[str, str], folder: str, memory: int, log_stream: str) -> None:
        self.log_stream = log_stream
        self.initialisations: list[Outcome] = []
        self.idle_since = time.monotonic()
        self._memory = memory * MEGABYTE
        self._started = time.monotonic()
        self._pid = 0
        self._peak = 0  # the most memory that it has used, as far as it is known
        self._temporary = tempfile.mkdtemp(prefix="function-")
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = processes.start(
                [sys.executable, "-Iu", RUNTIME, str(theirs.fileno())],
                folder=folder,
                environment={**variables, "TMPDIR": self._temporary},
                descriptors=[theirs.fileno()],
            )
        assert self._process.stdout  # noqa: S101 - a pipe, which `start` opens
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)

    @property
    def is_usable(self) -> bool:
        """Whether it can handle another event: it has not ended, and its credentials last long enough."""
        young = time.monotonic() - self._started < LIFETIME_SECONDS
        return young and self._process.poll() is None and self._socket.fileno() >= 0

    def initialise(self, request_id: str, seconds: float) -> Outcome:
        """Wait some seconds at most until the function has been initialised; end the environment if that fails."""
        outcome = self._converse(b"", request_id, seconds)
        if outcome.status == "success":
            self._pid = int(outcome.payload)
        else:
            self.end()
        return outcome

    def invoke(self, event: Any, request_id: str, function_arn: str, seconds: float) -> Outcome:
        """Let the function handle an event.

        Args:
            event: The event, which JSON can express.
            request_id: The id of the request.
            function_arn: What the caller has called.
            seconds: The function's timeout, at which the environment ends.
        """
        request = {"event": event, "request_id": request_id, "function_arn": function_arn, "seconds": seconds}
        outcome = self._converse(json.dumps(request).encode() + b"\n", request_id, seconds)
        self.idle_since = time.monotonic()
        return outcome

    def end(self) -> None:
        """End the process with everything that it has started, and remove its temporary files."""
        self._kill()
        self._socket.close()
        self._output.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _kill(self) -> None:
        if self._process.poll() is None:
            processes.end(self._process, patience=0)

    def _converse(self, request: bytes, request_id: str, seconds: float) -> Outcome:
        """Send a request and wait for the response; end the environment if none arrives."""
        began = time.monotonic()
        output = bytearray()
        try:
            response = self._exchange(request, output, began + seconds)
            self._peak = response["peak_bytes"]
            error_type = "Runtime.OutOfMemory" if self._peak > self._memory else ""
        except _EndedError as ended:
            response, error_type = {}, ended.error_type
        duration = time.monotonic() - began
        memory = -(-min(self._peak, self._memory) // MEGABYTE)
        if not error_type:
            self._drain(output)
            failed, payload = response["failed"], response["payload"]
            kind = json.loads(payload).get("errorType", "") if failed else ""
            return Outcome("error" if failed else "success", payload, kind, _text(output), duration, memory)
        if error_type == "Runtime.ExitError":
            reason = _exit_reason(self._process.wait())
        elif error_type == "Runtime.OutOfMemory":
            reason = "Runtime exited with error: signal: killed"
        else:
            reason = f"Task timed out after {seconds:.2f} seconds"
        self._kill()
        self._drain(output)
        message = f"RequestId: {request_id} Error: {reason}"
        payload = json.dumps({"errorType": error_type, "errorMessage": message})
        status: Status = "timeout" if error_type == "Sandbox.Timedout" else "error"
        return Outcome(status, payload, error_type, _text(output), duration, memory)

    def _exchange(self, request: bytes, output: bytearray, deadline: float) -> Json:
        """Send a request, and collect the output until the response is there.

        Raises:
            _EndedError: The process ended without a response.
        """
        response = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._output, selectors.EVENT_READ)
            try:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                self._socket.sendall(request)
                while not response.endswith(b"\n"):
                    self._check(deadline)
                    look = min(deadline, time.monotonic() + MEMORY_SECONDS)
                    while not response.endswith(b"\n") and (now := time.monotonic()) < look:
                        self._receive(selector, look - now, response, output)
            except TimeoutError as error:
                raise _EndedError("Sandbox.Timedout") from error
            except OSError as error:  # the process has ended, and the socket with it
                raise _EndedError("Runtime.ExitError") from error
        content: Json = json.loads(response)
        return content

    def _check(self, deadline: float) -> None:
        """Look at what the function must not exceed: its time and its memory."""
        if time.monotonic() >= deadline:
            raise TimeoutError
        with contextlib.suppress(psutil.Error):
            resident = psutil.Process(self._pid).memory_info().rss if self._pid else 0
            self._peak = max(self._peak, resident)
            if resident > self._memory:
                raise _EndedError("Runtime.OutOfMemory")

    def _receive(
        self, selector: selectors.BaseSelector, seconds: float, response: bytearray, output: bytearray
    ) -> None:
        """Read what comes within some seconds."""
        for key, _ in selector.select(seconds):
            if key.fileobj is self._output:
                if not self._read(output):
                    selector.unregister(self._output)
            elif chunk := self._socket.recv(1 << 16):
                response += chunk
            else:
                raise _EndedError("Runtime.ExitError")

    def _read(self, output: bytearray) -> bool:
        """Read some output; False at its end, or if there is none now."""
        try:
            chunk = os.read(self._output.fileno(), 1 << 16)
        except BlockingIOError:
            return False
        output += chunk[: OUTPUT_BYTES - len(output)]
        return bool(chunk)

    def _drain(self, output: bytearray) -> None:
        """Read what the function has printed before its response, which the pipe holds."""
        end = time.monotonic() + MEMORY_SECONDS  # a thread of the function may print for ever
        while self._read(output) and time.monotonic() < end:
            pass


class _EndedError(Exception):
    """An environment has ended, or must end, instead of giving a response.

    Args:
        error_type: Lambda's name of the error.
    """

    def __init__(self, error_type: str) -> None:
        super().__init__(error_type)
        self.error_type = error_type


def _text(output: bytearray) -> str:
    return output.decode(errors="replace")


def _exit_reason(code: int) -> str:
    """Return what Lambda says about a runtime that has ended with this exit code."""
    if code == 0:
        return "Runtime exited without providing a reason"
    if code > SIGNALLED:
        killed = "killed" if code == SIGNALLED + 9 else f"signal {code - SIGNALLED}"
        return f"Runtime exited with error: signal: {killed}"
    return f"Runtime exited with error: exit status {code}"


class ThrottledError(Exception):
    """As many requests are being handled as may be.

    Args:
        reason: Lambda's name of the limit.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("Rate Exceeded.")
        self.reason = reason


@dataclass
class _Pool:
    """The environments of one revision of a function.

    Attributes:
        freed: Notified when an environment becomes idle.
        idle: The environments that handle nothing, the last used one last.
        environments: How many there are, the busy ones included.
        starting: How many more are being started.
        requests: How many requests have or want an environment.
        last_freed: When an environment became idle, on the monotonic clock.
    """

    freed: threading.Condition
    idle: list[ExecutionEnvironment] = field(default_factory=list)
    environments: int = 0
    starting: int = 0
    requests: int = 0
    last_freed: float = 0

    @property
    def may_grow(self) -> bool:
        """Whether to start another: none has become idle just now, and no more are starting than there are already."""
        settled = time.monotonic() - self.last_freed > PATIENCE_SECONDS
        return settled and self.starting < max(1, self.environments)


class ExecutionEnvironments:
    """The environments of all functions of a cloud, and the requests that are being handled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, _Pool] = {}
        self._in_flight: Counter[str] = Counter()

    @contextlib.contextmanager
    def admit(self, function: str, reserved: Mapping[str, int], account: int) -> Iterator[None]:
        """Count a request as long as it is being handled.

        Args:
            function: The function's name.
            reserved: The reserved concurrency of each function that has one.
            account: The account's concurrency, which all functions without reserved concurrency share.

        Raises:
            ThrottledError: The limit of concurrent requests is reached.
        """
        with self._lock:
            if function in reserved:
                if self._in_flight[function] >= reserved[function]:
                    raise ThrottledError("ReservedFunctionConcurrentInvocationLimitExceeded")
            else:
                unreserved = sum(count for name, count in self._in_flight.items() if name not in reserved)
                if unreserved >= account - sum(reserved.values()):
                    raise ThrottledError("ConcurrentInvocationLimitExceeded")
            self._in_flight[function] += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight[function] -= 1
                if not self._in_flight[function]:
                    del self._in_flight[function]

    @contextlib.contextmanager
    def use(self, revision: str, start: Callable[[], ExecutionEnvironment]) -> Iterator[ExecutionEnvironment]:
        """Take an environment of a function's revision for one request.

        Args:
            revision: The revision.
            start: Starts another environment and initialises it.
        """
        with self._lock:
            pool = self._pools.setdefault(revision, _Pool(threading.Condition(self._lock)))
            pool.requests += 1
        try:
            environment = self._take(pool) or self._start(pool, start)
            try:
                yield environment
            finally:
                self._give_back(pool, environment)
        finally:
            with self._lock:
                pool.requests -= 1

    def _take(self, pool: _Pool) -> ExecutionEnvironment | None:
        """Take an environment that is idle, or becomes so soon; None if another has to be started."""
        with self._lock:
            while not pool.idle:
                if pool.may_grow:
                    pool.starting += 1
                    return None
                pool.freed.wait(PATIENCE_SECONDS)
            return pool.idle.pop()

    def _start(self, pool: _Pool, start: Callable[[], ExecutionEnvironment]) -> ExecutionEnvironment:
        started = False
        try:
            environment = start()
            started = True
        finally:
            with self._lock:
                pool.starting -= 1
                pool.environments += started
                pool.last_freed = time.monotonic()  # it soon will be
        return environment

    def _give_back(self, pool: _Pool, environment: ExecutionEnvironment) -> None:
        usable = environment.is_usable
        if not usable:
            environment.end()
        with self._lock:
            if usable:
                pool.idle.append(environment)
                pool.last_freed = time.monotonic()
            else:
                pool.environments -= 1
            pool.freed.notify()

    def end_unused(self, revisions: set[str], idle_seconds: float) -> None:
        """End environments that were idle for too long or crashed, and idle ones of other revisions."""
        ended: list[ExecutionEnvironment] = []
        oldest = time.monotonic() - idle_seconds
        with self._lock:
            for revision, pool in list(self._pools.items()):
                kept = [
                    environment
                    for environment in pool.idle
                    if revision in revisions and environment.idle_since > oldest and environment.is_usable
                ]
                ended += [environment for environment in pool.idle if environment not in kept]
                pool.environments -= len(pool.idle) - len(kept)
                pool.idle = kept
                if not (pool.environments or pool.requests):
                    del self._pools[revision]
        for environment in ended:
            environment.end()
