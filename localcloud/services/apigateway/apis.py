"""What API Gateway refuses of REST APIs, their resources, keys and usage plans.

moto gaps: it drops the binary media types of an API, takes resources of any form and twice, and deletes a resource and
leaves those below it.
"""

from __future__ import annotations

import json
from typing import Any

from moto.apigateway.exceptions import (
    BadRequestException,
    ConflictException,
    InvalidResourcePathException,
    NotFoundException,
    RestAPINotFound,
)
from moto.apigateway.models import Account, APIGatewayBackend, Resource, RestAPI
from moto.apigateway.responses import APIGatewayResponse

from localcloud.access import service_calls
from localcloud.cloud.account import ACCOUNT
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.apigatewayv2 import routes

Json = dict[str, Any]
SERVICE = "apigateway.amazonaws.com"


@replace(APIGatewayResponse, "create_rest_api")
def _create_rest_api(self: APIGatewayResponse) -> Any:
    asked: Json = json.loads(self.body)
    api = self.backend.create_rest_api(
        asked["name"],
        asked.get("description", ""),
        api_key_source=asked.get("apiKeySource"),
        endpoint_configuration=asked.get("endpointConfiguration"),
        tags=asked.get("tags"),
        policy=asked.get("policy"),
        disable_execute_api_endpoint=asked.get("disableExecuteApiEndpoint"),
    )
    api.binaryMediaTypes = asked.get("binaryMediaTypes") or []
    return 201, {"status": 201}, json.dumps(api.to_dict())


@wrap(APIGatewayBackend, "get_rest_api")
def _get_rest_api(original: Any, self: APIGatewayBackend, function_id: str) -> RestAPI:
    """Say which API there is not, as API Gateway does."""
    try:
        api: RestAPI = original(self, function_id)
    except RestAPINotFound as error:
        raise NotFoundException(f"Invalid API identifier specified {ACCOUNT}:{function_id}") from error
    return api


@wrap(APIGatewayBackend, "create_resource")
def _create_resource(
    original: Any, self: APIGatewayBackend, function_id: str, parent_resource_id: str, path_part: str
) -> Resource:
    parent = self.get_resource(function_id, parent_resource_id)
    is_parameter = routes.PARAMETER.fullmatch(path_part) is not None
    if not path_part or (not is_parameter and set("{}+") & {*path_part}):
        raise InvalidResourcePathException
    if parent.path_part.endswith("+}"):
        raise BadRequestException(
            f"Cannot create a child of a resource with a greedy path variable: {parent.path_part}"
        )
    for sibling in self.get_resources(function_id):
        if sibling.parent_id != parent_resource_id:
            continue
        if sibling.path_part == path_part:
            raise ConflictException(f"Another resource with the same parent already has this name: {path_part}")
        if is_parameter and routes.PARAMETER.fullmatch(sibling.path_part):
            raise BadRequestException(
                f"A sibling ({sibling.path_part}) of this resource already has a variable path part -- only one is "
                "allowed"
            )
    resource: Resource = original(self, function_id, parent_resource_id, path_part)
    return resource


@wrap(APIGatewayBackend, "delete_resource")
def _delete_resource(original: Any, self: APIGatewayBackend, function_id: str, resource_id: str) -> Resource:
    resource = self.get_resource(function_id, resource_id)
    if resource.parent_id is None:
        raise BadRequestException("Root resource cannot be deleted")
    for child in self.get_resources(function_id):
        if child.parent_id == resource_id:
            self.delete_resource(function_id, child.id)
    original(self, function_id, resource_id)
    return resource


@wrap(APIGatewayBackend, "create_usage_plan_key")
def _create_usage_plan_key(original: Any, self: APIGatewayBackend, usage_plan_id: str, payload: Json) -> Any:
    self.get_usage_plan(usage_plan_id)
    if payload["keyId"] in self.usage_plan_keys.get(usage_plan_id, {}):
        raise ConflictException("Usage plan key already exists")
    return original(self, usage_plan_id, payload)


@wrap(APIGatewayBackend, "create_usage_plan")
def _create_usage_plan(original: Any, self: APIGatewayBackend, payload: Json) -> Any:
    stages = [{"apiId": stage["apiId"], "stage": stage["stage"]} for stage in payload.get("apiStages") or []]
    for stage in stages:
        if stage["stage"] not in self.get_rest_api(stage["apiId"]).stages:
            raise NotFoundException(f"API Stage not found: {stage['apiId']}:{stage['stage']}")
    payload["apiStages"] = stages
    return original(self, payload)


@wrap(Account, "apply_patch_operations")
def _set_account(cloud: Cloud, original: Any, self: Account, patch_operations: list[dict[str, str]]) -> Account:
    """Take a role for the logs only if API Gateway may assume it, as AWS does."""
    for patch in patch_operations:
        role = patch.get("value") or ""
        if patch["path"] == "/cloudwatchRoleArn" and role:
            try:
                service_calls.check_trust(cloud, SERVICE, role)
            except PermissionError as error:
                message = "The role ARN does not have required permissions set to API Gateway"
                raise BadRequestException(message) from error
    account: Account = original(self, [{"value": None, **patch} for patch in patch_operations])
    return account


def keys_of(backend: APIGatewayBackend, api: RestAPI, stage: str) -> dict[str, Any]:
    """Return the enabled keys of the usage plans that a stage is in, by their values."""
    in_plan = {"apiId": api.id, "stage": stage}
    names = {
        name
        for plan in list(backend.usage_plans.values())
        if in_plan in plan.api_stages
        for name in backend.usage_plan_keys.get(plan.id, {})
    }
    return {key.value: key for key in list(backend.keys.values()) if key.id in names and key.enabled}
