"""AWS Batch without containers: a job's command runs as a local process.

moto gaps: jobs run in Docker alone; a submission's retry strategy, the log configuration, Ref:: in the middle of a
command's word and state changes on EventBridge are missing.
"""

import fnmatch
import os
import re
import subprocess
import sys
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
from moto.moto_api import state_manager

from localcloud import processes
from localcloud.account import environment
from localcloud.background import endpoint, folder, log
from localcloud.events import publish
from localcloud.hooks import after, instead

EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
INHERITED = ("HOME", "LANG", "OMP_NUM_THREADS", "TMPDIR")

# Only this module changes a job's state; moto would move it on whenever somebody asks.
state_manager.set_transition("batch::job", {"progression": "manual", "times": sys.maxsize})

# A job waits in RUNNABLE for one of these, as it waits for an instance on AWS.
_slots = threading.Semaphore(max(4, os.cpu_count() or 1))
_retry_strategy: ContextVar[dict[str, Any]] = ContextVar("retry_strategy")


@instead(BatchResponse, "submitjob")
def _submitted(original: Any, self: BatchResponse) -> Any:
    token = _retry_strategy.set(self._get_param("retryStrategy") or {})
    try:
        return original(self)
    finally:
        _retry_strategy.reset(token)


@after(Job, "__init__")
def _created(_: None, job: Job, *_args: Any, **_kwargs: Any) -> None:
    """Keep what moto drops, and log where the definition says."""
    job.__dict__["strategy"] = _retry_strategy.get({}) or job.job_definition.retry_strategy or {}
    options = _property(job, "logConfiguration", {}).get("options", {})
    job._log_group = options.get("awslogs-group", job._log_group)  # noqa: SLF001 (moto's only place for it)
    job.__dict__["stream_prefix"] = options.get("awslogs-stream-prefix", job.job_definition.name)


@instead(Job, "run")
def _run(_: Any, self: Job) -> None:
    try:
        _live(self)
    except Exception as error:  # noqa: BLE001 (whatever it is, the job has failed)
        log.exception("job %s", self.job_id)
        _finish(self, succeeded=False, reason=str(error))


def _live(job: Job) -> None:
    """From SUBMITTED to SUCCEEDED or FAILED."""
    if job.depends_on:
        _enter(job, "PENDING")
        if problem := _wait_for(job, [dependency["jobId"] for dependency in job.depends_on]):
            _finish(job, succeeded=False, reason=problem)
            return
    attempts = int(job.__dict__["strategy"].get("attempts", 1))
    code, reason = 1, EXITED
    for attempt in range(1, attempts + 1):
        _enter(job, "RUNNABLE")
        if not _take_slot(job):
            break
        try:
            code, reason = _attempt(job, attempt)
        finally:
            _slots.release()
        job.exit_code = code
        if code == 0 or job.stop or reason == TIMED_OUT or not retries(job.__dict__["strategy"], code, reason):
            break
    _finish(job, succeeded=code == 0 and not job.stop, reason=job.job_stopped_reason or reason)


def _take_slot(job: Job) -> bool:
    while not job.stop:
        if _slots.acquire(timeout=0.1):
            return True
    return False


def retries(strategy: Mapping[str, Any], code: int, reason: str) -> bool:
    """Whether a retry strategy repeats an attempt that failed; the first rule that fits decides.

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


def _attempt(job: Job, number: int) -> tuple[int, str]:
    """Run the command once: its exit code, and why it ended."""
    _enter(job, "STARTING")
    job.job_started_at = datetime.now()  # noqa: DTZ005 (moto's clock)
    job.log_stream_name = f"{job.__dict__['stream_prefix']}/default/{job.job_id.replace(':', '-')}-{number}"
    job._log_backend.ensure_log_group(job._log_group)  # noqa: SLF001
    job._log_backend.ensure_log_stream(job._log_group, job.log_stream_name)  # noqa: SLF001
    job._start_attempt()  # noqa: SLF001
    limit = job._get_attempt_duration()  # noqa: SLF001
    command = [substitute(word, job.parameters) for word in _property(job, "command", [])]
    with tempfile.TemporaryDirectory(prefix="localcloud-job-") as folder:
        process = processes.start(command, folder=folder, environment=_environment(job, number))
        reader = threading.Thread(target=_log, args=(job, process), daemon=True)
        reader.start()
        _enter(job, "RUNNING")
        reason = _watch(job, process, time.monotonic() + float(limit) if limit else None)
        reader.join()
        process.communicate()  # closes the pipe
    job.attempts[-1]["container"] |= {"exitCode": process.returncode, "reason": reason}
    job.attempts[-1] |= {"statusReason": reason, "stoppedAt": int(time.time() * 1000)}
    return process.returncode, reason


def _watch(job: Job, process: subprocess.Popen[bytes], deadline: float | None) -> str:
    """Wait for the process, or end it when it is told to stop or takes too long."""
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
        else:
            return EXITED


def substitute(word: str, parameters: Mapping[str, str]) -> str:
    """A word of a command with ``Ref::name`` replaced by the parameter's value."""
    return re.sub(r"Ref::([\w-]+)", lambda found: str(parameters.get(found[1], found[0])), word)


def _environment(job: Job, attempt: int) -> dict[str, str]:
    asked = {entry["name"]: entry["value"] for entry in _property(job, "environment", [])}
    index = job.array_properties.get("index")
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONUNBUFFERED": "1",
        **environment(endpoint(), folder()),
        **asked,
        "AWS_BATCH_JOB_ID": job.job_id,
        "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        "AWS_BATCH_JQ_NAME": job.job_queue.name,
        **({} if index is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}),
    }


def _property(job: Job, name: str, default: Any) -> Any:
    """A property of the container: the submission's, or else the definition's; environments are joined."""
    defined = (job.job_definition.container_properties or {}).get(name, default)
    given = job.container_overrides.get(name)
    if name == "environment":
        return [*defined, *(given or [])]
    return given or defined


def _log(job: Job, process: subprocess.Popen[bytes]) -> None:
    for line in process.stdout or ():
        message = line.decode(errors="replace").rstrip("\r\n").rpartition("\r")[2] or " "
        event = {"timestamp": int(time.time() * 1000), "message": message}
        job._log_backend.put_log_events(job._log_group, str(job.log_stream_name), [event])  # noqa: SLF001


def _enter(job: Job, status: str) -> None:
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
    publish("aws.batch", "Batch Job State Change", detail, [job.arn])


def _finish(job: Job, *, succeeded: bool, reason: str) -> None:
    job.job_stopped_reason = reason
    job.job_stopped_at = datetime.now()  # noqa: DTZ005 (moto's clock)
    job.job_stopped = True
    _enter(job, "SUCCEEDED" if succeeded else "FAILED")


@instead(BatchBackend, "cancel_job")
def _cancel_job(_: Any, self: BatchBackend, job_id: str, reason: str) -> None:
    """Cancel what has not started; a job that waits goes at once."""
    job = self.get_job_by_id(job_id)
    if job and job.status in ("SUBMITTED", "PENDING", "RUNNABLE"):
        job.__dict__["cancelled"] = True
        job.terminate(reason)


@after(Job, "describe")
def _described(result: dict[str, Any], job: Job) -> None:
    result["retryStrategy"] = job.__dict__["strategy"]
    result["isCancelled"] = bool(job.__dict__.get("cancelled"))
    result["isTerminated"] = job.stop and not result["isCancelled"]
    if job.exit_code is not None and "container" in result:
        result["container"] |= {"exitCode": job.exit_code, "reason": job.job_stopped_reason}
