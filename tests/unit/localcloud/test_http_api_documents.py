"""What API Gateway reads in an OpenAPI document of an HTTP API, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from moto.apigatewayv2.exceptions import BadRequestException

from localcloud.services.apigatewayv2.documents import Document, read
from localcloud.services.rules import RuleError

ARN = "arn:aws:lambda:us-east-1:123456789012:function:shop"
PROXY = {"type": "aws_proxy", "httpMethod": "POST", "uri": ARN, "payloadFormatVersion": "2.0"}
ANY, INTEGRATION = "x-amazon-apigateway-any-method", "x-amazon-apigateway-integration"
CALLED = {INTEGRATION: PROXY, "responses": {}}
SIGNED = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}


def document(**members: Any) -> dict[str, Any]:
    """A document with one route, and with other members."""
    info = {"title": "shop", "version": "1.0"}
    return {"openapi": "3.0.1", "info": info, "paths": {"/films": {"get": CALLED}}, **members}


def read_of(base_path: str = "ignore", **members: Any) -> Document:
    return read(json.dumps(document(**members)), base_path)


def keys(base_path: str = "ignore", **members: Any) -> list[str]:
    return [route.key for route in read_of(base_path, **members).routes]


def warnings(**members: Any) -> list[str]:
    return read_of(**members).warnings


def operation(**members: Any) -> dict[str, Any]:
    """The paths of a document whose one operation has other members."""
    return {"/films": {"get": {**CALLED, **members}}}


def test_json_and_yaml_say_the_same() -> None:
    described = document()
    assert read(yaml.safe_dump(described)) == read(json.dumps(described)) == read(json.dumps(described, indent="\t"))


def test_an_api_is_called_as_its_document_says() -> None:
    info = {"title": "shop", "version": 1.0, "description": "what people order"}
    tags = [{"name": "team", "x-amazon-apigateway-tag-value": "a"}, {"name": "films", "description": "no tag"}]
    servers = [{"x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": True}}]
    cors = {"allowOrigins": ["https://shop.example"], "maxAge": 9, "allowCredentials": True}
    members: dict[str, Any] = {"info": info, "tags": tags, "servers": servers, "x-amazon-apigateway-cors": cors}
    described = read_of(**members)
    assert (described.name, described.version, described.description) == ("shop", "1.0", "what people order")
    assert (described.tags, described.cors, described.is_disabled) == ({"team": "a"}, cors, True)
    assert described.warnings == []


def test_each_method_of_a_path_is_a_route() -> None:
    paths = {
        "/": {"get": CALLED},
        "/films/{id}": {"get": CALLED, "delete": CALLED, "parameters": [], "summary": "a film"},
        "/files/{proxy+}": {ANY: CALLED},
        "/$default": {ANY: CALLED},
        "x-extension": {},
    }
    expected = ["GET /", "GET /films/{id}", "DELETE /films/{id}", "ANY /files/{proxy+}", "$default"]
    assert keys(paths=paths) == expected
    assert warnings(paths=paths) == []


def test_an_integration_is_inline_or_shared() -> None:
    reference = {"$ref": "#/components/x-amazon-apigateway-integrations/films"}
    shared = {"x-amazon-apigateway-integrations": {"films": {**PROXY, "timeoutInMillis": 900}}}
    (inline,) = read_of().routes
    (referring,) = read_of(paths=operation(**{INTEGRATION: reference}), components=shared).routes
    assert inline.integration == {
        "IntegrationType": "AWS_PROXY",
        "IntegrationMethod": "POST",
        "IntegrationUri": ARN,
        "PayloadFormatVersion": "2.0",
    }
    assert referring.integration == {**inline.integration, "TimeoutInMillis": 900}


def test_members_that_are_for_rest_apis_are_ignored() -> None:
    of_rest = {"passthroughBehavior": "when_no_match", "responses": {"default": {}}, "cacheNamespace": "a"}
    (route,) = read_of(paths=operation(**{INTEGRATION: {**PROXY, **of_rest}})).routes
    assert route.integration == read_of().routes[0].integration


def test_a_number_is_taken_for_the_version_of_a_format() -> None:
    (route,) = read_of(paths=operation(**{INTEGRATION: {**PROXY, "payloadFormatVersion": 1.0}})).routes
    assert route.integration is not None
    assert route.integration["PayloadFormatVersion"] == "1.0"


def test_variables_stand_for_the_account_and_the_region() -> None:
    uri = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:shop"
    (route,) = read_of(paths=operation(**{INTEGRATION: {**PROXY, "uri": uri}})).routes
    assert route.integration == read_of().routes[0].integration


def test_an_operation_without_an_integration_is_a_route_without_one() -> None:
    (route,) = read_of(paths={"/films": {"get": {"responses": {}, "operationId": "films"}}}).routes
    assert (route.key, route.integration, route.operation) == ("GET /films", None, "films")


@pytest.mark.parametrize(
    ("members", "of_document", "expected"),
    [
        ({}, {}, "NONE"),
        ({"security": [{"signed": []}]}, {}, "AWS_IAM"),
        ({}, {"security": [{"signed": []}]}, "AWS_IAM"),
        ({"security": []}, {"security": [{"signed": []}]}, "NONE"),
        ({"security": None}, {"security": [{"signed": []}]}, "AWS_IAM"),
        ({"security": [{"NONE": []}]}, {"security": [{"signed": []}]}, "NONE"),
        ({"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}, {}, "AWS_IAM"),
        ({"x-amazon-apigateway-auth": {"type": "NONE"}}, {}, "NONE"),
        ({"x-amazon-apigateway-auth": {"type": "NONE"}, "security": [{"signed": []}]}, {}, "AWS_IAM"),
    ],
)
def test_a_route_asks_for_a_signature_where_its_security_does(
    members: dict[str, Any], of_document: dict[str, Any], expected: str
) -> None:
    components = {"securitySchemes": {"signed": SIGNED}}
    (route,) = read_of(paths=operation(**members), components=components, **of_document).routes
    assert route.authorization == expected


@pytest.mark.parametrize(
    ("base_path", "expected"),
    [("ignore", ["GET /", "GET /e"]), ("prepend", ["GET /a/b", "GET /a/b/e"]), ("split", ["GET /b", "GET /b/e"])],
)
@pytest.mark.parametrize(
    "server",
    [
        {"url": "https://shop.example/a/b"},
        {"url": "https://shop.example/{basePath}", "variables": {"basePath": {"default": "/a/b"}}},
        {"url": "/a/b/"},
    ],
)
def test_the_path_of_the_server_is_ignored_put_first_or_split(
    base_path: str, expected: list[str], server: dict[str, Any]
) -> None:
    paths = {"/": {"get": CALLED}, "/e": {"get": CALLED}, "/$default": {ANY: CALLED}}
    assert keys(base_path, servers=[server], paths=paths) == [*expected, "$default"]


@pytest.mark.parametrize(
    ("members", "warning"),
    [
        ({"info": {"title": "shop"}}, "attribute info.version is missing"),
        ({"paths": None}, "attribute paths is missing"),
        ({"paths": {"$default": {ANY: CALLED}}}, "attribute paths. Resource $default should start with /"),
        ({"paths": {"/films": {"fetch": CALLED}}}, "attribute paths.'/films'.fetch is unexpected"),
        ({"paths": {"/films": {"GET": CALLED}}}, "attribute paths.'/films'.GET is unexpected"),
        ({"paths": {"/films": []}}, "attribute paths.'/films' is not of type `object`"),
        ({"paths": {"/films": {"get": []}}}, "attribute paths.'/films'(get) is not of type `object`"),
        ({"paths": {"/films": {"get": {INTEGRATION: PROXY}}}}, "attribute paths.'/films'(get).responses is missing"),
    ],
)
def test_what_is_not_as_openapi_wants_it_is_a_warning(members: dict[str, Any], warning: str) -> None:
    assert warnings(**members) == [f"Parse issue: {warning}"]


def test_a_path_of_sam_without_a_slash_is_the_default_route() -> None:
    assert keys(paths={"$default": {ANY: {**CALLED, "isDefaultRoute": True}}}) == ["$default"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "neither JSON nor YAML"),
        ("a: [", "neither JSON nor YAML"),
        ("", "not an object"),
        ("[]", "not an object"),
        ("films", "not an object"),
        ("{}", "OpenAPI 3.0, and this one has no version"),
        ('{"swagger": "2.0"}', "OpenAPI 3.0, and this one has swagger: 2.0"),
        (json.dumps(document(openapi="3.1.0")), "OpenAPI 3.0, and this one has openapi: 3.1.0"),
        (json.dumps(document(info=None)), "no name"),
        (json.dumps(document(info={"version": "1"})), "no name"),
        (json.dumps(document(info="shop")), "info is not an object"),
        (json.dumps(document(paths=["/films"])), "paths is not an object"),
        (json.dumps(document(tags={"a": "b"})), "tags are not a list"),
        (json.dumps({**document(), "x-amazon-apigateway-importexport-version": "2.0"}), "importexport-version is 1.0"),
        (json.dumps({**document(), "x-amazon-apigateway-cors": {"origins": ["*"]}}), "cors has no origins"),
        (json.dumps({**document(), "x-amazon-apigateway-cors": {"allowOrigins": "*"}}), "is not a list"),
        (json.dumps({**document(), "x-amazon-apigateway-cors": {"maxAge": True}}), "is not a number"),
        (json.dumps({**document(), "x-amazon-apigateway-cors": {"allowOrigins": [1]}}), "are not texts"),
        (json.dumps(document(servers={"url": "/a"})), "servers is not a list of objects"),
        (json.dumps(document(servers=[{"url": "https://[a"}])), "does not have a valid URL"),
        (json.dumps(document(paths={"/films": {"$ref": "films.yaml"}})), "no reference in the place of the path"),
        (json.dumps(document(paths=operation(**{INTEGRATION: "films"}))), "is not an object"),
        (json.dumps(document(paths=operation(**{INTEGRATION: {"$ref": "#/a/b"}}))), "no integration #/a/b"),
        (json.dumps(document(paths=operation(**{"x-amazon-apigateway-auth": "AWS_IAM"}))), "auth is not an object"),
        (json.dumps(document(paths=operation(security="signed"))), "not a list of objects"),
        (json.dumps(document(paths=operation(**{INTEGRATION: {**PROXY, "timeoutInMillis": "1s"}}))), "a whole number"),
        (json.dumps(document(paths=operation(security=[{"a": []}, {"b": []}]))), "several security requirements"),
        (json.dumps(document(paths=operation(security=[{"oauth": []}]))), "security scheme oauth names nobody"),
    ],
)
def test_a_document_of_which_no_api_can_be_made_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadRequestException) as refused:
        read(text)
    assert refused.value.message.startswith("Invalid OpenAPI input. ")
    assert words in refused.value.message


def test_only_three_ways_to_read_a_base_path_are_taken() -> None:
    with pytest.raises(BadRequestException, match="Invalid basepath keep"):
        read_of("keep")


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ({"type": "http_proxy", "uri": "https://example.com"}, "neither other addresses nor VPC links"),
        ({"type": "mock"}, "neither other addresses nor VPC links"),
        ({"connectionType": "VPC_LINK", "connectionId": "l"}, "neither other addresses nor VPC links"),
        ({"requestParameters": {"append:header.a": "b"}}, "RequestParameters is not allowed here"),
        ({"responseParameters": {"200": {}}}, "ResponseParameters is not allowed here"),
        ({"credentials": "arn:aws:iam::123456789012:role/r"}, "CredentialsArn is not allowed here"),
        ({"credentials": {"Ref": "Role"}}, "CredentialsArn is not allowed here"),
        ({"requestParameters": {"Ref": "Parameters"}}, "RequestParameters is not allowed here"),
        ({"integrationSubtype": "SQS-SendMessage"}, "IntegrationSubtype is not allowed here"),
        ({"timeoutInMillis": 30_001}, "above the maximum of 30000"),
        ({"payloadFormatVersion": None}, "PayloadFormatVersion is missing"),
        ({"payloadFormatVersion": "3.0"}, "is not one of 1.0, 2.0"),
        ({"uri": None}, "IntegrationUri is missing"),
    ],
)
def test_integrations_follow_the_rules_of_those_without_a_document(member: dict[str, Any], words: str) -> None:
    with pytest.raises(RuleError) as refused:
        read_of(paths=operation(**{INTEGRATION: {**PROXY, **member}}))
    assert refused.value.code == "BadRequestException"
    assert refused.value.message.startswith("get /films: ")
    assert words in refused.value.message


@pytest.mark.parametrize("kind", ["jwt", "request"])
def test_authorizers_are_refused(kind: str) -> None:
    schemes = {"partners": {"type": "oauth2", "x-amazon-apigateway-authorizer": {"type": kind}}}
    with pytest.raises(RuleError, match="no authorizers"):
        read_of(paths=operation(security=[{"partners": []}]), components={"securitySchemes": schemes})
