"""Stacks of CloudFormation."""

from __future__ import annotations

import json
from typing import Any

from behaviours.resources import archive, client, expect, name, refused, role

CUSTOM = """
import json
import urllib.request

def handler(event, context):
    names = ("StackId", "RequestId", "LogicalResourceId")
    double = 2 * int(event["ResourceProperties"]["Number"])
    body = {name: event[name] for name in names} | {
        "Status": "SUCCESS", "PhysicalResourceId": "thing", "Data": {"Double": double}}
    data, url = json.dumps(body).encode(), event["ResponseURL"]
    request = urllib.request.Request(url, data, {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request)
"""


def _resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def _deploy(stack: str, operation: str = "create", outputs: Any = None, **resources: Any) -> dict[str, Any]:
    """Create or update a stack; its description, once that is done."""
    cloudformation = client("cloudformation")
    body = json.dumps({"Resources": resources, "Outputs": outputs or {}})
    getattr(cloudformation, f"{operation}_stack")(StackName=stack, TemplateBody=body)
    return _description(stack)


def _description(stack: str) -> dict[str, Any]:
    description: dict[str, Any] = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    while description["StackStatus"].endswith("_IN_PROGRESS"):
        description = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return description


def _id(stack: str, logical: str) -> str:
    detail = client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical)
    return str(detail["StackResourceDetail"]["PhysicalResourceId"])


def _attribute(url: str, attribute: str) -> str:
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return str(attributes[attribute])


def an_update_keeps_the_instance() -> None:
    """An update of an instance's tags keeps the instance."""
    (image,) = client("ec2").describe_images(Owners=["amazon"], MaxResults=5)["Images"][:1]

    def instance(tag: str) -> dict[str, Any]:
        tags = [{"Key": "Name", "Value": tag}]
        return _resource("EC2::Instance", ImageId=image["ImageId"], InstanceType="t3.micro", Tags=tags)

    stack = name()
    _deploy(stack, Machine=instance("one"))
    before = _id(stack, "Machine")
    _deploy(stack, "update", Machine=instance("two"))
    expect(_id(stack, "Machine") == before, "it is another instance")
    description = client("ec2").describe_instances(InstanceIds=[before])["Reservations"][0]["Instances"][0]
    expect(description["State"]["Name"] in {"pending", "running"}, f"the instance is {description['State']['Name']}")
    expect({"Key": "Name", "Value": "two"} in description["Tags"], f"its tags are {description['Tags']}")


def a_removed_property_gets_its_default() -> None:
    """A property that an update removes gets the service's default."""
    stack = name()
    _deploy(stack, Queue=_resource("SQS::Queue", VisibilityTimeout=99, DelaySeconds=5))
    _deploy(stack, "update", Queue=_resource("SQS::Queue", DelaySeconds=5))
    timeout = _attribute(_id(stack, "Queue"), "VisibilityTimeout")
    expect(timeout == "30", f"VisibilityTimeout is {timeout}")


def a_failed_creation_leaves_nothing() -> None:
    """A stack that cannot be created is rolled back, and nothing of it is left."""
    taken, stack, group = name(), name(), name()
    client("logs").create_log_group(logGroupName=taken)
    first = _resource("Logs::LogGroup", LogGroupName=group)
    second = _resource("Logs::LogGroup", LogGroupName=taken) | {"DependsOn": "First"}
    status = _deploy(stack, First=first, Second=second)["StackStatus"]
    expect(status == "ROLLBACK_COMPLETE", f"the stack is {status}")
    left = client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    expect(not left, "the first resource is still there")


def a_failed_update_is_taken_back() -> None:
    """A stack whose update fails has its former values again."""
    taken, stack = name(), name()
    client("logs").create_log_group(logGroupName=taken)
    _deploy(stack, Queue=_resource("SQS::Queue", VisibilityTimeout=40))
    group = _resource("Logs::LogGroup", LogGroupName=taken) | {"DependsOn": "Queue"}
    status = _deploy(stack, "update", Queue=_resource("SQS::Queue", VisibilityTimeout=50), Group=group)["StackStatus"]
    expect(status == "UPDATE_ROLLBACK_COMPLETE", f"the stack is {status}")
    timeout = _attribute(_id(stack, "Queue"), "VisibilityTimeout")
    expect(timeout == "40", f"VisibilityTimeout is {timeout}")


def a_change_set_without_changes_fails() -> None:
    """A change set that changes nothing fails with the sentence that deployment tools look for."""
    stack, cloudformation = name(), client("cloudformation")
    resources = {"Queue": _resource("SQS::Queue")}
    _deploy(stack, **resources)
    body = json.dumps({"Resources": resources, "Outputs": {}})
    cloudformation.create_change_set(StackName=stack, ChangeSetName="empty", TemplateBody=body)
    described = cloudformation.describe_change_set(StackName=stack, ChangeSetName="empty")
    reason = described.get("StatusReason", "")
    expect(described["Status"] == "FAILED", f"the change set is {described['Status']}")
    expect("The submitted information didn't contain changes" in reason, f"the reason is {reason}")


def a_custom_resource_gives_attributes() -> None:
    """The function of a custom resource creates it, and gives it attributes."""
    function = name()
    arn = client("lambda").create_function(
        FunctionName=function,
        Runtime="python3.13",
        Role=role(),
        Handler="index.handler",
        Code={"ZipFile": archive(CUSTOM)},
    )["FunctionArn"]
    resource = {"Type": "Custom::Thing", "Properties": {"ServiceToken": arn, "Number": 21}}
    outputs = {"Double": {"Value": {"Fn::GetAtt": ["Thing", "Double"]}}}
    stack = _deploy(name(), outputs=outputs, Thing=resource)
    output = stack.get("Outputs", [{}])[0].get("OutputValue")
    expect(output == "42", f"{stack['StackStatus']}, the output is {output}")


def what_does_not_exist_is_refused_before_anything_is_created() -> None:
    """A template with a property that its type does not have is refused before anything is created."""
    group, stack = name(), name()
    first = _resource("Logs::LogGroup", LogGroupName=group)
    second = _resource("SQS::Queue", Colour="blue") | {"DependsOn": "First"}
    try:
        status = _deploy(stack, First=first, Second=second)["StackStatus"]
    except client("cloudformation").exceptions.ClientError as error:
        expect("Colour" in str(error), f"refused without the property's name: {error}")
    else:
        expect("ROLLBACK" in status, f"the stack is {status}")
    left = client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    expect(not left, "the first resource is there")
    refused(lambda: _id(stack, "Second"), "An error occurred")
