"""Changes by JSON patches, and of tags.

moto gaps: it patches some members and passes over others in silence, reads items of lists from the wrong place, and
cannot change methods, deployments, or the tags of anything but stages.

Source: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from moto.apigateway.exceptions import BadRequestException, NotFoundException
from moto.apigateway.models import ApiKey, Deployment, Method, RestAPI, Stage, UsagePlan
from moto.apigateway.responses import APIGatewayResponse

from localcloud.cloud.account import REGION
from localcloud.hooks import add, replace, wrap
from localcloud.services.apigateway import request_validators

Json = dict[str, Any]
Patches = list[dict[str, str]]
#: What has tags of its own, by its ARN.
TAGGED = re.compile(
    rf"arn:aws:apigateway:{REGION}::/(?:restapis/(?P<api>\w+)(?:/stages/(?P<stage>[\w-]+))?"
    r"|apikeys/(?P<key>\w+)|usageplans/(?P<plan>\w+))"
)


def _flag(value: str) -> bool:
    return value.lower() == "true"


def _authorization(value: str) -> str:
    if value not in {"NONE", "AWS_IAM"}:
        raise BadRequestException(
            f"authorizationType {value} is not NONE or AWS_IAM: the local cloud has no authorizers"
        )
    return value


def _stage_of_plan(value: str) -> dict[str, str]:
    api, _, stage = value.partition(":")
    return {"apiId": api, "stage": stage}


#: The members that a patch may name: moto's attribute, and how its value is read; a map's and a list's items likewise.
MEMBERS: dict[type, dict[str, tuple[str, Callable[[str], Any]]]] = {
    RestAPI: {
        "apiKeySource": ("api_key_source", str),
        "binaryMediaTypes": ("binaryMediaTypes", str),
        "description": ("description", str),
        "disableExecuteApiEndpoint": ("disableExecuteApiEndpoint", _flag),
        "name": ("name", str),
        "policy": ("policy", str),
    },
    Method: {
        "apiKeyRequired": ("api_key_required", _flag),
        "authorizationType": ("authorization_type", _authorization),
        "operationName": ("operation_name", str),
        "requestModels": ("request_models", str),
        "requestParameters": ("request_parameters", _flag),
        "requestValidatorId": ("request_validator_id", str),
    },
    Deployment: {"description": ("description", str)},
    Stage: {
        "deploymentId": ("deployment_id", str),
        "description": ("description", str),
        "tracingEnabled": ("tracing_enabled", _flag),
        "variables": ("variables", str),
    },
    ApiKey: {
        "customerId": ("customer_id", str),
        "description": ("description", str),
        "enabled": ("enabled", _flag),
        "name": ("name", str),
    },
    UsagePlan: {
        "apiStages": ("api_stages", _stage_of_plan),
        "description": ("description", str),
        "name": ("name", str),
    },
}
#: Members that are maps, and members that are lists, whose items are named by the path or by the value.
MAPS, LISTS = {"requestModels", "requestParameters", "variables"}, {"apiStages", "binaryMediaTypes"}


def apply(target: Any, operations: Patches) -> None:
    """Change what moto holds by JSON patches.

    Args:
        target: An instance of one of the types of `MEMBERS`.
        operations: The patches of a request.

    Raises:
        BadRequestException: A patch names a member that there is not, or an operation that it does not take.
    """
    members = MEMBERS[type(target)]
    for operation in operations:
        kind, path, value = operation.get("op", ""), operation.get("path", ""), operation.get("value", "")
        name, *rest = [segment.replace("~1", "/").replace("~0", "~") for segment in path.removeprefix("/").split("/")]
        if name not in members or kind not in {"add", "remove", "replace"} or len(rest) > 1:
            known = ", ".join(f"/{member}" for member in sorted(members))
            raise BadRequestException(
                f"Invalid patch path '{path}' specified for op '{kind}'. Must be one of: [{known}]"
            )
        attribute, convert = members[name]
        if name in MAPS:
            kept = {key: item for key, item in (getattr(target, attribute) or {}).items() if key != (rest or [""])[0]}
            setattr(target, attribute, kept if kind == "remove" or not rest else {**kept, rest[0]: convert(value)})
        elif name in LISTS:
            item = convert(rest[0] if rest else value)
            kept_items = [other for other in getattr(target, attribute) or [] if other != item]
            setattr(target, attribute, kept_items if kind == "remove" else [*kept_items, item])
        else:
            setattr(target, attribute, None if kind == "remove" else convert(value))


@wrap(
    APIGatewayResponse,
    *(f"update_{kind}" for kind in ("account", "api_key", "authorizer", "base_path_mapping")),
    "update_rest_api",
    "update_stage",
    "update_usage_plan",
)
def _patches(original: Any, self: APIGatewayResponse) -> Any:
    """Change nothing where a request has no patches."""
    if not self._get_param("patchOperations"):
        self.body = json.dumps({"patchOperations": []})
    return original(self)


@replace(RestAPI, "apply_patch_operations")
def _patch_api(self: RestAPI, patch_operations: Patches) -> None:
    apply(self, patch_operations)


@replace(UsagePlan, "apply_patch_operations")
def _patch_plan(self: UsagePlan, patch_operations: Patches) -> None:
    apply(self, patch_operations)


@replace(ApiKey, "update_operations")
def _patch_key(self: ApiKey, patch_operations: Patches) -> ApiKey:
    apply(self, patch_operations)
    return self


@replace(Stage, "apply_operations")
def _patch_stage(self: Stage, patch_operations: Patches) -> Stage:
    apply(self, patch_operations)
    return self


@add(APIGatewayResponse, "update_method")
def _update_method(self: APIGatewayResponse) -> Any:
    """Change a method, as the request's patches say."""
    _, _, api_id, _, resource_id, _, http_method = self.path.split("/")
    method = self.backend.get_method(api_id, resource_id, http_method)
    operations = self._get_param("patchOperations") or []
    settings = [operation for operation in operations if operation.get("op") != "remove"]
    values = {operation.get("path", ""): operation.get("value") for operation in settings}
    models = {path: model for path, model in values.items() if path.startswith("/requestModels/")}
    request_validators.check_references(self.backend, api_id, values.get("/requestValidatorId"), models)
    apply(method, operations)
    return 200, {}, json.dumps(method.to_json())


@add(APIGatewayResponse, "update_deployment")
def _update_deployment(self: APIGatewayResponse) -> Any:
    """Change the description of a deployment."""
    _, _, api_id, _, deployment_id = self.path.split("/")
    deployment = self.backend.get_deployment(api_id, deployment_id)
    apply(deployment, self._get_param("patchOperations") or [])
    return 200, {}, json.dumps(deployment.to_json())


@replace(APIGatewayResponse, "get_tags")
def _get_tags(self: APIGatewayResponse) -> str:
    return json.dumps({"tags": _tagged(self).tags or {}})


@replace(APIGatewayResponse, "tag_resource")
def _tag_resource(self: APIGatewayResponse) -> Any:
    tagged = _tagged(self)
    tagged.tags = {**(tagged.tags or {}), **(self._get_param("tags") or {})}
    return 204, {}, ""


@replace(APIGatewayResponse, "untag_resource")
def _untag_resource(self: APIGatewayResponse) -> Any:
    tagged, lost = _tagged(self), self.querystring.get("tagKeys") or []
    tagged.tags = {key: value for key, value in (tagged.tags or {}).items() if key not in lost}
    return 204, {}, ""


def _tagged(response: APIGatewayResponse) -> Any:
    """Return what the ARN of a request names.

    Raises:
        NotFoundException: There is no such thing.
    """
    arn = unquote(response.path.split("/tags/")[1])
    match = TAGGED.fullmatch(arn)
    if match is None:
        raise NotFoundException(f"Invalid resource ARN specified {arn}")
    names: Mapping[str, str] = match.groupdict()
    if names["key"]:
        return response.backend.get_api_key(names["key"])
    if names["plan"]:
        return response.backend.get_usage_plan(names["plan"])
    if names["stage"]:
        return response.backend.get_stage(names["api"], names["stage"])
    return response.backend.get_rest_api(names["api"])
