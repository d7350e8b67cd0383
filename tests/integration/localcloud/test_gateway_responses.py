"""Gateway responses: how an API changes the answers with which it refuses requests, and what the API says of them."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from localcloud import LocalCloud
from tests.integration.localcloud.test_event_invoke_configs import refusal
from tests.integration.localcloud.test_rest_api_documents import Stack, called, swagger
from tests.integration.localcloud.test_rest_apis import Api

TEMPLATE = (
    '{"said": $context.error.messageString, "type": "$context.error.responseType", "stage": "$context.stage", '
    '"size": "$stageVariables.size", "path": "$context.path", "by": "$context.resourcePath", '
    '"query": "$method.request.querystring.q", "none": "$context.authorizer.claims.sub"}'
)
DEFAULT = '{"message":$context.error.messageString}'
CONSTRAINT = (
    "Value 'FAKE' at 'responseType' failed to satisfy constraint: Member must satisfy enum value set: [REQUEST_"
)


def header(name: str) -> str:
    return f"gatewayresponse.header.{name}"


def respond(api: Api, kind: str, **settings: Any) -> dict[str, Any]:
    """Add a gateway response to a template, which the next deployment deploys; return its properties."""
    properties = {"RestApiId": {"Ref": "Api"}, "ResponseType": kind, **settings}
    logical = f"Response{re.sub('_', '', kind)}"
    api.resources[logical] = {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": properties}
    for name, body in api.resources.items():
        if name.startswith("Deployment"):
            body["DependsOn"].append(logical)
    return properties


# What callers get


def test_an_api_says_status_headers_and_body_of_a_refusal(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets")
    parameters = {
        header("Access-Control-Allow-Origin"): "'*'",
        header("X-Agent"): "method.request.header.X-Agent",
        header("X-Query"): "method.request.querystring.q",
        header("X-Stage"): "context.stage",
        header("X-Size"): "stageVariables.size",
        header("X-Absent"): "method.request.header.Absent",
    }
    templates = {"application/json": TEMPLATE, "application/xml": "<m>$context.error.message</m>"}
    kind = "MISSING_AUTHENTICATION_TOKEN"
    respond(api, kind, StatusCode="404", ResponseParameters=parameters, ResponseTemplates=templates)
    api.deploy()
    status, headers, body = api.request("/absent?q=7", X_Agent="curl")
    assert status == 404
    assert json.loads(body) == {
        "said": "Missing Authentication Token",
        "type": kind,
        "stage": "prod",
        "size": "small",
        "path": "/prod/absent",
        "by": "",
        "query": "7",
        "none": "",
    }
    mapped = {
        "access-control-allow-origin": "*",
        "x-agent": "curl",
        "x-query": "7",
        "x-stage": "prod",
        "x-size": "small",
    }
    assert headers.items() >= {**mapped, "x-amzn-errortype": "MissingAuthenticationTokenException"}.items()
    assert "x-absent" not in headers
    status, headers, body = api.request("/absent", Accept="application/xml")
    assert (status, headers["content-type"], body) == (404, "application/xml", b"<m>Missing Authentication Token</m>")
    assert api.request("/pets")[0] == 200


def test_other_refusals_take_the_defaults_of_their_class(cloud: LocalCloud) -> None:
    api = Api(cloud, "ANY /{proxy+}")
    api.add("GET /mine", ApiKeyRequired=True)
    respond(api, "DEFAULT_4XX", StatusCode="418", ResponseTemplates={"application/json": TEMPLATE})
    respond(api, "INVALID_API_KEY", ResponseParameters={header("X-Path"): "method.request.path.proxy"})
    respond(api, "DEFAULT_5XX", ResponseParameters={header("X-Kind"): "context.error.responseType"})
    api.deploy()
    status, _, body = api.request("/")
    assert (status, json.loads(body)["type"]) == (418, "MISSING_AUTHENTICATION_TOKEN")
    status, headers, body = api.request("/mine")
    assert (status, body, "x-path" in headers) == (403, b'{"message":"Forbidden"}', False)
    status, headers, body = api.request("/fails")
    assert (status, headers["x-kind"], body) == (502, "DEFAULT_5XX", b'{"message":"Internal server error"}')
    del api.resources["Permission"]
    api.deploy("update_stack")
    status, headers, _ = api.request("/pets")
    assert (status, headers["x-kind"]) == (500, "API_CONFIGURATION_ERROR")


def test_a_parameter_of_the_path_becomes_a_header(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets/{id}", method={"ApiKeyRequired": True})
    respond(api, "INVALID_API_KEY", StatusCode="401", ResponseParameters={header("X-Id"): "method.request.path.id"})
    api.deploy()
    status, headers, body = api.request("/pets/7")
    assert (status, headers["x-id"], body) == (401, "7", b'{"message":"Forbidden"}')


def test_refusals_of_callers_have_types_of_their_own(enforcing: LocalCloud) -> None:
    api = Api(enforcing, "GET /pets", method={"AuthorizationType": "AWS_IAM"})
    for kind, status in (
        ("ACCESS_DENIED", "461"),
        ("INVALID_SIGNATURE", "462"),
        ("MISSING_AUTHENTICATION_TOKEN", "463"),
    ):
        respond(api, kind, StatusCode=status)
    api.deploy()
    iam = enforcing.client("iam")
    iam.create_user(UserName=api.name)
    key = iam.create_access_key(UserName=api.name)["AccessKey"]
    user = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    wrong = Credentials(key["AccessKeyId"], "wrong")
    status, _, body = api.request("/pets", **api.signed("/pets", user))
    assert (status, [*json.loads(body)]) == (461, ["Message"])
    assert api.request("/pets", **api.signed("/pets", wrong))[0] == 462
    assert api.request("/pets")[0] == 463


def test_a_slow_function_and_an_unknown_type_have_types_of_their_own(cloud: LocalCloud) -> None:
    integration = {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}}
    integration |= {"IntegrationResponses": [{"StatusCode": "200"}], "PassthroughBehavior": "NEVER"}
    api = Api(cloud, "POST /pets", method={"Integration": integration, "MethodResponses": [{"StatusCode": "200"}]})
    respond(api, "UNSUPPORTED_MEDIA_TYPE", StatusCode="477")
    respond(api, "INTEGRATION_TIMEOUT", StatusCode="577")
    slow = api.add("GET /slow")
    slow["Integration"] |= {"TimeoutInMillis": 50}
    api.resources["Function"]["Properties"]["Code"] = {
        "ZipFile": "import time\ndef handler(event, context):\n    time.sleep(0.2)\n    return {'statusCode': 200}"
    }
    api.deploy()
    assert api.request("/pets", "POST", b"a", Content_Type="text/plain")[0] == 477
    assert api.request("/slow")[0] == 577


def test_a_gateway_response_counts_when_it_is_deployed(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets").deploy()
    client = cloud.client("apigateway")
    client.put_gateway_response(restApiId=api.id, responseType="DEFAULT_4XX", statusCode="418")
    assert api.request("/absent")[0] == 403
    client.create_deployment(restApiId=api.id, stageName="prod")
    assert api.request("/absent")[0] == 418
    client.delete_gateway_response(restApiId=api.id, responseType="DEFAULT_4XX")
    assert api.request("/absent")[0] == 418
    client.create_deployment(restApiId=api.id, stageName="prod")
    assert api.request("/absent")[0] == 403


def test_a_stack_changes_and_resets_a_gateway_response(cloud: LocalCloud) -> None:
    api = Api(cloud, "GET /pets")
    response = respond(api, "DEFAULT_4XX", StatusCode="418")
    api.deploy()
    response["StatusCode"] = 419
    api.deployed().deploy("update_stack")
    assert api.request("/absent")[0] == 419
    del api.resources["ResponseDEFAULT4XX"]
    api.deployed().deploy("update_stack")  # which deploys before it deletes
    assert api.request("/absent")[0] == 419
    api.deployed().deploy("update_stack")
    assert api.request("/absent")[0] == 403
    described = cloud.client("apigateway").get_gateway_response(restApiId=api.id, responseType="DEFAULT_4XX")
    assert (described["defaultResponse"], "statusCode" in described) == (True, False)


def test_a_document_has_gateway_responses(cloud: LocalCloud) -> None:
    responses = {
        "MISSING_AUTHENTICATION_TOKEN": {
            "statusCode": 404,
            "responseParameters": {header("X-A"): "'b'"},
            "responseTemplates": {"application/json": TEMPLATE},
        },
        "DEFAULT_5XX": {},
    }
    document = swagger({"/pets": {"get": called()}}, **{"x-amazon-apigateway-gateway-responses": responses})
    stack, client = Stack(cloud, Body=document).deploy(), cloud.client("apigateway")
    described = client.get_gateway_response(restApiId=stack.id, responseType="MISSING_AUTHENTICATION_TOKEN")
    assert (described["statusCode"], described["responseParameters"]) == ("404", {header("X-A"): "'b'"})
    assert client.get_gateway_response(restApiId=stack.id, responseType="DEFAULT_5XX")["defaultResponse"] is False
    stack.deploy("update_stack", Body=swagger({"/pets": {"get": called()}}))
    listed = client.get_gateway_responses(restApiId=stack.id)["items"]
    assert all(response["defaultResponse"] for response in listed)
    merged = {"swagger": "2.0", "info": {"title": "t"}, "x-amazon-apigateway-gateway-responses": responses}
    client.put_rest_api(restApiId=stack.id, mode="merge", body=json.dumps(merged).encode())
    assert sum(not one["defaultResponse"] for one in client.get_gateway_responses(restApiId=stack.id)["items"]) == 2
    merged["x-amazon-apigateway-gateway-responses"] = {"TEAPOT": {}}
    code, message = refusal(client.put_rest_api, restApiId=stack.id, body=json.dumps(merged).encode())
    assert (code, "'TEAPOT' at 'responseType'" in message) == ("BadRequestException", True)


# The API


@pytest.fixture
def client(cloud: LocalCloud) -> Any:
    """A client that sends what it would refuse itself."""
    keys = [cloud.environment()[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    session = boto3.Session(*keys, region_name="us-east-1")
    return session.client("apigateway", endpoint_url=cloud.endpoint, config=Config(parameter_validation=False))


@pytest.fixture
def api(client: Any) -> str:
    """The id of an API without methods."""
    return str(client.create_rest_api(name="refusals")["id"])


def test_each_type_has_a_response_that_may_be_set_and_reset(client: Any, api: str) -> None:
    kind = {"restApiId": api, "responseType": "MISSING_AUTHENTICATION_TOKEN"}

    def response() -> dict[str, Any]:
        return {name: item for name, item in client.get_gateway_response(**kind).items() if name != "ResponseMetadata"}

    default = {
        "responseType": "MISSING_AUTHENTICATION_TOKEN",
        "statusCode": "403",
        "defaultResponse": True,
        "responseParameters": {},
        "responseTemplates": {"application/json": DEFAULT},
    }
    assert response() == default
    parameters = {header("x-a"): "method.request.header.Accept"}
    client.put_gateway_response(**kind, responseParameters=parameters)
    assert response() == {**default, "defaultResponse": False, "responseParameters": parameters}
    client.put_gateway_response(**kind, statusCode="404")
    assert response() == {**default, "defaultResponse": False, "statusCode": "404"}
    assert client.delete_gateway_response(**kind)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert response() == default
    assert refusal(client.delete_gateway_response, **kind) == (
        "NotFoundException",
        "Gateway response type not defined on api",
    )


def test_types_that_are_not_set_are_described_by_the_defaults_of_their_class(client: Any, api: str) -> None:
    client.put_gateway_response(
        restApiId=api, responseType="DEFAULT_5XX", statusCode="599", responseParameters={header("a"): "'b'"}
    )
    client.put_gateway_response(restApiId=api, responseType="AUTHORIZER_FAILURE")
    listed = {one["responseType"]: one for one in client.get_gateway_responses(restApiId=api)["items"]}
    assert len(listed) == 21
    assert [*listed] == sorted(listed)
    shown = {
        kind: (one.get("statusCode"), one["responseParameters"], one["defaultResponse"]) for kind, one in listed.items()
    }
    assert shown["INTEGRATION_TIMEOUT"] == ("599", {header("a"): "'b'"}, True)
    assert shown["AUTHORIZER_FAILURE"] == ("500", {}, False)
    assert shown["THROTTLED"] == ("429", {}, True)
    assert shown["DEFAULT_4XX"] == (None, {}, True)


def test_a_patch_changes_a_response(client: Any, api: str) -> None:
    kind = {"restApiId": api, "responseType": "DEFAULT_4XX"}
    patch = {"op": "replace", "path": "/statusCode", "value": "444"}
    updated = client.update_gateway_response(**kind, patchOperations=[patch])
    assert (updated["statusCode"], updated["defaultResponse"], updated["responseParameters"]) == ("444", False, {})
    patches = [
        {"op": "add", "path": "/responseTemplates/application~1xml", "value": "<m/>"},
        {"op": "add", "path": f"/responseParameters/{header('a')}", "value": "'b'"},
        {"op": "replace", "path": f"/responseParameters/{header('a')}", "value": "'c'"},
    ]
    updated = client.update_gateway_response(**kind, patchOperations=patches)
    assert updated["responseTemplates"] == {"application/xml": "<m/>"}
    assert (updated["statusCode"], updated["responseParameters"]) == ("444", {header("a"): "'c'"})
    removed = [{"op": "remove", "path": f"/responseParameters/{header('a')}"}]
    assert client.update_gateway_response(**kind, patchOperations=removed)["responseParameters"] == {}


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        ({"op": "add", "path": "/statusCode", "value": "444"}, "BadRequestException", "Invalid patch path /statusCode"),
        ({"op": "remove", "path": "/statusCode"}, "BadRequestException", "Invalid patch path /statusCode"),
        ({"op": "add", "value": "a"}, "BadRequestException", "Invalid patch path null"),
        ({"op": "add", "path": "/wrongPath", "value": "a"}, "BadRequestException", "Invalid patch path /wrongPath"),
        (
            {"op": "replace", "path": f"/responseParameters/{header('a')}", "value": "'b'"},
            "NotFoundException",
            "Invalid parameter name specified",
        ),
        (
            {"op": "replace", "path": "/responseTemplates/application~1xml"},
            "BadRequestException",
            "Invalid null or empty value in responseTemplates",
        ),
    ],
)
def test_a_patch_of_another_form_is_refused(
    client: Any, api: str, patch: dict[str, str], code: str, message: str
) -> None:
    kind = {"restApiId": api, "responseType": "DEFAULT_4XX"}
    assert refusal(client.update_gateway_response, **kind, patchOperations=[patch]) == (code, message)
    assert client.get_gateway_response(**kind)["defaultResponse"] is True


@pytest.mark.parametrize("operation", ["put", "get", "update", "delete"])
def test_a_type_or_an_api_that_there_is_not_is_refused(client: Any, api: str, operation: str) -> None:
    call = getattr(client, f"{operation}_gateway_response")
    code, message = refusal(call, restApiId=api, responseType="FAKE")
    assert (code, CONSTRAINT in message) == ("ValidationException", True)
    assert refusal(call, restApiId="absent", responseType="DEFAULT_4XX") == (
        "NotFoundException",
        "Invalid API identifier specified 123456789012:absent",
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"statusCode": "600"}, "StatusCode"),
        ({"responseParameters": {"header.a": "'b'"}}, "header.a"),
        ({"responseParameters": {header("a"): "b"}}, "text between quotation marks"),
        ({"responseParameters": {header("a"): "method.request.body"}}, "text between quotation marks"),
    ],
)
def test_a_response_that_no_caller_could_get_is_refused(
    client: Any, api: str, settings: dict[str, Any], words: str
) -> None:
    code, message = refusal(client.put_gateway_response, restApiId=api, responseType="DEFAULT_4XX", **settings)
    assert (code, words in message) == ("BadRequestException", True), message
