"""Make HTTP APIs of OpenAPI documents.

moto gap: it cannot make an API of a document, and what it replaces of an API loses its stages.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from moto.apigatewayv2.exceptions import APIGatewayV2Error, BadRequestException
from moto.apigatewayv2.models import Api, ApiGatewayV2Backend
from moto.apigatewayv2.responses import ApiGatewayV2Response

from localcloud.cloud.context import log
from localcloud.hooks import add, replace
from localcloud.services.apigatewayv2 import documents

#: What a new API gets of its document only after its routes.
UNSET = (
    *("api_key_selection_expression", "cors_configuration", "description", "disable_execute_api_endpoint"),
    *("disable_schema_validation", "route_selection_expression", "version"),
)


@add(ApiGatewayV2Response, "import_api")
def _import_api(self: ApiGatewayV2Response) -> Any:
    backend, document = self.apigatewayv2_backend, _document(self)
    unset: Any = dict.fromkeys(UNSET)
    api = backend.create_api(name=document.name, protocol_type="HTTP", tags={}, **unset)
    try:
        return _imported(self, api, document)
    except Exception:
        backend.delete_api(api.api_id)
        raise


@replace(ApiGatewayV2Response, "reimport_api")
def _reimport_api(self: ApiGatewayV2Response) -> Any:
    api = self.apigatewayv2_backend.get_api(self.path.split("/")[-1])
    return _imported(self, api, _document(self))


def _document(response: ApiGatewayV2Response) -> documents.Document:
    base_path = response.querystring.get("basepath", [documents.BASE_PATHS[0]])[0]
    return documents.read(json.loads(response.body).get("body") or "", base_path)


def _imported(response: ApiGatewayV2Response, api: Any, document: documents.Document) -> Any:
    """Give an API what a document says, and answer with it.

    Raises:
        APIGatewayV2Error: An integration is not valid, or there are warnings, on which the import shall fail. The API
            is what it was.
    """
    made, warnings = _made(api, document)
    if warnings and response.querystring.get("failOnWarnings", ["false"])[0].lower() == "true":
        raise BadRequestException("Warnings found during import:" + "".join(f"\n\t{warning}" for warning in warnings))
    for warning in warnings:
        log.warning("API %s: %s", document.name, warning)
    api.integrations = {**api.integrations, **made.integrations}  # requests find those of old and new routes
    api.routes, api.integrations = made.routes, made.integrations
    api.name, api.description, api.version = document.name, document.description, document.version
    api.cors_configuration, api.disable_execute_api_endpoint = document.cors, document.is_disabled
    if document.tags:
        _tag(response.apigatewayv2_backend, api, document.tags)
    return 201, {}, json.dumps({**api.to_json(), **({"warnings": warnings} if warnings else {})})


def _made(api: Api, document: documents.Document) -> tuple[Api, list[str]]:
    """Return a copy of an API with the routes and integrations of a document, and the warnings of the import."""
    made, warnings = copy.copy(api), [*document.warnings]
    made.routes, made.integrations = {}, {}
    for route in document.routes:
        target: Any = None
        if route.integration is not None:
            integration = made.create_integration(
                connection_type=route.integration.get("ConnectionType", "INTERNET"),
                description="AutoCreate from OpenAPI Import",
                integration_method=route.integration["IntegrationMethod"],
                integration_type=route.integration["IntegrationType"],
                integration_uri=route.integration["IntegrationUri"],
                payload_format_version=route.integration["PayloadFormatVersion"],
                timeout_in_millis=route.integration.get("TimeoutInMillis"),
            )
            target = f"integrations/{integration.id}"
        try:
            made.create_route(
                api_key_required=False,
                authorization_scopes=[],
                authorization_type=route.authorization,
                operation_name=route.operation,
                route_key=route.key,
                target=target,
            )
        except APIGatewayV2Error as error:
            warnings.append(f"Unable to create Route '{route.key}': {error.message}")
    return made, warnings


def _tag(backend: ApiGatewayV2Backend, api: Api, tags: dict[str, str]) -> None:
    """Replace the tags of an API."""
    backend.untag_resource(api.arn, list(backend.get_tags(api.arn)))
    backend.tag_resource(api.arn, tags)
