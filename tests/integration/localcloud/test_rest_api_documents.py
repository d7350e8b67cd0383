"""OpenAPI documents of REST APIs: what API Gateway makes of them, by templates and by requests."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_rest_apis import CODE, URI, request
from tests.policies import trust

URL = "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/prod"
PREFLIGHT: dict[str, Any] = {
    "security": [{"api_key": []}],
    "responses": {"200": {"headers": {"Access-Control-Allow-Origin": {"type": "string"}}}},
    "x-amazon-apigateway-integration": {
        "type": "mock",
        "requestTemplates": {"application/json": '{\n  "statusCode" : 200\n}\n'},
        "responses": {
            "default": {
                "statusCode": "200",
                "responseTemplates": {"application/json": "{}\n"},
                "responseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"},
            }
        },
    },
}
KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}


def called(**settings: Any) -> dict[str, Any]:
    """A method that calls the function of the template."""
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": {"Fn::Sub": URI}}
    return {"x-amazon-apigateway-integration": integration, "responses": {}, **settings}


def mocked(text: str, **settings: Any) -> dict[str, Any]:
    """A method that answers with a text by itself."""
    answers = {"default": {"statusCode": 200, "responseTemplates": {"application/json": text}}}
    templates = {"application/json": '{"statusCode": 200}'}
    integration = {"type": "MOCK", "requestTemplates": templates, "responses": answers}
    return {"x-amazon-apigateway-integration": integration, "responses": {200: {}}, **settings}


def swagger(paths: dict[str, Any], **document: Any) -> dict[str, Any]:
    return {"swagger": "2.0", "info": {"title": "pets", "version": "1.0"}, "paths": paths, **document}


class Stack:
    """A stack with an API of a document, as SAM's templates have it."""

    def __init__(self, cloud: LocalCloud, **api: Any) -> None:
        self.cloud, self.name, self.deployments = cloud, f"document-{uuid.uuid4().hex[:8]}", 0
        permission = {
            "FunctionName": {"Ref": "Function"},
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"},
        }
        function = {
            "Runtime": "python3.14",
            "Handler": "index.handler",
            "Code": {"ZipFile": CODE},
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        }
        role = {"AssumeRolePolicyDocument": json.loads(trust("lambda"))}
        self.resources: dict[str, Any] = {
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": api},
        }

    def deploy(self, operation: str = "create_stack", **api: Any) -> Stack:
        """Change the API's properties, and deploy it again."""
        self.resources["Api"]["Properties"] |= api
        self.resources.pop(f"Deployment{self.deployments}", None)
        self.deployments += 1
        name = f"Deployment{self.deployments}"
        properties: dict[str, Any] = {"RestApiId": {"Ref": "Api"}, "StageName": "Stage"}
        self.resources[name] = {"Type": "AWS::ApiGateway::Deployment", "Properties": properties}
        stage = {"RestApiId": {"Ref": "Api"}, "StageName": "prod", "DeploymentId": {"Ref": name}}
        self.resources["ApiStage"] = {"Type": "AWS::ApiGateway::Stage", "Properties": stage}
        outputs = {"Url": {"Value": {"Fn::Sub": URL}}, "Id": {"Value": {"Ref": "Api"}}}
        body = json.dumps({"Resources": self.resources, "Outputs": outputs})
        client = self.cloud.client("cloudformation")
        getattr(client, operation)(StackName=self.name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        stack = client.describe_stacks(StackName=self.name)["Stacks"][0]
        assert stack["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, stack["StackStatusReason"]
        self.url, self.id = self.cloud.outputs(self.name)["Url"], self.cloud.outputs(self.name)["Id"]
        return self

    def described(self) -> dict[str, Any]:
        described: dict[str, Any] = self.cloud.client("apigateway").get_rest_api(restApiId=self.id)
        return described


def methods(cloud: LocalCloud, api: str) -> dict[str, Any]:
    """The methods of an API by their paths and verbs."""
    client = cloud.client("apigateway")
    resources = client.get_resources(restApiId=api, limit=500)["items"]
    return {
        f"{verb} {resource['path']}": client.get_method(restApiId=api, resourceId=resource["id"], httpMethod=verb)
        for resource in resources
        for verb in resource.get("resourceMethods", {})
    }


def paths(cloud: LocalCloud, api: str) -> dict[str, str]:
    """The ids of an API's resources by their paths."""
    resources = cloud.client("apigateway").get_resources(restApiId=api, limit=500)["items"]
    return {resource["path"]: resource["id"] for resource in resources}


@pytest.fixture(scope="module")
def stack(cloud: LocalCloud) -> Stack:
    body = swagger(
        {
            "/items": {"get": called(), "options": PREFLIGHT},
            "/items/{id}": {"x-amazon-apigateway-any-method": called()},
            "/secret": {"post": called(security=[{"api_key": []}])},
            "/signed": {"get": called(security=[{"iam": []}])},
        },
        info={"title": {"Ref": "AWS::StackName"}, "version": "1.0"},
        securityDefinitions={
            "api_key": KEY,
            "iam": {**KEY, "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4"},
        },
    )
    return Stack(cloud, Body=body).deploy()


def test_the_document_of_a_template_makes_resources_and_methods(stack: Stack) -> None:
    assert stack.described()["name"] == stack.name
    made = methods(stack.cloud, stack.id)
    assert {
        key: (method["authorizationType"], method["apiKeyRequired"], method["methodIntegration"]["type"])
        for key, method in made.items()
    } == {
        "GET /items": ("NONE", False, "AWS_PROXY"),
        "OPTIONS /items": ("NONE", True, "MOCK"),
        "ANY /items/{id}": ("NONE", False, "AWS_PROXY"),
        "POST /secret": ("NONE", True, "AWS_PROXY"),
        "GET /signed": ("AWS_IAM", False, "AWS_PROXY"),
    }


def test_an_api_of_a_document_calls_its_function(stack: Stack) -> None:
    event = json.loads(request(f"{stack.url}/items/7", "PUT")[2])
    assert (event["resource"], event["pathParameters"]) == ("/items/{id}", {"id": "7"})
    assert request(f"{stack.url}/items")[0] == 200
    assert request(f"{stack.url}/secret", "POST")[0] == 403
    assert request(f"{stack.url}/signed")[0] == 403


def test_a_changed_document_is_served_by_the_next_deployment(cloud: LocalCloud) -> None:
    body = swagger({"/a": {"get": called()}, "/a/b": {"get": called(), "options": PREFLIGHT}, "/c": {"get": called()}})
    stack = Stack(cloud, Name="shop", Body=body, BinaryMediaTypes=["image/png"]).deploy()
    assert (stack.described()["name"], stack.described()["binaryMediaTypes"]) == ("shop", ["image/png"])
    before, root = paths(cloud, stack.id), stack.described()["rootResourceId"]
    changed = swagger({"/a": {"post": called()}, "/d/{id}": {"get": called(), "options": mocked("hello")}})
    changed |= {"x-amazon-apigateway-binary-media-types": ["a/b"], "info": {"title": "t", "description": "new"}}
    stack.deploy("update_stack", Body=changed)
    after = paths(cloud, stack.id)
    assert set(after) == {"/", "/a", "/d", "/d/{id}"}
    assert (after["/a"], after["/"]) == (before["/a"], root)
    described = stack.described()
    assert (described["name"], described["description"]) == ("shop", "new")
    assert described["binaryMediaTypes"] == ["a/b", "image/png"]
    assert request(f"{stack.url}/a")[0] == 403
    assert request(f"{stack.url}/a", "POST")[0] == 200
    assert request(f"{stack.url}/d/7")[0] == 200
    assert request(f"{stack.url}/d/7", "OPTIONS")[::2] == (200, b"hello")


def test_a_failed_update_leaves_the_api_as_it_was(cloud: LocalCloud) -> None:
    stack = Stack(cloud, Body=swagger({"/a": {"get": called()}})).deploy()
    wrong = called()
    wrong["x-amazon-apigateway-integration"]["uri"] = {"a": "b"}
    with pytest.raises(AssertionError, match="malformed integration at path /b"):
        stack.deploy("update_stack", Body=swagger({"/b": {"get": wrong}}))
    assert set(methods(cloud, stack.id)) == {"GET /a"}
    assert request(f"{stack.url}/a")[0] == 200


def test_a_template_names_a_document_in_a_bucket(cloud: LocalCloud) -> None:
    s3, bucket = cloud.client("s3"), f"documents-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    text = "openapi: 3.0.1\ninfo: {title: stored}\npaths:\n  /a:\n    get:\n      x-amazon-apigateway-integration:\n"
    text += "        type: mock\n        requestTemplates: {application/json: '{\"statusCode\": 204}'}\n"
    text += "        responses: {default: {statusCode: 204}}\n"
    etag = s3.put_object(Bucket=bucket, Key="api.yaml", Body=text.encode())["ETag"]
    place = {"Bucket": bucket, "Key": "api.yaml"}
    with pytest.raises(AssertionError, match="has the ETag"):
        Stack(cloud, BodyS3Location={**place, "ETag": "other"}).deploy()
    stack = Stack(cloud, BodyS3Location={**place, "ETag": etag}).deploy()
    assert stack.described()["name"] == "stored"
    assert request(f"{stack.url}/a")[0] == 204


@pytest.mark.parametrize(
    ("api", "words"),
    [
        ({}, "One of the properties Name, Body, BodyS3Location is needed"),
        ({"Body": swagger({}), "BodyS3Location": {"Bucket": "b", "Key": "k"}}, "not allowed together with Body"),
        ({"Body": swagger({"/a": {"get": {"x-amazon-apigateway-integration": {"type": "http"}}}})}, "call functions"),
        ({"Body": swagger({}, **{"x-amazon-apigateway-request-validators": {"all": {}}})}, "and not in documents"),
        (
            {"Body": swagger({}, securityDefinitions={"own": {**KEY, "x-amazon-apigateway-authorizer": {}}})},
            "has no authorizers",
        ),
        ({"Name": "a", "Mode": "replace"}, "not one of"),
    ],
)
def test_what_there_is_not_is_refused_before_anything_is_made(
    cloud: LocalCloud, api: dict[str, Any], words: str
) -> None:
    stack = Stack(cloud, **api)
    with pytest.raises(ClientError, match=words):
        stack.deploy()
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client("cloudformation").describe_stacks(StackName=stack.name)


@pytest.fixture
def client(cloud: LocalCloud) -> Any:
    return cloud.client("apigateway")


def test_a_request_imports_and_replaces_a_document(cloud: LocalCloud, client: Any) -> None:
    first = swagger({"/a": {"get": mocked("1")}, "/a/b": {"get": mocked("2")}})
    first |= {"x-amazon-apigateway-policy": {"Version": "2012-10-17", "Statement": []}}
    api = client.import_rest_api(body=json.dumps(first).encode(), parameters={"endpointConfigurationTypes": "REGIONAL"})
    assert (api["name"], api["endpointConfiguration"]["types"]) == ("pets", ["REGIONAL"])
    assert json.loads(api["policy"])["Version"] == "2012-10-17"
    second = swagger({"/a": {"get": mocked("3"), "post": mocked("4")}}, info={"title": "second"})
    second |= {"x-amazon-apigateway-binary-media-types": ["a/b"]}
    merged = client.put_rest_api(restApiId=api["id"], body=json.dumps(second).encode(), mode="merge")
    assert (merged["name"], merged["binaryMediaTypes"]) == ("second", ["a/b"])
    assert "policy" in merged
    assert set(methods(cloud, api["id"])) == {"GET /a", "POST /a", "GET /a/b"}
    client.create_deployment(restApiId=api["id"], stageName="prod")
    replaced = client.put_rest_api(restApiId=api["id"], body=json.dumps(second).encode(), mode="overwrite")
    assert "policy" not in replaced
    assert set(methods(cloud, api["id"])) == {"GET /a", "POST /a"}
    client.delete_rest_api(restApiId=api["id"])


def test_a_document_in_yaml_is_imported_below_its_base_path(cloud: LocalCloud, client: Any) -> None:
    text = b"swagger: 2.0\nbasePath: /v1/shop\ninfo:\n  title: yaml\npaths:\n  /: {get: {responses: {}}}\n  /a/: {}\n"
    for treatment, expected in {
        "ignore": {"/", "/a"},
        "prepend": {"/", "/v1", "/v1/shop", "/v1/shop/a"},
        "split": {"/", "/shop", "/shop/a"},
    }.items():
        api = client.import_rest_api(body=text, parameters={"basepath": treatment})["id"]
        assert set(paths(cloud, api)) == expected
        with pytest.raises(client.exceptions.BadRequestException, match="No integration defined for method"):
            client.create_deployment(restApiId=api)
        client.delete_rest_api(restApiId=api)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"/a/{b}": {}, "/a/{c}": {}},
            r"Errors found during import:\s+Unable to create resource at path '/a/\{c\}': A sib",
        ),
        (
            {
                "/a": {
                    "get": {"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": "u"}}
                }
            },
            "Unable to put integration on 'GET' for resource at path '/a': Invalid ARN specified in the request",
        ),
        ({"/a": {"options": {**PREFLIGHT, "responses": {}}}}, "Unable to put integration response on 'OPTIONS'"),
        ({"/a": {"trace": {}}}, "TRACE /a: .*HttpMethod"),
        ({"/a": {"get": {"x-amazon-apigateway-auth": {"type": "CUSTOM"}}}}, "GET /a: .*no authorizers"),
        ({"/a": {"get": {"x-amazon-apigateway-integration": {"type": "http_proxy", "uri": "u"}}}}, "call functions"),
    ],
)
def test_what_is_refused_changes_nothing(cloud: LocalCloud, client: Any, document: dict[str, Any], words: str) -> None:
    names = {api["id"] for api in client.get_rest_apis(limit=500)["items"]}
    with pytest.raises(client.exceptions.BadRequestException, match=words):
        client.import_rest_api(body=json.dumps(swagger(document)).encode())
    assert {api["id"] for api in client.get_rest_apis(limit=500)["items"]} == names
    api = client.import_rest_api(body=json.dumps(swagger({"/x": {"get": mocked("1")}})).encode())["id"]
    before = methods(cloud, api)
    with pytest.raises(client.exceptions.BadRequestException, match=words):
        client.put_rest_api(restApiId=api, mode="overwrite", body=json.dumps(swagger(document)).encode())
    after = methods(cloud, api)
    assert {key: method["methodIntegration"] for key, method in after.items()} == {
        key: method["methodIntegration"] for key, method in before.items()
    }
    client.delete_rest_api(restApiId=api)


def test_warnings_are_returned_or_refuse_the_document(client: Any) -> None:
    answers = {"200": {"schema": {"$ref": "#/definitions/Pet"}}}
    body = json.dumps(swagger({"/a": {"get": mocked("1", responses=answers)}})).encode()
    warning = "Reference to model 'Pet' not found. Ignoring."
    with pytest.raises(client.exceptions.BadRequestException, match=rf"Warnings found during import:\s+{warning}"):
        client.import_rest_api(body=body, failOnWarnings=True)
    api = client.import_rest_api(body=body)
    assert api["warnings"] == [warning]
    client.delete_rest_api(restApiId=api["id"])


def test_a_private_api_and_unknown_modes_are_refused(client: Any) -> None:
    body = json.dumps(swagger({})).encode()
    with pytest.raises(client.exceptions.BadRequestException, match="no private APIs"):
        client.import_rest_api(body=body, parameters={"endpointConfigurationTypes": "PRIVATE"})
    with pytest.raises(client.exceptions.BadRequestException, match="basepath"):
        client.import_rest_api(body=body, parameters={"basepath": "drop"})
    with pytest.raises(client.exceptions.NotFoundException, match="Invalid API identifier specified 123456789012:none"):
        client.put_rest_api(restApiId="none", body=body)


@pytest.mark.parametrize(
    ("body", "words"),
    [({"swagger": "1.2", "info": {}}, "Its version is 1.2"), ({"openapi": "3.0.1", "info": {}}, "The API has no name")],
)
def test_a_template_with_a_wrong_document_says_what_is_wrong(
    cloud: LocalCloud, body: dict[str, Any], words: str
) -> None:
    with pytest.raises(AssertionError, match=rf"Api \(AWS::ApiGateway::RestApi\).*: Invalid OpenAPI input\. {words}"):
        Stack(cloud, Body=body).deploy()
