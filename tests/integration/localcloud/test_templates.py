"""Templates: functions, loops, rules, capabilities, and what is said about them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

TOPIC = {"Type": "AWS::SNS::Topic"}
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    },
}


@pytest.fixture
def name() -> str:
    return f"stack-{uuid.uuid4().hex[:8]}"


def values(cloud: LocalCloud, name: str, outputs: dict[str, Any], **sections: Any) -> dict[str, str]:
    """What the outputs of a new stack give."""
    body = {"Resources": {"Topic": TOPIC}, "Outputs": {key: {"Value": value} for key, value in outputs.items()}}
    cloud.client("cloudformation").create_stack(
        StackName=name, TemplateBody=json.dumps({**body, **sections}), Capabilities=["CAPABILITY_AUTO_EXPAND"]
    )
    return cloud.outputs(name)


def refused(cloud: LocalCloud, name: str, body: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as error:
        cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(body), **more)
    with pytest.raises(ClientError):
        cloud.client("cloudformation").describe_stacks(StackName=name)
    found: dict[str, str] = error.value.response["Error"]
    return found


def test_functions_give_what_cloudformation_gives(cloud: LocalCloud, name: str) -> None:
    outputs = {
        "Cidr": {"Fn::Select": [2, {"Fn::Cidr": ["10.0.0.0/16", 3, 8]}]},
        "Length": {"Fn::Length": ["a", "b", "c"]},
        "Zones": {"Fn::Join": [";", {"Fn::GetAZs": {"Ref": "Here"}}]},
        "Json": {"Fn::ToJsonString": {"a": [1, "b"]}},
        "Join": {"Fn::Join": ["-", ["a", {"Ref": "AWS::NoValue"}, "b"]]},
        "Map": {"Fn::FindInMap": [{"Ref": "Which"}, "top", "key"]},
        "Default": {"Fn::FindInMap": ["Sizes", "top", "none", {"DefaultValue": "small"}]},
    }
    found = values(
        cloud,
        name,
        outputs,
        Mappings={"Sizes": {"top": {"key": "large"}}},
        Parameters={
            "Which": {"Type": "String", "Default": "Sizes"},
            "Here": {"Type": "String", "Default": "us-east-1"},
        },
        Transform="AWS::LanguageExtensions",
    )
    assert found["Cidr"] == "10.0.2.0/24"
    assert found["Length"] == "3"
    assert found["Zones"].split(";")[:2] == ["us-east-1a", "us-east-1b"]
    assert json.loads(found["Json"]) == {"a": [1, "b"]}
    assert (found["Join"], found["Map"], found["Default"]) == ("a-b", "large", "small")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ({"Fn::Select": [3, {"Fn::Split": ["-", "a"]}]}, "nonexistent value at index 3"),
        ({"Fn::FindInMap": ["Sizes", "no", "key"]}, "Unable to get mapping for Sizes::no::key"),
        ({"Fn::Cidr": ["nonsense", 1, 8]}, "Fn::Cidr"),
    ],
)
def test_a_function_that_gives_nothing_fails_by_name(cloud: LocalCloud, name: str, function: Any, words: str) -> None:
    assert not values(cloud, name, {"Value": function})
    events = cloud.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    assert any(words in event.get("ResourceStatusReason", "") for event in events)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ({"Fn::Select": ["first", ["a"]]}, "an integer index and a list"),
        ({"Fn::Select": [3, ["a"]]}, "an integer index and a list"),
        ({"Fn::GetAtt": ["Topic"]}, "the resource name and the resource attribute"),
        ({"Fn::GetAtt": [{"Ref": "Topic"}]}, "the resource name and the resource attribute"),
    ],
)
def test_a_function_of_the_wrong_form_is_refused_before_anything_is_created(
    cloud: LocalCloud, name: str, function: Any, words: str
) -> None:
    body = {"Resources": {"Topic": TOPIC}, "Outputs": {"Value": {"Value": function}}}
    assert words in refused(cloud, name, body)["Message"]


def test_a_change_set_whose_map_has_no_such_key_is_refused(cloud: LocalCloud, name: str) -> None:
    topic = {**TOPIC, "Properties": {"DisplayName": {"Fn::FindInMap": ["Names", {"Ref": "Stage"}, "topic"]}}}
    body = {
        "Parameters": {"Stage": {"Type": "String", "Default": "prod"}},
        "Mappings": {"Names": {"dev": {"topic": "a"}}},
        "Resources": {"Topic": topic},
    }
    with pytest.raises(ClientError, match="Unable to get mapping for Names::prod::topic"):
        cloud.client("cloudformation").create_change_set(
            StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(body)
        )


def test_a_name_from_a_parameter_store_names_the_resource(cloud: LocalCloud, name: str) -> None:
    cloud.client("ssm").put_parameter(Name=f"/{name}/topic", Value=f"{name}-orders", Type="String")
    topic = {**TOPIC, "Properties": {"TopicName": f"{{{{resolve:ssm:/{name}/topic}}}}"}}
    found = values(cloud, name, {"Arn": {"Ref": "Orders"}}, Resources={"Orders": topic})
    assert found["Arn"].endswith(f":{name}-orders")


def test_the_name_of_an_attribute_may_be_a_parameter(cloud: LocalCloud, name: str) -> None:
    parameters = {"Attribute": {"Type": "String", "Default": "TopicName"}}
    found = values(cloud, name, {"Name": {"Fn::GetAtt": ["Topic", {"Ref": "Attribute"}]}}, Parameters=parameters)
    assert found["Name"].startswith(f"{name}-Topic-")


def test_a_template_with_a_transform_needs_a_capability_without_a_change_set(cloud: LocalCloud, name: str) -> None:
    body = {"Transform": "AWS::LanguageExtensions", "Resources": {"Topic": TOPIC}}
    assert refused(cloud, name, body)["Message"] == "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"


def test_a_parameter_that_is_not_a_number_is_named(cloud: LocalCloud, name: str) -> None:
    body = {"Parameters": {"Size": {"Type": "Number", "Default": "large"}}, "Resources": {"Topic": TOPIC}}
    assert refused(cloud, name, body)["Message"] == "Parameter 'Size' must be a number."


def test_a_loop_makes_a_resource_of_each_item(cloud: LocalCloud, name: str) -> None:
    loop = ["Colour", ["red", "light-blue"], {"Topic&{Colour}": {**TOPIC, "Properties": {"DisplayName": "${Colour}"}}}]
    body = {"Transform": "AWS::LanguageExtensions", "Resources": {"Fn::ForEach::Topics": loop}}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_AUTO_EXPAND"])
    made = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    topics = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in made}
    assert topics.keys() == {"Topicred", "Topiclightblue"}
    attributes = cloud.client("sns").get_topic_attributes(TopicArn=topics["Topiclightblue"])["Attributes"]
    assert attributes["DisplayName"] == "light-blue"


def test_a_loop_over_a_parameter_is_written_out_in_the_processed_template(cloud: LocalCloud, name: str) -> None:
    topic = {**TOPIC, "Properties": {"DisplayName": {"Fn::Join": ["-", ["topic", {"Ref": "Colour"}]]}}}
    body = {
        "Transform": "AWS::LanguageExtensions",
        "Parameters": {"Colours": {"Type": "CommaDelimitedList"}},
        "Resources": {"Fn::ForEach::Topics": ["Colour", {"Ref": "Colours"}, {"Topic${Colour}": topic}]},
        "Outputs": {
            "Count": {"Value": {"Fn::Length": {"Ref": "Colours"}}},
            "Json": {"Value": {"Fn::ToJsonString": {"a": ["b"]}}},
        },
    }
    cloudformation, text = cloud.client("cloudformation"), json.dumps(body)
    assert cloudformation.get_template_summary(TemplateBody=text)["ResourceTypes"] == ["AWS::SNS::Topic"]
    given = [{"ParameterKey": "Colours", "ParameterValue": "red,blue"}]
    cloudformation.create_stack(
        StackName=name, TemplateBody=text, Parameters=given, Capabilities=["CAPABILITY_AUTO_EXPAND"]
    )
    assert cloudformation.get_template(StackName=name)["TemplateBody"] == body
    processed = cloudformation.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
    assert processed == {
        "Parameters": body["Parameters"],
        "Resources": {
            f"Topic{colour}": {**TOPIC, "Properties": {"DisplayName": f"topic-{colour}"}} for colour in ("red", "blue")
        },
        "Outputs": {"Count": {"Value": 2}, "Json": {"Value": '{"a":["b"]}'}},
    }


RULES = {
    "Sizes": {
        "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "Assertions": [
            {"Assert": {"Fn::Contains": [["large"], {"Ref": "Size"}]}, "AssertDescription": "prod must be large"}
        ],
    }
}


@pytest.mark.parametrize(
    ("stage", "size", "allowed"), [("prod", "large", True), ("prod", "s", False), ("dev", "s", True)]
)
def test_rules_of_a_template_check_its_parameters(
    cloud: LocalCloud, name: str, stage: str, size: str, *, allowed: bool
) -> None:
    parameters = {"Stage": {"Type": "String", "Default": stage}, "Size": {"Type": "String", "Default": size}}
    body = {"Parameters": parameters, "Rules": RULES, "Resources": {"Topic": TOPIC}}
    if allowed:
        cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(body))
    else:
        assert "prod must be large" in refused(cloud, name, body)["Message"]


@pytest.mark.parametrize(("regions", "allowed"), [(["us-east-1"], True), (["eu-west-1"], False)])
def test_a_rule_may_name_the_regions_of_a_stack(
    cloud: LocalCloud, name: str, regions: list[str], *, allowed: bool
) -> None:
    offered = {"Assert": {"Fn::Contains": [regions, {"Ref": "AWS::Region"}]}, "AssertDescription": "not offered here"}
    body = {"Rules": {"Region": {"Assertions": [offered]}}, "Resources": {"Topic": TOPIC}}
    if allowed:
        cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(body))
    else:
        assert "not offered here" in refused(cloud, name, body)["Message"]


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"Topic": {"Properties": {}}}, "[/Resources/Topic] Every Resources object must contain a Type member."),
        ({"Fn::ForEach::A": ["X", {"Ref": "Names"}, {}]}, "Fn::ForEach::A"),
    ],
)
def test_a_malformed_template_is_refused_before_anything_is_made(
    cloud: LocalCloud, name: str, resources: dict[str, Any], words: str
) -> None:
    assert words in refused(cloud, name, {"Resources": resources})["Message"]


@pytest.mark.parametrize(
    ("properties", "given", "missing"),
    [
        ({}, [], "CAPABILITY_IAM"),
        ({"RoleName": "named"}, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
    ],
)
def test_a_template_with_roles_needs_a_capability(
    cloud: LocalCloud, name: str, properties: dict[str, str], given: list[str], missing: str
) -> None:
    role = {**ROLE, "Properties": {**ROLE["Properties"], **properties}}  # type: ignore[dict-item]
    error = refused(cloud, name, {"Resources": {"Role": role}}, Capabilities=given)
    assert error == {
        "Type": "Sender",
        "Code": "InsufficientCapabilitiesException",
        "Message": f"Requires capabilities : [{missing}]",
    }


def test_a_template_says_what_it_needs(cloud: LocalCloud) -> None:
    body = json.dumps(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "words",
            "Parameters": {"Size": {"Type": "Number", "Default": 3, "AllowedValues": [3, 4], "NoEcho": True}},
            "Resources": {"Role": ROLE, "Topic": TOPIC, "Other": TOPIC},
        }
    )
    cloudformation = cloud.client("cloudformation")
    summary = cloudformation.get_template_summary(TemplateBody=body)
    assert summary["Capabilities"] == ["CAPABILITY_IAM"]
    assert "AWS::IAM::Role" in summary["CapabilitiesReason"]
    assert summary["ResourceTypes"] == ["AWS::IAM::Role", "AWS::SNS::Topic"]
    (parameter,) = summary["Parameters"]
    assert parameter["ParameterConstraints"] == {"AllowedValues": ["3", "4"]}
    assert (parameter["DefaultValue"], parameter["NoEcho"]) == ("3", True)
    validated = cloudformation.validate_template(TemplateBody=body)
    assert validated["Capabilities"] == ["CAPABILITY_IAM"]
    assert validated["Parameters"] == [{"ParameterKey": "Size", "DefaultValue": "3", "NoEcho": True}]


def changes(cloud: LocalCloud, name: str, resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a new change set would do to each resource."""
    cloudformation, change = cloud.client("cloudformation"), {"StackName": name, "ChangeSetName": "next"}
    cloudformation.create_change_set(**change, TemplateBody=json.dumps({"Resources": resources}))
    described = cloudformation.describe_change_set(**change, IncludePropertyValues=True)
    cloudformation.delete_change_set(**change)
    found = [change["ResourceChange"] for change in described["Changes"]]
    return {resource["LogicalResourceId"]: resource for resource in found}


def test_a_change_set_says_what_it_does_to_each_resource(cloud: LocalCloud, name: str) -> None:
    def topic(**properties: Any) -> dict[str, Any]:
        return {**TOPIC, "Properties": properties}

    refers = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Replaced"}}}
    before = {
        "Kept": topic(),
        "Changed": topic(DisplayName="a"),
        "Replaced": topic(TopicName=f"{name}-a"),
        "Gone": topic(),
        "Refers": refers,
    }
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps({"Resources": before}))
    after = {
        "Kept": topic(),
        "Changed": topic(DisplayName="b"),
        "Replaced": topic(TopicName=f"{name}-b"),
        "New": topic(),
        "Refers": refers,
    }
    found = changes(cloud, name, after)
    assert found.keys() == {"Changed", "Replaced", "Gone", "New", "Refers"}
    assert (found["Changed"]["Action"], found["Changed"]["Replacement"]) == ("Modify", "False")
    assert ":sns:" in found["Changed"]["PhysicalResourceId"]
    assert json.loads(found["Changed"]["AfterContext"]) == {"Properties": {"DisplayName": "b"}}
    assert (found["Replaced"]["Replacement"], found["Replaced"]["PolicyAction"]) == ("True", "ReplaceAndDelete")
    (detail,) = found["Replaced"]["Details"]
    target = {"Attribute": "Properties", "Name": "TopicName", "RequiresRecreation": "Always"}
    values = {"AttributeChangeType": "Modify", "BeforeValue": f"{name}-a", "AfterValue": f"{name}-b"}
    assert detail["Target"] == {**target, "Path": "/Properties/TopicName", **values}
    assert (found["Gone"]["Action"], found["Gone"]["PolicyAction"]) == ("Remove", "Delete")
    assert found["New"]["Action"] == "Add"
    assert "KNOWN_AFTER_APPLY" in found["Refers"]["AfterContext"]


def test_a_change_set_shows_what_follows_from_an_attribute_of_another_resource(cloud: LocalCloud, name: str) -> None:
    cloudformation = cloud.client("cloudformation")

    def body(word: str) -> str:
        follower = {**TOPIC, "Properties": {"DisplayName": {"Fn::GetAtt": ["First", "DisplayName"]}}}
        first = {**TOPIC, "Properties": {"DisplayName": word}}
        return json.dumps({"Resources": {"First": first, "Second": follower}})

    cloudformation.create_stack(StackName=name, TemplateBody=body("a"))
    change = {"StackName": name, "ChangeSetName": "attribute"}
    cloudformation.create_change_set(**change, TemplateBody=body("b"))
    described = [item["ResourceChange"] for item in cloudformation.describe_change_set(**change)["Changes"]]
    assert [item["LogicalResourceId"] for item in described] == ["First", "Second"]
    [detail] = described[1]["Details"]
    assert (detail["CausingEntity"], detail["ChangeSource"]) == ("First.DisplayName", "ResourceAttribute")
    assert (detail["Evaluation"], described[1]["Replacement"]) == ("Dynamic", "False")
    described = cloudformation.describe_change_set(**change, IncludePropertyValues=True)["Changes"]
    assert [item["ResourceChange"]["LogicalResourceId"] for item in described] == ["First"]


def test_a_stack_says_what_made_it(cloud: LocalCloud, name: str) -> None:
    cloudformation, change = cloud.client("cloudformation"), {"StackName": name, "ChangeSetName": "first"}
    body = json.dumps({"Resources": {"Role": ROLE}})
    made = cloudformation.create_change_set(
        **change, TemplateBody=body, ChangeSetType="CREATE", Capabilities=["CAPABILITY_IAM"]
    )
    cloudformation.execute_change_set(**change)
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert (stack["ChangeSetId"], stack["Capabilities"]) == (made["Id"], ["CAPABILITY_IAM"])
    assert stack["LastUpdatedTime"] >= stack["CreationTime"]
    assert stack["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    assert "Outputs" not in stack
    cloudformation.delete_stack(StackName=name)
    (stack,) = cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"]
    assert stack["DeletionTime"] >= stack["CreationTime"]


def test_outputs_with_one_value_keep_their_own_exports(cloud: LocalCloud, name: str) -> None:
    outputs = {key: {"Value": "same", "Export": {"Name": f"{name}-{key}"}} for key in ("One", "Two")}
    body = {"Resources": {"Topic": TOPIC}, "Outputs": outputs}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body))
    found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    assert {output["OutputKey"]: output["ExportName"] for output in found} == {
        "One": f"{name}-One",
        "Two": f"{name}-Two",
    }


def test_a_protected_stack_cannot_be_deleted(cloud: LocalCloud, name: str) -> None:
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Topic": TOPIC}}), EnableTerminationProtection=True
    )
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        cloudformation.delete_stack(StackName=name)
    cloudformation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
    cloudformation.delete_stack(StackName=name)
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=name)


def test_stack_policies_are_refused(cloud: LocalCloud, name: str) -> None:
    values(cloud, name, {})
    with pytest.raises(ClientError, match="stack policies are not supported"):
        cloud.client("cloudformation").set_stack_policy(StackName=name, StackPolicyBody="{}")


@pytest.mark.parametrize("operation", ["create_stack", "update_stack"])
def test_a_stack_policy_in_a_request_for_a_stack_is_refused_before_anything_is_created(
    cloud: LocalCloud, name: str, operation: str
) -> None:
    cloudformation, body = cloud.client("cloudformation"), json.dumps({"Resources": {"Topic": TOPIC}})
    with pytest.raises(ClientError, match="StackPolicyBody: stack policies are not supported"):
        getattr(cloudformation, operation)(StackName=name, TemplateBody=body, StackPolicyBody="{}")
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=name)


def test_parameters_hide_secrets_and_show_where_values_are_from(cloud: LocalCloud, name: str) -> None:
    parameter = f"/{name}"
    cloud.client("ssm").put_parameter(Name=parameter, Value="one", Type="String")
    body = {
        "Parameters": {
            "Secret": {"Type": "String", "NoEcho": True, "Default": "hush"},
            "Shown": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": parameter},
        },
        "Resources": {"Topic": TOPIC},
    }
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(body))
    assert cloudformation.describe_stacks(StackName=name)["Stacks"][0]["Parameters"] == [
        {"ParameterKey": "Secret", "ParameterValue": "****"},
        {"ParameterKey": "Shown", "ParameterValue": parameter, "ResolvedValue": "one"},
    ]


def test_a_transform_that_is_not_there_is_refused(cloud: LocalCloud, name: str) -> None:
    body = {"Transform": "AWS::CodeDeployBlueGreen", "Resources": {"Topic": TOPIC}}
    message = refused(cloud, name, body, Capabilities=["CAPABILITY_AUTO_EXPAND"])["Message"]
    assert "The transform AWS::CodeDeployBlueGreen is not supported" in message


def test_a_condition_can_look_into_a_map(cloud: LocalCloud, name: str) -> None:
    looked_up = {"Fn::FindInMap": ["Stages", {"Ref": "Stage"}, "large"]}
    found = values(
        cloud,
        name,
        {"Size": {"Fn::If": ["IsLarge", "large", "small"]}},
        Mappings={"Stages": {"prod": {"large": "yes"}}},
        Parameters={"Stage": {"Type": "String", "Default": "prod"}},
        Conditions={"IsLarge": {"Fn::Equals": [looked_up, "yes"]}},
    )
    assert found == {"Size": "large"}


def test_getatt_gives_declared_properties(cloud: LocalCloud, name: str) -> None:
    resources = {"Topic": {**TOPIC, "Properties": {"DisplayName": "ops"}}}
    found = values(cloud, name, {"Name": {"Fn::GetAtt": ["Topic", "DisplayName"]}}, Resources=resources)
    assert found == {"Name": "ops"}


@pytest.mark.parametrize("host", ["{bucket}.localhost", "{bucket}.s3.localhost", "{bucket}.s3.us-east-1.amazonaws.com"])
def test_the_host_of_a_template_url_can_name_the_bucket(cloud: LocalCloud, name: str, host: str) -> None:
    cloud.client("s3").create_bucket(Bucket=name)
    cloud.client("s3").put_object(Bucket=name, Key="a.json", Body=json.dumps({"Resources": {"Topic": TOPIC}}))
    url = f"https://{host.format(bucket=name)}/a.json"
    assert cloud.client("cloudformation").get_template_summary(TemplateURL=url)["ResourceTypes"] == ["AWS::SNS::Topic"]


def test_a_dynamic_reference_may_name_the_version_of_a_parameter(cloud: LocalCloud, name: str) -> None:
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name=name, Value="first", Type="String")
    ssm.put_parameter(Name=name, Value="second", Type="String", Overwrite=True)
    references = {"One": f"{{{{resolve:ssm:{name}:1}}}}", "Latest": f"{{{{resolve:ssm:{name}}}}}"}
    topics = {key: {**TOPIC, "Properties": {"DisplayName": value}} for key, value in references.items()}
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps({"Resources": topics}))
    found = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    shown = {
        item["LogicalResourceId"]: cloud.client("sns").get_topic_attributes(TopicArn=item["PhysicalResourceId"])
        for item in found
    }
    assert {key: value["Attributes"]["DisplayName"] for key, value in shown.items()} == {
        "One": "first",
        "Latest": "second",
    }
