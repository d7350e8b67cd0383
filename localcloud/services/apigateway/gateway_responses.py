"""Gateway responses: the statuses, headers and bodies with which an API refuses requests.

A type of response that an API does not set is that of ``DEFAULT_4XX`` or ``DEFAULT_5XX``, if the API sets this one.
What is deployed counts, and not what is set later.

moto gaps: it keeps what is set, knows no defaults, changes nothing by patches, and answers nothing with it.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html, and
api-gateway-gatewayResponse-definition.html and api-gateway-swagger-extensions-gateway-responses.html there; for the
words of the errors
https://github.com/localstack/localstack/blob/main/tests/aws/services/apigateway/test_apigateway_api.snapshot.json
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from moto.apigateway.exceptions import BadRequestException, NotFoundException
from moto.apigateway.models import GatewayResponse, RestAPI
from moto.apigateway.responses import APIGatewayResponse

from localcloud.access.signatures import SignedRequest
from localcloud.hooks import add, replace
from localcloud.services.apigateway.refusals import Refusal
from localcloud.services.awslambda.http_requests import Answer

Json = dict[str, Any]
JSON = "application/json"
#: The status of each type of response that an API does not set; two take that of what is refused.
STATUSES: dict[str, str | None] = {
    "ACCESS_DENIED": "403",
    "API_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_FAILURE": "500",
    "BAD_REQUEST_BODY": "400",
    "BAD_REQUEST_PARAMETERS": "400",
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
    "EXPIRED_TOKEN": "403",
    "INTEGRATION_FAILURE": "504",
    "INTEGRATION_TIMEOUT": "504",
    "INVALID_API_KEY": "403",
    "INVALID_SIGNATURE": "403",
    "MISSING_AUTHENTICATION_TOKEN": "403",
    "QUOTA_EXCEEDED": "429",
    "REQUEST_TOO_LARGE": "413",
    "RESOURCE_NOT_FOUND": "404",
    "THROTTLED": "429",
    "UNAUTHORIZED": "401",
    "UNSUPPORTED_MEDIA_TYPE": "415",
    "WAF_FILTERED": "403",
}
TEMPLATES = {JSON: '{"message":$context.error.messageString}'}
#: With which the names of headers begin.
HEADER = "gatewayresponse.header."
#: A variable in a template, which no language processes.
_VARIABLE = re.compile(
    r"\$(?P<place>context|stageVariables)\.(?P<name>\w+(?:\.\w+)*)"
    r"|\$?(?P<parameter>method\.request\.(?:header|path|querystring)\.[\w-]+)"
)
#: Members of a response: moto's attribute of each.
_MEMBERS = {"responseParameters": "response_parameters", "responseTemplates": "response_templates"}


@dataclass(frozen=True)
class RefusedRequest:
    """A request that an API refuses, with all that a response may say of it.

    Attributes:
        request: The request.
        parameters: What the path has in the place of the resource's parameters.
        variables: Those of the stage.
        context: What the API says of the request, as functions get it.
    """

    request: SignedRequest
    parameters: Mapping[str, str]
    variables: Mapping[str, str]
    context: Json


def described(responses: Mapping[str, GatewayResponse], kind: str) -> Json:
    """Return what the API says of a type of response.

    Args:
        responses: Those that the API sets.
        kind: The type.
    """
    status = STATUSES[kind]
    own = responses.get(kind)
    response = own or (responses.get(f"DEFAULT_{status[0]}XX") if status else None)
    number = (response.status_code if response else None) or status
    return {
        "responseType": kind,
        "defaultResponse": own is None,
        "responseParameters": dict(response.response_parameters or {}) if response else {},
        "responseTemplates": dict((response.response_templates if response else None) or TEMPLATES),
        **({"statusCode": str(number)} if number else {}),
    }


def answer(responses: Mapping[str, GatewayResponse], refusal: Refusal, refused: RefusedRequest) -> Answer:
    """Return the answer with which an API refuses a request.

    Args:
        responses: Those that the API sets.
        refusal: What is refused.
        refused: The request.
    """
    response = described(responses, refusal.response_type)
    error = {
        "message": refusal.message,
        "messageString": json.dumps(refusal.message),
        "responseType": refusal.response_type,
    }
    told = RefusedRequest(refused.request, refused.parameters, refused.variables, {**refused.context, "error": error})
    templates: dict[str, str] = response["responseTemplates"]
    accepted = (refused.request.headers.get("Accept") or JSON).split(",")[0].strip()
    media_type = next((name for name in (accepted, JSON) if name in templates), next(iter(templates)))
    values = {
        name.removeprefix(HEADER).lower(): _value(told, expression)
        for name, expression in response["responseParameters"].items()
    }
    headers = {name: value for name, value in values.items() if value}
    text = _VARIABLE.sub(lambda match: _substitute(told, match), templates[media_type])
    if templates == TEMPLATES:
        text = refusal.body
    status = int(response.get("statusCode") or refusal.status)
    return status, {"content-type": media_type, "x-amzn-errortype": refusal.kind, **headers}, [], text.encode()


def _value(told: RefusedRequest, expression: str) -> str:
    """Return the value of a header; empty if the request does not have what it is mapped from."""
    if expression.startswith("'"):
        return expression[1:-1]
    match = _VARIABLE.fullmatch(expression if expression.startswith("method.") else f"${expression}")
    value = _substitute(told, match) if match else ""
    return value if value.isprintable() and value.isascii() else ""


def _substitute(told: RefusedRequest, match: re.Match[str]) -> str:
    """Return what takes the place of a variable; empty where there is nothing of that name."""
    if match["parameter"]:
        _, _, place, name = match["parameter"].split(".", 3)
        query = parse_qs(told.request.url.query, keep_blank_values=True)
        places: dict[str, str | None] = {
            "header": told.request.headers.get(name),
            "path": told.parameters.get(name),
            "querystring": query.get(name, [""])[-1],
        }
        return places[place] or ""
    if match["place"] == "stageVariables":
        return told.variables.get(match["name"], "")
    value: Any = told.context
    for name in match["name"].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None or isinstance(value, dict) else str(value)


def put(api: RestAPI, kind: str, settings: Mapping[str, Any]) -> GatewayResponse:
    """Set a type of response of an API.

    Args:
        api: The API.
        kind: The type.
        settings: ``statusCode``, ``responseParameters`` and ``responseTemplates``, each of which may be absent.
    """
    status: Any = settings.get("statusCode") or None
    parameters, templates = settings.get("responseParameters") or {}, settings.get("responseTemplates") or {}
    return api.put_gateway_response(kind, status, dict(parameters), dict(templates))


@replace(APIGatewayResponse, "put_gateway_response")
def _put(self: APIGatewayResponse) -> Any:
    api, kind = _named(self)
    put(api, kind, json.loads(self.body or "{}"))
    return HTTPStatus.CREATED, {"status": HTTPStatus.CREATED}, json.dumps(described(api.gateway_responses, kind))


@replace(APIGatewayResponse, "get_gateway_response")
def _get(self: APIGatewayResponse) -> str:
    api, kind = _named(self)
    return json.dumps(described(api.gateway_responses, kind))


@replace(APIGatewayResponse, "get_gateway_responses")
def _list(self: APIGatewayResponse) -> str:
    api = self.backend.get_rest_api(self.path.split("/")[2])
    return json.dumps({"item": [described(api.gateway_responses, kind) for kind in STATUSES]})


@replace(APIGatewayResponse, "delete_gateway_response")
def _delete(self: APIGatewayResponse) -> Any:
    api, kind = _named(self)
    if kind not in api.gateway_responses:
        raise NotFoundException("Gateway response type not defined on api")
    api.delete_gateway_response(kind)
    return HTTPStatus.ACCEPTED, {"status": HTTPStatus.ACCEPTED}, ""


@add(APIGatewayResponse, "update_gateway_response")
def _update(self: APIGatewayResponse) -> str:
    """Change a type of response by patches; one that the API does not set yet begins with the defaults."""
    api, kind = _named(self)
    former = api.gateway_responses.get(kind)
    changed: Json = {
        "statusCode": former.status_code if former else None,
        **{name: dict((getattr(former, attribute) if former else None) or {}) for name, attribute in _MEMBERS.items()},
    }
    for patch in self._get_param("patchOperations") or []:
        _apply(changed, patch)
    put(api, kind, changed)
    return json.dumps(described(api.gateway_responses, kind))


def _apply(changed: Json, patch: Mapping[str, Any]) -> None:
    """Change a response by one patch.

    Raises:
        BadRequestException: It names no member of a response, or an operation that the member does not take.
        NotFoundException: It replaces or removes a header or a template that is not there.
    """
    operation, path, value = patch.get("op"), patch.get("path"), patch.get("value")
    name, _, item = str(path or "").removeprefix("/").partition("/")
    item = item.replace("~1", "/").replace("~0", "~")
    if name == "statusCode" and not item and operation == "replace":
        changed[name] = value
        return
    if name not in _MEMBERS or not item or operation not in {"add", "remove", "replace"}:
        raise BadRequestException(f"Invalid patch path {path or 'null'}")
    if operation != "remove" and not value:
        raise BadRequestException(f"Invalid null or empty value in {name}")
    if operation != "add" and item not in changed[name]:
        raise NotFoundException("Invalid parameter name specified")
    if operation == "remove":
        del changed[name][item]
    else:
        changed[name][item] = str(value)


def _named(request: APIGatewayResponse) -> tuple[RestAPI, str]:
    """Return the API and the type of response that a request is about; rules have refused a type that there is not."""
    _, _, api_id, _, kind = request.path.split("/")
    return request.backend.get_rest_api(api_id), kind
