"""Operations that the local cloud lacks are refused by name, with an error of the client's, which no SDK tries again.

moto gap: an operation that it lacks ended with status 500 and a page of HTML, or with an empty 404.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import flask
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError
from moto import backends
from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.core.routing import get_service_router
from moto.moto_server.werkzeug_app import SIGNING_ALIASES, DomainDispatcherApplication
from werkzeug import Response
from werkzeug.exceptions import MethodNotAllowed, NotFound

from localcloud.access.signatures import SignatureError, SignedRequest, read
from localcloud.cloud.error_responses import FORM, error_response, protocol
from localcloud.cloud.mistakes import absent_name, invalid, missing_member, not_found, unreadable
from localcloud.hooks import wrap

#: What AWS calls an operation that a service does not have.
CODES = {
    "s3": "MethodNotAllowed",
    "ec2": "InvalidAction",
    "query": "InvalidAction",
    "json": "UnknownOperationException",
    "cbor": "UnknownOperationException",
}
#: botocore's names of services that it does not call by their signing names, or that share one with another service.
MODELS = SIGNING_ALIASES | {
    "apigateway": "apigatewayv2",
    "aps": "amp",
    "elasticfilesystem": "efs",
    "es": "opensearch",
    "monitoring": "cloudwatch",
    "ses": "sesv2",
    "tagging": "resourcegroupstaggingapi",
}
#: Parts of buckets and objects that moto does not have, as the query names them.
S3_LACKS = {
    "abac",
    "analytics",
    "annotation",
    "intelligent-tiering",
    "metadataAnnotationTable",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "renameObject",
    "requestPayment",
    "session",
    "torrent",
}


#: What moto says when it does not have an operation: it repeats the name, and gives no reason.
NOTHING_NEW = re.compile("action has not been implemented")


def missing(request: SignedRequest, environ: dict[str, Any], error: NotImplementedError) -> Response:
    """Refuse the operation that a request asks for.

    Args:
        request: The request.
        environ: The same, as WSGI has it.
        error: What moto raised; its message says what it lacks.
    """
    service = _service(request)
    reason = f": {error}" if str(error) and not NOTHING_NEW.search(str(error)) else ""
    operation = _operation(request, service, environ)
    message = f"{operation or f'{request.method} {request.url.path}'} is not there in the local cloud{reason}"
    status = HTTPStatus.BAD_REQUEST if operation else HTTPStatus.NOT_FOUND
    return error_response(request, service, CODES[protocol(request, service)], message, status)


def failed(request: SignedRequest, environ: dict[str, Any], error: Exception) -> Response:
    """Answer a request during which something was raised, in the service's own form.

    The error is the client's if the request names an operation or a resource that does not exist, lacks a member that
    the operation knows, or has a body that cannot be read. Any other is the local cloud's.

    Args:
        request: The request.
        environ: The same, as WSGI has it.
        error: What was raised.
    """
    service, model = _service(request), model_of(request)
    form, operation = protocol(request, service), _operation(request, service, environ)
    if isinstance(error, OperationNotFoundError):
        message = f"The action {operation} is not valid for this endpoint."
        return error_response(request, service, CODES[form], message, HTTPStatus.BAD_REQUEST)
    if absent := absent_name(request, error):
        parameter, name = absent
        code, status = not_found(model, operation, parameter, form)
        return error_response(request, service, code, f"{parameter or 'Resource'} {name} does not exist", status)
    if member := missing_member(model, operation, error):
        message = f"The request must contain the parameter {member}"
        return error_response(request, service, invalid(model, operation, form), message, HTTPStatus.BAD_REQUEST)
    if unread := unreadable(request, error, form):
        return error_response(request, service, *unread, HTTPStatus.BAD_REQUEST)
    message = f"The local cloud failed: {type(error).__name__}: {error}. Its log has the details."
    return error_response(request, service, "InternalFailure", message, HTTPStatus.INTERNAL_SERVER_ERROR)


def model_of(request: SignedRequest) -> str:
    """Return the name, in botocore, of the service that a request is signed for; empty if it is not signed."""
    service = _service(request)
    is_rest = service == "apigateway" and not request.url.path.startswith("/v2/")
    return service if is_rest else MODELS.get(service, service)


def _service(request: SignedRequest) -> str:
    """Return the signing name of the service that a request is for; empty if it is not signed."""
    try:
        signature = read(request)
    except SignatureError:
        return ""
    return signature.service if signature else ""


def _operation(request: SignedRequest, service: str, environ: dict[str, Any]) -> str | None:
    """Return the operation's name; None if botocore knows no operation of the service at this path."""
    if target := request.headers.get("X-Amz-Target"):
        return str(target).rpartition(".")[2]
    if match := re.fullmatch(r"/service/\w+/operation/(\w+)", request.url.path):
        return f"{match[1]} over CBOR"
    query = parse_qs(request.url.query)
    if request.headers.get("Content-Type", "").startswith(FORM):
        query |= parse_qs(request.body.decode(errors="replace"))
    if "Action" in query:
        return query["Action"][0]
    for name in dict.fromkeys((service, MODELS.get(service, service))):
        try:
            operation, _ = get_service_router(name).match(Request(environ))
        except (NotFound, MethodNotAllowed, NotImplementedError, UnknownServiceError):
            continue
        return str(operation.name)
    return None


def routed(create: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make moto's function that creates a service's application raise where it has no route.

    What it creates raises NotImplementedError for a path or method that moto does not have, instead of answering HTML.
    """

    def create_routed(service: Any) -> Any:
        if service is None:
            raise NotImplementedError("moto does not have this service.")
        application = create(service)
        for error in (NotFound, MethodNotAllowed):
            application.register_error_handler(error, _no_route)
        if service == "s3":
            application.before_request(_check_subresource)
        return application

    return create_routed


def _check_subresource() -> None:
    """Refuse what moto's S3 would take for a request for the bucket or the object itself."""
    if lacking := S3_LACKS & flask.request.args.keys():
        raise NotImplementedError(f"moto does not have S3's {', '.join(sorted(lacking))}.")
    if flask.request.path == "/WriteGetObjectResponse":
        raise NotImplementedError("moto does not have S3 Object Lambda.")
    if "/s3express/" in flask.request.headers.get("Authorization", ""):
        raise NotImplementedError("moto does not have S3's directory buckets.")


def _no_route(error: NotFound | MethodNotAllowed) -> NotFound | MethodNotAllowed:
    """Errors of moto's own go on to the client."""
    if type(error) in {NotFound, MethodNotAllowed}:
        raise NotImplementedError("moto does not have this path.") from error
    return error


@wrap(backends, "list_of_moto_modules")
def _list_of_moto_modules(original: Any) -> list[str]:
    """moto gap: it looks through its own folder for every request."""  # noqa: D403
    return _modules(original)


@cache
def _modules(list_of_moto_modules: Callable[[], Iterable[str]]) -> list[str]:
    return [*list_of_moto_modules()]


@wrap(BaseResponse, "call_action")
def _call_action(original: Any, self: BaseResponse) -> Any:
    if not self._get_action():
        raise NotImplementedError("moto does not have this operation.")
    return original(self)


@wrap(DomainDispatcherApplication, "infer_service_region_host")
def _infer_service(original: Any, self: DomainDispatcherApplication, environ: dict[str, Any], path: str) -> str | None:
    """Let a signature in the query say which service a request is for, too.

    moto gap: it takes every presigned request for one to S3.
    """
    credential = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    if credential and "HTTP_AUTHORIZATION" not in environ:
        environ = {**environ, "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={credential}"}
    host: str | None = original(self, environ, path)
    return host
