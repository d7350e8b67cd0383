"""AWS Lambda without containers: a function's code runs in processes of its own.

moto gaps: it runs functions only in Docker, has neither their revision nor the version of their runtime, drops their
logging configuration and dead-letter queue, never retries; an update ignores tracing, temporary storage, architectures
and the key that encrypts the environment.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import LambdaBackend, LambdaFunction, LambdaStorage
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.utils import get_backend

from localcloud.access import service_calls, sessions
from localcloud.access.actions.derivation import Need
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloud.remains import DATA
from localcloud.hooks import after, replace, wrap
from localcloud.services.awslambda import (
    aliases,
    destinations,
    event_invoke_configs,
    execution_roles,
    log_format,
    qualifiers,
)
from localcloud.services.awslambda.destinations import AsynchronousEvent
from localcloud.services.awslambda.execution_environments import (
    ExecutionEnvironment,
    ExecutionEnvironments,
    Outcome,
    ThrottledError,
)
from localcloud.services.awslambda.function_state import FunctionState
from localcloud.services.cloudwatch.metrics import measure

ERROR = "x-amz-function-error"
#: Why a function cannot be called yet.
CREATING = "The function is being created."
#: Seconds that the first initialisation of an environment may take; the second one has the function's timeout.
INITIALISATION_SECONDS = 10.0
#: What Lambda calls the phases in which it initialises an environment.
PHASES = ("init", "invoke")
#: How many requests an account's functions may handle at a time: the default, and what a new account has.
CONCURRENCY, NEW_ACCOUNT_CONCURRENCY = 1000, 10


class TooManyRequestsException(LambdaClientError):  # noqa: N818 - AWS's name
    """As many requests are being handled as the function or the account may handle."""

    code = 429

    def __init__(self, reason: str) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")
        body = {"__type": self.error_type, "message": self.message, "Reason": reason, "Type": "User"}
        self.description = json.dumps(body)


@after(LambdaFunction, "__init__")
def _created(cloud: Cloud, _: Any, fn: LambdaFunction, *args: Any, **kwargs: Any) -> None:
    spec = next(argument for argument in (*args, *kwargs.values()) if isinstance(argument, dict))
    cloud.state(FunctionState, fn).logging = log_format.configuration({}, fn.logs_group_name)
    execution_roles.check(cloud, str(fn.role), fn.function_name, spec)
    _configure(cloud, fn, spec)
    fn._vpc_config = _network(spec.get("VpcConfig"))  # noqa: SLF001 - where moto keeps it


@wrap(LambdaFunction, "update_configuration")
def _update_configuration(
    cloud: Cloud, original: Any, self: LambdaFunction, config_updates: dict[str, Any]
) -> dict[str, Any]:
    execution_roles.check(cloud, config_updates.get("Role") or str(self.role), self.function_name, config_updates)
    _configure(cloud, self, config_updates)
    self.tracing_config = config_updates.get("TracingConfig") or self.tracing_config
    self.kms_key_arn = config_updates.get("KMSKeyArn", self.kms_key_arn) or None
    if "EphemeralStorage" in config_updates:
        self.ephemeral_storage = config_updates["EphemeralStorage"]["Size"]
    if "VpcConfig" in config_updates:
        config_updates["VpcConfig"] = _network(config_updates["VpcConfig"])
    updated: dict[str, Any] = original(self, config_updates)
    return updated | {"RevisionId": _revise(cloud, self)}


@wrap(LambdaFunction, "update_function_code")
def _update_code(cloud: Cloud, original: Any, self: LambdaFunction, updated_spec: dict[str, Any]) -> dict[str, Any]:
    self.architectures = updated_spec.get("Architectures") or self.architectures
    updated: dict[str, Any] = original(self, updated_spec)
    return updated | {"RevisionId": _revise(cloud, self)}


def _revise(cloud: Cloud, fn: LambdaFunction) -> str:
    """Give a function that has changed another revision, and return it."""
    state = cloud.state(FunctionState, fn)
    state.revision = str(uuid4())
    return state.revision


def _configure(cloud: Cloud, fn: LambdaFunction, spec: dict[str, Any]) -> None:
    """Keep what moto drops: how and where to log, and where failed events go."""
    if "LoggingConfig" in spec:
        group = f"/aws/lambda/{fn.function_name}"
        cloud.state(FunctionState, fn).logging = log_format.configuration(spec["LoggingConfig"] or {}, group)
        fn.logs_group_name = cloud.state(FunctionState, fn).logging["LogGroup"]
    if "Environment" in spec:
        cloud.state(FunctionState, fn).has_environment = True
    if "DeadLetterConfig" in spec:
        cloud.state(FunctionState, fn).dead_letter = spec["DeadLetterConfig"].get("TargetArn")


def _network(config: dict[str, Any] | None) -> dict[str, Any]:
    """Return the network of a function with all members that moto looks for; empty for a function without a network."""
    completed = {"SubnetIds": [], "SecurityGroupIds": [], **(config or {})}
    return completed if any(completed.values()) else {}


@after(LambdaFunction, "get_configuration")
def _described(cloud: Cloud, configuration: dict[str, Any], fn: LambdaFunction, *_args: Any, **_kwargs: Any) -> None:
    state = cloud.state(FunctionState, fn)
    configuration["LoggingConfig"] = state.logging
    configuration["RevisionId"] = state.revision
    if state.dead_letter:
        configuration["DeadLetterConfig"] = {"TargetArn": state.dead_letter}
    if state.has_environment:
        configuration.setdefault("Environment", {"Variables": {}})
    if not configuration["Layers"]:
        del configuration["Layers"]
    if fn.package_type == "Zip":
        digest = hashlib.sha256(str(fn.run_time).encode()).hexdigest()
        configuration["RuntimeVersionConfig"] = {"RuntimeVersionArn": f"arn:aws:lambda:{REGION}::runtime:{digest}"}


@after(LambdaStorage, "publish_version")
def _published(cloud: Cloud, version: LambdaFunction, storage: LambdaStorage, name: str, *_args: Any) -> None:
    """Give a new version what moto drops of its function, and a number that no version has had, even a deleted one."""
    latest = cloud.state(FunctionState, storage.get_function_by_name_or_arn_forbid_qualifier(name))
    if cloud.state(FunctionState, version).logging:  # nothing has changed since the last version, which this is
        return
    latest.versions += 1
    version.policy = Policy(version)  # what permits calls of the function does not permit those of a version
    storage._arns.pop(version.function_arn)  # noqa: SLF001 - where moto finds versions
    version.set_version(latest.versions)
    storage._arns[version.function_arn] = version  # noqa: SLF001
    cloud.set_state(version, dataclasses.replace(latest, revision=str(uuid4())))


@replace(LambdaFunction, "_invoke_lambda")
def _invoke_lambda(cloud: Cloud, self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
    return _run(cloud, self, event, str(uuid4()), str(self.function_arn))


def _named(function_name: str, qualifier: str | None = None) -> tuple[LambdaFunction, str]:
    """Return the version that a call by a name runs, and the ARN of what is named, such as an alias."""
    target = qualifiers.named(function_name, qualifier)
    return aliases.called(get_backend(ACCOUNT, REGION), target), target.arn


class FunctionError(Exception):
    """A function ended with an error."""


def call(cloud: Cloud, name: str, event: Any) -> Any:
    """Run a function once, by name or ARN, and return what it returns.

    Raises:
        FunctionError: It failed.
        TooManyRequestsException: As many requests are being handled as the function or the account may handle.
    """
    fn, arn = _named(name)
    result, failed, _ = _run(cloud, fn, event, str(uuid4()), arn)
    if failed:
        raise FunctionError(result)
    return json.loads(result or "null")


def invoke(cloud: Cloud, name: str, event: Any) -> tuple[Any, bool]:
    """Run a function once, by name or ARN: its answer, and whether it failed. It also fails if it is throttled."""
    fn, arn = _named(name)
    try:
        result, failed, _ = _run(cloud, fn, event, str(uuid4()), arn)
    except TooManyRequestsException as error:
        return {"errorType": error.error_type, "errorMessage": error.message}, True
    return json.loads(result or "null"), failed


def _run(cloud: Cloud, fn: LambdaFunction, event: Any, request: str, arn: str) -> tuple[str, bool, str]:
    """Let an execution environment handle an event: the answer, whether it failed, and what was logged.

    Args:
        cloud: The function's cloud.
        fn: The function, or a version of it.
        event: The event.
        request: The id of the request.
        arn: What the caller has called: the function, a version or an alias.

    Raises:
        TooManyRequestsException: As many requests are being handled as the function or the account may handle.
    """
    environments, state = cloud.state(ExecutionEnvironments), cloud.state(FunctionState, fn)
    account = NEW_ACCOUNT_CONCURRENCY if cloud.settings.account == "new" else CONCURRENCY
    try:
        with (
            environments.admit(fn.function_name, _reserved_concurrency(), account),
            environments.use(state.revision, partial(_start, cloud, fn, request)) as environment,
        ):
            attempts, environment.initialisations = environment.initialisations, []
            if attempts and attempts[-1].status != "success":
                outcome = dataclasses.replace(attempts[-1], output="")
            else:
                outcome = environment.invoke(event, request, arn, int(fn.timeout))
            lines = _lines_of(cloud, fn, attempts, outcome, request)
            _write_log(cloud, fn, environment.log_stream, lines)  # before the environment's next event does
    except ThrottledError as error:
        measure("AWS/Lambda", "Throttles", 1.0, {"FunctionName": fn.function_name})
        raise TooManyRequestsException(error.reason) from error
    failed = outcome.status != "success"
    for metric, value in (("Invocations", 1.0), ("Errors", float(failed)), ("Duration", outcome.seconds * 1000)):
        measure("AWS/Lambda", metric, value, {"FunctionName": fn.function_name})
    return outcome.payload, failed, "\n".join(lines)


def _start(cloud: Cloud, fn: LambdaFunction, request: str) -> ExecutionEnvironment:
    """Start an environment and initialise the function; if that fails, start over in the invocation, as Lambda does."""
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[{fn.version}]{uuid4().hex}"
    variables, attempts = _variables(cloud, fn, stream), list[Outcome]()
    for seconds in (INITIALISATION_SECONDS, float(fn.timeout)):
        environment = ExecutionEnvironment(variables, variables["LAMBDA_TASK_ROOT"], int(fn.memory_size), stream)
        attempts.append(environment.initialise(request, seconds))
        if attempts[-1].status == "success":
            break
    environment.initialisations = attempts
    return environment


def _lines_of(cloud: Cloud, fn: LambdaFunction, attempts: list[Outcome], outcome: Outcome, request: str) -> list[str]:
    """Return the lines of an invocation in the log.

    Args:
        cloud: The function's cloud.
        fn: The function.
        attempts: The initialisations of its environment, if it is new.
        outcome: What came of the invocation.
        request: The id of the request.
    """
    logging = cloud.state(FunctionState, fn).logging
    lines = log_format.initialisation_start(logging, fn.function_name, str(fn.version)) if attempts else []
    for phase, attempt in zip(PHASES, attempts, strict=False):
        lines += _lines(attempt.output)
        report = log_format.Report(request, attempt.status, attempt.error_type, attempt.seconds * 1000)
        lines += log_format.initialisation_end(logging, phase, report)
    is_cold_start = len(attempts) == 1
    report = log_format.Report(
        request,
        outcome.status,
        outcome.error_type,
        outcome.seconds * 1000,
        attempts[0].seconds * 1000 if is_cold_start else None,
        int(fn.memory_size),
        outcome.memory,
    )
    lines += [*log_format.before(logging, request, str(fn.version)), *_lines(outcome.output)]
    if outcome.status != "success":
        lines += log_format.environment_end(logging, report, json.loads(outcome.payload)["errorMessage"])
    return lines + log_format.after(logging, report)


def _write_log(cloud: Cloud, fn: LambdaFunction, stream: str, lines: list[str]) -> None:
    """Write what a function logged as the function's role, as Lambda does: without permission it is lost."""
    place = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{fn.logs_group_name}:log-stream:"
    group, needed = fn.logs_backend.groups.get(fn.logs_group_name), [Need("logs:PutLogEvents", place + stream)]
    if not group or stream not in group.streams:
        needed.insert(0, Need("logs:CreateLogStream", place + stream))
    if not group:
        needed.insert(0, Need("logs:CreateLogGroup", place))
    try:
        service_calls.check_role(cloud, str(fn.role), fn.function_name, *needed)
    except PermissionError:  # which is recorded as a denial
        return
    now = int(time.time() * 1000)
    fn.logs_backend.ensure_log_group(fn.logs_group_name)
    fn.logs_backend.ensure_log_stream(fn.logs_group_name, stream)
    fn.logs_backend.put_log_events(fn.logs_group_name, stream, [{"timestamp": now, "message": line} for line in lines])


def _reserved_concurrency() -> dict[str, int]:
    """Return the reserved concurrency of each function that has one."""
    reserved = {name: versions[0].reserved_concurrency for name, versions in _versions().items() if versions}
    return {name: int(concurrency) for name, concurrency in reserved.items() if concurrency is not None}


def _versions() -> dict[str, list[LambdaFunction]]:
    """Return the versions of each function, the unpublished one first."""
    groups = dict(get_backend(ACCOUNT, REGION)._lambdas._functions)  # noqa: SLF001
    return {name: [fn for fn in (group["latest"], *group["versions"]) if fn] for name, group in groups.items()}


def end_unused_environments(cloud: Cloud) -> None:
    """End execution environments that nobody needs: of functions that are gone or have changed, and idle ones."""
    revisions = {cloud.state(FunctionState, fn).revision for versions in _versions().values() for fn in versions}
    cloud.state(ExecutionEnvironments).end_unused(revisions, cloud.settings.idle_seconds)


def _lines(output: str) -> list[str]:
    """Return the events that a function's output makes; a carriage return keeps the lines of one event together."""
    lines = [line.strip("\r") for line in output.split("\n")]
    return [line.replace("\r", "\n") for line in lines if line]


def _variables(cloud: Cloud, fn: LambdaFunction, stream: str) -> dict[str, str]:
    """Return the environment variables of an execution environment."""
    layers = [get_backend(fn.account_id, fn.region).layers_versions_by_arn(layer["Arn"]) for layer in fn.layers]
    logging = cloud.state(FunctionState, fn).logging
    code = _unpacked(cloud, fn.code_bytes, fn.code_sha_256)
    path = [code, *(f"{_unpacked(cloud, layer.code_bytes, layer.code_sha_256)}/python" for layer in layers if layer)]
    return {
        "PATH": os.environ["PATH"],
        **cloud.environment(),
        **sessions.environment(cloud, str(fn.role), fn.function_name, str(fn.function_arn)),
        # An address of AWS's own, such as that of an endpoint in a network, is this cloud's here.
        **{name: str(value) for name, value in fn.environment_vars.items() if not name.startswith("AWS_ENDPOINT_URL")},
        "_HANDLER": str(fn.handler),
        "LAMBDA_TASK_ROOT": code,
        "LOCALCLOUD_PATH": os.pathsep.join(path),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{fn.run_time}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": fn.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(fn.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(fn.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": fn.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
        **({"AWS_LAMBDA_LOG_LEVEL": logging["ApplicationLogLevel"]} if logging["LogFormat"] == "JSON" else {}),
        "TZ": ":UTC",
    }


def _unpacked(cloud: Cloud, archive: bytes, digest: str) -> str:
    """Return the folder with an archive's content, unpacked once."""
    store = cloud.folder / DATA / "functions"
    unpacked = store / digest.replace("/", "_").rstrip("=")
    if not unpacked.exists():
        store.mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=store))
        with zipfile.ZipFile(BytesIO(archive)) as file:
            file.extractall(fresh)
        try:
            fresh.rename(unpacked)
        except OSError:  # another invocation was faster
            return str(fresh)
    return str(unpacked)


@wrap(LambdaFunction, "invoke")
def _invoke_function(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud, original: Any, self: LambdaFunction, body: str, request_headers: Any, response_headers: Any
) -> Any:
    """Let an event that another service sends, which has no headers, wait while it is throttled."""
    try:
        return original(self, body, request_headers, response_headers)
    except TooManyRequestsException:
        if request_headers:
            raise
        event = AsynchronousEvent(self, str(self.function_arn), json.loads(body))
        cloud.later(cloud.settings.retry_seconds, _handle, cloud, event)
        return ""


@wrap(LambdaResponse, "create_function")
def _create_response(original: Any, self: LambdaResponse) -> Any:
    """Say that the function is being made, as Lambda does; whoever asks later hears that it is there."""
    status, headers, body = original(self)
    reason = {"State": "Pending", "StateReason": CREATING, "StateReasonCode": "Creating"}
    return status, headers, json.dumps({**json.loads(body), **reason})


@wrap(LambdaResponse, "update_function_configuration", "update_function_code")
def _update_response(original: Any, self: LambdaResponse) -> Any:
    status, headers, body = original(self)
    reason = {"LastUpdateStatus": "InProgress", "LastUpdateStatusReason": CREATING}
    return status, headers, json.dumps({**json.loads(body), **reason, "LastUpdateStatusReasonCode": "Creating"})


@after(LambdaClientError, "__init__")
def _of_the_sender(_: None, error: LambdaClientError, *_args: Any, **_kwargs: Any) -> None:
    """Say that an error is the caller's."""
    error.description = json.dumps({"Type": "User", **json.loads(str(error.description))})


@wrap(LambdaResponse, "invoke")
def _read_qualifier(original: Any, self: LambdaResponse) -> Any:
    """Invoke the version or the alias that a request names. moto looks for it under another name."""
    if qualifier := self.querystring.get("Qualifier"):
        self.querystring["qualifier"] = qualifier
    return original(self)


@replace(LambdaBackend, "invoke")
def _invoke(  # noqa: PLR0917 - moto's parameters, which it gives by name, too
    cloud: Cloud,
    self: LambdaBackend,  # noqa: ARG001
    function_name: str,
    qualifier: str | None,
    body: Any,
    headers: Any,
    response_headers: dict[str, str],
) -> bytes:
    kind = {key.lower(): value for key, value in dict(headers).items()}.get("x-amz-invocation-type")
    fn, arn = _named(function_name, qualifier)
    event = json.loads(body or "{}")
    if kind == "Event" or not headers:  # what another service of moto's sends has none
        cloud.background(_handle, cloud, AsynchronousEvent(fn, arn, event))
        return b""
    if kind == "DryRun":
        return b""
    result, failed, lines = _run(cloud, fn, event, str(uuid4()), arn)
    payload = result.encode()
    response_headers |= {"x-amz-executed-version": str(fn.version), "Content-Length": str(len(payload))}
    response_headers["x-amz-log-result"] = base64.b64encode(lines.encode()).decode()
    if failed:  # whatever the handler raised; "Handled" was a word of the first runtimes
        response_headers[ERROR] = "Unhandled"
    return payload


def _handle(cloud: Cloud, event: AsynchronousEvent) -> None:
    """Let a function handle an event: again if it fails, as Lambda does, only sooner; then it goes where failures go.

    An event that is throttled waits, which does not count as an attempt.
    """
    fn = event.function
    try:
        result, failed, _ = _run(cloud, fn, event.payload, event.request, event.arn)
    except TooManyRequestsException:
        cloud.later(cloud.settings.retry_seconds, _handle, cloud, event)
        return
    event.attempts += 1
    settings = event_invoke_configs.settings(cloud, event.arn)
    condition = destinations.outcome(settings, event.attempts) if failed else destinations.SUCCESS
    if not condition:
        cloud.later(cloud.settings.retry_seconds * event.attempts, _handle, cloud, event)
        return
    try:
        destinations.send(cloud, event, settings, result, condition)
    finally:
        dead_letter = cloud.state(FunctionState, fn).dead_letter
        if failed and dead_letter:
            destinations.send_dead_letter(cloud, event, dead_letter, result)
