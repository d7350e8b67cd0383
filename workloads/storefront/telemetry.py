"""One JSON line an event, on standard output and in CloudWatch Logs; counts and latency to CloudWatch every minute.

A request never waits for CloudWatch, and never fails for it: what cannot be sent is kept for a while, then dropped.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections import Counter, deque
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contract.errors import GroundworkError, printable
from contract.metrics import Namespace, StorefrontMetric
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient


_SEND_SECONDS, _METRIC_SECONDS = 2.0, 60.0
_LINES_KEPT, _LINES_PER_REQUEST, _LONGEST_TRACEBACK = 10_000, 1_000, 8_000
_VALUES_PER_METRIC = 150  # PutMetricData's limit
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 2})
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as a line of JSON: time, level, message, what `extra` brought, and where an exception came from."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        event = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            event["exception"] = origin(record.exc_info[1])[-_LONGEST_TRACEBACK:]
        return json.dumps(event, default=str, ensure_ascii=False)


def origin(error: BaseException | None) -> str:
    """Return the traceback of an exception and of its causes, without their messages.

    A message may repeat what a visitor sent: `int("a name")` does, and so does a database that refuses a value.
    """
    tracebacks: list[str] = []
    while error:
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        tracebacks.append("".join(traceback.format_tb(error.__traceback__)) + name)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\n".join(reversed(tracebacks))


class CloudWatchLogs(logging.Handler):
    """Buffers lines and sends them from a thread.

    Args:
        group: The log group; each process writes a stream of its own.
        client: For tests; by default the environment's.
    """

    def __init__(self, group: str, client: CloudWatchLogsClient | None = None) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self._client = client or boto3.client("logs", config=_CONFIG)
        self._group = group
        self._stream = ""
        self._lines: deque[tuple[int, str]] = deque(maxlen=_LINES_KEPT)
        self._batch: list[tuple[int, str]] = []  # taken from the lines, not sent yet
        self._sending = threading.Lock()
        self._warned = False

    def emit(self, record: logging.LogRecord) -> None:
        """Buffer a line."""
        self._lines.append((int(record.created * 1000), self.format(record)))

    def flush(self) -> None:
        """Send what is buffered; if CloudWatch takes nothing, keep it and say so once."""
        with self._sending:
            try:
                with asking_aws(f"Log group {self._group}", service="CloudWatch Logs"):
                    self._send()
            except GroundworkError as error:
                if not self._warned:
                    _say(f"CloudWatch Logs takes no lines, and the site goes on. {error}")
                self._warned = True
                self._stream = ""  # it may be gone

    def _send(self) -> None:
        while self._lines or self._batch:
            while self._lines and len(self._batch) < _LINES_PER_REQUEST:
                self._batch.append(self._lines.popleft())
            if not self._stream:
                name = f"{socket.gethostname()}/{os.getpid()}/{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
                self._client.create_log_stream(logGroupName=self._group, logStreamName=name)
                self._stream = name
            lines = sorted(self._batch, key=itemgetter(0))
            events: Any = [{"timestamp": moment, "message": line} for moment, line in lines]
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
            self._batch.clear()
            self._warned = False


class Metrics:
    """Counts requests and errors, and how long they took: sent as distributions, so that percentiles are right.

    Args:
        stack: Their dimension, so that the sites of two stacks do not mix.
        client: For tests; by default the environment's.
    """

    def __init__(self, stack: str, client: CloudWatchClient | None = None) -> None:
        self._dimensions = {"Dimensions": [{"Name": "Stack", "Value": stack}]}
        self._client = client or boto3.client("cloudwatch", config=_CONFIG)
        self._lock = threading.Lock()
        self._latencies: Counter[float] = Counter()
        self._requests = self._errors = 0
        self._warned = False

    def count(self, seconds: float, *, failed: bool) -> None:
        """Count a request; `failed` if the site is to blame."""
        with self._lock:
            self._requests += 1
            self._errors += failed
            self._latencies[_rounded(seconds * 1000)] += 1

    def flush(self) -> None:
        """Send what was counted since the last time, zeros too: an alarm needs data. Lost if CloudWatch is away."""
        with self._lock:
            counted, latencies = (
                {StorefrontMetric.REQUESTS: self._requests, StorefrontMetric.ERRORS: self._errors},
                self._latencies,
            )
            self._requests, self._errors, self._latencies = 0, 0, Counter()
        data: list[Any] = [
            {"MetricName": name, "Value": float(value), "Unit": "Count"} | self._dimensions
            for name, value in counted.items()
        ]
        values = sorted(latencies)
        for start in range(0, len(values), _VALUES_PER_METRIC):
            some = values[start : start + _VALUES_PER_METRIC]
            counts = [float(latencies[value]) for value in some]
            data.append(
                {"MetricName": StorefrontMetric.LATENCY, "Values": some, "Counts": counts, "Unit": "Milliseconds"}
                | self._dimensions
            )
        try:
            with asking_aws("Metrics", service="CloudWatch"):
                self._client.put_metric_data(Namespace=Namespace.STOREFRONT, MetricData=data)
            self._warned = False
        except GroundworkError as error:
            if not self._warned:
                _say(f"CloudWatch takes no metrics, and the site goes on. {error}")
            self._warned = True


def _rounded(milliseconds: float) -> float:
    """To two digits: one percent is enough, and few values travel."""
    return float(f"{milliseconds:.2g}")


class Telemetry:
    """Logs to standard output and, with a log group, to CloudWatch, and counts for it.

    Args:
        log_group: The log group; none when empty.
        stack: Whose metrics are sent; none are when empty.

    Attributes:
        logger: Takes events, with what belongs to them as `extra`.
        metrics: Counts requests; None without a stack or a log group.
    """

    def __init__(self, log_group: str, stack: str) -> None:
        self.logger = logging.getLogger("storefront")
        self.logger.handlers.clear()
        self.logger.propagate = False
        self.logger.setLevel(logging.INFO)
        stream = logging.StreamHandler(sys.stdout)
        stream.setFormatter(JsonLines())
        self.logger.addHandler(stream)
        self.metrics = Metrics(stack) if log_group and stack else None
        self._lines = CloudWatchLogs(log_group) if log_group else None
        self._end = threading.Event()
        if self._lines:
            self.logger.addHandler(self._lines)
            threading.Thread(target=self._send, name="telemetry", daemon=True).start()
            atexit.register(self.close)

    def close(self) -> None:
        """Send what is left, and nothing after that."""
        if not self._end.is_set():
            self._end.set()
            self._flush()

    def _send(self) -> None:
        due = time.monotonic() + _METRIC_SECONDS
        while not self._end.wait(_SEND_SECONDS):
            if time.monotonic() >= due:
                due += _METRIC_SECONDS
                self._flush()
            elif self._lines:
                self._lines.flush()

    def _flush(self) -> None:
        if self._lines:
            self._lines.flush()
        if self.metrics:  # without a stack there are only lines
            self.metrics.flush()


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)  # noqa: T201 - the journal's line, as the log is what fails
