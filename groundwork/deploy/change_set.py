"""Prepares a change set with the CDK, executes it, and follows what CloudFormation does."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as Options

from contract.errors import GroundworkError, InputError, phrase
from terminal import cdk
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json = dict[str, Any]
POLL_SECONDS = 1.0
#: The local cloud answers ExecuteChangeSet when all is deployed, and no request may be repeated meanwhile.
PATIENT = Options(read_timeout=3600, retries={"total_max_attempts": 1})
#: Statuses of a stack that has nothing in it.
EMPTY = {"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"}


class DeploymentError(GroundworkError):
    """CloudFormation or the CDK could not deploy the stack; the message says why."""


class Stack:
    """A stack of the account, deployed or not.

    Attributes:
        name: Its name.
        template: The template that is deployed, as the CDK wrote it; None where there is none.
        identifiers: What AWS calls its resources, by logical id.
        cloudformation: A client of CloudFormation.
        patient: Another one, which waits for an answer as long as a deployment takes.
    """

    def __init__(self, name: str) -> None:
        """Ask CloudFormation about the stack.

        Raises:
            InputError: It was not deployed by the CDK, or AWS refuses the requests.
            UnavailableError: AWS cannot be reached.
        """
        self.name = name
        self.template: Json | None = None
        self.identifiers: dict[str, str] = {}
        with asking_aws(f"Stack {name}"):
            self.cloudformation: Any = boto3.client("cloudformation")
            self.patient: Any = boto3.client("cloudformation", config=PATIENT)
            description = self.description()
            if description is None or description["StackStatus"] in EMPTY:
                return
            template = self.cloudformation.get_template(StackName=name)["TemplateBody"]
            if not isinstance(template, dict):
                raise InputError(
                    f"Stack {name}: It was deployed from a file, not by the CDK. Update it where it was created."
                )
            self.template = template
            pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
            self.identifiers = {
                resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
                for page in pages
                for resource in page["StackResourceSummaries"]
            }

    def prepare(self, assembly: Path, say: Callable[[str], None]) -> ChangeSet | None:
        """Publish the stack's assets and create a change set; None where the deployment would change nothing.

        Args:
            assembly: The folder that `cdk synth` wrote.
            say: Called with each line of the CDK's output.

        Raises:
            DeploymentError: The CDK or CloudFormation refuses.
            InputError: There is no CDK here, or AWS refuses the requests.
            UnavailableError: AWS cannot be reached.
        """
        name = f"groundwork-{secrets.token_hex(4)}"
        options = ["--method=prepare-change-set", f"--change-set-name={name}", "--require-approval=never"]
        finished = cdk.run("deploy", self.name, "--exclusively", *options, f"--app={assembly}", say=say)
        change_set = ChangeSet(self, name)
        if finished.failed:
            change_set.discard()
            raise DeploymentError(f"Stack {self.name}: No change set could be created: {phrase(finished.reason)}.")
        return change_set if change_set.is_available else None

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack, by name."""
        with asking_aws(f"Stack {self.name}"):
            description = self.description() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", ())}

    def description(self) -> Json | None:
        """Return what CloudFormation says about the stack; None where there is none."""
        try:
            description: Json = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        except self.cloudformation.exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise
            return None
        return description


class ChangeSet:
    """A change set of a stack.

    Attributes:
        stack: The stack.
        name: The name of the change set.
        changes: What it changes, as DescribeChangeSet lists it.
        is_available: Whether it can be executed; not where it changes nothing.
    """

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack = stack
        self.name = name
        self.changes: list[Json] = []
        self.is_available = False
        self._cloudformation = stack.cloudformation
        with asking_aws(f"Stack {stack.name}"):
            try:
                for page in self._cloudformation.get_paginator("describe_change_set").paginate(
                    StackName=stack.name, ChangeSetName=name
                ):
                    self.changes += page.get("Changes", ())
                    self.is_available = page["ExecutionStatus"] == "AVAILABLE"
            except self._cloudformation.exceptions.ClientError as error:
                if "does not exist" not in str(error):
                    raise

    def discard(self) -> None:
        """Delete the change set, and the stack if it has nothing but this."""
        with asking_aws(f"Stack {self.stack.name}"):
            description = self.stack.description()
            if description is None:
                return
            if description["StackStatus"] == "REVIEW_IN_PROGRESS":
                self._cloudformation.delete_stack(StackName=self.stack.name)
            else:
                self._cloudformation.delete_change_set(StackName=self.stack.name, ChangeSetName=self.name)

    def execute(self, say: Callable[[str], None]) -> str:
        """Execute the change set, and return the status of the stack in the end.

        Args:
            say: Called with a line for each event of a resource.

        Raises:
            DeploymentError: A resource failed, and CloudFormation has rolled the deployment back.
            InputError: AWS refuses the requests.
            UnavailableError: AWS cannot be reached; the deployment goes on.
        """
        place = f"Stack {self.stack.name}"
        with asking_aws(place), ThreadPoolExecutor(1) as pool:
            seen = {event["EventId"] for event in self._events()}
            execution = pool.submit(
                self.stack.patient.execute_change_set, StackName=self.stack.name, ChangeSetName=self.name
            )
            failures, status = [], ""
            while not status:
                if execution.done():
                    execution.result()
                new = [event for event in self._events(seen) if event["EventId"] not in seen]
                for event in reversed(new):
                    seen.add(event["EventId"])
                    state, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
                    say(f"{event['LogicalResourceId']} {state} {reason}".rstrip())
                    if state.endswith("_FAILED") and reason:
                        failures.append(f"{event['LogicalResourceId']}: {phrase(reason)}")
                    if event["PhysicalResourceId"] == event["StackId"] and not state.endswith("_IN_PROGRESS"):
                        status = state
                if not status:
                    time.sleep(POLL_SECONDS)
        if "ROLLBACK" in status or status.endswith("_FAILED"):
            why = failures[0] if failures else "CloudFormation gives no reason"
            raise DeploymentError(f"{place}: The deployment failed and ended in {status}. {why}.")
        return status

    def _events(self, known: set[str] | None = None) -> Iterator[Json]:
        """Yield the events of the stack, the latest first, down to the first one that is known."""
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=self.stack.name)
        for page in pages:
            for event in page["StackEvents"]:
                if known and event["EventId"] in known:
                    return
                yield event
