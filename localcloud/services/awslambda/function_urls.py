"""Function URLs: each a server on a loopback port of its own, which calls the function with what it is sent.

moto gaps: nothing answers at the URL, an update cannot take CORS away, and permissions forget which kind of URL they
are for.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import FunctionUrlConfig, LambdaBackend, LambdaFunction
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.utils import get_backend

from localcloud.access.actions.derivation import Need
from localcloud.access.callers import Caller
from localcloud.access.data_requests import ANONYMOUS
from localcloud.access.signatures import SignatureError, SignedRequest
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, replace, wrap
from localcloud.services.awslambda import http_requests
from localcloud.services.awslambda.behaviour import FunctionError, TooManyRequestsException, call
from localcloud.services.awslambda.http_requests import Answer, FunctionHandler, response

Json = dict[str, Any]
#: The condition keys of a permission, by the parameters of AddPermission that moto leaves beside the statement.
CONDITIONS = {
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
    "OrganizationId": ("StringEquals", "aws:PrincipalOrgID"),
}


class UrlExistsError(LambdaClientError):
    """A function has one URL."""

    code = 409

    def __init__(self, arn: str) -> None:
        reason = "FunctionUrlConfig exists for this Lambda function"
        message = f"Failed to create function url config for [functionArn = {arn}]. Error message:  {reason}"
        super().__init__("ResourceConflictException", message)


@dataclass
class Servers:
    """The servers of function URLs, by the ARNs of their functions."""

    by_arn: dict[str, ThreadingHTTPServer] = field(default_factory=dict)


@wrap(LambdaFunction, "create_url_config")
def _create(cloud: Cloud, original: Any, self: LambdaFunction, config: Json) -> FunctionUrlConfig:
    if self.url_config:
        raise UrlExistsError(str(self.function_arn))
    created: FunctionUrlConfig = original(self, _checked(config))
    name = self.function_name
    server = http_requests.serve(UrlHandler, f"url of {name}", cloud=cloud, function_name=name)
    cloud.state(Servers).by_arn[str(self.function_arn)] = server
    created.url = f"http://localhost:{server.server_port}/"
    return created


@wrap(LambdaResponse, *(f"{verb}_function_url_config" for verb in ("create", "get", "update", "delete")))
def _refuse_alias(original: Any, self: LambdaResponse) -> Any:
    """Refuse the URL of an alias, which moto would take for that of the function."""
    if "Qualifier" in self.querystring:
        raise NotImplementedError("a function URL here is of the function itself and not of an alias")
    return original(self)


@replace(FunctionUrlConfig, "update")
def _update(self: FunctionUrlConfig, new_config: Json) -> None:
    self.config = {**self.config, **_checked(new_config)}
    self.last_modified = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000+0000}"


@after(FunctionUrlConfig, "to_dict")
def _described(description: Json, self: FunctionUrlConfig, *_args: Any) -> None:
    description["InvokeMode"] = self.config.get("InvokeMode") or "BUFFERED"
    if not description["Cors"]:
        del description["Cors"]


@after(LambdaFunction, "delete_url_config")
def _deleted(cloud: Cloud, _: Any, fn: LambdaFunction) -> None:
    _end(cloud, str(fn.function_arn))


@wrap(LambdaBackend, "delete_function")
def _function_deleted(
    cloud: Cloud, original: Any, self: LambdaBackend, function_name: str, qualifier: str | None = None
) -> None:
    if not qualifier:
        _end(cloud, str(self.get_function(function_name).function_arn))
    original(self, function_name, qualifier)


@after(Policy, "decode_policy")
def _permitted(decoded: Policy, *_args: Any) -> None:
    for statement in decoded.statements:
        for parameter in CONDITIONS.keys() & statement.keys():
            operator, key = CONDITIONS[parameter]
            value = statement.pop(parameter)
            wanted = str(value).lower() if isinstance(value, bool) else value
            statement.setdefault("Condition", {}).setdefault(operator, {})[key] = wanted


def _checked(config: Json) -> Json:
    """Return the settings of a URL without those that say nothing.

    Raises:
        NotImplementedError: The function's responses shall be streamed.
    """
    if config.get("InvokeMode") == "RESPONSE_STREAM":
        raise NotImplementedError("a function URL here does not stream its responses; use BUFFERED")
    cors = {name: value for name, value in (config.get("Cors") or {}).items() if value}
    return {**config, **({"Cors": cors} if "Cors" in config else {})}


def _end(cloud: Cloud, arn: str) -> None:
    """Stop the server of a function's URL, if it has one."""
    http_requests.end(cloud.state(Servers).by_arn.pop(arn, None))


class UrlHandler(FunctionHandler):
    """Answers requests to one function URL."""

    function_name: str

    def respond(self, request: SignedRequest) -> Answer:
        """Call the function for a caller who may."""
        config = self._config()
        cors = http_requests.cors_headers(self.cors(), self.headers)
        if config is None:
            return self.refused(HTTPStatus.FORBIDDEN, "Forbidden")
        if cors and self.is_preflight():
            return HTTPStatus.OK, cors, [], b""
        status, headers, cookies, content = self._invoked(request, config)
        return status, headers | cors, cookies, content

    def refused(self, status: HTTPStatus, reason: str) -> Answer:
        """Refuse a request as Lambda does."""
        return status, {}, [], json.dumps({"Message": reason}).encode()

    def cors(self) -> Json:
        """Return the URL's settings for pages of other origins."""
        config = self._config()
        return config.config.get("Cors") or {} if config else {}

    def _config(self) -> FunctionUrlConfig | None:
        config: FunctionUrlConfig | None = get_backend(ACCOUNT, REGION).get_function(self.function_name).url_config
        return config

    def _invoked(self, request: SignedRequest, config: FunctionUrlConfig) -> Answer:
        auth_type = str(config.config["AuthType"])
        try:
            caller, access_key_id = self.caller(request, "lambda") if auth_type == "AWS_IAM" else (ANONYMOUS, "")
        except SignatureError:
            return self.refused(HTTPStatus.FORBIDDEN, "Forbidden")
        if not http_requests.may(self.cloud, caller, _needed(str(config.function.function_arn), auth_type), request):
            return self.refused(HTTPStatus.FORBIDDEN, "Forbidden")
        try:
            return response(call(self.cloud, self.function_name, event(request, caller, access_key_id)))
        except TooManyRequestsException:
            return HTTPStatus.TOO_MANY_REQUESTS, {}, [], b'{"Reason":"ConcurrentInvocationLimitExceeded"}'
        except (FunctionError, ValueError):
            return HTTPStatus.BAD_GATEWAY, {}, [], b"Internal Server Error"


def _needed(arn: str, auth_type: str) -> list[Need]:
    """Return the two permissions that URLs need since October 2025.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    """
    return [
        Need("lambda:InvokeFunctionUrl", arn, {"lambda:functionurlauthtype": auth_type}),
        Need("lambda:InvokeFunction", arn, {"lambda:invokedviafunctionurl": "true"}),
    ]


def event(request: SignedRequest, caller: Caller | None, access_key_id: str) -> Json:
    """Return a request as the function gets it, in version 2.0 of the format.

    Args:
        request: The request.
        caller: Who sent it; None for the account's administrator.
        access_key_id: The key that it is signed with; empty without one.
    """
    received = http_requests.event(request, (*http_requests.TEXTS, http_requests.FORM))
    context = received["requestContext"] | {"authentication": None}
    if access_key_id:
        context["authorizer"] = {"iam": http_requests.identity(caller, access_key_id)}
    else:
        context["accountId"] = "anonymous"
    return received | {"requestContext": context}
