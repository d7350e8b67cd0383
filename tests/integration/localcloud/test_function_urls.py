"""Function URLs: who may call a function by its URL, what the function gets, and what the caller gets back."""

from __future__ import annotations

import base64
import io
import json
import uuid
import zipfile
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localcloud import LocalCloud

ORIGIN = "https://shop.example"
CODE = """
def handler(event, context):
    match event["rawPath"]:
        case "/fails":
            raise RuntimeError("no")
        case "/odd":
            return {"statusCode": 200, "headers": "none"}
        case "/page":
            return {"statusCode": 201, "headers": {"Content-Type": "text/html"}, "body": "<p>", "cookies": ["a=1"]}
        case "/bytes":
            return {"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}
    return event
"""
PERMISSIONS: dict[str, dict[str, Any]] = {
    "MayUseUrl": {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    "MayInvoke": {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
}


class Function:
    """A function with a URL in a stack of its own."""

    def __init__(self, cloud: LocalCloud, auth_type: str, permissions: tuple[str, ...] = (), **url: Any) -> None:
        self.cloud, self.name = cloud, f"url-{uuid.uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = {"Version": "2012-10-17", "Statement": [trust]}
        arn = {"Fn::GetAtt": ["Function", "Arn"]}
        code = {"Runtime": "python3.14", "Handler": "index.handler", "Code": {"ZipFile": CODE}}
        self.resources: dict[str, Any] = {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {**code, "FunctionName": self.name, "Role": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
            "Url": {
                "Type": "AWS::Lambda::Url",
                "Properties": {"TargetFunctionArn": arn, "AuthType": auth_type, **url},
            },
            **{
                name: {
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {"FunctionName": arn, "Principal": "*", **PERMISSIONS[name]},
                }
                for name in permissions
            },
        }
        self.deploy("create_stack")
        self.url = urlsplit(cloud.outputs(self.name)["Url"])

    def deploy(self, operation: str) -> None:
        cloudformation = self.cloud.client("cloudformation")
        outputs = {"Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}}}
        body = json.dumps({"Resources": self.resources, "Outputs": outputs})
        getattr(cloudformation, operation)(StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        stack = cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        assert stack["StackStatus"].endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")), stack["StackStatusReason"]

    def request(
        self, target: str = "/", method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers in lower case, and body."""
        connection = HTTPConnection("localhost", self.url.port or 0, timeout=60)
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        with closing(connection), connection.getresponse() as response:
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def signed(self, target: str, credentials: Credentials, service: str = "lambda") -> dict[str, str]:
        request = AWSRequest("GET", f"{self.url.geturl().rstrip('/')}{target}", headers={"Host": self.url.netloc})
        SigV4Auth(credentials, service, "us-east-1").add_auth(request)
        return {str(name).replace("-", "_"): str(value) for name, value in request.headers.items()}


@pytest.fixture(scope="module")
def public(cloud: LocalCloud) -> Function:
    return Function(cloud, "NONE", ("MayUseUrl", "MayInvoke"))


def test_a_function_gets_the_request_in_version_two_of_the_format(public: Function) -> None:
    headers = {"Content_Type": "application/json", "Cookie": "a=1; b=2", "X_One": "1"}
    status, answered, body = public.request("/shop/7?x=1&x=2&y=", "POST", b'{"n": 1}', **headers)
    event = json.loads(body)
    assert (status, answered["content-type"]) == (200, "application/json")
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/shop/7", "x=1&x=2&y=")
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}
    assert (event["cookies"], event["headers"]["x-one"]) == (["a=1", "b=2"], "1")
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    about = event["requestContext"]
    assert (about["http"]["method"], about["http"]["path"], about["accountId"]) == ("POST", "/shop/7", "anonymous")
    assert "authorizer" not in about


def test_a_body_that_is_no_text_is_encoded(public: Function) -> None:
    event = json.loads(public.request("/", "PUT", b"\x00\xff", Content_Type="image/png")[2])
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\x00\xff", True)


def test_a_function_decides_on_status_headers_cookies_and_body(public: Function) -> None:
    status, headers, body = public.request("/page")
    assert (status, headers["content-type"], body) == (201, "text/html", b"<p>")
    assert headers["set-cookie"] == "a=1"
    assert public.request("/bytes")[2] == b"\x00\xff"


@pytest.mark.parametrize("target", ["/fails", "/odd"])
def test_a_function_that_fails_is_a_bad_gateway(public: Function, target: str) -> None:
    assert public.request(target)[0] == 502


@pytest.mark.parametrize("permissions", [(), ("MayUseUrl",), ("MayInvoke",)])
def test_nobody_calls_a_public_url_without_both_permissions(
    enforcing: LocalCloud, permissions: tuple[str, ...]
) -> None:
    status, _, body = Function(enforcing, "NONE", permissions).request()
    assert (status, json.loads(body)) == (403, {"Message": "Forbidden"})


def test_everybody_calls_a_public_url_with_both_permissions(enforcing: LocalCloud) -> None:
    assert Function(enforcing, "NONE", ("MayUseUrl", "MayInvoke")).request()[0] == 200


def test_a_url_with_iam_answers_only_callers_who_may_invoke_it(enforcing: LocalCloud) -> None:
    function = Function(enforcing, "AWS_IAM")
    assert function.request()[0] == 403
    environment, iam = enforcing.environment(), enforcing.client("iam")
    owner = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    status, _, body = function.request("/x", **function.signed("/x", owner))
    assert status == 200
    assert json.loads(body)["requestContext"]["authorizer"]["iam"]["accountId"] == "123456789012"
    assert function.request("/x", **function.signed("/x", owner, "s3"))[0] == 403
    assert function.request("/y", **function.signed("/x", owner))[0] == 403
    iam.create_user(UserName=function.name)
    key = iam.create_access_key(UserName=function.name)["AccessKey"]
    user = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    assert function.request("/x", **function.signed("/x", user))[0] == 403
    actions = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName=function.name, PolicyName="call", PolicyDocument=json.dumps(policy))
    status, _, body = function.request("/x", **function.signed("/x", user))
    assert status == 200
    identity = json.loads(body)["requestContext"]["authorizer"]["iam"]
    assert identity["userArn"] == f"arn:aws:iam::123456789012:user/{function.name}"


def test_pages_of_allowed_origins_call_a_url_and_read_the_response(cloud: LocalCloud) -> None:
    cors = {"AllowOrigins": [ORIGIN], "AllowMethods": ["GET"], "AllowHeaders": ["x-one"], "MaxAge": 9}
    function = Function(cloud, "NONE", ("MayUseUrl", "MayInvoke"), Cors=cors)
    asked = {"Origin": ORIGIN, "Sec_Fetch_Site": "cross-site"}
    status, headers, body = function.request("/", "OPTIONS", Access_Control_Request_Method="GET", **asked)
    assert (status, body, headers["access-control-allow-origin"]) == (200, b"", ORIGIN)
    assert (headers["access-control-allow-methods"], headers["access-control-max-age"]) == ("GET", "9")
    status, headers, _ = function.request(**asked)
    assert (status, headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert function.request(Origin="https://other.example")[0] == 403
    del function.resources["Url"]["Properties"]["Cors"]
    function.deploy("update_stack")
    assert function.request(**asked)[0] == 403


def test_a_url_ends_with_its_function(cloud: LocalCloud) -> None:
    function = Function(cloud, "NONE")
    cloud.client("lambda").delete_function(FunctionName=function.name)
    with pytest.raises(ConnectionRefusedError):
        function.request()


def test_a_function_has_one_url(cloud: LocalCloud, public: Function) -> None:
    with pytest.raises(ClientError, match="FunctionUrlConfig exists"):
        cloud.client("lambda").create_function_url_config(FunctionName=public.name, AuthType="NONE")
    assert public.request()[0] == 200


def test_a_body_without_a_length_is_refused(public: Function) -> None:
    assert public.request("/", "POST", b"1\r\na\r\n0\r\n\r\n", Transfer_Encoding="chunked")[0] == 411


def test_a_permission_for_a_layer_is_in_its_policy(cloud: LocalCloud) -> None:
    client, name = cloud.client("lambda"), f"layer-{uuid.uuid4().hex[:8]}"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("python/shared.py", "")
    layer = client.publish_layer_version(LayerName=name, Content={"ZipFile": buffer.getvalue()})["LayerVersionArn"]
    properties = {"LayerVersionArn": layer, "Action": "lambda:GetLayerVersion", "Principal": "*"}
    organization = {"OrganizationId": "o-abcdefghij"}
    resource = {"Type": "AWS::Lambda::LayerVersionPermission", "Properties": properties | organization}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"All": resource}}))
    policy = json.loads(client.get_layer_version_policy(LayerName=name, VersionNumber=1)["Policy"])
    (statement,) = policy["Statement"]
    assert (statement["Action"], statement["Principal"]) == ("lambda:GetLayerVersion", "*")
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    cloudformation.delete_stack(StackName=name)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_layer_version_policy(LayerName=name, VersionNumber=1)


def test_a_url_that_would_stream_is_refused_by_name(cloud: LocalCloud, public: Function) -> None:
    with pytest.raises(ClientError, match="does not stream its responses"):
        cloud.client("lambda").update_function_url_config(FunctionName=public.name, InvokeMode="RESPONSE_STREAM")
