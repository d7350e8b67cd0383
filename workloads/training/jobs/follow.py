"""A job until it ends: its states, why it waits, what it prints, how long it ran and how it ended."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from contract.errors import InputError
from contract.stacks import TrainingOutput
from workloads.training.jobs.readiness import reason_to_wait
from workloads.training.jobs.stack import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workloads.training.jobs.stack import TrainingStack

POLL_SECONDS = 2.0
DESCRIBED_AT_ONCE = 100  # DescribeJobs' limit
ENDED = ("SUCCEEDED", "FAILED")
FORGOTTEN = "forgotten"
INSTANCE_ENDED = ("terminated", FORGOTTEN)
HINTS = {
    "RUNNABLE": "waits for an instance, usually two to five minutes; docs/operations.md tells why it may be longer",
    "STARTING": "an instance is there: the image is pulled",
    "running": "its first line comes when the image is pulled, in about five minutes",
}
_HEARD_OF_ARRAY = 10  # jobs: each is a request every time
_LAST_LINE = re.compile(r"the training ended with exit code (\d+)")  # of infra/training/one_off.sh


class Ended(NamedTuple):
    """How a job ended.

    Attributes:
        code: The exit code of its training; 1 where it failed otherwise, or nobody knows.
        seconds: How long it ran, over all attempts, on each of its instances.
    """

    code: int
    seconds: list[float]


def describe(job: str) -> dict[str, Any]:
    """Return the description of a job by Batch.

    Raises:
        InputError: There is no such job.
    """
    descriptions = client("batch").describe_jobs(jobs=[job])["jobs"]
    if not descriptions:
        raise InputError(
            f"Job {job}: There is no such job. `groundwork jobs` lists them; Batch forgets a job a week after its end."
        )
    description: dict[str, Any] = descriptions[0]
    return description


def follow_job(stack: TrainingStack, job: str, say: Callable[[str], None]) -> Ended:
    """Report states, reasons and log lines until the job ends."""
    reported: tuple[str, str] = ("", "")
    log = Log(stack[TrainingOutput.LOG_GROUP_NAME])
    while True:
        description = describe(job)
        state, reason = description["status"], reason_of(description)
        for line in log.new_lines(description):
            say(f"  {line}")
        if (state, reason) != reported:
            reported = (state, reason)
            hint = reason or reason_to_wait(description) or HINTS.get(state, "")
            say(f"{state_of(description)} ({hint})" if hint else state_of(description))
        if state in ENDED:
            for line in log.new_lines(description):
                say(f"  {line}")
            code = 0 if state == "SUCCEEDED" else _exit_code(description) or 1
            return Ended(code, [seconds_run(child) for child in child_jobs(description)])
        time.sleep(POLL_SECONDS)


def follow_instance(stack: TrainingStack, instance: str, say: Callable[[str], None]) -> Ended:
    """Report states and log lines of a one-off instance until it has terminated itself.

    Raises:
        InputError: There is no such instance, and it has left no log.
    """
    reported, last, seconds = "", "", 0.0
    log = Log(stack[TrainingOutput.LOG_GROUP_NAME])
    while True:
        description = describe_instance(instance)  # before the log: once it has ended, the log is whole
        state, seconds = description["State"]["Name"], instance_seconds(description) or seconds
        for last in log.of_instance(instance):
            say(f"  {last}")
        if state == FORGOTTEN and not last:
            raise unknown(instance)
        code = _LAST_LINE.fullmatch(last)
        if state != reported:
            reported = state
            reason = f"exit code {code[1]}" if code else why(description) or ("" if last else HINTS.get(state, ""))
            say(f"{state} ({reason})" if reason else state)
        if state in INSTANCE_ENDED:
            if not last:
                say(
                    f"It left no log. What it said when it started: aws ec2 get-console-output --instance-id {instance}"
                )
            return Ended(int(code[1]) if code else 1, [seconds])
        time.sleep(POLL_SECONDS)


def describe_instance(instance: str) -> dict[str, Any]:
    """Return the description of an instance by EC2; its state is `forgotten` if EC2 does not know it."""
    try:
        response = client("ec2").describe_instances(InstanceIds=[instance])
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("InvalidInstanceID"):
            raise
        response = {"Reservations": []}
    descriptions = [member for reservation in response["Reservations"] for member in reservation["Instances"]]
    description: dict[str, Any] = descriptions[0] if descriptions else {"State": {"Name": FORGOTTEN}}
    return description


def unknown(instance: str) -> InputError:
    """Return the error for an instance that neither EC2 nor the log knows."""
    return InputError(
        f"Instance {instance}: There is no such instance, and no log of it. EC2 forgets one an hour after its end."
    )


def instance_seconds(description: dict[str, Any]) -> float | None:
    """Return how long an instance has run, or had run when it ended; None where EC2 does not say when that was."""
    if description["State"]["Name"] not in INSTANCE_ENDED:
        return time.time() - float(description["LaunchTime"].timestamp())
    moment = re.search(r"\((\S+ \S+) (GMT|UTC)\)", description.get("StateTransitionReason", ""))
    if not moment:
        return None
    ended = datetime.strptime(moment[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return float((ended - description["LaunchTime"]).total_seconds())


def why(description: dict[str, Any]) -> str:
    """Return why an instance is in its state, in EC2's words, where it has some."""
    reason: dict[str, str] = description.get("StateReason", {})
    return reason.get("Message", "")


def child_jobs(description: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what runs on one instance each: the jobs of an array, the nodes of a multi-node job, or the job itself."""
    job, nodes = description["jobId"], _nodes(description).get("numNodes", 0)
    jobs = description.get("arrayProperties", {}).get("size", 0)
    names = [f"{job}#{node}" for node in range(nodes)] or [f"{job}:{index}" for index in range(jobs)]
    if not names:
        return [description]
    descriptions: list[dict[str, Any]] = []
    for start in range(0, len(names), DESCRIBED_AT_ONCE):
        descriptions += client("batch").describe_jobs(jobs=names[start : start + DESCRIBED_AT_ONCE])["jobs"]
    return descriptions


def _nodes(description: dict[str, Any]) -> dict[str, Any]:
    """Return the nodes of a job over several; none of a job on one instance, or of a node itself."""
    nodes: dict[str, Any] = description.get("nodeProperties", {})
    return {} if "#" in description["jobId"] else nodes


def reason_of(description: dict[str, Any]) -> str:
    """Return why a job waits or has failed, in Batch's words; a job that has succeeded needs no reason."""
    return "" if description["status"] == "SUCCEEDED" else description.get("statusReason") or ""


def state_of(description: dict[str, Any]) -> str:
    """Return a job's state, with the states of an array's jobs, and the exit code of a job that failed."""
    if description["status"] == "SUCCEEDED":
        return "succeeded"
    summary = description.get("arrayProperties", {}).get("statusSummary", {})
    code = _exit_code(description) if description["status"] == "FAILED" else None
    counts = [f"{count} {state.lower()}" for state, count in summary.items() if count]
    return ", ".join([description["status"].lower(), *counts, *([f"exit code {code}"] if code else [])])


def exit_codes(description: dict[str, Any]) -> list[int | None]:
    """The exit code of each attempt of a job; None where an attempt has none, such as one whose host went away."""
    return [attempt.get("container", {}).get("exitCode") for attempt in description.get("attempts", [])]


def _exit_code(description: dict[str, Any]) -> int | None:
    """Return the exit code of a job's last attempt; None where there is none: an array, a host that went."""
    codes = exit_codes(description)
    return codes[-1] if codes else None


class Log:
    """The lines of a job, read once each, over all of its attempts."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._tokens: dict[str, str] = {}

    def new_lines(self, description: dict[str, Any]) -> Iterator[str]:
        """Yield what has been printed since the last call.

        For a job over several nodes these are the lines of its main node; for an array those of its first ten jobs,
        each line after the job's index.
        """
        if nodes := _nodes(description):
            description = describe(f"{description['jobId']}#{nodes['mainNode']}")
        if size := description.get("arrayProperties", {}).get("size", 0):
            names = [f"{description['jobId']}:{index}" for index in range(min(size, _HEARD_OF_ARRAY))]
            for job in client("batch").describe_jobs(jobs=names)["jobs"]:
                index = job["jobId"].rpartition(":")[2]
                yield from (f"{index}: {line}" for line in self.new_lines(job))
        attempts = [attempt.get("container", {}).get("logStreamName") for attempt in description.get("attempts", [])]
        current = description.get("container", {}).get("logStreamName")
        for stream in dict.fromkeys(filter(None, [*attempts, current])):
            yield from self._of_stream(stream)

    def of_instance(self, instance: str) -> Iterator[str]:
        """Return the new lines of a one-off instance."""
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
            if page["nextForwardToken"] == self._tokens.get(stream):  # the end; a page before it may be empty
                return
            self._tokens[stream] = page["nextForwardToken"]


def seconds_run(description: dict[str, Any]) -> float:
    """Return how long a job, or one of its parts, has run, over all attempts, in seconds."""
    times = [(attempt.get("startedAt"), attempt.get("stoppedAt")) for attempt in description.get("attempts", [])]
    times = times or [(description.get("startedAt"), description.get("stoppedAt"))]
    now = time.time() * 1000
    return float(sum(((stopped or now) - started) / 1000 for started, stopped in times if started))
