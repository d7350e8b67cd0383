"""Auto Scaling groups: what an update changes.

moto gap: an update ignores the cooldown, the termination policies and the rebalancing of capacity, and neither creation
nor update keeps the longest life of an instance and the warm-up time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap

#: Settings that moto's groups have under other names.
KEPT = {
    "DefaultCooldown": "default_cooldown",
    "TerminationPolicies": "termination_policies",
    "CapacityRebalance": "capacity_rebalance",
}
#: Settings that they lack, all of them whole numbers of seconds.
LACKING = ("MaxInstanceLifetime", "DefaultInstanceWarmup")


@dataclass
class GroupState:
    """What moto drops of a group: its settings by AWS's names."""

    settings: dict[str, int] = field(default_factory=dict)


@wrap(AutoScalingResponse, "create_auto_scaling_group", "update_auto_scaling_group")
def _change(cloud: Cloud, original: Any, self: AutoScalingResponse) -> ActionResult:
    result: ActionResult = original(self)
    group: FakeAutoScalingGroup = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    for setting, attribute in KEPT.items():
        if (value := self._get_param(setting)) is not None:
            setattr(group, attribute, value)
    state = cloud.state(GroupState, group)
    state.settings |= {name: int(self._get_param(name)) for name in LACKING if self._get_param(name) is not None}
    return result


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
