"""What API Gateway refuses of an HTTP API, and the stages that change.

moto gaps: it takes routes of any form and twice, targets that do not exist, and cannot change a stage.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2.exceptions import APIGatewayV2Error, BadRequestException, StageNotFound
from moto.apigatewayv2.models import Api, ApiGatewayV2Backend, Integration, Route, Stage
from moto.apigatewayv2.responses import ApiGatewayV2Response

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.hooks import add, after, replace, wrap
from localcloud.services.apigatewayv2 import routes

Json = dict[str, Any]
#: The function in an integration's URI: only its ARN, or the path of Lambda's operation with it.
FUNCTION = re.compile(
    rf"(?:arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/)?"
    rf"(?P<arn>arn:aws:lambda:{REGION}:{ACCOUNT}:function:[\w-]+(?::[\w$-]+)?)(?:/invocations)?"
)
#: The ARN of an API or of one of its stages, by which tags are changed.
TAGGED = re.compile(rf"arn:aws:apigateway:{REGION}::/apis/(?P<api>\w+)(?:/stages/(?P<stage>[^/]+))?")
#: What a change of a stage may name, and the attribute of moto's stage that keeps it.
SETTINGS = {"autoDeploy": "auto_deploy", "description": "description", "stageVariables": "stage_variables"}


class ConflictException(APIGatewayV2Error):  # noqa: N818 - AWS's name
    """There is such a thing already."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


class ResourceMissingError(APIGatewayV2Error):
    """An ARN names neither an API nor a stage."""

    code = 404

    def __init__(self, arn: str) -> None:
        super().__init__("NotFoundException", f"Invalid resource ARN specified {arn}")


class IntegrationMissingError(APIGatewayV2Error):
    """A route's target does not exist."""

    code = 404

    def __init__(self, name: str) -> None:
        super().__init__("NotFoundException", f"Invalid Integration identifier specified {name}")


def function(integration: Integration) -> str:
    """Return the ARN of the function that an integration calls.

    Raises:
        BadRequestException: It does not name a function.
    """
    match = FUNCTION.fullmatch(integration.integration_uri or "")
    if match is None:
        raise BadRequestException(f"Invalid function ARN or invalid URI: {integration.integration_uri}")
    return match["arn"]


@after(Api, "create_integration", "update_integration")
def _check_integration(integration: Integration, *_args: Any, **_kwargs: Any) -> None:
    function(integration)


@wrap(Api, "create_route", "update_route")
def _check_route(original: Any, self: Api, **settings: Any) -> Route:
    key, target, own = settings.get("route_key"), settings.get("target"), settings.get("route_id")
    if key is not None:
        routes.check(key)
        if any(route.route_key == key and route.route_id != own for route in self.routes.values()):
            raise ConflictException(f"Route with key {key} already exists for this API")
    if target is not None and target.removeprefix("integrations/") not in self.integrations:
        raise IntegrationMissingError(target.removeprefix("integrations/"))
    route: Route = original(self, **settings)
    return route


@wrap(Api, "delete_integration")
def _delete_integration(original: Any, self: Api, integration_id: str) -> None:
    users = [route.route_id for route in self.routes.values() if route.target == f"integrations/{integration_id}"]
    if users:
        message = f"Cannot delete Integration '{integration_id}' because it is referenced by Route '{users[0]}'."
        raise ConflictException(message)
    original(self, integration_id)


@wrap(Api, "create_stage")
def _create_stage(original: Any, self: Api, config: Json) -> Stage:
    if config["stageName"] in self.stages:
        raise ConflictException("Stage already exists")
    stage: Stage = original(self, config)
    return stage


@wrap(ApiGatewayV2Backend, "delete_stage")
def _delete_stage(original: Any, self: ApiGatewayV2Backend, api_id: str, stage_name: str) -> None:
    if stage_name not in self.get_api(api_id).stages:
        raise StageNotFound
    original(self, api_id, stage_name)


@add(ApiGatewayV2Response, "update_stage")
def _update_stage(self: ApiGatewayV2Response) -> Any:
    """Change what a request mentions of a stage."""
    _, _, _, api_id, _, name = self.path.split("/")
    stage = self.apigatewayv2_backend.get_stage(api_id, unquote(name))
    changes = json.loads(self.body)
    for key, attribute in SETTINGS.items():
        if key in changes:
            setattr(stage, attribute, changes[key])
    stage.updated = datetime.now()  # noqa: DTZ005 - as moto's own
    return 200, {}, json.dumps(stage.to_json())


@replace(ApiGatewayV2Response, "get_tags")
def _get_tags(self: ApiGatewayV2Response) -> Any:
    return 200, {}, json.dumps({"tags": _tags(self)})


@replace(ApiGatewayV2Response, "tag_resource")
def _tag_resource(self: ApiGatewayV2Response) -> Any:
    _change_tags(self, _tags(self) | json.loads(self.body).get("tags", {}))
    return 201, {}, "{}"


@replace(ApiGatewayV2Response, "untag_resource")
def _untag_resource(self: ApiGatewayV2Response) -> Any:
    lost = self.querystring.get("tagKeys") or []
    _change_tags(self, {key: value for key, value in _tags(self).items() if key not in lost})
    return 204, {}, ""


def _tags(response: ApiGatewayV2Response) -> Json:
    """Return the tags of the API or the stage that a request names; moto keeps those of a stage in the stage."""
    api, stage = _tagged(response)
    return dict(stage.tags or {}) if stage else response.apigatewayv2_backend.get_tags(api.arn)


def _change_tags(response: ApiGatewayV2Response, tags: Json) -> None:
    api, stage = _tagged(response)
    if stage:
        stage.tags = tags
        return
    backend = response.apigatewayv2_backend
    backend.untag_resource(api.arn, list(backend.get_tags(api.arn)))
    backend.tag_resource(api.arn, tags)


def _tagged(response: ApiGatewayV2Response) -> tuple[Api, Stage | None]:
    arn = unquote(response.path.split("/tags/")[1])
    match = TAGGED.fullmatch(arn)
    if match is None:
        raise ResourceMissingError(arn)
    api = response.apigatewayv2_backend.get_api(match["api"])
    return api, api.get_stage(match["stage"]) if match["stage"] else None


@replace(Integration, "to_json")
def _described_integration(self: Integration) -> Json:
    """Describe an integration of an HTTP API, without the settings of WebSocket APIs."""
    described = {
        "connectionType": self.connection_type or "INTERNET",
        "description": self.description,
        "integrationId": self.id,
        "integrationMethod": self.integration_method,
        "integrationType": self.integration_type,
        "integrationUri": self.integration_uri,
        "payloadFormatVersion": self.payload_format_version,
        "timeoutInMillis": self.timeout_in_millis,
    }
    return {name: value for name, value in described.items() if value is not None}
