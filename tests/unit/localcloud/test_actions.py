"""What a request needs: actions, resources and condition keys, as AWS's service authorization reference has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localcloud.access.actions import coverage
from localcloud.access.actions.derivation import Call, needs

PLACE = "us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/jobs"
STATE = {
    ("secretsmanager/Secret", "login"): f"arn:aws:secretsmanager:{PLACE}:secret:login-AbCdEf",
    ("kms/key", "alias/data"): f"arn:aws:kms:{PLACE}:key/1234",
    ("iam/role", "jobs"): ROLE,
    ("iam/role-of-profile", "machine"): "arn:aws:iam::123456789012:role/machine",
}
#: Operation with parameters, and the pairs of action and resource.
CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str | None]]]] = [
    ("s3", "PutObject", {"Bucket": "b", "Key": "a/b:c"}, [("s3:PutObject", "arn:aws:s3:::b/a/b:c")]),
    ("s3", "UploadPart", {"Bucket": "b", "Key": "k"}, [("s3:PutObject", "arn:aws:s3:::b/k")]),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, [("s3:GetObject", "arn:aws:s3:::b/k")]),
    ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "1"}, [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
    ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "x"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    ("s3", "ListBuckets", {}, [("s3:ListAllMyBuckets", "*")]),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": "/o/x/y"},
        [("s3:GetObject", "arn:aws:s3:::o/x/y"), ("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "1"}, {"Key": "2", "VersionId": "v"}]}},
        [("s3:DeleteObject", "arn:aws:s3:::b/1"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/2")],
    ),
    (
        "sqs",
        "SendMessageBatch",
        {"QueueUrl": "http://h/123456789012/q"},
        [("sqs:SendMessage", f"arn:aws:sqs:{PLACE}:q")],
    ),
    ("sqs", "GetQueueUrl", {"QueueName": "q"}, [("sqs:GetQueueUrl", f"arn:aws:sqs:{PLACE}:q")]),
    ("sqs", "ListQueues", {}, [("sqs:ListQueues", "*")]),
    ("sns", "PublishBatch", {"TopicArn": f"arn:aws:sns:{PLACE}:t"}, [("sns:Publish", f"arn:aws:sns:{PLACE}:t")]),
    (
        "sns",
        "Unsubscribe",
        {"SubscriptionArn": f"arn:aws:sns:{PLACE}:t:1"},
        [("sns:Unsubscribe", f"arn:aws:sns:{PLACE}:t")],
    ),
    ("lambda", "Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", f"arn:aws:lambda:{PLACE}:function:f")]),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "f", "Qualifier": "live"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{PLACE}:function:f:live")],
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "123456789012:function:f:live"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{PLACE}:function:f:live")],
    ),
    (
        "lambda",
        "GetFunction",
        {"FunctionName": "my-function:live"},
        [("lambda:GetFunction", f"arn:aws:lambda:{PLACE}:function:my-function")],
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": f"arn:aws:lambda:{PLACE}:function:f"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{PLACE}:function:f")],
    ),
    (
        "lambda",
        "CreateFunction",
        {"FunctionName": "f", "Role": ROLE},
        [("lambda:CreateFunction", f"arn:aws:lambda:{PLACE}:function:f"), ("iam:PassRole", ROLE)],
    ),
    ("events", "PutRule", {"Name": "r"}, [("events:PutRule", f"arn:aws:events:{PLACE}:rule/r")]),
    (
        "events",
        "PutRule",
        {"Name": "r", "EventBusName": "bus"},
        [("events:PutRule", f"arn:aws:events:{PLACE}:rule/bus/r")],
    ),
    ("events", "PutEvents", {"Entries": [{}]}, [("events:PutEvents", f"arn:aws:events:{PLACE}:event-bus/default")]),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/g", "logStreamName": "s"},
        [("logs:PutLogEvents", f"arn:aws:logs:{PLACE}:log-group:/g:log-stream:s")],
    ),
    (
        "logs",
        "FilterLogEvents",
        {"logGroupName": "/g"},
        [("logs:FilterLogEvents", f"arn:aws:logs:{PLACE}:log-group:/g:log-stream:")],
    ),
    ("cloudwatch", "PutMetricData", {"Namespace": "N"}, [("cloudwatch:PutMetricData", None)]),
    (
        "cloudwatch",
        "DescribeAlarms",
        {"AlarmNames": ["a", "b"]},
        [("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{PLACE}:alarm:{name}") for name in "ab"],
    ),
    ("dynamodb", "Query", {"TableName": "t"}, [("dynamodb:Query", f"arn:aws:dynamodb:{PLACE}:table/t")]),
    (
        "dynamodb",
        "Query",
        {"TableName": "t", "IndexName": "i"},
        [("dynamodb:Query", f"arn:aws:dynamodb:{PLACE}:table/t/index/i")],
    ),
    (
        "dynamodb",
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]},
        [
            ("dynamodb:PutItem", f"arn:aws:dynamodb:{PLACE}:table/t"),
            ("dynamodb:ConditionCheckItem", f"arn:aws:dynamodb:{PLACE}:table/u"),
        ],
    ),
    (
        "dynamodb",
        "BatchWriteItem",
        {"RequestItems": {"t": []}},
        [("dynamodb:BatchWriteItem", f"arn:aws:dynamodb:{PLACE}:table/t")],
    ),
    (
        "dynamodb",
        "ExecuteStatement",
        {"Statement": 'delete from "t" where id = 1'},
        [("dynamodb:PartiQLDelete", f"arn:aws:dynamodb:{PLACE}:table/t")],
    ),
    (
        "dynamodbstreams",
        "GetShardIterator",
        {"StreamArn": f"arn:aws:dynamodb:{PLACE}:table/t/stream/2020"},
        [("dynamodb:GetShardIterator", f"arn:aws:dynamodb:{PLACE}:table/t/stream/2020")],
    ),
    (
        "secretsmanager",
        "GetSecretValue",
        {"SecretId": "login"},
        [("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{PLACE}:secret:login-AbCdEf")],
    ),
    ("kms", "Decrypt", {"KeyId": "alias/data"}, [("kms:Decrypt", f"arn:aws:kms:{PLACE}:key/1234")]),
    ("iam", "GetRole", {"RoleName": "jobs"}, [("iam:GetRole", ROLE)]),
    ("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "s"}, [("sts:AssumeRole", ROLE)]),
    (
        "sts",
        "AssumeRole",
        {"RoleArn": ROLE, "Tags": [{"Key": "a", "Value": "b"}], "SourceIdentity": "ada"},
        [("sts:AssumeRole", ROLE), ("sts:TagSession", ROLE), ("sts:SetSourceIdentity", ROLE)],
    ),
    ("ec2", "DeleteTags", {"Resources": ["vpc-1"]}, [("ec2:DeleteTags", f"arn:aws:ec2:{PLACE}:vpc/vpc-1")]),
    ("events", "DescribeEventBus", {"Name": "b"}, [("events:DescribeEventBus", f"arn:aws:events:{PLACE}:event-bus/b")]),
    (
        "stepfunctions",
        "StartExecution",
        {"stateMachineArn": f"arn:aws:states:{PLACE}:stateMachine:m"},
        [("states:StartExecution", f"arn:aws:states:{PLACE}:stateMachine:m")],
    ),
    (
        "apigateway",
        "DeleteResource",
        {"restApiId": "a", "resourceId": "r"},
        [("apigateway:DELETE", "arn:aws:apigateway:us-east-1::/restapis/a/resources/r")],
    ),
    (
        "apigatewayv2",
        "DeleteRoute",
        {"ApiId": "a", "RouteId": "r"},
        [("apigateway:DELETE", "arn:aws:apigateway:us-east-1::/apis/a/routes/r")],
    ),
    (
        "scheduler",
        "GetSchedule",
        {"Name": "s"},
        [("scheduler:GetSchedule", f"arn:aws:scheduler:{PLACE}:schedule/default/s")],
    ),
    ("sts", "GetCallerIdentity", {}, []),
    ("ec2", "DescribeInstances", {}, [("ec2:DescribeInstances", "*")]),
    (
        "ec2",
        "TerminateInstances",
        {"InstanceIds": ["i-1", "i-2"]},
        [("ec2:TerminateInstances", f"arn:aws:ec2:{PLACE}:instance/i-{n}") for n in (1, 2)],
    ),
    (
        "ec2",
        "RunInstances",
        {"SubnetId": "subnet-1", "IamInstanceProfile": {"Name": "machine"}},
        [
            ("ec2:RunInstances", f"arn:aws:ec2:{PLACE}:subnet/subnet-1"),
            ("ec2:RunInstances", f"arn:aws:ec2:{PLACE}:instance/*"),
            ("ec2:RunInstances", f"arn:aws:ec2:{PLACE}:volume/*"),
            ("ec2:RunInstances", f"arn:aws:ec2:{PLACE}:network-interface/*"),
            ("iam:PassRole", "arn:aws:iam::123456789012:role/machine"),
        ],
    ),
    (
        "autoscaling",
        "SetDesiredCapacity",
        {"AutoScalingGroupName": "g"},
        [("autoscaling:SetDesiredCapacity", f"arn:aws:autoscaling:{PLACE}:autoScalingGroup:*:autoScalingGroupName/g")],
    ),
    (
        "batch",
        "SubmitJob",
        {"jobQueue": "q", "jobDefinition": "d:1"},
        [
            ("batch:SubmitJob", f"arn:aws:batch:{PLACE}:job-queue/q"),
            ("batch:SubmitJob", f"arn:aws:batch:{PLACE}:job-definition/d:1"),
        ],
    ),
    (
        "cloudformation",
        "DescribeStacks",
        {"StackName": "s"},
        [("cloudformation:DescribeStacks", f"arn:aws:cloudformation:{PLACE}:stack/s/*")],
    ),
    ("cloudformation", "DescribeStacks", {}, [("cloudformation:DescribeStacks", "*")]),
    ("ssm", "GetParameter", {"Name": "/a/b"}, [("ssm:GetParameter", f"arn:aws:ssm:{PLACE}:parameter/a/b")]),
    ("rds", "StopDBInstance", {"DBInstanceIdentifier": "d"}, [("rds:StopDBInstance", f"arn:aws:rds:{PLACE}:db:d")]),
    (
        "timestream-query",
        "Query",
        {"QueryString": 'SELECT * FROM "d"."t"'},
        [("timestream:Select", f"arn:aws:timestream:{PLACE}:database/d/table/t")],
    ),
    (
        "timestream-write",
        "CreateBatchLoadTask",
        {
            "TargetDatabaseName": "d",
            "TargetTableName": "t",
            "DataSourceConfiguration": {"DataSourceS3Configuration": {"BucketName": "b", "ObjectKeyPrefix": "in/"}},
            "ReportConfiguration": {"ReportS3Configuration": {"BucketName": "r", "ObjectKeyPrefix": "out"}},
        },
        [
            ("timestream:CreateBatchLoadTask", f"arn:aws:timestream:{PLACE}:database/d/table/t"),
            ("s3:ListBucket", "arn:aws:s3:::b"),
            ("s3:GetBucketAcl", "arn:aws:s3:::b"),
            ("s3:GetObject", "arn:aws:s3:::b/in/"),
            ("s3:GetBucketAcl", "arn:aws:s3:::r"),
            ("s3:PutObject", "arn:aws:s3:::r/out/"),
        ],
    ),
    ("timestream-write", "DescribeEndpoints", {}, [("timestream:DescribeEndpoints", "*")]),
    ("ecr", "BatchGetImage", {"repositoryName": "r"}, [("ecr:BatchGetImage", f"arn:aws:ecr:{PLACE}:repository/r")]),
]


def find(kind: str, name: str) -> str | None:
    return STATE.get((kind, name))


@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), CASES)
def test_a_request_needs(service: str, operation: str, parameters: dict[str, Any], expected: list[Any]) -> None:
    derived = needs(Call(service, operation, parameters, "123456789012", "us-east-1"), find)
    assert [(need.action, need.resource) for need in derived] == expected


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "a/", "MaxKeys": 7}, {"s3:prefix": "a/", "s3:max-keys": "7"}),
        ("cloudwatch", "PutMetricData", {"Namespace": "N"}, {"cloudwatch:namespace": "N"}),
        ("kms", "Decrypt", {"KeyId": "k", "EncryptionContext": {"A": "b"}}, {"kms:encryptioncontext:a": "b"}),
        ("dynamodb", "GetItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}, {"dynamodb:attributes": ("id",)}),
        ("sqs", "CreateQueue", {"QueueName": "q", "tags": {"Team": "x"}}, {"aws:requesttag/team": "x"}),
        ("iam", "CreateRole", {"RoleName": "r", "Tags": [{"Key": "a", "Value": "b"}]}, {"aws:tagkeys": ("a",)}),
        ("kms", "CreateKey", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, {"aws:requesttag/a": "b"}),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Tagging": "a=b&c="}, {"s3:requestobjecttagkeys": ("a", "c")}),
        ("logs", "UntagLogGroup", {"logGroupName": "g", "tags": ["a"]}, {"aws:tagkeys": ("a",)}),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Tags": {"a": "b"}}, {"aws:requesttag/a": "b"}),
        ("sns", "Subscribe", {"TopicArn": f"arn:aws:sns:{PLACE}:t", "Protocol": "email"}, {"sns:protocol": "email"}),
    ],
)
def test_a_request_tells_condition_keys(
    service: str, operation: str, parameters: dict[str, Any], expected: dict[str, Any]
) -> None:
    [need, *_] = needs(Call(service, operation, parameters, "123456789012", "us-east-1"), find)
    assert expected.items() <= need.context.items()


def test_a_passed_role_tells_who_takes_it() -> None:
    call = Call("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE}, "123456789012", "us-east-1")
    assert needs(call, find)[-1].context["iam:passedtoservice"] == "lambda.amazonaws.com"


def test_the_page_lists_what_requests_do_not_tell() -> None:
    page = Path(__file__).parents[3] / "docs" / "local-cloud-actions.md"
    assert page.read_text(encoding="utf-8") == coverage.page()
