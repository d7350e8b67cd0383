"""Lifecycle hooks of Auto Scaling groups: which instances wait, who is told of it, and how they go on."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import allow, trust

IMAGE = "ami-12c6146b"
LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"


class Group:
    """A group that may have one instance, with a queue that gets EventBridge's events about it."""

    def __init__(self, cloud: LocalCloud, size: int = 0, **hooks: dict[str, Any]) -> None:
        self.cloud, self.name = cloud, f"hooked-{uuid.uuid4().hex[:8]}"
        self.client, self.sqs = cloud.client("autoscaling"), cloud.client("sqs")
        self.queue = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:123456789012:{self.name}"
        allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": self.arn}]}
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": json.dumps(policy)})
        detail = {"AutoScalingGroupName": [self.name]}
        pattern = {"source": ["aws.autoscaling"], "detail": detail}
        self.events = cloud.client("events")
        self.events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        self.events.put_targets(Rule=self.name, Targets=[{"Id": "queue", "Arn": self.arn}])
        self.client.create_launch_configuration(
            LaunchConfigurationName=self.name, ImageId=IMAGE, InstanceType="t3.micro"
        )
        self.client.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            LaunchConfigurationName=self.name,
            AvailabilityZones=["us-east-1a"],
            MinSize=0,
            MaxSize=1,
            DesiredCapacity=size,
            LifecycleHookSpecificationList=[{"LifecycleHookName": name, **hook} for name, hook in hooks.items()],
        )

    def delete(self) -> None:
        self.client.delete_auto_scaling_group(AutoScalingGroupName=self.name, ForceDelete=True)
        self.client.delete_launch_configuration(LaunchConfigurationName=self.name)
        self.events.remove_targets(Rule=self.name, Ids=["queue"])
        self.events.delete_rule(Name=self.name)
        self.sqs.delete_queue(QueueUrl=self.queue)

    def put(self, hook: str, **settings: Any) -> None:
        self.client.put_lifecycle_hook(AutoScalingGroupName=self.name, LifecycleHookName=hook, **settings)

    def resize(self, size: int) -> None:
        self.client.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=size)

    def states(self) -> dict[str, str]:
        """The states of the group's instances."""
        group = self.client.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"][0]
        return {instance["InstanceId"]: instance["LifecycleState"] for instance in group["Instances"]}

    def instance(self) -> str:
        """The only instance."""
        (name,) = self.states()
        return name

    def message(self) -> dict[str, Any]:
        """The next message of the queue."""
        for _ in range(30):
            for message in self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=2).get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                received: dict[str, Any] = json.loads(message["Body"])
                return received
        pytest.fail("no message has come")

    def complete(self, hook: str, result: str, **action: str) -> None:
        self.client.complete_lifecycle_action(
            AutoScalingGroupName=self.name, LifecycleHookName=hook, LifecycleActionResult=result, **action
        )


@pytest.fixture
def make(cloud: LocalCloud) -> Iterator[Callable[..., Group]]:
    """Make groups that are deleted after the test."""
    groups: list[Group] = []

    def made(*arguments: Any, **hooks: Any) -> Group:
        groups.append(Group(cloud, *arguments, **hooks))
        return groups[-1]

    yield made
    for group in groups:
        group.delete()


def state(cloud: LocalCloud, instance: str) -> str:
    found = cloud.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])


def test_a_launched_instance_waits_until_its_action_is_completed(make: Callable[..., Group]) -> None:
    hook = {"LifecycleTransition": LAUNCHING, "NotificationMetadata": "ready?"}
    group = make(1, ready=hook)
    instance = group.instance()
    assert group.states() == {instance: "Pending:Wait"}
    event = group.message()
    detail = event["detail"]
    assert event["detail-type"] == "EC2 Instance-launch Lifecycle Action"
    assert event["resources"][0].endswith(f"autoScalingGroupName/{group.name}")
    assert detail == {
        "LifecycleActionToken": detail["LifecycleActionToken"],
        "AutoScalingGroupName": group.name,
        "LifecycleHookName": "ready",
        "EC2InstanceId": instance,
        "LifecycleTransition": LAUNCHING,
        "NotificationMetadata": "ready?",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    group.resize(1)
    assert group.states() == {instance: "Pending:Wait"}
    group.complete("ready", "CONTINUE", LifecycleActionToken=detail["LifecycleActionToken"])
    assert group.states() == {instance: "InService"}
    with pytest.raises(ClientError, match=f"No active Lifecycle Action found with instance ID {instance}"):
        group.complete("ready", "CONTINUE", InstanceId=instance)


def test_an_abandoned_launch_is_terminated_and_replaced(cloud: LocalCloud, make: Callable[..., Group]) -> None:
    group = make(1, ready={"LifecycleTransition": LAUNCHING})
    first = group.instance()
    group.complete("ready", "ABANDON", InstanceId=first)
    second = group.instance()
    assert (second != first, state(cloud, first)) == (True, "terminated")
    assert group.states() == {second: "Pending:Wait"}


def test_a_terminated_instance_waits_for_all_hooks(cloud: LocalCloud, make: Callable[..., Group]) -> None:
    group = make(1)
    group.put("drain", LifecycleTransition=TERMINATING)
    group.put("save", LifecycleTransition=TERMINATING)
    instance = group.instance()
    assert group.states() == {instance: "InService"}
    group.resize(0)
    assert (group.states(), state(cloud, instance)) == ({instance: "Terminating:Wait"}, "running")
    events = [group.message(), group.message()]
    assert {event["detail-type"] for event in events} == {"EC2 Instance-terminate Lifecycle Action"}
    assert {event["detail"]["LifecycleHookName"] for event in events} == {"drain", "save"}
    assert {event["detail"]["Destination"] for event in events} == {"EC2"}
    group.complete("drain", "CONTINUE", InstanceId=instance)
    assert group.states() == {instance: "Terminating:Wait"}
    group.complete("save", "CONTINUE", InstanceId=instance)
    assert (group.states(), state(cloud, instance)) == ({}, "terminated")
    activity = group.client.describe_scaling_activities(AutoScalingGroupName=group.name)["Activities"][0]
    assert activity["Description"] == f"Terminating EC2 instance: {instance}"
    assert "shrinking the capacity from 1 to 0" in activity["Cause"]


def test_an_instance_that_a_user_terminates_waits_while_another_takes_its_place(
    cloud: LocalCloud, make: Callable[..., Group]
) -> None:
    group = make(1, drain={"LifecycleTransition": TERMINATING})
    first = group.instance()
    group.client.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=False)
    assert sorted(group.states().values()) == ["InService", "Terminating:Wait"]
    assert group.states()[first] == "Terminating:Wait"
    group.complete("drain", "ABANDON", InstanceId=first)
    assert [*group.states().values()] == ["InService"]
    assert state(cloud, first) == "terminated"


def test_the_default_result_counts_after_the_heartbeat_timeout(
    cloud: LocalCloud, make: Callable[..., Group], eventually: Callable[[Callable[[], bool]], bool]
) -> None:
    """That is 30 seconds, the shortest timeout there is. What waits already keeps its timeout when the hook changes."""
    shortest = {"HeartbeatTimeout": 30}
    launched = make(1, ready={"LifecycleTransition": LAUNCHING, "DefaultResult": "CONTINUE", **shortest})
    ended = make(1, drain={"LifecycleTransition": TERMINATING, **shortest})
    changed = make(1, ready={"LifecycleTransition": LAUNCHING, **shortest})
    first, last, replaced = launched.instance(), ended.instance(), changed.instance()
    changed.put("ready", HeartbeatTimeout=7200)
    ended.resize(0)
    assert launched.states() == {first: "Pending:Wait"}
    assert eventually(lambda: launched.states() == {first: "InService"})
    assert eventually(lambda: ended.states() == {} and state(cloud, last) == "terminated")
    assert eventually(lambda: replaced not in changed.states())
    assert [*changed.states().values()] == ["Pending:Wait"]


def test_a_heartbeat_needs_an_instance_that_waits(make: Callable[..., Group]) -> None:
    group = make(1, ready={"LifecycleTransition": LAUNCHING})
    asked = {"AutoScalingGroupName": group.name, "LifecycleHookName": "ready"}
    group.client.record_lifecycle_action_heartbeat(**asked, InstanceId=group.instance())
    with pytest.raises(ClientError, match="No active Lifecycle Action found with instance ID i-1"):
        group.client.record_lifecycle_action_heartbeat(**asked, InstanceId="i-1")


def test_what_waits_for_a_deleted_hook_goes_on(make: Callable[..., Group]) -> None:
    group = make(1, drain={"LifecycleTransition": TERMINATING})
    group.resize(0)
    group.client.delete_lifecycle_hook(AutoScalingGroupName=group.name, LifecycleHookName="drain")
    assert group.states() == {}
    assert group.client.describe_lifecycle_hooks(AutoScalingGroupName=group.name)["LifecycleHooks"] == []


def test_a_queue_is_told_as_the_role_of_the_hook(enforcing: LocalCloud) -> None:
    group, iam = Group(enforcing), enforcing.client("iam")
    role = iam.create_role(RoleName=group.name, AssumeRolePolicyDocument=trust("autoscaling"))["Role"]["Arn"]
    settings = {"LifecycleTransition": LAUNCHING, "NotificationTargetARN": group.arn, "RoleARN": role}
    try:
        with pytest.raises(ClientError, match="Unable to publish test message to notification target"):
            group.put("ready", **settings)
        assert group.client.describe_lifecycle_hooks(AutoScalingGroupName=group.name)["LifecycleHooks"] == []
        iam.put_role_policy(RoleName=group.name, PolicyName="tell", PolicyDocument=allow("sqs:SendMessage"))
        group.put("ready", **settings)
        assert group.message()["Event"] == "autoscaling:TEST_NOTIFICATION"
        group.resize(1)
        messages = [group.message(), group.message()]
        (told,) = [message for message in messages if "detail" not in message]
        assert (told["EC2InstanceId"], told["LifecycleTransition"]) == (group.instance(), LAUNCHING)
        assert (told["Service"], told["LifecycleHookName"]) == ("AWS Auto Scaling", "ready")
        group.complete("ready", "CONTINUE", LifecycleActionToken=told["LifecycleActionToken"])
        assert [*group.states().values()] == ["InService"]
    finally:
        group.delete()


def test_a_stack_has_hooks_and_changes_them(cloud: LocalCloud) -> None:
    name, cloudformation = f"hooks-{uuid.uuid4().hex[:8]}", cloud.client("cloudformation")
    first = {"LifecycleHookName": "first", "LifecycleTransition": LAUNCHING, "DefaultResult": "CONTINUE"}
    launch = {"ImageId": IMAGE, "InstanceType": "t3.micro"}
    group = {
        "MinSize": "1",
        "MaxSize": "1",
        "AvailabilityZones": ["us-east-1a"],
        "LaunchConfigurationName": {"Ref": "Launch"},
    }
    hook = {"AutoScalingGroupName": {"Ref": "Group"}, "LifecycleTransition": TERMINATING, "HeartbeatTimeout": 60}
    resources: dict[str, Any] = {
        "Launch": {"Type": "AWS::AutoScaling::LaunchConfiguration", "Properties": launch},
        "Group": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "Properties": {**group, "LifecycleHookSpecificationList": [first]},
        },
        "Hook": {"Type": "AWS::AutoScaling::LifecycleHook", "Properties": hook},
    }
    outputs = {"Group": {"Value": {"Ref": "Group"}}, "Hook": {"Value": {"Ref": "Hook"}}}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs}))
    made, autoscaling = cloud.outputs(name), cloud.client("autoscaling")
    instances = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[made["Group"]])["AutoScalingGroups"][0]
    assert [instance["LifecycleState"] for instance in instances["Instances"]] == ["Pending:Wait"]
    del hook["HeartbeatTimeout"]
    hook["DefaultResult"] = "CONTINUE"
    cloudformation.update_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources, "Outputs": outputs}))
    (described,) = autoscaling.describe_lifecycle_hooks(
        AutoScalingGroupName=made["Group"], LifecycleHookNames=[made["Hook"]]
    )["LifecycleHooks"]
    assert (described["HeartbeatTimeout"], described["GlobalTimeout"]) == (3600, 172800)
    assert (described["DefaultResult"], described.get("RoleARN")) == ("CONTINUE", None)
    cloudformation.delete_stack(StackName=name)
    assert autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[made["Group"]])["AutoScalingGroups"] == []
