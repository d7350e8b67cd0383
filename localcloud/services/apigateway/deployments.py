"""Deployments: snapshots of an API's methods, which its stages serve until they get another one.

moto gap: it keeps the name of a deployment and nothing of what is deployed.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from moto.apigateway.exceptions import (
    BadRequestException,
    DeploymentNotFoundException,
    NoMethodDefined,
    StageStillActive,
)
from moto.apigateway.models import (
    APIGatewayBackend,
    Deployment,
    GatewayResponse,
    Method,
    RequestValidator,
    RestAPI,
    Stage,
)

from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap


@dataclass(frozen=True)
class DeployedMethod:
    """A method as it was when it was deployed.

    Attributes:
        resource_id: The id of its resource.
        path: The path of its resource.
        method: Its settings.
    """

    resource_id: str
    path: str
    method: Method


@dataclass
class Snapshot:
    """What a deployment deploys.

    Attributes:
        methods: Each method by its key, such as ``GET /pets/{id}``.
        binary_types: The media types of bodies that are not texts.
        responses: The gateway responses that the API sets, by their types.
        validators: The request validators by their ids.
        models: The schemas of the models as JSON, by their names.
    """

    methods: dict[str, DeployedMethod] = field(default_factory=dict)
    binary_types: list[str] = field(default_factory=list)
    responses: dict[str, GatewayResponse] = field(default_factory=dict)
    validators: dict[str, RequestValidator] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)


@wrap(APIGatewayBackend, "create_deployment")
def _create_deployment(
    cloud: Cloud, original: Any, self: APIGatewayBackend, function_id: str, *args: Any, **settings: Any
) -> Deployment:
    api = self.get_rest_api(function_id)
    methods = {
        f"{name} {resource.get_path()}": DeployedMethod(resource.id, resource.get_path(), copy.deepcopy(method))
        for resource in self.get_resources(function_id)
        for name, method in resource.resource_methods.items()
    }
    if not methods:
        raise NoMethodDefined
    if not all(deployed.method.method_integration for deployed in methods.values()):
        raise BadRequestException("No integration defined for method")
    deployment: Deployment = original(self, function_id, *args, **settings)
    snapshot = Snapshot(
        methods,
        list(api.binaryMediaTypes),
        copy.deepcopy(api.gateway_responses),
        copy.deepcopy(api.request_validators),
        {name: str(model.schema) for name, model in api.models.items()},
    )
    cloud.set_state(deployment, snapshot)
    return deployment


@wrap(RestAPI, "create_deployment")
def _stage_of_deployment(
    original: Any, self: RestAPI, name: str, description: str, stage_variables: Any = None
) -> Deployment:
    """Give the stage that a deployment names the new deployment; it keeps its other settings."""
    former = self.stages.get(name)
    deployment: Deployment = original(self, name, description, stage_variables)
    if former:
        former.deployment_id = deployment.id
        former.variables = {**former.variables, **(stage_variables or {})}
        self.stages[name] = former
    return deployment


@wrap(RestAPI, "get_deployment")
def _get_deployment(original: Any, self: RestAPI, deployment_id: str) -> Deployment:
    if deployment_id not in self.deployments:
        raise DeploymentNotFoundException
    deployment: Deployment = original(self, deployment_id)
    return deployment


@wrap(RestAPI, "delete_deployment")
def _delete_deployment(original: Any, self: RestAPI, deployment_id: str) -> Deployment:
    deployment = self.get_deployment(deployment_id)
    if any(stage.deployment_id == deployment_id for stage in self.stages.values()):
        raise StageStillActive
    deployment.stage_name = ""
    original(self, deployment_id)
    return deployment


@wrap(APIGatewayBackend, "create_stage")
def _create_stage(
    original: Any, self: APIGatewayBackend, function_id: str, stage_name: str, *args: Any, **settings: Any
) -> Stage:
    deployment_id = args[0] if args else settings.get("deploymentId")
    self.get_deployment(function_id, str(deployment_id))
    stage: Stage = original(self, function_id, stage_name, *args, **settings)
    stage.tracing_enabled = bool(stage.tracing_enabled)
    return stage


@wrap(APIGatewayBackend, "update_stage")
def _update_stage(
    original: Any, self: APIGatewayBackend, function_id: str, stage_name: str, patch_operations: Any
) -> Stage:
    for patch in patch_operations:
        if patch.get("path") == "/deploymentId":
            self.get_deployment(function_id, str(patch.get("value")))
    stage: Stage = original(self, function_id, stage_name, patch_operations)
    return stage


@wrap(RestAPI, "update_integration_mocks")
def _no_mocks(_original: Any, _self: RestAPI, _stage_name: str) -> None:
    """Requests come to the API's own endpoint, and not to moto's mocks in this process."""


def snapshot(cloud: Cloud, api: RestAPI, stage: Stage) -> Snapshot:
    """Return what a stage of an API serves."""
    return cloud.state(Snapshot, api.deployments[str(stage.deployment_id)])
