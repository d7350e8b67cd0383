"""Actions of alarms on instances."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, call

import pytest

from localcloud.services.cloudwatch import actions


@pytest.mark.parametrize(
    ("action", "operation"),
    [
        ("arn:aws:automate:us-east-1:ec2:recover", "reboot_instances"),
        ("arn:aws:automate:us-east-1:ec2:reboot", "reboot_instances"),
        ("arn:aws:swf:us-east-1:123456789012:action/actions/AWS_EC2.InstanceId.Reboot/1.0", "reboot_instances"),
        ("arn:aws:automate:us-east-1:ec2:stop", "stop_instances"),
        ("arn:aws:automate:us-east-1:ec2:terminate", "terminate_instances"),
    ],
)
def test_an_action_on_an_instance_calls_ec2_for_the_alarm_s_instance(action: str, operation: str) -> None:
    cloud = MagicMock()
    alarm: Any = SimpleNamespace(dimensions=[SimpleNamespace(name="InstanceId", value="i-1")])
    actions.perform(cloud, action, alarm)
    assert cloud.mock_calls == [call.client("ec2"), getattr(call.client(), operation)(InstanceIds=["i-1"])]
