"""AWS Batch without containers: a job's command runs as a local process, or one for each of its nodes.

moto gaps: jobs run only in Docker; a submission's retry strategy, the log configuration, Ref:: in the middle of a
command's word, state changes on EventBridge, the end of array jobs and jobs over several nodes are missing; so are the
nodes, as jobs that can be described.
"""

from __future__ import annotations

import fnmatch
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.batch.models import BatchBackend, Job
from moto.batch.responses import BatchResponse

from localcloud.cloud import prepared, processes
from localcloud.cloud.context import Cloud, log
from localcloud.hooks import after, replace, wrap
from localcloud.services.batch import containers as job_containers
from localcloud.services.batch import hosts as job_hosts
from localcloud.services.batch import queues as job_queues
from localcloud.services.batch.state import JobState
from localcloud.services.events.behaviour import publish

EXITED = "Essential container in task exited"
HOST_GONE = "Host EC2 (instance {}) terminated."
TIMED_OUT = "Job attempt duration exceeded timeout"

_submission: ContextVar[dict[str, Any]] = ContextVar("submission")
KEPT = ("retryStrategy", "shareIdentifier", "schedulingPriorityOverride", "nodeOverrides")  # what moto drops


@wrap(BatchResponse, "submitjob")
def _submitted(cloud: Cloud, original: Any, self: BatchResponse) -> Any:
    submission = {name: self._get_param(name) for name in KEPT}
    job_queues.check_share(self.batch_backend.get_job_queue(self._get_param("jobQueue")), submission)
    token = _submission.set(submission)
    try:
        response = original(self)
    finally:
        _submission.reset(token)
    job = self.batch_backend.get_job_by_id(json.loads(response)["jobId"])
    if job and job._child_jobs:  # noqa: SLF001
        cloud.background(_follow_children, cloud, job)
    return response


@after(Job, "__init__")
def _created(cloud: Cloud, _: None, job: Job, *_args: Any, **_kwargs: Any) -> None:
    """Keep what moto drops, and log where the definition says."""
    submission = _submission.get({})
    strategy = submission.get("retryStrategy") or job.job_definition.retry_strategy or {}
    cloud.set_state(job, JobState(submission, strategy))
    options = job_containers.get(cloud, job, "logConfiguration", {}).get("options", {})
    job._log_group = options.get("awslogs-group", job._log_group)  # noqa: SLF001 - moto's only place for it


@replace(Job, "run")
def _run(cloud: Cloud, self: Job) -> None:
    try:
        _live(cloud, self)
    except PermissionError as error:  # recorded as a denial
        _finish(cloud, self, succeeded=False, reason=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the job has failed
        log.exception("job %s", self.job_id)
        _finish(cloud, self, succeeded=False, reason=str(error))


def _live(cloud: Cloud, job: Job) -> None:
    """From SUBMITTED to SUCCEEDED or FAILED."""
    if job.depends_on:
        _enter(cloud, job, "PENDING")
        if problem := _wait_for(job, _dependencies(job)):
            _finish(cloud, job, succeeded=False, reason=problem)
            return
    attempts = int(cloud.state(JobState, job).strategy.get("attempts", 1))
    code, reason = 1, EXITED
    for attempt in range(1, attempts + 1):
        _enter(cloud, job, "RUNNABLE")
        if (problem := job_queues.wait_for_slot(cloud, job)) is not None:
            _finish(cloud, job, succeeded=False, reason=problem)
            return
        try:
            code, reason = _attempt(cloud, job, attempt)
        finally:
            job_queues.give_slot_back(cloud, job)
        job.exit_code = code
        if (
            code == 0
            or job.stop
            or reason == TIMED_OUT
            or not retries(cloud.state(JobState, job).strategy, code, reason)
        ):
            break
    _finish(cloud, job, succeeded=code == 0 and not job.stop, reason=(job.stop and job.job_stopped_reason) or reason)


def _follow_children(cloud: Cloud, parent: Job) -> None:
    """An array job ends when all of its children have, and fails when one of them has."""
    children = parent._child_jobs or []  # noqa: SLF001
    _enter(cloud, parent, "PENDING")
    while not all(child.job_stopped for child in children):
        time.sleep(0.1)
    failed = sum(child.status == "FAILED" for child in children)
    reason = f"{failed} of {len(children)} children failed" if failed else "Array Child Jobs succeeded"
    _finish(cloud, parent, succeeded=not failed, reason=reason)


def _dependencies(job: Job) -> list[str]:
    """Return the jobs that a job waits for; in arrays, the same index (N_TO_N) or the one before (SEQUENTIAL)."""
    index = job.array_properties.get("index")
    job_ids = []
    for dependency in job.depends_on or []:
        match dependency.get("type"):
            case "SEQUENTIAL":
                job_ids += [f"{job.job_id.rpartition(':')[0]}:{index - 1}"] if index else []
            case "N_TO_N":
                job_ids.append(f"{dependency['jobId']}:{index}")
            case _:
                job_ids.append(dependency["jobId"])
    return job_ids


def retries(strategy: Mapping[str, Any], code: int, reason: str) -> bool:
    """Return whether a retry strategy repeats an attempt that failed; the first rule that fits decides.

    See https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html.
    """
    facts = {"onExitCode": str(code), "onReason": reason, "onStatusReason": reason}
    for rule in strategy.get("evaluateOnExit", []):
        if all(fnmatch.fnmatchcase(facts[name], rule[name]) for name in facts if name in rule):
            return str(rule["action"]).lower() == "retry"
    return True


def _wait_for(job: Job, dependencies: list[str]) -> str | None:
    """Wait until the jobs have succeeded; why it came otherwise."""
    while not job.stop:
        states = {name: job.all_jobs[name].status if name in job.all_jobs else "FAILED" for name in dependencies}
        if "FAILED" in states.values():
            return "Dependent Job failed"
        if all(state == "SUCCEEDED" for state in states.values()):
            return None
        time.sleep(0.1)
    return job.job_stopped_reason


def _attempt(cloud: Cloud, job: Job, number: int) -> tuple[int, str]:
    """Run the command once, on every node: the main node's exit code, and why it ended."""
    _enter(cloud, job, "STARTING")
    job.job_started_at = datetime.now()  # noqa: DTZ005 - moto's clock
    job.log_stream_name = job_containers.stream(cloud, job, number, node=0)
    job._start_attempt()  # noqa: SLF001
    limit = job._get_attempt_duration()  # noqa: SLF001
    host = job_hosts.take(cloud, job)
    nodes: list[tuple[processes.Process, threading.Thread]] = []
    try:
        job_containers.check_agent(cloud, job, job.log_stream_name)
        for node, variables in enumerate(job_containers.environments(cloud, job, number)):
            nodes.append(_start(cloud, job, job_containers.stream(cloud, job, number, node), variables))
        _enter(cloud, job, "RUNNING")
        reason = _watch(job, host, nodes[0][0], time.monotonic() + float(limit) if limit else None)
    finally:
        for process, reader in reversed(nodes):  # the job ends with its main node
            if process.poll() is None:
                processes.end(process)
            reader.join()
            if process.stdout:
                process.stdout.close()
        job_hosts.leave(cloud, job.job_id)
    code = nodes[0][0].wait()
    job.attempts[-1]["container"] |= {"exitCode": code, "reason": reason}
    job.attempts[-1] |= {"statusReason": reason, "stoppedAt": int(time.time() * 1000)}
    return code, reason


def _start(
    cloud: Cloud, job: Job, stream: str, variables: dict[str, str]
) -> tuple[processes.Process, threading.Thread]:
    """A process in an empty folder, with another for its temporary files, and the thread that logs what it prints."""
    job._log_backend.ensure_log_group(job._log_group)  # noqa: SLF001
    job._log_backend.ensure_log_stream(job._log_group, stream)  # noqa: SLF001
    folder = tempfile.TemporaryDirectory()
    work = Path(folder.name, "work")
    work.mkdir()
    process = prepared.start(
        cloud,
        job_containers.get(cloud, job, "image", ""),
        job_containers.command(cloud, job),
        folder=work,
        environment=job_containers.base_environment(),
        own={**variables, "TMPDIR": folder.name},
    )
    reader = threading.Thread(target=_log, args=(job, stream, process, folder), daemon=True)
    reader.start()
    return process, reader


def _watch(job: Job, host: job_hosts.Host, process: processes.Process, deadline: float | None) -> str:
    """Wait for the process, or end it when it is told to stop, takes too long, or its host goes."""
    while True:
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            if job.stop:
                processes.end(process)
                return job.job_stopped_reason or EXITED
            if deadline and time.monotonic() > deadline:
                processes.end(process)
                return TIMED_OUT
            if host.is_gone:
                processes.end(process, patience=0)
                return HOST_GONE.format(host.identifier)
        else:
            return EXITED


def _log(job: Job, stream: str, process: processes.Process, folder: tempfile.TemporaryDirectory[str]) -> None:
    for line in process.stdout or ():
        message = line.decode(errors="replace").rstrip("\r\n").rpartition("\r")[2] or " "
        event = {"timestamp": int(time.time() * 1000), "message": message}
        job._log_backend.put_log_events(job._log_group, stream, [event])  # noqa: SLF001
    folder.cleanup()


def _enter(cloud: Cloud, job: Job, status: str) -> None:
    job.status = status
    detail = {
        "jobArn": job.arn,
        "jobName": job.job_name,
        "jobId": job.job_id,
        "jobQueue": job.job_queue.arn,
        "jobDefinition": job.job_definition.arn,
        "status": status,
        "statusReason": job.job_stopped_reason,
        "attempts": job.attempts,
        "container": {"exitCode": job.exit_code, "logStreamName": job.log_stream_name},
    }
    if "index" in job.array_properties:
        detail["arrayProperties"] = {"index": job.array_properties["index"]}
    publish(cloud, "aws.batch", "Batch Job State Change", detail, [job.arn])


def _finish(cloud: Cloud, job: Job, *, succeeded: bool, reason: str) -> None:
    job.job_stopped_reason = reason
    job.job_stopped_at = datetime.now()  # noqa: DTZ005 - moto's clock
    job.job_stopped = True
    _enter(cloud, job, "SUCCEEDED" if succeeded else "FAILED")


@replace(BatchBackend, "cancel_job")
def _cancel_job(cloud: Cloud, self: BatchBackend, job_id: str, reason: str) -> None:
    """Cancel what has not started; a job that waits goes at once, and an array with its children."""
    job = self.get_job_by_id(job_id)
    for waiting in [job, *(job._child_jobs or [])] if job else []:  # noqa: SLF001
        if waiting.status in ("SUBMITTED", "PENDING", "RUNNABLE"):
            cloud.state(JobState, waiting).cancelled = True
            waiting.terminate(reason)


@after(BatchBackend, "terminate_job")
def _terminated(_: None, backend: BatchBackend, job_id: str, reason: str) -> None:
    job = backend.get_job_by_id(job_id)
    for child in (job._child_jobs or []) if job else []:  # noqa: SLF001
        child.terminate(reason)


@wrap(BatchBackend, "describe_jobs")
def _describe_jobs(cloud: Cloud, original: Any, self: BatchBackend, jobs: list[str] | None) -> list[dict[str, Any]]:
    """Describe the nodes of a job too, by their names: job#0, job#1, ..."""
    nodes = [name.split("#") for name in jobs or [] if "#" in name]
    job_ids = [name for name in jobs or [] if "#" not in name]
    descriptions: list[dict[str, Any]] = [] if nodes and not job_ids else original(self, job_ids)
    for name, node in nodes:
        job = self.get_job_by_id(name)
        if job and int(node) < job_containers.number_of_nodes(cloud, job):
            descriptions.append(_describe_node(job, int(node)))
    return descriptions


def _describe_node(job: Job, node: int) -> dict[str, Any]:
    """Return a node described as a job: it has its own log, and the states of the whole job."""
    description = job.describe()
    del description["nodeProperties"]

    def own(container: Mapping[str, Any]) -> dict[str, Any]:
        stream = container.get("logStreamName")
        return {**container, "logStreamName": f"{stream}-node-{node}"} if stream and node else dict(container)

    return description | {
        "jobId": f"{job.job_id}#{node}",
        "nodeDetails": {"nodeIndex": node, "isMainNode": node == 0},
        "container": own(description["container"]),
        "attempts": [{**attempt, "container": own(attempt["container"])} for attempt in description["attempts"]],
    }


@after(Job, "describe")
def _described(cloud: Cloud, result: dict[str, Any], job: Job) -> None:
    submission = cloud.state(JobState, job).submission
    result["retryStrategy"] = cloud.state(JobState, job).strategy
    result["isCancelled"] = cloud.state(JobState, job).cancelled
    result["isTerminated"] = job.stop and not result["isCancelled"]
    if submission.get("shareIdentifier"):
        result["shareIdentifier"] = submission["shareIdentifier"]
    if "index" in job.array_properties:
        result["arrayProperties"] = {"index": job.array_properties["index"]}
    if "nodeProperties" in result:
        result["nodeProperties"] = {**result["nodeProperties"], "numNodes": job_containers.number_of_nodes(cloud, job)}
    if job.exit_code is not None and "container" in result:
        result["container"] |= {"exitCode": job.exit_code, "reason": job.job_stopped_reason}
