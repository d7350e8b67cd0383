"""What this room installs."""

from __future__ import annotations

from moto.apigateway import urls
from moto.apigateway.responses import APIGatewayResponse

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.apigateway import (
    apis,
    changes,
    deployments,
    endpoints,
    gateway_responses,
    imports,
    methods,
    request_validators,
)


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks."""
    urls.url_paths["{0}/tags/(?P<resource_arn>.+)$"] = APIGatewayResponse.dispatch  # moto lacks those of APIs
    hooks.install(cloud, apis, changes, methods, request_validators, deployments, endpoints, gateway_responses, imports)
