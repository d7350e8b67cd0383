"""The endpoints of REST APIs: each a server on a loopback port of its own, whose stages serve deployed methods.

moto gap: nothing answers at an API's endpoint.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html, and
apigateway-authorization-flow.html, api-gateway-api-usage-plans.html and api-gateway-metrics-and-dimensions.html there;
https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html for what becomes of a function's errors.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from moto.apigateway.models import APIGatewayBackend, Integration, RestAPI, Stage, apigateway_backends

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.access.callers import Caller
from localcloud.access.data_requests import ANONYMOUS
from localcloud.access.signatures import SignatureError, SignedRequest
from localcloud.cloud import hosts
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud, log
from localcloud.hooks import wrap
from localcloud.services.apigateway import (
    apis,
    deployments,
    gateway_responses,
    methods,
    mock,
    payload,
    refusals,
    request_validators,
)
from localcloud.services.apigateway.deployments import DeployedMethod, Snapshot
from localcloud.services.apigateway.gateway_responses import RefusedRequest
from localcloud.services.apigateway.refusals import Refusal, RefusedError
from localcloud.services.apigatewayv2 import routes
from localcloud.services.awslambda import http_requests
from localcloud.services.awslambda.behaviour import FunctionError, TooManyRequestsException, call
from localcloud.services.awslambda.http_requests import Answer, FunctionHandler
from localcloud.services.cloudwatch.metrics import measure

Json = dict[str, Any]


@dataclass
class Servers:
    """The servers of REST APIs, by their ids."""

    by_id: dict[str, ThreadingHTTPServer] = field(default_factory=dict)


@wrap(APIGatewayBackend, "create_rest_api")
def _create(cloud: Cloud, original: Any, self: APIGatewayBackend, *args: Any, **settings: Any) -> RestAPI:
    api: RestAPI = original(self, *args, **settings)
    server = http_requests.serve(RestApiHandler, f"API {api.id}", cloud=cloud, api=api)
    cloud.state(Servers).by_id[api.id] = server
    cloud.state(hosts.Apis).by_id[api.id] = f"http://localhost:{server.server_port}"
    return api


@wrap(APIGatewayBackend, "delete_rest_api")
def _delete(cloud: Cloud, original: Any, self: APIGatewayBackend, function_id: str) -> RestAPI:
    self.get_rest_api(function_id)
    api: RestAPI = original(self, function_id)
    cloud.state(hosts.Apis).by_id.pop(function_id, None)
    http_requests.end(cloud.state(Servers).by_id.pop(function_id, None))
    return api


@dataclass(frozen=True)
class Routed:
    """A request with the stage and the deployed method that take it.

    Attributes:
        request: The request.
        stage: The stage.
        path: The request's path without the stage.
        deployed: The method.
        parameters: What the path has in the place of the resource's parameters.
    """

    request: SignedRequest
    stage: Stage
    path: str
    deployed: DeployedMethod
    parameters: dict[str, str]

    def arn(self, api: RestAPI, path: str) -> str:
        """Return the ARN of requests to a path by this method."""
        return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/{self.stage.name}/{self.request.method}{path}"


class RestApiHandler(FunctionHandler):
    """Answers requests to one REST API."""

    api: RestAPI

    def respond(self, request: SignedRequest) -> Answer:
        """Answer a request by the method that takes it, and count the request."""
        started, stage = time.monotonic(), self._stage(request)
        routed: Routed | None = None
        name = str(uuid4())
        try:
            routed = self._routed(request, stage, request.method)
            answer = self._answered(routed, request)
        except RefusedError as error:
            answer = self._refused(error.refusal, request, stage, routed, name)
        status, headers, cookies, content = answer
        if stage:
            self._count(stage, status, time.monotonic() - started)
        return status, headers | {"x-amzn-requestid": name, "x-amz-apigw-id": name}, cookies, content

    def refused(self, status: HTTPStatus, reason: str) -> Answer:
        """Refuse a request as API Gateway does."""
        return _plain(Refusal(status, "BadRequestException", reason))

    def cors(self) -> Json:
        """Return for pages of which origins the method for the preflight of this request answers."""
        request = SignedRequest("OPTIONS", self.requestline.split()[1], self.headers, b"")
        try:
            integration: Any = self._routed(request, self._stage(request), "OPTIONS").deployed.method.method_integration
        except RefusedError:
            return {}
        is_mock = integration.integration_type == "MOCK"
        return {"AllowOrigins": mock.allowed_origins(integration, request)} if is_mock else {}

    def _stage(self, request: SignedRequest) -> Stage | None:
        """Return the stage that the path begins with."""
        return self.api.stages.get(request.url.path.split("/")[1])

    def _routed(self, request: SignedRequest, stage: Stage | None, method: str) -> Routed:
        """Find the method of a stage's deployment; a slash at the end of the path does not matter.

        Raises:
            RefusedError: There is no such stage or method, or the API does not take requests here.
        """
        if stage is None or self.api.disableExecuteApiEndpoint:
            raise RefusedError(refusals.FORBIDDEN)
        path = request.url.path.removeprefix(f"/{stage.name}") or "/"
        deployed = self._snapshot(stage).methods
        match = routes.find(deployed, method, path.rstrip("/") or "/", decode=str)
        if match is None:
            raise RefusedError(refusals.UNKNOWN)
        return Routed(request, stage, path, deployed[match.key], match.parameters)

    def _snapshot(self, stage: Stage) -> Snapshot:
        return deployments.snapshot(self.cloud, self.api, stage)

    def _answered(self, routed: Routed, request: SignedRequest) -> Answer:
        method = routed.deployed.method
        identity = self._authorized(routed, is_signed=method.authorization_type == "AWS_IAM")
        if method.api_key_required:
            identity |= self._key(routed)
        snapshot = self._snapshot(routed.stage)
        if validator := snapshot.validators.get(str(method.request_validator_id)):
            request_validators.check(validator, snapshot.models, method, request, routed.parameters)
        integration: Any = method.method_integration
        if integration.integration_type == "MOCK":
            return mock.answer(integration, request)
        return self._invoked(routed, integration, identity)

    def _refused(
        self, refusal: Refusal, request: SignedRequest, stage: Stage | None, routed: Routed | None, name: str
    ) -> Answer:
        """Refuse a request as the stage's deployment says.

        Args:
            refusal: What is refused.
            request: The request.
            stage: The stage; None if there is no such stage.
            routed: The method that takes the request; None if there is none.
            name: The id of the request.
        """
        if stage is None or self.api.disableExecuteApiEndpoint:
            return _plain(refusal)
        resource = routed.deployed.resource_id if routed else ""
        event = payload.event(
            request,
            resource=routed.deployed.path if routed else "",
            parameters=routed.parameters if routed else {},
            variables=stage.variables,
            identity={},
            about={**self._about(stage), "resourceId": resource, "requestId": name},
        )
        refused = RefusedRequest(
            request, event["pathParameters"] or {}, event["stageVariables"] or {}, event["requestContext"]
        )
        return gateway_responses.answer(self._snapshot(stage).responses, refusal, refused)

    def _authorized(self, routed: Routed, *, is_signed: bool) -> dict[str, str | None]:
        """Return what is known of a caller who may send a request.

        Raises:
            RefusedError: The signature, or what the policies of the caller and the API say.
        """
        caller, access_key_id = self._signer(routed.request) if is_signed else (ANONYMOUS, "")
        need = Need("execute-api:Invoke", routed.arn(self.api, routed.path))
        if is_signed or self.api.policy:
            denial = http_requests.denial(self.cloud, caller, [need], routed.request)
            if denial:
                arn = str(need.resource).replace(ACCOUNT, f"********{ACCOUNT[-4:]}")
                end = " with an explicit deny" if denial.policy else ""
                message = f"User: {denial.caller} is not authorized to perform: {need.action} on resource: {arn}{end}"
                raise RefusedError(Refusal(HTTPStatus.FORBIDDEN, "AccessDeniedException", message, "ACCESS_DENIED"))
        if not is_signed:
            return {}
        arn = caller.principal.arn if caller else f"arn:aws:iam::{ACCOUNT}:root"
        known = {"accessKey": access_key_id, "accountId": ACCOUNT, "caller": access_key_id, "user": access_key_id}
        return {**known, "userArn": arn}

    def _signer(self, request: SignedRequest) -> tuple[Caller | None, str]:
        try:
            return self.caller(request, "execute-api")
        except SignatureError as error:
            codes = {
                "MissingAuthenticationToken": refusals.UNKNOWN,
                "InvalidClientTokenId": refusals.BAD_KEY,
            }
            raise RefusedError(codes.get(error.code, refusals.BAD_SIGNATURE)) from error

    def _key(self, routed: Routed) -> dict[str, str | None]:
        """Return what is known of the key that a request comes with."""
        backend = apigateway_backends[ACCOUNT][REGION]
        value = routed.request.headers.get("x-api-key", "")
        key = apis.keys_of(backend, self.api, str(routed.stage.name)).get(value)
        if key is None:
            raise RefusedError(refusals.NO_KEY)
        return {"apiKey": key.value, "apiKeyId": key.id}

    def _invoked(self, routed: Routed, integration: Integration, identity: dict[str, str | None]) -> Answer:
        """Call the function of a method's integration."""
        if integration.http_method != "POST":  # the only one by which Lambda takes calls
            raise RefusedError(refusals.FAILED)
        arn, started = methods.function(integration), time.monotonic()
        binary_types = self._snapshot(routed.stage).binary_types
        try:
            self._let_in(integration, arn, routed)
            result = call(self.cloud, arn, self._event(routed, identity, binary_types))
            answer = payload.response(
                result, decodes=payload.is_binary(routed.request.headers.get("Accept"), binary_types)
            )
        except PermissionError as error:
            log.warning("API %s may not call its function: %s", self.api.name, error)
            raise RefusedError(refusals.MISCONFIGURED) from error
        except TooManyRequestsException as error:
            raise RefusedError(refusals.FAILED) from error
        except (FunctionError, ValueError) as error:
            log.warning("API %s cannot use what its function answered: %s", self.api.name, error)
            raise RefusedError(refusals.MALFORMED) from error
        milliseconds = (time.monotonic() - started) * 1000
        for dimensions in self._dimensions(routed.stage):
            measure("AWS/ApiGateway", "IntegrationLatency", milliseconds, dimensions)
        if milliseconds > float(integration.timeout_in_millis or 0):
            raise RefusedError(refusals.TIMED_OUT)
        return answer

    def _let_in(self, integration: Integration, arn: str, routed: Routed) -> None:
        """Check that the integration's role, or else the function's policy, lets the API call the function.

        Raises:
            PermissionError: It does not.
        """
        if role := integration.credentials:
            service_calls.check_trust(self.cloud, apis.SERVICE, role)
            service_calls.check_role(self.cloud, role, "apigateway", Need("lambda:InvokeFunction", arn))
        else:
            service_calls.check(self.cloud, apis.SERVICE, arn, routed.arn(self.api, routed.deployed.path))

    def _event(self, routed: Routed, identity: dict[str, str | None], binary_types: list[str]) -> Json:
        event = payload.event(
            routed.request,
            resource=routed.deployed.path,
            parameters=routed.parameters,
            variables=routed.stage.variables,
            identity=identity,
            about={**self._about(routed.stage), "resourceId": routed.deployed.resource_id},
        )
        return {**event, "path": routed.path, **payload.body(routed.request, binary_types)}

    def _about(self, stage: Stage) -> Json:
        """Return what the context of a request says of the API and its stage."""
        deployed = {"deploymentId": stage.deployment_id, "stage": stage.name}
        return {"apiId": self.api.id, "domainPrefix": self.api.id, **deployed}

    def _count(self, stage: Stage, status: int, seconds: float) -> None:
        """Write the metrics of a request, of the API and of its stage."""
        is_client, is_server = 400 <= status < 500, status >= 500  # noqa: PLR2004 - the classes of statuses
        values = {"Count": 1, "4XXError": is_client, "5XXError": is_server, "Latency": seconds * 1000}
        for dimensions in self._dimensions(stage):
            for name, value in values.items():
                measure("AWS/ApiGateway", name, float(value), dimensions)

    def _dimensions(self, stage: Stage) -> list[dict[str, str]]:
        return [{"ApiName": self.api.name}, {"ApiName": self.api.name, "Stage": str(stage.name)}]


def _plain(refusal: Refusal) -> Answer:
    """Refuse a request that reaches no deployment."""
    return refusal.status, {"x-amzn-errortype": refusal.kind}, [], refusal.body.encode()
