"""Aliases of functions: their URLs, their permissions, and what a call of one runs."""

from __future__ import annotations

import json
import re
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_permissions import allow, document, user

ARN = "arn:aws:lambda:us-east-1:123456789012:function"
CODE = """
def handler(event, context):
    print("called", context.invoked_function_arn)
    return {"code": %s, "arn": context.invoked_function_arn}
"""
LIVE = {"Ref": "Alias"}
MISSING = "The resource you requested does not exist."
PATTERN = r"at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\d+$)"
PERMISSIONS: dict[str, dict[str, Any]] = {
    "MayUseUrl": {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    "MayInvoke": {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


class Published:
    """A stack with a function, its version 1, and the alias "live" for it."""

    def __init__(self, cloud: LocalCloud, **more: dict[str, Any]) -> None:
        self.cloud, self.name = cloud, f"alias-{uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self.resources = {
            "Role": resource(
                "IAM::Role",
                AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
                Policies=[{"PolicyName": "own", "PolicyDocument": json.loads(document(allow("logs:*", "sqs:*")))}],
            ),
            "Function": resource(
                "Lambda::Function",
                FunctionName=self.name,
                Role={"Fn::GetAtt": ["Role", "Arn"]},
                Runtime="python3.14",
                Handler="index.handler",
                Code={"ZipFile": CODE % 1},
            ),
            "Version": resource("Lambda::Version", FunctionName={"Ref": "Function"}),
            "Alias": resource(
                "Lambda::Alias",
                FunctionName={"Ref": "Function"},
                FunctionVersion={"Fn::GetAtt": ["Version", "Version"]},
                Name="live",
            ),
            **more,
        }
        self.deploy("create_stack")
        self.arn = f"{ARN}:{self.name}"

    def deploy(self, operation: str = "update_stack") -> dict[str, str]:
        """Deploy the resources, and return the attributes of the URL, if there is one."""
        client = self.cloud.client("cloudformation")
        names = ("FunctionArn", "FunctionUrl") if "Url" in self.resources else ()
        outputs = {name: {"Value": {"Fn::GetAtt": ["Url", name]}} for name in names}
        template = json.dumps({"Resources": self.resources, **({"Outputs": outputs} if outputs else {})})
        getattr(client, operation)(StackName=self.name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
        stack = client.describe_stacks(StackName=self.name)["Stacks"][0]
        assert re.fullmatch("(CREATE|UPDATE)_COMPLETE", stack["StackStatus"]), stack.get("StackStatusReason")
        return self.cloud.outputs(self.name)

    def publish(self, code: int) -> str:
        """Change the code, and return the number of a version that has it."""
        self.resources["Function"]["Properties"]["Code"] = {"ZipFile": CODE % code}
        self.deploy()
        return str(self.cloud.client("lambda").publish_version(FunctionName=self.name)["Version"])

    def permit(self, *targets: str) -> None:
        """Let everybody use the URLs of the function, which is an empty text, or of what a colon begins."""
        for target in targets:
            for name, permission in PERMISSIONS.items():
                self.cloud.client("lambda").add_permission(
                    FunctionName=f"{self.name}{target}", StatementId=name, Principal="*", **permission
                )

    def url(self, **parameters: Any) -> str:
        """Make a URL."""
        given = {"FunctionName": self.name, "AuthType": "NONE", **parameters}
        return str(self.cloud.client("lambda").create_function_url_config(**given)["FunctionUrl"])


def get(url: str, credentials: Credentials | None = None) -> tuple[int, Any]:
    """Return the status and the content of a response, to a signed request if there are credentials."""
    place, headers = urlsplit(url), {}
    if credentials:
        request = AWSRequest("GET", url, headers={"Host": place.netloc})
        SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
    connection = HTTPConnection("localhost", place.port or 0, timeout=60)
    connection.request("GET", "/", headers=headers)
    with closing(connection), connection.getresponse() as response:
        return response.status, json.loads(response.read())


@pytest.fixture(scope="module")
def published(cloud: LocalCloud) -> Published:
    return Published(cloud)


# URLs


def test_a_url_of_an_alias_calls_the_version_that_the_alias_names_now(cloud: LocalCloud) -> None:
    function = Published(cloud)
    function.permit("", ":live")
    url = function.url(Qualifier="live")
    second = function.publish(2)
    assert get(url) == (200, {"code": 1, "arn": f"{function.arn}:live"})
    cloud.client("lambda").update_alias(FunctionName=function.name, Name="live", FunctionVersion=second)
    function.publish(3)
    assert get(url) == (200, {"code": 2, "arn": f"{function.arn}:live"})
    assert get(function.url()) == (200, {"code": 3, "arn": function.arn})


def test_a_function_and_each_alias_have_one_url(cloud: LocalCloud) -> None:
    function, client = Published(cloud), cloud.client("lambda")
    client.create_alias(FunctionName=function.name, Name="next", FunctionVersion="1")
    function.permit("", ":next")
    assert client.list_function_url_configs(FunctionName=function.name)["FunctionUrlConfigs"] == []
    urls = [function.url(), function.url(Qualifier="live"), function.url(FunctionName=f"{function.arn}:next")]
    listed = client.list_function_url_configs(FunctionName=function.name)["FunctionUrlConfigs"]
    arns = [function.arn, f"{function.arn}:live", f"{function.arn}:next"]
    assert [(one["FunctionArn"], one["FunctionUrl"]) for one in listed] == list(zip(arns, urls, strict=True))
    pages = client.get_paginator("list_function_url_configs").paginate(
        FunctionName=function.name, PaginationConfig={"PageSize": 2}
    )
    assert [len(page["FunctionUrlConfigs"]) for page in pages] == [2, 1]
    with pytest.raises(ClientError, match=re.escape(f"[functionArn = {function.arn}:live]")) as refused:
        function.url(Qualifier="live")
    assert refused.value.response["Error"]["Code"] == "ResourceConflictException"
    alias = {"FunctionName": function.name, "Qualifier": "live"}
    client.update_function_url_config(**alias, AuthType="AWS_IAM")
    kinds = [client.get_function_url_config(**which)["AuthType"] for which in (alias, {"FunctionName": function.name})]
    assert kinds == ["AWS_IAM", "NONE"]
    client.delete_function_url_config(**alias)
    with pytest.raises(ConnectionRefusedError):
        get(urls[1])
    assert get(urls[0])[0] == get(urls[2])[0] == 200


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("create", "Function does not exist"),
        ("get", MISSING),
        ("update", "Function does not exist"),
        ("delete", MISSING),
    ],
)
def test_a_url_of_an_alias_that_is_not_there_is_not_found(published: Published, operation: str, message: str) -> None:
    kind = {"AuthType": "NONE"} if operation == "create" else {}
    request = getattr(published.cloud.client("lambda"), f"{operation}_function_url_config")
    for name in (published.name, "absent"):
        with pytest.raises(ClientError, match=message) as refused:
            request(FunctionName=name, Qualifier="absent", **kind)
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize("qualifier", ["1", "$LATEST"])
def test_a_version_has_no_url(published: Published, qualifier: str) -> None:
    with pytest.raises(ClientError, match=re.escape(f"Value '{qualifier}' {PATTERN}")) as refused:
        published.url(Qualifier=qualifier)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_request_names_one_qualifier(published: Published) -> None:
    with pytest.raises(ClientError, match="does not match the specified qualifier") as refused:
        published.url(FunctionName=f"{published.arn}:live", Qualifier="other")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_url_ends_with_its_alias_and_with_the_function(cloud: LocalCloud) -> None:
    function, client = Published(cloud), cloud.client("lambda")
    client.create_alias(FunctionName=function.name, Name="next", FunctionVersion="1")
    function.permit(":next")
    first, second = function.url(Qualifier="live"), function.url(Qualifier="next")
    client.delete_alias(FunctionName=function.name, Name="live")
    with pytest.raises(ConnectionRefusedError):
        get(first)
    assert get(second)[0] == 200
    client.delete_function(FunctionName=function.name)
    with pytest.raises(ConnectionRefusedError):
        get(second)


def test_a_url_of_an_alias_needs_the_permissions_of_the_alias(enforcing: LocalCloud) -> None:
    function = Published(enforcing)
    of_alias, of_function = function.url(Qualifier="live"), function.url()
    function.permit(":1")
    assert get(of_alias)[0] == get(of_function)[0] == 403
    function.permit(":live")
    assert get(of_alias)[0] == 200
    assert get(of_function)[0] == 403


def test_a_url_of_an_alias_with_iam_answers_those_who_may_call_the_alias(enforcing: LocalCloud) -> None:
    function, iam = Published(enforcing), enforcing.client("iam")
    url = function.url(Qualifier="live", AuthType="AWS_IAM")
    iam.create_user(UserName=function.name)
    key = iam.create_access_key(UserName=function.name)["AccessKey"]
    user = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    for resource_arn, status in ((function.arn, 403), (f"{function.arn}:live", 200)):
        policy = document(allow("lambda:InvokeFunctionUrl", "lambda:InvokeFunction", on=resource_arn))
        iam.put_user_policy(UserName=function.name, PolicyName="call", PolicyDocument=policy)
        assert get(url, user)[0] == status


# URLs in stacks


@pytest.mark.parametrize(
    "target",
    [
        {"TargetFunctionArn": {"Ref": "Function"}, "Qualifier": "live"},
        {"TargetFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]}, "Qualifier": "live"},
        {"TargetFunctionArn": LIVE},
    ],
    ids=["name", "arn", "arn-of-alias"],
)
def test_a_stack_has_a_url_of_an_alias(enforcing: LocalCloud, target: dict[str, Any]) -> None:
    url = {**resource("Lambda::Url", AuthType="NONE", **target), "DependsOn": "Alias"}
    permissions = {
        name: resource("Lambda::Permission", FunctionName=LIVE, Principal="*", **permission)
        for name, permission in PERMISSIONS.items()
    }
    function = Published(enforcing, Url=url, **permissions)
    first = enforcing.outputs(function.name)
    assert first["FunctionArn"] == f"{function.arn}:live"
    assert get(first["FunctionUrl"]) == (200, {"code": 1, "arn": f"{function.arn}:live"})
    url["Properties"]["Cors"] = {"AllowOrigins": ["https://shop.example"]}
    url["Properties"]["AuthType"] = "AWS_IAM"
    assert function.deploy() == first
    described = enforcing.client("lambda").get_function_url_config(FunctionName=f"{function.arn}:live")
    assert (described["AuthType"], described["Cors"]["AllowOrigins"]) == ("AWS_IAM", ["https://shop.example"])
    assert get(first["FunctionUrl"])[0] == 403
    enforcing.client("cloudformation").delete_stack(StackName=function.name)
    with pytest.raises(ConnectionRefusedError):
        get(first["FunctionUrl"])


def test_another_qualifier_replaces_a_url(cloud: LocalCloud) -> None:
    url = resource("Lambda::Url", TargetFunctionArn={"Ref": "Function"}, Qualifier="live", AuthType="NONE")
    function = Published(cloud, Url={**url, "DependsOn": "Alias"})
    first = cloud.outputs(function.name)
    cloud.client("lambda").create_alias(FunctionName=function.name, Name="next", FunctionVersion="1")
    function.permit(":next")
    url["Properties"]["Qualifier"] = "next"
    second = function.deploy()
    assert second["FunctionArn"] == f"{function.arn}:next"
    assert get(second["FunctionUrl"])[1]["arn"] == f"{function.arn}:next"
    with pytest.raises(ConnectionRefusedError):
        get(first["FunctionUrl"])
    del url["Properties"]["Qualifier"]
    assert function.deploy()["FunctionArn"] == function.arn


# Calls and permissions


@pytest.mark.parametrize(
    ("called", "arn"),
    [
        ({"Qualifier": "live"}, ":live"),
        ({"FunctionName": "NAME:live"}, ":live"),
        ({"FunctionName": f"{ARN}:NAME:live"}, ":live"),
        ({"FunctionName": "123456789012:function:NAME:live", "Qualifier": "live"}, ":live"),
        ({"Qualifier": "1"}, ":1"),
        ({"Qualifier": "$LATEST"}, ":$LATEST"),
        ({}, ""),
    ],
    ids=["qualifier", "name", "arn", "partial-arn", "version", "latest", "function"],
)
def test_a_function_is_told_what_was_called(published: Published, called: dict[str, str], arn: str) -> None:
    given = {"FunctionName": "NAME", **called}
    given["FunctionName"] = given["FunctionName"].replace("NAME", published.name)
    answer = json.loads(published.cloud.client("lambda").invoke(**given)["Payload"].read())
    assert answer == {"code": 1, "arn": f"{published.arn}{arn}"}


def test_each_alias_has_permissions_of_its_own(cloud: LocalCloud) -> None:
    function, client = Published(cloud), cloud.client("lambda")
    function.permit(":live")
    alias = {"FunctionName": function.name, "Qualifier": "live"}
    statements = json.loads(client.get_policy(**alias)["Policy"])["Statement"]
    assert {statement["Resource"] for statement in statements} == {f"{function.arn}:live"}
    for other in ({}, {"Qualifier": "1"}):
        with pytest.raises(ClientError, match=MISSING):
            client.get_policy(FunctionName=function.name, **other)
    with pytest.raises(ClientError, match="No policy is associated"):
        client.remove_permission(FunctionName=function.name, StatementId="MayInvoke")
    for name in PERMISSIONS:
        client.remove_permission(**alias, StatementId=name)
    with pytest.raises(ClientError, match=MISSING):
        client.get_policy(**alias)


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("absent", "Cannot find alias arn: ARN:absent"),
        ("42", "Function not found: ARN:42"),
        ("$LATEST", "We currently do not support adding policies for $LATEST."),
    ],
)
def test_what_is_not_there_takes_no_permission(published: Published, qualifier: str, message: str) -> None:
    with pytest.raises(ClientError, match=re.escape(message.replace("ARN", published.arn))):
        published.cloud.client("lambda").add_permission(
            FunctionName=published.name,
            Qualifier=qualifier,
            StatementId="one",
            Action="lambda:InvokeFunction",
            Principal="*",
        )


def test_a_service_that_may_call_a_function_may_not_call_its_aliases(cloud: LocalCloud) -> None:
    function, s3 = Published(cloud), cloud.client("s3")
    s3.create_bucket(Bucket=function.name)
    notification = {"LambdaFunctionArn": f"{function.arn}:live", "Events": ["s3:ObjectCreated:*"]}
    wanted = {"Bucket": function.name, "NotificationConfiguration": {"LambdaFunctionConfigurations": [notification]}}
    permission = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    cloud.client("lambda").add_permission(FunctionName=function.name, **permission)
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        s3.put_bucket_notification_configuration(**wanted)
    cloud.client("lambda").add_permission(FunctionName=function.name, Qualifier="live", **permission)
    s3.put_bucket_notification_configuration(**wanted)


def test_who_may_call_a_function_may_not_call_its_aliases(enforcing: LocalCloud) -> None:
    function = Published(enforcing)
    for allowed, denied in (("", ":live"), (":live", "")):
        client = user(enforcing, allow("lambda:InvokeFunction", on=f"{function.arn}{allowed}"))("lambda")
        assert client.invoke(FunctionName=f"{function.arn}{allowed}")["StatusCode"] == 200
        with pytest.raises(ClientError, match=f"resource: {function.arn}{denied} because") as refused:
            client.invoke(FunctionName=f"{function.arn}{denied}")
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_queue_whose_target_is_an_alias_calls_the_alias(cloud: LocalCloud, eventually: Any) -> None:
    function, sqs = Published(cloud), cloud.client("sqs")
    url = sqs.create_queue(QueueName=function.name)["QueueUrl"]
    mapping = {
        "FunctionName": f"{function.arn}:live",
        "EventSourceArn": f"arn:aws:sqs:us-east-1:123456789012:{function.name}",
    }
    made = cloud.client("lambda").create_event_source_mapping(**mapping)
    assert made["FunctionArn"] == f"{function.arn}:live"
    with pytest.raises(ClientError, match="already exists"):
        cloud.client("lambda").create_event_source_mapping(**mapping)
    group = f"/aws/lambda/{function.name}"
    cloud.client("logs").create_log_group(logGroupName=group)
    sqs.send_message(QueueUrl=url, MessageBody="one")
    find = {"logGroupName": group, "filterPattern": f'"called {function.arn}:live"'}
    assert eventually(lambda: cloud.client("logs").filter_log_events(**find)["events"])
