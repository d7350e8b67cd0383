"""Batch: queues, jobs, why one waits, its attempts and its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, render_template

from contract.prices import DATE, PRICES
from localcloud.console import reading
from localcloud.console.views import logs

blueprint = Blueprint("jobs", __name__)

STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
LOG_GROUP = "/aws/batch/job"
SHOWN_LINES = 200
_MOST_DESCRIBED = 100


@dataclass(frozen=True)
class Cost:
    """What a job would cost so far on AWS.

    Attributes:
        usd: At most, on demand: on the dearest instance that its queue may take.
        instance_type: This instance.
        instances: How many of them the job takes.
        seconds: How long its attempts ran, together.
        hour: USD an hour of one instance.
        is_spot: Whether the queue may take spot instances, which cost less.
    """

    usd: float
    instance_type: str
    instances: int
    seconds: float
    hour: float
    is_spot: bool


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        id: Its id.
        name: Its name.
        queue: The name of its queue.
        status: Batch's word for its state.
        reason: Why it has that state.
        submitted: When it was submitted.
        started: When its last attempt started.
        stopped: When it ended.
        details: All that Batch describes of it.
    """

    id: str
    name: str
    queue: str
    status: str
    reason: str
    submitted: datetime | None
    started: datetime | None
    stopped: datetime | None
    details: dict[str, Any]

    @property
    def changed(self) -> datetime | None:
        """When its state last changed, as far as Batch says."""
        return self.stopped or self.started or self.submitted

    @property
    def seconds(self) -> float | None:
        """How long it ran; None if it has not ended, or never ran."""
        return (self.stopped - self.started).total_seconds() if self.started and self.stopped else None

    @property
    def ran(self) -> float:
        """How long its attempts have run until now, together, in seconds; 0 if none has begun."""
        ended: list[float] = [
            (attempt["stoppedAt"] - attempt["startedAt"]) / 1000
            for attempt in self.details.get("attempts", [])
            if attempt.get("startedAt") and attempt.get("stoppedAt")
        ]
        if self.started and not self.stopped:
            return sum(ended) + (datetime.now(UTC) - self.started).total_seconds()
        return sum(ended) or self.seconds or 0

    @property
    def waits(self) -> str:
        """Why it waits, if it does."""
        if self.status == "RUNNABLE":
            return self.reason or "It waits for a place on an instance; the jobs before it run first."
        if self.status == "PENDING":
            return self.reason or "It waits for the jobs that it depends on."
        return ""


def all_jobs() -> list[Job]:
    """Return the jobs of all queues, those whose state changed last first."""
    ids = [
        summary["jobId"]
        for queue in queues()
        for status in STATUSES
        for summary in reading.listed(
            "batch", "list_jobs", "jobSummaryList", jobQueue=queue["jobQueueName"], jobStatus=status
        )
    ]
    jobs = described(*dict.fromkeys(ids))
    return sorted(jobs, key=lambda job: job.changed.timestamp() if job.changed else 0, reverse=True)


def described(*ids: str) -> list[Job]:
    """Return the jobs of these ids."""
    client = reading.client("batch")
    pages = [ids[begin : begin + _MOST_DESCRIBED] for begin in range(0, len(ids), _MOST_DESCRIBED)]
    return [_job(row) for page in pages for row in client.describe_jobs(jobs=list(page))["jobs"]]


def queues() -> list[dict[str, Any]]:
    """Return the job queues, as Batch describes them, by name."""
    rows = reading.listed("batch", "describe_job_queues", "jobQueues")
    return sorted(rows, key=lambda row: str(row["jobQueueName"]))


def costs(jobs: Sequence[Job]) -> dict[str, Cost]:
    """Return what jobs would cost so far on AWS, by their ids; of those whose instances have a price in our list."""
    rows = reading.listed("batch", "describe_compute_environments", "computeEnvironments")
    resources = {row["computeEnvironmentArn"]: row.get("computeResources", {}) for row in rows}
    of_queue = {
        queue["jobQueueName"]: [
            resources.get(order["computeEnvironment"], {}) for order in queue["computeEnvironmentOrder"]
        ]
        for queue in queues()
    }
    costs = {job.id: cost(job, of_queue.get(job.queue, [])) for job in jobs}
    return {job: cost_so_far for job, cost_so_far in costs.items() if cost_so_far}


def cost(job: Job, environments: Sequence[Mapping[str, Any]]) -> Cost | None:
    """Return what a job would cost so far on AWS; None if it never ran, or its instances have no price in our list.

    Args:
        job: The job.
        environments: The resources of its queue's compute environments, as Batch describes them.
    """
    kinds = {kind for environment in environments for kind in environment.get("instanceTypes", [])}
    prices = {kind: PRICES[f"ec2.{kind}"].usd for kind in kinds if f"ec2.{kind}" in PRICES}
    if not (prices and job.ran):
        return None
    dearest = max(prices, key=lambda kind: (prices[kind], kind))
    instances = int(job.details.get("nodeProperties", {}).get("numNodes") or 1)
    usd = prices[dearest] * instances * job.ran / 3600
    is_spot = any(environment.get("type") == "SPOT" for environment in environments)
    return Cost(usd, dearest, instances, job.ran, prices[dearest], is_spot)


def _job(row: dict[str, Any]) -> Job:
    return Job(
        id=row["jobId"],
        name=row["jobName"],
        queue=row["jobQueue"].rpartition("/")[2],
        status=row["status"],
        reason=_reason(row),
        submitted=reading.utc(row.get("createdAt")),
        started=reading.utc(row.get("startedAt") or None),
        stopped=reading.utc(row.get("stoppedAt") or None),
        details=row,
    )


def _reason(row: dict[str, Any]) -> str:
    """Say why a job has its state, with its exit code if it failed with one; nothing of one that succeeded."""
    if row["status"] == "SUCCEEDED":
        return ""
    container = (row.get("attempts") or [{}])[-1].get("container", {})
    code = f"Exit code {container['exitCode']}" if "exitCode" in container and row["status"] == "FAILED" else ""
    return ": ".join(filter(None, [code, container.get("reason") or row.get("statusReason", "")]))


@blueprint.get("/jobs")
def show_all() -> str:
    """Show queues and jobs."""
    jobs = all_jobs()
    return render_template("jobs.html", queues=queues(), jobs=jobs, costs=costs(jobs))


@blueprint.get("/jobs/<path:job_id>")
def show(job_id: str) -> str:
    """Show a job."""
    job = reading.existing(next(iter(described(job_id)), None), f"There is no job {job_id}.")
    stream = job.details.get("container", {}).get("logStreamName", "")
    group = _log_group(job)
    lines = logs.newest([group], SHOWN_LINES, stream=stream) if stream else []
    return render_template(
        "job.html",
        job=job,
        lines=lines[::-1],
        stream=stream,
        log_group=group,
        cost=costs([job]).get(job.id),
        prices_of=DATE,
    )


def _log_group(job: Job) -> str:
    """Return the log group of a job, which its definition may choose."""
    definitions = reading.listed(
        "batch", "describe_job_definitions", "jobDefinitions", jobDefinitions=[job.details["jobDefinition"]]
    )
    containers = [row.get("containerProperties", {}) for row in definitions]
    options = [container.get("logConfiguration", {}).get("options", {}) for container in containers]
    return str(next((option["awslogs-group"] for option in options if "awslogs-group" in option), LOG_GROUP))
