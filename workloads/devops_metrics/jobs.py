"""The jobs of an ingestion in AWS Batch: submitted as an array, and waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config

from contract.errors import InputError
from contract.stacks import DevOpsMetricsOutput
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workloads.storage import Location

MOST_JOBS = 10_000
"""Children of an array. Source: https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html"""

_POLL_SECONDS = 2.0
_DESCRIBED_AT_ONCE = 100  # DescribeJobs' limit
_ENDED = ("SUCCEEDED", "FAILED")


class FailedPart(NamedTuple):
    """A job that did not succeed.

    Attributes:
        number: The number of its part, from 1.
        reason: Why it failed, in the words of Batch.
        code: The exit code of its last attempt; None if it never ran.
        log: The log stream of that attempt; empty if there is none.
    """

    number: int
    reason: str
    code: int | None
    log: str


def submit(stack: str, outputs: Mapping[str, str], plan: Location, jobs: int) -> str:
    """Submit an array of jobs for a plan, or a single one, which Batch does not take as an array; return its id.

    Raises:
        InputError: The stack has no such jobs, or AWS refuses them.
        UnavailableError: AWS is not available.
    """
    queue, definition = (
        outputs.get(name)
        for name in (DevOpsMetricsOutput.INGESTION_QUEUE_ARN, DevOpsMetricsOutput.INGESTION_JOB_DEFINITION_ARN)
    )
    if not (queue and definition):
        raise InputError(
            f"--jobs: Stack {stack} has no jobs that ingest. They need InfluxDB and the newest version of the stack. "
            "Leave --jobs out, or run the command on several machines, each with a --part."
        )
    array = {"arrayProperties": {"size": jobs}} if jobs > 1 else {}
    with asking_aws(f"Queue {queue.rpartition('/')[2]}", service="AWS Batch"):
        submitted = _batch().submit_job(
            jobName="ingest",
            jobQueue=queue,
            jobDefinition=definition,
            parameters={"plan": plan.uri},
            **array,
        )
    return str(submitted["jobId"])


def wait(job: str, jobs: int, tell: Callable[[str], None]) -> list[FailedPart]:
    """Wait until a job and all of its children have ended; return those that failed.

    Args:
        job: The id that `submit` returned.
        jobs: How many there are.
        tell: Tells a person how far they are.

    Raises:
        InputError: AWS refuses, or has forgotten the job.
        UnavailableError: AWS is not available. The jobs go on.
    """
    last_text = ""
    while True:
        [parent] = _describe([job])
        states = parent.get("arrayProperties", {}).get("statusSummary", {}) if jobs > 1 else {parent["status"]: 1}
        text = ", ".join(f"{count:,} {state.lower()}" for state, count in states.items() if count)
        if text and text != last_text:
            last_text = text
            tell(f"job {job}: {text}")
        if parent["status"] in _ENDED:
            break
        time.sleep(_POLL_SECONDS)
    if parent["status"] == "SUCCEEDED":
        return []
    children = [f"{job}:{index}" for index in range(jobs)] if jobs > 1 else [job]
    return [
        FailedPart(number, *_end(child))
        for number, child in enumerate(_describe(children), 1)
        if child["status"] != "SUCCEEDED"
    ]


def _end(job: Mapping[str, Any]) -> tuple[str, int | None, str]:
    container = job.get("container", {})
    return job.get("statusReason", ""), container.get("exitCode"), container.get("logStreamName", "")


def _describe(jobs: list[str]) -> list[dict[str, Any]]:
    """Return what Batch says of jobs, in their order."""
    described: dict[str, dict[str, Any]] = {}
    with asking_aws(f"Job {jobs[0]}", service="AWS Batch"):
        for start in range(0, len(jobs), _DESCRIBED_AT_ONCE):
            answer = _batch().describe_jobs(jobs=jobs[start : start + _DESCRIBED_AT_ONCE])
            described |= {job["jobId"]: job for job in answer["jobs"]}
    if missing := [job for job in jobs if job not in described]:
        raise InputError(f"Job {missing[0]}: Batch does not know it any more. Run the same command again.")
    return [described[job] for job in jobs]


def _batch() -> Any:
    return boto3.client("batch", config=Config(retries={"mode": "standard", "max_attempts": 5}))
