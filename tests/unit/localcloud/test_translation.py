"""Templates and the translation of properties to API parameters."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloudformation import schemas, templates
from localcloud.cloudformation.translation import fit, known
from localcloud.services.batch.behaviour import retries
from localcloud.services.batch.containers import substitute


def shape(service: str, operation: str) -> Any:
    client: Any = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106
    return client.meta.service_model.operation_model(operation).input_shape


def test_names_fit_whatever_their_case_and_texts_become_numbers_and_booleans() -> None:
    properties = {"ContainerProperties": {"Command": ["x"], "Vcpus": "2", "Privileged": "true"}, "Type": "container"}
    assert fit(properties, shape("batch", "RegisterJobDefinition")) == {
        "containerProperties": {"command": ["x"], "vcpus": 2, "privileged": True},
        "type": "container",
    }


def test_lists_of_tags_become_maps_where_the_api_wants_them() -> None:
    tags = {"Tags": [{"Key": "a", "Value": "b"}]}
    assert fit(tags, shape("lambda", "CreateFunction")) == {"Tags": {"a": "b"}}
    assert fit({"Tags": {"a": "b"}}, shape("sqs", "CreateQueue")) == {"tags": {"a": "b"}}


def test_documents_become_texts() -> None:
    policy = {"Bucket": "b", "Policy": {"Statement": []}}
    assert fit(policy, shape("s3", "PutBucketPolicy")) == {"Bucket": "b", "Policy": '{"Statement": []}'}


def test_a_value_is_wrapped_and_a_list_joined_where_the_api_wants_that() -> None:
    attribute = {"VpcId": "v", "EnableDnsSupport": "true"}
    wrapped = {"VpcId": "v", "EnableDnsSupport": {"Value": True}}
    assert fit(attribute, shape("ec2", "ModifyVpcAttribute")) == wrapped
    subnets = {"AutoScalingGroupName": "g", "VPCZoneIdentifier": ["a", "b"]}
    assert fit(subnets, shape("autoscaling", "UpdateAutoScalingGroup"))["VPCZoneIdentifier"] == "a,b"


def test_an_unknown_member_is_an_error_with_its_path() -> None:
    with pytest.raises(ValueError, match=r"containerProperties\.Colour"):
        fit({"containerProperties": {"Colour": "x"}}, shape("batch", "RegisterJobDefinition"))


def test_only_what_an_operation_takes_is_passed_on() -> None:
    assert known({"QueueName": "q", "Other": 1}, shape("sqs", "GetQueueUrl")) == {"QueueName": "q"}


def test_schemas_know_types_properties_and_what_replaces() -> None:
    schemas.check("AWS::S3::Bucket", {"BucketName": {"Ref": "Anything"}, "Tags": [{"Key": "a", "Value": "b"}]})
    with pytest.raises(schemas.PropertyError, match=r"Tags\.Kee"):
        schemas.check("AWS::S3::Bucket", {"Tags": [{"Kee": "a", "Value": "b"}]})
    assert "BucketName" in schemas.create_only("AWS::S3::Bucket")
    assert schemas.schema("AWS::Nothing::Here") is None


def test_short_forms_read_as_functions() -> None:
    body = templates.parse(
        "Resources:\n  R:\n    Type: T\n    Condition: C\n    Properties:\n"
        "      A: !GetAtt X.Endpoint.Address\n      B: !Sub ['${v}', {v: !Ref P}]\n      D: 2012-10-17\n"
        "Conditions:\n  C: !And [!Condition E, !Equals [1, true]]\n"
    )
    assert body["Resources"]["R"]["Properties"] == {
        "A": {"Fn::GetAtt": ["X", "Endpoint.Address"]},
        "B": {"Fn::Sub": ["${v}", {"v": {"Ref": "P"}}]},
        "D": "2012-10-17",
    }
    assert body["Conditions"]["C"] == {"Fn::And": [{"Condition": "E"}, {"Fn::Equals": ["1", "true"]}]}


def test_resources_come_after_what_they_mention() -> None:
    resources = {
        "A": {"Properties": {"x": {"Fn::Sub": "${B.Arn}-${AWS::Region}"}}},
        "B": {"Properties": {"x": {"Fn::GetAtt": ["C", "Arn"]}}, "DependsOn": "D"},
        "C": {},
        "D": {"Properties": {"x": [{"Ref": "C"}]}},
    }
    assert templates.order(resources) == ["C", "D", "B", "A"]
    with pytest.raises(ValidationError, match="Circular"):
        templates.order({"A": {"DependsOn": "B"}, "B": {"DependsOn": ["A"]}})


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_a_number_parameter_keeps_its_bounds(value: int, low: int, high: int) -> None:
    declared = {"Type": "Number", "MinValue": low, "MaxValue": high}
    if low <= value <= high:
        assert templates.parameter("P", declared, value) == str(value)
    else:
        with pytest.raises(ValidationError, match="Parameter P"):
            templates.parameter("P", declared, value)


@pytest.mark.parametrize(
    ("rules", "code", "reason", "again"),
    [
        ([], 1, "", True),
        ([{"onExitCode": "1", "action": "EXIT"}], 1, "", False),
        ([{"onExitCode": "1", "action": "EXIT"}], 2, "", True),
        (
            [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
            137,
            "Host EC2 (i-1)",
            True,
        ),
        ([{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}], 1, "exited", False),
        ([{"onExitCode": "1*", "onReason": "x", "action": "exit"}], 12, "y", True),
    ],
)
def test_the_first_rule_that_fits_decides_on_a_retry(rules: list[Any], code: int, reason: str, again: bool) -> None:
    assert retries({"attempts": 3, "evaluateOnExit": rules}, code, reason) is again


def test_references_in_a_command_become_parameters() -> None:
    assert substitute("--data=Ref::data/Ref::no", {"data": "s3://b"}) == "--data=s3://b/Ref::no"
