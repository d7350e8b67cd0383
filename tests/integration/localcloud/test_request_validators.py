"""Models and request validators: which requests an API lets through to a function, and what it refuses of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud import LocalCloud
from tests.integration.localcloud.test_event_invoke_configs import refusal
from tests.integration.localcloud.test_gateway_responses import respond
from tests.integration.localcloud.test_rest_apis import Api, _resource

BODY = (400, b'{"message":"Invalid request body"}')
PET = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"$ref": "#/definitions/years"}},
    "definitions": {"years": {"type": "integer", "minimum": 0}},
}
JSON = "application/json"


def of_api(api: Api, kind: str, **properties: Any) -> dict[str, str]:
    """Add a model or a validator to a template, and return a reference to it."""
    name = f"Own{kind}{len(api.resources)}"
    body = {"RestApiId": {"Ref": "Api"}, **properties}
    api.resources[name] = {"Type": f"AWS::ApiGateway::{kind}", "Properties": body}
    return {"Ref": name}


def validated(
    cloud: LocalCloud, models: dict[str, dict[str, Any]], *, body: bool = True, parameters: bool = True, **method: Any
) -> Api:
    """A stack with ``POST /pets/{id}``, whose validator checks bodies by models of media types, and parameters."""
    api = Api(cloud)
    references = {
        media_type: of_api(api, "Model", Name=f"{api.name.replace('-', '')}{number}", ContentType=JSON, Schema=schema)
        for number, (media_type, schema) in enumerate(models.items())
    }
    validator = of_api(api, "RequestValidator", ValidateRequestBody=body, ValidateRequestParameters=parameters)
    api.add("POST /pets/{id}", RequestValidatorId=validator, RequestModels=references, **method)
    return api.deployed()


def sent(api: Api, target: str, content: Any, **headers: str) -> tuple[int, bytes]:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    status, _, body = api.request(target, "POST", text, **{"Content_Type": JSON, **headers})
    return status, body


# What callers get


def test_a_body_must_follow_the_model_for_its_type(cloud: LocalCloud) -> None:
    api = validated(cloud, {JSON: PET}).deploy()
    assert sent(api, "/pets/1", {"name": "Rex", "age": 3})[0] == 200
    for wrong in ({}, b"", {"name": 1}, {"name": "Rex", "age": -1}, [], b"{"):
        assert sent(api, "/pets/1", wrong) == BODY
    assert sent(api, "/pets/1", b"name=Rex", Content_Type="application/x-www-form-urlencoded")[0] == 200
    assert sent(api, "/pets/1", {}, Content_Type="application/json; charset=utf-8") == BODY


def test_a_default_model_holds_for_other_types(cloud: LocalCloud) -> None:
    api = validated(cloud, {"$default": PET, "a/b": {"type": "object", "maxProperties": 0}}).deploy()
    assert sent(api, "/pets/1", {}) == BODY
    assert sent(api, "/pets/1", {"name": "Rex"})[0] == 200
    assert sent(api, "/pets/1", {}, Content_Type="a/b")[0] == 200
    assert sent(api, "/pets/1", {"name": "Rex"}, Content_Type="a/b") == BODY


def test_a_model_refers_to_another_one(cloud: LocalCloud) -> None:
    api = validated(cloud, {JSON: PET})
    (model,) = [name for name, resource in api.resources.items() if resource["Type"] == "AWS::ApiGateway::Model"]
    address = {"Fn::Sub": f"https://apigateway.amazonaws.com/restapis/${{Api}}/models/${{{model}}}"}
    pets = of_api(api, "Model", Name="Pets", Schema={"type": "array", "items": {"$ref": address}})
    api.resources["PathPetsIdPOST"]["Properties"]["RequestModels"] = {JSON: pets}
    api.deploy()
    assert sent(api, "/pets/1", [{"name": "Rex"}])[0] == 200
    assert sent(api, "/pets/1", [{"name": "Rex"}, {}]) == BODY


def test_required_parameters_must_be_there_and_not_blank(cloud: LocalCloud) -> None:
    asked = {
        "method.request.header.X-Shop": True,
        "method.request.path.id": True,
        "method.request.querystring.q": True,
        "method.request.querystring.page": False,
    }
    api = validated(cloud, {}, RequestParameters=asked).deploy()
    missing = b'{"message":"Missing required request parameters: [%s]"}'
    assert sent(api, "/pets/1", {}) == (400, missing % b"X-Shop, q")
    assert sent(api, "/pets/1?q=", {}, X_Shop="a") == (400, missing % b"q")
    assert sent(api, "/pets/1?q=a", {}, X_Shop="a")[0] == 200


def test_only_what_a_validator_checks_is_checked(cloud: LocalCloud) -> None:
    asked = {"method.request.querystring.q": True}
    api = validated(cloud, {JSON: PET}, body=False, parameters=False, RequestParameters=asked).deploy()
    assert sent(api, "/pets/1", {})[0] == 200
    (name,) = [name for name, body in api.resources.items() if body["Type"] == "AWS::ApiGateway::RequestValidator"]
    api.resources[name]["Properties"]["ValidateRequestBody"] = True
    api.deploy("update_stack")
    assert sent(api, "/pets/1", {})[0] == 200
    api.deployed().deploy("update_stack")
    assert sent(api, "/pets/1", {}) == BODY
    del api.resources["PathPetsIdPOST"]["Properties"]["RequestValidatorId"]
    api.deployed().deploy("update_stack")
    assert sent(api, "/pets/1", {})[0] == 200


def test_gateway_responses_change_what_validators_refuse(cloud: LocalCloud) -> None:
    api = validated(cloud, {JSON: PET}, RequestParameters={"method.request.querystring.q": True})
    respond(api, "BAD_REQUEST_BODY", StatusCode="422")
    respond(api, "BAD_REQUEST_PARAMETERS", StatusCode="428", ResponseTemplates={JSON: "$context.error.message"})
    api.deploy()
    assert sent(api, "/pets/1?q=a", {}) == (422, b'{"message":"Invalid request body"}')
    assert sent(api, "/pets/1", {}) == (428, b"Missing required request parameters: [q]")


# The API


@pytest.fixture(scope="module")
def api(cloud: LocalCloud) -> Api:
    return Api(cloud, "POST /pets").deploy()


@pytest.fixture
def client(cloud: LocalCloud) -> Any:
    return cloud.client("apigateway")


def test_models_are_made_changed_and_deleted(client: Any, api: Api) -> None:
    place = {"restApiId": api.id, "modelName": "Pet"}
    client.create_model(restApiId=api.id, name="Pet", contentType=JSON, schema=json.dumps(PET))
    assert [model["name"] for model in client.get_models(restApiId=api.id)["items"]] == ["Empty", "Error", "Pet"]
    patches = [{"op": "replace", "path": "/schema", "value": '{"type": "array"}'}]
    assert client.update_model(**place, patchOperations=patches)["schema"] == '{"type": "array"}'
    method = {"restApiId": api.id, "resourceId": _resource(api, "/pets"), "httpMethod": "PUT"}
    client.put_method(**method, authorizationType="NONE", requestModels={JSON: "Pet"})
    assert refusal(client.delete_model, **place) == (
        "ConflictException",
        "Cannot delete model 'Pet', is referenced in method request: /pets/PUT",
    )
    patches = [{"op": "replace", "path": "/requestModels/application~1json", "value": "Empty"}]
    assert client.update_method(**method, patchOperations=patches)["requestModels"] == {JSON: "Empty"}
    client.delete_model(**place)
    assert refusal(client.get_model, **place) == ("NotFoundException", "Invalid model name specified: Pet")
    client.delete_method(**method)


def test_models_of_another_form_are_refused(client: Any, api: Api) -> None:
    model = {"restApiId": api.id, "contentType": JSON}
    no_schema = ("BadRequestException", "Model schema must have at least 1 property or array items defined")
    assert refusal(client.create_model, **model, name="Pet") == no_schema
    assert refusal(client.create_model, **model, name="Empty", schema="{}") == (
        "ConflictException",
        "Model name already exists for this REST API",
    )
    for schema in ("{", '{"type": "pet"}'):
        assert "Invalid model schema specified" in refusal(client.create_model, **model, name="Pet", schema=schema)[1]
    patch = {"op": "replace", "path": "/name", "value": "Dog"}
    assert refusal(client.update_model, restApiId=api.id, modelName="Empty", patchOperations=[patch]) == (
        "BadRequestException",
        "Invalid patch path  '/name' specified for op 'replace'. Must be one of: [/description, /schema]",
    )


def test_validators_are_made_changed_and_deleted(client: Any, api: Api) -> None:
    made = client.create_request_validator(restApiId=api.id, name="all")
    assert (made["validateRequestBody"], made["validateRequestParameters"]) == (False, False)
    place = {"restApiId": api.id, "requestValidatorId": made["id"]}
    patch = {"op": "replace", "path": "/validateRequestBody", "value": "true"}
    assert client.update_request_validator(**place, patchOperations=[patch])["validateRequestBody"] is True
    for wrong, words in (
        ({**patch, "op": "add"}, "Please choose supported operations"),
        ({**patch, "path": "/a"}, "Must be one of: [/name, /validateRequestParameters, /validateRequestBody]"),
        ({**patch, "path": "/name", "value": ""}, "Request Validator name cannot be blank"),
    ):
        code, message = refusal(client.update_request_validator, **place, patchOperations=[wrong])
        assert (code, message.endswith(words)) == ("BadRequestException", True)
    client.delete_request_validator(**place)
    missing = ("NotFoundException", "Invalid Request Validator identifier specified")
    assert refusal(client.get_request_validator, **place) == missing
    assert refusal(client.delete_request_validator, **place) == missing
    assert refusal(client.create_request_validator, restApiId="absent", name="all") == (
        "BadRequestException",
        "Invalid REST API identifier specified",
    )


def test_a_method_refers_only_to_what_its_api_has(client: Any, api: Api) -> None:
    method = {"restApiId": api.id, "resourceId": _resource(api, "/pets")}
    new = {**method, "httpMethod": "PATCH", "authorizationType": "NONE"}
    no_validator = ("BadRequestException", "Invalid Request Validator identifier specified")
    no_model = ("BadRequestException", "Invalid model identifier specified: Pets")
    assert refusal(client.put_method, **new, requestValidatorId="absent") == no_validator
    assert refusal(client.put_method, **new, requestModels={JSON: "Pets"}) == no_model
    for path, value, expected in (
        ("/requestValidatorId", "absent", no_validator),
        ("/requestModels/application~1json", "Pets", no_model),
    ):
        patch = {"op": "replace", "path": path, "value": value}
        assert refusal(client.update_method, **method, httpMethod="POST", patchOperations=[patch]) == expected
