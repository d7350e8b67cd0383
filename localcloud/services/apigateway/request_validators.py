"""Models and request validators: requests that lack parameters, or whose bodies are of another form, are refused.

moto gaps: it keeps validators and models and checks no request with them, takes a model of any schema and twice,
deletes one that a method refers to, and cannot change models.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html, and
models-mappings-models.html there; for the words of the errors
https://github.com/localstack/localstack/blob/main/tests/aws/services/apigateway/test_apigateway_api.snapshot.json and
test_apigateway_common.snapshot.json there
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from moto.apigateway.exceptions import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)
from moto.apigateway.models import APIGatewayBackend, Method, Model, RequestValidator, RestAPI
from moto.apigateway.responses import APIGatewayResponse
from referencing import Registry, Resource
from referencing.exceptions import NoSuchResource, Unresolvable
from referencing.jsonschema import DRAFT4

from localcloud.access.signatures import SignedRequest
from localcloud.hooks import add, after, replace, wrap
from localcloud.services.apigateway.refusals import MISCONFIGURED, Refusal, RefusedError

Json = dict[str, Any]
JSON = "application/json"
BAD_BODY = Refusal(HTTPStatus.BAD_REQUEST, "BadRequestException", "Invalid request body", "BAD_REQUEST_BODY")
#: The models that every API has.
_DRAFT = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"}
OWN_MODELS = {
    "Empty": ("This is a default empty schema model", {**_DRAFT, "title": "Empty Schema"}),
    "Error": (
        "This is a default error schema model",
        {**_DRAFT, "title": "Error Schema", "properties": {"message": {"type": "string"}}},
    ),
}
NO_VALIDATOR = "Invalid Request Validator identifier specified"
NO_SCHEMA = "Model schema must have at least 1 property or array items defined"
#: What patches may replace, and the attribute of each member.
_OF_VALIDATORS = {
    "/name": "name",
    "/validateRequestParameters": "validate_request_parameters",
    "/validateRequestBody": "validate_request_body",
}
_OF_MODELS = {"/description": "description", "/schema": "schema"}


def check(
    validator: RequestValidator,
    models: Mapping[str, str],
    method: Method,
    request: SignedRequest,
    parameters: Mapping[str, str],
) -> None:
    """Refuse a request that a method's validator does not let through.

    Args:
        validator: The validator.
        models: The schemas of the API's models as JSON, by their names.
        method: The method.
        request: The request.
        parameters: What the path has in the place of the resource's parameters.

    Raises:
        RefusedError: The request lacks parameters, or its body breaks the model for its type.
    """
    missing = list(_missing(method, request, parameters)) if validator.validate_request_parameters else []
    if missing:
        message = f"Missing required request parameters: [{', '.join(missing)}]"
        raise RefusedError(Refusal(HTTPStatus.BAD_REQUEST, "BadRequestException", message, "BAD_REQUEST_PARAMETERS"))
    media_type = (request.headers.get("Content-Type") or JSON).partition(";")[0].strip()
    names: Mapping[str, str] = method.request_models or {}
    model = names.get(media_type) or names.get("$default")
    if validator.validate_request_body and model and not _is_valid(request.body, model, models):
        raise RefusedError(BAD_BODY)


def _missing(method: Method, request: SignedRequest, parameters: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of the required parameters that a request lacks or leaves blank."""
    query = parse_qs(request.url.query, keep_blank_values=True)
    for parameter, is_required in sorted((method.request_parameters or {}).items()):
        _, _, place, name = parameter.split(".", 3)
        values = {
            "header": request.headers.get(name),
            "path": parameters.get(name),
            "querystring": query.get(name, [""])[-1],
        }
        if is_required and not (values[place] or "").strip():
            yield name


def _is_valid(body: bytes, model: str, models: Mapping[str, str]) -> bool:
    """Return whether a body follows a model; an empty one counts as an empty object.

    Raises:
        RefusedError: The model, or one that it refers to, does not exist.
    """

    def retrieve(address: str) -> Resource[Any]:
        """Return the model at an address such as ``https://apigateway.amazonaws.com/restapis/API/models/MODEL``."""
        name = address.rpartition("/")[2]
        if name not in models:
            raise NoSuchResource(address)
        return Resource.from_contents(json.loads(models[name]), DRAFT4)

    try:
        content = json.loads(body or b"{}")
    except ValueError:
        return False
    try:
        # The types of referencing do not know that attrs converts the argument.
        registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
        return bool(Draft4Validator(json.loads(models[model]), registry=registry).is_valid(content))
    except (KeyError, Unresolvable) as error:
        raise RefusedError(MISCONFIGURED) from error


@after(APIGatewayBackend, "create_rest_api")
def _created(api: RestAPI, *_args: Any, **_settings: Any) -> None:
    for name, (description, schema) in OWN_MODELS.items():
        api.add_model(name, description, json.dumps(schema), JSON)


@wrap(APIGatewayBackend, "create_model")
def _create_model(  # noqa: PLR0917 - moto's parameters
    original: Any,
    self: APIGatewayBackend,
    rest_api_id: str,
    name: str,
    content_type: str,
    description: str,
    schema: str,
) -> Model:
    api = self.get_rest_api(rest_api_id)
    if not name:
        raise BadRequestException("Model name must be non-empty")
    _check_schema(schema)
    if name in api.models:
        raise ConflictException("Model name already exists for this REST API")
    model: Model = original(self, rest_api_id, name, content_type, description, schema)
    return model


@replace(APIGatewayBackend, "get_model")
def _get_model(self: APIGatewayBackend, rest_api_id: str, model_name: str) -> Model:
    models = self.get_rest_api(rest_api_id).models
    if model_name not in models:
        raise NotFoundException(f"Invalid model name specified: {model_name}")
    return models[model_name]


@wrap(APIGatewayBackend, "delete_model")
def _delete_model(original: Any, self: APIGatewayBackend, rest_api_id: str, model_name: str) -> None:
    self.get_model(rest_api_id, model_name)
    for resource in self.get_resources(rest_api_id):
        for verb, method in resource.resource_methods.items():
            if model_name in (method.request_models or {}).values():
                place = f"{resource.get_path()}/{verb}"
                raise ConflictException(f"Cannot delete model '{model_name}', is referenced in method request: {place}")
    original(self, rest_api_id, model_name)


@add(APIGatewayResponse, "update_model")
def _update_model(self: APIGatewayResponse) -> str:
    """Change the description or the schema of a model by patches."""
    _, _, api_id, _, name = self.path.split("/")
    model = self.backend.get_model(api_id, name)
    patches = self._get_param("patchOperations") or []
    for patch in patches:
        _check_patch(patch, _OF_MODELS)
        if patch["path"] == "/schema":
            _check_schema(patch.get("value"))
    for patch in patches:
        setattr(model, _OF_MODELS[patch["path"]], patch.get("value"))
    return json.dumps(model.to_json())


@wrap(APIGatewayBackend, "create_request_validator")
def _create_validator(original: Any, self: APIGatewayBackend, restapi_id: str, *settings: Any) -> RequestValidator:
    if restapi_id not in self.apis:
        raise BadRequestException("Invalid REST API identifier specified")
    validator: RequestValidator = original(self, restapi_id, *settings)
    validator.validate_request_body = bool(validator.validate_request_body)
    validator.validate_request_parameters = bool(validator.validate_request_parameters)
    return validator


@replace(APIGatewayBackend, "get_request_validator")
def _get_validator(self: APIGatewayBackend, restapi_id: str, validator_id: str) -> RequestValidator:
    api = self.apis.get(restapi_id)
    if api is None or validator_id not in api.request_validators:
        raise NotFoundException(NO_VALIDATOR)
    return api.request_validators[validator_id]


@wrap(APIGatewayBackend, "delete_request_validator")
def _delete_validator(original: Any, self: APIGatewayBackend, restapi_id: str, validator_id: str) -> None:
    self.get_request_validator(restapi_id, validator_id)
    original(self, restapi_id, validator_id)


@wrap(APIGatewayBackend, "update_request_validator")
def _update_validator(
    _original: Any, self: APIGatewayBackend, restapi_id: str, validator_id: str, patch_operations: Any
) -> RequestValidator:
    validator = self.get_request_validator(restapi_id, validator_id)
    for patch in patch_operations or []:
        _check_patch(patch, _OF_VALIDATORS)
        if patch["path"] == "/name" and not patch.get("value"):
            raise BadRequestException("Request Validator name cannot be blank")
    for patch in patch_operations or []:
        value = patch.get("value") or ""
        is_name = patch["path"] == "/name"
        setattr(validator, _OF_VALIDATORS[patch["path"]], value if is_name else value.lower() == "true")
    return validator


@wrap(APIGatewayBackend, "put_method")
def _put_method(original: Any, self: APIGatewayBackend, function_id: str, *args: Any, **settings: Any) -> Method:
    check_references(self, function_id, settings.get("request_validator_id"), settings.get("request_models") or {})
    method: Method = original(self, function_id, *args, **settings)
    return method


def check_references(backend: APIGatewayBackend, api_id: str, validator: str | None, models: Mapping[str, str]) -> None:
    """Refuse a method's references to a validator or models that its API does not have.

    Raises:
        BadRequestException: Names what there is not.
    """
    if validator:
        try:
            backend.get_request_validator(api_id, validator)
        except NotFoundException as error:
            raise BadRequestException(NO_VALIDATOR) from error
    for model in models.values():
        if model not in backend.get_rest_api(api_id).models:
            raise BadRequestException(f"Invalid model identifier specified: {model}")


def _check_schema(schema: Any) -> None:
    """Refuse a model without a schema, or with one that is not of JSON Schema draft 4.

    Raises:
        BadRequestException: Says what is wrong.
    """
    if not schema:
        raise BadRequestException(NO_SCHEMA)
    try:
        Draft4Validator.check_schema(json.loads(schema))
    except Exception as error:
        problem = "Invalid model schema specified"
        raise BadRequestException(
            f"Invalid model specified: Validation Result: warnings : [], errors : [{problem}]"
        ) from error


def _check_patch(patch: Mapping[str, Any], members: Mapping[str, str]) -> None:
    """Refuse a patch that does not replace one of some members.

    Raises:
        BadRequestException: Says which ones there are.
    """
    start = f"Invalid patch path  '{patch.get('path')}' specified for op '{patch.get('op')}'."
    if patch.get("op") != "replace":
        raise BadRequestException(f"{start} Please choose supported operations")
    if patch.get("path") not in members:
        raise BadRequestException(f"{start} Must be one of: [{', '.join(members)}]")
