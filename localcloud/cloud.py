"""The local cloud as its users hold it: start, deploy to, ask and stop one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from localcloud.account import connect, environment
from localcloud.certificates import AUTHORITY
from localcloud.errors import LocalCloudError

START_SECONDS = 60
STOP_SECONDS = 15
CDK_SETTINGS = {
    "CDK_VALIDATION": "false",  # a deployment to AWS checks the template's schema, and takes twice the time
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "true",
}


class LocalCloud:
    """One local cloud: a server process whose state, log and mailbox are in one folder.

    As a context manager it starts and stops the server. Without, it may hold a cloud that another
    process has started in the same folder.

    Args:
        folder: Where state, log, mailbox and the CDK's output go; no two clouds share one.
        port: Loopback port; 0 takes a free one.
        project: The CDK app's folder (with ``cdk.json``); the current one by default.
    """

    def __init__(self, folder: Path, port: int = 0, project: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.project = (project or Path.cwd()).resolve()
        self.mailbox = self.folder / "mailbox"
        self.log = self.folder / "server.log"
        self.certificate_authority = self.folder / AUTHORITY  # there once a server with TLS runs
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether a server answers for this folder."""
        return self._state() is not None

    @property
    def pid(self) -> int:
        """The server's process id.

        Raises:
            LocalCloudError: The cloud is not running.
        """
        return int(self._running_state()["pid"])

    @property
    def endpoint(self) -> str:
        """The server's URL, ``http://localhost:PORT``.

        Raises:
            LocalCloudError: The cloud is not running.
        """
        return str(self._running_state()["endpoint"])

    def start(self, *, detached: bool = False) -> None:
        """Start the server and wait until it is ready.

        Args:
            detached: Let the server outlive this process; otherwise it ends with it, however that ends.

        Raises:
            LocalCloudError: The port is taken, this cloud runs already, or the server failed.
        """
        if self.running:
            raise LocalCloudError(f"The local cloud in {self.folder} is already running at {self.endpoint}.")
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "localcloud", "serve", "--folder", str(self.folder), "--port", str(self.port)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command if detached else [*command, "--attached"],
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )
        deadline = time.monotonic() + START_SECONDS
        while self._state() is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise LocalCloudError(f"The local cloud did not start: {self._last_words()} (log: {self.log})")
            time.sleep(0.02)
        if detached:
            self._process.returncode = 0  # nobody waits for it any more
            self._process = None

    def stop(self) -> None:
        """Stop the server and everything that it started; nothing happens when it is not running."""
        state = self._state()
        if self._process:
            if self._process.stdin:
                self._process.stdin.close()
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        elif state:
            os.kill(state["pid"], signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self._state() and time.monotonic() < deadline:
                time.sleep(0.05)

    def environment(self) -> dict[str, str]:
        """What a program needs to use this cloud with any AWS SDK, the CDK or the AWS command line."""
        return environment(self.endpoint, self.folder)

    def shell_environment(self) -> dict[str, str]:
        """`environment`, and what makes the CDK's own command line quick and quiet with this cloud."""
        return self.environment() | CDK_SETTINGS

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud."""
        return connect(service, self.endpoint)

    def deploy(
        self, *stacks: str, context: Mapping[str, str] | None = None, echo: Callable[[str], None] | None = None
    ) -> None:
        """Deploy stacks (all of the app's when none is named) with the real CDK command line.

        Args:
            stacks: Names of stacks.
            context: CDK context, as ``cdk deploy -c key=value`` takes it.
            echo: Called with each line of the CDK's output.

        Raises:
            LocalCloudError: Node or the CDK is missing, synthesis failed, or a resource failed (with its name).
        """
        self._cdk("deploy", stacks, context, ["--method=direct", "--require-approval=never", "--concurrency=4"], echo)

    def destroy(
        self, *stacks: str, context: Mapping[str, str] | None = None, echo: Callable[[str], None] | None = None
    ) -> None:
        """Delete stacks (all of the app's when none is named); arguments and errors as in `deploy`."""
        self._cdk("destroy", stacks, context, ["--force"], echo)

    def reclaim(self, job: str, notice_seconds: float = 120) -> None:
        """Take the host of a running Batch job back, as EC2 does with spot instances: a notice, then it is gone.

        Args:
            job: The job's id.
            notice_seconds: Time from the notice to the end.

        Raises:
            LocalCloudError: That job is not running.
        """
        asked = urlencode({"job": job, "notice": notice_seconds})
        try:
            urlopen(Request(f"{self.endpoint}/moto-api/reclaim?{asked}", method="POST")).close()  # noqa: S310 (loopback)
        except HTTPError as error:
            raise LocalCloudError(f"Job {job} is not running, so it has no host to take back.") from error

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a deployed stack, by name.

        Raises:
            LocalCloudError: There is no such stack.
        """
        cloudformation = self.client("cloudformation")
        try:
            found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        except cloudformation.exceptions.ClientError as error:
            raise LocalCloudError(f"Stack {stack} is not deployed: run `groundwork local deploy {stack}`.") from error
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def _cdk(
        self,
        command: str,
        stacks: tuple[str, ...],
        context: Mapping[str, str] | None,
        options: list[str],
        echo: Callable[[str], None] | None,
    ) -> None:
        arguments = [self._cdk_program(), command, *(stacks or ["--all"]), *options, "--no-notices"]
        arguments += ["--output", str(self.folder / "cdk.out"), "--ci", "--no-color"]
        for key, value in (context or {}).items():
            arguments += ["--context", f"{key}={value}"]
        report = self.folder / f"{command}.log"
        running = subprocess.Popen(
            arguments,
            cwd=self.project,
            env=_with_interpreter(self.shell_environment()),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        lines = []
        with running as process, report.open("w") as file:
            for line in process.stdout or ():
                file.write(line)
                lines.append(line.rstrip())
                if echo:
                    echo(line.rstrip())
        if process.returncode:
            raise LocalCloudError(f"cdk {command} failed: {_reason(lines)} (log: {report})")

    def _cdk_program(self) -> str:
        if not shutil.which("node"):
            raise LocalCloudError("Node.js is not on PATH: the CDK command line needs it (version 22 or newer).")
        program = shutil.which("cdk", path=str(self.project / "node_modules" / ".bin")) or shutil.which("cdk")
        if not program:
            raise LocalCloudError("The CDK command line is missing: run `npm ci` in the project's folder.")
        return program

    def _state(self) -> dict[str, Any] | None:
        try:
            state: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
            os.kill(state["pid"], 0)
        except (FileNotFoundError, ProcessLookupError):
            return None
        return state

    def _running_state(self) -> dict[str, Any]:
        state = self._state()
        if state is None:
            raise LocalCloudError(f"No local cloud is running in {self.folder}: start one with `groundwork local up`.")
        return state

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"


def _with_interpreter(settings: dict[str, str]) -> dict[str, str]:
    """The caller's environment without its AWS settings, with this interpreter first on PATH."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**kept, **settings, "PATH": path}


def _reason(lines: list[str]) -> str:
    """What the CDK's output says about a failure, in a line or a few."""
    failed = next((number for number, line in enumerate(lines) if "❌" in line), -3)
    return " ".join(line.strip(" ❌‣") for line in lines[failed : failed + 4] if line.strip())
