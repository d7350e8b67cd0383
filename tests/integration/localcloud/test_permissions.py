"""Nobody without permission: requests are judged by the policies of their caller and of what they act on."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from localcloud.errors import LocalCloudError

ACCOUNT = "123456789012"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud that enforces policies, and tries again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALCLOUD_RETRY_SECONDS", "0.1")
        with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as running:
            yield running


def allow(*actions: str, on: str | list[str] = "*", **more: Any) -> Json:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def document(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def role(cloud: LocalCloud, *statements: Json, trusts: Json | None = None, **options: Any) -> str:
    """The name of a new role with these statements."""
    name = f"role-{uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": trusts or {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), **options)
    if statements:
        cloud.client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    return name


def session(cloud: LocalCloud, name: str) -> Callable[[str], Any]:
    """Make clients that are a session of a role."""
    variables = cloud.role_credentials(name)
    held = boto3.session.Session(
        variables["AWS_ACCESS_KEY_ID"],
        variables["AWS_SECRET_ACCESS_KEY"],
        variables["AWS_SESSION_TOKEN"],
        region_name="us-east-1",
    )
    return lambda service: held.client(service, endpoint_url=cloud.endpoint)


def user(cloud: LocalCloud, *statements: Json) -> Callable[[str], Any]:
    """Make clients that sign with the key of a new user."""
    iam, name = cloud.client("iam"), f"user-{uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    held = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
    return lambda service: held.client(service, endpoint_url=cloud.endpoint)


def bucket(cloud: LocalCloud) -> str:
    name = f"bucket-{uuid4().hex[:8]}"
    cloud.client("s3").create_bucket(Bucket=name)
    return name


def queue(cloud: LocalCloud, **attributes: str) -> tuple[str, str]:
    name = f"queue-{uuid4().hex[:8]}"
    url = cloud.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def function(cloud: LocalCloud, source: str, name: str, **options: Any) -> str:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", source)
    made = cloud.client("lambda").create_function(
        FunctionName=f"function-{uuid4().hex[:8]}",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        Handler="index.handler",
        Code={"ZipFile": content.getvalue()},
        Timeout=30,
        **options,
    )
    return str(made["FunctionName"])


def call(cloud: LocalCloud, name: str) -> Any:
    return json.loads(cloud.client("lambda").invoke(FunctionName=name)["Payload"].read())


def messages(cloud: LocalCloud, url: str, seconds: float = 10) -> list[str]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if received := cloud.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"):
            return [message["Body"] for message in received]
    return []


def until_denied(cloud: LocalCloud, resource: str) -> Json:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for denial in cloud.denials():
            if denial["resource"] == resource:
                return denial
        time.sleep(0.1)
    raise AssertionError(f"nothing was denied on {resource}: {cloud.denials()}")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "action", "resource"),
    [
        ("s3", "put_object", {"Bucket": "some", "Key": "k"}, "AccessDenied", "s3:PutObject", "arn:aws:s3:::some/k"),
        ("s3", "list_buckets", {}, "AccessDenied", "s3:ListAllMyBuckets", "*"),
        (
            "sqs",
            "create_queue",
            {"QueueName": "q"},
            "AccessDenied",
            "sqs:CreateQueue",
            f"arn:aws:sqs:us-east-1:{ACCOUNT}:q",
        ),
        (
            "sns",
            "create_topic",
            {"Name": "t"},
            "AuthorizationError",
            "sns:CreateTopic",
            f"arn:aws:sns:us-east-1:{ACCOUNT}:t",
        ),
        ("ec2", "describe_instances", {}, "UnauthorizedOperation", "ec2:DescribeInstances", "*"),
        ("dynamodb", "list_tables", {}, "AccessDeniedException", "dynamodb:ListTables", "*"),
        (
            "dynamodb",
            "put_item",
            {"TableName": "t", "Item": {"id": {"S": "1"}}},
            "AccessDeniedException",
            "dynamodb:PutItem",
            f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t",
        ),
        (
            "lambda",
            "invoke",
            {"FunctionName": "f"},
            "AccessDeniedException",
            "lambda:InvokeFunction",
            f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f",
        ),
        (
            "secretsmanager",
            "get_secret_value",
            {"SecretId": "s"},
            "AccessDeniedException",
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:s",
        ),
        (
            "iam",
            "get_user",
            {"UserName": "nobody"},
            "AccessDenied",
            "iam:GetUser",
            f"arn:aws:iam::{ACCOUNT}:user/nobody",
        ),
        ("cloudwatch", "list_metrics", {}, "AccessDenied", "cloudwatch:ListMetrics", "*"),
        ("batch", "list_jobs", {"jobQueue": "q"}, "AccessDeniedException", "batch:ListJobs", "*"),
        (
            "ssm",
            "get_parameter",
            {"Name": "/a"},
            "AccessDeniedException",
            "ssm:GetParameter",
            f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/a",
        ),
    ],
)
def test_a_role_without_policies_is_denied_with_the_services_own_error(
    cloud: LocalCloud, service: str, operation: str, parameters: Json, code: str, action: str, resource: str
) -> None:
    name = role(cloud)
    with pytest.raises(ClientError) as caught:
        getattr(session(cloud, name)(service), operation)(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert error["Message"].endswith(
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/local-env is not authorized to perform: {action} "
        f"on resource: {resource} because no identity-based policy allows the {action} action"
    )


def test_what_a_policy_allows_succeeds_and_nothing_beside_it(cloud: LocalCloud) -> None:
    name = bucket(cloud)
    s3 = session(cloud, role(cloud, allow("s3:PutObject", "s3:GetObject", on=f"arn:aws:s3:::{name}/mine/*")))("s3")
    s3.put_object(Bucket=name, Key="mine/a", Body=b"1")
    assert s3.get_object(Bucket=name, Key="mine/a")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="s3:PutObject on resource: arn:aws:s3:::"):
        s3.put_object(Bucket=name, Key="others/a", Body=b"1")


def test_a_missing_object_is_hidden_from_who_may_not_list(cloud: LocalCloud) -> None:
    name = bucket(cloud)
    reader, lister = (
        allow("s3:GetObject", on=f"arn:aws:s3:::{name}/*"),
        allow("s3:ListBucket", on=f"arn:aws:s3:::{name}"),
    )
    with pytest.raises(ClientError, match="s3:ListBucket"):
        session(cloud, role(cloud, reader))("s3").get_object(Bucket=name, Key="none")
    with pytest.raises(ClientError, match="NoSuchKey"):
        session(cloud, role(cloud, reader, lister))("s3").get_object(Bucket=name, Key="none")


def test_a_user_may_do_what_its_policy_says(cloud: LocalCloud) -> None:
    sqs = user(cloud, allow("sqs:ListQueues"))("sqs")
    sqs.list_queues()
    with pytest.raises(ClientError, match=r"user/user-\w+ is not authorized to perform: sqs:CreateQueue"):
        sqs.create_queue(QueueName="q")


def test_the_person_at_the_keyboard_may_do_everything(cloud: LocalCloud) -> None:
    cloud.client("dynamodb").list_tables()


def test_everybody_may_ask_who_they_are(cloud: LocalCloud) -> None:
    name = role(cloud)
    assert (
        session(cloud, name)("sts")
        .get_caller_identity()["Arn"]
        .startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/")
    )


def test_a_boundary_limits_a_role(cloud: LocalCloud) -> None:
    boundary = cloud.client("iam").create_policy(
        PolicyName=f"boundary-{uuid4().hex[:8]}", PolicyDocument=document(allow("sqs:*"))
    )["Policy"]["Arn"]
    clients = session(cloud, role(cloud, allow("sqs:ListQueues", "sns:ListTopics"), PermissionsBoundary=boundary))
    clients("sqs").list_queues()
    with pytest.raises(ClientError, match="because no permissions boundary allows the sns:ListTopics action"):
        clients("sns").list_topics()


def test_a_managed_policy_counts(cloud: LocalCloud) -> None:
    name = role(cloud)
    cloud.client("iam").attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
    session(cloud, name)("sqs").list_queues()


def test_a_bucket_policy_denies_and_grants(cloud: LocalCloud) -> None:
    name, granted, denied = bucket(cloud), role(cloud), role(cloud, allow("s3:*"))
    principals = [{"AWS": f"arn:aws:iam::{ACCOUNT}:role/{one}"} for one in (granted, denied)]
    grant = allow("s3:PutObject", on=f"arn:aws:s3:::{name}/*", Principal=principals[0])
    deny = allow("s3:PutObject", on=f"arn:aws:s3:::{name}/*", Principal=principals[1]) | {"Effect": "Deny"}
    plain = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{name}/*"}
    plain |= {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    cloud.client("s3").put_bucket_policy(Bucket=name, Policy=document(grant, deny, plain))
    session(cloud, granted)("s3").put_object(Bucket=name, Key="a", Body=b"1")
    with pytest.raises(ClientError, match="with an explicit deny in a resource-based policy"):
        session(cloud, denied)("s3").put_object(Bucket=name, Key="a", Body=b"1")


def test_an_encrypted_queue_takes_messages_only_from_who_may_use_its_key(cloud: LocalCloud) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    url, arn = queue(cloud, KmsMasterKeyId=key)
    sending, encrypting = allow("sqs:SendMessage", on=arn), allow("kms:GenerateDataKey", "kms:Decrypt", on=key)
    with pytest.raises(ClientError, match="kms:GenerateDataKey on resource: arn:aws:kms"):
        session(cloud, role(cloud, sending))("sqs").send_message(QueueUrl=url, MessageBody="1")
    session(cloud, role(cloud, sending, encrypting))("sqs").send_message(QueueUrl=url, MessageBody="1")


def test_a_role_is_assumed_only_by_whom_it_trusts(cloud: LocalCloud) -> None:
    caller = role(cloud, allow("sts:AssumeRole"))
    closed = role(cloud)
    trusting = role(cloud, trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:role/{caller}"})
    sts = session(cloud, caller)("sts")
    sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{trusting}", RoleSessionName="session")
    with pytest.raises(ClientError, match="because no resource-based policy allows the sts:AssumeRole action"):
        sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{closed}", RoleSessionName="session")


@pytest.mark.parametrize(
    ("trusts", "admits"),
    [
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, True),
        ({"AWS": "*"}, True),
        ({"Service": "lambda.amazonaws.com"}, False),
        ({"AWS": "arn:aws:iam::999999999999:root"}, False),
    ],
)
def test_the_administrator_assumes_only_roles_that_trust_the_account(
    cloud: LocalCloud, trusts: Json, admits: bool
) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role(cloud, trusts=trusts)}"
    outcome = nullcontext() if admits else pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole")
    with outcome:
        cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")


def test_nobody_assumes_a_role_that_is_not_there(cloud: LocalCloud) -> None:
    for arn in (f"arn:aws:iam::{ACCOUNT}:role/absent", "arn:aws:iam::999999999999:role/elsewhere"):
        with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
            cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")


def test_a_session_policy_limits_a_session(cloud: LocalCloud) -> None:
    caller = role(cloud, allow("sts:AssumeRole"))
    name = role(
        cloud, allow("sqs:ListQueues", "sns:ListTopics"), trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:role/{caller}"}
    )
    issued = session(cloud, caller)("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        RoleSessionName="session",
        Policy=document(allow("sqs:*")),
    )["Credentials"]
    held = boto3.session.Session(
        issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"], region_name="us-east-1"
    )
    held.client("sqs", endpoint_url=cloud.endpoint).list_queues()
    with pytest.raises(ClientError, match="because no session policy allows the sns:ListTopics action"):
        held.client("sns", endpoint_url=cloud.endpoint).list_topics()


def test_a_role_is_passed_only_by_who_may(cloud: LocalCloud) -> None:
    creating = allow("lambda:CreateFunction")
    request: Json = {"FunctionName": f"f-{uuid4().hex[:8]}", "Runtime": "python3.13", "Handler": "index.handler"}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", "")
    passed = f"arn:aws:iam::{ACCOUNT}:role/{role(cloud)}"
    request |= {"Role": passed, "Code": {"ZipFile": content.getvalue()}}
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {passed}"):
        session(cloud, role(cloud, creating))("lambda").create_function(**request)
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    passing = allow("iam:PassRole", on=passed, Condition=to_lambda)
    session(cloud, role(cloud, creating, passing))("lambda").create_function(**request)


def test_an_image_named_by_a_parameter_is_launched_only_by_who_may_read_it(cloud: LocalCloud) -> None:
    image, network = cloud.client("ec2").describe_images()["Images"][0]["ImageId"], cloud.client("ec2")
    cloud.client("ssm").put_parameter(Name="/golden", Value=image, Type="String", DataType="aws:ec2:image")
    data = {"ImageId": "resolve:ssm:/golden", "InstanceType": "t3.micro"}
    template = network.create_launch_template(LaunchTemplateName="golden", LaunchTemplateData=data)["LaunchTemplate"]
    launched = {"LaunchTemplate": {"LaunchTemplateId": template["LaunchTemplateId"]}, "MinCount": 1, "MaxCount": 1}
    reading = allow("ssm:GetParameters", on=f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/golden")
    for statements, code in (([allow("ec2:*")], "SsmAccessDenied"), ([allow("ec2:*"), reading], None)):
        ec2 = session(cloud, role(cloud, *statements))("ec2")
        for ask, parameters in (
            (ec2.run_instances, launched),
            (ec2.run_instances, {**data, "MinCount": 1, "MaxCount": 1}),
            (ec2.create_launch_template, {"LaunchTemplateName": f"t-{uuid4().hex[:8]}", "LaunchTemplateData": data}),
        ):
            try:
                ask(**parameters)
                refused = None
            except ClientError as error:
                refused = error.response["Error"]["Code"]
            assert refused == code


def test_the_public_parameters_of_images_belong_to_no_account(cloud: LocalCloud) -> None:
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    reading = allow("ssm:GetParameters", on=f"arn:aws:ssm:us-east-1::parameter{name}")
    ec2 = session(cloud, role(cloud, allow("ec2:*"), reading))("ec2")
    ec2.run_instances(ImageId=f"resolve:ssm:{name}", InstanceType="t3.micro", MinCount=1, MaxCount=1)


def test_conditions_see_the_request(cloud: LocalCloud) -> None:
    name = bucket(cloud)
    below = {"StringLike": {"s3:prefix": "mine/*"}}
    s3 = session(cloud, role(cloud, allow("s3:ListBucket", on=f"arn:aws:s3:::{name}", Condition=below)))("s3")
    s3.list_objects_v2(Bucket=name, Prefix="mine/a")
    with pytest.raises(ClientError, match="s3:ListBucket"):
        s3.list_objects_v2(Bucket=name, Prefix="others/")
    only = {"StringEquals": {"cloudwatch:namespace": "Mine"}}
    cloudwatch = session(cloud, role(cloud, allow("cloudwatch:PutMetricData", Condition=only)))("cloudwatch")
    cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "m", "Value": 1}])
    with pytest.raises(ClientError, match="cloudwatch:PutMetricData"):
        cloudwatch.put_metric_data(Namespace="Others", MetricData=[{"MetricName": "m", "Value": 1}])


def test_a_function_has_the_permissions_of_its_role(cloud: LocalCloud) -> None:
    name = bucket(cloud)
    source = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    s3 = boto3.client('s3')\n"
        f"    s3.put_object(Bucket='{name}', Key='mine', Body=b'1')\n"
        "    try:\n"
        f"        s3.delete_object(Bucket='{name}', Key='mine')\n"
        "    except s3.exceptions.ClientError as error:\n"
        "        return [boto3.client('sts').get_caller_identity()['Arn'], str(error)]\n"
    )
    of_function = role(cloud, allow("s3:PutObject", on=f"arn:aws:s3:::{name}/*"))
    made = function(cloud, source, of_function)
    arn, error = call(cloud, made)
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/{of_function}/{made}"
    assert f"s3:DeleteObject on resource: arn:aws:s3:::{name}/mine" in error
    denial = until_denied(cloud, f"arn:aws:s3:::{name}/mine")
    assert json.loads(denial["would_allow"].partition(" in ")[0]) == {
        "Effect": "Allow",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{name}/mine",
    }


def test_a_function_that_may_not_write_logs_has_none(cloud: LocalCloud) -> None:
    source = "def handler(event, context):\n    print('hello')\n"
    silent = function(cloud, source, role(cloud))
    heard = function(cloud, source, role(cloud, allow("logs:*")))
    call(cloud, silent)
    call(cloud, heard)
    groups = {group["logGroupName"] for group in cloud.client("logs").describe_log_groups()["logGroups"]}
    assert f"/aws/lambda/{heard}" in groups
    assert f"/aws/lambda/{silent}" not in groups


def test_a_mapping_needs_a_role_that_reads_its_source(cloud: LocalCloud) -> None:
    _, arn = queue(cloud)
    made = function(cloud, "def handler(event, context): pass\n", role(cloud))
    with pytest.raises(ClientError, match=r"InvalidParameterValueException.*sqs:ReceiveMessage"):
        cloud.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=made)


@pytest.mark.parametrize("lets_in", [True, False])
def test_a_rule_reaches_a_queue_only_if_its_policy_lets_eventbridge_in(cloud: LocalCloud, lets_in: bool) -> None:
    url, arn = queue(cloud)
    events, name = cloud.client("events"), f"rule-{uuid4().hex[:8]}"
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    from_rule = {"ArnEquals": {"aws:SourceArn": rule if lets_in else f"{rule}-other"}}
    statement = allow("sqs:SendMessage", on=arn, Principal={"Service": "events.amazonaws.com"}, Condition=from_rule)
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(statement)})
    events.put_events(Entries=[{"Source": name, "DetailType": "d", "Detail": "{}"}])
    if lets_in:
        assert len(messages(cloud, url)) == 1
    else:
        denial = until_denied(cloud, arn)
        assert (denial["caller"], denial["action"]) == ("events.amazonaws.com", "sqs:SendMessage")
        assert '"Principal": {"Service": "events.amazonaws.com"}' in denial["would_allow"]
        assert messages(cloud, url, seconds=1) == []


@pytest.mark.parametrize("lets_in", [True, False])
def test_a_topic_reaches_a_queue_only_if_its_policy_lets_sns_in(cloud: LocalCloud, lets_in: bool) -> None:
    url, arn = queue(cloud)
    topic = cloud.client("sns").create_topic(Name=f"topic-{uuid4().hex[:8]}")["TopicArn"]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    if lets_in:
        from_topic = {"ArnEquals": {"aws:SourceArn": topic}}
        statement = allow("sqs:SendMessage", on=arn, Principal={"Service": "sns.amazonaws.com"}, Condition=from_topic)
        cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(statement)})
    cloud.client("sns").publish(TopicArn=topic, Message="hello")
    assert bool(messages(cloud, url, seconds=10 if lets_in else 1)) is lets_in


@pytest.mark.parametrize("lets_in", [True, False])
def test_a_bucket_reaches_a_queue_only_if_its_policy_lets_s3_in(cloud: LocalCloud, lets_in: bool) -> None:
    (url, arn), name, s3 = queue(cloud), bucket(cloud), cloud.client("s3")
    if lets_in:
        from_bucket = {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{name}"}}
        from_bucket |= {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        statement = allow("sqs:SendMessage", on=arn, Principal={"Service": "s3.amazonaws.com"}, Condition=from_bucket)
        cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(statement)})
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    with nullcontext() if lets_in else pytest.raises(ClientError, match="Unable to validate the following destination"):
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
    s3.put_object(Bucket=name, Key="k", Body=b"1")
    assert bool(messages(cloud, url, seconds=10 if lets_in else 1)) is lets_in


def test_what_a_role_used_and_what_it_never_used(cloud: LocalCloud) -> None:
    name = bucket(cloud)
    used = role(cloud, allow("s3:Put*", "s3:DeleteObject", "sqs:ListQueues", on=["*"]))
    session(cloud, used)("s3").put_object(Bucket=name, Key="a", Body=b"1")
    report = cloud.access(used)
    assert report["used"] == {"s3:PutObject": [f"arn:aws:s3:::{name}/a"]}
    assert report["unused"] == ["s3:DeleteObject", "sqs:ListQueues"]
    with pytest.raises(LocalCloudError, match="no such role"):
        cloud.access("nobody")


def test_a_role_may_not_control_the_cloud_nor_read_what_was_denied(cloud: LocalCloud) -> None:
    variables = cloud.role_credentials(role(cloud, allow("*")))
    credentials = Credentials(
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_SESSION_TOKEN"]
    )
    request = AWSRequest("POST", f"{cloud.endpoint}/moto-api/denials")
    SigV4Auth(credentials, "localcloud", "us-east-1").add_auth(request)
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(request.url, method="POST", headers=dict(request.headers)))  # noqa: S310 - loopback
    with caught.value as answer:
        assert answer.code == 403


def test_denials_are_in_the_log_with_what_would_allow_them(cloud: LocalCloud) -> None:
    name = role(cloud)
    with pytest.raises(ClientError):
        session(cloud, name)("dynamodb").list_tables()
    lines = [line for line in cloud.log.read_text().splitlines() if "denied" in line and f"/{name}/" in line]
    assert len(lines) == 1
    assert "no statement allows it" in lines[0]
    assert '{"Effect": "Allow", "Action": "dynamodb:ListTables", "Resource": "*"} in a policy of' in lines[0]


@pytest.mark.parametrize(("mode", "recorded"), [("warn", 1), ("off", 0)])
def test_a_cloud_that_does_not_enforce_refuses_nothing(
    tmp_path_factory: pytest.TempPathFactory, mode: Literal["warn", "off"], recorded: int
) -> None:
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam=mode) as lenient:
        session(lenient, role(lenient))("sqs").list_queues()
        assert len(lenient.denials()) == recorded


def test_a_statement_can_keep_a_functions_own_code_from_what_lambda_does_for_it(cloud: LocalCloud) -> None:
    own = {"ArnLike": {"lambda:SourceFunctionArn": "arn:*:lambda:*:*:function:*"}}
    held = role(cloud, allow("ec2:*"), {**allow("ec2:DescribeSubnets"), "Effect": "Deny", "Condition": own})
    code = "import boto3\ndef handler(event, context):\n    boto3.client('ec2').describe_subnets()\n"
    outcome = call(cloud, function(cloud, code, held))
    assert "not authorized to perform: ec2:DescribeSubnets" in outcome["errorMessage"]
    assert "with an explicit deny in an identity-based policy" in outcome["errorMessage"]
    assert session(cloud, held)("ec2").describe_subnets()["Subnets"]


@pytest.mark.parametrize(
    ("trusts", "statements", "configuration", "words"),
    [
        ("ec2.amazonaws.com", ["*"], {}, "The role defined for the function cannot be assumed by Lambda."),
        ("lambda.amazonaws.com", ["logs:*"], {"network": True}, "permissions to call CreateNetworkInterface on EC2"),
        ("lambda.amazonaws.com", ["logs:*"], {"dead letters": True}, "permissions to call SendMessage on SQS"),
    ],
)
def test_lambda_refuses_a_function_whose_role_cannot_do_what_it_takes(
    cloud: LocalCloud, trusts: str, statements: list[str], configuration: dict[str, bool], words: str
) -> None:
    held = role(cloud, allow(*statements), trusts={"Service": trusts})
    subnet = cloud.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    group = cloud.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    options: Json = {}
    if "network" in configuration:
        options["VpcConfig"] = {"SubnetIds": [subnet], "SecurityGroupIds": [group]}
    if "dead letters" in configuration:
        options["DeadLetterConfig"] = {"TargetArn": queue(cloud)[1]}
    with pytest.raises(ClientError, match=words) as caught:
        function(cloud, "def handler(event, context): pass", held, **options)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_flow_log_whose_role_may_not_write_says_so(cloud: LocalCloud) -> None:
    ec2, group = cloud.client("ec2"), f"/flows/{uuid4().hex[:8]}"
    cloud.client("logs").create_log_group(logGroupName=group)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    flow = {"Service": "vpc-flow-logs.amazonaws.com"}
    writer = role(cloud, allow("logs:*"), trusts=flow)
    for name in (writer, role(cloud, trusts=flow), role(cloud, allow("logs:*"))):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        made = ec2.create_flow_logs(
            ResourceIds=[vpc],
            ResourceType="VPC",
            TrafficType="ALL",
            LogGroupName=group,
            DeliverLogsPermissionArn=arn,
            LogFormat=f"${{version}} ${{{'start' if name == writer else 'end'}}}",
        )["FlowLogIds"]
        [described] = ec2.describe_flow_logs(FlowLogIds=made)["FlowLogs"]
        ec2.delete_flow_logs(FlowLogIds=made)
        expected = ("SUCCESS", None) if name == writer else ("FAILED", "Access error")
        assert (described["DeliverLogsStatus"], described.get("DeliverLogsErrorMessage")) == expected


def test_the_cloud_tells_which_statements_requests_have_needed(cloud: LocalCloud) -> None:
    name = bucket(cloud)
    needed, twice = (
        allow("s3:PutObject", on=f"arn:aws:s3:::{name}/*"),
        allow("s3:GetObject", on=f"arn:aws:s3:::{name}/a"),
    )
    held = role(cloud, needed, twice, allow("s3:GetObject", on=f"arn:aws:s3:::{name}/*"))
    client = session(cloud, held)("s3")
    client.put_object(Bucket=name, Key="a", Body=b"")
    client.get_object(Bucket=name, Key="a")
    rows = [row for row in cloud.statements() if row["holder"].endswith(f"/{held}")]
    assert [json.loads(row["text"]) for row in rows] == [needed]
    assert "is not authorized to perform: s3:PutObject" in rows[0]["denials"]["s3:PutObject"]


TASKS = {"Service": "ecs-tasks.amazonaws.com"}
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/trainer:1"


@pytest.fixture(scope="module")
def job_queue(cloud: LocalCloud) -> str:
    batch, name = cloud.client("batch"), f"queue-{uuid4().hex[:8]}"
    service = role(cloud, trusts={"Service": "batch.amazonaws.com"})
    environment = batch.create_compute_environment(
        computeEnvironmentName=name,
        type="UNMANAGED",
        state="ENABLED",
        serviceRole=f"arn:aws:iam::{ACCOUNT}:role/{service}",
    )["computeEnvironmentArn"]
    order = [{"order": 1, "computeEnvironment": environment}]
    made = batch.create_job_queue(jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=order)
    return str(made["jobQueueArn"])


@pytest.mark.parametrize(
    ("agent", "trusts", "words"),
    [
        (["ecr:*", "logs:*"], TASKS, ""),
        (["logs:*"], TASKS, "CannotPullContainerError: .* not authorized to perform: ecr:GetAuthorizationToken"),
        (["ecr:*"], TASKS, "failed to initialize logging driver: .* not authorized to perform: logs:CreateLogStream"),
        (["ecr:*", "logs:*"], {"Service": "ec2.amazonaws.com"}, "ECS was unable to assume the role"),
    ],
    ids=["allowed", "no image", "no log", "not trusted"],
)
def test_a_job_starts_only_if_ecs_may_assume_its_execution_role_which_may_start_it(
    cloud: LocalCloud, job_queue: str, agent: list[str], trusts: Json, words: str
) -> None:
    batch, name = cloud.client("batch"), f"job-{uuid4().hex[:8]}"
    execution = role(cloud, allow(*agent), trusts=trusts)
    container = {
        "image": IMAGE,
        "command": ["true"],
        "vcpus": 1,
        "memory": 128,
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{execution}",
    }
    batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container)
    job = batch.submit_job(jobName=name, jobQueue=job_queue, jobDefinition=name)["jobId"]
    end = time.monotonic() + 60
    while (described := batch.describe_jobs(jobs=[job])["jobs"][0])["status"] not in {"SUCCEEDED", "FAILED"}:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert described["status"] == ("FAILED" if words else "SUCCEEDED")
    assert not words or re.search(words, described["statusReason"])


def test_a_grant_lets_a_role_use_a_key_as_far_as_its_constraints(cloud: LocalCloud) -> None:
    kms, name = cloud.client("kms"), role(cloud)
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    key = kms.create_key(Policy=document(allow("kms:*", Principal=root)))["KeyMetadata"]["KeyId"]
    client, context = session(cloud, name)("kms"), {"department": "sales"}
    with pytest.raises(ClientError, match="because no identity-based policy allows the kms:Encrypt action"):
        client.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=context)
    grant = kms.create_grant(
        KeyId=key,
        GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        Operations=["Encrypt"],
        Constraints={"EncryptionContextEquals": context},
    )["GrantId"]
    sealed = client.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=context)["CiphertextBlob"]
    for other in ({}, {"department": "stock"}, {**context, "year": "2026"}):
        with pytest.raises(ClientError, match="not authorized to perform: kms:Encrypt"):
            client.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=other)
    with pytest.raises(ClientError, match="not authorized to perform: kms:Decrypt"):
        client.decrypt(CiphertextBlob=sealed, KeyId=key, EncryptionContext=context)
    kms.revoke_grant(KeyId=key, GrantId=grant)
    with pytest.raises(ClientError, match="not authorized to perform: kms:Encrypt"):
        client.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext=context)


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("apigateway", "get_rest_apis"),
        ("apigatewayv2", "get_apis"),
        ("autoscaling", "describe_auto_scaling_groups"),
        ("batch", "describe_job_queues"),
        ("budgets", "describe_budgets"),
        ("cloudformation", "list_stacks"),
        ("cloudtrail", "lookup_events"),
        ("cloudwatch", "describe_alarms"),
        ("dynamodb", "list_tables"),
        ("dynamodbstreams", "list_streams"),
        ("ec2", "describe_vpcs"),
        ("ecr", "describe_repositories"),
        ("elb", "describe_load_balancers"),
        ("elbv2", "describe_load_balancers"),
        ("es", "list_domain_names"),
        ("events", "list_rules"),
        ("iam", "list_roles"),
        ("kms", "list_keys"),
        ("lambda", "list_functions"),
        ("logs", "describe_log_groups"),
        ("neptune", "describe_db_clusters"),
        ("opensearch", "list_domain_names"),
        ("rds", "describe_db_instances"),
        ("resourcegroupstaggingapi", "get_resources"),
        ("s3", "list_buckets"),
        ("scheduler", "list_schedules"),
        ("secretsmanager", "list_secrets"),
        ("service-quotas", "list_services"),
        ("sns", "list_topics"),
        ("sqs", "list_queues"),
        ("ssm", "describe_parameters"),
        ("stepfunctions", "list_state_machines"),
        ("timestream-influxdb", "list_db_instances"),
        ("timestream-query", "query"),
        ("timestream-write", "list_databases"),
    ],
)
def test_no_service_answers_a_role_without_policies(cloud: LocalCloud, service: str, operation: str) -> None:
    parameters = {"budgets": {"AccountId": ACCOUNT}, "timestream-query": {"QueryString": "SELECT 1"}}
    with pytest.raises(ClientError, match="not authorized to perform: "):
        getattr(session(cloud, role(cloud))(service), operation)(**parameters.get(service, {}))
