"""What an alarm does to Auto Scaling groups and instances; actions that cannot be done are refused when it is made."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap
from localcloud.services.autoscaling import policies

#: The operations of EC2 that an alarm can call. A recovered instance comes back as it was, as after a reboot.
OPERATIONS = {
    "recover": "reboot_instances",
    "reboot": "reboot_instances",
    "stop": "stop_instances",
    "terminate": "terminate_instances",
}
_ON_INSTANCE = re.compile(
    rf"arn:aws:automate:{REGION}:ec2:(?P<action>\w+)"
    rf"|arn:aws:swf:{REGION}:{ACCOUNT}:action/actions/AWS_EC2\.InstanceId\.(?P<workflow>\w+)/1\.0"
)
_DELIVERED = re.compile(rf"arn:aws:(sns|lambda):{REGION}:\d{{12}}:.+")


@wrap(CloudWatchBackend, "put_metric_alarm")
def _put_metric_alarm(original: Any, self: CloudWatchBackend, name: str, **settings: Any) -> Alarm:
    for kind in ("alarm_actions", "ok_actions", "insufficient_data_actions"):
        for action in settings.get(kind) or []:
            _check(name, action, settings)
    alarm: Alarm = original(self, name, **settings)
    return alarm


def _check(alarm: str, action: str, settings: dict[str, Any]) -> None:
    """Refuse an action that this cloud could not do.

    Raises:
        ValidationError: Names the alarm and the action.
    """
    if _DELIVERED.fullmatch(action):
        return
    if operation := _operation(action):
        watched = {dimension["Name"] for dimension in settings.get("dimensions") or []}
        if "InstanceId" not in watched:
            raise ValidationError(f"Alarm {alarm}: The action {operation[0]} of EC2 needs the dimension InstanceId.")
    elif ":scalingPolicy:" in action:
        if policies.find(action) is None:
            raise ValidationError(f"Alarm {alarm}: There is no scaling policy {action} of an Auto Scaling group.")
    else:
        raise ValidationError(
            f"Alarm {alarm}: The local cloud has no action {action}. Use a topic, a function, a scaling policy of an "
            "Auto Scaling group, or the actions recover, reboot, stop and terminate of EC2."
        )


def _operation(action: str) -> tuple[str, str] | None:
    """Return the name of an action on an instance and EC2's operation, or None for an action of another kind."""
    match = _ON_INSTANCE.fullmatch(action)
    name = (match["action"] or match["workflow"]).lower() if match else ""
    return (name, OPERATIONS[name]) if name in OPERATIONS else None


def perform(cloud: Cloud, action: str, alarm: Alarm) -> None:
    """Scale a group or call EC2, as the alarm's action says."""
    if operation := _operation(action):
        instance = next(dimension.value for dimension in alarm.dimensions if dimension.name == "InstanceId")
        getattr(cloud.client("ec2"), operation[1])(InstanceIds=[instance])
        return
    points = json.loads(alarm.state_reason_data or "{}").get("recentDatapoints")
    policies.trigger(
        cloud,
        action,
        alarm=alarm.name,
        state=alarm.state_value,
        threshold=float(alarm.threshold),
        value=float(points[-1]) if points else None,
    )
