"""Tags in conditions: of the resource of each service, of the request, and of the caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_permissions import ACCOUNT, allow, document, function, role, session, user

Tags = dict[str, str]
Client = Callable[[str], Any]
#: Makes a resource with tags; returns the operation that reads it, its parameters, and the action.
Maker = Callable[[LocalCloud, Tags], tuple[str, str, dict[str, Any], str]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as running:
        yield running


def new(word: str) -> str:
    return f"{word}-{uuid4().hex[:8]}"


def pairs(tags: Tags, key: str = "Key", value: str = "Value") -> list[Tags]:
    return [{key: name, value: text} for name, text in tags.items()]


def queue(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    url = cloud.client("sqs").create_queue(QueueName=new("queue"), tags=tags)["QueueUrl"]
    return "sqs", "send_message", {"QueueUrl": url, "MessageBody": "a"}, "sqs:SendMessage"


def topic(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    arn = cloud.client("sns").create_topic(Name=new("topic"), Tags=pairs(tags))["TopicArn"]
    return "sns", "publish", {"TopicArn": arn, "Message": "a"}, "sns:Publish"


def key(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    made = cloud.client("kms").create_key(Tags=pairs(tags, "TagKey", "TagValue"))["KeyMetadata"]["KeyId"]
    return "kms", "describe_key", {"KeyId": made}, "kms:DescribeKey"


def table(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("table")
    cloud.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=pairs(tags),
    )
    return "dynamodb", "get_item", {"TableName": name, "Key": {"id": {"S": "1"}}}, "dynamodb:GetItem"


def secret(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("secret")
    cloud.client("secretsmanager").create_secret(Name=name, SecretString="s", Tags=pairs(tags))
    return "secretsmanager", "get_secret_value", {"SecretId": name}, "secretsmanager:GetSecretValue"


def parameter(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("parameter")
    cloud.client("ssm").put_parameter(Name=name, Value="v", Type="String", Tags=pairs(tags))
    return "ssm", "get_parameter", {"Name": name}, "ssm:GetParameter"


def log_group(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("group")
    cloud.client("logs").create_log_group(logGroupName=name, tags=tags)
    return "logs", "create_log_stream", {"logGroupName": name, "logStreamName": "s"}, "logs:CreateLogStream"


def code(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = function(cloud, "def handler(event, context): return 1", role(cloud), Tags=tags)
    return "lambda", "get_function_configuration", {"FunctionName": name}, "lambda:GetFunctionConfiguration"


def some_role(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    return "iam", "get_role", {"RoleName": role(cloud, Tags=pairs(tags))}, "iam:GetRole"


def repository(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("repository")
    cloud.client("ecr").create_repository(repositoryName=name, tags=pairs(tags))
    return "ecr", "list_images", {"repositoryName": name}, "ecr:ListImages"


def bus(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("bus")
    cloud.client("events").create_event_bus(Name=name, Tags=pairs(tags))
    return "events", "describe_event_bus", {"Name": name}, "events:DescribeEventBus"


def rule(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("rule")
    cloud.client("events").put_rule(Name=name, EventPattern='{"source": ["a"]}', Tags=pairs(tags))
    return "events", "describe_rule", {"Name": name}, "events:DescribeRule"


def alarm(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("alarm")
    cloud.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="N",
        MetricName="M",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Tags=pairs(tags),
    )
    return "cloudwatch", "disable_alarm_actions", {"AlarmNames": [name]}, "cloudwatch:DisableAlarmActions"


def vpc(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    specification = [{"ResourceType": "vpc", "Tags": pairs(tags)}]
    made = cloud.client("ec2").create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specification)["Vpc"]["VpcId"]
    return "ec2", "create_subnet", {"VpcId": made, "CidrBlock": "10.0.0.0/24"}, "ec2:CreateSubnet"


def database(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("group")
    cloud.client("rds").create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily="postgres17", Description="d", Tags=pairs(tags)
    )
    return "rds", "delete_db_parameter_group", {"DBParameterGroupName": name}, "rds:DeleteDBParameterGroup"


def timestream(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("database")
    cloud.client("timestream-write").create_database(DatabaseName=name, Tags=pairs(tags))
    return "timestream-write", "describe_database", {"DatabaseName": name}, "timestream:DescribeDatabase"


def job_queue(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    policy = cloud.client("batch").create_scheduling_policy(name=new("policy"), tags=tags)["arn"]
    return "batch", "delete_scheduling_policy", {"arn": policy}, "batch:DeleteSchedulingPolicy"


def schedule_group(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("group")
    cloud.client("scheduler").create_schedule_group(Name=name, Tags=pairs(tags))
    return "scheduler", "get_schedule_group", {"Name": name}, "scheduler:GetScheduleGroup"


def stack(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    name = new("stack")
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=template, Tags=pairs(tags))
    return "cloudformation", "describe_stacks", {"StackName": name}, "cloudformation:DescribeStacks"


def target_group(cloud: LocalCloud, tags: Tags) -> tuple[str, str, dict[str, Any], str]:
    network = cloud.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    options = {"Protocol": "HTTP", "Port": 80, "VpcId": network}
    [made] = cloud.client("elbv2").create_target_group(Name=new("group"), **options, Tags=pairs(tags))["TargetGroups"]
    arn, action = made["TargetGroupArn"], "elasticloadbalancing:DeleteTargetGroup"
    return "elbv2", "delete_target_group", {"TargetGroupArn": arn}, action


MAKERS: list[Maker] = [
    *(queue, topic, key, table, secret, parameter, log_group, code, some_role, repository, bus, rule, alarm, vpc),
    *(database, timestream, job_queue, schedule_group, stack, target_group),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("team", ["blue", "red"])
def test_the_tags_of_the_resource_decide(cloud: LocalCloud, make: Maker, team: str) -> None:
    service, operation, parameters, action = make(cloud, {"Team": team})
    caller = role(cloud, allow(action, Condition={"StringEquals": {"aws:ResourceTag/Team": "blue"}}))
    outcome = nullcontext() if team == "blue" else pytest.raises(ClientError, match=f"not authorized.*{action}")
    with outcome:
        getattr(session(cloud, caller)(service), operation)(**parameters)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (secret, "secretsmanager:ResourceTag/Team"),
        (parameter, "ssm:resourceTag/Team"),
        (some_role, "iam:ResourceTag/Team"),
        (repository, "ecr:ResourceTag/Team"),
        (vpc, "ec2:ResourceTag/Team"),
        (database, "rds:pg-tag/Team"),
        (target_group, "elasticloadbalancing:ResourceTag/Team"),
    ],
)
def test_services_have_names_of_their_own_for_tags(cloud: LocalCloud, make: Maker, name: str) -> None:
    service, operation, parameters, action = make(cloud, {"Team": "blue"})
    caller = role(cloud, allow(action, Condition={"StringEquals": {name: "blue"}}))
    getattr(session(cloud, caller)(service), operation)(**parameters)


def test_tags_of_an_object_decide_and_those_of_its_bucket_do_not(cloud: LocalCloud) -> None:
    s3, name = cloud.client("s3"), new("bucket")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs({"Team": "blue"})})
    s3.put_object(Bucket=name, Key="blue", Body=b"1", Tagging="Team=blue")
    s3.put_object(Bucket=name, Key="red", Body=b"1", Tagging="Team=red")
    by_object = allow("s3:GetObject", Condition={"StringEquals": {"s3:ExistingObjectTag/Team": "blue"}})
    reader = session(cloud, role(cloud, by_object))("s3")
    reader.get_object(Bucket=name, Key="blue")
    with pytest.raises(ClientError, match="s3:GetObject"):
        reader.get_object(Bucket=name, Key="red")
    by_bucket = allow("s3:ListBucket", Condition={"StringEquals": {"aws:ResourceTag/Team": "blue"}})
    with pytest.raises(ClientError, match="s3:ListBucket"):
        session(cloud, role(cloud, by_bucket))("s3").list_objects_v2(Bucket=name)


def test_an_object_is_put_only_with_the_tags_that_a_policy_asks_for(cloud: LocalCloud) -> None:
    name = new("bucket")
    cloud.client("s3").create_bucket(Bucket=name)
    asked = {"StringEquals": {"s3:RequestObjectTag/Team": "blue"}}
    keys = {"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["Team"]}}
    writer = session(cloud, role(cloud, allow("s3:PutObject", "s3:PutObjectTagging", Condition={**asked, **keys})))(
        "s3"
    )
    writer.put_object(Bucket=name, Key="a", Body=b"1", Tagging="Team=blue")
    writer.put_object_tagging(Bucket=name, Key="a", Tagging={"TagSet": pairs({"Team": "blue"})})
    for tagging in ("Team=red", "Team=blue&Other=1"):
        with pytest.raises(ClientError, match="s3:PutObject"):
            writer.put_object(Bucket=name, Key="a", Body=b"1", Tagging=tagging)


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "action"),
    [
        ("sqs", "create_queue", {"QueueName": "NAME", "tags": {"Team": "TEAM"}}, "sqs:CreateQueue"),
        ("sns", "create_topic", {"Name": "NAME", "Tags": [{"Key": "Team", "Value": "TEAM"}]}, "sns:CreateTopic"),
        ("kms", "create_key", {"Tags": [{"TagKey": "Team", "TagValue": "TEAM"}]}, "kms:CreateKey"),
        ("logs", "create_log_group", {"logGroupName": "NAME", "tags": {"Team": "TEAM"}}, "logs:CreateLogGroup"),
    ],
)
def test_the_tags_of_a_request_decide(
    cloud: LocalCloud, service: str, operation: str, parameters: dict[str, Any], action: str
) -> None:
    granted = allow(action, f"{service}:TagResource", Condition={"StringEquals": {"aws:RequestTag/Team": "blue"}})
    client = session(cloud, role(cloud, granted))(service)

    def filled(team: str) -> dict[str, Any]:
        filled_in: dict[str, Any] = json.loads(
            json.dumps(parameters).replace("NAME", new("name")).replace("TEAM", team)
        )
        return filled_in

    getattr(client, operation)(**filled("blue"))
    with pytest.raises(ClientError, match=action):
        getattr(client, operation)(**filled("red"))


def test_what_is_tagged_as_it_is_created_needs_the_permission_to_tag(cloud: LocalCloud) -> None:
    tagged = {"CidrBlock": "10.0.0.0/16", "TagSpecifications": [{"ResourceType": "vpc", "Tags": pairs({"a": "1"})}]}
    maker = session(cloud, role(cloud, allow("ec2:CreateVpc")))("ec2")
    maker.create_vpc(CidrBlock="10.0.0.0/16")
    with pytest.raises(ClientError, match=r"ec2:CreateTags on resource: arn:aws:ec2:us-east-1:123456789012:vpc/\*"):
        maker.create_vpc(**tagged)
    only_then = allow("ec2:CreateTags", Condition={"StringEquals": {"ec2:CreateAction": "CreateVpc"}})
    tagger = session(cloud, role(cloud, allow("ec2:CreateVpc"), only_then))("ec2")
    made = tagger.create_vpc(**tagged)["Vpc"]["VpcId"]
    with pytest.raises(ClientError, match=f"ec2:CreateTags on resource: .*vpc/{made}"):
        tagger.create_tags(Resources=[made], Tags=pairs({"a": "2"}))


def test_a_caller_has_the_tags_of_its_role_or_user_and_of_its_session(cloud: LocalCloud) -> None:
    service, operation, parameters, action = secret(cloud, {"Team": "blue"})
    own = allow(action, Condition={"StringEquals": {"aws:ResourceTag/Team": "${aws:PrincipalTag/Team}"}})

    def read(client: Client) -> None:
        getattr(client(service), operation)(**parameters)

    read(session(cloud, role(cloud, own, Tags=pairs({"Team": "blue"}))))
    person = user(cloud, own)
    with pytest.raises(ClientError, match=action):
        read(person)
    arn = person("sts").get_caller_identity()["Arn"]
    cloud.client("iam").tag_user(UserName=arn.rpartition("/")[2], Tags=pairs({"Team": "blue"}))
    read(person)
    read(assumed(cloud, own, Tags=pairs({"Team": "blue"})))
    with pytest.raises(ClientError, match=action):
        read(assumed(cloud, own, Tags=pairs({"Team": "red"})))


def assumed(cloud: LocalCloud, *statements: Any, **options: Any) -> Client:
    """Clients in a session of a role that takes tags and the names of people."""
    name, principal = new("role"), {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    trust = document({"Effect": "Allow", "Principal": principal, "Action": actions})
    cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    cloud.client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    issued = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="session", **options)["Credentials"]
    held = boto3.session.Session(
        issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"], region_name="us-east-1"
    )
    return lambda service: held.client(service, endpoint_url=cloud.endpoint)


def test_a_session_has_its_source_identity(cloud: LocalCloud) -> None:
    service, operation, parameters, action = secret(cloud, {})
    own = allow(action, Condition={"StringEquals": {"aws:SourceIdentity": "ada"}})
    getattr(assumed(cloud, own, SourceIdentity="ada")(service), operation)(**parameters)
    with pytest.raises(ClientError, match=action):
        getattr(assumed(cloud, own, SourceIdentity="eve")(service), operation)(**parameters)


def test_tags_and_identity_of_a_session_need_permissions_of_their_own(cloud: LocalCloud) -> None:
    trusting = role(cloud, trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    sts = session(cloud, role(cloud, allow("sts:*")))("sts")
    asked = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{trusting}", "RoleSessionName": "session"}
    sts.assume_role(**asked)
    with pytest.raises(ClientError, match="sts:TagSession"):
        sts.assume_role(**asked, Tags=pairs({"a": "1"}))
    with pytest.raises(ClientError, match="sts:SetSourceIdentity"):
        sts.assume_role(**asked, SourceIdentity="ada")
