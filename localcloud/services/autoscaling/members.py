"""Instances that a group is told to terminate, or that are unhealthy or gone, and those that take their place.

moto gaps: an unhealthy instance stays; a group forgets an instance that it is told to terminate before EC2 does.
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, TerminateInstanceActivity

from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.autoscaling import lifecycle_hooks
from localcloud.services.ec2.behaviour import because, record, timestamp


@replace(AutoScalingBackend, "terminate_instance")
def _terminate_instance(
    cloud: Cloud, self: AutoScalingBackend, instance_id: str, should_decrement: bool
) -> TerminateInstanceActivity:
    group, state = _member(self, instance_id)
    size = group.desired_capacity or 0
    shrinking = f", shrinking the capacity from {size} to {size - 1}" if should_decrement else ""
    cause = (
        f"At {timestamp()} instance {instance_id} was taken out of service in response to a user request{shrinking}."
    )
    _replace(cloud, self, group, state, cause, launch=not should_decrement)
    group.desired_capacity = size - should_decrement
    return TerminateInstanceActivity(state.instance, size)


@wrap(AutoScalingBackend, "set_instance_health")
def _set_instance_health(
    cloud: Cloud, original: Any, self: AutoScalingBackend, instance_id: str, health_status: str
) -> None:
    member = _member(self, instance_id)
    original(self, instance_id, health_status)
    if health_status == "Unhealthy":
        cause = f"At {timestamp()} an instance was taken out of service in response to a user health-check."
        cloud.background(_replace, cloud, self, *member, cause)


@replace(AutoScalingBackend, "notify_terminate_instances")
def _notify_terminate_instances(cloud: Cloud, self: AutoScalingBackend, instance_ids: list[str]) -> None:
    """What EC2 tells the groups when instances were terminated behind their backs."""
    for instance_id in instance_ids:
        try:
            group, state = _member(self, instance_id)
        except ValidationError:
            continue
        cause = (
            f"At {timestamp()} an instance was taken out of service in response to an EC2 health check indicating "
            "it has been terminated or stopped."
        )
        _replace(cloud, self, group, state, cause)


def _member(backend: AutoScalingBackend, instance_id: str) -> tuple[FakeAutoScalingGroup, Any]:
    groups = backend.autoscaling_groups.values()
    for group in groups:
        for state in group.instance_states:
            if state.instance.id == instance_id:
                return group, state
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _replace(
    cloud: Cloud,
    backend: AutoScalingBackend,
    group: FakeAutoScalingGroup,
    state: Any,
    cause: str,
    *,
    launch: bool = True,
) -> None:
    with cloud.lock("autoscaling"):
        is_gone = state.instance.state == "terminated"
        with because(cause):
            if is_gone or not lifecycle_hooks.hold(cloud, group, state, lifecycle_hooks.TERMINATING):
                lifecycle_hooks.forget(cloud, state.instance.id)
                group.instance_states.remove(state)
                if is_gone:
                    record(cloud, group.name, f"Terminating EC2 instance: {state.instance.id}")
                else:
                    backend.ec2_backend.terminate_instances([state.instance.id])
        size = len(group.active_instances())
        launched = (
            f"At {timestamp()} an instance was launched in response to an unhealthy instance needing to be replaced, "
            f"increasing the capacity from {size} to {size + 1}."
        )
        if launch and size < (group.desired_capacity or 0):
            with because(launched):
                group.replace_autoscaling_group_instances(1, group.get_propagated_tags())
        backend.update_attached_elbs(group.name)
