"""Runs inside a function's own process: calls its handler as AWS Lambda would."""

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path


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


def main(answer_file: str) -> int:
    """Answer the event on standard input; 1 when the handler failed."""
    sys.path[:0] = os.environ["LOCALCLOUD_PATH"].split(os.pathsep)
    try:
        module, _, name = os.environ["_HANDLER"].rpartition(".")
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
        answer, status = handler(json.load(sys.stdin), Context()), 0
        text = json.dumps(answer)
    except BaseException as error:  # noqa: BLE001 (a handler's exit is a failure, too)
        trace = traceback.format_exc()
        print(f"[ERROR] {type(error).__name__}: {error}\n{trace}", file=sys.stderr)  # noqa: T201 (the function's log)
        answer = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace.splitlines()}
        text, status = json.dumps(answer), 1
    Path(answer_file).write_text(text, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
