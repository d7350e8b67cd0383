"""Scaling policies of Auto Scaling groups: an alarm or `ExecutePolicy` changes the size of a group by them.

moto gaps: policies of two groups share their names; step adjustments, minimum adjustments, limits of the group,
cooldowns and warm-up times are ignored; target tracking does nothing; `PutScalingPolicy` does not say the ARN.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    FakeScalingPolicy,
    autoscaling_backends,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.ec2.behaviour import triggered

ADJUSTMENTS = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")
DEFAULT_WARMUP = 300  # seconds, Auto Scaling's default cooldown
#: Below this fraction of its target, target tracking shrinks a group. AWS does not document the fraction that it uses.
MARGIN = 0.9
#: Namespace, metric and statistic of target tracking's predefined metrics.
PREDEFINED = {
    "ASGAverageCPUUtilization": ("AWS/EC2", "CPUUtilization", "Average"),
    "ASGAverageNetworkIn": ("AWS/EC2", "NetworkIn", "Average"),
    "ASGAverageNetworkOut": ("AWS/EC2", "NetworkOut", "Average"),
    "ALBRequestCountPerTarget": ("AWS/ApplicationELB", "RequestCountPerTarget", "Sum"),
}


@dataclass
class GroupState:
    """What policies have done to a group; times are of the monotonic clock, in seconds.

    Attributes:
        cooling_until: When the cooldown of simple policies ends.
        settled: The group's size without the instances that warm up.
        warm_at: When the latest instances have warmed up.
    """

    cooling_until: float = 0
    settled: int = 0
    warm_at: float = 0


def find(arn: str) -> FakeScalingPolicy | None:
    """Return the scaling policy with this ARN."""
    policies: dict[str, FakeScalingPolicy] = autoscaling_backends[ACCOUNT][REGION].policies
    return policies.get(arn)


def trigger(cloud: Cloud, arn: str, *, alarm: str, state: str, threshold: float, value: float | None) -> None:
    """Change a group's size by its policy, because of an alarm.

    A simple policy does nothing during a cooldown. A step policy counts instances that still warm up.

    Args:
        cloud: The cloud of the policy and the alarm.
        arn: The policy's ARN.
        alarm: The alarm's name.
        state: The alarm's state.
        threshold: The alarm's threshold.
        value: The metric's latest value; None, which means the threshold, if the alarm was set by hand.

    Raises:
        LookupError: The policy does not exist any more.
    """
    with cloud.lock("autoscaling"):
        policy = find(arn)
        if policy is None:
            raise LookupError(f"alarm {alarm}: There is no scaling policy {arn}. Change the alarm's actions.")
        group = policy.autoscaling_backend.autoscaling_groups[policy.auto_scaling_group_name]
        metric = threshold if value is None else value
        reason = f"a monitor alarm {alarm} in state {state} triggered policy {policy.name}"
        if policy.policy_type == "SimpleScaling":
            if not _cooling(cloud, group):
                capacity = _adjusted(policy, group.desired_capacity or 0, policy.scaling_adjustment)
                _resize(cloud, policy, group, capacity, reason)
        elif policy.policy_type == "StepScaling":
            _step(cloud, policy, group, metric - threshold, reason)
        else:
            _track(cloud, policy, group, metric, reason)


def _step(cloud: Cloud, policy: FakeScalingPolicy, group: FakeAutoScalingGroup, breach: float, reason: str) -> None:
    adjustment = _adjustment(policy, breach)
    if adjustment is None:
        return
    size, settled = group.desired_capacity or 0, _settled(cloud, group)
    capacity = _adjusted(policy, settled, adjustment)
    # Instances that warm up count as a part of the step that launched them, and keep the group from shrinking.
    if settled == size or capacity > size:
        _resize(cloud, policy, group, capacity, reason)


def _track(cloud: Cloud, policy: FakeScalingPolicy, group: FakeAutoScalingGroup, value: float, reason: str) -> None:
    tracking: Any = policy.target_tracking_configuration
    settled, size = _settled(cloud, group), group.desired_capacity or 0
    capacity = math.ceil(settled * value / float(tracking.TargetValue))
    if capacity > size or (capacity < size and settled == size):
        _resize(cloud, policy, group, capacity, reason)


def _adjustment(policy: FakeScalingPolicy, breach: float) -> int | None:
    """Return the adjustment of the step that a breach of the threshold by this much falls into.

    Bounds lie on the side of the breach: the lower one belongs to a step above the threshold, the upper one to a step
    below it.
    """
    steps: Any = policy.step_adjustments
    for step in steps:
        lower = float(step.get("MetricIntervalLowerBound", -math.inf))
        upper = float(step.get("MetricIntervalUpperBound", math.inf))
        if lower <= breach < upper if breach >= 0 and upper > 0 else lower < breach <= upper:
            return int(step["ScalingAdjustment"])
    return None


def _adjusted(policy: FakeScalingPolicy, size: int, scaling_adjustment: int | None) -> int:
    """Return a group's size after an adjustment, before its limits; round percentages as Auto Scaling documents."""
    adjustment = int(scaling_adjustment or 0)
    if policy.adjustment_type == "ExactCapacity":
        return adjustment
    if policy.adjustment_type == "ChangeInCapacity":
        return size + adjustment
    change = math.trunc(size * adjustment / 100)
    magnitude = max(int(policy.min_adjustment_magnitude or 0), 1 if size * adjustment else 0)
    return size + int(math.copysign(max(abs(change), magnitude), adjustment))


def _resize(cloud: Cloud, policy: FakeScalingPolicy, group: FakeAutoScalingGroup, capacity: int, reason: str) -> None:
    size, settled, now = group.desired_capacity or 0, _settled(cloud, group), time.monotonic()
    new = min(max(capacity, group.min_size or 0), group.max_size or 0)
    if new == size:
        return
    with triggered(reason):
        policy.autoscaling_backend.set_desired_capacity(group.name, new)
    if policy.policy_type == "SimpleScaling":
        cooldown = group.default_cooldown if policy.cooldown is None else policy.cooldown
        cloud.state(GroupState, group).cooling_until = now + float(cooldown)
    else:
        warmup = DEFAULT_WARMUP if policy.estimated_instance_warmup is None else float(policy.estimated_instance_warmup)
        state = cloud.state(GroupState, group)
        state.settled = min(settled, new)
        state.warm_at = now + (warmup if new > size else 0)


def _cooling(cloud: Cloud, group: FakeAutoScalingGroup) -> bool:
    return time.monotonic() < cloud.state(GroupState, group).cooling_until


def _settled(cloud: Cloud, group: FakeAutoScalingGroup) -> int:
    """Return the size of a group without the instances that warm up."""
    size = group.desired_capacity or 0
    state = cloud.state(GroupState, group)
    return min(state.settled, size) if time.monotonic() < state.warm_at else size


# The API.


@wrap(AutoScalingBackend, "put_scaling_policy")
def _put_scaling_policy(cloud: Cloud, original: Any, self: AutoScalingBackend, **settings: Any) -> FakeScalingPolicy:
    _check(self, settings)
    before = dict(self.policies)
    policy: FakeScalingPolicy = original(self, **settings)
    self.policies = {**before, policy.arn: policy}  # moto finds them by name, which two groups may share
    if settings["cooldown"] is None:
        policy.cooldown = None  # the group's
    if policy.arn in before:
        _delete_alarms(cloud, [before[policy.arn]])
    tracks = policy.policy_type == "TargetTrackingScaling"
    vars(policy)["alarms"] = _put_alarms(cloud, policy) if tracks else []  # moto answers with this attribute
    return policy


def _check(backend: AutoScalingBackend, settings: dict[str, Any]) -> None:
    """Refuse a policy that could never act.

    Raises:
        ValidationError: Names the setting.
    """
    name, kind = settings["name"], settings["policy_type"]
    if settings["as_name"] not in backend.autoscaling_groups:
        raise ValidationError(f"Group {settings['as_name']} not found")
    needed = {
        "SimpleScaling": ("adjustment_type", "scaling_adjustment"),
        "StepScaling": ("adjustment_type", "step_adjustments"),
        "TargetTrackingScaling": ("target_tracking_config",),
    }
    if kind not in needed:
        raise ValidationError(
            f"Policy {name}: The local cloud does not act on policies of the type {kind}. Use {', '.join(needed)}."
        )
    for setting in needed[kind]:
        if settings[setting] in (None, [], {}):
            raise ValidationError(f"Policy {name}: A policy of the type {kind} needs a value for {_spelt(setting)}.")
    if kind != "TargetTrackingScaling" and settings["adjustment_type"] not in ADJUSTMENTS:
        raise ValidationError(f"Policy {name}: AdjustmentType must be one of {', '.join(ADJUSTMENTS)}.")
    if kind == "TargetTrackingScaling":
        _metric(name, settings["target_tracking_config"])


def _spelt(setting: str) -> str:
    name = "".join(word.capitalize() for word in setting.split("_"))
    return "TargetTrackingConfiguration" if name == "TargetTrackingConfig" else name


def _metric(name: str, tracking: dict[str, Any]) -> dict[str, Any]:
    """Return the metric that a target tracking policy follows, as `PutMetricAlarm` takes it; without its group.

    Raises:
        ValidationError: The local cloud has no such metric.
    """
    if custom := tracking.get("CustomizedMetricSpecification"):
        if custom.get("Metrics"):
            raise ValidationError(f"Policy {name}: The local cloud does not track several metrics. Choose one metric.")
        return {key: custom[key] for key in ("Namespace", "MetricName", "Statistic", "Dimensions") if custom.get(key)}
    chosen = tracking.get("PredefinedMetricSpecification") or {}
    kind, label = chosen.get("PredefinedMetricType"), str(chosen.get("ResourceLabel", ""))
    if kind not in PREDEFINED:
        raise ValidationError(f"Policy {name}: PredefinedMetricType must be one of {', '.join(PREDEFINED)}.")
    namespace, metric, statistic = PREDEFINED[kind]
    described: dict[str, Any] = {"Namespace": namespace, "MetricName": metric, "Statistic": statistic}
    if kind == "ALBRequestCountPerTarget":
        balancer, _, group = label.partition("/targetgroup/")
        if not group:
            raise ValidationError(f"Policy {name}: ALBRequestCountPerTarget needs the ResourceLabel of a target group.")
        dimensions = {"LoadBalancer": balancer, "TargetGroup": f"targetgroup/{group}"}
        described["Dimensions"] = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return described


def _put_alarms(cloud: Cloud, policy: FakeScalingPolicy) -> list[dict[str, str]]:
    """Make the alarms by which target tracking acts: one above the target, one well below it."""
    group, tracking = policy.auto_scaling_group_name, vars(policy.target_tracking_configuration)
    target = float(tracking["TargetValue"])
    metric = _metric(policy.name, tracking)
    if "PredefinedMetricSpecification" in tracking and "Dimensions" not in metric:
        metric["Dimensions"] = [{"Name": "AutoScalingGroupName", "Value": group}]
    bounds = [("AlarmHigh", "GreaterThanThreshold", target, 3)]
    if str(tracking.get("DisableScaleIn", False)).lower() != "true":
        bounds.append(("AlarmLow", "LessThanThreshold", MARGIN * target, 15))
    alarms = []
    for side, comparison, threshold, periods in bounds:
        name = f"TargetTracking-{group}-{side}-{policy.name}"
        cloud.client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
            AlarmActions=[policy.arn],
            Period=60,
            EvaluationPeriods=periods,
            Threshold=threshold,
            ComparisonOperator=comparison,
            **metric,
        )
        arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"
        alarms.append({"AlarmName": name, "AlarmARN": arn})
    return alarms


def _delete_alarms(cloud: Cloud, policies: Iterable[FakeScalingPolicy]) -> None:
    for name in [alarm["AlarmName"] for policy in policies for alarm in vars(policy)["alarms"]]:
        cloud.client("cloudwatch").delete_alarms(AlarmNames=[name])


@wrap(AutoScalingResponse, "put_scaling_policy")
def _answer_put_scaling_policy(original: Any, self: AutoScalingResponse) -> ActionResult:
    arn = original(self).result["PolicyArn"]
    policy = self.autoscaling_backend.policies[arn]
    return ActionResult({"PolicyARN": arn, "Alarms": vars(policy)["alarms"]})


@wrap(AutoScalingBackend, "describe_policies")
def _describe_policies(
    original: Any,
    self: AutoScalingBackend,
    autoscaling_group_name: str | None = None,
    policy_names: list[str] | None = None,
    policy_types: list[str] | None = None,
) -> list[FakeScalingPolicy]:
    policies: list[FakeScalingPolicy] = original(self, autoscaling_group_name, None, policy_types)
    return [policy for policy in policies if not policy_names or {policy.name, policy.arn} & {*policy_names}]


@replace(AutoScalingResponse, "delete_policy")
def _delete_policy(cloud: Cloud, self: AutoScalingResponse) -> ActionResult:
    policy = _named(self)
    _delete_alarms(cloud, [policy])
    del self.autoscaling_backend.policies[policy.arn]
    return EmptyResult()


@replace(AutoScalingResponse, "execute_policy")
def _execute_policy(cloud: Cloud, self: AutoScalingResponse) -> ActionResult:
    policy = _named(self)
    group, reason = self.autoscaling_backend.autoscaling_groups[policy.auto_scaling_group_name], "a user request"
    reason += f" executed policy {policy.name}"
    if policy.policy_type == "SimpleScaling":
        if str(self._get_param("HonorCooldown", "false")).lower() == "true" and _cooling(cloud, group):
            message = f"The group {group.name} cools down. Try again later, or do not ask to honor the cooldown."
            raise AutoscalingClientError("ScalingActivityInProgress", message)
        _resize(cloud, policy, group, _adjusted(policy, group.desired_capacity or 0, policy.scaling_adjustment), reason)
    elif policy.policy_type == "StepScaling":
        value, threshold = self._get_param("MetricValue"), self._get_param("BreachThreshold")
        if value is None or threshold is None:
            raise ValidationError("MetricValue and BreachThreshold are required for a policy of the type StepScaling.")
        _step(cloud, policy, group, float(value) - float(threshold), reason)
    else:
        raise ValidationError(f"Policy {policy.name}: A policy of the type {policy.policy_type} cannot be executed.")
    return EmptyResult()


def _named(self: AutoScalingResponse) -> FakeScalingPolicy:
    """Return the policy that a request names, by its ARN or by its name and group.

    Raises:
        ValidationError: The policy does not exist, or several policies have the name.
    """
    name, group = self._get_param("PolicyName"), self._get_param("AutoScalingGroupName")
    policies = self.autoscaling_backend.describe_policies(group, [name])
    if len(policies) != 1:
        raise ValidationError(f"There is {'no' if not policies else 'more than one'} scaling policy {name}.")
    return policies[0]


@wrap(AutoScalingBackend, "delete_auto_scaling_group")
def _delete_auto_scaling_group(cloud: Cloud, original: Any, self: AutoScalingBackend, group_name: str) -> None:
    """A group's policies go with it."""
    original(self, group_name)
    policies = self.describe_policies(group_name)
    _delete_alarms(cloud, policies)
    for policy in policies:
        del self.policies[policy.arn]
