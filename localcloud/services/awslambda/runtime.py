"""Runs in an execution environment: imports a function's module once and calls its handler for each event.

Started as ``python -Iu runtime.py FD``. FD is a socket to the cloud, with one JSON object in a line: the cloud sends
requests, this program answers each with a response, and with a first one when the module has been imported. What the
function prints goes to the output. Logging and errors are those of AWS's runtime for Python.

Source: https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/bootstrap.py
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import resource
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

JSON = os.environ["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
#: What every record has; anything else came by `extra` and becomes a key of the line.
USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
#: Lambda's limit on open files.
OPEN_FILES = 1024
#: Lambda's limit on a response, in bytes.
RESPONSE_BYTES = 6_291_556
#: What `ru_maxrss` counts in, bytes.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

Json = dict[str, Any]
Handler = Callable[[Any, "Context"], Any]


class Context:
    """Lambda's context object of one invocation.

    Args:
        request: What the cloud has sent: the request's id, the function's ARN, and the seconds until the timeout.
    """

    function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
    memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
    log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
    log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    identity = client_context = None

    def __init__(self, request: Json) -> None:
        self.aws_request_id: str = request["request_id"]
        self.invoked_function_arn: str = request["function_arn"]
        self._deadline = time.monotonic() + request["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


#: Where a function's code is on AWS, and in what its errors say.
TASK_ROOT = "/var/task"


class Current:
    """What the runtime works at.

    Attributes:
        request_id: The id of the request; empty while the module is imported.
    """

    request_id = ""


def _time(seconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"


class TextFormatter(logging.Formatter):
    """Lambda's lines of text: level, time, request id and message, with tabs between them."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record; a traceback follows the line."""
        line = f"[{record.levelname}]\t{_time(record.created)}\t{Current.request_id}\t{super().format(record)}"
        return line.replace("\n", "\r")  # one event of the log, however many lines it has


class JsonFormatter(logging.Formatter):
    """Lambda's lines of JSON, with the keys of the AWS runtime for Python."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record; a value that is not of JSON becomes text."""
        line: Json = {
            "timestamp": _time(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0]:
            kind, error, trace = record.exc_info
            line |= {
                "stackTrace": traceback.format_tb(trace),
                "errorType": kind.__name__,
                "errorMessage": str(error),
                "location": f"{record.pathname}:{record.funcName}:{record.lineno}",
            }
        if Current.request_id:
            line["requestId"] = Current.request_id
        extra = {key: value for key, value in vars(record).items() if key not in USUAL | line.keys()}
        return json.dumps(line | extra, ensure_ascii=False, default=str)


def _start_logging() -> None:
    """Give the root logger Lambda's handler, and the level that the function's configuration asks for."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if JSON else TextFormatter())
    logging.getLogger().addHandler(handler)
    if level := os.environ.get("AWS_LAMBDA_LOG_LEVEL"):
        logging.getLogger().setLevel("DEBUG" if level == "TRACE" else level)  # Python knows the others


class RuntimeFault(Exception):  # noqa: N818 - it stands for errors whose names Lambda gives
    """An error that Lambda's runtime names itself.

    Args:
        kind: Lambda's name of it.
        message: What is wrong.
        stack: Where, as lines of a traceback.
    """

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.stack = stack or []


def _load_handler(name: str) -> Handler:
    """Import the function's module and return its handler.

    Raises:
        RuntimeFault: The module or the handler does not exist, or the module has a syntax error.
    """
    module_name, dot, handler_name = name.rpartition(".")
    if not dot:
        message = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise RuntimeFault("Runtime.MalformedHandlerName", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise RuntimeFault("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        stack = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{module_name}': {error}"
        raise RuntimeFault("Runtime.UserCodeSyntaxError", message, stack) from error
    try:
        handler: Handler = getattr(module, handler_name)
    except AttributeError as error:
        message = f"Handler '{handler_name}' missing on module '{module_name}'"
        raise RuntimeFault("Runtime.HandlerNotFound", message) from error
    return handler


def _report(error: Exception) -> Json:
    """Log an uncaught error, and return the error response for the caller."""
    if isinstance(error, RuntimeFault):
        kind, stack = error.kind, error.stack
    else:
        frames = traceback.format_tb(error.__traceback__)[1:]  # the first is this program's
        folder = os.environ["LAMBDA_TASK_ROOT"]
        kind, stack = type(error).__name__, [frame.replace(f'"{folder}/', f'"{TASK_ROOT}/') for frame in frames]
    response = {"errorMessage": str(error), "errorType": kind, "requestId": Current.request_id, "stackTrace": stack}
    if JSON:
        line = json.dumps({"timestamp": _time(time.time()), "log_level": "ERROR", **response}, ensure_ascii=False)
    else:
        text = f"[ERROR] {kind}: {error}\nTraceback (most recent call last):\n{''.join(stack)}"
        line = text.rstrip().replace("\n", "\r")
    print(line, file=sys.stderr)  # noqa: T201 - the function's log
    return response


def _answer(handler: Handler, request: Json) -> Json:
    """Call the handler with an event; its response, or its error."""
    try:
        result = handler(request["event"], Context(request))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is an answer; SystemExit ends the process
        return {"payload": json.dumps(_report(error)), "failed": True}
    try:
        payload = json.dumps(result)
    except (TypeError, ValueError) as error:
        fault = RuntimeFault("Runtime.MarshalError", f"Unable to marshal response: {error}")
        return {"payload": json.dumps(_report(fault)), "failed": True}
    if len(payload) > RESPONSE_BYTES:  # it is ASCII
        message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
        error_answer = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
        return {"payload": json.dumps(error_answer), "failed": True}
    return {"payload": payload, "failed": False}


def _limit_open_files() -> None:
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = OPEN_FILES if hard_limit == resource.RLIM_INFINITY else min(OPEN_FILES, hard_limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def main(descriptor: int) -> int:
    """Answer requests until the cloud closes the socket; 1 if the function cannot be initialised."""
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional in the standard library
    _limit_open_files()
    connection = socket.socket(fileno=descriptor)
    requests = connection.makefile("rb")

    def send(response: Json) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
        connection.sendall(json.dumps({**response, "peak_bytes": peak}).encode() + b"\n")

    sys.path[:0] = os.environ["LOCALCLOUD_PATH"].split(os.pathsep)
    _start_logging()
    try:
        handler = _load_handler(os.environ["_HANDLER"])
    except Exception as error:  # noqa: BLE001 - whatever a module raises is an answer
        send({"payload": json.dumps(_report(error)), "failed": True})
        return 1
    send({"payload": str(os.getpid()), "failed": False})
    for line in requests:
        request = json.loads(line)
        Current.request_id = request["request_id"]
        send(_answer(handler, request))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
