"""Properties are checked as CloudFormation's schemas say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from localcloud.cloudformation.schemas import PropertyError, check

ALARM = {
    "MetricName": "m",
    "Namespace": "N",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.mark.parametrize(
    ("kind", "properties", "message"),
    [
        (
            "AWS::CloudWatch::Alarm",
            ALARM | {"ComparisonOperator": "GreaterThan"},
            "the value 'GreaterThan' of ComparisonOperator is not one of GreaterThanOrEqualToThreshold, ",
        ),
        ("AWS::CloudWatch::Alarm", ALARM | {"Period": 0}, "the value 0 of Period is below the minimum of 1"),
        ("AWS::CloudWatch::Alarm", ALARM | {"Period": "soon"}, "the value 'soon' of Period is not a whole number"),
        (
            "AWS::CloudWatch::Alarm",
            ALARM | {"Dimensions": [{"Name": "Queue"}]},
            "required property Dimensions.Value is missing",
        ),
        (
            "AWS::CloudWatch::Alarm",
            {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"},
            "exactly one of the properties Metrics, MetricName, EvaluationCriteria is needed",
        ),
        ("AWS::CloudWatch::Alarm", ALARM | {"MetricName": ""}, "MetricName has 0 characters, but must have at least 1"),
        ("AWS::Lambda::Function", {"Code": {"ZipFile": ""}}, "required property Role is missing"),
        (
            "AWS::Lambda::Function",
            {"Code": {"ZipFile": ""}, "Role": "admin"},
            "the value 'admin' of Role does not match the pattern ^arn:",
        ),
        (
            "AWS::Lambda::Function",
            {"Code": {}, "Role": {"Ref": "Role"}, "Timeout": 0},
            "the value 0 of Timeout is below the minimum of 1",
        ),
        (
            "AWS::Lambda::Function",
            {"Code": {}, "Role": {"Ref": "Role"}, "Layers": [], "TracingConfig": {"Mode": "Loud"}},
            "the value 'Loud' of TracingConfig.Mode is not one of ",
        ),
    ],
)
def test_a_value_that_the_schema_does_not_allow_is_refused_by_name(
    kind: str, properties: dict[str, Any], message: str
) -> None:
    with pytest.raises(PropertyError, match=re.escape(message)):
        check(kind, properties)


def test_a_property_that_the_service_sets_is_refused() -> None:
    with pytest.raises(PropertyError, match="the property Arn is for reading"):
        check("AWS::CloudWatch::Alarm", ALARM | {"Arn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"})


def test_properties_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(PropertyError, match="is not allowed together with"):
        check("AWS::CloudWatch::Alarm", ALARM | {"ExtendedStatistic": "p99"})


def test_a_property_that_the_type_lacks_is_refused_by_its_path() -> None:
    with pytest.raises(PropertyError, match=r"unsupported property Dimensions\.Nam"):
        check("AWS::CloudWatch::Alarm", ALARM | {"Dimensions": [{"Nam": "Queue", "Value": "v"}]})


@pytest.mark.parametrize(
    "properties",
    [
        ALARM,
        ALARM | {"Period": "60", "Threshold": "1.5", "ActionsEnabled": "true"},
        ALARM | {"ComparisonOperator": {"Ref": "Operator"}, "Period": {"Fn::If": ["Fast", 10, 60]}},
        ALARM | {"Dimensions": {"Fn::If": ["Narrow", [{"Name": "Queue", "Value": "v"}], {"Ref": "AWS::NoValue"}]}},
        {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}},
    ],
)
def test_what_is_allowed_or_not_known_yet_passes(properties: dict[str, Any]) -> None:
    check("AWS::CloudWatch::Alarm", properties)
