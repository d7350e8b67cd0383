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
    from collections.abc import Mapping, Sequence

Queue = Literal["cpu", "gpu"]
Task = Literal["train", "tune"]
_PLACES_END = 6  # words of a command: what to do with which workload, and where its data and its output are
_TAG_LENGTH = 256
_TAG_WORD = re.compile(r"[\w+=.:/@,-]+")
_PLACEHOLDER = re.compile(r"Ref::([\w-]+)")


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
        after: Ids of the jobs that must succeed before this one starts.
    """

    workload: str
    options: Sequence[str] = ()
    task: Task = "train"
    queue: Queue = "cpu"
    nodes: int = 1
    workers: int = 1
    after: Sequence[str] = ()

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
    """Return the job definition that fits a request.

    Raises:
        InputError: The stack has none: the workload does not run on such machines.
    """
    if request.definition not in stack.outputs:
        where = f"on {request.nodes} nodes" if request.nodes > 1 else "on a GPU"
        raise InputError(
            f"Workload {request.workload}: It does not run {where}, as stack {stack.name} has no {request.definition}."
        )
    response = client("batch").describe_job_definitions(jobDefinitions=[stack[request.definition]])
    definition: dict[str, Any] = response["jobDefinitions"][0]
    return definition


def command_of(definition: Mapping[str, Any], parameters: Mapping[str, str], options: Sequence[str]) -> list[str]:
    """Return the command of a job: that of its definition, with values for its placeholders, and further options.

    Batch replaces `Ref::name` in the command of a job definition. No document says so of a command that comes with a
    submission, so this command is sent without placeholders.
    See https://docs.aws.amazon.com/batch/latest/userguide/job_definition_parameters.html#parameters.

    Args:
        definition: A job definition as Batch describes it.
        parameters: Values of parameters, which come before those of the definition.
        options: Words at the end of the command.

    Raises:
        InputError: A placeholder has no value.
    """
    values = {**definition.get("parameters", {}), **parameters}
    words = container_of(definition)["command"]
    if missing := {name for word in words for name in _PLACEHOLDER.findall(word)} - values.keys():
        raise InputError(
            f"Job definition {definition['jobDefinitionName']}: Its command needs {', '.join(sorted(missing))}, and "
            "there is no value for that. Deploy the newest version of the stack."
        )
    return [*(_PLACEHOLDER.sub(lambda placeholder: values[placeholder[1]], word) for word in words), *options]


def container_of(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the container of a definition; of several nodes, that of each."""
    nodes = definition.get("nodeProperties", {}).get("nodeRangeProperties", [])
    container: Mapping[str, Any] = nodes[0]["container"] if nodes else definition["containerProperties"]
    return container


def submit_to_batch(stack: TrainingStack, request: Request) -> str:
    """Submit the job; its id.

    Raises:
        InputError: The request cannot be met.
    """
    definition = describe_definition(stack, request)
    parameters = {"task": request.task, "output": _output(stack, request)}
    submission: dict[str, Any] = {
        "jobName": request.job_name,
        "jobQueue": stack[request.queue_output],
        "jobDefinition": stack[request.definition],
        "shareIdentifier": TRAINING[request.workload].share,
        "parameters": parameters,  # for whoever looks at the job; the command has their values
    }
    override = {"command": command_of(definition, parameters, request.options)}
    if "nodeProperties" in definition:
        everywhere = [{"targetNodes": "0:", "containerOverrides": override}]
        submission["nodeOverrides"] = {"numNodes": request.nodes, "nodePropertyOverrides": everywhere}
    else:
        submission["containerOverrides"] = override
    if request.workers > 1:
        submission["arrayProperties"] = {"size": request.workers}
    if request.after:
        submission["dependsOn"] = [{"jobId": job} for job in request.after]
    return str(client("batch").submit_job(**submission)["jobId"])


def launch_instance(stack: TrainingStack, request: Request) -> str:
    """Start an instance that runs the one command and ends itself; its id.

    Raises:
        InputError: The options do not fit into the instance's tag.
    """
    definition = describe_definition(stack, request)
    parameters = {"task": request.task, "output": _output(stack, request)}
    words = command_of(definition, parameters, request.options)[3:]  # without Python and the loader
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
        tags.ROLE: container_of(definition)["jobRoleArn"],
        tags.RUN: request.job_name,
    }
    response = client("ec2").run_instances(
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
    instance = str(response["Instances"][0]["InstanceId"])
    client("ec2").get_waiter("instance_exists").wait(InstanceIds=[instance])  # EC2 may not know it for a second
    return instance


def _output(stack: TrainingStack, request: Request) -> str:
    """A place of its own for the run, also among those of one second, below its workload, where its role may write."""
    kind = "tuning-" if request.task == "tune" else ""
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
    return f"s3://{stack[TrainingOutput.ARTIFACT_BUCKET_NAME]}/{request.workload}/{kind}{moment}-{secrets.token_hex(2)}"
