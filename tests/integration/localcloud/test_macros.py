"""Macros of CloudFormation: functions that change templates, and files of S3 that become a part of them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

#: Makes every text of the fragment what the macro's parameter or else the template's says, and adds a queue at the top.
CODE = """
import json
def handler(event, context):
    values = {**event["templateParameterValues"], **event["params"]}
    fragment = json.loads(json.dumps(event["fragment"]).replace("WORD", str(values.get("Word"))))
    if "Resources" in fragment:
        fragment["Resources"]["Added"] = {"Type": "AWS::SQS::Queue"}
    if values.get("Word") == "raise":
        raise ValueError("no such word")
    if values.get("Word") == "fail":
        return {"requestId": event["requestId"], "status": "failed", "errorMessage": "not that word"}
    if values.get("Word") == "mumble":
        return {"status": "success", "fragment": fragment}
    return {"requestId": event["requestId"], "status": "SUCCESS", "fragment": fragment}
"""
EXPAND = ["CAPABILITY_AUTO_EXPAND"]
WORD = {"Word": {"Type": "String", "Default": "plain"}}


@pytest.fixture(scope="module")
def cloudformation(cloud: LocalCloud) -> Any:
    return cloud.client("cloudformation")


@pytest.fixture(scope="module")
def macro(cloudformation: Any) -> str:
    """The name of a macro."""
    name = new("Macro")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    function = {
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": CODE},
    }
    resources = {
        "Role": resource("IAM::Role", AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]}),
        "Function": resource("Lambda::Function", **function),
        "Macro": resource("CloudFormation::Macro", Name=name, FunctionName={"Fn::GetAtt": ["Function", "Arn"]}),
    }
    body = json.dumps({"Resources": resources})
    cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    assert cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    return name


def new(word: str) -> str:
    return f"{word}{uuid.uuid4().hex[:8]}"


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def refusal(operation: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        operation(**parameters)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def resources(cloudformation: Any, stack: str) -> dict[str, str]:
    found = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in found}


def test_a_macro_changes_the_whole_template(cloudformation: Any, macro: str) -> None:
    stack, topic = new("whole"), {"Topic": resource("SNS::Topic", DisplayName="WORD")}
    text = json.dumps({"Transform": macro, "Parameters": WORD, "Resources": topic})
    request = {"StackName": stack, "TemplateBody": text}
    code, message = refusal(cloudformation.create_stack, **request)
    assert (code, message) == ("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]")
    cloudformation.create_stack(**request, Capabilities=EXPAND)
    assert resources(cloudformation, stack).keys() == {"Topic", "Added"}
    processed = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Topic"]["Properties"]["DisplayName"] == "plain"
    assert cloudformation.get_template(StackName=stack)["TemplateBody"] == json.loads(text)
    given = [{"ParameterKey": "Word", "ParameterValue": "other"}]
    cloudformation.update_stack(StackName=stack, UsePreviousTemplate=True, Parameters=given, Capabilities=EXPAND)
    processed = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Topic"]["Properties"]["DisplayName"] == "other"
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps({"Resources": topic}))
    assert resources(cloudformation, stack).keys() == {"Topic"}
    assert cloudformation.get_template(StackName=stack)["TemplateBody"] == {"Resources": topic}


def test_a_macro_changes_what_is_beside_it_before_that_of_the_whole(cloudformation: Any, macro: str) -> None:
    inner = {"Fn::Transform": {"Name": macro, "Parameters": {"Word": {"Ref": "Inner"}}}, "DisplayName": "WORD"}
    topics = {
        "First": {"Type": "AWS::SNS::Topic", "Properties": inner},
        "Second": resource("SNS::Topic", DisplayName="WORD"),
    }
    parameters = {**WORD, "Inner": {"Type": "String", "Default": "inner"}}
    stack, text = new("inner"), json.dumps({"Transform": [macro], "Parameters": parameters, "Resources": topics})
    summary = cloudformation.get_template_summary(TemplateBody=text)
    assert (summary["DeclaredTransforms"], summary["ResourceTypes"]) == ([macro], ["AWS::SNS::Topic"])
    request = {"StackName": stack, "ChangeSetName": "one", "ChangeSetType": "CREATE"}
    cloudformation.create_change_set(**request, TemplateBody=text)
    changes = cloudformation.describe_change_set(StackName=stack, ChangeSetName="one")["Changes"]
    assert [change["ResourceChange"]["LogicalResourceId"] for change in changes] == ["Added", "First", "Second"]
    cloudformation.execute_change_set(StackName=stack, ChangeSetName="one")
    processed = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]["Resources"]
    assert [processed[name]["Properties"] for name in ("First", "Second")] == [
        {"DisplayName": "inner"},
        {"DisplayName": "plain"},
    ]
    assert cloudformation.get_template(StackName=stack)["TemplateBody"] == json.loads(text)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("fail", "Transform 123456789012::{} failed with: not that word"),
        ("raise", "Received malformed response from transform 123456789012::{}"),
        ("mumble", "Received malformed response from transform 123456789012::{}"),
    ],
)
def test_a_macro_that_fails_rolls_the_stack_back(cloudformation: Any, macro: str, word: str, words: str) -> None:
    text = json.dumps({"Transform": macro, "Parameters": WORD, "Resources": {"Topic": resource("SNS::Topic")}})
    stack, given = new("failing"), [{"ParameterKey": "Word", "ParameterValue": word}]
    request = {"StackName": stack, "TemplateBody": text, "Capabilities": EXPAND}
    cloudformation.create_stack(**request, Parameters=given)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [event.get("ResourceStatusReason") for event in events if event["ResourceStatus"].startswith("ROLLBACK")]
    assert f"{words.format(macro)}. Rollback requested by user." in reasons
    assert cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
    cloudformation.delete_stack(StackName=stack)
    cloudformation.create_stack(**request)
    cloudformation.update_stack(**request, Parameters=given)
    [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert resources(cloudformation, stack).keys() == {"Topic", "Added"}


def test_a_change_set_whose_macro_fails_says_so_and_cannot_be_executed(cloudformation: Any, macro: str) -> None:
    text = json.dumps({"Transform": macro, "Parameters": WORD, "Resources": {"Topic": resource("SNS::Topic")}})
    request = {"StackName": new("failing"), "ChangeSetName": "one"}
    given = [{"ParameterKey": "Word", "ParameterValue": "fail"}]
    cloudformation.create_change_set(**request, ChangeSetType="CREATE", TemplateBody=text, Parameters=given)
    described = cloudformation.describe_change_set(**request)
    assert (described["Status"], described["ExecutionStatus"], described["Changes"]) == ("FAILED", "UNAVAILABLE", [])
    assert described["StatusReason"] == f"Transform 123456789012::{macro} failed with: not that word"
    assert refusal(cloudformation.execute_change_set, **request)[0] == "InvalidChangeSetStatus"


def test_macros_change_the_templates_of_nested_stacks(cloud: LocalCloud, cloudformation: Any, macro: str) -> None:
    s3, bucket, stack = cloud.client("s3"), new("nested"), new("nested")
    s3.create_bucket(Bucket=bucket)
    child = {"Transform": macro, "Parameters": WORD, "Resources": {"Topic": resource("SNS::Topic", DisplayName="WORD")}}
    s3.put_object(Bucket=bucket, Key="child.json", Body=json.dumps(child))
    url = f"https://{bucket}.s3.us-east-1.amazonaws.com/child.json"
    body = {"Resources": {"Child": resource("CloudFormation::Stack", TemplateURL=url, Parameters={"Word": "inner"})}}
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(body), Capabilities=EXPAND)
    made = resources(cloudformation, resources(cloudformation, stack)["Child"])
    assert made.keys() == {"Topic", "Added"}
    attributes = cloud.client("sns").get_topic_attributes(TopicArn=made["Topic"])["Attributes"]
    assert attributes["DisplayName"] == "inner"


def test_a_macro_without_parameters_may_be_a_name_alone(cloudformation: Any, macro: str) -> None:
    topic = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"Fn::Transform": macro, "DisplayName": "WORD"}}}
    request = {"StackName": new("short"), "Capabilities": EXPAND}
    cloudformation.create_stack(**request, TemplateBody=json.dumps({"Parameters": WORD, "Resources": topic}))
    processed = cloudformation.get_template(StackName=request["StackName"], TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Topic"]["Properties"] == {"DisplayName": "plain"}
    text = json.dumps({"Transform": {"Name": {"Ref": "Word"}}, "Parameters": WORD, "Resources": topic})
    refused = refusal(cloudformation.create_stack, **request, TemplateBody=text)
    assert refused == ("ValidationError", "Key Name of transform definition must be a string.")


def test_transforms_that_are_not_there_are_named(cloudformation: Any) -> None:
    topic, stack = {"Topic": resource("SNS::Topic")}, new("none")
    text = json.dumps({"Transform": "Nobody", "Resources": topic})
    cloudformation.create_stack(StackName=stack, TemplateBody=text, Capabilities=EXPAND)
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    reason = "No transform named 123456789012::Nobody found.. Rollback requested by user."
    assert reason in [event.get("ResourceStatusReason") for event in events]
    text = json.dumps({"Transform": "AWS::CodeDeployBlueGreen", "Resources": topic})
    request = {"StackName": new("none"), "TemplateBody": text, "Capabilities": EXPAND}
    assert "AWS::CodeDeployBlueGreen" in refusal(cloudformation.create_stack, **request)[1]


def test_a_file_of_s3_becomes_a_part_of_the_template(cloud: LocalCloud, cloudformation: Any) -> None:
    s3, bucket, stack = cloud.client("s3"), new("include"), new("include")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="resources.yaml", Body="Queue:\n  Type: AWS::SQS::Queue\n")
    s3.put_object(Bucket=bucket, Key="outputs.json", Body='{"Outputs": {"Url": {"Value": {"Ref": "Queue"}}}}')

    def include(key: str) -> dict[str, Any]:
        return {"Name": "AWS::Include", "Parameters": {"Location": f"s3://{bucket}/{key}"}}

    body = {"Transform": include("outputs.json"), "Resources": {"Fn::Transform": include("resources.yaml")}}
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(body), Capabilities=EXPAND)
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    assert found["Outputs"][0]["OutputValue"] == resources(cloudformation, stack)["Queue"]
    place = {"Name": "AWS::Include", "Parameters": {"Location": {"Fn::Sub": "s3://${Bucket}/resources.yaml"}}}
    body = {"Parameters": {"Bucket": {"Type": "String"}}, "Resources": {"Fn::Transform": place}}
    given = [{"ParameterKey": "Bucket", "ParameterValue": bucket}]
    named = new("include")
    cloudformation.create_stack(StackName=named, TemplateBody=json.dumps(body), Parameters=given, Capabilities=EXPAND)
    assert resources(cloudformation, named).keys() == {"Queue"}
    lost = json.dumps({"Resources": {"Fn::Transform": include("nothing")}})
    request = {"StackName": new("lost"), "ChangeSetName": "one"}
    cloudformation.create_change_set(**request, ChangeSetType="CREATE", TemplateBody=lost, Capabilities=EXPAND)
    reason = cloudformation.describe_change_set(**request)["StatusReason"]
    assert f"Transform AWS::Include failed with: s3://{bucket}/nothing cannot be read" in reason
