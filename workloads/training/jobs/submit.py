"""A job in one of the stack's queues, or on an instance of its own."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from contract import tags
from contract.errors import InputError
from contract.stacks import TrainingOutput
from contract.workloads import TRAINING
from workloads.training.jobs.stack import TrainingStack, client

if TYPE_CHECKING:
    from collections.abc import Sequence

Queue = Literal["cpu", "gpu"]
Task = Literal["train", "tune"]
_PLACES_END = 6  # words of a command: what to do with which workload, and where its data and its output are
_TAG_LENGTH = 256
_TAG_WORD = re.compile(r"[\w+=.:/@,-]+")


@dataclass(frozen=True)
class Request:
    """What a person asks for.

    Attributes:
        workload: Its name.
        options: Of `groundwork train` or `groundwork tune`.
        task: Train once, or search for better settings.
        queue: Which machines.
        nodes: How many instances train together.
        workers: How many search together, each a job of an array.
    """

    workload: str
    options: Sequence[str] = ()
    task: Task = "train"
    queue: Queue = "cpu"
    nodes: int = 1
    workers: int = 1

    @property
    def job_name(self) -> str:
        """What the job is called in the console."""
        return f"{self.workload}-{self.task}"

    @property
    def definition(self) -> str:
        """The stack's output that names the job definition."""
        return TRAINING[self.workload].job_output("multi-node" if self.nodes > 1 else self.queue)

    @property
    def queue_output(self) -> str:
        """The stack's output that names the queue."""
        return TrainingOutput.MULTI_NODE_QUEUE_ARN if self.nodes > 1 else f"{self.queue.title()}QueueArn"


def describe_definition(stack: TrainingStack, request: Request) -> dict[str, Any]:
    """The job definition that fits a request.

    Raises:
        InputError: The stack has none: the workload does not run on such machines.
    """
    if request.definition not in stack.outputs:
        where = f"on {request.nodes} nodes" if request.nodes > 1 else "on a GPU"
        raise InputError(
            f"Workload {request.workload}: It does not run {where}, as stack {stack.name} has no {request.definition}."
        )
    answer = client("batch").describe_job_definitions(jobDefinitions=[stack[request.definition]])
    found: dict[str, Any] = answer["jobDefinitions"][0]
    return found


def submit_to_batch(stack: TrainingStack, request: Request) -> str:
    """Submit the job; its id.

    Raises:
        InputError: The request cannot be met.
    """
    definition = describe_definition(stack, request)
    submission: dict[str, Any] = {
        "jobName": request.job_name,
        "jobQueue": stack[request.queue_output],
        "jobDefinition": stack[request.definition],
        "shareIdentifier": TRAINING[request.workload].share,
        "parameters": {"task": request.task, "output": _output(stack, request)},
    }
    nodes = definition.get("nodeProperties", {}).get("nodeRangeProperties", [])
    defined = nodes[0]["container"] if nodes else definition["containerProperties"]
    override = {"command": [*defined["command"], *request.options]}
    if nodes:
        everywhere = [{"targetNodes": "0:", "containerOverrides": override}]
        submission["nodeOverrides"] = {"numNodes": request.nodes, "nodePropertyOverrides": everywhere}
    else:
        submission["containerOverrides"] = override
    if request.workers > 1:
        submission["arrayProperties"] = {"size": request.workers}
    return str(client("batch").submit_job(**submission)["jobId"])


def launch_instance(stack: TrainingStack, request: Request) -> str:
    """Start an instance that runs the one command and ends itself; its id.

    Raises:
        InputError: The options do not fit into the instance's tag.
    """
    definition = describe_definition(stack, request)
    container = definition["containerProperties"]
    parameters = {**definition["parameters"], "task": request.task, "output": _output(stack, request)}
    words = [parameters.get(word.removeprefix("Ref::"), word) for word in container["command"][3:]]
    words += request.options
    command, options = " ".join(words[:_PLACES_END]), " ".join(words[_PLACES_END:])
    wrong = [word for word in words if not _TAG_WORD.fullmatch(word)]
    if wrong or max(len(command), len(options)) > _TAG_LENGTH:
        raise InputError(
            f"--on ec2: These options do not fit into a tag, which takes {_TAG_LENGTH} letters, digits and +-=.,_:/@ "
            f"at most: {', '.join(wrong) or options}."
        )
    values = {
        tags.COMMAND: command,
        tags.OPTIONS: options,
        tags.ROLE: container["jobRoleArn"],
        tags.RUN: request.job_name,
    }
    answer = client("ec2").run_instances(
        LaunchTemplate={"LaunchTemplateId": stack[TrainingOutput.LAUNCH_TEMPLATE_ID], "Version": "$Latest"},
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [
                    {"Key": tags.EXPECTED_TERMINATION, "Value": "its training ends"},
                    *({"Key": key, "Value": value} for key, value in values.items()),
                ],
            }
        ],
    )
    instance = str(answer["Instances"][0]["InstanceId"])
    client("ec2").get_waiter("instance_exists").wait(InstanceIds=[instance])  # EC2 may not know it for a second
    return instance


def _output(stack: TrainingStack, request: Request) -> str:
    """A place of its own for the run, also among those of one second, below its workload, where its role may write."""
    kind = "tuning-" if request.task == "tune" else ""
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
    return f"s3://{stack[TrainingOutput.ARTIFACT_BUCKET_NAME]}/{request.workload}/{kind}{moment}-{secrets.token_hex(2)}"
