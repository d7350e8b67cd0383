"""Lifecycle hooks: instances wait when a group launches or terminates them, until somebody lets them go on.

moto gap: it keeps some settings of hooks, and no instance waits for one.

Sources: https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html, and
prepare-for-lifecycle-notifications.html and warm-pool-event-reference.html there.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
    LifecycleHook,
    autoscaling_backends,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud, log
from localcloud.hooks import add, replace, wrap
from localcloud.services.ec2.behaviour import because, current_cause, timestamp
from localcloud.services.events.behaviour import publish

Json = dict[str, Any]
SERVICE = "autoscaling.amazonaws.com"
LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
#: The state in which an instance waits, and what the event that says so is called, by the transition.
WAITING = {LAUNCHING: "Pending:Wait", TERMINATING: "Terminating:Wait"}
EVENTS = {LAUNCHING: "EC2 Instance-launch Lifecycle Action", TERMINATING: "EC2 Instance-terminate Lifecycle Action"}
#: How many heartbeats, or how many seconds, an instance waits at most: what is over first.
MOST_HEARTBEATS, LONGEST_WAIT = 100, 172800
#: The settings of a hook: moto's attribute and the default.
SETTINGS: dict[str, tuple[str, Any]] = {
    "DefaultResult": ("default_result", "ABANDON"),
    "HeartbeatTimeout": ("heartbeat_timeout", 3600),
    "LifecycleTransition": ("lifecycle_transition", None),
    "NotificationMetadata": ("notification_metadata", None),
    "NotificationTargetARN": ("notification_target_arn", None),
    "RoleARN": ("role_arn", None),
}


@dataclass
class Action:
    """One instance that waits for one hook.

    Attributes:
        hook: The hook.
        instance_id: The instance.
        cause: Why the group launches or terminates it.
        due: When the hook's default result counts, in seconds of the monotonic clock; a heartbeat moves it.
        latest: When it counts in spite of heartbeats.
        token: What names the action.
    """

    hook: LifecycleHook
    instance_id: str
    cause: str
    due: float
    latest: float
    token: str = field(default_factory=lambda: str(uuid4()))

    @property
    def is_launch(self) -> bool:
        """Whether the instance is being launched."""
        return self.hook.lifecycle_transition == LAUNCHING


@dataclass
class Actions:
    """The instances that wait, by the tokens of their actions."""

    by_token: dict[str, Action] = field(default_factory=dict)

    def of(self, instance_id: str) -> list[Action]:
        """Return the actions for which an instance waits."""
        return [action for action in self.by_token.values() if action.instance_id == instance_id]


def hold(cloud: Cloud, group: FakeAutoScalingGroup, state: InstanceState, transition: str) -> bool:
    """Let an instance wait for its group's hooks; return whether there are any.

    Args:
        cloud: The cloud.
        group: The group.
        state: The instance in its group.
        transition: `LAUNCHING` or `TERMINATING`.
    """
    backend = group.autoscaling_backend
    hooks = [
        hook
        for hook in backend.lifecycle_hooks.values()
        if hook.auto_scaling_group_name == group.name and hook.lifecycle_transition == transition
    ]
    if not hooks or state.lifecycle_state == WAITING[transition]:
        return bool(hooks)
    forget(cloud, state.instance.id)  # an instance that is terminated waits for no launch
    state.lifecycle_state = WAITING[transition]
    for hook in hooks:
        _start(cloud, group, hook, state.instance.id)
    return True


def forget(cloud: Cloud, instance_id: str) -> None:
    """Drop what an instance waits for."""
    actions = cloud.state(Actions)
    for action in actions.of(instance_id):
        actions.by_token.pop(action.token, None)


def _start(cloud: Cloud, group: FakeAutoScalingGroup, hook: LifecycleHook, instance_id: str) -> None:
    now, timeout = time.monotonic(), float(hook.heartbeat_timeout)
    latest = now + min(MOST_HEARTBEATS * timeout, LONGEST_WAIT)
    action = Action(hook, instance_id, current_cause(), now + timeout, latest)
    cloud.state(Actions).by_token[action.token] = action
    ends = ("EC2", "AutoScalingGroup") if action.is_launch else ("AutoScalingGroup", "EC2")
    transition = str(hook.lifecycle_transition)
    detail = {
        "LifecycleActionToken": action.token,
        "AutoScalingGroupName": group.name,
        "LifecycleHookName": hook.name,
        "EC2InstanceId": instance_id,
        "LifecycleTransition": transition,
        **_metadata(hook),
        "Origin": ends[0],
        "Destination": ends[1],
    }
    publish(cloud, "aws.autoscaling", EVENTS[transition], detail, [group.arn])
    if hook.notification_target_arn:
        verb = transition.rpartition("_")[2]
        subject = f"Auto Scaling:  Lifecycle action '{verb}' for instance {instance_id} in progress."
        cloud.background(_tell, cloud, hook, subject, {**_message(), **detail})
    cloud.later(timeout, _expire, cloud, action.token)


def _metadata(hook: LifecycleHook) -> Json:
    metadata = vars(hook).get("notification_metadata")
    return {"NotificationMetadata": metadata} if metadata else {}


def _message() -> Json:
    """Return what every notification says."""
    now = datetime.now(UTC)
    time_ = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
    return {"AccountId": ACCOUNT, "RequestId": str(uuid4()), "Service": "AWS Auto Scaling", "Time": time_}


def _tell(cloud: Cloud, hook: LifecycleHook, subject: str, message: Json) -> None:
    """Send a notification to a hook's topic or queue, as the hook's role.

    Raises:
        PermissionError: The role may not do so, or Auto Scaling may not assume it.
        ClientError: There is no such topic or queue.
    """
    target, role, text = str(hook.notification_target_arn), str(hook.role_arn), json.dumps(message)
    is_topic = target.split(":")[2] == "sns"
    service_calls.check_trust(cloud, SERVICE, role)
    need = Need("sns:Publish" if is_topic else "sqs:SendMessage", target)
    service_calls.check_role(cloud, role, "AutoScaling", need)
    if is_topic:
        cloud.client("sns").publish(TopicArn=target, Subject=subject, Message=text)
    else:
        url = cloud.client("sqs").get_queue_url(QueueName=target.rpartition(":")[2])["QueueUrl"]
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody=text)


def _expire(cloud: Cloud, token: str) -> None:
    """Let the default result of a hook count, if nobody has said anything in time."""
    with cloud.lock("autoscaling"):
        action = cloud.state(Actions).by_token.get(token)
        if action is None:
            return
        left = action.due - time.monotonic()
        if left > 0:
            cloud.later(left, _expire, cloud, token)
        else:
            _finish(cloud, action, str(action.hook.default_result))


def _finish(cloud: Cloud, action: Action, result: str) -> None:
    """End an action; with its last one an instance goes on, and an abandoned one waits for no other.

    A launched instance that is abandoned is replaced. A terminated one ends either way.
    """
    actions = cloud.state(Actions)
    actions.by_token.pop(action.token, None)
    if result == "ABANDON":
        forget(cloud, action.instance_id)
    backend: AutoScalingBackend = autoscaling_backends[ACCOUNT][REGION]
    group = backend.autoscaling_groups.get(str(action.hook.auto_scaling_group_name))
    states = group.instance_states if group else []
    state = next((state for state in states if state.instance.id == action.instance_id), None)
    if group is None or state is None or actions.of(action.instance_id):
        return
    if action.is_launch and result == "CONTINUE":
        state.lifecycle_state = "InService"
        backend.update_attached_target_groups(group.name)
    else:
        group.instance_states.remove(state)
        reason = (
            f"At {timestamp()} an instance was taken out of service in response to a lifecycle hook being abandoned."
        )
        with because(reason if action.is_launch else action.cause):
            backend.ec2_backend.terminate_instances([action.instance_id])
        if action.is_launch:
            group.set_desired_capacity(group.desired_capacity)
    backend.update_attached_elbs(group.name)


# Instances of a group.


@replace(FakeAutoScalingGroup, "active_instances")
def _active_instances(self: FakeAutoScalingGroup) -> list[InstanceState]:
    """Count an instance that is being launched, and none that is being terminated."""
    return [state for state in self.instance_states if state.lifecycle_state in {"InService", WAITING[LAUNCHING]}]


@wrap(FakeAutoScalingGroup, "replace_autoscaling_group_instances")
def _launch(cloud: Cloud, original: Any, self: FakeAutoScalingGroup, count: int, tags: dict[str, str]) -> None:
    before = {state.instance.id for state in self.instance_states}
    original(self, count, tags)
    for state in self.instance_states:
        if state.instance.id not in before:
            hold(cloud, self, state, LAUNCHING)


@wrap(FakeAutoScalingGroup, "set_desired_capacity")
def _set_desired_capacity(cloud: Cloud, original: Any, self: FakeAutoScalingGroup, new_capacity: int | None) -> None:
    """Let those wait that a smaller group gives up, if it has hooks for them."""
    wanted = int((self.min_size if new_capacity is None else new_capacity) or 0)
    active = self.active_instances()
    unprotected = [state for state in active if not state.protected_from_scale_in]
    surplus = unprotected[: max(len(active) - wanted, 0)]
    held = [state for state in surplus if hold(cloud, self, state, TERMINATING)]
    if not held:
        original(self, new_capacity)
        return
    self.desired_capacity = wanted
    for arn in self.target_group_arns:
        targets = [{"Id": state.instance.id} for state in held]
        self.autoscaling_backend.elbv2_backend.deregister_targets(arn, targets)
    self.autoscaling_backend.update_attached_elbs(self.name)


@wrap(AutoScalingBackend, "update_attached_elbs", "update_attached_target_groups")
def _register(original: Any, self: AutoScalingBackend, group_name: str) -> None:
    """Register only instances that do not wait."""
    group = self.autoscaling_groups[group_name]
    everybody = group.instance_states
    group.instance_states = [state for state in everybody if state.lifecycle_state not in WAITING.values()]
    try:
        original(self, group_name)
    finally:
        group.instance_states = everybody


@wrap(AutoScalingBackend, "delete_auto_scaling_group")
def _delete_group(cloud: Cloud, original: Any, self: AutoScalingBackend, group_name: str) -> None:
    """Delete a group with its hooks and its instances, none of which waits any more."""
    group = self.autoscaling_groups.get(group_name)
    for hook in self.describe_lifecycle_hooks(group_name) if group else []:
        del self.lifecycle_hooks[f"{group_name}_{hook.name}"]
    for state in group.instance_states if group else []:
        forget(cloud, state.instance.id)
        if state.lifecycle_state in WAITING.values():
            state.lifecycle_state = "InService"
    original(self, group_name)


# The API.


@wrap(AutoScalingResponse, "create_auto_scaling_group")
def _create_group(cloud: Cloud, original: Any, self: AutoScalingResponse) -> ActionResult:
    """Create a group whose first instances wait for its hooks, too."""
    name, backend = str(self._get_param("AutoScalingGroupName")), self.autoscaling_backend
    if name in backend.autoscaling_groups:
        result: ActionResult = original(self)
        return result
    try:
        for settings in self._get_param("LifecycleHookSpecificationList") or []:
            _put(cloud, backend, name, settings)
        result = original(self)
    except Exception:
        for hook in backend.describe_lifecycle_hooks(name):
            del backend.lifecycle_hooks[f"{name}_{hook.name}"]
        raise
    return result


@replace(AutoScalingResponse, "put_lifecycle_hook")
def _put_hook(cloud: Cloud, self: AutoScalingResponse) -> ActionResult:
    name = str(self._get_param("AutoScalingGroupName"))
    _group(self.autoscaling_backend, name)
    settings = {key: self._get_param(key) for key in ("LifecycleHookName", *SETTINGS)}
    _put(cloud, self.autoscaling_backend, name, {key: value for key, value in settings.items() if value is not None})
    return EmptyResult()


def _group(backend: AutoScalingBackend, name: str) -> FakeAutoScalingGroup:
    if name not in backend.autoscaling_groups:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return backend.autoscaling_groups[name]


def _put(cloud: Cloud, backend: AutoScalingBackend, group: str, settings: Json) -> None:
    """Create a hook or change what a request mentions of it, after a test notification to its target.

    Raises:
        ValidationError: A new hook has no transition, or the notification cannot be sent.
    """
    key = f"{group}_{settings['LifecycleHookName']}"
    former = backend.lifecycle_hooks.get(key)
    if not (former or settings.get("LifecycleTransition")):
        raise ValidationError("LifecycleTransition is required for a new lifecycle hook")
    hook = LifecycleHook(str(settings["LifecycleHookName"]), group, None, None, None)
    for name, (attribute, default) in SETTINGS.items():
        kept = vars(former).get(attribute) if former else default
        setattr(hook, attribute, (settings[name] or default) if name in settings else kept)
    hook.heartbeat_timeout = int(hook.heartbeat_timeout)
    hook.global_timeout = min(MOST_HEARTBEATS * hook.heartbeat_timeout, LONGEST_WAIT)
    if hook.notification_target_arn:
        _test(cloud, hook, f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/{group}")
    backend.lifecycle_hooks[key] = hook


def _test(cloud: Cloud, hook: LifecycleHook, group_arn: str) -> None:
    message = {
        **_message(),
        "Event": "autoscaling:TEST_NOTIFICATION",
        "AutoScalingGroupName": hook.auto_scaling_group_name,
        "AutoScalingGroupARN": group_arn,
    }
    subject = f'Auto Scaling: test notification for group "{hook.auto_scaling_group_name}"'
    try:
        _tell(cloud, hook, subject, message)
    except (ClientError, PermissionError) as error:
        log.warning("the test notification of lifecycle hook %s failed: %s", hook.name, error)
        raise ValidationError(
            f"Unable to publish test message to notification target {hook.notification_target_arn} using IAM role "
            f"{hook.role_arn}. Please check your target and role configuration and try to put lifecycle hook again."
        ) from error


@wrap(AutoScalingBackend, "delete_lifecycle_hook")
def _delete_hook(cloud: Cloud, original: Any, self: AutoScalingBackend, as_name: str, name: str) -> None:
    """Delete a hook; what waits for it goes on: a launch is abandoned, a termination continues."""
    original(self, as_name, name)
    for action in list(cloud.state(Actions).by_token.values()):
        if (action.hook.auto_scaling_group_name, action.hook.name) == (as_name, name):
            _finish(cloud, action, "ABANDON" if action.is_launch else "CONTINUE")


@add(AutoScalingResponse, "complete_lifecycle_action")
def _complete(cloud: Cloud, self: AutoScalingResponse) -> ActionResult:
    """Let an instance go on, or abandon it."""
    _finish(cloud, _named(cloud, self), str(self._get_param("LifecycleActionResult")))
    return EmptyResult()


@add(AutoScalingResponse, "record_lifecycle_action_heartbeat")
def _heartbeat(cloud: Cloud, self: AutoScalingResponse) -> ActionResult:
    """Let an instance wait for another heartbeat timeout."""
    action = _named(cloud, self)
    action.due = min(time.monotonic() + float(action.hook.heartbeat_timeout), action.latest)
    return EmptyResult()


@add(AutoScalingResponse, "describe_lifecycle_hook_types")
def _describe_types(self: AutoScalingResponse) -> ActionResult:  # noqa: ARG001 - as moto's own
    """Return the transitions for which there are hooks."""
    return ActionResult({"LifecycleHookTypes": [*WAITING]})


def _named(cloud: Cloud, response: AutoScalingResponse) -> Action:
    """Return the action that a request names, by its token or by the instance.

    Raises:
        ValidationError: There is none.
    """
    group, hook = (response._get_param(name) for name in ("AutoScalingGroupName", "LifecycleHookName"))  # noqa: SLF001
    token, instance = (response._get_param(name) for name in ("LifecycleActionToken", "InstanceId"))  # noqa: SLF001
    _group(response.autoscaling_backend, str(group))
    for action in cloud.state(Actions).by_token.values():
        is_meant = action.token == token if token else action.instance_id == instance
        if is_meant and (action.hook.auto_scaling_group_name, action.hook.name) == (group, hook):
            return action
    named = f"token {token}" if token else f"instance ID {instance}"
    raise ValidationError(f"No active Lifecycle Action found with {named}")
