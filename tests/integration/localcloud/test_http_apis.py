"""HTTP APIs of API Gateway: which function answers a request, what it gets, and what the caller gets back."""

from __future__ import annotations

import json
import uuid
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
from tests.policies import allow, trust

ORIGIN = "https://shop.example"
CODE = """
def handler(event, context):
    path = event.get("rawPath") or event["path"]
    if path.endswith("/fails"):
        raise RuntimeError("no")
    if path.endswith("/odd"):
        return {"statusCode": "many"}
    if path.endswith("/page"):
        return {"statusCode": 201, "headers": {"Content-Type": "text/html", "Access-Control-Allow-Origin": "*"},
                "body": "<p>", "cookies": ["a=1"], "multiValueHeaders": {"X-Several": ["1", "2"]}}
    return {"statusCode": 200, "body": __import__("json").dumps(event)} if event["version"] == "1.0" else event
"""
EVERYWHERE = {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*"}


class Api:
    """An HTTP API in front of a function, in a stack of its own."""

    def __init__(
        self, cloud: LocalCloud, *keys: str, version: str = "2.0", source: Any = EVERYWHERE, **api: Any
    ) -> None:
        self.cloud, self.name = cloud, f"api-{uuid.uuid4().hex[:8]}"
        code = {"Runtime": "python3.14", "Handler": "index.handler", "Code": {"ZipFile": CODE}}
        document = json.loads(trust("lambda"))
        arn, of_api = {"Fn::GetAtt": ["Function", "Arn"]}, {"ApiId": {"Ref": "Api"}}
        permission = {
            "FunctionName": arn,
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": source,
        }
        self.resources: dict[str, Any] = {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {**code, "FunctionName": self.name, "Role": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
            "Api": {
                "Type": "AWS::ApiGatewayV2::Api",
                "Properties": {"Name": self.name, "ProtocolType": "HTTP", **api},
            },
            "Stage": {
                "Type": "AWS::ApiGatewayV2::Stage",
                "Properties": {**of_api, "StageName": "$default", "AutoDeploy": True},
            },
            "Integration": {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    **of_api,
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": arn,
                    "PayloadFormatVersion": version,
                },
            },
            **({"Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission}} if source else {}),
        }
        target = {"Fn::Sub": "integrations/${Integration}"}
        for number, key in enumerate(keys or ("$default",)):
            properties = {**of_api, "RouteKey": key, "Target": target}
            self.resources[f"Route{number}"] = {"Type": "AWS::ApiGatewayV2::Route", "Properties": properties}

    def deploy(self, operation: str = "create_stack") -> Api:
        cloudformation = self.cloud.client("cloudformation")
        outputs = {
            "Endpoint": {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}},
            "Id": {"Value": {"Ref": "Api"}},
        }
        body = json.dumps({"Resources": self.resources, "Outputs": outputs})
        getattr(cloudformation, operation)(StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        stack = cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        assert stack["StackStatus"].endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE")), stack["StackStatusReason"]
        self.url = urlsplit(self.cloud.outputs(self.name)["Endpoint"])
        return self

    def refusal(self) -> str:
        """Why the stack is refused, of which nothing is left."""
        with pytest.raises(ClientError) as error:
            self.deploy()
        with pytest.raises(ClientError, match="does not exist"):
            self.cloud.client("cloudformation").describe_stacks(StackName=self.name)
        return str(error.value)

    def request(
        self, target: str = "/", method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers in lower case, and body."""
        connection = HTTPConnection("localhost", self.url.port or 0, timeout=60)
        connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
        with closing(connection), connection.getresponse() as response:
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def event(self, target: str, method: str = "GET", body: bytes | None = None, **headers: str) -> dict[str, Any]:
        """The event that the function got."""
        status, _, answer = self.request(target, method, body, **headers)
        assert status == 200, answer
        received: dict[str, Any] = json.loads(answer)
        return received

    def signed(self, target: str, credentials: Credentials) -> dict[str, str]:
        request = AWSRequest("GET", f"{self.url.geturl().rstrip('/')}{target}", headers={"Host": self.url.netloc})
        SigV4Auth(credentials, "execute-api", "us-east-1").add_auth(request)
        return {str(name).replace("-", "_"): str(value) for name, value in request.headers.items()}


ROUTES = ("GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "POST /pets/dog/{id}")


@pytest.fixture(scope="module")
def shop(cloud: LocalCloud) -> Api:
    return Api(cloud, *ROUTES).deploy()


@pytest.fixture(scope="module")
def plain(cloud: LocalCloud) -> Api:
    return Api(cloud).deploy()


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", None),
        ("GET", "/pets/dog/2%20b", "GET /pets/dog/{id}", {"id": "2 b"}),
        ("POST", "/pets/dog/1", "POST /pets/dog/{id}", {"id": "1"}),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}", {"proxy": "cat/1"}),
        ("POST", "/test/5", "ANY /{proxy+}", {"proxy": "test/5"}),
    ],
)
def test_the_most_specific_route_takes_a_request(
    shop: Api, method: str, path: str, key: str, parameters: dict[str, str] | None
) -> None:
    event = shop.event(path, method)
    assert (event["routeKey"], event.get("pathParameters")) == (key, parameters)
    assert event["requestContext"]["routeKey"] == key


def test_a_path_without_a_route_is_not_found(shop: Api) -> None:
    status, headers, body = shop.request("/")
    assert (status, headers["content-type"], body) == (404, "application/json", b'{"message":"Not Found"}')


def test_a_function_gets_the_request_in_version_two_of_the_format(plain: Api) -> None:
    headers = {"Content_Type": "application/json", "Cookie": "a=1; b=2", "X_One": "1"}
    event = plain.event("/shop/7?x=1&x=2", "POST", b'{"n": 1}', **headers)
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "$default", "/shop/7")
    assert (event["queryStringParameters"], event["cookies"]) == ({"x": "1,2"}, ["a=1", "b=2"])
    assert (event["headers"]["x-one"], event["headers"]["x-forwarded-proto"]) == ("1", "http")
    assert (event["body"], event["isBase64Encoded"]) == ('{"n": 1}', False)
    about = event["requestContext"]
    assert (about["stage"], about["accountId"], about["http"]["method"]) == ("$default", "123456789012", "POST")
    assert about["apiId"] == plain.cloud.outputs(plain.name)["Id"]
    form = plain.event("/", "POST", b"a=1", Content_Type="application/x-www-form-urlencoded")
    assert (form["body"], form["isBase64Encoded"]) == ("YT0x", True)


def test_a_function_gets_the_request_in_version_one_of_the_format(cloud: LocalCloud) -> None:
    api = Api(cloud, "ANY /pets/{id}", version="1.0").deploy()
    event = api.event("/pets/7?x=1&x=2", X_One="1")
    assert (event["version"], event["httpMethod"], event["path"]) == ("1.0", "GET", "/pets/7")
    assert (event["resource"], event["pathParameters"]) == ("/pets/{id}", {"id": "7"})
    assert (event["queryStringParameters"], event["multiValueQueryStringParameters"]) == ({"x": "2"}, {"x": ["1", "2"]})
    assert (event["headers"]["X-One"], event["multiValueHeaders"]["X-One"]) == ("1", ["1"])
    assert (event["body"], event["requestContext"]["resourcePath"]) == (None, "/pets/{id}")
    status, headers, body = api.request("/pets/page")
    assert (status, headers["content-type"], headers["x-several"], body) == (201, "text/html", "1,2", b"<p>")


@pytest.mark.parametrize("target", ["/fails", "/odd"])
def test_a_function_that_fails_is_an_internal_server_error(plain: Api, target: str) -> None:
    status, _, body = plain.request(target)
    assert (status, body) == (500, b'{"message":"Internal Server Error"}')


@pytest.mark.parametrize(
    "source", [None, {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/GET/other"}]
)
def test_an_api_without_a_permission_does_not_reach_its_function(cloud: LocalCloud, source: Any) -> None:
    api = Api(cloud, "GET /pets", source=source).deploy()
    status, _, body = api.request("/pets")
    assert (status, body) == (500, b'{"message":"Internal Server Error"}')


def test_a_permission_may_be_for_one_route(enforcing: LocalCloud) -> None:
    source = {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*/pets/{id}"}
    api = Api(enforcing, "GET /pets/{id}", "GET /other", source=source).deploy()
    assert (api.request("/pets/7")[0], api.request("/other")[0]) == (200, 500)


def test_a_route_with_iam_answers_only_callers_who_may_invoke_it(enforcing: LocalCloud) -> None:
    api = Api(enforcing, "GET /pets/{id}")
    api.resources["Route0"]["Properties"]["AuthorizationType"] = "AWS_IAM"
    api.deploy()
    environment, iam = enforcing.environment(), enforcing.client("iam")
    status, _, body = api.request("/pets/7")
    assert (status, body) == (403, b'{"message":"Forbidden"}')
    owner = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    assert api.request("/pets/7", **api.signed("/pets/7", owner))[0] == 200
    iam.create_user(UserName=api.name)
    key = iam.create_access_key(UserName=api.name)["AccessKey"]
    user = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    assert api.request("/pets/7", **api.signed("/pets/7", user))[0] == 403
    iam.put_user_policy(UserName=api.name, PolicyName="call", PolicyDocument=allow("execute-api:Invoke"))
    event = api.event("/pets/7", **api.signed("/pets/7", user))
    assert event["requestContext"]["authorizer"]["iam"]["userArn"].endswith(f":user/{api.name}")


def test_pages_of_allowed_origins_read_the_response(cloud: LocalCloud) -> None:
    cors = {"AllowOrigins": [ORIGIN], "AllowMethods": ["GET"], "AllowHeaders": ["x-one"], "MaxAge": 9}
    api = Api(cloud, CorsConfiguration=cors).deploy()
    asked = {"Origin": ORIGIN, "Sec_Fetch_Site": "cross-site"}
    status, headers, body = api.request("/", "OPTIONS", Access_Control_Request_Method="GET", **asked)
    assert (status, body, headers["access-control-allow-origin"]) == (204, b"", ORIGIN)
    assert (headers["access-control-allow-methods"], headers["access-control-max-age"]) == ("GET", "9")
    status, headers, _ = api.request("/page", **asked)
    assert (status, headers["access-control-allow-origin"]) == (201, ORIGIN)
    assert "access-control-allow-origin" not in api.request("/page")[1]
    assert api.request(Origin="https://other.example")[0] == 403
    del api.resources["Api"]["Properties"]["CorsConfiguration"]
    api.deploy("update_stack")
    assert api.request(**asked)[0] == 403


def test_a_named_stage_is_the_first_part_of_the_path(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets")
    api.resources["Stage"]["Properties"] |= {"StageName": "dev", "StageVariables": {"size": "small"}}
    api.deploy()
    event = api.event("/dev/pets")
    assert (event["rawPath"], event["requestContext"]["stage"]) == ("/dev/pets", "dev")
    assert event["stageVariables"] == {"size": "small"}
    assert api.request("/pets")[0] == 404


def test_requests_are_counted(cloud: LocalCloud, plain: Api) -> None:
    plain.request("/fails")
    api_id = cloud.outputs(plain.name)["Id"]
    listed = cloud.client("cloudwatch").list_metrics(
        Namespace="AWS/ApiGateway", Dimensions=[{"Name": "ApiId", "Value": api_id}]
    )["Metrics"]
    assert {metric["MetricName"] for metric in listed} >= {"Count", "4xx", "5xx", "Latency", "IntegrationLatency"}


def test_an_api_ends_with_its_stack(cloud: LocalCloud) -> None:
    api = Api(cloud).deploy()
    assert api.request()[0] == 200
    cloud.client("cloudformation").delete_stack(StackName=api.name)
    cloud.client("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=api.name, WaiterConfig={"Delay": 1}
    )
    with pytest.raises(ConnectionRefusedError):
        api.request()


@pytest.mark.parametrize(
    ("resource", "properties", "words"),
    [
        ("Api", {"ProtocolType": "WEBSOCKET"}, "no WebSocket APIs"),
        ("Api", {"Target": "arn:aws:lambda:us-east-1:123456789012:function:shop"}, "not of a Target"),
        ("Integration", {"IntegrationType": "HTTP_PROXY"}, "neither other addresses nor VPC links"),
        ("Integration", {"ConnectionType": "VPC_LINK"}, "neither other addresses nor VPC links"),
        ("Route0", {"AuthorizationType": "JWT"}, "no authorizers"),
        ("Stage", {"AutoDeploy": False}, "stages deploy by themselves"),
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


@pytest.mark.parametrize("kind", ["Authorizer", "VpcLink", "DomainName", "Deployment"])
def test_types_that_are_not_there_are_refused_by_name(cloud: LocalCloud, kind: str) -> None:
    api = Api(cloud)
    api.resources["Other"] = {"Type": f"AWS::ApiGatewayV2::{kind}", "Properties": {}}
    assert f"the local cloud does not have AWS::ApiGatewayV2::{kind}" in api.refusal()


def test_routes_and_integrations_are_checked(cloud: LocalCloud, shop: Api) -> None:
    client, api_id = cloud.client("apigatewayv2"), cloud.outputs(shop.name)["Id"]
    with pytest.raises(ClientError, match="The provided route key is not formatted properly"):
        client.create_route(ApiId=api_id, RouteKey="pets")
    with pytest.raises(client.exceptions.ConflictException, match="already exists"):
        client.create_route(ApiId=api_id, RouteKey=ROUTES[0])
    with pytest.raises(client.exceptions.NotFoundException, match="Invalid Integration identifier"):
        client.create_route(ApiId=api_id, RouteKey="GET /x", Target="integrations/none")
    with pytest.raises(client.exceptions.BadRequestException, match="Invalid function ARN"):
        client.create_integration(
            ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri="shop", PayloadFormatVersion="2.0"
        )
    used = client.get_integrations(ApiId=api_id)["Items"][0]["IntegrationId"]
    with pytest.raises(client.exceptions.ConflictException, match="referenced by Route"):
        client.delete_integration(ApiId=api_id, IntegrationId=used)
