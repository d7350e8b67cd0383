"""Notifications of buckets, subscription filters of log groups, versions and aliases of functions."""

from __future__ import annotations

import base64
import gzip
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_notifications as destinations
from aws_cdk import aws_sqs as sqs
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import allow, trust

WRITES_LOGS = {"PolicyName": "log", "PolicyDocument": json.loads(allow("logs:*"))}
ROLE = {"AssumeRolePolicyDocument": json.loads(trust("lambda")), "Policies": [WRITES_LOGS]}
#: Logs its event in one line.
CODE = "import json\n\ndef handler(event, context):\n    print('event', json.dumps(event))\n    return VALUE\n"


@pytest.fixture
def name() -> str:
    return f"notify-{uuid.uuid4().hex[:8]}"


def resource(kind: str, depends_on: str | None = None, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties} | ({"DependsOn": depends_on} if depends_on else {})


def function(value: str = "1") -> dict[str, Any]:
    return resource(
        "Lambda::Function",
        Runtime="python3.14",
        Handler="index.handler",
        Role={"Fn::GetAtt": ["Role", "Arn"]},
        Code={"ZipFile": CODE.replace("VALUE", value)},
    )


def policy(kind: str, service: str, source: Any, resources: str, name: str) -> dict[str, Any]:
    """The policy of the queue or topic ``name``, which lets a service send to it for one source."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage" if "SQS" in kind else "sns:Publish",
        "Resource": "*",
        "Condition": {"ArnLike": {"aws:SourceArn": source}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return resource(kind, **{resources: [{"Ref": name}], "PolicyDocument": document})


def deploy(cloud: LocalCloud, name: str, resources: dict[str, Any], operation: str = "create") -> dict[str, str]:
    """Create or update a stack; the physical ids of its resources."""
    cloudformation = cloud.client("cloudformation")
    body = json.dumps({"Resources": {"Role": resource("IAM::Role", **ROLE), **resources}})
    getattr(cloudformation, f"{operation}_stack")(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == f"{operation.upper()}_COMPLETE", stack.get("StackStatusReason")
    found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}


def eventually(ask: Callable[[], Any]) -> Any:
    """What ``ask`` gives once it gives something."""
    end = time.monotonic() + 30
    while not (result := ask()) and time.monotonic() < end:
        time.sleep(0.1)
    return result


def received(cloud: LocalCloud, url: str) -> list[Any]:
    """The messages of a queue, in the order in which they were sent, except for S3's test message."""
    messages = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    bodies = [json.loads(message["Body"]) for message in messages.get("Messages", [])]
    return [body for body in bodies if "s3:TestEvent" not in json.dumps(body)]


def events(cloud: LocalCloud, function: str) -> list[Any]:
    """The events that a function has logged."""
    logs = cloud.client("logs")
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(one["message"][6:]) for one in found if one["message"].startswith("event ")]


def test_a_bucket_tells_functions_queues_topics_and_event_bridge(cloud: LocalCloud, name: str) -> None:
    arn = f"arn:aws:s3:::{name}"
    configuration = {
        "QueueConfigurations": [
            {
                "Event": "s3:ObjectCreated:*",
                "Queue": {"Fn::GetAtt": ["Queue", "Arn"]},
                "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".csv"}]}},
            }
        ],
        "TopicConfigurations": [{"Event": "s3:ObjectRemoved:*", "Topic": {"Ref": "Topic"}}],
        "LambdaConfigurations": [
            {"Event": "s3:ObjectCreated:Put", "Function": {"Fn::GetAtt": ["Function", "Arn"]}},
        ],
        "EventBridgeConfiguration": {"EventBridgeEnabled": True},
    }
    call = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "Function"}, "Principal": "s3.amazonaws.com"}
    subscription = {"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Removed", "Arn"]}, "RawMessageDelivery": True}
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}
    resources = {
        "Function": function(),
        "Queue": resource("SQS::Queue"),
        "Removed": resource("SQS::Queue"),
        "Seen": resource("SQS::Queue"),
        "Topic": resource("SNS::Topic"),
        "Subscription": resource("SNS::Subscription", TopicArn={"Ref": "Topic"}, **subscription),
        "Rule": resource(
            "Events::Rule", EventPattern=pattern, Targets=[{"Id": "seen", "Arn": {"Fn::GetAtt": ["Seen", "Arn"]}}]
        ),
        "MayCall": resource("Lambda::Permission", SourceArn=arn, **call),
        "MaySend": policy("SQS::QueuePolicy", "s3.amazonaws.com", arn, "Queues", "Queue"),
        "MayPublish": policy("SNS::TopicPolicy", "s3.amazonaws.com", arn, "Topics", "Topic"),
        "MayForward": policy("SQS::QueuePolicy", "sns.amazonaws.com", {"Ref": "Topic"}, "Queues", "Removed"),
        "MayTell": policy(
            "SQS::QueuePolicy", "events.amazonaws.com", {"Fn::GetAtt": ["Rule", "Arn"]}, "Queues", "Seen"
        ),
    }
    bucket = resource("S3::Bucket", BucketName=name, NotificationConfiguration=configuration)
    bucket["DependsOn"] = ["MayCall", "MaySend", "MayPublish"]
    ids = deploy(cloud, name, {**resources, "Bucket": bucket})
    client = cloud.client("s3")
    for key in ("report 1.csv", "report.txt"):
        client.put_object(Bucket=name, Key=key, Body=b"abc")
    client.delete_object(Bucket=name, Key="report.txt")
    (created,) = eventually(lambda: received(cloud, ids["Queue"]))[0]["Records"]
    assert (created["eventName"], created["s3"]["object"]["key"]) == ("ObjectCreated:Put", "report+1.csv")
    assert created["s3"]["object"]["size"] == 3
    (removed,) = eventually(lambda: received(cloud, ids["Removed"]))[0]["Records"]
    assert (removed["eventName"], removed["s3"]["object"]["key"]) == ("ObjectRemoved:Delete", "report.txt")
    assert "size" not in removed["s3"]["object"]
    calls = eventually(lambda: (both := events(cloud, ids["Function"])) and len(both) > 1 and both)
    assert {call["Records"][0]["s3"]["object"]["key"] for call in calls} == {"report+1.csv", "report.txt"}
    seen = eventually(lambda: (three := received(cloud, ids["Seen"])) and len(three) > 2 and three)
    kinds = sorted((event["detail-type"], event["detail"]["object"]["key"]) for event in seen)
    assert kinds == [
        ("Object Created", "report 1.csv"),
        ("Object Created", "report.txt"),
        ("Object Deleted", "report.txt"),
    ]
    assert {event["detail"]["reason"] for event in seen} == {"PutObject", "DeleteObject"}
    client.delete_object(Bucket=name, Key="report 1.csv")
    deploy(cloud, name, {**resources, "Bucket": resource("S3::Bucket", BucketName=name)}, "update")
    left = client.get_bucket_notification_configuration(Bucket=name)
    assert not left.keys() & {"QueueConfigurations", "TopicConfigurations", "EventBridgeConfiguration"}


@pytest.mark.parametrize("kind", ["sqs", "lambda"])
def test_a_destination_that_does_not_let_s3_in_is_refused(cloud: LocalCloud, name: str, kind: str) -> None:
    client = cloud.client("s3")
    client.create_bucket(Bucket=name)
    ids = deploy(cloud, name, {"Function": function(), "Queue": resource("SQS::Queue", QueueName=name)})
    queue = {"QueueArn": f"arn:aws:sqs:us-east-1:123456789012:{name}", "Events": ["s3:ObjectCreated:*"]}
    callee = cloud.client("lambda").get_function(FunctionName=ids["Function"])["Configuration"]["FunctionArn"]
    call = {"LambdaFunctionArn": callee, "Events": ["s3:ObjectCreated:*"]}
    configurations = {"sqs": {"QueueConfigurations": [queue]}, "lambda": {"LambdaFunctionConfigurations": [call]}}
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        client.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configurations[kind])
    assert "QueueConfigurations" not in client.get_bucket_notification_configuration(Bucket=name)


def test_the_custom_resource_of_the_cdk_sets_notifications(cloud: LocalCloud, name: str) -> None:
    app = App(analytics_reporting=False)
    stack = Stack(app, "Notifying")
    bucket = s3.Bucket(stack, "Bucket", bucket_name=name, removal_policy=RemovalPolicy.DESTROY)
    queue = sqs.Queue(stack, "Queue", queue_name=name)
    bucket.add_event_notification(s3.EventType.OBJECT_CREATED, destinations.SqsDestination(queue))
    resources = app.synth().get_stack_by_name("Notifying").template["Resources"]
    assert "Custom::S3BucketNotifications" in {one["Type"] for one in resources.values()}
    deploy(cloud, name, resources)
    cloud.client("s3").put_object(Bucket=name, Key="a", Body=b"")
    url = cloud.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    (record,) = eventually(lambda: received(cloud, url))[0]["Records"]
    assert record["s3"]["object"]["key"] == "a"


def test_a_subscription_filter_sends_the_events_that_match(cloud: LocalCloud, name: str) -> None:
    call = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "Function"}, "Principal": "logs.amazonaws.com"}
    ids = deploy(
        cloud,
        name,
        {
            "Function": function(),
            "Logs": resource("Logs::LogGroup"),
            "MayCall": resource("Lambda::Permission", SourceArn={"Fn::GetAtt": ["Logs", "Arn"]}, **call),
            "Filter": resource(
                "Logs::SubscriptionFilter",
                "MayCall",
                LogGroupName={"Ref": "Logs"},
                FilterPattern="ERROR",
                DestinationArn={"Fn::GetAtt": ["Function", "Arn"]},
            ),
        },
    )
    logs = cloud.client("logs")
    logs.create_log_stream(logGroupName=ids["Logs"], logStreamName="s")
    now = int(time.time() * 1000)
    lines = [{"timestamp": now, "message": text} for text in ("ERROR one", "fine", "ERROR two")]
    logs.put_log_events(logGroupName=ids["Logs"], logStreamName="s", logEvents=lines)
    (event,) = eventually(lambda: events(cloud, ids["Function"]))
    data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    assert [one["message"] for one in data["logEvents"]] == ["ERROR one", "ERROR two"]
    assert (data["logGroup"], data["logStream"], data["messageType"]) == (ids["Logs"], "s", "DATA_MESSAGE")
    assert data["subscriptionFilters"] == [ids["Filter"]]


def test_a_subscription_filter_needs_a_permission(cloud: LocalCloud, name: str) -> None:
    ids = deploy(cloud, name, {"Function": function(), "Logs": resource("Logs::LogGroup")})
    arn = cloud.client("lambda").get_function(FunctionName=ids["Function"])["Configuration"]["FunctionArn"]
    with pytest.raises(ClientError, match="Could not execute the lambda function"):
        cloud.client("logs").put_subscription_filter(
            logGroupName=ids["Logs"], filterName="f", filterPattern="", destinationArn=arn
        )
    assert cloud.client("logs").describe_subscription_filters(logGroupName=ids["Logs"])["subscriptionFilters"] == []


def test_an_alias_moves_to_a_new_version_and_the_old_one_goes(cloud: LocalCloud, name: str) -> None:
    def resources(value: str) -> dict[str, Any]:
        version = f"Version{value}"
        return {
            "Function": function(value),
            version: resource("Lambda::Version", FunctionName={"Ref": "Function"}),
            "Alias": resource(
                "Lambda::Alias",
                FunctionName={"Ref": "Function"},
                FunctionVersion={"Fn::GetAtt": [version, "Version"]},
                Name="live",
            ),
        }

    def value(alias: str) -> Any:
        return json.loads(cloud.client("lambda").invoke(FunctionName=alias)["Payload"].read())

    ids = deploy(cloud, name, resources("1"))
    assert ids["Alias"].endswith(":live")
    assert value(ids["Alias"]) == 1
    for number in "23":
        ids = deploy(cloud, name, resources(number), "update")
        assert value(ids["Alias"]) == int(number)
    versions = cloud.client("lambda").list_versions_by_function(FunctionName=ids["Function"])["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "3"]
