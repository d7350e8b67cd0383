"""Custom resources: functions of a stack that create, update and delete."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.policies import allow, trust

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": json.loads(trust("lambda")),
        "Policies": [{"PolicyName": "log", "PolicyDocument": json.loads(allow("logs:*"))}],
    },
}
CODE = """
import json
import cfnresponse

def handler(event, context):
    properties = event['ResourceProperties']
    data = {'Double': 2 * int(properties['Number'])}
    print(json.dumps([event['RequestType'], properties['Number'], event.get('PhysicalResourceId')]))
    creating = event['RequestType'] != 'Delete'
    if properties['Number'] == '13' and creating:
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, properties['Id'], reason='unlucky')
    elif properties['Number'] != '0' or not creating:
        cfnresponse.send(event, context, cfnresponse.SUCCESS, data, properties['Id'])
"""


@pytest.fixture
def name() -> str:
    return f"custom-{uuid.uuid4().hex[:8]}"


def template(number: int, identifier: str = "first") -> str:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.14",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": CODE},
        },
    }
    token = {"Fn::GetAtt": ["Function", "Arn"]}
    properties = {"ServiceToken": token, "Number": number, "Id": identifier, "ServiceTimeout": 1}
    thing = {"Type": "Custom::Thing", "Properties": properties}
    values = {"Double": {"Fn::GetAtt": ["Thing", "Double"]}, "Id": {"Ref": "Thing"}, "Function": {"Ref": "Function"}}
    return json.dumps(
        {
            "Resources": {"Role": ROLE, "Function": function, "Thing": thing},
            "Outputs": {key: {"Value": value} for key, value in values.items()},
        }
    )


def calls(cloud: LocalCloud, function: str) -> list[Any]:
    """What the function was told: the kind of request, the number, and the physical id."""
    events = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    return [json.loads(event["message"]) for event in events if event["message"].startswith("[")]


def test_a_function_creates_updates_replaces_and_deletes(cloud: LocalCloud, name: str) -> None:
    cloudformation, more = cloud.client("cloudformation"), {"StackName": name, "Capabilities": ["CAPABILITY_IAM"]}
    cloudformation.create_stack(**more, TemplateBody=template(4))
    outputs = cloud.outputs(name)
    assert (outputs["Double"], outputs["Id"]) == ("8", "first")
    cloudformation.update_stack(**more, TemplateBody=template(5))
    assert cloud.outputs(name)["Double"] == "10"
    cloudformation.update_stack(**more, TemplateBody=template(5, "second"))
    assert cloud.outputs(name)["Id"] == "second"
    cloudformation.delete_stack(StackName=name)
    assert calls(cloud, outputs["Function"]) == [
        ["Create", "4", None],
        ["Update", "5", "first"],
        ["Update", "5", "first"],
        ["Delete", "5", "first"],
        ["Delete", "5", "second"],
    ]
    assert not [
        bucket["Name"]
        for bucket in cloud.client("s3").list_buckets()["Buckets"]
        if bucket["Name"].startswith("cloudformation-custom-resource-response")
    ]


@pytest.mark.parametrize(("number", "words", "deleted"), [(13, "unlucky", "first"), (0, "sent no response", "Thing")])
def test_a_function_that_fails_or_says_nothing_rolls_back_and_is_asked_to_delete(
    cloud: LocalCloud, name: str, number: int, words: str, deleted: str
) -> None:
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=template(number), Capabilities=["CAPABILITY_IAM"])
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert words in stack["StackStatusReason"]
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    function = next(one["PhysicalResourceId"] for one in events if one["LogicalResourceId"] == "Function")
    assert calls(cloud, function) == [["Create", str(number), None], ["Delete", str(number), deleted]]
