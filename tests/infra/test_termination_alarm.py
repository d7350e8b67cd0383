"""TerminationAlarm: what its template promises."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from infra.config import Config, ConfigError
from infra.constructs.inline import source

from .conftest import Json, Synthesised, as_list, of_type, only, statements

FILE = "termination-alarm.yaml"
INLINE_LIMIT = 4 * 1024 * 1024  # bytes of code that CloudFormation takes inline


@pytest.fixture(scope="session")
def template(synthesised: Synthesised) -> Json:
    return synthesised.templates["TerminationAlarm"]


@pytest.fixture(scope="module")
def elsewhere(synthesise: Callable[..., Json]) -> Json:
    """With a network given, an e-mail address, and every setting of the alarm changed."""
    settings = {
        "vpc_id": "vpc-0a1b2c3d",
        "subnet_ids": "subnet-1a,subnet-2b",
        "email": "ops@example.com",
        "watch": "all",
        "count_expected": "true",
        "threshold": 3,
        "period_seconds": 300,
        "datapoints_to_alarm": 2,
        "evaluation_periods": 4,
        "minimum_instances": 1,
        "desired_instances": 2,
        "maximum_instances": 6,
        "detailed_monitoring": "true",
        "delete_data": "true",
        "log_retention_days": 7,
    }
    return synthesise(FILE, {"termination_alarm": settings, "allow_data_deletion": "true"})


def test_the_group_has_its_own_network_of_two_public_zones_with_flow_logs(template: Json) -> None:
    subnets = [body["Properties"] for _, body in of_type(template, "AWS::EC2::Subnet")]
    assert [subnet["MapPublicIpOnLaunch"] for subnet in subnets] == [True, True]
    assert [subnet["AvailabilityZone"]["Fn::Select"][0] for subnet in subnets] == [0, 1]
    assert only(template, "AWS::EC2::FlowLog")["TrafficType"] == "ALL"
    assert len(only(template, "AWS::AutoScaling::AutoScalingGroup")["VPCZoneIdentifier"]) == 2


def test_the_group_waits_for_its_routes_and_goes_before_them(template: Json) -> None:
    routes = {name for name, _ in of_type(template, "AWS::EC2::Route")}
    assert routes <= set(template["Resources"]["AutoScalingGroup"]["DependsOn"])


def test_the_group_runs_in_a_given_network_and_makes_none(elsewhere: Json) -> None:
    assert only(elsewhere, "AWS::AutoScaling::AutoScalingGroup")["VPCZoneIdentifier"] == ["subnet-1a", "subnet-2b"]
    assert only(elsewhere, "AWS::EC2::SecurityGroup")["VpcId"] == "vpc-0a1b2c3d"
    for kind in ("AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::InternetGateway"):
        assert not list(of_type(elsewhere, kind))


def test_the_groups_size_is_a_setting(template: Json, elsewhere: Json) -> None:
    sizes = [
        tuple(
            only(each, "AWS::AutoScaling::AutoScalingGroup")[key] for key in ("MinSize", "DesiredCapacity", "MaxSize")
        )
        for each in (template, elsewhere)
    ]
    assert sizes == [("0", "1", "2"), ("1", "2", "6")]


def test_instances_run_the_newest_amazon_linux_and_are_reached_by_systems_manager_alone(template: Json) -> None:
    data = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert data["ImageId"].startswith("resolve:ssm:/aws/service/")
    assert data["ImageId"].endswith("al2023-ami-kernel-default-x86_64")
    assert data["BlockDeviceMappings"][0]["Ebs"]["VolumeType"] == "gp3"
    [policy] = template["Resources"]["InstanceRole"]["Properties"]["ManagedPolicyArns"]
    assert "AmazonSSMManagedInstanceCore" in json.dumps(policy)


def test_detailed_monitoring_is_a_setting(template: Json, elsewhere: Json) -> None:
    enabled = [
        only(each, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["Monitoring"]["Enabled"]
        for each in (template, elsewhere)
    ]
    assert enabled == [False, True]


def test_every_terminated_instance_reaches_the_function_or_the_dead_letter_queue(template: Json) -> None:
    rule = only(template, "AWS::Events::Rule")
    assert rule["EventPattern"] == {
        "source": ["aws.ec2"],
        "detail-type": ["EC2 Instance State-change Notification"],
        "detail": {"state": ["terminated"]},
    }
    [target] = rule["Targets"]
    queue = {"Fn::GetAtt": ["FailedEvents", "Arn"]}
    assert target["Arn"] == {"Fn::GetAtt": ["TerminationLogger", "Arn"]}
    assert target["DeadLetterConfig"]["Arn"] == queue
    for _, function in of_type(template, "AWS::Lambda::Function"):
        assert function["Properties"]["DeadLetterConfig"]["TargetArn"] == queue
    permission = template["Resources"]["TerminationLoggerCalledByRule"]["Properties"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["TerminationRule", "Arn"]}


def test_functions_are_inline_and_told_what_they_need(template: Json, elsewhere: Json) -> None:
    for name, folder in (("TerminationLogger", "termination_logger"), ("TerminationReport", "termination_report")):
        function = template["Resources"][name]["Properties"]
        assert function["Code"]["ZipFile"] == source(folder)
        assert len(source(folder).encode()) < INLINE_LIMIT
        assert function["Runtime"] == "python3.14"
    told = elsewhere["Resources"]["TerminationLogger"]["Properties"]["Environment"]["Variables"]
    assert (told["WATCH"], told["COUNT_EXPECTED"]) == ("all", "true")


def test_the_table_of_terminations_costs_nothing_idle_and_forgets(template: Json) -> None:
    table = only(template, "AWS::DynamoDB::Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}


def test_only_counted_lines_count_in_a_metric_of_the_stacks_own(template: Json) -> None:
    metric_filter = only(template, "AWS::Logs::MetricFilter")
    assert metric_filter["FilterPattern"] == '{ $.event = "instance-terminated" && $.counted IS TRUE }'
    assert metric_filter["LogGroupName"] == {"Ref": "TerminationLoggerLogs"}
    [metric] = metric_filter["MetricTransformations"]
    assert metric["MetricValue"] == "1"
    alarm = template["Resources"]["TerminationAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (metric["MetricNamespace"], metric["MetricName"])
    assert {"Ref": "AWS::StackName"} in alarm["Namespace"]["Fn::Join"][1]


def test_the_alarm_has_threshold_period_and_m_of_n_as_settings(template: Json, elsewhere: Json) -> None:
    keys = ("Threshold", "Period", "DatapointsToAlarm", "EvaluationPeriods", "ComparisonOperator", "Statistic")
    alarms = [
        [each["Resources"]["TerminationAlarm"]["Properties"][key] for key in keys] for each in (template, elsewhere)
    ]
    assert alarms == [
        [1, 60, 1, 1, "GreaterThanOrEqualToThreshold", "Sum"],
        [3, 300, 2, 4, "GreaterThanOrEqualToThreshold", "Sum"],
    ]


def test_the_alarm_tells_the_topic_and_asks_for_a_report(template: Json) -> None:
    alarm = template["Resources"]["TerminationAlarm"]["Properties"]
    assert alarm["AlarmActions"] == [{"Ref": "Topic"}, {"Fn::GetAtt": ["TerminationReport", "Arn"]}]
    permission = template["Resources"]["TerminationReportCalledByAlarm"]["Properties"]
    assert permission["Principal"] == "lambda.alarms.cloudwatch.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": ["TerminationAlarm", "Arn"]}


def test_failed_events_are_kept_encrypted_and_raise_an_alarm(template: Json) -> None:
    queue = only(template, "AWS::SQS::Queue")
    assert (queue["SqsManagedSseEnabled"], queue["MessageRetentionPeriod"]) == (True, 14 * 86400)
    alarm = template["Resources"]["FailedEventsAlarm"]["Properties"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["FailedEvents", "QueueName"]}}]
    assert alarm["AlarmActions"] == [{"Ref": "Topic"}]


def test_the_topic_is_encrypted_with_a_key_that_alarms_may_use(template: Json) -> None:
    assert only(template, "AWS::SNS::Topic")["KmsMasterKeyId"] == {"Fn::GetAtt": ["TopicKey", "Arn"]}
    key = only(template, "AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    [alarms] = [s for s in key["KeyPolicy"]["Statement"] if s["Principal"].get("Service")]
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


@pytest.mark.parametrize("policy", ["TopicPolicy", "FailedEventsPolicy"])
def test_messages_travel_by_tls_alone(template: Json, policy: str) -> None:
    denied = [s for name, s in statements(template) if name == policy and s["Effect"] == "Deny"]
    assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_the_email_is_subscribed_if_one_is_given(template: Json, elsewhere: Json) -> None:
    assert not list(of_type(template, "AWS::SNS::Subscription"))
    subscription = only(elsewhere, "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


def test_functions_may_do_what_they_call_and_nothing_else(template: Json) -> None:
    def allowed(function: str) -> set[str]:
        policy = template["Resources"][f"{function}RoleDefaultPolicy"]["Properties"]["PolicyDocument"]
        return {action for statement in policy["Statement"] for action in as_list(statement["Action"])}

    runtime = {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"}
    assert allowed("TerminationLogger") - runtime == {
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeScalingActivities",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "ec2:DescribeInstances",
    }
    assert allowed("TerminationReport") - runtime == {
        "dynamodb:Scan",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "sns:Publish",
    }


def test_both_keys_together_delete_data_with_the_stack(elsewhere: Json) -> None:
    for kind in ("AWS::Logs::LogGroup", "AWS::SQS::Queue"):
        for name, body in of_type(elsewhere, kind):
            assert (name, body["DeletionPolicy"]) == (name, "Delete")


@pytest.mark.parametrize("key", ["allow_data_deletion", "termination_alarm.delete_data"])
def test_one_key_deletes_nothing(synthesise: Callable[..., Json], key: str) -> None:
    for name, body in of_type(synthesise(FILE, {key: True}), "AWS::Logs::LogGroup"):
        assert (name, body["DeletionPolicy"], body["UpdateReplacePolicy"]) == (name, "RetainExceptOnCreate", "Retain")


def test_log_retention_is_a_setting(elsewhere: Json) -> None:
    assert {body["Properties"]["RetentionInDays"] for _, body in of_type(elsewhere, "AWS::Logs::LogGroup")} == {7}


def test_its_outputs_are_what_others_read(template: Json) -> None:
    assert set(template["Outputs"]) == {
        *("AutoScalingGroupName", "TopicArn", "LogGroupName", "FunctionName", "AlarmName"),
        *("MetricNamespace", "MetricName", "DeadLetterQueueUrl"),
    }


@pytest.mark.parametrize("watch", ["groups:api,jobs", "tag:Team=shop"])
def test_a_stack_that_watches_existing_groups_has_no_group_of_its_own(
    synthesise: Callable[..., Json], watch: str
) -> None:
    template = synthesise(FILE, {"termination_alarm": {"watch": watch}})
    kinds = {body["Type"] for body in template["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::EC2::", "AWS::AutoScaling::"))}
    variables = template["Resources"]["TerminationLogger"]["Properties"]["Environment"]["Variables"]
    assert (variables["WATCH"], variables["GROUP"]) == (watch, "")


@pytest.mark.parametrize("watch", ["groups:", "groups:a,,b", "tag:Team", "tag:=shop", "some"])
def test_what_nobody_could_watch_is_refused(watch: str) -> None:
    with pytest.raises(ConfigError, match=r"it must be group, all, groups:NAME,NAME or tag:KEY=VALUE"):
        Config.from_context({"termination_alarm.watch": watch})


def test_alarms_go_to_an_existing_topic(synthesise: Callable[..., Json]) -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:operations"
    template = synthesise(FILE, {"termination_alarm": {"topic_arn": topic, "email": "ops@example.com"}})
    assert [*of_type(template, "AWS::SNS::Topic")] == []
    assert [*of_type(template, "AWS::KMS::Key")] == []
    actions = [body["Properties"]["AlarmActions"][0] for _, body in of_type(template, "AWS::CloudWatch::Alarm")]
    assert {*actions} == {topic}
    assert only(template, "AWS::SNS::Subscription")["TopicArn"] == topic
    assert template["Outputs"]["TopicArn"]["Value"] == topic
    [publish] = [s for _, s in statements(template) if s["Action"] == "sns:Publish"]
    assert publish["Resource"] == topic
