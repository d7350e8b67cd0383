"""AWS Lambda without containers: a function's code runs in a process of its own.

moto gaps: it runs functions only in Docker, drops their logging configuration and dead-letter queue, never retries; an
update ignores tracing, temporary storage and the key that encrypts the environment.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.utils import get_backend

from localcloud.access import service_calls, sessions
from localcloud.access.actions.derivation import Need
from localcloud.cloud import processes
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloud.remains import DATA
from localcloud.hooks import after, replace, wrap
from localcloud.services.awslambda import destinations, log_format
from localcloud.services.cloudwatch.metrics import measure

RUNTIME = str(Path(__file__).with_name("runtime.py"))
ERROR = "x-amz-function-error"


@dataclass
class FunctionState:
    """What moto drops of a function.

    Attributes:
        logging: Its ``LoggingConfig``.
        dead_letter: The ARN of its dead-letter queue or topic; None if it has none.
    """

    logging: dict[str, str] = field(default_factory=dict)
    dead_letter: str | None = None


@after(LambdaFunction, "__init__")
def _created(cloud: Cloud, _: Any, fn: LambdaFunction, *args: Any, **kwargs: Any) -> None:
    spec = next(argument for argument in (*args, *kwargs.values()) if isinstance(argument, dict))
    cloud.state(FunctionState, fn).logging = log_format.configuration({}, fn.logs_group_name)
    _configure(cloud, fn, spec)


@wrap(LambdaFunction, "update_configuration")
def _update_configuration(
    cloud: Cloud, original: Any, self: LambdaFunction, config_updates: dict[str, Any]
) -> dict[str, Any]:
    _configure(cloud, self, config_updates)
    self.tracing_config = config_updates.get("TracingConfig") or self.tracing_config
    self.kms_key_arn = config_updates.get("KMSKeyArn", self.kms_key_arn) or None
    if "EphemeralStorage" in config_updates:
        self.ephemeral_storage = config_updates["EphemeralStorage"]["Size"]
    updated: dict[str, Any] = original(self, config_updates)
    return updated


def _configure(cloud: Cloud, fn: LambdaFunction, spec: dict[str, Any]) -> None:
    """Keep what moto drops: how and where to log, and where failed events go."""
    if "LoggingConfig" in spec:
        group = f"/aws/lambda/{fn.function_name}"
        cloud.state(FunctionState, fn).logging = log_format.configuration(spec["LoggingConfig"] or {}, group)
        fn.logs_group_name = cloud.state(FunctionState, fn).logging["LogGroup"]
    if "DeadLetterConfig" in spec:
        cloud.state(FunctionState, fn).dead_letter = spec["DeadLetterConfig"].get("TargetArn")


@after(LambdaFunction, "get_configuration")
def _described(cloud: Cloud, configuration: dict[str, Any], fn: LambdaFunction, *_args: Any, **_kwargs: Any) -> None:
    state = cloud.state(FunctionState, fn)
    configuration["LoggingConfig"] = state.logging
    if state.dead_letter:
        configuration["DeadLetterConfig"] = {"TargetArn": state.dead_letter}


@replace(LambdaFunction, "_invoke_lambda")
def _invoke_lambda(cloud: Cloud, self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
    return _run(cloud, self, event, str(uuid4()))


def invoke(cloud: Cloud, name: str, event: Any) -> tuple[Any, bool]:
    """Run a function once, by name or ARN: its answer, and whether it failed."""
    backend = get_backend(ACCOUNT, REGION)
    result, failed, _ = _run(cloud, backend.get_function(name), event, str(uuid4()))
    return json.loads(result or "null"), failed


def retry_seconds() -> float:
    """The pause before what failed is tried again; AWS takes a minute."""
    return float(os.environ.get("LOCALCLOUD_RETRY_SECONDS", "1"))


def _run(cloud: Cloud, fn: LambdaFunction, event: Any, request: str) -> tuple[str, bool, str]:
    """Run the handler once: its answer, whether it failed, what it logged."""
    begin, timeout, logging = time.monotonic(), int(fn.timeout), cloud.state(FunctionState, fn).logging
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[{fn.version}]{uuid4().hex}"
    values = _environment(cloud, fn, request, stream)
    with tempfile.TemporaryDirectory(prefix="function-") as sandbox, tempfile.TemporaryFile() as body:
        body.write(json.dumps(event).encode())
        body.seek(0)
        answer, values["TMPDIR"] = Path(sandbox, "answer"), sandbox
        command = [sys.executable, "-Iu", RUNTIME, str(answer)]
        process = processes.start(command, folder=values["LAMBDA_TASK_ROOT"], environment=values, stdin=body)
        try:
            output = process.communicate(timeout=timeout)[0]
            status = "error" if process.returncode else "success"
            result = answer.read_text(encoding="utf-8") if answer.exists() else ""
        except subprocess.TimeoutExpired:
            processes.end(process, patience=0)
            message = f"{request} Task timed out after {timeout:.2f} seconds"
            output, status = process.communicate()[0], "timeout"
            if logging["LogFormat"] == "Text":  # in JSON, the platform's events have it as their status
                output += message.encode()
            result = json.dumps({"errorMessage": message, "errorType": "Sandbox.Timedout"})
    duration, failed = (time.monotonic() - begin) * 1000, status != "success"
    invocation = log_format.Invocation(request, str(fn.version), duration, int(fn.memory_size), status)
    lines = [
        *log_format.before(logging, invocation),
        *_lines(output.decode(errors="replace")),
        *log_format.after(logging, invocation),
    ]
    _write(cloud, fn, stream, lines)
    for metric, value in (("Invocations", 1.0), ("Errors", float(failed)), ("Duration", duration)):
        measure("AWS/Lambda", metric, value, {"FunctionName": fn.function_name})
    return result, failed, "\n".join(lines)


def _write(cloud: Cloud, fn: LambdaFunction, stream: str, lines: list[str]) -> None:
    """Write what a function logged as the function's role, as Lambda does: without permission it is lost."""
    place = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{fn.logs_group_name}:log-stream:"
    needed = [Need("logs:CreateLogStream", place + stream), Need("logs:PutLogEvents", place + stream)]
    if fn.logs_group_name not in fn.logs_backend.groups:
        needed.insert(0, Need("logs:CreateLogGroup", place))
    try:
        service_calls.check_role(cloud, str(fn.role), fn.function_name, *needed)
    except PermissionError:  # which is recorded as a denial
        return
    now = int(time.time() * 1000)
    fn.logs_backend.ensure_log_group(fn.logs_group_name)
    fn.logs_backend.create_log_stream(fn.logs_group_name, stream)
    log_events = [{"timestamp": now, "message": line} for line in lines]
    fn.logs_backend.put_log_events(fn.logs_group_name, stream, log_events)


def _lines(output: str) -> list[str]:
    """The events that a function's output makes; a carriage return keeps the lines of one event together."""
    lines = [line.strip("\r") for line in output.split("\n")]
    return [line.replace("\r", "\n") for line in lines if line]


def _environment(cloud: Cloud, fn: LambdaFunction, request: str, stream: str) -> dict[str, str]:
    layers = [get_backend(fn.account_id, fn.region).layers_versions_by_arn(layer["Arn"]) for layer in fn.layers]
    logging = cloud.state(FunctionState, fn).logging
    code = _unpacked(cloud, fn.code_bytes, fn.code_sha_256)
    path = [code, *(f"{_unpacked(cloud, layer.code_bytes, layer.code_sha_256)}/python" for layer in layers if layer)]
    return {
        "PATH": os.environ["PATH"],
        **cloud.environment(),
        **sessions.environment(cloud, str(fn.role), fn.function_name),
        # An address of AWS's own, such as that of an endpoint in a network, is this cloud's here.
        **{name: str(value) for name, value in fn.environment_vars.items() if not name.startswith("AWS_ENDPOINT_URL")},
        "_HANDLER": str(fn.handler),
        "LAMBDA_TASK_ROOT": code,
        "LOCALCLOUD_PATH": os.pathsep.join(path),
        "LOCALCLOUD_REQUEST_ID": request,
        "LOCALCLOUD_FUNCTION_ARN": fn.function_arn,
        "LOCALCLOUD_TIMEOUT": str(fn.timeout),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{fn.run_time}",
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
    """The folder with an archive's content, unpacked once."""
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


@wrap(LambdaBackend, "invoke")
def _invoke(  # noqa: PLR0917 (moto's parameters, which it gives by name, too)
    cloud: Cloud,
    original: Any,
    self: LambdaBackend,
    function_name: str,
    qualifier: str | None,
    body: Any,
    headers: Any,
    response_headers: Any,
) -> Any:
    kind = {key.lower(): value for key, value in dict(headers).items()}.get("x-amz-invocation-type")
    if kind == "Event":
        cloud.background(_invoke_asynchronously, cloud, self.get_function(function_name, qualifier), body)
        return b""
    payload = original(self, function_name, qualifier, body, headers, response_headers)
    if ERROR in response_headers:  # whatever the handler raised; "Handled" was a word of the first runtimes
        response_headers[ERROR] = "Unhandled"
    return payload


def _invoke_asynchronously(cloud: Cloud, fn: LambdaFunction, body: Any) -> None:
    """Retry a failing event as Lambda does, only sooner; then it goes where failures go."""
    event, request = json.loads(body or "{}"), str(uuid4())
    attempts = destinations.retries(fn) + 1
    for attempt in range(attempts):
        time.sleep(retry_seconds() * attempt)
        result, failed, _ = _run(cloud, fn, event, request)
        if not failed:
            destinations.send(cloud, fn, request, event, result, failed=False, attempts=attempt + 1)
            return
    try:
        destinations.send(cloud, fn, request, event, result, failed=True, attempts=attempts)
    finally:
        if dead_letter := cloud.state(FunctionState, fn).dead_letter:
            destinations.hand_over(cloud, fn, dead_letter, json.dumps(event))
