"""A function's logging configuration, and the lines that Lambda itself writes: as text or as platform events in JSON.

moto gap: it drops the configuration.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
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


@dataclass(frozen=True)
class Invocation:
    """What Lambda says about one run of a function; the duration is in milliseconds, the memory in MB."""

    request: str
    version: str
    duration: float
    memory: int
    status: str  # success, error or timeout


def configuration(wanted: dict[str, Any], group: str) -> dict[str, str]:
    """The logging configuration of a function, with Lambda's defaults.

    Args:
        wanted: `LoggingConfig` as a request has it.
        group: The log group where it names none.

    Raises:
        ValidationException: A value is not one of those allowed.
        InvalidParameterValueException: A level is given for lines of text.
    """
    for name, allowed in ALLOWED.items():
        if wanted.get(name) and wanted[name] not in allowed:
            constraint = f"Member must satisfy enum value set: [{', '.join(allowed)}]"
            raise ValidationException(wanted[name], f"loggingConfig.{name[0].lower()}{name[1:]}", constraint)
    chosen = {"LogFormat": str(wanted.get("LogFormat") or "Text"), "LogGroup": str(wanted.get("LogGroup") or group)}
    levels = {name: str(wanted[name]) for name in ("ApplicationLogLevel", "SystemLogLevel") if wanted.get(name)}
    if chosen["LogFormat"] == "JSON":
        return {**chosen, "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **levels}
    if levels:
        name = next(iter(levels))
        raise InvalidParameterValueException(
            f"{name} is not supported when LogFormat is set to Text. Remove it or set LogFormat to JSON."
        )
    return chosen


def before(logging: dict[str, str], invocation: Invocation) -> list[str]:
    """What Lambda writes before a function's own lines."""
    if logging["LogFormat"] == "Text":
        return [f"START RequestId: {invocation.request} Version: {invocation.version}"]
    record = {"requestId": invocation.request, "version": invocation.version}
    return _events(logging, [("INFO", "platform.start", record)])


def after(logging: dict[str, str], invocation: Invocation) -> list[str]:
    """What Lambda writes after them; how serious an end is, AWS documents by its status."""
    duration = round(invocation.duration, 2)
    if logging["LogFormat"] == "Text":
        report = f"Duration: {duration:.2f} ms\tMemory Size: {invocation.memory} MB"
        return [f"END RequestId: {invocation.request}", f"REPORT RequestId: {invocation.request}\t{report}"]
    record = {"requestId": invocation.request, "status": invocation.status}
    metrics = {"durationMs": duration}
    failed = invocation.status != "success"
    return _events(
        logging,
        [
            ("WARN" if failed else "DEBUG", "platform.runtimeDone", {**record, "metrics": metrics}),
            (
                "WARN" if failed else "INFO",
                "platform.report",
                {**record, "metrics": {**metrics, "memorySizeMB": invocation.memory}},
            ),
        ],
    )


def _events(logging: dict[str, str], events: list[tuple[str, str, dict[str, Any]]]) -> list[str]:
    least, now = SYSTEM_LEVELS.index(logging["SystemLogLevel"]), datetime.now(UTC)
    time = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
    return [
        json.dumps({"time": time, "type": kind, "record": record})
        for level, kind, record in events
        if SYSTEM_LEVELS.index(level) >= least
    ]
