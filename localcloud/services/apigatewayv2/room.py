"""What this room installs."""

from __future__ import annotations

from moto.apigateway import urls
from moto.apigatewayv2.responses import ApiGatewayV2Response

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.apigatewayv2 import apis, endpoints, imports


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks."""
    urls.url_paths["{0}/v2/tags/(?P<resource_arn>.+)$"] = ApiGatewayV2Response.dispatch  # moto lacks those of stages
    hooks.install(cloud, apis, endpoints, imports)
