"""REST APIs of API Gateway: which method answers a request, what its function gets, and what the caller gets back."""

from __future__ import annotations

import base64
import json
import uuid
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import allow, trust

ORIGINS = ["https://shop.example", "https://other.example"]
CODE = """
import json

def handler(event, context):
    last = event["path"].rpartition("/")[2]
    return {
        "fails": lambda: 1 / 0,
        "odd": lambda: {"statusCode": "many"},
        "strange": lambda: {"statusCode": 200, "cookies": []},
        "number": lambda: {"headers": {"X-One": 1}},
        "nothing": lambda: {},
        "image": lambda: {"headers": {"Content-Type": "image/png"}, "body": "iVBO", "isBase64Encoded": True},
        "page": lambda: {"statusCode": 201, "headers": {"Content-Type": "text/html"}, "body": "<p>",
                         "multiValueHeaders": {"X-Several": ["1", "2"], "Set-Cookie": ["a=1", "b=2"]}},
    }.get(last, lambda: {"statusCode": 200, "body": json.dumps(event)})()
"""
URI = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
Answer = tuple[int, dict[str, str], bytes]


class Api:
    """A REST API in front of a function, in a stack of its own."""

    def __init__(self, cloud: LocalCloud, *keys: str, method: dict[str, Any] | None = None, **api: Any) -> None:
        self.cloud, self.name = cloud, f"rest-{uuid.uuid4().hex[:8]}"
        arn = {"Fn::GetAtt": ["Function", "Arn"]}
        source = {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"}
        self.resources: dict[str, Any] = {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(trust("lambda"))}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": self.name,
                    "Runtime": "python3.14",
                    "Handler": "index.handler",
                    "Code": {"ZipFile": CODE},
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": arn,
                    "Action": "lambda:InvokeFunction",
                    "Principal": "apigateway.amazonaws.com",
                    "SourceArn": source,
                },
            },
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": self.name, **api}},
        }
        for key in keys or ("ANY /{proxy+}",):
            self.add(key, **(method or {}))
        self.deployments = 0
        self.resources["Stage"] = {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "prod", "Variables": {"size": "small"}},
        }
        self.deployed()

    def add(self, key: str, **settings: Any) -> dict[str, Any]:
        """Add a method, with the resources of its path; return its properties."""
        verb, _, path = key.partition(" ")
        parent: Any = {"Fn::GetAtt": ["Api", "RootResourceId"]}
        name = "Path"
        for part in filter(None, path.split("/")):
            name += "".join(filter(str.isalnum, part)).title()
            properties = {"RestApiId": {"Ref": "Api"}, "ParentId": parent, "PathPart": part}
            self.resources[name] = {"Type": "AWS::ApiGateway::Resource", "Properties": properties}
            parent = {"Ref": name}
        integration = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": {"Fn::Sub": URI}}
        properties = {
            "RestApiId": {"Ref": "Api"},
            "ResourceId": parent,
            "HttpMethod": verb,
            "AuthorizationType": "NONE",
        }
        properties |= {"Integration": integration, **settings}
        self.resources[f"{name}{verb}"] = {"Type": "AWS::ApiGateway::Method", "Properties": properties}
        return properties

    def deployed(self) -> Api:
        """Let the template have a new deployment, as the CDK does after each change, and the stage serve it."""
        self.resources.pop(f"Deployment{self.deployments}", None)
        self.deployments += 1
        name = f"Deployment{self.deployments}"
        methods = [logical for logical, body in self.resources.items() if body["Type"] == "AWS::ApiGateway::Method"]
        deployment = {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": methods,
            "Properties": {"RestApiId": {"Ref": "Api"}},
        }
        self.resources[name] = deployment
        self.resources["Stage"]["Properties"]["DeploymentId"] = {"Ref": name}
        return self

    def deploy(self, operation: str = "create_stack") -> Api:
        cloudformation = self.cloud.client("cloudformation")
        url = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}"
        outputs = {"Url": {"Value": {"Fn::Sub": url}}, "Id": {"Value": {"Ref": "Api"}}}
        body = json.dumps({"Resources": self.resources, "Outputs": outputs})
        getattr(cloudformation, operation)(StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        stack = cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        assert stack["StackStatus"].endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")), stack["StackStatusReason"]
        self.url, self.id = self.cloud.outputs(self.name)["Url"], self.cloud.outputs(self.name)["Id"]
        return self

    def refusal(self) -> str:
        """Why the stack is refused, of which nothing is left."""
        with pytest.raises(ClientError) as error:
            self.deploy()
        with pytest.raises(ClientError, match="does not exist"):
            self.cloud.client("cloudformation").describe_stacks(StackName=self.name)
        return str(error.value)

    def request(self, target: str = "/", method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Return status, headers in lower case, and body."""
        return request(f"{self.url}{target}", method, body, **headers)

    def event(self, target: str, method: str = "GET", body: bytes | None = None, **headers: str) -> dict[str, Any]:
        """The event that the function got."""
        status, _, answer = self.request(target, method, body, **headers)
        assert status == 200, answer
        received: dict[str, Any] = json.loads(answer)
        return received

    def signed(self, target: str, credentials: Credentials) -> dict[str, str]:
        asked = AWSRequest("GET", f"{self.url}{target}", headers={"Host": urlsplit(self.url).netloc})
        SigV4Auth(credentials, "execute-api", "us-east-1").add_auth(asked)
        return {str(name).replace("-", "_"): str(value) for name, value in asked.headers.items()}


def request(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    parts = urlsplit(url)
    assert parts.hostname == "localhost"
    connection = HTTPConnection("localhost", parts.port or 0, timeout=60)
    target = url.partition(parts.netloc)[2]
    connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
    with closing(connection), connection.getresponse() as response:
        found: dict[str, str] = {}
        for name, value in response.getheaders():
            found[name.lower()] = f"{found[name.lower()]}; {value}" if name.lower() in found else value
        return response.status, found, response.read()


@pytest.fixture(scope="module")
def plain(cloud: LocalCloud) -> Api:
    return Api(cloud).deploy()


@pytest.fixture(scope="module")
def shop(cloud: LocalCloud) -> Api:
    return Api(cloud, "GET /pets", "GET /pets/dog", "GET /pets/{id}", "ANY /{proxy+}", "POST /pets/{id}").deploy()


@pytest.mark.parametrize(
    ("method", "path", "resource", "parameters"),
    [
        ("GET", "/pets", "/pets", None),
        ("GET", "/pets/", "/pets", None),
        ("GET", "/pets/dog", "/pets/dog", None),
        ("GET", "/pets/a%20b", "/pets/{id}", {"id": "a%20b"}),
        ("POST", "/pets/7", "/pets/{id}", {"id": "7"}),
        ("PUT", "/toys/7/parts", "/{proxy+}", {"proxy": "toys/7/parts"}),
    ],
)
def test_the_most_specific_resource_takes_a_request(
    shop: Api, method: str, path: str, resource: str, parameters: dict[str, str] | None
) -> None:
    event = shop.event(path, method)
    assert (event["resource"], event["path"], event["httpMethod"]) == (resource, path, method)
    assert event["pathParameters"] == parameters
    assert event["requestContext"]["resourcePath"] == resource


def test_a_function_gets_the_request_in_the_format_of_rest_apis(plain: Api) -> None:
    headers = {"Content_Type": "application/json", "X_One": "1", "User_Agent": "tests"}
    event = plain.event("/pets/7?x=1&x=2&y=", "POST", b'{"n": 1}', **headers)
    assert "version" not in event
    assert (event["queryStringParameters"], event["multiValueQueryStringParameters"]) == (
        {"x": "2", "y": ""},
        {"x": ["1", "2"], "y": [""]},
    )
    assert (event["headers"]["X-One"], event["multiValueHeaders"]["X-One"]) == ("1", ["1"])
    assert (event["headers"]["X-Forwarded-Proto"], event["stageVariables"]) == ("http", {"size": "small"})
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    about = event["requestContext"]
    assert (about["path"], about["stage"], about["apiId"]) == ("/prod/pets/7", "prod", plain.id)
    assert (about["httpMethod"], about["accountId"], about["protocol"]) == ("POST", "123456789012", "HTTP/1.1")
    stage = plain.cloud.client("apigateway").get_stage(restApiId=plain.id, stageName="prod")
    assert about["deploymentId"] == stage["deploymentId"]
    assert (about["identity"]["sourceIp"], about["identity"]["userAgent"]) == ("127.0.0.1", "tests")
    assert about["identity"]["userArn"] is None
    empty = plain.event("/pets")
    assert (empty["body"], empty["queryStringParameters"]) == (None, None)


def test_a_caller_gets_what_the_function_answers(plain: Api) -> None:
    status, headers, body = plain.request("/page")
    assert (status, headers["content-type"], headers["x-several"], body) == (201, "text/html", "1,2", b"<p>")
    assert headers["set-cookie"] == "a=1; b=2"
    status, headers, body = plain.request("/nothing")
    assert (status, headers["content-type"], body) == (200, "application/json", b"")


def test_bodies_of_binary_types_are_encoded(cloud: LocalCloud, plain: Api) -> None:
    api = Api(cloud, BinaryMediaTypes=["image/png"]).deploy()
    sent, image = b"\x89PNG", base64.b64decode("iVBO")
    event = api.event("/a", "POST", sent, Content_Type="image/png")
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (sent, True)
    assert api.event("/a", "POST", b"a", Content_Type="text/plain")["isBase64Encoded"] is False
    assert api.request("/image", Accept="image/png, text/html")[2] == image
    assert api.request("/image", Accept="text/html")[2] == b"iVBO"
    assert plain.request("/image", Accept="image/png")[2] == b"iVBO"


@pytest.mark.parametrize("target", ["/fails", "/odd", "/strange", "/number"])
def test_a_malformed_answer_is_a_bad_gateway(plain: Api, target: str) -> None:
    status, headers, body = plain.request(target)
    assert (status, body) == (502, b'{"message":"Internal server error"}')
    assert headers["x-amzn-errortype"] == "InternalServerErrorException"


@pytest.mark.parametrize(
    ("target", "message", "kind"),
    [
        ("/prod/other", "Missing Authentication Token", "MissingAuthenticationTokenException"),
        ("/prod", "Missing Authentication Token", "MissingAuthenticationTokenException"),
        ("/test/pets", "Forbidden", "ForbiddenException"),
    ],
)
def test_what_is_not_deployed_is_forbidden(cloud: LocalCloud, target: str, message: str, kind: str) -> None:
    api = Api(cloud, "GET /pets").deploy()
    status, headers, body = request(f"{api.url.removesuffix('/prod')}{target}")
    assert (status, json.loads(body), headers["x-amzn-errortype"]) == (403, {"message": message}, kind)
    assert api.request("/pets", "POST")[0] == 403


def test_a_method_is_served_when_it_is_deployed(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets").deploy()
    api.add("GET /toys")
    api.deploy("update_stack")
    assert api.request("/toys")[0] == 403
    api.deployed().deploy("update_stack")
    assert api.request("/toys")[0] == 200
    del api.resources["PathToysGET"]
    api.resources[f"Deployment{api.deployments}"]["DependsOn"].remove("PathToysGET")
    api.deploy("update_stack")
    assert api.request("/toys")[0] == 200


def test_a_stage_that_a_deployment_has_made_stays_until_none_serves_it(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets").deploy()
    for path in ("cats", "dogs"):
        api.add(f"GET /{path}")
        api.deployed()
        api.resources[f"Deployment{api.deployments}"]["Properties"]["StageName"] = "beta"
        api.deploy("update_stack")
        assert request(api.url.replace("/prod", f"/beta/{path}"))[0] == 200
    del api.resources[f"Deployment{api.deployments}"]["Properties"]["StageName"]
    api.deployed().deploy("update_stack")
    stages = cloud.client("apigateway").get_stages(restApiId=api.id)["item"]
    assert [stage["stageName"] for stage in stages] == ["prod"]


def test_an_api_without_a_permission_does_not_reach_its_function(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets", "GET /toys")
    source = "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/prod/GET/toys"
    api.resources["Permission"]["Properties"]["SourceArn"] = {"Fn::Sub": source}
    api.deploy()
    status, _, body = api.request("/pets")
    assert (status, body) == (500, b'{"message":"Internal server error"}')
    assert api.request("/toys")[0] == 200


def test_a_function_is_called_by_post_only(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets")
    api.resources["PathPetsGET"]["Properties"]["Integration"]["IntegrationHttpMethod"] = "GET"
    assert api.deploy().request("/pets")[0] == 500


def test_an_update_changes_an_api(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets", Description="old", BinaryMediaTypes=["image/png", "a/b"]).deploy()
    api.resources["Api"]["Properties"] |= {"Description": "new", "BinaryMediaTypes": ["image/png", "application/zip"]}
    api.resources["PathPetsGET"]["Properties"]["AuthorizationType"] = "AWS_IAM"
    api.resources["Stage"]["Properties"]["Variables"] = {"colour": "red"}
    api.deployed().deploy("update_stack")
    client = cloud.client("apigateway")
    described = client.get_rest_api(restApiId=api.id)
    assert (described["description"], described["binaryMediaTypes"]) == ("new", ["image/png", "application/zip"])
    assert client.get_stage(restApiId=api.id, stageName="prod")["variables"] == {"colour": "red"}
    assert len(client.get_deployments(restApiId=api.id)["items"]) == 1
    assert json.loads(api.request("/pets")[2]) == {"message": "Missing Authentication Token"}
    api.resources["Api"]["Properties"]["DisableExecuteApiEndpoint"] = True
    api.deploy("update_stack")
    assert json.loads(api.request("/pets")[2]) == {"message": "Forbidden"}


def test_a_method_with_iam_answers_only_callers_who_may_invoke_it(enforcing: LocalCloud) -> None:
    api = Api(enforcing, "GET /pets/{id}", method={"AuthorizationType": "AWS_IAM"}).deploy()
    environment, iam = enforcing.environment(), enforcing.client("iam")
    status, headers, body = api.request("/pets/7")
    assert (status, json.loads(body)) == (403, {"message": "Missing Authentication Token"})
    owner = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    assert api.request("/pets/7", **api.signed("/pets/7", owner))[0] == 200
    iam.create_user(UserName=api.name)
    key = iam.create_access_key(UserName=api.name)["AccessKey"]
    user = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    status, headers, body = api.request("/pets/7", **api.signed("/pets/7", user))
    message = (
        f"User: arn:aws:iam::123456789012:user/{api.name} is not authorized to perform: execute-api:Invoke on "
        f"resource: arn:aws:execute-api:us-east-1:********9012:{api.id}/prod/GET/pets/7"
    )
    assert (status, json.loads(body), headers["x-amzn-errortype"]) == (
        403,
        {"Message": message},
        "AccessDeniedException",
    )
    wrong = Credentials(key["AccessKeyId"], "wrong")
    assert api.request("/pets/7", **api.signed("/pets/7", wrong))[1]["x-amzn-errortype"] == "InvalidSignatureException"
    iam.put_user_policy(UserName=api.name, PolicyName="call", PolicyDocument=allow("execute-api:Invoke"))
    event = api.event("/pets/7", **api.signed("/pets/7", user))
    assert event["requestContext"]["identity"]["userArn"].endswith(f":user/{api.name}")
    assert event["requestContext"]["identity"]["accessKey"] == key["AccessKeyId"]


def test_a_resource_policy_decides_who_sends_requests(enforcing: LocalCloud) -> None:
    everybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "execute-api:Invoke",
        "Resource": "execute-api:/prod/GET/*",
    }
    secret = {**everybody, "Effect": "Deny", "Resource": "execute-api:/prod/GET/secret"}
    policy = {"Version": "2012-10-17", "Statement": [everybody, secret]}
    api = Api(enforcing, "ANY /{proxy+}", Policy=policy).deploy()
    assert api.request("/pets")[0] == 200
    status, _, body = api.request("/pets", "POST")
    assert status == 403
    assert json.loads(body)["Message"].startswith(
        "User: anonymous is not authorized to perform: execute-api:Invoke on "
    )
    assert json.loads(api.request("/secret")[2])["Message"].endswith(" with an explicit deny")


def test_a_method_that_needs_a_key_takes_those_of_the_stages_usage_plans(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets", method={"ApiKeyRequired": True})
    plan = {"UsagePlanName": api.name, "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}]}
    api.resources |= {
        "Key": {
            "Type": "AWS::ApiGateway::ApiKey",
            "Properties": {"Name": api.name, "Value": api.name * 3, "Enabled": True},
        },
        "Plan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": plan},
        "PlanKey": {
            "Type": "AWS::ApiGateway::UsagePlanKey",
            "Properties": {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}},
        },
    }
    api.deploy()
    for wrong in ({}, {"X_Api_Key": "wrong"}):
        status, _, body = api.request("/pets", **wrong)
        assert (status, body) == (403, b'{"message":"Forbidden"}')
    identity = api.event("/pets", X_Api_Key=api.name * 3)["requestContext"]["identity"]
    assert identity["apiKey"] == api.name * 3
    api.resources["Key"]["Properties"]["Enabled"] = False
    api.deploy("update_stack")
    assert api.request("/pets", X_Api_Key=api.name * 3)[0] == 403


def test_a_mock_answers_by_itself(cloud: LocalCloud) -> None:
    answers = [
        {"StatusCode": "200", "ResponseTemplates": {"application/json": '{"ok": true}'}},
        {"StatusCode": "404", "SelectionPattern": "4.."},
    ]
    integration = {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 404}'}}
    integration |= {"IntegrationResponses": answers, "PassthroughBehavior": "WHEN_NO_TEMPLATES"}
    responses = [{"StatusCode": "200"}, {"StatusCode": "404"}]
    api = Api(cloud, "ANY /pets", method={"Integration": integration, "MethodResponses": responses}).deploy()
    assert api.request("/pets")[0] == 404
    assert api.request("/pets", "POST", b"a", Content_Type="text/plain")[0] == 415
    properties = api.resources["PathPetsANY"]["Properties"]
    properties["Integration"] = integration | {"RequestTemplates": {"application/json": "{statusCode: 200}"}}
    api.deployed().deploy("update_stack")
    status, _, body = api.request("/pets")
    assert (status, body) == (200, b'{"ok": true}')
    with pytest.raises(ClientError, match=r"parameter specified: method\.response\.header\.A"):
        cloud.client("apigateway").put_integration_response(
            restApiId=api.id,
            resourceId=_resource(api, "/pets"),
            httpMethod="ANY",
            statusCode="200",
            responseParameters={"method.response.header.A": "'b'"},
        )


def _resource(api: Api, path: str) -> str:
    items = api.cloud.client("apigateway").get_resources(restApiId=api.id)["items"]
    return next(str(item["id"]) for item in items if item["path"] == path)


def test_requests_are_counted(cloud: LocalCloud, plain: Api) -> None:
    assert (plain.request("/fails")[0], plain.request("/pets")[0]) == (502, 200)
    listed = cloud.client("cloudwatch").list_metrics(
        Namespace="AWS/ApiGateway", Dimensions=[{"Name": "ApiName", "Value": plain.name}]
    )["Metrics"]
    assert {metric["MetricName"] for metric in listed} >= {
        "Count",
        "4XXError",
        "5XXError",
        "Latency",
        "IntegrationLatency",
    }


def test_an_api_ends_with_its_stack(cloud: LocalCloud) -> None:
    api = Api(cloud).deploy()
    assert api.request("/a")[0] == 200
    cloud.client("cloudformation").delete_stack(StackName=api.name)
    cloud.client("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=api.name, WaiterConfig={"Delay": 1}
    )
    with pytest.raises(ConnectionRefusedError):
        api.request("/a")


def test_an_api_of_the_cdk_answers_at_the_address_of_its_output(cloud: LocalCloud) -> None:
    name = f"rest-{uuid.uuid4().hex[:8]}"
    app = cdk.App(analytics_reporting=False)
    stack = cdk.Stack(app, name, synthesizer=cdk.LegacyStackSynthesizer())
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline(CODE),
    )
    cors = apigateway.CorsOptions(allow_origins=ORIGINS, max_age=cdk.Duration.seconds(9))
    apigateway.LambdaRestApi(stack, "Api", handler=function, default_cors_preflight_options=cors, cloud_watch_role=True)
    template = json.dumps(app.synth().get_stack_by_name(name).template)
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    created = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert created["StackStatus"] == "CREATE_COMPLETE", created["StackStatusReason"]
    url = next(value for key, value in cloud.outputs(name).items() if key.startswith("ApiEndpoint"))
    assert url.endswith("/prod/")
    event = json.loads(request(f"{url}pets/7")[2])
    assert (event["path"], event["resource"]) == ("/pets/7", "/{proxy+}")
    assert json.loads(request(url)[2])["resource"] == "/"
    for origin in ORIGINS:
        asked = {"Origin": origin, "Sec_Fetch_Site": "cross-site"}
        status, headers, body = request(f"{url}pets", "OPTIONS", Access_Control_Request_Method="GET", **asked)
        assert (status, headers["access-control-allow-origin"], body) == (204, origin, b"")
        assert (headers["access-control-max-age"], headers["vary"]) == ("9", "Origin")
        assert request(f"{url}pets", **asked)[0] == 200
    assert request(f"{url}pets", Origin="https://third.example", Sec_Fetch_Site="cross-site")[0] == 403


@pytest.mark.parametrize(
    ("resource", "properties", "words"),
    [
        ("Api", {"CloneFrom": "another"}, "does not copy APIs"),
        ("PathProxyANY", {"AuthorizationType": "CUSTOM"}, "no authorizers"),
        (
            "PathProxyANY",
            {"Integration": {"Type": "HTTP_PROXY", "Uri": "https://example.com"}},
            "call functions (AWS_PROXY)",
        ),
        ("Stage", {"MethodSettings": [{"LoggingLevel": "INFO"}]}, "neither throttles, caches nor logs"),
        ("Stage", {"StageName": "pr.od"}, "StageName"),
    ],
)
def test_what_there_is_not_is_refused_by_name_before_anything_is_made(
    cloud: LocalCloud, resource: str, properties: dict[str, Any], words: str
) -> None:
    api = Api(cloud)
    api.resources[resource]["Properties"] |= properties
    refusal = api.refusal()
    assert words in refusal
    assert next(iter(properties)) in refusal


@pytest.mark.parametrize("kind", ["Authorizer", "DomainName", "VpcLink"])
def test_types_that_are_not_there_are_refused_by_name(cloud: LocalCloud, kind: str) -> None:
    api = Api(cloud)
    api.resources["Other"] = {"Type": f"AWS::ApiGateway::{kind}", "Properties": {}}
    assert f"the local cloud does not have AWS::ApiGateway::{kind}" in api.refusal()


def test_what_api_gateway_refuses(cloud: LocalCloud) -> None:
    client = cloud.client("apigateway")
    api = client.create_rest_api(name="refusing")
    name, root = api["id"], api["rootResourceId"]
    try:
        with pytest.raises(client.exceptions.BadRequestException, match="The REST API doesn't contain any methods"):
            client.create_deployment(restApiId=name)
        greedy = client.create_resource(restApiId=name, parentId=root, pathPart="{proxy+}")["id"]
        with pytest.raises(client.exceptions.ConflictException, match="already has this name"):
            client.create_resource(restApiId=name, parentId=root, pathPart="{proxy+}")
        with pytest.raises(
            client.exceptions.BadRequestException, match=r"A sibling \(.*\) of this resource already has"
        ):
            client.create_resource(restApiId=name, parentId=root, pathPart="{id}")
        with pytest.raises(client.exceptions.BadRequestException, match="child of a resource with a greedy path"):
            client.create_resource(restApiId=name, parentId=greedy, pathPart="a")
        with pytest.raises(client.exceptions.BadRequestException, match="Resource's path part only allow"):
            client.create_resource(restApiId=name, parentId=root, pathPart="{a")
        method = {"restApiId": name, "resourceId": root, "httpMethod": "GET"}
        client.put_method(**method, authorizationType="NONE")
        with pytest.raises(client.exceptions.ConflictException, match="Method already exists for this resource"):
            client.put_method(**method, authorizationType="NONE")
        with pytest.raises(client.exceptions.BadRequestException, match="No integration defined for method"):
            client.create_deployment(restApiId=name)
        with pytest.raises(client.exceptions.BadRequestException, match="Invalid ARN specified in the request"):
            client.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri="shop")
        client.put_integration(**method, type="MOCK")
        with pytest.raises(client.exceptions.BadRequestException, match="Invalid patch path '/colour'"):
            client.update_rest_api(
                restApiId=name, patchOperations=[{"op": "replace", "path": "/colour", "value": "red"}]
            )
        with pytest.raises(ClientError, match="Invalid Deployment identifier specified"):
            client.create_stage(restApiId=name, stageName="prod", deploymentId="none")
        deployment = client.create_deployment(restApiId=name, stageName="prod")["id"]
        with pytest.raises(client.exceptions.BadRequestException, match="Active stages pointing to this deployment"):
            client.delete_deployment(restApiId=name, deploymentId=deployment)
    finally:
        client.delete_rest_api(restApiId=name)
