"""The local cloud as its users hold it: start, deploy to, ask and stop one."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from contract.errors import InputError
from localcloud import host
from localcloud.cloud import lock, remains
from localcloud.cloud.account import connect, console_key, environment, post
from localcloud.cloud.certificates import AUTHORITY
from localcloud.cloud.settings import DEFAULT_AGE, DEFAULT_MODE, Age, IamMode
from localcloud.errors import LocalCloudError
from terminal import cdk

START_SECONDS = 60
STOP_SECONDS = 15
ANSWER_SECONDS = 10
DEFAULT = "default"
#: The bucket of `LocalCloud.template_url`; the console's is named so, too.
TEMPLATES = "cf-templates-local"

_without_proxy = build_opener(ProxyHandler({}))


class LocalCloud:
    """One local cloud: a server process whose state, log and mailbox are in one folder.

    As a context manager it starts and stops the server. Without, it may hold a cloud that another
    process has started in the same folder.

    Args:
        folder: Where state, log, mailbox and the CDK's output go; no two clouds share one.
        port: Loopback port; 0 takes a free one.
        project: The CDK app's folder (with ``cdk.json``); the current one by default.
        account: Whether the account of a cloud that this starts is new, with AWS's default quotas, or established.
        iam: What becomes of requests that their callers may not make, once it starts: ``enforce``, ``warn`` or ``off``.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        project: Path | None = None,
        account: Age = DEFAULT_AGE,
        *,
        iam: IamMode = DEFAULT_MODE,
    ) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.iam = iam
        self.account = account
        self.project = (project or Path.cwd()).resolve()
        self.mailbox = self.folder / "mailbox"
        self.log = self.folder / "server.log"
        self.certificate_authority = self.folder / AUTHORITY  # there once a server with TLS runs
        self._process: subprocess.Popen[bytes] | None = None
        self._recognised: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether there is a server for this folder, also one that is starting or stopping."""
        return lock.is_held(self.folder)

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
        return _address(self._running_state())

    @property
    def console(self) -> str:
        """The address of the console, ``http://localhost:PORT/``.

        Raises:
            LocalCloudError: The cloud is not running.
        """
        return f"http://localhost:{self._running_state()['console']}/"

    @property
    def console_link(self) -> str:
        """The address of the console with the key that opens it for any browser on this machine.

        Raises:
            LocalCloudError: The cloud is not running.
        """
        return f"{self.console}?key={console_key(self.folder)}"

    def start(self, *, detached: bool = False) -> None:
        """Start the server and wait until it is ready.

        Args:
            detached: Let the server outlive this process; otherwise the server ends when this process ends.

        Raises:
            LocalCloudError: The port is taken, this cloud is running already or just being started, or the server
                failed.
        """
        with self.take() as folder_lock, os.fdopen(_create(self.log), "wb") as log:
            words = ["serve", "--folder", str(self.folder), "--port", str(self.port)]
            words += ["--lock", str(folder_lock.descriptor), "--account", self.account, "--iam", self.iam]
            self._process = start_server(words if detached else [*words, "--attached"], folder_lock.descriptor, log)
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise
        if detached:
            self._process.returncode = 0  # nobody waits for it any more
            self._process = None

    def take(self) -> lock.Lock:
        """Create the folder if needed, take its lock, and remove what a killed server has left behind.

        Raises:
            LocalCloudError: Another server has the lock, the folder cannot be written, or it holds files that have a
                cloud's names but do not belong to a cloud.
        """
        is_cloud = any((self.folder / name).exists() for name in (lock.NAME, remains.STATE, AUTHORITY))
        replaced = [path for path in (self.log, self.mailbox, self.folder / "cdk.out") if path.exists()]
        if replaced and not is_cloud:
            raise LocalCloudError(f"{replaced[0]} is not a local cloud's: choose another folder, or remove it.")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LocalCloudError(f"{self.folder} cannot be made: {error.strerror}.") from error
        try:
            folder_lock = lock.Lock(self.folder)
        except lock.HeldError as error:
            state = self._state()
            where = f"already running at {_address(state)}" if state else "just being started, or stopped"
            raise LocalCloudError(f"The local cloud in {self.folder} is {where}.") from error
        try:
            remains.remove(self.folder)
        except LocalCloudError:
            os.close(folder_lock.descriptor)
            raise
        return folder_lock

    def stop(self) -> bool:
        """Stop the server and everything that it started, and remove what it held.

        Returns:
            Whether there was a server, or anything left of one that was killed.

        Raises:
            LocalCloudError: The server cannot be told from other processes, or does not end.
        """
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
            stopped = True
        else:
            stopped = self._stop_another()
        self._recognised = None
        if not any((self.folder / name).exists() for name in (lock.NAME, remains.STATE)):
            return stopped  # no cloud has been in this folder
        try:
            with lock.Lock(self.folder):
                return remains.remove(self.folder) or stopped
        except lock.HeldError:  # somebody starts it again already
            return stopped

    def environment(self) -> dict[str, str]:
        """Return what a program needs to use this cloud with any AWS SDK, the CDK or the AWS command line."""
        return environment(self.endpoint, self.folder)

    def shell_environment(self) -> dict[str, str]:
        """`environment`, and what makes the CDK's own command line quick and quiet with this cloud."""
        return self.environment() | cdk.QUICK

    def inherited_environment(self) -> dict[str, str]:
        """Return this process's environment with this cloud in it instead of all settings for AWS."""
        return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | self.environment()

    def command(self, words: str) -> str:
        """Return the command line of one of the local cloud's commands for this cloud, to be pasted into a shell."""
        program = host.current()
        option = f" --folder {shlex.quote(str(self.folder))}"
        if self.folder == program.named(self.folder.name).resolve():
            option = "" if self.folder.name == DEFAULT else f" --name {shlex.quote(self.folder.name)}"
        return f"{program.command} {words}{option}"

    @property
    def evaluation(self) -> str:
        """What a person types so that a shell uses this cloud."""
        return f'eval "$({self.command("env")})"'

    def not_running(self) -> LocalCloudError:
        """Return the error that says how to start this cloud."""
        return LocalCloudError(f"No local cloud is running in {self.folder}: start one with `{self.command('up')}`.")

    def client(self, service: str) -> Any:
        """Return a boto3 client of this cloud."""
        return connect(service, self.endpoint, self.folder)

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
        """Delete stacks (all of the app's when none is named); arguments and errors as in `deploy`.

        Nothing is synthesised where the CDK's last output has all the stacks that are named, under these names. A
        context may change a stack's name, so with one the app is synthesised.
        """
        last = [] if context else self._last_output(stacks)
        self._cdk("destroy", stacks, context, ["--force", *last], echo)

    def reclaim(self, job: str, notice_seconds: float = 120) -> None:
        """Take the host of a running Batch job back, as EC2 takes spot instances: a notice first, then the end.

        Args:
            job: The job's id.
            notice_seconds: Time from the notice to the end.

        Raises:
            LocalCloudError: The job is not running.
        """
        query = urlencode({"job": job, "notice": notice_seconds})
        try:
            post(f"{self.endpoint}/moto-api/reclaim?{query}", self.folder)
        except HTTPError as error:
            raise LocalCloudError(f"Job {job} is not running, so it has no host to take back.") from error

    def template_url(self, template: str) -> str:
        """Put a template into S3, as the console does with a file: a request takes 51,200 bytes. Return its address.

        Args:
            template: JSON or YAML.
        """
        s3, key = self.client("s3"), hashlib.sha256(template.encode()).hexdigest()
        s3.create_bucket(Bucket=TEMPLATES)
        s3.put_object(Bucket=TEMPLATES, Key=key, Body=template.encode())
        return f"https://{TEMPLATES}.s3.amazonaws.com/{key}"

    def role_credentials(self, role: str) -> dict[str, str]:
        """Return the variables with which a program is a session of a role, whomever the role trusts.

        Args:
            role: The role's name or ARN.

        Raises:
            LocalCloudError: The role does not exist.
        """
        arn = json.dumps(self._role(role)).encode()
        variables: dict[str, str] = json.loads(post(f"{self.endpoint}/moto-api/role-credentials", self.folder, arn))
        return variables

    def denials(self) -> list[dict[str, str]]:
        """Return the last requests that IAM does not allow, the oldest first.

        Each has the keys of `localcloud.access.authorization.Denial`.

        Raises:
            LocalCloudError: The cloud is not running.
        """
        denials: list[dict[str, str]] = json.loads(post(f"{self.endpoint}/moto-api/denials", self.folder))
        return denials

    def statements(self) -> list[dict[str, Any]]:
        """The statements of policies that requests have needed since the cloud started.

        Each has the keys of `localcloud.access.authorization.Statement`, and ``denials``: by action, the sentence with
        which a request would have been denied without the statement.

        Raises:
            LocalCloudError: The cloud is not running.
        """
        statements: list[dict[str, Any]] = json.loads(post(f"{self.endpoint}/moto-api/statements", self.folder))
        return statements

    def access(self, role: str) -> dict[str, Any]:
        """Return what a role has used since the cloud started, and what its policies allow besides.

        Args:
            role: The role's name or ARN.

        Returns:
            ``role``, its ARN; ``used``, resources by action; ``unused``, the patterns of actions that its policies
            allow, and that none of its requests has needed.

        Raises:
            LocalCloudError: The role does not exist, or the cloud is not running.
        """
        arn = self._role(role)
        used = json.loads(post(f"{self.endpoint}/moto-api/access", self.folder)).get(arn, {})
        allowed = sorted({pattern for text in self._policies(arn) for pattern in _allowed_actions(text)})
        unused = [
            pattern for pattern in allowed if not any(fnmatchcase(action.lower(), pattern.lower()) for action in used)
        ]
        return {"role": arn, "used": used, "unused": unused}

    def _role(self, role: str) -> str:
        """Return the ARN of a role, given its name or its ARN."""
        iam = self.client("iam")
        try:
            return str(iam.get_role(RoleName=role.rpartition("/")[2])["Role"]["Arn"])
        except iam.exceptions.NoSuchEntityException as error:
            names = [
                role_row["RoleName"]
                for page in iam.get_paginator("list_roles").paginate()
                for role_row in page["Roles"]
            ]
            raise LocalCloudError(f"{role}: There is no such role. Use one of {', '.join(sorted(names))}.") from error

    def _policies(self, role: str) -> Iterator[Any]:
        """Yield the documents of a role's inline and managed policies."""
        iam, name = self.client("iam"), role.rpartition("/")[2]
        for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            yield iam.get_role_policy(RoleName=name, PolicyName=inline)["PolicyDocument"]
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            yield iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]

    def outputs(self, stack: str) -> dict[str, str]:
        """Return the outputs of a deployed stack, by name.

        Raises:
            LocalCloudError: The stack is not deployed.
        """
        cloudformation = self.client("cloudformation")
        try:
            description = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        except cloudformation.exceptions.ClientError as error:
            raise LocalCloudError(f"Stack {stack} is not deployed: run `{self.command(f'deploy {stack}')}`.") from error
        return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}

    def _last_output(self, stacks: tuple[str, ...]) -> list[str]:
        """Return the option with which the CDK takes stacks from its last output, if that has all of them."""
        output = self.folder / "cdk.out"
        try:
            artifacts: dict[str, Any] = json.loads((output / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
        except (OSError, ValueError, KeyError):
            return []
        names = {name: artifact.get("properties", {}).get("stackName", name) for name, artifact in artifacts.items()}
        return ["--app", str(output)] if stacks and all(names.get(stack) == stack for stack in stacks) else []

    def _cdk(
        self,
        command: str,
        stacks: tuple[str, ...],
        context: Mapping[str, str] | None,
        options: list[str],
        echo: Callable[[str], None] | None,
    ) -> None:
        output = ["--output", str(self.folder / "cdk.out")]
        # An app can see which stacks are chosen only with --exclusively, and needs to synthesise no others.
        chosen = [*stacks, "--exclusively"] if stacks else ["--all"]
        environment = self.inherited_environment() | cdk.QUICK  # the folder may be absent where the cloud does not run
        report = self.folder / f"{command}.log"
        with report.open("w") as file:

            def record(line: str) -> None:
                file.write(f"{line}\n")
                if echo:
                    echo(line)

            try:
                finished = cdk.run(
                    command,
                    *chosen,
                    *options,
                    *output,
                    context=context,
                    project=self.project,
                    environment=environment,
                    say=record,
                )
            except InputError as error:
                raise LocalCloudError(str(error)) from error
        if finished.failed:
            raise LocalCloudError(f"cdk {command} failed: {finished.reason} (log: {report})")

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._state() is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise LocalCloudError(f"The local cloud did not start: {self._last_words()} (log: {self.log})")
            time.sleep(0.02)

    def _stop_another(self) -> bool:
        """Stop the server that another process has started; false if there is none."""
        if not lock.is_held(self.folder):
            return False
        pid = lock.holder(self.folder)
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + STOP_SECONDS
            if pid and lock.holder(self.folder) == pid:
                os.kill(pid, number)
                while lock.is_held(self.folder) and time.monotonic() < deadline:
                    time.sleep(0.05)
        if lock.is_held(self.folder):
            raise LocalCloudError(
                f"The process that holds {self.folder / lock.NAME} cannot be ended: the local cloud is just being "
                "started, or the file was changed. Try again; if that does not help, end the process yourself."
            )
        return True

    def _state(self) -> dict[str, Any] | None:
        """Return what the server has written down; None while none is ready.

        Raises:
            LocalCloudError: The file is damaged.
        """
        path = self.folder / remains.STATE
        if not lock.is_held(self.folder):
            return None  # whatever a server that was killed has left
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            state = None
        if not (isinstance(state, dict) and all(isinstance(state.get(name), int) for name in ("pid", "port"))):
            raise LocalCloudError(f"{path} is damaged: stop the cloud with `{self.command('down')}`.")
        return state

    def _running_state(self) -> dict[str, Any]:
        state = self._state()
        if state is None and self.running:
            raise LocalCloudError(f"The local cloud in {self.folder} is just being started, or stopped: try again.")
        if state is None:
            raise self.not_running()
        if state != self._recognised:
            self._recognise(state)
        return state

    def _recognise(self, state: dict[str, Any]) -> None:
        """Ask the server who it is.

        Raises:
            LocalCloudError: It does not answer, or is another one.
        """
        try:
            with _without_proxy.open(f"{_address(state)}/moto-api/cloud", timeout=ANSWER_SECONDS) as response:
                identity = json.load(response)
        except (OSError, ValueError) as error:
            raise LocalCloudError(
                f"The local cloud in {self.folder} does not answer at {_address(state)} ({error}): "
                f"stop it with `{self.command('down')}`."
            ) from error
        if identity != {"folder": str(self.folder), "pid": state["pid"]}:
            raise LocalCloudError(
                f"{_address(state)} is not the local cloud in {self.folder}, although its {remains.STATE} says so: "
                f"stop that cloud with `{self.command('down')}`, and start it again."
            )
        self._recognised = state

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"


def start_server(words: list[str], folder_lock: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a server's process.

    Args:
        words: The arguments of ``python -m localcloud``.
        folder_lock: The lock of the cloud's folder, which the process inherits.
        log: The file for its output.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "localcloud", *words],
        stdin=subprocess.PIPE if "--attached" in words else subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        pass_fds=[folder_lock],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def _create(file: Path) -> int:
    """Open a file to write it from its beginning, readable by its owner only."""
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise LocalCloudError(f"{file} cannot be written: {error.strerror}.") from error


def _allowed_actions(document: Any) -> Iterator[str]:
    """Yield the patterns of actions that a policy allows; of ``NotAction``, everything."""
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement["Effect"] == "Allow":
            actions = statement.get("Action", "*")
            yield from [actions] if isinstance(actions, str) else actions


def _address(state: Mapping[str, Any]) -> str:
    return f"http://localhost:{state['port']}"
