"""Auto Scaling groups: which launch templates they take, and what an update changes.

moto gaps: an update ignores the cooldown, the termination policies, the rebalancing of capacity and the placement
group, in which no instance is launched. Neither creation
nor update keeps the longest life of an instance and the warm-up time. A group takes a launch template that launches
nothing. Warm pools and metrics of a group that does not exist end with an error of Python's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError

from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap
from localcloud.services.ec2 import instance_types, placement_groups

#: Settings that moto's groups have under other names.
KEPT = {
    "DefaultCooldown": "default_cooldown",
    "TerminationPolicies": "termination_policies",
    "CapacityRebalance": "capacity_rebalance",
    "PlacementGroup": "placement_group",
}
#: Settings that they lack, all of them whole numbers of seconds.
LACKING = ("MaxInstanceLifetime", "DefaultInstanceWarmup")


@dataclass
class GroupState:
    """What moto drops of a group: its settings by AWS's names."""

    settings: dict[str, int] = field(default_factory=dict)


@wrap(AutoScalingResponse, "create_auto_scaling_group", "update_auto_scaling_group")
def _change(cloud: Cloud, original: Any, self: AutoScalingResponse) -> ActionResult:
    if template := self._get_param("LaunchTemplate"):
        _check_instance_type(self.autoscaling_backend, template)
    if placement := self._get_param("PlacementGroup"):
        placement_groups.check(cloud, placement)
    result: ActionResult = original(self)
    group: FakeAutoScalingGroup = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    for setting, attribute in KEPT.items():
        if (value := self._get_param(setting)) is not None:
            setattr(group, attribute, value)
    state = cloud.state(GroupState, group)
    state.settings |= {name: int(self._get_param(name)) for name in LACKING if self._get_param(name) is not None}
    return result


@wrap(FakeAutoScalingGroup, "replace_autoscaling_group_instances")
def _launch(original: Any, self: FakeAutoScalingGroup, *args: Any, **kwargs: Any) -> None:
    before = {state.instance.id for state in self.instance_states}
    original(self, *args, **kwargs)
    for state in self.instance_states:
        if state.instance.id not in before:
            state.instance.placement.group_name = self.placement_group or ""


def _check_instance_type(backend: AutoScalingBackend, template: dict[str, Any]) -> None:
    """Refuse a launch template whose instance type the region does not offer.

    Raises:
        AutoscalingClientError: In the words of https://github.com/eksctl-io/eksctl/issues/1670.
    """
    launch = {"launch_template": template, "is_instance_type_default": True}
    try:
        if kind := instance_types.requested(backend.ec2_backend, launch):
            instance_types.check(kind)
    except EC2ClientError as error:
        message = f"You must use a valid fully-formed launch template. {error.message}"
        raise AutoscalingClientError("ValidationError", message) from error


@wrap(AutoScalingBackend, "describe_auto_scaling_groups")
def _describe(
    cloud: Cloud, original: Any, self: AutoScalingBackend, *args: Any, **kwargs: Any
) -> list[FakeAutoScalingGroup]:
    groups: list[FakeAutoScalingGroup] = original(self, *args, **kwargs)
    for group in groups:
        settings = cloud.state(GroupState, group).settings
        vars(group).update(  # moto answers with what its models have
            max_instance_lifetime=settings.get("MaxInstanceLifetime") or None,
            default_instance_warmup=settings.get("DefaultInstanceWarmup"),
        )
    return groups


@wrap(AutoScalingBackend, "delete_warm_pool", "describe_warm_pool", "enable_metrics_collection", "put_warm_pool")
def _of_a_group(original: Any, self: AutoScalingBackend, group_name: str, *args: Any, **kwargs: Any) -> Any:
    self.autoscaling_groups[group_name]  # or it is answered that the group does not exist
    return original(self, group_name, *args, **kwargs)
