"""What this room installs, and what runs in it beside requests."""

from __future__ import annotations

from moto.awslambda import urls
from moto.awslambda.responses import LambdaResponse

from localcloud import hooks
from localcloud.cloud.context import Cloud
from localcloud.services.awslambda import (
    aliases,
    behaviour,
    event_invoke_configs,
    event_source_mappings,
    event_sources,
    function_urls,
    permissions,
    qualifiers,
)


def install(cloud: Cloud) -> None:
    """Add to moto what it lacks, and start what runs beside requests."""
    path = "{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[^/]+)/urls/?$"  # where URLs are listed
    urls.url_paths[path] = LambdaResponse.dispatch
    hooks.install(
        cloud, behaviour, aliases, event_source_mappings, function_urls, event_invoke_configs, permissions, qualifiers
    )
    cloud.every(0.2, event_sources.poll, cloud)
    cloud.every(0.5, behaviour.end_unused_environments, cloud)
