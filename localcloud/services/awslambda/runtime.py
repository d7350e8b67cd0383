"""Runs inside a function's own process: calls its handler, and logs, as AWS Lambda would."""

import importlib
import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

JSON = os.environ["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
#: What every record has; anything else came by `extra` and becomes a key of the line.
USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class Context:
    """Lambda's context object."""

    function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
    memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
    log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
    log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    invoked_function_arn = os.environ["LOCALCLOUD_FUNCTION_ARN"]
    aws_request_id = os.environ["LOCALCLOUD_REQUEST_ID"]
    identity = client_context = None

    def __init__(self) -> None:
        self._deadline = time.monotonic() + float(os.environ["LOCALCLOUD_TIMEOUT"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def _time(seconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03d}Z"


class TextFormatter(logging.Formatter):
    """Lambda's lines of text: level, time, request id and message, with tabs between them."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record; a traceback follows the line."""
        line = f"[{record.levelname}]\t{_time(record.created)}\t{Context.aws_request_id}\t{super().format(record)}"
        return line.replace("\n", "\r")  # one event of the log, however many lines it has


class JsonFormatter(logging.Formatter):
    """Lambda's lines of JSON, with the keys of the AWS runtime for Python."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record; a value that is not of JSON becomes text."""
        line: dict[str, Any] = {
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
        line["requestId"] = Context.aws_request_id
        extra = {key: value for key, value in vars(record).items() if key not in USUAL | line.keys()}
        return json.dumps(line | extra, ensure_ascii=False, default=str)


def _start_logging() -> None:
    """Give the root logger Lambda's handler, and the level that the function's configuration asks for."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if JSON else TextFormatter())
    logging.getLogger().addHandler(handler)
    if level := os.environ.get("AWS_LAMBDA_LOG_LEVEL"):
        logging.getLogger().setLevel("DEBUG" if level == "TRACE" else level)  # Python knows the others


def _report(error: BaseException) -> dict[str, Any]:
    """Log an error that the handler did not catch, and return what the caller gets of it."""
    stack = traceback.format_tb(error.__traceback__)[1:]  # the first frame is this program's
    answer = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": Context.aws_request_id,
        "stackTrace": stack,
    }
    if JSON:
        line = json.dumps({"timestamp": _time(time.time()), "log_level": "ERROR", **answer}, ensure_ascii=False)
    else:
        text = f"[ERROR] {type(error).__name__}: {error}\nTraceback (most recent call last):\n{''.join(stack)}"
        line = text.rstrip().replace("\n", "\r")
    print(line, file=sys.stderr)  # noqa: T201 (the function's log)
    return answer


def main(answer_file: str) -> int:
    """Answer the event on standard input; 1 when the handler failed."""
    sys.path[:0] = os.environ["LOCALCLOUD_PATH"].split(os.pathsep)
    _start_logging()
    try:
        module, _, name = os.environ["_HANDLER"].rpartition(".")
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
        answer, status = handler(json.load(sys.stdin), Context()), 0
        text = json.dumps(answer)
    except BaseException as error:  # noqa: BLE001 (a handler's exit is a failure, too)
        text, status = json.dumps(_report(error)), 1
    Path(answer_file).write_text(text, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
