"""OpenAPI documents of REST APIs: what API Gateway reads of them.

A document's methods become the properties of `AWS::ApiGateway::Method`, so that the rules of that type hold for them.
Models, documentation and what other tools write are passed over.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html, and
api-gateway-swagger-extensions.html, api-gateway-import-api-basePath.html and import-api-aws-variables.html there.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moto.apigatewayv2.exceptions import BadRequestException

from localcloud.services.apigateway.methods import HEADER
from localcloud.services.apigatewayv2.documents import (
    AUTH,
    BESIDE_METHODS,
    EXTENSION,
    METHODS,
    VARIABLES,
    invalid,
    member,
    members,
    parsed,
    prefix,
    server_path,
)

Json = dict[str, Any]
AUTHORIZER, INTEGRATION = f"{EXTENSION}authorizer", f"{EXTENSION}integration"
ENDPOINT, POLICY = f"{EXTENSION}endpoint-configuration", f"{EXTENSION}policy"
KEY_SOURCE, BINARY_TYPES = f"{EXTENSION}api-key-source", f"{EXTENSION}binary-media-types"
RESPONSES = f"{EXTENSION}gateway-responses"
TYPES = {"AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"}
#: Members of an integration: most are named as in `AWS::ApiGateway::Method`, with a small letter.
_RENAMED = {"httpMethod": "IntegrationHttpMethod"}
_OF_INTEGRATIONS = {
    *("cacheKeyParameters", "cacheNamespace", "connectionId", "connectionType", "contentHandling", "credentials"),
    *("httpMethod", "integrationTarget", "passthroughBehavior", "requestParameters", "requestTemplates"),
    *("responseTransferMode", "timeoutInMillis", "tlsConfig", "type", "uri"),
}
#: Where a parameter of a request is, in API Gateway's words.
_PLACES = {"header": "header", "path": "path", "query": "querystring"}
_MODEL = re.compile(r"#/(?:definitions|components/schemas)/(?P<name>[^/]+)")


@dataclass(frozen=True)
class Operation:
    """A method of a document.

    Attributes:
        path: The path of its resource.
        properties: Its properties, as `AWS::ApiGateway::Method` has them.
    """

    path: str
    properties: Json


@dataclass(frozen=True)
class Definition:
    """What a document says of an API.

    Attributes:
        settings: What the document says of the API as a whole, by the names of `CreateRestApi`.
        paths: The paths of its resources.
        operations: Its methods.
        responses: Its gateway responses, as `AWS::ApiGateway::GatewayResponse` has them.
        warnings: What is passed over although the document needs it.
    """

    settings: Json
    paths: list[str]
    operations: list[Operation]
    responses: list[Json]
    warnings: list[str]


def read(body: str | bytes) -> Json:
    """Read a document in JSON or YAML.

    Raises:
        BadRequestException: It is neither, or no document of Swagger 2.0 or OpenAPI 3.0.
    """
    try:
        text = body.decode() if isinstance(body, bytes) else body
    except UnicodeDecodeError as error:
        raise invalid("It is neither JSON nor YAML") from error
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    document = parsed(text)
    if not isinstance(document, dict):
        raise invalid("It is not an object")
    swagger, openapi = document.get("swagger"), document.get("openapi")
    if swagger is None and openapi is None:
        raise invalid("It has neither swagger nor openapi for its version")
    if str(swagger) != "2.0" and not re.fullmatch(r"3\.0(\.\d+)?", str(openapi)):
        version = swagger if openapi is None else openapi
        raise invalid(f"Its version is {version}; API Gateway reads 2.0 and 3.0")
    if "info" not in document:
        raise invalid("It has no info")
    for name in ("info", "paths", "components", "definitions", "securityDefinitions"):
        member(document, name)
    return document


def with_settings(document: Json, settings: Mapping[str, Any]) -> Json:
    """Return a document that says of the API as a whole what a template says, too; what both say, the template does.

    Args:
        document: The document.
        settings: The template's, by the names of `CreateRestApi` with a capital letter.
    """
    changed = copy.deepcopy(document)
    names = {"Name": "title", "Description": "description"}
    changed["info"] |= {names[name]: settings[name] for name in names if name in settings}
    extensions = {"ApiKeySource": KEY_SOURCE, "Policy": POLICY}
    changed |= {extensions[name]: settings[name] for name in extensions if name in settings}
    if settings.get("BinaryMediaTypes"):
        changed[BINARY_TYPES] = list(dict.fromkeys([*changed.get(BINARY_TYPES, []), *settings["BinaryMediaTypes"]]))
    if "DisableExecuteApiEndpoint" in settings:
        is_disabled = str(settings["DisableExecuteApiEndpoint"]).lower() == "true"
        changed[ENDPOINT] = {**_endpoint(document), "disableExecuteApiEndpoint": is_disabled}
    return changed


def definition(document: Json, base_path: str = "ignore") -> Definition:
    """Return what a document says of an API.

    Args:
        document: The document, from `read`.
        base_path: What becomes of the document's base path: ``ignore``, ``prepend`` or ``split``.

    Raises:
        BadRequestException: API Gateway does not take the document.
    """
    own = server_path(document) if "openapi" in document else str(document.get("basePath") or "")
    base = prefix(own, base_path)
    paths: list[str] = []
    operations: list[Operation] = []
    declared = member(document, "paths")
    for path in declared:
        if str(path).startswith("x-"):
            continue
        if not str(path).startswith("/"):
            raise invalid(f"The path {path} does not begin with a slash")
        whole = f"{base}{path}".rstrip("/") or "/"
        paths.append(whole)
        operations += _operations(document, whole, member(declared, path))
    warnings = list(dict.fromkeys(_missing_models(document)))
    return Definition(_settings(document), paths, operations, list(_responses(document)), warnings)


def _responses(document: Json) -> Iterator[Json]:
    """Yield the gateway responses of a document."""
    declared = member(document, RESPONSES)
    for kind in declared:
        settings = member(declared, kind)
        response: Json = {"ResponseType": kind}
        if settings.get("statusCode"):
            response["StatusCode"] = str(settings["statusCode"])
        for name in ("responseParameters", "responseTemplates"):
            if name in settings:
                response[f"{name[0].upper()}{name[1:]}"] = member(settings, name)
        yield response


def _settings(document: Json) -> Json:
    info, endpoint, policy = document["info"], _endpoint(document), document.get(POLICY)
    if not info.get("title"):
        raise invalid("The API has no name, which is the title in its info")
    said = {
        "description": info.get("description"),
        "apiKeySource": document.get(KEY_SOURCE),
        "binaryMediaTypes": document.get(BINARY_TYPES),
        "policy": json.dumps(policy) if isinstance(policy, dict) else policy,
        "disableExecuteApiEndpoint": endpoint.get("disableExecuteApiEndpoint"),
        "endpointConfiguration": {name: endpoint[name] for name in ("types", "vpcEndpointIds") if name in endpoint},
    }
    return {"name": str(info["title"]), **{name: value for name, value in said.items() if value not in (None, {})}}


def _endpoint(document: Json) -> Json:
    """Return the configuration of the endpoint, which OpenAPI 3.0 has among the servers."""
    places = (document, *members(document, "servers"))
    return next((member(place, ENDPOINT) for place in places if ENDPOINT in place), {})


def _operations(document: Json, path: str, item: Json) -> Iterator[Operation]:
    """Yield the methods of a path."""
    if "$ref" in item:
        raise invalid(f"The local cloud takes no reference in the place of the path {path}")
    for name in item:
        if name not in METHODS.keys() | BESIDE_METHODS and not str(name).startswith("x-"):
            raise invalid(f"The path {path} has {name}, which is not a method")
    for name, verb in METHODS.items():  # the rules of methods refuse TRACE
        if name in item:
            shared, operation = members(item, "parameters"), member(item, name)
            yield Operation(path, {"HttpMethod": verb, **_method(document, path, operation, shared)})


def _method(document: Json, path: str, operation: Json, shared: list[Json]) -> Json:
    """Return the properties of a method."""
    properties = _security(document, operation)
    if operation.get("operationId"):
        properties["OperationName"] = str(operation["operationId"])
    parameters = [_resolved(document, parameter) for parameter in (*shared, *members(operation, "parameters"))]
    asked = {
        f"method.request.{_PLACES[parameter['in']]}.{parameter.get('name')}": bool(parameter.get("required"))
        for parameter in parameters
        if parameter.get("in") in _PLACES
    }
    if asked:
        properties["RequestParameters"] = asked
    properties["MethodResponses"] = [
        {
            "StatusCode": str(status),
            "ResponseParameters": {
                f"{HEADER}{name}": False for name in member(_resolved(document, response), "headers")
            },
        }
        for status, response in member(operation, "responses").items()
        if re.fullmatch(r"\d{3}", str(status))
    ]
    if INTEGRATION in operation:
        properties["Integration"] = _integration(operation[INTEGRATION], path)
    return properties


def _security(document: Json, operation: Json) -> Json:
    """Return who may call a method. API Gateway passes over what a document asks of all its methods at once."""
    schemes = member(document, "securityDefinitions") | member(member(document, "components"), "securitySchemes")
    names = [name for requirement in members(operation, "security") for name in requirement]
    kinds = [_resolved(document, schemes[name]) for name in names if name in schemes]
    if any(AUTHORIZER in kind for kind in kinds):
        raise invalid("The local cloud has no authorizers")
    is_signed = any(kind.get(f"{EXTENSION}authtype") == "awsSigv4" for kind in kinds)
    own = str(member(operation, AUTH).get("type", "NONE")).upper()
    needs_key = any(
        kind.get("type") == "apiKey" and kind.get("in") == "header" and str(kind.get("name")).lower() == "x-api-key"
        for kind in kinds
    )
    return {"AuthorizationType": "AWS_IAM" if is_signed and own == "NONE" else own, "ApiKeyRequired": needs_key}


def _integration(integration: Any, path: str) -> Json:
    """Return the properties of a method's integration.

    Raises:
        BadRequestException: It has none of the types that there are, or members of another form.
    """
    malformed = BadRequestException(
        f"Unable to parse API definition because of a malformed integration at path {path}."
    )
    if not isinstance(integration, dict) or str(integration.get("type")).upper() not in TYPES:
        raise malformed
    properties: Json = {
        _RENAMED.get(name, f"{name[0].upper()}{name[1:]}"): value
        for name, value in integration.items()
        if name in _OF_INTEGRATIONS and value not in (None, "", [], {})
    }
    if "TimeoutInMillis" in properties:
        if not str(properties["TimeoutInMillis"]).isdecimal():
            raise malformed
        properties["TimeoutInMillis"] = int(properties["TimeoutInMillis"])
    for name in {"ConnectionType", "PassthroughBehavior", "Type"} & properties.keys():
        properties[name] = str(properties[name]).upper()
    responses = integration.get("responses") or {}
    texts = [properties.get("Uri"), properties.get("Credentials"), *_values(properties, "RequestTemplates")]
    if not isinstance(responses, dict):
        raise malformed
    for response in responses.values():
        if not isinstance(response, dict) or "statusCode" not in response:
            raise malformed
        texts += [*_values(response, "responseTemplates"), *_values(response, "responseParameters")]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise malformed
    properties["IntegrationResponses"] = [
        {
            **{f"{name[0].upper()}{name[1:]}": value for name, value in response.items() if value is not None},
            "StatusCode": str(response["statusCode"]),
            **({} if pattern == "default" else {"SelectionPattern": str(pattern)}),
        }
        for pattern, response in responses.items()
    ]
    return properties


def _values(node: Json, name: str) -> list[Any]:
    mapped = node.get(name) or {}
    return list(mapped.values()) if isinstance(mapped, dict) else [mapped, ()]


def _resolved(document: Json, node: Any) -> Json:
    """Return what a node refers to in its document, or the node itself; nothing where there is no such thing."""
    reference = node.get("$ref") if isinstance(node, dict) else None
    if reference is None:
        return node if isinstance(node, dict) else {}
    found: Any = document
    for name in str(reference).removeprefix("#/").split("/"):
        found = found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _missing_models(document: Json) -> Iterator[str]:
    """Yield a warning for each model that a method refers to and the document does not have."""
    models = {*member(document, "definitions"), *member(member(document, "components"), "schemas")}
    for reference in _references(document.get("paths"), set()):
        match = _MODEL.fullmatch(reference)
        if match and match["name"] not in models:
            yield f"Reference to model '{match['name']}' not found. Ignoring."


def _references(node: Any, seen: set[int]) -> Iterator[str]:
    """Yield what a node and those below it refer to; in YAML, the same node can be in many places, or within itself."""
    if not isinstance(node, dict | list) or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        yield node["$ref"]
    for below in node.values() if isinstance(node, dict) else node:
        yield from _references(below, seen)
