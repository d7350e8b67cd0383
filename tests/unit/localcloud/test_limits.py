"""What CloudFormation refuses of a template as a whole."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloudformation import limits, templates

TOPIC = {"Type": "AWS::SNS::Topic"}


def named(reference: Any) -> dict[str, Any]:
    return TOPIC | {"Properties": {"DisplayName": reference}}


def check(template: dict[str, Any]) -> None:
    limits.check(templates.parse(json.dumps(template)))


def many(count: int, item: dict[str, Any]) -> dict[str, Any]:
    return {f"N{number}": item for number in range(count)}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"Resources": many(501, TOPIC)}, "Number of resources, 501, is greater than maximum allowed, 500"),
        (
            {"Resources": {"T": TOPIC}, "Parameters": many(201, {"Type": "String"})},
            "Number of parameters, 201, is greater than maximum allowed, 200",
        ),
        ({"Resources": {"T": TOPIC}, "Outputs": many(201, {"Value": "v"})}, "Number of outputs, 201, is greater than"),
        ({"Resources": {}}, "At least one Resources member must be defined"),
        ({"Resources": {"my-topic": TOPIC}}, "Resource name my-topic is non alphanumeric"),
        (
            {"Resources": {"T": TOPIC}, "Outputs": {"my-topic": {"Value": "v"}}},
            "Outputs name my-topic is non alphanumeric",
        ),
        (
            {"Resources": {"T": named({"Ref": "Gone"})}},
            "Unresolved resource dependencies [Gone] in the Resources block of the template",
        ),
        ({"Resources": {"T": named({"Fn::GetAtt": ["Gone", "Arn"]})}}, "Unresolved resource dependencies [Gone]"),
        ({"Resources": {"T": named({"Fn::GetAtt": "Gone.Arn"})}}, "Unresolved resource dependencies [Gone]"),
        ({"Resources": {"T": named({"Fn::Sub": "${Gone.Arn} and ${T}"})}}, "Unresolved resource dependencies [Gone]"),
        *(
            ({"Resources": {"T": named({"Fn::Sub": argument})}}, "Fn::Sub intrinsic functions don't specify expected")
            for argument in ({"Value": "v"}, ["${T}"], ["${T}", "T"], [1, {}], 1)
        ),
        ({"Resources": {"T": TOPIC | {"DependsOn": "Gone"}}}, "Unresolved resource dependencies [Gone]"),
        (
            {"Resources": {"T": TOPIC}, "Outputs": {"O": {"Value": {"Ref": "Gone"}}}},
            "Unresolved resource dependencies [Gone] in the Outputs block",
        ),
        (
            {"Resources": {"T": TOPIC}, "Conditions": {"C": {"Fn::Equals": [{"Ref": "T"}, "x"]}}},
            "Unresolved dependencies [T]. Cannot reference resources in the Conditions block of the template",
        ),
        (
            {"Resources": {"T": TOPIC | {"Condition": "Gone"}}},
            "Unresolved condition dependency Gone in the Resources block of the template",
        ),
        (
            {"Resources": {"T": named({"Fn::If": ["Gone", "a", "b"]})}},
            "Unresolved condition dependency Gone in the Resources block",
        ),
        (
            {"Resources": {"T": TOPIC}, "Outputs": {"O": {"Condition": "Gone", "Value": "v"}}},
            "Unresolved condition dependency Gone in the Outputs block",
        ),
        (
            {"Resources": {"T": TOPIC}, "Conditions": {"C": {"Fn::Not": [{"Condition": "Gone"}]}}},
            "Unresolved condition dependency Gone in the Conditions block",
        ),
        (
            {"Resources": {"A": named({"Ref": "B"}), "B": TOPIC | {"DependsOn": ["A"]}}},
            "Circular dependency between resources: [",
        ),
    ],
)
def test_a_template_that_cloudformation_does_not_take_is_refused(template: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        check(template)


def test_what_a_template_has_may_be_referred_to() -> None:
    check(
        {
            "Parameters": {"P": {"Type": "String"}},
            "Conditions": {
                "C": {"Fn::Equals": [{"Ref": "P"}, {"Ref": "AWS::Region"}]},
                "D": {"Fn::Not": [{"Condition": "C"}]},
            },
            "Resources": {
                **many(498, TOPIC),
                "A": named(
                    {"Fn::Sub": ["${P} ${AWS::Region} ${B.TopicName} ${Own} ${!Literal}", {"Own": {"Ref": "B"}}]}
                ),
                "B": named({"Fn::If": ["C", {"Ref": "P"}, {"Ref": "AWS::NoValue"}]}) | {"Condition": "D"},
            },
            "Outputs": {"O": {"Condition": "D", "Value": {"Fn::GetAtt": ["A", "TopicArn"]}}},
        }
    )


def test_an_output_and_a_condition_may_be_called_as_a_function_is() -> None:
    is_left_out = {"Fn::Equals": [{"Ref": "Ref"}, "none"]}
    check(
        {
            "Parameters": {"Ref": {"Type": "String", "Default": "none"}},
            "Conditions": {"Ref": is_left_out, "Condition": {"Fn::Not": [{"Condition": "Ref"}]}},
            "Resources": {"T": TOPIC},
            "Outputs": {"Ref": {"Value": {"Ref": "T"}, "Condition": "Ref"}},
        }
    )
