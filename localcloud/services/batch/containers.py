"""What a job's containers would be made of: command, environment, nodes, log streams.

moto gap: the description of a job definition has no nodes.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moto.batch.models import Job, JobDefinition

from localcloud.access import resources, service_calls, sessions
from localcloud.access.actions.derivation import Need
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after
from localcloud.services.batch import queues as job_queues
from localcloud.services.batch import reclaim
from localcloud.services.batch.state import JobState

TASKS = "ecs-tasks.amazonaws.com"
OF_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com/(?P<name>[^:@]+)(?:[:@].*)?")
INHERITED = ("HOME", "LANG", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")


def get(cloud: Cloud, job: Job, name: str, default: Any) -> Any:
    """Return a property of the container: the submission's, or else the definition's; environments are joined."""
    nodes = (job.job_definition.node_properties or {}).get("nodeRangeProperties") or [{}]
    defined = (job.job_definition.container_properties or nodes[0].get("container", {})).get(name, default)
    override = _overrides(cloud, job).get(name)
    if name == "environment":
        return [*defined, *(override or [])]
    return override or defined


def _overrides(cloud: Cloud, job: Job) -> dict[str, Any]:
    """Return what a submission changes of the container."""
    nodes = (cloud.state(JobState, job).submission.get("nodeOverrides") or {}).get("nodePropertyOverrides") or [{}]
    return {**job.container_overrides, **nodes[0].get("containerOverrides", {})}


def command(cloud: Cloud, job: Job) -> list[str]:
    """Return what the container runs.

    AWS documents that parameters are put into the command of a job definition, and says nothing of a command that
    comes with the submission: that one is taken as it is.
    See https://docs.aws.amazon.com/batch/latest/userguide/job_definition_parameters.html#parameters.
    """
    words: list[str] = get(cloud, job, "command", [])
    return words if _overrides(cloud, job).get("command") else [substitute(word, job.parameters) for word in words]


def substitute(word: str, parameters: Mapping[str, str]) -> str:
    """Return a word of a command with ``Ref::name`` replaced by the parameter's value."""
    return re.sub(r"Ref::([\w-]+)", lambda match: str(parameters.get(match[1], match[0])), word)


def inherited() -> dict[str, str]:
    """Return what containers and instances take from the environment of the cloud.

    They share the processors with it, so their threads sleep while they wait for each other. Those of OpenMP spin by
    default: on two busy cores, a boosting of small trees then takes several times the processor time.
    """
    return {"OMP_WAIT_POLICY": "PASSIVE"} | {name: os.environ[name] for name in INHERITED if name in os.environ}


def base_environment() -> dict[str, str]:
    """Return the environment variables that every container has."""
    return {
        **inherited(),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONUNBUFFERED": "1",
    }


def environments(cloud: Cloud, job: Job, attempt: int) -> list[dict[str, str]]:
    """Return what each node has beside the base environment, or the only container if the job has no nodes."""
    job_variables = {entry["name"]: entry["value"] for entry in get(cloud, job, "environment", [])}
    common = {
        **cloud.environment(),
        **_credentials(cloud, job),
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": reclaim.metadata_endpoint(cloud, job.job_id),
        **job_variables,
        "AWS_BATCH_JOB_ID": job.job_id,
        "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        "AWS_BATCH_JQ_NAME": job.job_queue.name,
        **_in_array(job),
    }
    return [{**common, **node} for node in _nodes(cloud, job)]


def _credentials(cloud: Cloud, job: Job) -> dict[str, str]:
    """Return those of the job's role; of the instances' role, where the job has none."""
    role = get(cloud, job, "jobRoleArn", "")
    if not role:
        profile = (job_queues.environment(job).compute_resources or {}).get("instanceRole", "")
        role = resources.find("iam/role-of-profile", profile) or ""
        return sessions.environment(cloud, role, _session(job)) if role else {}
    _check_trust(cloud, role)
    return sessions.environment(cloud, role, _session(job))


def check_agent(cloud: Cloud, job: Job, stream: str) -> None:
    """Refuse a job whose execution role may not start it: pull its image from ECR, and write what it prints.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/execution-IAM-role.html. A job without such a role uses
    that of its instances, which is not judged.

    Raises:
        PermissionError: The role does not allow it, and the cloud enforces policies.
    """
    role = get(cloud, job, "executionRoleArn", "")
    if not role:
        return
    _check_trust(cloud, role)
    if image := OF_ECR.fullmatch(get(cloud, job, "image", "")):
        repository = f"arn:aws:ecr:{image['region']}:{image['account']}:repository/{image['name']}"
        pulled = [Need(f"ecr:{action}", repository) for action in ("BatchGetImage", "GetDownloadUrlForLayer")]
        try:
            service_calls.check_role(cloud, role, _session(job), Need("ecr:GetAuthorizationToken", "*"), *pulled)
        except PermissionError as error:
            raise PermissionError(f"CannotPullContainerError: Error response from daemon: {error}") from error
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{job._log_group}:log-stream:{stream}"  # noqa: SLF001
    written = [Need(f"logs:{action}", group) for action in ("CreateLogStream", "PutLogEvents")]
    try:
        service_calls.check_role(cloud, role, _session(job), *written)
    except PermissionError as error:
        message = "CannotStartContainerError: Error response from daemon: failed to initialize logging driver"
        raise PermissionError(f"{message}: AccessDeniedException: {error}") from error


def _check_trust(cloud: Cloud, role: str) -> None:
    try:
        service_calls.check_trust(cloud, TASKS, role)
    except PermissionError as error:
        message = f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the "
        message += "role being passed has the proper trust relationship and permissions."
        raise PermissionError(f"{message} {error}") from error


def _session(job: Job) -> str:
    return job.job_id.replace(":", "-")


def _in_array(job: Job) -> dict[str, str]:
    if "index" not in job.array_properties:
        return {}
    parent = job.all_jobs[job.job_id.rpartition(":")[0]]
    return {
        "AWS_BATCH_JOB_ARRAY_INDEX": str(job.array_properties["index"]),
        "AWS_BATCH_JOB_ARRAY_SIZE": str(parent.array_properties["size"]),
    }


def _nodes(cloud: Cloud, job: Job) -> list[dict[str, str]]:
    """Return what each node knows of itself and of the main node, which is not told its own address."""
    if job.job_definition.type != "multinode":
        return [{}]
    with socket.socket() as free:  # the nodes share a machine, so each job has a port of its own to meet at
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    count = number_of_nodes(cloud, job)
    shared = {
        "AWS_BATCH_JOB_NUM_NODES": str(count),
        "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0",
        "MASTER_PORT": port,
        "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0",
    }
    main = {"AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": "127.0.0.1"}
    return [{**shared, "AWS_BATCH_JOB_NODE_INDEX": str(node), **(main if node else {})} for node in range(count)]


def number_of_nodes(cloud: Cloud, job: Job) -> int:
    """Return how many nodes a job has, by its submission or else its definition."""
    overrides = cloud.state(JobState, job).submission.get("nodeOverrides") or {}
    defined = (job.job_definition.node_properties or {}).get("numNodes", 1)
    return int(overrides.get("numNodes") or defined)


def stream(cloud: Cloud, job: Job, attempt: int, node: int) -> str:
    """Return where a container's output goes in the log group."""
    prefix = (
        get(cloud, job, "logConfiguration", {}).get("options", {}).get("awslogs-stream-prefix", job.job_definition.name)
    )
    name = f"{prefix}/default/{job.job_id.replace(':', '-')}-{attempt}"
    return f"{name}-node-{node}" if node else name


@after(JobDefinition, "describe")
def _described(result: dict[str, Any], definition: JobDefinition) -> None:
    if definition.node_properties:
        result["nodeProperties"] = definition.node_properties
