"""Whether a job could start at all: AWS Batch leaves one that cannot in RUNNABLE, and says why only minutes later.

What the credentials may not read is not checked, and named instead.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.errors import InputError
from contract.quotas import vcpu_quota
from contract.stacks import TrainingOutput
from contract.workloads import TRAINING
from workloads.account.facts import (
    describe_subnet,
    describe_type,
    image_is_missing,
    increase,
    quota_value,
    used_vcpus,
    way_problem,
)
from workloads.account.reader import Account, NotPermittedError
from workloads.training.jobs.submit import container_of, describe_definition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from workloads.account.reader import Json
    from workloads.training.jobs.stack import TrainingStack
    from workloads.training.jobs.submit import Request

_UNITS = {"VCPU": "vCPUs", "MEMORY": "MiB", "GPU": "GPUs"}
_KEYS_READ = 100  # the empty objects that the console makes for folders may come before files
_CHOSEN_BY_BATCH = ("optimal", "default_x86_64", "default_arm64")


def check_readiness(stack: TrainingStack, request: Request, *, on: str, account: Account | None = None) -> list[str]:
    """Refuse a job that could not start, before it is sent.

    Args:
        stack: The deployed stack.
        request: What a person asks for.
        on: `batch` for a queue, `ec2` for an instance of its own.
        account: Where to ask.

    Returns:
        The permissions without which something could not be checked.

    Raises:
        InputError: The job could not start; the message says why, and what to do.
    """
    account = account or Account()
    definition = describe_definition(stack, request)
    unknown: list[str] = []

    def checked(problem: Callable[[], str]) -> None:
        try:
            reason = problem()
        except NotPermittedError as error:
            unknown.append(error.permission)
            return
        if reason:
            raise InputError(f"Job {request.job_name}: {reason}")

    checked(lambda: _data_problem(stack, definition, request, account))
    if on == "ec2":
        checked(lambda: _instance_problem(stack, account))
    else:
        checked(lambda: _image_problem(definition, account))
        needs = _needs_of(container_of(definition), request.nodes)
        checked(lambda: _queue_problem(stack[request.queue_output], needs, account))
    return list(dict.fromkeys(unknown))


def reason_to_wait(description: Mapping[str, Any], account: Account | None = None) -> str:
    """Return why a job waits that no compute environment of its queue could start; empty if one could.

    Batch itself gives no reason where the account's quota is used up, or is 0.

    Args:
        description: The job, as Batch describes it.
        account: Where to ask; nothing is said where the credentials may not read what it takes to know.
    """
    if description["status"] != "RUNNABLE":
        return ""
    nodes = description.get("nodeProperties", {})
    container = nodes["nodeRangeProperties"][0]["container"] if nodes else description.get("container", {})
    try:
        needs = _needs_of(container, nodes.get("numNodes", 1))
        return _queue_problem(description["jobQueue"], needs, account or Account())
    except NotPermittedError:
        return ""


@dataclass(frozen=True)
class Needs:
    """What a job asks for.

    Attributes:
        nodes: How many instances.
        per_node: What it asks for on each of them, by type: VCPU, MEMORY in MiB, GPU.
    """

    nodes: int
    per_node: Mapping[str, float]


def _needs_of(container: Mapping[str, Any], nodes: int) -> Needs:
    return Needs(nodes, {need["type"]: float(need["value"]) for need in container.get("resourceRequirements", [])})


def data_of(definition: Mapping[str, Any], options: Sequence[str]) -> str:
    """Return where the data of a job is: what its options say last, or else what its definition says."""
    place = str(definition.get("parameters", {}).get("data", ""))
    for word, following in itertools.pairwise([*options, ""]):
        if word == "--data":
            place = following
        elif word.startswith("--data="):
            place = word.removeprefix("--data=")
    return place


def _data_problem(stack: TrainingStack, definition: Mapping[str, Any], request: Request, account: Account) -> str:
    place = data_of(definition, request.options)
    if not place.startswith("s3://"):
        return ""
    bucket, _, prefix = place.rstrip("/").removeprefix("s3://").partition("/")
    folder = f"{prefix}/" if prefix else ""
    for start in (folder, prefix):  # a folder with files, or one file
        response = account.find("s3:ListBucket", Bucket=bucket, Prefix=start, MaxKeys=_KEYS_READ) or {}
        keys = [item["Key"] for item in response.get("Contents", [])]
        if any(key == prefix or (key.startswith(folder) and not key.endswith("/")) for key in keys):
            return ""
    data_set = TRAINING[request.workload].data_set
    to = stack.option if place == definition["parameters"].get("data") else f" --to {place}"
    return (
        f"There are no data in {place}. Put them there with `groundwork data put {data_set}{to}`, or a small stand-in "
        f"with `groundwork data sample {data_set}{to}`, or name another place with --data."
    )


def _image_problem(definition: Mapping[str, Any], account: Account) -> str:
    image = container_of(definition)["image"]
    if image_is_missing(image, account.region, account):
        return f"There is no image {image}. Push it, or deploy the stack with another one."
    return ""


def _instance_problem(stack: TrainingStack, account: Account) -> str:
    """Return why an instance of its own could not start."""
    template = stack[TrainingOutput.LAUNCH_TEMPLATE_ID]
    versions = account.ask("ec2:DescribeLaunchTemplateVersions", LaunchTemplateId=template, Versions=["$Latest"])
    data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    kind = data["InstanceType"]
    description = describe_type(kind, account)
    if description is None:
        return f"EC2 has no instance type {kind} in {account.region}. Deploy the stack with another one."
    return _quota_problem([description], spot=False, instances=1, account=account)


def _queue_problem(queue: str, needs: Needs, account: Account) -> str:
    """Return why no compute environment of a queue could run a job; empty if one could."""
    (described,) = account.ask("batch:DescribeJobQueues", jobQueues=[queue])["jobQueues"]
    name = described["jobQueueName"]
    if described["state"] != "ENABLED":
        return f"Queue {name} is disabled. Enable it: aws batch update-job-queue --job-queue {name} --state ENABLED"
    order = [entry["computeEnvironment"] for entry in described["computeEnvironmentOrder"]]
    environments = account.ask("batch:DescribeComputeEnvironments", computeEnvironments=order)["computeEnvironments"]
    problems = [_environment_problem(environment, needs, account) for environment in environments]
    return problems[0] if problems and all(problems) else ""


def _environment_problem(environment: Json, needs: Needs, account: Account) -> str:
    name, compute = environment["computeEnvironmentName"], environment.get("computeResources")
    if environment["state"] != "ENABLED" or environment["status"] == "INVALID":
        reason = environment.get("statusReason") or f"it is {environment['state']}"
        return f"Compute environment {name} starts nothing: {reason}. Deploy the stack again."
    if not compute or compute["type"] not in {"EC2", "SPOT"}:
        return ""
    if needs.nodes > 1 and compute["type"] == "SPOT":
        return f"Compute environment {name} has spot instances, on which no job runs over several nodes."
    vcpus = needs.per_node.get("VCPU", 1) * needs.nodes
    if vcpus > compute["maxvCpus"]:
        return (
            f"The job needs {vcpus:g} vCPUs, and compute environment {name} may have {compute['maxvCpus']}. Deploy "
            "the stack with a larger maximum_vcpus, or with a smaller job_vcpus."
        )
    return _type_problem(name, compute, needs, account) or _subnet_problem(compute, account)


def _type_problem(name: str, compute: Json, needs: Needs, account: Account) -> str:
    """Return why no instance type of a compute environment could run a job, or why the account may not run any."""
    if set(compute["instanceTypes"]) & set(_CHOSEN_BY_BATCH):
        return ""
    fitting = [kind for kind in _types(compute["instanceTypes"], account) if not _lack(kind, needs.per_node)]
    if not fitting:
        in_words = ", ".join(f"{value:.0f} {_UNITS[kind]}" for kind, value in needs.per_node.items() if kind in _UNITS)
        return (
            f"The job needs {in_words}, and no instance type of compute environment {name} has that "
            f"({', '.join(compute['instanceTypes'])}). Deploy the stack with smaller jobs or larger instance types."
        )
    return _quota_problem(fitting, spot=compute["type"] == "SPOT", instances=needs.nodes, account=account)


def _types(names: Sequence[str], account: Account) -> Iterator[Json]:
    """Yield the instance types of a list of types and families, as EC2 describes them."""
    for name in names:
        pattern = name if "." in name else f"{name}.*"
        filters = [{"Name": "instance-type", "Values": [pattern]}]
        yield from account.ask("ec2:DescribeInstanceTypes", Filters=filters)["InstanceTypes"]


def _lack(kind: Json, needs: Mapping[str, float]) -> bool:
    """Return whether an instance type is too small; part of its memory is the operating system's and the agent's."""
    gpus = sum(int(gpu["Count"]) for gpu in kind.get("GpuInfo", {}).get("Gpus", []))
    vcpus, memory = int(kind["VCpuInfo"]["DefaultVCpus"]), int(kind["MemoryInfo"]["SizeInMiB"])
    return vcpus < needs.get("VCPU", 0) or memory <= needs.get("MEMORY", 0) or gpus < needs.get("GPU", 0)


def _quota_problem(fitting: Sequence[Json], *, spot: bool, instances: int, account: Account) -> str:
    """Return why the account may not run as many instances of any of some types."""
    problem = ""
    for kind in sorted(fitting, key=lambda kind: int(kind["VCpuInfo"]["DefaultVCpus"])):
        quota = vcpu_quota(kind["InstanceType"], spot=spot)
        if quota is None:
            return ""
        vcpus, limit = instances * int(kind["VCpuInfo"]["DefaultVCpus"]), quota_value(quota, account)
        if vcpus <= limit:
            return ""  # what runs now ends some time
        problem = problem or (
            f"The account may have {limit:g} {quota.used_for}, and {instances} × {kind['InstanceType']} needs "
            f"{vcpus}. "
            f"{increase(quota, vcpus + used_vcpus(quota, account))}"
        )
    return problem


def _subnet_problem(compute: Json, account: Account) -> str:
    """Return why a compute environment reaches neither S3 nor a registry, from none of its subnets."""
    has_address = _gives_address(compute, account)
    problem = ""
    for identifier in compute["subnets"]:
        subnet = describe_subnet(identifier, account)
        if subnet is None:
            problem = problem or f"There is no subnet {identifier}. Deploy the stack with another one."
            continue
        reason, way_out = way_problem(subnet, account, has_address=has_address)
        if not reason:
            return ""
        problem = problem or f"{reason} {way_out}"
    return problem


def _gives_address(compute: Json, account: Account) -> bool:
    """Return whether the launch template of a compute environment gives its instances public addresses."""
    template = compute.get("launchTemplate")
    if not template:
        return False
    by = (
        {"LaunchTemplateId": template["launchTemplateId"]}
        if "launchTemplateId" in template
        else {"LaunchTemplateName": template["launchTemplateName"]}
    )
    version = template.get("version") or "$Default"
    response = account.ask("ec2:DescribeLaunchTemplateVersions", Versions=[version], **by)
    data = response["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    return any(interface.get("AssociatePublicIpAddress") for interface in data.get("NetworkInterfaces", []))
