"""Function URLs: each a server on a loopback port of its own, which calls a function or an alias with what it is sent.

moto gaps: nothing answers at the URL, aliases have none, an update cannot take CORS away, nothing lists URLs, and
permissions forget which kind of URL they are for.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import GenericResourcNotFound, LambdaClientError
from moto.awslambda.models import LambdaBackend
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse

from localcloud.access.actions.derivation import Need
from localcloud.access.callers import Caller
from localcloud.access.data_requests import ANONYMOUS
from localcloud.access.function_names import FunctionName
from localcloud.access.signatures import SignatureError, SignedRequest
from localcloud.cloud.context import Cloud
from localcloud.hooks import add, after, replace, wrap
from localcloud.services.awslambda import http_requests, pages, qualifiers
from localcloud.services.awslambda.behaviour import FunctionError, TooManyRequestsException, call
from localcloud.services.awslambda.http_requests import Answer, FunctionHandler, response

Json = dict[str, Any]
Response = tuple[int, Json, str]
#: The condition keys of a permission, by the parameters of AddPermission that moto leaves beside the statement.
CONDITIONS = {
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
    "OrganizationId": ("StringEquals", "aws:PrincipalOrgID"),
}


class UrlExistsError(LambdaClientError):
    """A function has one URL, and so has each of its aliases."""

    code = 409

    def __init__(self, arn: str) -> None:
        reason = "FunctionUrlConfig exists for this Lambda function"
        message = f"Failed to create function url config for [functionArn = {arn}]. Error message:  {reason}"
        super().__init__("ResourceConflictException", message)


class NoFunctionError(LambdaClientError):
    """A URL is for a function or an alias that is not there."""

    code = 404

    def __init__(self) -> None:
        super().__init__("ResourceNotFoundException", "Function does not exist")


@dataclass
class FunctionUrl:
    """The URL of a function or of an alias.

    Attributes:
        target: The function or the alias.
        settings: As the API has them.
        server: What answers at the URL.
        created: When it was created, in ISO 8601.
        modified: When its settings were changed the last time.
    """

    target: FunctionName
    settings: Json
    server: ThreadingHTTPServer
    created: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000+0000}")
    modified: str = ""

    def described(self) -> Json:
        """Return what the API says of it."""
        cors = self.settings.get("Cors")
        return {
            "FunctionUrl": f"http://localhost:{self.server.server_port}/",
            "FunctionArn": self.target.arn,
            "AuthType": self.settings["AuthType"],
            **({"Cors": cors} if cors else {}),
            "CreationTime": self.created,
            "LastModifiedTime": self.modified or self.created,
            "InvokeMode": self.settings.get("InvokeMode") or "BUFFERED",
        }


@dataclass
class FunctionUrls:
    """The function URLs of a cloud, by the ARNs of their functions and aliases."""

    by_arn: dict[str, FunctionUrl] = field(default_factory=dict)

    def of(self, function: str) -> list[FunctionUrl]:
        """Return the URLs of a function, by its name, and of its aliases."""
        urls = [url for url in self.by_arn.values() if url.target.name == function]
        return sorted(urls, key=lambda url: url.target.qualifier)

    def end(self, arn: str) -> None:
        """Stop the server of a function's or an alias's URL, if it has one."""
        if url := self.by_arn.pop(arn, None):
            http_requests.end(url.server)


@replace(LambdaResponse, "create_function_url_config")
def _create(cloud: Cloud, self: LambdaResponse) -> Response:
    urls, target = cloud.state(FunctionUrls).by_arn, _target(self)
    _check_exists(self.backend, target)
    if target.arn in urls:
        raise UrlExistsError(target.arn)
    settings = _checked(self.json_body)
    server = http_requests.serve(UrlHandler, f"url of {target}", cloud=cloud, target=target)
    urls[target.arn] = FunctionUrl(target, settings, server)
    return HTTPStatus.CREATED, {"status": HTTPStatus.CREATED}, json.dumps(urls[target.arn].described())


@replace(LambdaResponse, "get_function_url_config")
def _get(cloud: Cloud, self: LambdaResponse) -> str:
    return json.dumps(_existing(cloud, _target(self)).described())


@replace(LambdaResponse, "update_function_url_config")
def _update(cloud: Cloud, self: LambdaResponse) -> str:
    target = _target(self)
    _check_exists(self.backend, target)
    url = _existing(cloud, target)
    url.settings = {**url.settings, **_checked(self.json_body)}
    url.modified = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000+0000}"
    return json.dumps(url.described())


@replace(LambdaResponse, "delete_function_url_config")
def _delete(cloud: Cloud, self: LambdaResponse) -> Response:
    target = _target(self)
    _existing(cloud, target)
    cloud.state(FunctionUrls).end(target.arn)
    return HTTPStatus.NO_CONTENT, {"status": HTTPStatus.NO_CONTENT}, ""


@add(LambdaResponse, "list_function_url_configs")
def _list(cloud: Cloud, self: LambdaResponse) -> str:
    target = _target(self)
    _check_exists(self.backend, FunctionName(target.name))
    described = [url.described() for url in cloud.state(FunctionUrls).of(target.name)]
    return pages.page(self, "FunctionUrlConfigs", described)


@wrap(LambdaBackend, "delete_function")
def _function_deleted(
    cloud: Cloud, original: Any, self: LambdaBackend, function_name: str, qualifier: str | None = None
) -> None:
    target = qualifiers.named(function_name, qualifier)
    original(self, function_name, qualifier)
    if not target.qualifier:
        for url in cloud.state(FunctionUrls).of(target.name):
            cloud.state(FunctionUrls).end(url.target.arn)


@after(LambdaBackend, "delete_alias")
def _alias_deleted(cloud: Cloud, _: None, __: LambdaBackend, name: str, function_name: str) -> None:
    cloud.state(FunctionUrls).end(qualifiers.named(function_name, name).arn)


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


def _target(request: LambdaResponse) -> FunctionName:
    """Return the function or the alias that a request is about."""
    return qualifiers.named(unquote(request.path).rsplit("/", 2)[-2], request._get_param("Qualifier"))  # noqa: SLF001


def _check_exists(backend: LambdaBackend, target: FunctionName) -> None:
    """Refuse a function or an alias that is not there.

    Raises:
        NoFunctionError: It is not.
    """
    try:
        qualifiers.find(backend, target)
    except LambdaClientError as error:
        raise NoFunctionError from error


def _existing(cloud: Cloud, target: FunctionName) -> FunctionUrl:
    """Return the URL of a function or an alias.

    Raises:
        GenericResourcNotFound: It has none.
    """
    url = cloud.state(FunctionUrls).by_arn.get(target.arn)
    if url is None:
        raise GenericResourcNotFound
    return url


class UrlHandler(FunctionHandler):
    """Answers requests to one function URL."""

    target: FunctionName

    def respond(self, request: SignedRequest) -> Answer:
        """Call the function for a caller who may."""
        url = self._url()
        cors = http_requests.cors_headers(self.cors(), self.headers)
        if url is None:
            return self.refused(HTTPStatus.FORBIDDEN, "Forbidden")
        if cors and self.is_preflight():
            return HTTPStatus.OK, cors, [], b""
        status, headers, cookies, content = self._invoked(request, str(url.settings["AuthType"]))
        return status, headers | cors, cookies, content

    def refused(self, status: HTTPStatus, reason: str) -> Answer:
        """Refuse a request as Lambda does."""
        return status, {}, [], json.dumps({"Message": reason}).encode()

    def cors(self) -> Json:
        """Return the URL's settings for pages of other origins."""
        url = self._url()
        return url.settings.get("Cors") or {} if url else {}

    def _url(self) -> FunctionUrl | None:
        return self.cloud.state(FunctionUrls).by_arn.get(self.target.arn)

    def _invoked(self, request: SignedRequest, auth_type: str) -> Answer:
        try:
            caller, access_key_id = self.caller(request, "lambda") if auth_type == "AWS_IAM" else (ANONYMOUS, "")
        except SignatureError:
            return self.refused(HTTPStatus.FORBIDDEN, "Forbidden")
        if not http_requests.may(self.cloud, caller, _needed(self.target.arn, auth_type), request):
            return self.refused(HTTPStatus.FORBIDDEN, "Forbidden")
        try:
            return response(call(self.cloud, self.target.arn, event(request, caller, access_key_id)))
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
