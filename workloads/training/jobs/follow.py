"""A job until it ends: its states, why it waits, what it prints, what it cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from workloads.errors import InputError
from workloads.training.jobs.stack import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloads.training.jobs.stack import TrainingStack

POLL_SECONDS = 2.0
ENDED = ("SUCCEEDED", "FAILED")
HINTS = {
    "RUNNABLE": "waits for an instance, usually two to five minutes; docs/operations.md tells why it may be longer",
    "STARTING": "an instance is there: the image is pulled",
}


def describe(job: str) -> dict[str, Any]:
    """What Batch says of a job.

    Raises:
        InputError: There is no such job.
    """
    found = client("batch").describe_jobs(jobs=[job])["jobs"]
    if not found:
        raise InputError(
            f"there is no job {job}; groundwork jobs lists them (Batch forgets a job a week after its end)"
        )
    description: dict[str, Any] = found[0]
    return description


def follow(stack: TrainingStack, job: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Tell states, reasons and log lines until the job ends; its description then."""
    told: tuple[str, str] = ("", "")
    log = Log(stack["LogGroupName"])
    while True:
        description = describe(job)
        state, reason = description["status"], description.get("statusReason") or ""
        for line in log.new_lines(description):
            say(f"  {line}")
        if (state, reason) != told:
            told = (state, reason)
            why = reason or HINTS.get(state, "")
            say(" ".join(filter(None, (state.lower(), children(description), why and f"({why})"))))
        if state in ENDED:
            for line in log.new_lines(description):
                say(f"  {line}")
            return description
        time.sleep(POLL_SECONDS)


def children(description: dict[str, Any]) -> str:
    """How far the jobs of an array are; nothing for other jobs."""
    summary = description.get("arrayProperties", {}).get("statusSummary", {})
    return ", ".join(f"{count} {state.lower()}" for state, count in summary.items() if count)


class Log:
    """The lines of a job, read once each, over all of its attempts."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._tokens: dict[str, str] = {}

    def new_lines(self, description: dict[str, Any]) -> Iterator[str]:
        """What has been printed since the last call."""
        attempts = [attempt["container"].get("logStreamName") for attempt in description.get("attempts", [])]
        current = description.get("container", {}).get("logStreamName")
        for stream in dict.fromkeys(filter(None, [*attempts, current])):
            yield from self.of_stream(stream)

    def of_stream(self, stream: str) -> Iterator[str]:
        """The new lines of one stream; none while it is not there."""
        while True:
            token = {"nextToken": self._tokens[stream]} if stream in self._tokens else {"startFromHead": True}
            try:
                page = client("logs").get_log_events(logGroupName=self._group, logStreamName=stream, **token)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return
                raise
            yield from (event["message"] for event in page["events"])
            if page["nextForwardToken"] == self._tokens.get(stream) or not page["events"]:
                self._tokens[stream] = page["nextForwardToken"]
                return
            self._tokens[stream] = page["nextForwardToken"]


def seconds_run(description: dict[str, Any]) -> float:
    """How long a job has run, over all attempts, in seconds."""
    times = [(attempt.get("startedAt"), attempt.get("stoppedAt")) for attempt in description.get("attempts", [])]
    times = times or [(description.get("startedAt"), description.get("stoppedAt"))]
    now = time.time() * 1000
    return float(sum(((stopped or now) - started) / 1000 for started, stopped in times if started))
