"""AWS Lambda without containers: a function's code runs in a process of its own.

moto gaps: it runs functions in Docker alone, drops their log group and dead-letter queue, and never retries.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.utils import get_backend

from localcloud.cloud import processes
from localcloud.cloud.account import ACCOUNT, REGION, environment
from localcloud.cloud.background import background, endpoint, folder
from localcloud.cloud.remains import DATA
from localcloud.hooks import after, instead
from localcloud.services.cloudwatch.metrics import measure
from localcloud.services.events.behaviour import deliver

RUNTIME = str(Path(__file__).with_name("runtime.py"))
RETRIES = 2


@after(LambdaFunction, "__init__", "update_configuration")
def _configured(_: Any, fn: LambdaFunction, *args: Any, **kwargs: Any) -> None:
    """Keep what moto drops: where to log, and where failed events go."""
    spec = next(argument for argument in (*args, *kwargs.values()) if isinstance(argument, dict))
    if group := (spec.get("LoggingConfig") or {}).get("LogGroup"):
        fn.logs_group_name = group
    if "DeadLetterConfig" in spec:
        fn.__dict__["dead_letter"] = spec["DeadLetterConfig"].get("TargetArn")


@instead(LambdaFunction, "_invoke_lambda")
def _invoke_lambda(_: Any, self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
    return _run(self, event, str(uuid4()))


def invoke(name: str, event: Any) -> tuple[Any, bool]:
    """Run a function once, by name or ARN: its answer, and whether it failed."""
    backend = get_backend(ACCOUNT, REGION)
    result, failed, _ = _run(backend.get_function(name), event, str(uuid4()))
    return json.loads(result or "null"), failed


def retry_seconds() -> float:
    """The pause before what failed is tried again; AWS takes a minute."""
    return float(os.environ.get("LOCALCLOUD_RETRY_SECONDS", "1"))


def _run(fn: LambdaFunction, event: Any, request: str) -> tuple[str, bool, str]:
    """Run the handler once: its answer, whether it failed, what it logged."""
    begin, timeout = time.monotonic(), int(fn.timeout)
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[{fn.version}]{uuid4().hex}"
    values = _environment(fn, request, stream)
    with tempfile.TemporaryDirectory(prefix="function-") as sandbox, tempfile.TemporaryFile() as body:
        body.write(json.dumps(event).encode())
        body.seek(0)
        answer, values["TMPDIR"] = Path(sandbox, "answer"), sandbox
        command = [sys.executable, "-Iu", RUNTIME, str(answer)]
        process = processes.start(command, folder=values["LAMBDA_TASK_ROOT"], environment=values, stdin=body)
        try:
            output, failed = process.communicate(timeout=timeout)[0], process.returncode != 0
            result = answer.read_text(encoding="utf-8") if answer.exists() else ""
        except subprocess.TimeoutExpired:
            processes.end(process, patience=0)
            message = f"{request} Task timed out after {timeout:.2f} seconds"
            output, failed = process.communicate()[0] + message.encode(), True
            result = json.dumps({"errorMessage": message, "errorType": "Sandbox.Timedout"})
    duration = (time.monotonic() - begin) * 1000
    lines = [
        f"START RequestId: {request} Version: {fn.version}",
        *(line for line in output.decode(errors="replace").splitlines() if line),
        f"END RequestId: {request}",
        f"REPORT RequestId: {request}\tDuration: {duration:.2f} ms\tMemory Size: {fn.memory_size} MB",
    ]
    now = int(time.time() * 1000)
    fn.logs_backend.ensure_log_group(fn.logs_group_name)
    fn.logs_backend.create_log_stream(fn.logs_group_name, stream)
    log_events = [{"timestamp": now, "message": line} for line in lines]
    fn.logs_backend.put_log_events(fn.logs_group_name, stream, log_events)
    for metric, value in (("Invocations", 1.0), ("Errors", float(failed)), ("Duration", duration)):
        measure("AWS/Lambda", metric, value, {"FunctionName": fn.function_name})
    return result, failed, "\n".join(lines)


def _environment(fn: LambdaFunction, request: str, stream: str) -> dict[str, str]:
    layers = [get_backend(fn.account_id, fn.region).layers_versions_by_arn(layer["Arn"]) for layer in fn.layers]
    code = _unpacked(fn.code_bytes, fn.code_sha_256)
    path = [code, *(f"{_unpacked(layer.code_bytes, layer.code_sha_256)}/python" for layer in layers if layer)]
    return {
        "PATH": os.environ["PATH"],
        **environment(endpoint(), folder()),
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
        "TZ": ":UTC",
    }


def _unpacked(archive: bytes, digest: str) -> str:
    """The folder with an archive's content, unpacked once."""
    store = folder() / DATA / "functions"
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


@instead(LambdaBackend, "invoke")
def _invoke(  # noqa: PLR0917 (moto's parameters)
    original: Any, self: LambdaBackend, name: str, qualifier: str | None, body: Any, headers: Any, answer: Any
) -> Any:
    kind = {key.lower(): value for key, value in dict(headers).items()}.get("x-amz-invocation-type")
    if kind == "Event":
        background(_invoke_asynchronously, self.get_function(name, qualifier), body)
        return b""
    return original(self, name, qualifier, body, headers, answer)


def _invoke_asynchronously(fn: LambdaFunction, body: Any) -> None:
    """Retry a failing event as Lambda does, only sooner; then it goes where failures go."""
    event, request = json.loads(body or "{}"), str(uuid4())
    for attempt in range(RETRIES + 1):
        time.sleep(retry_seconds() * attempt)
        _, failed, _ = _run(fn, event, request)
        if not failed:
            return
    if dead_letter := fn.__dict__.get("dead_letter"):
        deliver(dead_letter, json.dumps(event))
