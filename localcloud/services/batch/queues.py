"""Which of the waiting jobs starts next, and which can never start.

moto gaps: a queue's fair share, priorities and time limits; jobs that none of its compute environments could run.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.batch.exceptions import ClientException
from moto.batch.models import ComputeEnvironment, Job, JobQueue
from moto.batch.responses import BatchResponse

from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap
from localcloud.services.batch.state import JobState, QueueState
from localcloud.services.events.behaviour import publish

#: A second of the local cloud stands for so many of a queue's time limit, so that nobody waits half an hour to see one.
LIMIT_SCALE = 300
GPU_FAMILIES = re.compile(r"^(g\d|p\d)")
SLOTS = max(4, os.cpu_count() or 1)


@dataclass
class Slots:
    """Which jobs run, and which wait for a slot.

    Attributes:
        changed: Notified when a slot becomes free; its lock guards the rest.
        waiting: The jobs that wait, in the order in which they came.
        running: How many jobs run, by queue and share.
    """

    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: list[Job] = field(default_factory=list)
    running: Counter[tuple[str, str]] = field(default_factory=Counter)


def wait_for_slot(cloud: Cloud, job: Job) -> str | None:
    """Wait in RUNNABLE as a job waits for an instance on AWS; None once it may start, else why it never will."""
    if problem := _obstacle(job):
        return _wait_in_vain(cloud, job, problem)
    slots = cloud.state(Slots)
    with slots.changed:
        slots.waiting.append(job)
        try:
            while not job.stop:
                first = min(slots.waiting, key=lambda waiting: _rank(cloud, slots, waiting))
                if slots.running.total() < SLOTS and first is job:
                    slots.running[_share(cloud, job)] += 1
                    return None
                slots.changed.wait(0.1)
        finally:
            slots.waiting.remove(job)
    return job.job_stopped_reason


def give_slot_back(cloud: Cloud, job: Job) -> None:
    """Let the next one start."""
    slots = cloud.state(Slots)
    with slots.changed:
        slots.running[_share(cloud, job)] -= 1
        slots.changed.notify_all()


def _rank(cloud: Cloud, slots: Slots, job: Job) -> tuple[int, int, int, int]:
    """Order jobs by the queue's priority, then by the share's use, then by the job's priority, then by age."""
    fair = job.job_queue.schedule_policy is not None
    used = slots.running[_share(cloud, job)] if fair else 0
    priority = int(cloud.state(JobState, job).submission.get("schedulingPriorityOverride") or 0)
    return -int(job.job_queue.priority), used, -priority, slots.waiting.index(job)


def _share(cloud: Cloud, job: Job) -> tuple[str, str]:
    return job.job_queue.name, cloud.state(JobState, job).submission.get("shareIdentifier") or ""


def needs(job: Job) -> dict[str, float]:
    """Return the resources that a job requires, by type: VCPU, MEMORY, GPU."""
    nodes = (job.job_definition.node_properties or {}).get("nodeRangeProperties") or [{}]
    container = job.job_definition.container_properties or nodes[0].get("container", {})
    requirements = [
        *container.get("resourceRequirements", []),
        *job.container_overrides.get("resourceRequirements", []),
    ]
    return {need["type"]: float(need["value"]) for need in requirements}


def environment(job: Job) -> ComputeEnvironment:
    """Return the compute environment in which a job runs: the first of its queue that could run it."""
    environments = job.job_queue.environments
    return next((able for able in environments if not _lack(job, able.compute_resources)), environments[0])


def _obstacle(job: Job) -> str | None:
    """Why no compute environment of the queue could ever run a job, in Batch's words."""
    lacks = [_lack(job, environment.compute_resources) for environment in job.job_queue.environments]
    return lacks[-1] if all(lacks) else None


def _lack(job: Job, resources: Mapping[str, Any] | None) -> str | None:
    """Why a compute environment could never run a job; an unmanaged one has what its owner gives it."""
    if not resources:
        return None
    need = needs(job)
    if job.job_definition.type == "multinode" and resources["type"] == "SPOT":
        return "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - Multi-node jobs do not run on Spot Instances."
    if need.get("VCPU", 0) > resources["maxvCpus"]:
        return (
            "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - The job needs more vCPUs than the maximum of the "
            "compute environments of its queue."
        )
    if need.get("GPU") and not any(GPU_FAMILIES.match(kind) for kind in resources.get("instanceTypes", [])):
        return (
            "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job needs a GPU, and no instance type of the compute "
            "environments of its queue has one."
        )
    return None


def _wait_in_vain(cloud: Cloud, job: Job, problem: str) -> str | None:
    """Say why, and wait until the queue's limit for that reason, or somebody, cancels the job."""
    job.job_stopped_reason = problem
    detail = {
        "jobArn": job.arn,
        "jobName": job.job_name,
        "jobId": job.job_id,
        "jobQueue": job.job_queue.arn,
        "status": "RUNNABLE",
        "statusReason": problem,
    }
    publish(cloud, "aws.batch", "Batch Job Queue Blocked", detail, [job.arn, job.job_queue.arn])
    limits = {limit["reason"]: limit["maxTimeSeconds"] for limit in cloud.state(QueueState, job.job_queue).limits}
    seconds = limits.get(problem.partition(" - ")[0])
    deadline = time.monotonic() + seconds / LIMIT_SCALE if seconds else None
    while not job.stop and (deadline is None or time.monotonic() < deadline):
        time.sleep(0.1)
    return job.job_stopped_reason if job.stop else f"Cancelled by the queue's time limit: {problem}"


def check_share(queue: JobQueue | None, submission: Mapping[str, Any]) -> None:
    """Refuse what Batch refuses: a job without a share in a queue that shares fairly."""
    if queue and queue.schedule_policy and not submission.get("shareIdentifier"):
        raise ClientException("shareIdentifier must be specified. (Job queue has a scheduling policy.)")


@wrap(BatchResponse, "createjobqueue")
def _created(cloud: Cloud, original: Any, self: BatchResponse) -> Any:
    return _keep_limits(cloud, original(self), self, "jobQueueName")


@wrap(BatchResponse, "updatejobqueue")
def _updated(cloud: Cloud, original: Any, self: BatchResponse) -> Any:
    return _keep_limits(cloud, original(self), self, "jobQueue")


def _keep_limits(cloud: Cloud, result: Any, request: BatchResponse, name: str) -> Any:
    queue, limits = (
        request.batch_backend.get_job_queue(request._get_param(name)),  # noqa: SLF001 - moto's way to a parameter
        request._get_param("jobStateTimeLimitActions"),  # noqa: SLF001
    )
    if queue and limits is not None:
        cloud.state(QueueState, queue).limits = limits
    return result


@after(JobQueue, "describe")
def _described(cloud: Cloud, result: dict[str, Any], queue: JobQueue) -> None:
    result["jobStateTimeLimitActions"] = cloud.state(QueueState, queue).limits
