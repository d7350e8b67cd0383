"""Event buses of a template's own: rules and archives on them, and events that are sent to them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.policies import allow


@pytest.fixture
def name(cloud: LocalCloud) -> Iterator[str]:
    """The name of a stack and of its event bus."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    yield name
    cloud.client("cloudformation").delete_stack(StackName=name)
    assert name not in {bus["Name"] for bus in cloud.client("events").list_event_buses()["EventBuses"]}


def resources(name: str, bus: Any) -> dict[str, Any]:
    """A bus, and a rule on it, found by ``bus``, that sends to a queue."""
    target = {"Id": "inbox", "Arn": {"Fn::GetAtt": ["Inbox", "Arn"]}}
    rule = {"EventBusName": bus, "EventPattern": {"source": ["shop"]}, "Targets": [target]}
    return {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": name}},
        "Inbox": {"Type": "AWS::SQS::Queue"},
        "InboxPolicy": open_to_rules("Inbox"),
        "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
    }


def open_to_rules(queue: str) -> dict[str, Any]:
    """The policy of a queue to which EventBridge may send."""
    document = json.loads(allow("sqs:SendMessage", to=("events",)))
    return {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": queue}], "PolicyDocument": document}}


def deploy(cloud: LocalCloud, name: str, resources: dict[str, Any], operation: str = "create_stack") -> dict[str, str]:
    """The physical ids of the stack's resources."""
    body = json.dumps({"Resources": resources, "Outputs": {key: {"Value": {"Ref": key}} for key in resources}})
    cloudformation = cloud.client("cloudformation")
    getattr(cloudformation, operation)(StackName=name, TemplateBody=body)
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] == f"{operation[:6].upper()}_COMPLETE", stack.get("StackStatusReason")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def sell(cloud: LocalCloud, bus: str | None, item: str) -> None:
    entry = {"Source": "shop", "DetailType": "sold", "Detail": json.dumps({"item": item})}
    cloud.client("events").put_events(Entries=[entry | ({"EventBusName": bus} if bus else {})])


def items(cloud: LocalCloud, url: str) -> list[str]:
    """The items in the events that wait in a queue."""
    messages = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"])["detail"]["item"] for message in messages.get("Messages", [])]


@pytest.mark.parametrize("bus", [{"Ref": "Bus"}, {"Fn::GetAtt": ["Bus", "Arn"]}], ids=["its name", "its ARN"])
def test_a_rule_finds_the_bus_of_its_template_and_gets_only_that_bus_s_events(
    cloud: LocalCloud, name: str, bus: Any, eventually: Any
) -> None:
    found = deploy(cloud, name, resources(name, bus))
    assert found["Bus"] == name
    sell(cloud, None, "elsewhere")
    sell(cloud, name, "film")
    assert eventually(lambda: items(cloud, found["Inbox"])) == ["film"]


def test_an_update_moves_the_targets_of_a_rule_on_a_bus_of_its_own(
    cloud: LocalCloud, name: str, eventually: Any
) -> None:
    template = resources(name, {"Ref": "Bus"})
    deploy(cloud, name, template)
    template |= {"Other": {"Type": "AWS::SQS::Queue"}, "OtherPolicy": open_to_rules("Other")}
    template["Rule"]["Properties"]["Targets"] = [{"Id": "other", "Arn": {"Fn::GetAtt": ["Other", "Arn"]}}]
    found = deploy(cloud, name, template, "update_stack")
    targets = cloud.client("events").list_targets_by_rule(Rule=found["Rule"], EventBusName=name)["Targets"]
    assert [target["Id"] for target in targets] == ["other"]
    sell(cloud, name, "film")
    assert eventually(lambda: items(cloud, found["Other"])) == ["film"]


def test_a_rule_of_the_default_bus_forwards_to_another_bus(cloud: LocalCloud, name: str, eventually: Any) -> None:
    template = resources(name, {"Ref": "Bus"})
    target = {"Id": "bus", "Arn": {"Fn::GetAtt": ["Bus", "Arn"]}}
    forward = {"EventPattern": {"source": ["shop"], "detail": {"item": [name]}}, "Targets": [target]}
    template["Forward"] = {"Type": "AWS::Events::Rule", "Properties": forward}
    found = deploy(cloud, name, template)
    sell(cloud, None, name)
    assert eventually(lambda: items(cloud, found["Inbox"])) == [name]


def test_an_archive_keeps_the_events_of_its_bus(cloud: LocalCloud, name: str, eventually: Any) -> None:
    template = resources(name, {"Ref": "Bus"})
    archive = {"ArchiveName": name, "SourceArn": {"Fn::GetAtt": ["Bus", "Arn"]}}
    template["Archive"] = {"Type": "AWS::Events::Archive", "Properties": archive}
    found = deploy(cloud, name, template)
    assert found["Archive"] == name
    sell(cloud, name, "film")
    events = cloud.client("events")
    assert eventually(lambda: events.describe_archive(ArchiveName=name)["EventCount"]) == 1


def test_ref_of_a_scheduled_action_is_its_name(cloud: LocalCloud, name: str) -> None:
    image = {"ImageId": "ami-12c6146b", "InstanceType": "t3.micro"}
    group = {"MinSize": "0", "MaxSize": "1", "AvailabilityZones": ["us-east-1a"]}
    launch = {"LaunchConfigurationName": {"Ref": "Launch"}}
    action = {"AutoScalingGroupName": {"Ref": "Group"}, "MinSize": 0, "Recurrence": "0 22 * * *"}
    template = {
        "Launch": {"Type": "AWS::AutoScaling::LaunchConfiguration", "Properties": image},
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": group | launch},
        "Action": {"Type": "AWS::AutoScaling::ScheduledAction", "Properties": action},
    }
    found = deploy(cloud, name, template)
    actions = cloud.client("autoscaling").describe_scheduled_actions(AutoScalingGroupName=found["Group"])
    names = [action["ScheduledActionName"] for action in actions["ScheduledUpdateGroupActions"]]
    assert names == [found["Action"]]
