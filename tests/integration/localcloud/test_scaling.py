"""Alarms that act: on Auto Scaling groups through their policies, and on instances."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

IMAGE = "ami-12c6146b"
EC2_ACTION = "arn:aws:automate:us-east-1:ec2:"


@pytest.fixture
def group(cloud: LocalCloud) -> Iterator[str]:
    """A group of ten instances, of at most twenty."""
    name, autoscaling = f"group-{uuid.uuid4().hex[:8]}", cloud.client("autoscaling")
    autoscaling.create_launch_configuration(LaunchConfigurationName=name, ImageId=IMAGE, InstanceType="t3.micro")
    limits = {"MinSize": 1, "MaxSize": 20, "DesiredCapacity": 10, "AvailabilityZones": ["us-east-1a"]}
    autoscaling.create_auto_scaling_group(AutoScalingGroupName=name, LaunchConfigurationName=name, **limits)
    yield name
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def put_policy(cloud: LocalCloud, group: str, name: str = "policy", **settings: Any) -> str:
    """The ARN of a new or changed policy; a simple one that adds an instance, unless the settings say otherwise."""
    simple = {"PolicyType": "SimpleScaling", "AdjustmentType": "ChangeInCapacity"}
    if "PolicyType" not in settings:
        settings = {"ScalingAdjustment": 1, **settings}
    policy = cloud.client("autoscaling").put_scaling_policy(
        AutoScalingGroupName=group, PolicyName=name, **{**simple, **settings}
    )
    return str(policy["PolicyARN"])


def size(cloud: LocalCloud, group: str) -> int:
    """How many instances a group wants, and has."""
    groups = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    described = groups["AutoScalingGroups"][0]
    assert len(described["Instances"]) == described["DesiredCapacity"]
    return int(described["DesiredCapacity"])


def put_alarm(cloud: LocalCloud, action: str, **settings: Any) -> str:
    """The name of a new alarm, which nothing but a test puts into another state."""
    name = f"alarm-{uuid.uuid4().hex[:8]}"
    watched = {"Namespace": "Load", "MetricName": name, "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1}
    judged = {"Threshold": 80, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore"}
    cloud.client("cloudwatch").put_metric_alarm(AlarmName=name, AlarmActions=[action], **watched, **judged, **settings)
    return name


def ring(cloud: LocalCloud, alarm: str, value: float | None = None) -> None:
    reason = {} if value is None else {"StateReasonData": json.dumps({"recentDatapoints": [value]})}
    cloudwatch = cloud.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test", **reason)


def execute(cloud: LocalCloud, arn: str, **settings: Any) -> None:
    cloud.client("autoscaling").execute_policy(PolicyName=arn, **settings)


# Policies


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"ScalingAdjustment": 2}, 12),
        ({"ScalingAdjustment": -2}, 8),
        ({"ScalingAdjustment": 100}, 20),
        ({"ScalingAdjustment": -100}, 1),
        ({"AdjustmentType": "ExactCapacity", "ScalingAdjustment": 4}, 4),
        ({"AdjustmentType": "PercentChangeInCapacity", "ScalingAdjustment": 25}, 12),
        ({"AdjustmentType": "PercentChangeInCapacity", "ScalingAdjustment": 1}, 11),
        ({"AdjustmentType": "PercentChangeInCapacity", "ScalingAdjustment": -1}, 9),
        ({"AdjustmentType": "PercentChangeInCapacity", "ScalingAdjustment": -66}, 4),
        ({"AdjustmentType": "PercentChangeInCapacity", "ScalingAdjustment": 10, "MinAdjustmentMagnitude": 3}, 13),
    ],
)
def test_a_simple_policy_adjusts_as_auto_scaling_documents_it(
    cloud: LocalCloud, group: str, settings: dict[str, Any], expected: int
) -> None:
    execute(cloud, put_policy(cloud, group, **settings))
    assert size(cloud, group) == expected


STEPS = [
    {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 10, "ScalingAdjustment": 4},
    {"MetricIntervalLowerBound": -20, "MetricIntervalUpperBound": 0, "ScalingAdjustment": -1},
    {"MetricIntervalUpperBound": -20, "ScalingAdjustment": -3},
]


@pytest.mark.parametrize(
    ("value", "expected"), [(80, 11), (89, 11), (90, 14), (500, 14), (79, 9), (61, 9), (60, 7), (0, 7)]
)
def test_the_step_that_a_breach_falls_into_decides(cloud: LocalCloud, group: str, value: float, expected: int) -> None:
    arn = put_policy(cloud, group, PolicyType="StepScaling", StepAdjustments=STEPS)
    execute(cloud, arn, MetricValue=value, BreachThreshold=80)
    assert size(cloud, group) == expected


def test_instances_that_warm_up_count_towards_the_next_step(cloud: LocalCloud, group: str) -> None:
    arn = put_policy(cloud, group, PolicyType="StepScaling", StepAdjustments=STEPS)
    sizes = []
    for value in (85, 85, 95, 20):
        execute(cloud, arn, MetricValue=value, BreachThreshold=80)
        sizes.append(size(cloud, group))
    assert sizes == [11, 11, 14, 14]


def test_two_groups_may_call_their_policies_alike(cloud: LocalCloud, group: str) -> None:
    autoscaling, other = cloud.client("autoscaling"), f"{group}-other"
    limits = {"MinSize": 0, "MaxSize": 1, "AvailabilityZones": ["us-east-1a"]}
    autoscaling.create_auto_scaling_group(AutoScalingGroupName=other, LaunchConfigurationName=group, **limits)
    arns = {put_policy(cloud, group), put_policy(cloud, other)}
    assert len(arns) == 2
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName=other)
    policies = autoscaling.describe_policies(PolicyNames=["policy"])["ScalingPolicies"]
    assert {policy["PolicyARN"] for policy in policies} & arns == {policies[0]["PolicyARN"]}
    execute(cloud, "policy", AutoScalingGroupName=group)
    assert size(cloud, group) == 11


@pytest.mark.parametrize(
    ("settings", "meant"),
    [
        ({"PolicyType": "PredictiveScaling"}, "PredictiveScaling"),
        ({"PolicyType": "StepScaling"}, "StepAdjustments"),
        ({"PolicyType": "SimpleScaling"}, "ScalingAdjustment"),
        ({"AdjustmentType": "Double"}, "AdjustmentType"),
        ({"PolicyType": "TargetTrackingScaling"}, "TargetTrackingConfiguration"),
    ],
)
def test_a_policy_that_could_not_act_is_refused(
    cloud: LocalCloud, group: str, settings: dict[str, Any], meant: str
) -> None:
    with pytest.raises(ClientError, match=meant):
        put_policy(cloud, group, **settings)
    assert cloud.client("autoscaling").describe_policies(AutoScalingGroupName=group)["ScalingPolicies"] == []


def test_a_policy_of_a_group_or_a_name_that_is_not_there_is_refused(cloud: LocalCloud, group: str) -> None:
    with pytest.raises(ClientError, match="Group nobody not found"):
        put_policy(cloud, "nobody")
    with pytest.raises(ClientError, match="no scaling policy nothing"):
        execute(cloud, "nothing", AutoScalingGroupName=group)


# Alarms


def test_an_alarm_makes_a_group_grow_once_in_a_cooldown_and_the_activity_says_why(
    cloud: LocalCloud, group: str, eventually: Any
) -> None:
    arn = put_policy(cloud, group)
    alarm = put_alarm(cloud, arn)
    ring(cloud, alarm)
    assert eventually(lambda: size(cloud, group) == 11)
    activities = cloud.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=group)["Activities"]
    assert f"a monitor alarm {alarm} in state ALARM triggered policy policy" in activities[0]["Cause"]
    with pytest.raises(ClientError, match="cools down"):
        execute(cloud, arn, HonorCooldown=True)
    ring(cloud, alarm)
    ring(
        cloud, put_alarm(cloud, put_policy(cloud, group, "steps", PolicyType="StepScaling", StepAdjustments=STEPS)), 95
    )
    assert eventually(lambda: size(cloud, group) == 15)  # 11 and the step of 4


def test_an_alarm_passes_its_datapoint_to_a_policy_of_steps(cloud: LocalCloud, group: str, eventually: Any) -> None:
    arn = put_policy(cloud, group, PolicyType="StepScaling", StepAdjustments=STEPS)
    alarm = put_alarm(cloud, arn)
    datum = {"MetricName": alarm, "Value": 95}
    cloud.client("cloudwatch").put_metric_data(Namespace="Load", MetricData=[datum])
    assert eventually(lambda: size(cloud, group) == 14)


def test_target_tracking_follows_its_metric_by_alarms_that_go_with_the_policy(
    cloud: LocalCloud, group: str, eventually: Any
) -> None:
    autoscaling, cloudwatch = cloud.client("autoscaling"), cloud.client("cloudwatch")
    cpu = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 50}
    put_policy(cloud, group, PolicyType="TargetTrackingScaling", TargetTrackingConfiguration=cpu)
    alarms = autoscaling.describe_policies(AutoScalingGroupName=group)["ScalingPolicies"][0]["Alarms"]
    names = [alarm["AlarmName"] for alarm in alarms]
    assert len(cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]) == 2
    dimensions = [{"Name": "AutoScalingGroupName", "Value": group}]
    datum = {"MetricName": "CPUUtilization", "Value": 75, "Dimensions": dimensions}
    cloudwatch.put_metric_data(Namespace="AWS/EC2", MetricData=[datum])
    assert eventually(lambda: size(cloud, group) == 15)
    autoscaling.delete_policy(AutoScalingGroupName=group, PolicyName="policy")
    assert cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] == []


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (f"{EC2_ACTION}stop", "stopped"),
        ("arn:aws:swf:us-east-1:123456789012:action/actions/AWS_EC2.InstanceId.Stop/1.0", "stopped"),
        (f"{EC2_ACTION}terminate", "terminated"),
    ],
)
def test_an_alarm_stops_or_terminates_its_instance(cloud: LocalCloud, eventually: Any, action: str, state: str) -> None:
    ec2 = cloud.client("ec2")
    instance = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ring(cloud, put_alarm(cloud, action, Dimensions=[{"Name": "InstanceId", "Value": instance}]))

    def now() -> str:
        described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return str(described["State"]["Name"])

    assert eventually(lambda: now() == state)


@pytest.mark.parametrize(
    ("action", "meant"),
    [
        ("arn:aws:ssm:us-east-1:123456789012:opsitem:1", "has no action arn:aws:ssm"),
        (f"{EC2_ACTION}hibernate", "has no action"),
        (f"{EC2_ACTION}recover", "needs the dimension InstanceId"),
        ("arn:aws:sqs:us-east-1:123456789012:queue", "has no action"),
        ("arn:aws:sns:eu-west-1:123456789012:topic", "has no action"),
        (
            "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:autoScalingGroupName/a:policyName/b",
            "no scaling policy",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["AlarmActions", "OKActions", "InsufficientDataActions"])
def test_an_action_that_could_not_be_done_is_refused_with_the_alarm(
    cloud: LocalCloud, kind: str, action: str, meant: str
) -> None:
    cloudwatch, name = cloud.client("cloudwatch"), uuid.uuid4().hex
    watched = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    judged = {"Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    with pytest.raises(ClientError, match=meant):
        cloudwatch.put_metric_alarm(AlarmName=name, **watched, **judged, **{kind: [action]})
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_launch_templates_are_listed_to_the_last(cloud: LocalCloud) -> None:
    ec2, name = cloud.client("ec2"), uuid.uuid4().hex
    names = {f"{name}-{number}" for number in range(16)}
    for template in names:
        ec2.create_launch_template(LaunchTemplateName=template, LaunchTemplateData={"InstanceType": "t3.micro"})
    listed = [found["LaunchTemplateName"] for found in ec2.describe_launch_templates()["LaunchTemplates"]]
    assert names <= {*listed}
    pages = ec2.get_paginator("describe_launch_templates").paginate(PaginationConfig={"PageSize": 5})
    assert [found["LaunchTemplateName"] for page in pages for found in page["LaunchTemplates"]] == listed
    with pytest.raises(ClientError, match="InvalidNextToken"):
        ec2.describe_launch_templates(NextToken="none")


def test_a_group_starts_instances_from_a_later_version_of_its_launch_template(cloud: LocalCloud) -> None:
    ec2, name = cloud.client("ec2"), f"group-{uuid.uuid4().hex[:8]}"
    script = base64.b64encode(b"#!/bin/sh\n").decode()
    data = {"ImageId": IMAGE, "InstanceType": "t3.micro", "UserData": script}
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    later = {**data, "InstanceType": "t3.small"}
    ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData=later)
    with pytest.raises(ClientError, match="Invalid BASE64 encoding of user data"):
        ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData={**data, "UserData": "#!"})
    cloud.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "2"},
        MinSize=1,
        MaxSize=1,
        AvailabilityZones=["us-east-1a"],
    )
    instances = ec2.describe_instances(Filters=[{"Name": "tag:aws:autoscaling:groupName", "Values": [name]}])
    [instance] = instances["Reservations"][0]["Instances"]
    assert instance["InstanceType"] == "t3.small"
