"""Imports of OpenAPI documents: an API becomes what a document says, or stays as it was.

moto gap: it reads OpenAPI 3 only, takes methods without their security and their responses, and leaves half an API
where a document is refused.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api-errors-warnings.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from moto.apigateway.exceptions import ApiGatewayException, BadRequestException
from moto.apigateway.models import APIGatewayBackend, Resource, RestAPI
from moto.apigateway.responses import APIGatewayResponse

from localcloud.cloudformation.schemas import PropertyError
from localcloud.hooks import replace
from localcloud.services import rules
from localcloud.services.apigateway import documents, gateway_responses
from localcloud.services.apigateway.documents import Definition, Operation

Json = dict[str, Any]
API, METHOD = "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Method"
RESPONSE = "AWS::ApiGateway::GatewayResponse"
#: moto's attribute of each setting of a document, and what it is where the document does not say.
SETTINGS: dict[str, tuple[str, Any]] = {
    "name": ("name", ""),
    "description": ("description", ""),
    "apiKeySource": ("api_key_source", "HEADER"),
    "binaryMediaTypes": ("binaryMediaTypes", []),
    "policy": ("policy", None),
    "disableExecuteApiEndpoint": ("disableExecuteApiEndpoint", False),
}


@dataclass(frozen=True)
class Import:
    """A document that a request brings, which nothing speaks against.

    Attributes:
        definition: What it says.
        mode: Whether it replaces what the API has (``overwrite``) or adds to it (``merge``).
        endpoint_types: The types of the endpoint; empty where neither the request nor the document says them.
    """

    definition: Definition
    mode: str
    endpoint_types: list[str]


@replace(APIGatewayResponse, "import_rest_api")
def _import_rest_api(self: APIGatewayResponse) -> Any:
    """Make an API of a document."""
    imported = _read(self)
    api = self.backend.create_rest_api(imported.definition.settings["name"], "")
    try:
        _apply(self.backend, api, imported)
    except Exception:
        self.backend.delete_rest_api(api.id)
        raise
    return 201, {"status": 201}, _described(api, imported)


@replace(APIGatewayResponse, "put_rest_api")
def _put_rest_api(self: APIGatewayResponse) -> Any:
    """Change an API by a document."""
    api = self.backend.get_rest_api(self.path.split("/")[2])
    imported = _read(self)
    _apply(self.backend, api, imported)
    return 200, {}, _described(api, imported)


def _described(api: RestAPI, imported: Import) -> str:
    warnings = imported.definition.warnings
    return json.dumps({**api.to_dict(), **({"warnings": warnings} if warnings else {})})


def _read(request: APIGatewayResponse) -> Import:
    """Read the document of a request.

    Raises:
        BadRequestException: API Gateway, or the local cloud, does not take it.
    """
    asked = {name: values[0] for name, values in parse_qs(request.parsed_url.query).items()}
    mode, fails = asked.pop("mode", "merge"), asked.pop("failonwarnings", "false") == "true"
    mode = "overwrite" if mode == "import" else mode
    try:
        document = documents.read(request.body)
        rules.check(API, {"Body": document, "Mode": mode, "Parameters": asked})
        definition = documents.definition(document, asked.get("basepath", "ignore"))
        endpoint = {name[0].upper() + name[1:]: value for name, value in _endpoint(definition, asked).items()}
        source = definition.settings.get("apiKeySource", "HEADER")
        rules.check(API, {"Name": "", "ApiKeySourceType": source, "EndpointConfiguration": endpoint})
        for operation in definition.operations:
            _check(operation)
        for response in definition.responses:
            rules.check(RESPONSE, response)
    except PropertyError as error:
        raise BadRequestException(str(error)) from error
    if fails and definition.warnings:
        raise BadRequestException(_listed("Warnings", definition.warnings))
    return Import(definition, mode, endpoint.get("Types") or [])


def _endpoint(definition: Definition, asked: dict[str, str]) -> Json:
    types = asked.get("endpointConfigurationTypes")
    return {**definition.settings.get("endpointConfiguration", {}), **({"types": [types]} if types else {})}


def _check(operation: Operation) -> None:
    """Refuse a method that the local cloud does not have.

    Raises:
        PropertyError: Names the method and what is wrong.
    """
    try:
        rules.check(METHOD, operation.properties)
    except PropertyError as error:
        raise PropertyError(f"{operation.properties['HttpMethod']} {operation.path}: {error}") from error


def _listed(kind: str, problems: list[str]) -> str:
    return "\n\t".join([f"{kind} found during import:", *problems])


def _apply(backend: APIGatewayBackend, api: RestAPI, imported: Import) -> None:
    """Change an API as a document says.

    Raises:
        BadRequestException: Names everything that the API does not take; the API is as it was.
    """
    definition, problems = imported.definition, list[str]()
    with _unchanged_on_failure(api):
        _make_room(api, imported)
        for path in definition.paths:
            try:
                _resource(backend, api, path)
            except ApiGatewayException as error:
                problems.append(f"Unable to create resource at path '{path}': {error.message}")
        for operation in [] if problems else definition.operations:
            resource = _resource(backend, api, operation.path)
            problems += _put_method(backend, api, resource, operation)
        if problems:
            raise BadRequestException(_listed("Errors", problems))
    _put_responses(api, imported)
    if imported.endpoint_types:
        api.endpoint_configuration = {"types": imported.endpoint_types}
    for name, (attribute, default) in SETTINGS.items():
        value = definition.settings.get(name)
        if name == "binaryMediaTypes" and imported.mode == "merge":
            value = list(dict.fromkeys([*api.binaryMediaTypes, *(value or [])]))
        if value is not None or imported.mode == "overwrite":
            setattr(api, attribute, default if value is None else value)


def _put_responses(api: RestAPI, imported: Import) -> None:
    """Set the gateway responses of a document; those of an API that it replaces are reset."""
    if imported.mode == "overwrite":
        api.gateway_responses.clear()
    for response in imported.definition.responses:
        settings = {f"{name[0].lower()}{name[1:]}": value for name, value in response.items()}
        gateway_responses.put(api, response["ResponseType"], settings)


@contextmanager
def _unchanged_on_failure(api: RestAPI) -> Iterator[None]:
    """Give an API its resources and methods back if the block fails, which puts others in the place of its maps."""
    resources = api.resources
    methods = [(resource, resource.resource_methods) for resource in resources.values()]
    try:
        yield
    except Exception:
        api.resources = resources
        for resource, former in methods:
            resource.resource_methods = former
        raise


def _make_room(api: RestAPI, imported: Import) -> None:
    """Take away what a document replaces; resources that stay keep their ids."""
    overwrites = imported.mode == "overwrite"
    wanted = {
        above
        for path in imported.definition.paths
        for above in (path.rsplit("/", count)[0] or "/" for count in range(path.count("/") + 1))
    } | {"/"}
    kept = {name: resource for name, resource in api.resources.items() if resource.get_path() in wanted}
    replaced = {(operation.path, operation.properties["HttpMethod"]) for operation in imported.definition.operations}
    for resource in api.resources.values():
        path = resource.get_path()
        resource.resource_methods = {
            verb: method
            for verb, method in resource.resource_methods.items()
            if not overwrites and (path, verb) not in replaced
        }
    api.resources = kept if overwrites else dict(api.resources)


def _resource(backend: APIGatewayBackend, api: RestAPI, path: str) -> Resource:
    """Return the resource at a path; make it, and those above it, where it is not there."""
    found: Any = api.get_resource_for_path(path)
    if found:
        return found  # type: ignore[no-any-return]
    above, _, part = path.rpartition("/")
    parent = _resource(backend, api, above or "/")
    return backend.create_resource(api.id, parent.id, part)


def _put_method(backend: APIGatewayBackend, api: RestAPI, resource: Resource, operation: Operation) -> Iterator[str]:
    """Make a method with its responses and its integration, and yield what API Gateway does not take of it."""
    properties, verb = operation.properties, operation.properties["HttpMethod"]
    place = (api.id, resource.id, verb)
    backend.put_method(
        *place,
        properties["AuthorizationType"],
        properties["ApiKeyRequired"],
        request_parameters=properties.get("RequestParameters"),
        operation_name=properties.get("OperationName"),
    )
    for response in properties["MethodResponses"]:
        backend.put_method_response(*place, response["StatusCode"], {}, response["ResponseParameters"])
    integration = properties.get("Integration")
    if integration is None:
        return
    what = "integration"
    try:
        backend.put_integration(
            *place,
            integration["Type"],
            integration.get("Uri", ""),
            integration.get("IntegrationHttpMethod", ""),
            credentials=integration.get("Credentials"),
            request_templates=integration.get("RequestTemplates"),
            passthrough_behavior=integration.get("PassthroughBehavior"),
            timeout_in_millis=integration.get("TimeoutInMillis"),
            connection_type=integration.get("ConnectionType"),
        )
        what = "integration response"
        for response in integration["IntegrationResponses"]:
            backend.put_integration_response(
                *place,
                response["StatusCode"],
                response.get("SelectionPattern", ""),
                response.get("ResponseTemplates") or {},
                response.get("ResponseParameters") or {},
            )
    except ApiGatewayException as error:
        yield f"Unable to put {what} on '{verb}' for resource at path '{operation.path}': {error.message}"
