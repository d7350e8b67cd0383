"""Find out which statements of the stacks' policies the demonstration needs.

The local cloud refuses what policies do not allow. For each request that it allows, it finds the statements without
which it would have refused: each statement is removed from the policies that apply, and the request is judged again.
This is what a run without the statement would show, for all statements in one run.

After the demonstration, the program also does what a quiet demonstration does not: an instance trains and ends itself,
jobs fail, alarms ring, and an event cannot be delivered.

The record goes to infra/check/used.yaml, where `python -m infra.check` looks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import yaml

from contract.stacks import StackName, TrainingOutput
from contract.workloads import TRAINING
from groundwork import local
from groundwork.demo import show
from groundwork.demo.checklist import Checklist
from groundwork.demo.cli import run
from infra.check.statements import USED, Statement, statements, templates
from localcloud import LocalCloud
from terminal import files

Json = dict[str, Any]
#: What the resources of a stack are called in the cloud: logical ids by physical ones.
Names = dict[str, str]
HEADER = "# Written by python -m groundwork.demo.statements: which actions of each statement the demonstration needs.\n"


def main() -> None:
    """Run the demonstration and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloud", type=Path, help="folder of a cloud in which the demonstration has already run")
    parser.add_argument("--results", type=Path, default=Path("build/statements"), help="what the demonstration writes")
    arguments = parser.parse_args()
    local.use()
    if arguments.cloud is None:
        show.show(list(show.PARTS), arguments.results.resolve(), keep=True)
    cloud = LocalCloud(arguments.cloud or arguments.results.resolve() / "cloud")
    exercise(cloud)
    used = recorded(cloud.statements(), {stack: _names(cloud, stack) for stack in templates()})
    files.write(USED, (HEADER + yaml.safe_dump(used, width=120)).encode())
    count = sum(len(labels) for policies in used.values() for labels in policies.values())
    sys.stdout.write(f"{count} statements are needed\n")
    if arguments.cloud is None:
        cloud.stop()


def exercise(cloud: LocalCloud) -> None:
    """Do what needs the statements that the demonstration does not."""
    _train_on_instances(cloud)
    _ring(cloud)
    _lose_event(cloud)
    _run_jobs(cloud)
    time.sleep(10)  # what follows the end of a job and an alarm


def _train_on_instances(cloud: LocalCloud) -> None:
    """Train each workload that has one-off instances on one."""
    report, artifacts = Checklist(), cloud.outputs(StackName.TRAINING)[TrainingOutput.ARTIFACT_BUCKET_NAME]
    for workload in (workload for workload in TRAINING.values() if workload.uses_gpu):
        options = [option.format(artifacts=artifacts) for option in workload.real.options]
        with suppress(CalledProcessError):  # it has asked for what it needs, whatever becomes of it
            run(cloud, report, "submit", workload.name, "--on", "ec2", "--", *options)


def _run_jobs(cloud: LocalCloud) -> None:
    """Run a job of each definition; those that train are told to do something else, and fail."""
    batch = cloud.client("batch")
    queues: dict[str, Json] = {}
    for page in batch.get_paginator("describe_job_queues").paginate():
        for queue in page["jobQueues"]:
            queues.setdefault(_stack(queue["jobQueueName"]), queue)
    jobs = []
    pages = batch.get_paginator("describe_job_definitions").paginate(status="ACTIVE")
    for definition in (definition for page in pages for definition in page["jobDefinitions"]):
        name, parameters = definition["jobDefinitionName"], definition.get("parameters", {})
        if definition["type"] != "container" or "Gpu" in name:
            continue
        queue = queues[_stack(name)]
        job = {"jobName": "exercise", "jobQueue": queue["jobQueueArn"], "jobDefinition": name}
        share = {"shareIdentifier": "exercise"} if queue.get("schedulingPolicyArn") else {}
        unknown = {"task": "absent"} if parameters.get("task") == "train" else {}
        jobs.append(batch.submit_job(**job, **share, parameters=unknown)["jobId"])
    while any(job["status"] not in {"SUCCEEDED", "FAILED"} for job in batch.describe_jobs(jobs=jobs)["jobs"]):
        time.sleep(1)


def _ring(cloud: LocalCloud) -> None:
    """Let every alarm ring."""
    cloudwatch = cloud.client("cloudwatch")
    for page in cloudwatch.get_paginator("describe_alarms").paginate():
        for alarm in page["MetricAlarms"]:
            cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="exercise")


def _lose_event(cloud: LocalCloud) -> None:
    """Terminate an instance while the rule may not call the function that is told of it."""
    functions = cloud.client("lambda")
    [logger] = [
        function["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if "TerminationLogger" in function["FunctionName"]
    ]
    for statement in json.loads(functions.get_policy(FunctionName=logger)["Policy"])["Statement"]:
        functions.remove_permission(FunctionName=logger, StatementId=statement["Sid"])
    ec2 = cloud.client("ec2")
    running = [{"Name": "instance-state-name", "Values": ["running"]}]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=running)
    reservations = [reservation for page in pages for reservation in page["Reservations"]]
    instances = [instance for reservation in reservations for instance in reservation["Instances"]]
    [instance, *_] = [
        instance["InstanceId"]
        for instance in instances
        if any(tag["Key"] == "aws:autoscaling:groupName" for tag in instance.get("Tags", []))
    ]
    ec2.terminate_instances(InstanceIds=[instance])


def _stack(name: str) -> str:
    return name.partition("-")[0]


def recorded(needed: Iterable[Json], names: dict[str, Names]) -> dict[str, dict[str, dict[str, list[str]]]]:
    """The used actions, by stack, policy and statement.

    Args:
        needed: What `LocalCloud.statements` returns.
        names: The names of each stack's resources.
    """
    known = {stack: [*statements(stack, template)] for stack, template in templates().items()}
    used: dict[str, dict[str, dict[str, list[str]]]] = {}
    for row in needed:
        for stack, names_of_stack in names.items():
            for statement in _meant(row, known[stack], names_of_stack):
                actions = used.setdefault(stack, {}).setdefault(statement.policy, {}).setdefault(statement.label, [])
                actions += [action for action in row["denials"] if action not in actions]
    for policies in used.values():
        for labels in policies.values():
            for actions in labels.values():
                actions.sort()
    return used


def _meant(row: Json, known: list[Statement], names: Names) -> Iterator[Statement]:
    """Yield the statement of a stack's template that a statement in the cloud comes from, if it is this stack's."""
    place = row["policy"].removeprefix("policy of ")
    policy = names.get(place) or names.get(place.rpartition(":")[2].rpartition("/")[2])
    if policy is None and row["holder"]:  # an inline policy of a role
        policy = names.get(row["holder"].rpartition("/")[2])
    text = json.loads(row["text"])
    actions = tuple(sorted([text["Action"]] if isinstance(text["Action"], str) else text["Action"]))
    services = {*_services(text.get("Principal"))}
    candidates = [
        statement
        for statement in known
        if statement.policy == policy
        and statement.actions == actions
        and ("Principal" in text) == bool(statement.principals)
        and services == {name for name in statement.principals if name.endswith(".amazonaws.com")}
    ]
    resources = json.dumps(text.get("Resource", ""))
    mentioned = {logical for physical, logical in names.items() if len(physical) > 5 and physical in resources}  # noqa: PLR2004
    if candidates:
        yield max(candidates, key=lambda statement: len(mentioned & {*statement.resources}))


def _services(principal: Any) -> Iterator[str]:
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    yield from [services] if isinstance(services, str) else services


def _names(cloud: LocalCloud, stack: str) -> Names:
    """The logical ids of all resources that a stack has had, by their names in the cloud."""
    pages = cloud.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"] if event.get("PhysicalResourceId")]
    names = {}
    for event in events:
        physical, logical = event["PhysicalResourceId"], event["LogicalResourceId"]
        if event["ResourceType"] not in {"AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"}:
            names[physical.rpartition(":")[2].rpartition("/")[2]] = logical
    return names


if __name__ == "__main__":
    main()
