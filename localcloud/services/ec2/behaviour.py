"""EC2 instances tell EventBridge about their states, and Auto Scaling groups say why they act.

moto gaps: no state changes on EventBridge; no scaling activities; a new group replaces the one that has its name; no
instance starts from a later version of a launch template that has user data; a list of launch templates ends at the
15th.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, Reservation
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, replace, wrap
from localcloud.services.events.behaviour import publish

GROUP_TAG = "aws:autoscaling:groupName"
LARGEST_PAGE = 100  # of scaling activities
LARGEST_PAGE_OF_TEMPLATES = 200

_cause: ContextVar[str] = ContextVar("cause", default="")
_trigger: ContextVar[str] = ContextVar("trigger", default="")


@dataclass
class Activities:
    """Scaling activities by the name of their group, the latest first."""

    by_group: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))


def _changed(cloud: Cloud, instance: Instance, *states: str) -> None:
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance.id}"
    for state in states:
        detail = {"instance-id": instance.id, "state": state}
        publish(cloud, "aws.ec2", "EC2 Instance State-change Notification", detail, [arn])


@after(InstanceBackend, "run_instances")
def _run(cloud: Cloud, reservation: Reservation, *_args: Any, **options: Any) -> None:
    group = (options.get("tags") or {}).get("instance", {}).get(GROUP_TAG)
    for instance in reservation.instances:
        if group:
            record(cloud, group, f"Launching a new EC2 instance: {instance.id}")
        _changed(cloud, instance, "pending", "running")


@after(Instance, "start")
def _started(cloud: Cloud, previous: InstanceState, instance: Instance) -> None:
    if previous.name != "running":
        _changed(cloud, instance, "pending", "running")


@after(Instance, "stop")
def _stopped(cloud: Cloud, previous: InstanceState, instance: Instance) -> None:
    if previous.name not in ("stopped", "terminated"):
        _changed(cloud, instance, "stopping", "stopped")


@after(Instance, "terminate")
def _terminated(cloud: Cloud, previous: InstanceState, instance: Instance) -> None:
    group = getattr(instance, "autoscaling_group", None)
    if group and _cause.get():  # the activity stands before anybody can ask for it
        record(cloud, group.name, f"Terminating EC2 instance: {instance.id}")
    if previous.name != "terminated":
        _changed(cloud, instance, "shutting-down", "terminated")


@wrap(LaunchTemplate, "create_version")
def _create_version(
    original: Any, self: LaunchTemplate, data: dict[str, Any], description: str
) -> LaunchTemplateVersion:
    """Read the user data of every version as moto reads that of the first one."""
    user_data = data.get("UserData")
    if isinstance(user_data, str):
        data = {**data, "UserData": parse_user_data(user_data)}
    version: LaunchTemplateVersion = original(self, data, description)
    return version


@replace(LaunchTemplates, "describe_launch_templates")
def _describe_launch_templates(self: LaunchTemplates) -> ActionResult:
    """Return a page of launch templates; its token is the id of its last one."""
    self.error_on_dryrun()
    templates: list[LaunchTemplate] = self.ec2_backend.describe_launch_templates(
        template_names=self._get_param("LaunchTemplateNames", []),
        template_ids=self._get_param("LaunchTemplateIds", []),
        filters=self._filters_from_querystring(),
    )
    token, size = self._get_param("NextToken"), int(self._get_param("MaxResults", LARGEST_PAGE_OF_TEMPLATES))
    identifiers = [template.id for template in templates]
    if token and token not in identifiers:
        raise EC2ClientError("InvalidNextToken", "The token is not valid.")
    start = identifiers.index(token) + 1 if token else 0
    page = [
        {
            "CreateTime": template.create_time,
            "CreatedBy": f"arn:aws:iam::{ACCOUNT}:root",
            "DefaultVersionNumber": template.default_version_number,
            "LatestVersionNumber": template.latest_version_number,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Tags": template.tags,
        }
        for template in templates[start : start + size]
    ]
    more = {"NextToken": page[-1]["LaunchTemplateId"]} if len(templates) > start + size else {}
    return ActionResult({"LaunchTemplates": page, **more})


# Scaling activities, in the words of Auto Scaling.


@contextmanager
def _bound(variable: ContextVar[str], value: str) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def triggered(reason: str) -> AbstractContextManager[None]:
    """Let the causes of activities in this context name what resizes a group, where it is not a user."""
    return _bound(_trigger, reason)


def because(cause: str) -> AbstractContextManager[None]:
    """Let the activities in this context have a cause."""
    return _bound(_cause, cause)


def current_cause() -> str:
    """Return the cause of the activities in this context; empty without one."""
    return _cause.get()


def record(cloud: Cloud, group: str, description: str) -> None:
    """Record an activity of a group, with the cause of this context."""
    now = datetime.now(UTC)
    activity = {
        "ActivityId": str(uuid4()),
        "AutoScalingGroupName": group,
        "Description": description,
        "Cause": _cause.get(),
        "StartTime": now,
        "EndTime": now,
        "StatusCode": "Successful",
        "Progress": 100,
        "Details": "{}",
    }
    cloud.state(Activities).by_group[group].insert(0, activity)


@replace(AutoScalingResponse, "describe_scaling_activities")
def _describe_scaling_activities(cloud: Cloud, self: AutoScalingResponse) -> ActionResult:
    """Return a page of activities, latest first; its token is the id of its last one, so new ones do not shift it."""
    name, activity_ids, token = (self._get_param(key) for key in ("AutoScalingGroupName", "ActivityIds", "NextToken"))
    size = int(self._get_param("MaxRecords", LARGEST_PAGE))
    if self._get_param("Filters"):
        raise ValidationError("Filters of scaling activities are not supported by the local cloud")
    if size > LARGEST_PAGE:
        raise ValidationError(
            f"1 validation error detected: Value '{size}' at 'maxRecords' failed to satisfy constraint: Member must "
            f"have value less than or equal to {LARGEST_PAGE}"
        )
    activities = cloud.state(Activities).by_group
    recorded = activities.get(name, []) if name else [activity for group in activities.values() for activity in group]
    chosen = [activity for activity in recorded if not activity_ids or activity["ActivityId"] in activity_ids]
    identifiers = [activity["ActivityId"] for activity in chosen]
    if token and token not in identifiers:
        raise AutoscalingClientError("InvalidNextToken", "The token is not valid.")
    start = identifiers.index(token) + 1 if token else 0
    page = chosen[start : start + size]
    more = {"NextToken": page[-1]["ActivityId"]} if len(chosen) > start + size else {}
    return ActionResult({"Activities": page, **more})


@wrap(AutoScalingBackend, "create_auto_scaling_group")
def _create_auto_scaling_group(
    original: Any, self: AutoScalingBackend, name: str, *args: Any, **kwargs: Any
) -> FakeAutoScalingGroup:
    if name in self.autoscaling_groups:
        raise AutoscalingClientError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    group: FakeAutoScalingGroup = original(self, name, *args, **kwargs)
    return group


@wrap(FakeAutoScalingGroup, "set_desired_capacity")
def _set_desired_capacity(original: Any, self: FakeAutoScalingGroup, new_capacity: int | None) -> None:
    now, old = timestamp(), len(self.active_instances())
    new = self.min_size if new_capacity is None else new_capacity
    direction = "shrinking" if (new or 0) < old else "increasing"
    verb = "taken out of service" if direction == "shrinking" else "started"
    limits = f"min: {self.min_size}, max: {self.max_size}, desired: {new}"
    reason = _trigger.get() or f"a user request update of AutoScalingGroup constraints to {limits}"
    cause = (
        f"At {now} {reason} changing the desired capacity from {old} to {new}. "
        f"At {now} an instance was {verb} in response to a difference between desired and actual capacity, "
        f"{direction} the capacity from {old} to {new}."
    )
    with because(cause):
        original(self, new_capacity)


def timestamp() -> str:
    """Return the time as the causes of activities have it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
