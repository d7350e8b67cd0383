"""From an instance's end to the e-mail: events, functions, metric filters, alarms, notifications."""

from __future__ import annotations

import email
import email.message
import email.policy
import io
import json
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import allow, trust

IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
STATES = ["pending", "running", "shutting-down", "terminated"]


def image(cloud: LocalCloud) -> str:
    return str(cloud.client("ssm").get_parameter(Name=IMAGE)["Parameter"]["Value"])


def queue(cloud: LocalCloud) -> tuple[str, str]:
    """A new queue's URL and ARN."""
    sqs = cloud.client("sqs")
    policy = allow("sqs:SendMessage", to=("events", "sns"))
    url = sqs.create_queue(QueueName=uuid.uuid4().hex, Attributes={"Policy": policy})["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def rule(cloud: LocalCloud, pattern: dict[str, Any], **target: Any) -> None:
    name = uuid.uuid4().hex
    cloud.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    cloud.client("events").put_targets(Rule=name, Targets=[{"Id": "target", **target}])


def receive(cloud: LocalCloud, url: str) -> list[Any]:
    """What waits in a queue."""
    found = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def function(cloud: LocalCloud, code: str, **settings: Any) -> str:
    """A new function's name."""
    archive, name = io.BytesIO(), f"f-{uuid.uuid4().hex[:8]}"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", code)
    iam = cloud.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("lambda"))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=allow("*"))
    cloud.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.14",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
        **settings,
    )
    return name


def invoke(cloud: LocalCloud, name: str, event: Any = None, kind: str = "RequestResponse") -> Any:
    answer = cloud.client("lambda").invoke(FunctionName=name, InvocationType=kind, Payload=json.dumps(event or {}))
    body = answer["Payload"].read()
    return json.loads(body) if body else None


def logged(cloud: LocalCloud, group: str) -> list[str]:
    logs = cloud.client("logs")
    try:
        events = logs.filter_log_events(logGroupName=group)["events"]
    except logs.exceptions.ResourceNotFoundException:  # made with the first line
        return []
    return [event["message"] for event in events]


def mails(cloud: LocalCloud, recipient: str) -> list[email.message.EmailMessage]:
    paths = sorted(cloud.mailbox.glob("*.eml"))
    found = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]
    return [mail for mail in found if mail["To"] == recipient]


# Instances


def test_each_state_of_an_instance_becomes_an_event_of_the_true_shape(cloud: LocalCloud, eventually: Any) -> None:
    url, arn = queue(cloud)
    rule(cloud, {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]}, Arn=arn)
    ec2 = cloud.client("ec2")
    instance = ec2.run_instances(ImageId=image(cloud), MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[instance])
    ec2.start_instances(InstanceIds=[instance])
    ec2.terminate_instances(InstanceIds=[instance])
    eventually(lambda: len(receive(cloud, url)) == 8)
    events = receive(cloud, url)
    states = sorted(event["detail"]["state"] for event in events)
    expected = ["pending", "running", "stopping", "stopped", "pending", "running", "shutting-down", "terminated"]
    assert states == sorted(expected)
    event = events[0]
    assert set(event) == {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
    assert (event["account"], event["region"]) == ("123456789012", "us-east-1")
    assert event["resources"] == [f"arn:aws:ec2:us-east-1:123456789012:instance/{instance}"]
    assert event["detail"]["instance-id"] == instance
    assert datetime.now(UTC) - datetime.fromisoformat(event["time"]) < timedelta(minutes=5)


def test_a_terminated_instance_still_answers_with_its_reason_and_tags(cloud: LocalCloud) -> None:
    ec2 = cloud.client("ec2")
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "purpose", "Value": "test"}]}]
    run = ec2.run_instances(ImageId=image(cloud), MinCount=1, MaxCount=1, TagSpecifications=tags)
    instance = run["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance])
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "terminated"
    assert found["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert found["StateTransitionReason"].startswith("User initiated (")
    assert found["Tags"] == [{"Key": "purpose", "Value": "test"}]


@pytest.fixture
def group(cloud: LocalCloud) -> str:
    """A group of two instances."""
    name = f"group-{uuid.uuid4().hex[:8]}"
    data = {"ImageId": image(cloud), "InstanceType": "t3.micro"}
    cloud.client("ec2").create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    cloud.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=2,
        AvailabilityZones=["us-east-1a"],
    )
    return name


def members(cloud: LocalCloud, group: str) -> set[str]:
    found = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    return {instance["InstanceId"] for instance in found["AutoScalingGroups"][0]["Instances"]}


def causes(cloud: LocalCloud, group: str, instance: str) -> list[str]:
    activities = cloud.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=group)["Activities"]
    return [a["Cause"] for a in activities if a["Description"] == f"Terminating EC2 instance: {instance}"]


def test_a_group_that_scales_in_says_so(cloud: LocalCloud, group: str) -> None:
    before = members(cloud, group)
    cloud.client("autoscaling").set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=1)
    (gone,) = before - members(cloud, group)
    (cause,) = causes(cloud, group, gone)
    assert "shrinking the capacity from 2 to 1" in cause


def test_the_activities_of_a_large_group_come_in_pages_whatever_begins_meanwhile(cloud: LocalCloud, group: str) -> None:
    autoscaling = cloud.client("autoscaling")
    autoscaling.update_auto_scaling_group(AutoScalingGroupName=group, MaxSize=120)
    for size in (120, 0):
        autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=size)
    pages = []
    for page in autoscaling.get_paginator("describe_scaling_activities").paginate(AutoScalingGroupName=group):
        pages.append([activity["Description"] for activity in page["Activities"]])
        autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=len(pages))
    assert [len(page) for page in pages] == [100, 100, 40]
    told = [description for page in pages for description in page]
    assert len({*told}) == 240
    assert all(description.startswith("Terminating") for description in told[:120])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"MaxRecords": 101}, "ValidationError"), ({"NextToken": "none"}, "InvalidNextToken")],
)
def test_a_page_of_activities_is_refused_as_auto_scaling_refuses_it(
    cloud: LocalCloud, group: str, wrong: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        cloud.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=group, **wrong)
    assert caught.value.response["Error"]["Code"] == code


def test_a_group_replaces_an_unhealthy_instance_and_says_why(cloud: LocalCloud, group: str, eventually: Any) -> None:
    before = members(cloud, group)
    sick = min(before)
    cloud.client("autoscaling").set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    assert eventually(lambda: len(members(cloud, group) - before) == 1)
    assert sick not in members(cloud, group)
    (cause,) = causes(cloud, group, sick)
    assert "health-check" in cause


def test_a_group_replaces_what_was_terminated_behind_its_back(cloud: LocalCloud, group: str) -> None:
    victim = min(members(cloud, group))
    cloud.client("ec2").terminate_instances(InstanceIds=[victim])
    assert victim not in members(cloud, group)
    assert len(members(cloud, group)) == 2
    (cause,) = causes(cloud, group, victim)
    assert "indicating it has been terminated or stopped" in cause


@pytest.mark.parametrize(("shrink", "left"), [(True, 1), (False, 2)])
def test_a_group_terminates_an_instance_on_request(cloud: LocalCloud, group: str, shrink: bool, left: int) -> None:
    victim = min(members(cloud, group))
    cloud.client("autoscaling").terminate_instance_in_auto_scaling_group(
        InstanceId=victim, ShouldDecrementDesiredCapacity=shrink
    )
    assert victim not in members(cloud, group)
    assert len(members(cloud, group)) == left
    (cause,) = causes(cloud, group, victim)
    assert "in response to a user request" in cause
    found = cloud.client("ec2").describe_instances(InstanceIds=[victim])["Reservations"][0]["Instances"][0]
    assert {"Key": "aws:autoscaling:groupName", "Value": group} in found["Tags"]


# Rules


def test_a_rule_reaches_topics_and_log_groups_and_shapes_its_input(cloud: LocalCloud, eventually: Any) -> None:
    url, arn = queue(cloud)
    topic = cloud.client("sns").create_topic(Name="shaped")["TopicArn"]
    cloud.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    transformer = {"InputPathsMap": {"who": "$.detail.who"}, "InputTemplate": '{"hello": "<who>"}'}
    rule(cloud, {"source": ["shop"]}, Arn=topic, InputTransformer=transformer)
    cloud.client("logs").create_log_group(logGroupName="/shop")
    logs_policy = allow("logs:CreateLogStream", "logs:PutLogEvents", to=("events",))
    cloud.client("logs").put_resource_policy(policyName="rules", policyDocument=logs_policy)
    rule(cloud, {"source": ["shop"]}, Arn="arn:aws:logs:us-east-1:123456789012:log-group:/shop")
    cloud.client("events").put_events(Entries=[{"Source": "shop", "DetailType": "x", "Detail": '{"who": "you"}'}])
    assert eventually(lambda: receive(cloud, url)) == [{"hello": "you"}]
    (line,) = eventually(lambda: logged(cloud, "/shop"))
    assert json.loads(line)["detail"] == {"who": "you"}


def test_an_event_that_cannot_be_delivered_goes_to_the_targets_dead_letter_queue(
    cloud: LocalCloud, eventually: Any
) -> None:
    url, arn = queue(cloud)
    missing = "arn:aws:lambda:us-east-1:123456789012:function:nobody"
    rule(cloud, {"source": ["lost"]}, Arn=missing, DeadLetterConfig={"Arn": arn})
    cloud.client("events").put_events(Entries=[{"Source": "lost", "DetailType": "x", "Detail": '{"n": 1}'}])
    assert eventually(lambda: receive(cloud, url))[0]["detail"] == {"n": 1}


# Functions


@pytest.fixture
def encrypted(cloud: LocalCloud) -> Callable[[str, dict[str, Any]], tuple[str, str]]:
    """Makes a topic under a key whose policy lets a service in on a condition: its ARN, and the URL of the listener."""

    def make(service: str, condition: dict[str, Any]) -> tuple[str, str]:
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Condition": condition}
        statement |= {"Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        key = cloud.client("kms").create_key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["KeyId"]
        sns, (url, arn) = cloud.client("sns"), queue(cloud)
        topic = sns.create_topic(Name=uuid.uuid4().hex, Attributes={"KmsMasterKeyId": key})["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic, url

    return make


HERE = {"StringEquals": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize(("condition", "arrives"), [({}, True), (HERE, False)], ids=["open", "asks for the account"])
def test_a_rule_reaches_an_encrypted_topic_only_if_its_key_asks_nothing_of_eventbridge(
    cloud: LocalCloud, encrypted: Callable[..., Any], eventually: Any, condition: dict[str, Any], arrives: bool
) -> None:
    """EventBridge tells KMS neither account nor rule, so a condition on them drops every message."""
    (topic, url), name = encrypted("events.amazonaws.com", condition), uuid.uuid4().hex
    rule(cloud, {"source": [name]}, Arn=topic)
    watched = {"Namespace": "AWS/Events", "MetricName": "FailedInvocations"}
    [named] = cloud.client("events").list_rule_names_by_target(TargetArn=topic)["RuleNames"]
    dimensions = [{"Name": "RuleName", "Value": named}]
    cloud.client("events").put_events(Entries=[{"Source": name, "DetailType": "x", "Detail": "{}"}])
    if arrives:
        assert eventually(lambda: receive(cloud, url))
    else:
        assert eventually(lambda: cloud.client("cloudwatch").list_metrics(**watched, Dimensions=dimensions)["Metrics"])
        assert receive(cloud, url) == []


@pytest.mark.parametrize(
    ("condition", "arrives"),
    [
        (HERE, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "999999999999"}}, False),
    ],
    ids=["this account", "its alarms", "another account"],
)
def test_an_alarm_reaches_an_encrypted_topic_if_its_key_asks_for_the_account_of_the_alarm(
    cloud: LocalCloud, encrypted: Callable[..., Any], eventually: Any, condition: dict[str, Any], arrives: bool
) -> None:
    topic, url = encrypted("cloudwatch.amazonaws.com", condition)
    name, cloudwatch = uuid.uuid4().hex, cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="n",
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="ignore",
        AlarmActions=[topic],
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    if arrives:
        assert eventually(lambda: receive(cloud, url))
    else:
        assert eventually(lambda: f"which encrypts {topic}" in cloud.log.read_text())
        assert receive(cloud, url) == []


def test_a_function_sees_its_event_environment_and_context(cloud: LocalCloud) -> None:
    code = (
        "import os, boto3\n"
        "def handler(event, context):\n"
        "    account = boto3.client('sts').get_caller_identity()['Account']\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    return [event, os.environ['COLOUR'], account, context.function_name, len(context.aws_request_id), left]\n"
    )
    name = function(cloud, code, Environment={"Variables": {"COLOUR": "blue"}}, Timeout=20)
    event, colour, account, seen, identifier, left = invoke(cloud, name, {"n": 1})
    assert (event, colour, account, seen, identifier) == ({"n": 1}, "blue", "123456789012", name, 36)
    assert 0 < left <= 20_000


def test_a_function_logs_to_its_own_group_and_counts(cloud: LocalCloud) -> None:
    code = "def handler(event, context):\n    print('hello')\n    raise ValueError('no')\n"
    name = function(cloud, code, LoggingConfig={"LogGroup": "/own/group"})
    assert invoke(cloud, name)["errorType"] == "ValueError"
    lines = logged(cloud, "/own/group")
    assert [line.split()[0] for line in lines[:2]] == ["INIT_START", "START"]
    assert "hello" in lines
    assert any("[ERROR] ValueError: no" in line for line in lines)
    assert lines[-1].startswith("REPORT RequestId")
    now = datetime.now(UTC)
    errors = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in errors) == 1


def test_a_function_that_takes_too_long_is_ended(cloud: LocalCloud) -> None:
    name = function(cloud, "import time\ndef handler(event, context):\n    time.sleep(600)\n", Timeout=1)
    assert "Task timed out after 1.00 seconds" in invoke(cloud, name)["errorMessage"]


def test_a_failing_event_is_retried_and_then_dead_lettered(cloud: LocalCloud, eventually: Any) -> None:
    url, arn = queue(cloud)
    name = function(cloud, "def handler(event, context):\n    raise ValueError\n", DeadLetterConfig={"TargetArn": arn})
    invoke(cloud, name, {"n": 2}, "Event")
    assert eventually(lambda: receive(cloud, url)) == [{"n": 2}]
    starts = [line for line in logged(cloud, f"/aws/lambda/{name}") if line.startswith("START")]
    assert len(starts) == 3
    assert len(set(starts)) == 1  # one request id for all attempts


# Metric filters, alarms, e-mail


def test_from_a_log_line_to_an_email_and_an_event(cloud: LocalCloud, eventually: Any) -> None:
    logs, cloudwatch, sns = cloud.client("logs"), cloud.client("cloudwatch"), cloud.client("sns")
    logs.create_log_group(logGroupName="/app")
    logs.create_log_stream(logGroupName="/app", logStreamName="s")
    change = {"metricNamespace": "App", "metricName": "Cost", "metricValue": "$.cost"}
    logs.put_metric_filter(
        logGroupName="/app",
        filterName="cost",
        filterPattern='{ $.event = "sale" && $.cost > 5 }',
        metricTransformations=[change | {"dimensions": {"Shop": "$.shop"}}],
    )
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    report = function(cloud, "def handler(event, context):\n    print(event['alarmData']['state']['value'])\n")
    report_arn = cloud.client("lambda").get_function(FunctionName=report)["Configuration"]["FunctionArn"]
    alarms = {"Principal": "lambda.alarms.cloudwatch.amazonaws.com", "Action": "lambda:InvokeFunction"}
    cloud.client("lambda").add_permission(FunctionName=report, StatementId="alarms", **alarms)
    url, arn = queue(cloud)
    rule(
        cloud, {"source": ["aws.cloudwatch"], "detail": {"alarmName": ["cost"], "state": {"value": ["ALARM"]}}}, Arn=arn
    )
    cloudwatch.put_metric_alarm(
        AlarmName="cost",
        AlarmDescription="Somebody spends.",
        AlarmActions=[topic, report_arn],
        Namespace="App",
        MetricName="Cost",
        Dimensions=[{"Name": "Shop", "Value": "1"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=20,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )

    def state() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=["cost"])["MetricAlarms"][0]["StateValue"])

    assert eventually(lambda: state() == "OK")
    now = int(datetime.now(UTC).timestamp() * 1000)
    messages = ['{"event": "sale", "cost": 30, "shop": 1}', '{"event": "sale", "cost": 4, "shop": 1}', "noise"]
    logs.put_log_events(
        logGroupName="/app", logStreamName="s", logEvents=[{"timestamp": now, "message": each} for each in messages]
    )
    assert eventually(lambda: state() == "ALARM")
    (mail,) = eventually(lambda: mails(cloud, "ops@example.com"))
    assert mail["Subject"] == 'ALARM: "cost" in US East (N. Virginia)'
    assert 'your Amazon CloudWatch Alarm "cost" in the US East (N. Virginia) region has entered the ALARM state' in (
        text := mail.get_content()
    )
    assert "- Description:                Somebody spends.\n- State Change:               OK -> ALARM" in text
    assert "metric is GreaterThanThreshold 20.0 for at least 1 of the last 1 period(s) of 60 seconds." in text
    assert "- Dimensions:                          [Shop = 1]" in text
    assert "unsubscribe.html" in text
    assert eventually(lambda: receive(cloud, url))[0]["detail"]["previousState"]["value"] == "OK"
    assert eventually(lambda: "ALARM" in logged(cloud, f"/aws/lambda/{report}"))


def test_a_filter_pattern_that_cannot_be_read_is_refused_with_the_place(cloud: LocalCloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/refused")
    change = {"metricNamespace": "App", "metricName": "M", "metricValue": "1"}
    with pytest.raises(logs.exceptions.InvalidParameterException, match="like"):
        logs.put_metric_filter(
            logGroupName="/refused",
            filterName="f",
            filterPattern="{ $.a like 3 }",
            metricTransformations=[change],
        )


def test_an_alarm_watches_what_waits_in_a_dead_letter_queue(cloud: LocalCloud, eventually: Any) -> None:
    url, arn = queue(cloud)
    cloudwatch = cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="waiting",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": arn.rpartition(":")[2]}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    cloud.client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    names = {"AlarmNames": ["waiting"]}
    assert eventually(lambda: cloudwatch.describe_alarms(**names)["MetricAlarms"][0]["StateValue"] == "ALARM")


@pytest.mark.parametrize(
    ("watched", "meant"),
    [
        ({"Metrics": [{"Id": "ratio", "Expression": "bad / all"}]}, "several metrics"),
        ({"Namespace": "App", "MetricName": "Cost", "ExtendedStatistic": "p90", "Period": 60}, "percentiles"),
    ],
)
def test_an_alarm_that_would_be_misjudged_is_refused(cloud: LocalCloud, watched: dict[str, Any], meant: str) -> None:
    cloudwatch = cloud.client("cloudwatch")
    threshold = {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    with pytest.raises(cloudwatch.exceptions.ClientError, match=f"does not evaluate {meant}"):
        cloudwatch.put_metric_alarm(AlarmName="refused", **threshold, **watched)


def test_a_subscriptions_filter_policy_decides_who_gets_mail(cloud: LocalCloud, eventually: Any) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="filtered")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="all@example.com")
    policy = {"FilterPolicy": '{"colour": ["blue"]}'}
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="blue@example.com", Attributes=policy)
    for colour in ("red", "blue"):
        attribute = {"colour": {"DataType": "String", "StringValue": colour}}
        sns.publish(TopicArn=topic, Message=colour, Subject="Colour", MessageAttributes=attribute)
    assert eventually(lambda: len(mails(cloud, "all@example.com")) == 2)
    (mail,) = mails(cloud, "blue@example.com")
    assert mail.get_content().splitlines()[:3] == ["blue", "", "--"]
    assert mails(cloud, "all@example.com")[0].get_content().startswith("red\n")
