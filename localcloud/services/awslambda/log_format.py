"""A function's logging configuration, and the lines that Lambda itself writes: as text or as platform events in JSON.

moto gap: it drops the configuration.

Source of the platform events, their records and levels:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, ValidationException

#: Lambda's levels of an application's lines and of its own, from the most detailed one.
APPLICATION_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
SYSTEM_LEVELS = ("DEBUG", "INFO", "WARN")
ALLOWED = {
    "LogFormat": ("Text", "JSON"),
    "ApplicationLogLevel": APPLICATION_LEVELS,
    "SystemLogLevel": SYSTEM_LEVELS,
}
#: Stands for the ARN of AWS's runtime: the function runs with this Python instead.
RUNTIME_ARN = "arn:aws:lambda:us-east-1::runtime:local"
#: The errors with which an environment ends, and not only an invocation.
ENVIRONMENT_ENDS = ("Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory")


@dataclass(frozen=True)
class Report:
    """What Lambda says about one invocation, or one initialisation.

    Attributes:
        request: The id of the request.
        status: ``success``, ``error`` or ``timeout``.
        error_type: Lambda's name of the error; empty if there is none.
        duration: How long it took, in milliseconds.
        initialisation: How long the initialisation before it took, in milliseconds; None unless it was a cold start.
        memory_size: The memory that the function may use, in MB.
        memory_used: The most that it has used, in MB.
    """

    request: str
    status: str
    error_type: str
    duration: float
    initialisation: float | None = None
    memory_size: int = 0
    memory_used: int = 0

    @property
    def billed(self) -> int:
        """The milliseconds that Lambda bills; since August 2025 it bills initialisations, too."""
        return ceil(self.duration + (self.initialisation or 0))

    @property
    def failure(self) -> dict[str, str]:
        """The status and the type of the error; empty if there was none."""
        if self.status == "success":
            return {}
        return {"status": self.status, **({"errorType": self.error_type} if self.status == "error" else {})}


def configuration(logging_config: dict[str, Any], group: str) -> dict[str, str]:
    """Return the logging configuration of a function, with Lambda's defaults.

    Args:
        logging_config: The request's `LoggingConfig`.
        group: The log group if the request names none.

    Raises:
        ValidationException: A value is not allowed.
        InvalidParameterValueException: A level is given for lines of text.
    """
    for name, allowed in ALLOWED.items():
        if logging_config.get(name) and logging_config[name] not in allowed:
            constraint = f"Member must satisfy enum value set: [{', '.join(allowed)}]"
            raise ValidationException(logging_config[name], f"loggingConfig.{name[0].lower()}{name[1:]}", constraint)
    chosen = {
        "LogFormat": str(logging_config.get("LogFormat") or "Text"),
        "LogGroup": str(logging_config.get("LogGroup") or group),
    }
    levels = {
        name: str(logging_config[name])
        for name in ("ApplicationLogLevel", "SystemLogLevel")
        if logging_config.get(name)
    }
    if chosen["LogFormat"] == "JSON":
        return {**chosen, "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **levels}
    if levels:
        name = next(iter(levels))
        raise InvalidParameterValueException(
            f"{name} is not supported when LogFormat is set to Text. Remove it or set LogFormat to JSON."
        )
    return chosen


def initialisation_start(logging: dict[str, str], function: str, version: str) -> list[str]:
    """Return what Lambda writes when it starts an execution environment."""
    runtime = f"python:{platform.python_version()}"
    if logging["LogFormat"] == "Text":
        return [f"INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {RUNTIME_ARN}"]
    record = {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": runtime,
        "runtimeVersionArn": RUNTIME_ARN,
        "functionName": function,
        "functionVersion": version,
    }
    return _events(logging, [("INFO", "platform.initStart", record)])


def initialisation_end(logging: dict[str, str], phase: str, report: Report) -> list[str]:
    """Return what Lambda writes when it has initialised a function: as text, only if that has failed.

    Args:
        logging: The logging configuration.
        phase: ``init``, or ``invoke`` for the second attempt, which belongs to the invocation.
        report: The duration and the status.
    """
    duration = round(report.duration, 2)
    if logging["LogFormat"] == "Text":
        words = [f"INIT_REPORT Init Duration: {duration:.2f} ms", f"Phase: {phase}", *_failure_words(report)]
        return ["\t".join(words)] if report.failure else []
    record = {"initializationType": "on-demand", "phase": phase, "status": report.status, **report.failure}
    level = "WARN" if report.failure else "DEBUG"
    return _events(
        logging,
        [
            (level, "platform.initRuntimeDone", record),
            (level, "platform.initReport", {**record, "metrics": {"durationMs": duration}}),
        ],
    )


def before(logging: dict[str, str], request: str, version: str) -> list[str]:
    """Return what Lambda writes before a function's own lines."""
    if logging["LogFormat"] == "Text":
        return [f"START RequestId: {request} Version: {version}"]
    return _events(logging, [("INFO", "platform.start", {"requestId": request, "version": version})])


def environment_end(logging: dict[str, str], report: Report, message: str) -> list[str]:
    """Return what Lambda writes after the lines of a function whose environment has ended; JSON has it in `after`.

    Args:
        logging: The logging configuration.
        report: The kind of end.
        message: What the caller is told, such as ``RequestId: ID Error: Task timed out after 3.00 seconds``.
    """
    if logging["LogFormat"] != "Text" or report.error_type not in ENVIRONMENT_ENDS:
        return []
    if report.status == "timeout":
        return [f"{_now()} {report.request} {message.partition(' Error: ')[2]}"]
    return [message, "Runtime.ExitError"]


def after(logging: dict[str, str], report: Report) -> list[str]:
    """Return what Lambda writes after them; how serious an end is, AWS documents by its status."""
    duration = round(report.duration, 2)
    cold = report.initialisation is not None
    initialisation = round(report.initialisation or 0, 2)
    if logging["LogFormat"] == "Text":
        words = [
            f"REPORT RequestId: {report.request}",
            f"Duration: {duration:.2f} ms",
            f"Billed Duration: {report.billed} ms",
            f"Memory Size: {report.memory_size} MB",
            f"Max Memory Used: {report.memory_used} MB",
            *([f"Init Duration: {initialisation:.2f} ms"] if cold else []),
            *_failure_words(report),
        ]
        return [f"END RequestId: {report.request}", "\t".join(words)]
    record = {"requestId": report.request, "status": report.status, **report.failure}
    metrics = {
        "durationMs": duration,
        "billedDurationMs": report.billed,
        "memorySizeMB": report.memory_size,
        "maxMemoryUsedMB": report.memory_used,
        **({"initDurationMs": initialisation} if cold else {}),
    }
    return _events(
        logging,
        [
            (
                "WARN" if report.failure else "DEBUG",
                "platform.runtimeDone",
                {**record, "metrics": {"durationMs": duration}},
            ),
            ("WARN" if report.failure else "INFO", "platform.report", {**record, "metrics": metrics}),
        ],
    )


def _failure_words(report: Report) -> list[str]:
    names = {"status": "Status", "errorType": "Error Type"}
    return [f"{names[name]}: {value}" for name, value in report.failure.items()]


def _events(logging: dict[str, str], events: list[tuple[str, str, dict[str, Any]]]) -> list[str]:
    least = SYSTEM_LEVELS.index(logging["SystemLogLevel"])
    return [
        json.dumps({"time": _now(), "type": kind, "record": record})
        for level, kind, record in events
        if SYSTEM_LEVELS.index(level) >= least
    ]


def _now() -> str:
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
