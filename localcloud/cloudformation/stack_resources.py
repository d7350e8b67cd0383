"""What CloudFormation says about the resources, events, templates and change sets of a stack.

moto gaps: every resource has the status of its stack and a date of 2010, a template has no stages, templates of change
sets cannot be read, and each stack lists the change sets of all.
"""

from __future__ import annotations

import json
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from localcloud.cloud.context import Cloud
from localcloud.cloudformation.deployment import Resource, live
from localcloud.hooks import replace

Json = dict[str, Any]

NOT_CHECKED = {"StackResourceDriftStatus": "NOT_CHECKED"}


@replace(CloudFormationResponse, "describe_stack_resource")
def _describe_stack_resource(cloud: Cloud, self: CloudFormationResponse) -> ActionResult:
    name, logical = self._get_param("StackName"), self._get_param("LogicalResourceId")
    try:
        stack = self.cloudformation_backend.get_stack(name)
    except ValidationError as error:
        raise ValidationError(message=f"Stack '{name}' does not exist") from error
    resource = live(cloud, stack).resources.get(logical)
    if resource is None:
        raise ValidationError(message=f"Resource {logical} does not exist for stack {name}")
    metadata = stack.template_dict.get("Resources", {}).get(logical, {}).get("Metadata") or {}
    described = _described(stack, resource, "LastUpdatedTimestamp")
    return ActionResult({"StackResourceDetail": described | _of(stack) | {"Metadata": json.dumps(metadata)}})


@replace(CloudFormationResponse, "describe_stack_resources")
def _describe_stack_resources(cloud: Cloud, self: CloudFormationResponse) -> ActionResult:
    name, physical = self._get_param("StackName"), self._get_param("PhysicalResourceId")
    backend = self.cloudformation_backend
    stacks = list(backend.stacks.values()) if physical else [backend.get_stack(name)]
    logical = self._get_param("LogicalResourceId")
    described = [
        _described(stack, resource, "Timestamp") | _of(stack)
        for stack in stacks
        for resource in live(cloud, stack).resources.values()
        if logical in {None, resource.logical_resource_id} and physical in {None, resource.physical_resource_id}
    ]
    if not described and (physical or logical):
        what = f"Stack for {physical}" if physical else f"Resource {logical}"
        raise ValidationError(message=f"{what} does not exist{'' if physical else f' for stack {name}'}")
    return ActionResult({"StackResources": described})


@replace(CloudFormationResponse, "list_stack_resources")
def _list_stack_resources(cloud: Cloud, self: CloudFormationResponse) -> ActionResult:
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    resources = live(cloud, stack).resources.values()
    return ActionResult(
        {"StackResourceSummaries": [_described(stack, resource, "LastUpdatedTimestamp") for resource in resources]}
    )


def _described(stack: Stack, resource: Resource, timestamp: str) -> Json:
    """Return a resource with its status, the reason and the time of its last event.

    Args:
        stack: The resource's stack.
        resource: The resource.
        timestamp: The member that tells the time.
    """
    logical = resource.logical_resource_id
    event: Any = next(event for event in reversed(stack.events) if event.logical_resource_id == logical)
    return {
        "LogicalResourceId": logical,
        "PhysicalResourceId": resource.physical_resource_id,
        "ResourceType": resource.cf_resource_type,
        "ResourceStatus": event.resource_status,
        "ResourceStatusReason": event.resource_status_reason,
        timestamp: event.timestamp,
        "DriftInformation": NOT_CHECKED,
    }


def _of(stack: Stack) -> Json:
    return {"StackId": stack.stack_id, "StackName": stack.name}


@replace(CloudFormationResponse, "describe_stack_events")
def _describe_stack_events(self: CloudFormationResponse) -> ActionResult:
    name = self._get_param("StackName")
    try:
        events = self.cloudformation_backend.describe_stack_events(name)
    except ValidationError as error:
        raise ValidationError(message=f"Stack [{name}] does not exist") from error
    return ActionResult({"StackEvents": events[::-1]})


class ChangeSetNotFoundError(CloudFormationError):
    """There is no change set of this name."""

    code = "ChangeSetNotFound"


def existing(backend: CloudFormationBackend, name: str | None) -> Stack | None:
    """Return the stack of a name or an id that has not been deleted; None if there is none."""
    return next((stack for stack in list(backend.stacks.values()) if name in (stack.name, stack.stack_id)), None)


def find_change_set(self: CloudFormationResponse) -> ChangeSet:
    """Return the change set that a request names: by its id, or by its name and the stack.

    Raises:
        ValidationError: The request does not name the stack, or there is no such stack.
        ChangeSetNotFoundError: The stack has no such change set.
    """
    name, stack_name, backend = (
        self._get_param("ChangeSetName"),
        self._get_param("StackName"),
        self.cloudformation_backend,
    )
    if name in backend.change_sets:
        return backend.change_sets[name]
    if name.startswith("arn:"):
        raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")
    if not stack_name:
        raise ValidationError(message="StackName must be specified if ChangeSetName is not specified as an ARN.")
    stack = existing(backend, stack_name)
    if stack is None:
        raise ValidationError(message=f"Stack [{stack_name}] does not exist")
    for change_set in reversed(backend.change_sets.values()):
        if change_set.stack is stack and change_set.change_set_name == name:
            return change_set
    raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")


@replace(CloudFormationResponse, "get_template")
def _get_template(self: CloudFormationResponse) -> ActionResult:
    """Return the template of a stack or of a change set; here both stages are the same."""
    name, of_change_set = self._get_param("StackName"), self._get_param("ChangeSetName")
    if not of_change_set and not name:
        raise ValidationError(message="StackName is required if ChangeSetName is not specified.")
    if of_change_set and not name and not of_change_set.startswith("arn:"):
        raise ValidationError(message="StackName is a required parameter.")
    source: Stack | ChangeSet
    source = find_change_set(self) if of_change_set else self.cloudformation_backend.get_stack(name)
    return ActionResult({"TemplateBody": source.template, "StagesAvailable": ["Original", "Processed"]})


@replace(CloudFormationResponse, "list_change_sets")
def _list_change_sets(self: CloudFormationResponse) -> ActionResult:
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    return ActionResult(
        {
            "Summaries": [
                {
                    "ChangeSetId": listed.change_set_id,
                    "ChangeSetName": listed.change_set_name,
                    "CreationTime": listed.creation_time,
                    "Description": listed.description,
                    "ExecutionStatus": listed.execution_status,
                    "IncludeNestedStacks": False,
                    "Status": listed.status,
                    "StatusReason": listed.status_reason,
                    **_of(stack),
                }
                for listed in self.cloudformation_backend.change_sets.values()
                if listed.stack is stack and listed.execution_status != "EXECUTE_COMPLETE"
            ]
        }
    )
