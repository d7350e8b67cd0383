"""The endpoints of HTTP APIs: each a server on a loopback port of its own, whose routes call functions.

moto gap: nothing answers at an API's endpoint.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html, and
http-api-cors.html, http-api-access-control-iam.html and http-api-metrics.html there.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from moto.apigatewayv2.models import Api, ApiGatewayV2Backend, Stage

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.access.callers import Caller
from localcloud.access.signatures import SignatureError, SignedRequest
from localcloud.cloud import hosts
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud, log
from localcloud.hooks import wrap
from localcloud.services.apigateway import payload
from localcloud.services.apigatewayv2 import apis, routes
from localcloud.services.awslambda import http_requests
from localcloud.services.awslambda.behaviour import FunctionError, TooManyRequestsException, call
from localcloud.services.awslambda.http_requests import Answer, FunctionHandler, response
from localcloud.services.cloudwatch.metrics import measure

Json = dict[str, Any]
SERVICE = "apigateway.amazonaws.com"


@dataclass
class Servers:
    """The servers of HTTP APIs, by their ids."""

    by_id: dict[str, ThreadingHTTPServer] = field(default_factory=dict)


@wrap(ApiGatewayV2Backend, "create_api")
def _create(cloud: Cloud, original: Any, self: ApiGatewayV2Backend, **settings: Any) -> Api:
    api: Api = original(self, **settings)
    server = http_requests.serve(ApiHandler, f"API {api.api_id}", cloud=cloud, api=api)
    cloud.state(Servers).by_id[api.api_id] = server
    api.api_endpoint = f"http://localhost:{server.server_port}"
    cloud.state(hosts.Apis).by_id[api.api_id] = api.api_endpoint
    return api


@wrap(ApiGatewayV2Backend, "delete_api")
def _delete(cloud: Cloud, original: Any, self: ApiGatewayV2Backend, api_id: str) -> None:
    self.get_api(api_id)
    original(self, api_id)
    cloud.state(hosts.Apis).by_id.pop(api_id, None)
    http_requests.end(cloud.state(Servers).by_id.pop(api_id, None))


@dataclass(frozen=True)
class Routed:
    """A request with the stage and the route that take it."""

    request: SignedRequest
    stage: Stage
    route: routes.Match

    @property
    def resource(self) -> str:
        """The stage, the method and the path, as the ARNs of requests have them."""
        key = self.route.key.replace("ANY ", f"{self.request.method} ").replace(" ", "")
        return f"{self.stage.name}/{key}"


class ApiHandler(FunctionHandler):
    """Answers requests to one HTTP API."""

    api: Api

    def respond(self, request: SignedRequest) -> Answer:
        """Call the function of the route that takes a request, and count the request."""
        cors = http_requests.cors_headers(self.cors(), self.headers)
        if self.cors() and self.is_preflight():
            return HTTPStatus.NO_CONTENT, cors, [], b""
        started, stage = time.monotonic(), self._stage(request)
        status, headers, cookies, content = self._routed(request, stage)
        if self.cors():  # API Gateway ignores what the function says of it
            headers = {name: value for name, value in headers.items() if not name.startswith("access-control-")}
        if stage:
            self._count(stage, status, time.monotonic() - started)
        return status, headers | cors | {"apigw-requestid": str(uuid4())}, cookies, content

    def refused(self, status: HTTPStatus, reason: str) -> Answer:
        """Refuse a request as API Gateway does."""
        return status, {}, [], json.dumps({"message": reason}, separators=(",", ":")).encode()

    def cors(self) -> Json:
        """Return the API's settings for pages of other origins."""
        settings: Any = self.api.cors_configuration or {}
        return {f"{name[0].upper()}{name[1:]}": value for name, value in settings.items()}

    def _stage(self, request: SignedRequest) -> Stage | None:
        """Return the stage that the path begins with, else the one that needs no name."""
        name = request.url.path.split("/")[1]
        stages = self.api.stages
        return stages[name] if name in stages and name != routes.DEFAULT else stages.get(routes.DEFAULT)

    def _routed(self, request: SignedRequest, stage: Stage | None) -> Answer:
        if stage is None or self.api.disable_execute_api_endpoint:
            return self.refused(HTTPStatus.NOT_FOUND, "Not Found")
        path = request.url.path if stage.name == routes.DEFAULT else request.url.path.removeprefix(f"/{stage.name}")
        by_key = {route.route_key: route for route in list(self.api.routes.values())}
        match = routes.find(by_key, request.method, path or "/")
        if match is None or not by_key[match.key].target:
            return self.refused(HTTPStatus.NOT_FOUND, "Not Found")
        routed = Routed(request, stage, match)
        if by_key[match.key].authorization_type != "AWS_IAM":
            return self._invoked(routed, by_key[match.key].target, {})
        try:
            caller, key = self.caller(request, "execute-api")
        except SignatureError:
            return self.refused(HTTPStatus.FORBIDDEN, "Forbidden")
        if not http_requests.may(self.cloud, caller, [Need("execute-api:Invoke", self._arn(routed))], request):
            return self.refused(HTTPStatus.FORBIDDEN, "Forbidden")
        return self._invoked(routed, by_key[match.key].target, _authorizer(caller, key))

    def _arn(self, routed: Routed) -> str:
        return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.api.api_id}/{routed.resource}"

    def _invoked(self, routed: Routed, target: str, authorizer: Json) -> Answer:
        """Call the function of a route's integration."""
        integration = self.api.integrations[target.removeprefix("integrations/")]
        arn, is_first = apis.function(integration), integration.payload_format_version == "1.0"
        event = _first(routed, self.api) if is_first else _second(routed, self.api, authorizer)
        started = time.monotonic()
        try:
            service_calls.check(self.cloud, SERVICE, arn, self._arn(routed))
            result = call(self.cloud, arn, event)
            answer = _first_response(result) if is_first else response(result)
        except PermissionError as error:
            log.warning("API %s may not call its function: %s", self.api.name, error)
            return self.refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        except (FunctionError, TooManyRequestsException, ValueError):
            return self.refused(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")
        seconds = time.monotonic() - started
        measure("AWS/ApiGateway", "IntegrationLatency", seconds * 1000, {"ApiId": self.api.api_id})
        if seconds * 1000 > (integration.timeout_in_millis or 0):
            return self.refused(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable")
        return answer

    def _count(self, stage: Stage, status: int, seconds: float) -> None:
        """Write the metrics of a request, of the API and of its stage."""
        is_client, is_server = 400 <= status < 500, status >= 500  # noqa: PLR2004 - the classes of statuses
        values = {"Count": 1, "4xx": is_client, "5xx": is_server, "Latency": seconds * 1000}
        for dimensions in ({"ApiId": self.api.api_id}, {"ApiId": self.api.api_id, "Stage": stage.name}):
            for name, value in values.items():
                measure("AWS/ApiGateway", name, float(value), dimensions)


def _authorizer(caller: Caller | None, access_key_id: str) -> Json:
    return {"authorizer": {"iam": http_requests.identity(caller, access_key_id)}}


def _second(routed: Routed, api: Api, authorizer: Json) -> Json:
    """Return a request as a function gets it, in version 2.0 of the format."""
    event = http_requests.event(routed.request)
    about = {"apiId": api.api_id, "domainPrefix": api.api_id, "routeKey": routed.route.key, "stage": routed.stage.name}
    forwarded = {name.lower(): value for name, value in payload.forwarded(routed.request).items()}
    return {
        **event,
        "routeKey": routed.route.key,
        "headers": event["headers"] | forwarded,
        "requestContext": event["requestContext"] | about | authorizer,
        **({"pathParameters": routed.route.parameters} if routed.route.parameters else {}),
        **({"stageVariables": routed.stage.stage_variables} if routed.stage.stage_variables else {}),
    }


def _first(routed: Routed, api: Api) -> Json:
    """Return a request as a function gets it, in version 1.0 of the format."""
    resource = routed.route.key.partition(" ")[2] or routed.route.key
    about = {
        "apiId": api.api_id,
        "authorizer": {"claims": None, "scopes": None},
        "domainPrefix": api.api_id,
        "resourceId": routed.route.key,
        "stage": routed.stage.name,
    }
    event = payload.event(
        routed.request,
        resource=resource,
        parameters=routed.route.parameters,
        variables=routed.stage.stage_variables,
        identity={"cognitoAmr": None},
        about=about,
    )
    return {"version": "1.0", **event, **http_requests.body(routed.request, http_requests.TEXTS)}


def _first_response(result: Any) -> Answer:
    """Return what a function answered in version 1.0 of the format.

    Raises:
        ValueError: It has no status code, or is not valid.
    """
    if not isinstance(result, dict) or "statusCode" not in result:
        raise ValueError("a response of version 1.0 of the format has a statusCode")
    return response(payload.joined(result))
