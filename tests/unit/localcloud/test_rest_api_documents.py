"""OpenAPI documents of REST APIs: what is read of them, and what is not a document of API Gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.apigatewayv2.exceptions import BadRequestException

from localcloud.services.apigateway import documents
from localcloud.services.apigateway.documents import Definition

INTEGRATION = "x-amazon-apigateway-integration"
URI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations"


def defined(paths: dict[str, Any], base_path: str = "ignore", **document: Any) -> Definition:
    whole = {"swagger": "2.0", "info": {"title": "pets"}, "paths": paths, **document}
    return documents.definition(documents.read(json.dumps(whole)), base_path)


def method(operation: dict[str, Any], **document: Any) -> dict[str, Any]:
    """The properties of the only method of a document."""
    (found,) = defined({"/a": {"get": operation}}, **document).operations
    return found.properties


@pytest.mark.parametrize(
    "text", ['{"swagger": "2.0", "info": {}}', "openapi: 3.0.3\ninfo: {}", b"swagger: 2.0\ninfo:\n"]
)
def test_documents_in_json_and_yaml_are_read(text: str | bytes) -> None:
    assert "info" in documents.read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{a: [", "neither JSON nor YAML"),
        (b"\xff", "neither JSON nor YAML"),
        ("[1]", "not an object"),
        ("hello", "not an object"),
        ('{"info": {}}', "neither swagger nor openapi"),
        ('{"swagger": "1.2", "info": {}}', "Its version is 1.2"),
        ('{"openapi": "3.1.0", "info": {}}', "Its version is 3.1.0"),
        ('{"swagger": "2.0"}', "no info"),
        ('{"swagger": "2.0", "info": "a"}', "info is not an object"),
        ('{"swagger": "2.0", "info": {}, "paths": []}', "paths is not an object"),
    ],
)
def test_what_is_no_document_is_refused(text: str | bytes, words: str) -> None:
    with pytest.raises(BadRequestException, match=rf"Invalid OpenAPI input\. .*{words}"):
        documents.read(text)


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ({"a": {}}, "The path a does not begin with a slash"),
        ({"/a": {"fetch": {}}}, "The path /a has fetch, which is not a method"),
        ({"/a": {"$ref": "#/b"}}, "no reference in the place of the path /a"),
        ({"/a": {"get": "b"}}, "Its get is not an object"),
        ({"/a": {"get": {"parameters": {}, "security": "x"}}}, "security is not a list of objects"),
        ({"/a": {"get": {INTEGRATION: {"type": "lambda"}}}}, "malformed integration at path /a"),
        ({"/a": {"get": {INTEGRATION: {"uri": URI}}}}, "malformed integration at path /a"),
        ({"/a": {"get": {INTEGRATION: {"type": "aws_proxy", "uri": {"Fn::Sub": URI}}}}}, "malformed integration"),
        ({"/a": {"get": {INTEGRATION: {"type": "mock", "timeoutInMillis": "long"}}}}, "malformed integration"),
        ({"/a": {"get": {INTEGRATION: {"type": "mock", "responses": {"default": {}}}}}}, "malformed integration"),
        ({"/a": {"get": {INTEGRATION: {"type": "mock", "requestTemplates": {"a/b": {"c": 1}}}}}}, "malformed"),
    ],
)
def test_methods_of_another_form_are_refused(paths: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequestException, match=words):
        defined(paths)


def test_an_api_needs_a_title() -> None:
    with pytest.raises(BadRequestException, match="no name"):
        defined({}, info={"version": "1"})


def test_a_document_says_what_the_api_is_like() -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    document: dict[str, Any] = {
        "x-amazon-apigateway-policy": policy,
        "x-amazon-apigateway-binary-media-types": ["image/png"],
        "x-amazon-apigateway-api-key-source": "HEADER",
        "x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": True},
    }
    settings = defined({}, info={"title": "pets", "description": "of all kinds"}, **document).settings
    assert settings == {
        "name": "pets",
        "description": "of all kinds",
        "policy": json.dumps(policy),
        "binaryMediaTypes": ["image/png"],
        "apiKeySource": "HEADER",
        "disableExecuteApiEndpoint": True,
    }


def test_settings_of_a_template_come_before_those_of_its_document() -> None:
    document = documents.read('{"openapi": "3.0.1", "info": {"title": "a", "description": "b"}}')
    document["x-amazon-apigateway-binary-media-types"] = ["a/b"]
    settings = {"Name": "shop", "BinaryMediaTypes": ["c/d"], "DisableExecuteApiEndpoint": "true"}
    changed = documents.definition(documents.with_settings(document, settings)).settings
    assert (changed["name"], changed["description"]) == ("shop", "b")
    assert (changed["binaryMediaTypes"], changed["disableExecuteApiEndpoint"]) == (["a/b", "c/d"], True)
    assert document["info"]["title"] == "a"


def test_an_integration_has_the_properties_of_a_template() -> None:
    integration: dict[str, Any] = {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": URI,
        "passthroughBehavior": "when_no_match",
    }
    integration |= {"timeoutInMillis": "50", "payloadFormatVersion": "2.0", "cacheKeyParameters": []}
    answers = {"default": {"statusCode": 200}, "4\\d{2}": {"statusCode": "400", "responseTemplates": {"a/b": "c"}}}
    assert method({INTEGRATION: {**integration, "responses": answers}})["Integration"] == {
        "Type": "AWS_PROXY",
        "IntegrationHttpMethod": "POST",
        "Uri": URI,
        "PassthroughBehavior": "WHEN_NO_MATCH",
        "TimeoutInMillis": 50,
        "IntegrationResponses": [
            {"StatusCode": "200"},
            {"StatusCode": "400", "SelectionPattern": "4\\d{2}", "ResponseTemplates": {"a/b": "c"}},
        ],
    }


def test_a_method_without_an_integration_is_read() -> None:
    found = method({"operationId": "list", "responses": {"200": {"headers": {"X-One": {}}}, "default": {}}})
    assert found == {
        "HttpMethod": "GET",
        "AuthorizationType": "NONE",
        "ApiKeyRequired": False,
        "OperationName": "list",
        "MethodResponses": [{"StatusCode": "200", "ResponseParameters": {"method.response.header.X-One": False}}],
    }


def test_parameters_of_requests_are_kept() -> None:
    query = {"name": "q", "in": "query"}
    item = {
        "parameters": [{"name": "id", "in": "path", "required": True}],
        "get": {"parameters": [{"$ref": "#/parameters/q"}, {"name": "b", "in": "body"}, {"name": "c", "in": "cookie"}]},
    }
    (found,) = defined({"/{id}": item}, parameters={"q": query}).operations
    assert found.properties["RequestParameters"] == {
        "method.request.path.id": True,
        "method.request.querystring.q": False,
    }


KEY = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
SIGNED = {"type": "apiKey", "in": "header", "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4"}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({}, ("NONE", False)),
        ({"security": [{"key": []}]}, ("NONE", True)),
        ({"security": [{"key": [], "iam": []}]}, ("AWS_IAM", True)),
        ({"security": [{"iam": []}]}, ("AWS_IAM", False)),
        ({"security": [{"NONE": []}]}, ("NONE", False)),
        ({"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}, ("AWS_IAM", False)),
        ({"x-amazon-apigateway-auth": {"type": "NONE"}, "security": [{"iam": []}]}, ("AWS_IAM", False)),
        ({"x-amazon-apigateway-auth": {"type": "CUSTOM"}}, ("CUSTOM", False)),
    ],
)
@pytest.mark.parametrize("version", ["swagger", "openapi"])
def test_each_method_says_who_may_call_it(operation: dict[str, Any], expected: tuple[str, bool], version: str) -> None:
    schemes = {"key": KEY, "iam": SIGNED}
    ways: dict[str, Any] = {
        "swagger": {"securityDefinitions": schemes},
        "openapi": {"components": {"securitySchemes": schemes}},
    }
    found = method(operation, security=[{"key": []}], **ways[version])
    assert (found["AuthorizationType"], found["ApiKeyRequired"]) == expected


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [("ignore", ["/", "/e"]), ("prepend", ["/a/b/c", "/a/b/c/e"]), ("split", ["/b/c", "/b/c/e"])],
)
@pytest.mark.parametrize(
    "document",
    [
        {"basePath": "/a/b/c"},
        {
            "openapi": "3.0.1",
            "servers": [{"url": "https://host/a/b/c"}],
        },
        {"openapi": "3.0.1", "servers": [{"url": "/x"}, {"variables": {"basePath": {"default": "a/b/c"}}}]},
    ],
)
def test_a_base_path_is_ignored_prepended_or_split(
    document: dict[str, Any], treatment: str, expected: list[str]
) -> None:
    assert defined({"/": {}, "/e/": {}, "x-other": "a"}, treatment, **document).paths == expected


def test_models_that_are_not_there_are_named_once() -> None:
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}
    known = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Toy"}}}}
    item = {"get": {"responses": {"200": answer, "201": known}}, "put": {"requestBody": answer}}
    found = defined({"/a": item}, components={"schemas": {"Toy": {}}}).warnings
    assert found == ["Reference to model 'Pet' not found. Ignoring."]


def test_a_document_whose_nodes_are_within_themselves_is_read() -> None:
    text = "swagger: '2.0'\ninfo: {title: a}\npaths:\n  /a: {get: &method {x-same: *method, responses: {}}}\n"
    assert documents.definition(documents.read(text)).paths == ["/a"]


def test_variables_of_aws_are_replaced() -> None:
    document = documents.read('{"swagger": "2.0", "info": {"title": "${AWS::AccountId} in ${AWS::Region}"}}')
    assert document["info"]["title"] == "123456789012 in us-east-1"


def test_a_method_with_an_authorizer_is_refused_wherever_that_is_described() -> None:
    schemes = {"own": {"$ref": "#/x-own"}}
    own = {"type": "apiKey", "x-amazon-apigateway-authorizer": {"type": "token"}}
    with pytest.raises(BadRequestException, match="no authorizers"):
        method({"security": [{"own": []}]}, securityDefinitions=schemes, **{"x-own": own})
