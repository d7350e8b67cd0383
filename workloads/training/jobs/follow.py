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
DESCRIBED_AT_ONCE = 100  # DescribeJobs' limit
ENDED = ("SUCCEEDED", "FAILED")
FORGOTTEN = "forgotten"
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


def follow_job(stack: TrainingStack, job: str, say: Callable[[str], None]) -> dict[str, Any]:
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


def follow_instance(stack: TrainingStack, instance: str, say: Callable[[str], None]) -> None:
    """Tell states and log lines of a one-off instance until it has ended itself.

    Raises:
        InputError: There is no such instance, and it has left no log.
    """
    told, printed = "", False
    log = Log(stack["LogGroupName"])
    while True:
        state = instance_state(instance)  # before the log: once it has ended, the log is whole
        for line in log.of_instance(instance):
            printed = True
            say(f"  {line}")
        if state == FORGOTTEN and not printed:
            raise InputError(
                f"there is no instance {instance} (EC2 forgets one an hour after its end), and no log of it"
            )
        if state != told:
            told = state
            say(state)
        if state in ("terminated", FORGOTTEN):
            return
        time.sleep(POLL_SECONDS)


def instance_state(instance: str) -> str:
    """What EC2 calls the state of an instance; `forgotten` where it knows of none."""
    try:
        answer = client("ec2").describe_instances(InstanceIds=[instance])
    except ClientError as error:
        if error.response["Error"]["Code"].startswith("InvalidInstanceID"):
            return FORGOTTEN
        raise
    found = [each["State"]["Name"] for reservation in answer["Reservations"] for each in reservation["Instances"]]
    return str(found[0]) if found else FORGOTTEN


def parts(description: dict[str, Any]) -> list[dict[str, Any]]:
    """What runs on an instance each: the jobs of an array, the nodes of a job over several, or the job itself."""
    job, nodes = description["jobId"], _nodes(description).get("numNodes", 0)
    jobs = description.get("arrayProperties", {}).get("size", 0)
    names = [f"{job}#{node}" for node in range(nodes)] or [f"{job}:{index}" for index in range(jobs)]
    if not names:
        return [description]
    found: list[dict[str, Any]] = []
    for start in range(0, len(names), DESCRIBED_AT_ONCE):
        found += client("batch").describe_jobs(jobs=names[start : start + DESCRIBED_AT_ONCE])["jobs"]
    return found


def _nodes(description: dict[str, Any]) -> dict[str, Any]:
    """The nodes of a job over several; none of a job on one instance, or of a node itself."""
    nodes: dict[str, Any] = description.get("nodeProperties", {})
    return {} if "#" in description["jobId"] else nodes


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
        """What has been printed since the last call; of a job over several nodes, by its main node."""
        if nodes := _nodes(description):
            description = describe(f"{description['jobId']}#{nodes['mainNode']}")
        attempts = [attempt["container"].get("logStreamName") for attempt in description.get("attempts", [])]
        current = description.get("container", {}).get("logStreamName")
        for stream in dict.fromkeys(filter(None, [*attempts, current])):
            yield from self._of_stream(stream)

    def of_instance(self, instance: str) -> Iterator[str]:
        """The new lines of a one-off instance."""
        return self._of_stream(f"one-off/{instance}")

    def _of_stream(self, stream: str) -> Iterator[str]:
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
    """How long a job, or one of its parts, has run, over all attempts, in seconds."""
    times = [(attempt.get("startedAt"), attempt.get("stoppedAt")) for attempt in description.get("attempts", [])]
    times = times or [(description.get("startedAt"), description.get("stoppedAt"))]
    now = time.time() * 1000
    return float(sum(((stopped or now) - started) / 1000 for started, stopped in times if started))
