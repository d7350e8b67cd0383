"""HTTP APIs that are OpenAPI documents: by CloudFormation and by requests, made, changed and refused."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.policies import trust

ANY, INTEGRATION = "x-amazon-apigateway-any-method", "x-amazon-apigateway-integration"
CODE = """
import json

def handler(event, context):
    route = event.get("routeKey") or event["resource"]
    return {"statusCode": 200, "body": json.dumps({"route": route, "version": event["version"]})}
"""
URI = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"
#: What SAM writes for a function's event.
PROXY = {"type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "2.0", "uri": {"Fn::Sub": URI}}
CALLED = {INTEGRATION: PROXY, "responses": {}}
SIGNED = {"x-amazon-apigateway-authtype": "awsSigv4"}
TAGS = [{"name": "httpapi:createdBy", "x-amazon-apigateway-tag-value": "SAM"}]


def document(*paths: str, **members: Any) -> dict[str, Any]:
    """A document whose routes call the function of a template."""
    described = {path: {"get": CALLED} for path in paths}
    info = {"title": {"Ref": "AWS::StackName"}, "version": "1.0"}
    return {"openapi": "3.0.1", "info": info, "paths": described, "tags": TAGS, **members}


class Stack:
    """A stack with a function, and an API in front of it."""

    def __init__(self, cloud: LocalCloud, **api: Any) -> None:
        self.cloud, self.name = cloud, f"described-{uuid.uuid4().hex[:8]}"
        code = {"Runtime": "python3.14", "Handler": "index.handler", "Code": {"ZipFile": CODE}}
        permission = {
            "FunctionName": {"Ref": "Function"},
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"},
        }
        self.resources: dict[str, Any] = {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(trust("lambda"))}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {**code, "Role": {"Fn::GetAtt": ["Role", "Arn"]}},
            },
            "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": api},
            "Stage": {
                "Type": "AWS::ApiGatewayV2::Stage",
                "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
            },
            "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
        }

    def deploy(self, operation: str = "create_stack", **options: Any) -> Stack:
        outputs = {
            "Endpoint": {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}},
            "Id": {"Value": {"Ref": "Api"}},
            "Function": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
        }
        body = json.dumps({"Resources": self.resources, "Outputs": outputs})
        getattr(self.cloud.client("cloudformation"), operation)(
            StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"], **options
        )
        return self

    def update(self, **api: Any) -> Stack:
        self.resources["Api"]["Properties"] = api
        return self.deploy("update_stack")

    @property
    def status(self) -> str:
        stacks: Any = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return str(stacks[0]["StackStatus"])

    def reasons(self) -> str:
        """What the stack's events say about what failed."""
        events = self.cloud.client("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        return " ".join(event.get("ResourceStatusReason", "") for event in events)

    @property
    def id(self) -> str:
        return self.cloud.outputs(self.name)["Id"]

    def api(self) -> dict[str, Any]:
        described: dict[str, Any] = self.cloud.client("apigatewayv2").get_api(ApiId=self.id)
        return described

    def routes(self) -> set[str]:
        items = self.cloud.client("apigatewayv2").get_routes(ApiId=self.id)["Items"]
        return {route["RouteKey"] for route in items}

    def call(self, path: str) -> Any:
        """Call the API; return what the function got, or the status of a refusal."""
        return called(f"{self.cloud.outputs(self.name)['Endpoint']}{path}")


def called(url: str) -> Any:
    """What a function got of a request, or the status of a refusal."""
    address = urlsplit(url)
    connection = HTTPConnection("localhost", address.port or 0, timeout=60)
    connection.request("GET", address.path)
    with closing(connection), connection.getresponse() as response:
        return json.loads(response.read()) if response.status == 200 else response.status


@pytest.fixture(scope="module")
def stack(cloud: LocalCloud) -> Stack:
    return Stack(cloud, Body=document("/films")).deploy()


def test_a_template_with_a_document_makes_an_api_that_answers(stack: Stack) -> None:
    assert stack.status == "CREATE_COMPLETE"
    assert stack.call("/films") == {"route": "GET /films", "version": "2.0"}
    assert stack.call("/actors") == 404
    api = stack.api()
    assert (api["Name"], api["Version"], api["ProtocolType"]) == (stack.name, "1.0", "HTTP")
    assert api["Tags"]["httpapi:createdBy"] == "SAM"


def test_the_events_of_sam_reach_their_function(cloud: LocalCloud) -> None:
    paths = {"$default": {ANY: {**CALLED, "isDefaultRoute": True}}, "/files/{proxy+}": {"get": CALLED}}
    stack = Stack(cloud, Body=document(paths=paths)).deploy()
    assert stack.call("/anything")["route"] == "$default"
    assert stack.call("/files/a/b")["route"] == "GET /files/{proxy+}"


def test_an_update_of_the_document_changes_the_api_in_place(cloud: LocalCloud) -> None:
    cors = {"x-amazon-apigateway-cors": {"allowOrigins": ["https://shop.example"]}}
    stack = Stack(cloud, Body=document("/films", **cors)).deploy()
    before = stack.api()
    assert before["CorsConfiguration"] == {"AllowOrigins": ["https://shop.example"]}
    older = {**PROXY, "payloadFormatVersion": "1.0"}
    paths = {"/actors": {"get": {INTEGRATION: older, "responses": {}}}}
    stack.update(Body=document(paths=paths, info={"title": "actors", "version": "2"}, tags=[]))
    after = stack.api()
    assert (after["ApiId"], after["ApiEndpoint"]) == (before["ApiId"], before["ApiEndpoint"])
    assert (after["Name"], after["Version"], "CorsConfiguration" in after) == ("actors", "2", False)
    assert "httpapi:createdBy" not in after["Tags"]
    assert stack.routes() == {"GET /actors"}
    assert stack.call("/films") == 404
    assert stack.call("/actors") == {"route": "/actors", "version": "1.0"}


def test_an_update_that_fails_leaves_the_api_as_it_was(cloud: LocalCloud) -> None:
    stack = Stack(cloud, Body=document("/films")).deploy()
    stack.update(Body=document("/actors", "/films/{id}x"), FailOnWarnings=True)
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "Warnings found during import" in stack.reasons()
    assert stack.routes() == {"GET /films"}
    assert stack.call("/films")["route"] == "GET /films"


def test_an_api_that_shall_fail_on_warnings_is_not_made(cloud: LocalCloud) -> None:
    stack = Stack(cloud, Body=document("films"), FailOnWarnings=True).deploy()
    assert stack.status == "ROLLBACK_COMPLETE"
    assert "Parse issue: attribute paths. Resource films should start with /" in stack.reasons()
    names = [api["Name"] for api in cloud.client("apigatewayv2").get_apis()["Items"]]
    assert stack.name not in names


def test_a_document_may_be_in_a_bucket(cloud: LocalCloud, stack: Stack) -> None:
    bucket, s3 = f"documents-{uuid.uuid4().hex[:8]}", cloud.client("s3")
    s3.create_bucket(Bucket=bucket)
    integration = {**PROXY, "uri": cloud.outputs(stack.name)["Function"]}
    described = document(paths={"/films": {"get": {INTEGRATION: integration}}}, info={"title": "kept", "version": "1"})
    s3.put_object(Bucket=bucket, Key="shop.yaml", Body=yaml.safe_dump(described).encode())
    kept = Stack(cloud, BodyS3Location={"Bucket": bucket, "Key": "shop.yaml"}).deploy()
    assert (kept.api()["Name"], kept.routes()) == ("kept", {"GET /films"})
    missing = Stack(cloud, BodyS3Location={"Bucket": bucket, "Key": "none.yaml"}).deploy()
    assert f"cannot be read from s3://{bucket}/none.yaml" in missing.reasons()


def test_the_path_of_the_server_may_come_first(cloud: LocalCloud) -> None:
    body = document("/films", servers=[{"url": "https://shop.example/v1"}])
    stack = Stack(cloud, Body=body, BasePath="prepend").deploy()
    assert stack.call("/v1/films")["route"] == "GET /v1/films"
    stack.update(Body=body)
    assert stack.routes() == {"GET /films"}


def test_a_route_may_ask_for_a_signature(enforcing: LocalCloud) -> None:
    schemes = {"AWS_IAM": {"type": "apiKey", "name": "Authorization", "in": "header", **SIGNED}}
    paths = {"/films": {"get": {**CALLED, "security": [{"AWS_IAM": []}]}}, "/actors": {"get": CALLED}}
    stack = Stack(enforcing, Body=document(paths=paths, components={"securitySchemes": schemes})).deploy()
    assert stack.call("/films") == 403
    assert stack.call("/actors")["route"] == "GET /actors"


def test_an_api_that_has_a_document_no_longer_is_another_api(cloud: LocalCloud) -> None:
    stack = Stack(cloud, Body=document("/films")).deploy()
    before = stack.id
    stack.update(Name="shop", ProtocolType="HTTP")
    assert stack.status == "UPDATE_COMPLETE"
    assert (stack.id == before, stack.routes()) == (False, set())
    stack.update(Body=document("/films"))
    assert stack.routes() == {"GET /films"}


def test_the_tags_of_the_stack_are_beside_those_of_the_document(cloud: LocalCloud) -> None:
    stack = Stack(cloud, Body=document("/films")).deploy(Tags=[{"Key": "team", "Value": "a"}])
    tags = stack.api()["Tags"]
    assert (tags["team"], tags["httpapi:createdBy"]) == ("a", "SAM")


def test_an_api_ends_with_its_stack(cloud: LocalCloud) -> None:
    stack = Stack(cloud, Body=document("/films")).deploy()
    api_id = stack.id
    cloud.client("cloudformation").delete_stack(StackName=stack.name)
    cloud.client("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=stack.name, WaiterConfig={"Delay": 1}
    )
    with pytest.raises(ClientError, match="Invalid API identifier"):
        cloud.client("apigatewayv2").get_api(ApiId=api_id)


FORWARDED = {"type": "http_proxy", "httpMethod": "GET", "uri": "https://example.com", "payloadFormatVersion": "1.0"}
AUTHORIZER = {"partners": {"type": "oauth2", "x-amazon-apigateway-authorizer": {"type": "jwt"}}}


@pytest.mark.parametrize(
    ("api", "words"),
    [
        ({"Body": document("/films"), "Name": "shop", "ProtocolType": "HTTP"}, "Redundant fields"),
        ({"Body": document("/films"), "ProtocolType": "WEBSOCKET"}, "Redundant fields"),
        ({"Body": document("/films"), "BodyS3Location": {"Bucket": "b", "Key": "k"}}, "BodyS3Location"),
        ({"ProtocolType": "HTTP"}, "Required property Name is missing"),
        ({"Body": document(paths={"/": {"get": {INTEGRATION: FORWARDED}}})}, "neither other addresses nor VPC links"),
        ({"Body": document("/films", components={"securitySchemes": AUTHORIZER})}, "no authorizers"),
    ],
)
def test_what_there_is_not_is_refused_before_anything_is_made(cloud: LocalCloud, api: Any, words: str) -> None:
    stack = Stack(cloud, **api)
    with pytest.raises(ClientError, match=words):
        stack.deploy()
    with pytest.raises(ClientError, match="does not exist"):
        assert stack.status


def of_function(stack: Stack, *keys: str, **members: Any) -> str:
    """A document for requests, whose routes call the function of a stack."""
    uri = stack.cloud.outputs(stack.name)["Function"]
    operation = {INTEGRATION: {**PROXY, "uri": uri}, "responses": {}}
    paths = {path: {"get": operation} for path in keys}
    return json.dumps(document(**{"paths": paths, "info": {"title": "imported", "version": "1"}, **members}))


def test_a_request_imports_an_api_and_replaces_it(cloud: LocalCloud, stack: Stack) -> None:
    client, functions = cloud.client("apigatewayv2"), cloud.client("lambda")
    api = client.import_api(Body=of_function(stack, "/films"))
    assert (api["Name"], api["Version"], "Warnings" in api) == ("imported", "1", False)
    client.create_stage(ApiId=api["ApiId"], StageName="$default", AutoDeploy=True)
    functions.add_permission(
        FunctionName=cloud.outputs(stack.name)["Function"],
        StatementId=api["ApiId"],
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api['ApiId']}/*",
    )
    assert called(f"{api['ApiEndpoint']}/films")["route"] == "GET /films"
    replaced = client.reimport_api(ApiId=api["ApiId"], Body=of_function(stack, "/actors"))
    assert replaced["ApiEndpoint"] == api["ApiEndpoint"]
    assert called(f"{api['ApiEndpoint']}/films") == 404
    assert called(f"{api['ApiEndpoint']}/actors")["route"] == "GET /actors"
    integrations = client.get_integrations(ApiId=api["ApiId"])["Items"]
    assert [item["IntegrationUri"] for item in integrations] == [cloud.outputs(stack.name)["Function"]]
    client.delete_api(ApiId=api["ApiId"])


def test_a_route_that_cannot_be_is_left_out_with_a_warning(cloud: LocalCloud, stack: Stack) -> None:
    client = cloud.client("apigatewayv2")
    api = client.import_api(Body=of_function(stack, "/films", "/films/{id}x"))
    (warning,) = api["Warnings"]
    assert warning.startswith("Unable to create Route 'GET /films/{id}x': ")
    assert [route["RouteKey"] for route in client.get_routes(ApiId=api["ApiId"])["Items"]] == ["GET /films"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("films: [", "Invalid OpenAPI input"),
        (
            json.dumps({"swagger": "2.0", "info": {"title": "shop"}, "paths": {}}),
            "HTTP APIs take documents of OpenAPI 3",
        ),
        (json.dumps(document(paths={"/": {"get": {INTEGRATION: FORWARDED}}})), "neither other addresses nor VPC links"),
        (json.dumps(document(paths={"/": {"get": {INTEGRATION: PROXY}}})), "Invalid function ARN"),
    ],
)
def test_a_request_with_a_document_that_cannot_be_read_changes_nothing(
    cloud: LocalCloud, stack: Stack, body: str, words: str
) -> None:
    client = cloud.client("apigatewayv2")
    before = [api["ApiId"] for api in client.get_apis()["Items"]]
    with pytest.raises(client.exceptions.BadRequestException, match=words):
        client.import_api(Body=body)
    with pytest.raises(client.exceptions.BadRequestException, match=words):
        client.reimport_api(ApiId=stack.id, Body=body)
    assert [api["ApiId"] for api in client.get_apis()["Items"]] == before
    assert stack.routes() == {"GET /films"}


def test_warnings_fail_an_import_that_shall_fail_on_them(cloud: LocalCloud, stack: Stack) -> None:
    client = cloud.client("apigatewayv2")
    with pytest.raises(client.exceptions.BadRequestException, match="Warnings found during import:\n\tParse issue"):
        client.import_api(Body=of_function(stack, "films"), FailOnWarnings=True)
    with pytest.raises(client.exceptions.BadRequestException, match="Invalid basepath keep"):
        client.import_api(Body=of_function(stack, "/films"), Basepath="keep")
    with pytest.raises(client.exceptions.NotFoundException):
        client.reimport_api(ApiId="none", Body=of_function(stack, "/films"))
