"""What a request asks for, by botocore's models: service, operation and parameters."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import UnknownServiceError
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import MethodNotAllowed, NotFound

from localcloud.access.actions.derivation import Call
from localcloud.access.signatures import SignedRequest
from localcloud.cloud import cbor
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.operations import MODELS

#: Signing names that several of botocore's services share, or that are another name than botocore's.
_SHARED = {
    "apigateway": ("apigateway", "apigatewayv2"),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "es": ("opensearch", "es"),
    "rds": ("rds", "neptune"),
    "s3": ("s3", "s3control"),
    "servicequotas": ("service-quotas",),
    "ses": ("sesv2", "ses"),
    "states": ("stepfunctions",),
    "timestream": ("timestream-write", "timestream-query"),
}


#: S3's operations on objects, by HTTP's methods, and the hosts that name no bucket.
_OF_OBJECTS = {"DELETE": "DeleteObject", "GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}
_WITHOUT_BUCKET = re.compile(r"(?:s3\.)?(?:localhost|127(?:\.\d+){3})(?::\d+)?", re.IGNORECASE)
#: Operations of S3 whose bodies say what they act on.
_IN_BODY = {"DeleteObjects", "PutBucketReplication", "PutObjectTagging"}


def read(request: SignedRequest, environ: dict[str, Any], service: str) -> Call | None:
    """Return the operation that a request asks for; None if botocore does not know it.

    Args:
        request: The request.
        environ: The request's WSGI environment.
        service: The signing name of the service that receives it.
    """
    for name in _SHARED.get(service, (MODELS.get(service, service),)):
        try:
            operation = _read(request, environ, name)
        except (NotFound, MethodNotAllowed, NotImplementedError, UnknownServiceError, ValueError):
            continue
        if operation:
            return Call(name, operation[0], operation[1], ACCOUNT, REGION)
    return None


def _read(request: SignedRequest, environ: dict[str, Any], service: str) -> tuple[str, dict[str, Any]] | None:
    if model := cbor.operation(request, service):
        return model.name, cbor.decode(request.body)
    if target := request.headers.get("X-Amz-Target"):
        name = str(target).rpartition(".")[2]
        exists = name in get_service_model(service).operation_names
        return (name, json.loads(request.body or b"{}")) if exists else None
    if service == "s3" and (plain := _plain(request)):
        return plain
    parsed = Request({**environ, "wsgi.input": io.BytesIO(request.body)})
    operation: Any
    operation, in_path = get_service_router(service).match(parsed)
    if service == "s3" and operation.name not in _IN_BODY:
        return operation.name, in_path | _outside_body(operation, parsed.args, parsed.headers)
    protocol = determine_request_protocol(operation.service_model, parsed.content_type)
    parsed_request: Any = {
        "method": parsed.method,
        "values": parsed.values,
        "headers": parsed.headers,
        "body": request.body,
        "url_path": parsed.path,
        "url_params": in_path,
    }
    return operation.name, PROTOCOL_PARSERS[protocol](operation).parse(parsed_request)


def _plain(request: SignedRequest) -> tuple[str, dict[str, Any]] | None:
    """Return a request for an object that its path names and nothing qualifies, as most are; None for any other.

    They are recognised here, because moto's router takes longer than the decision.
    """
    name = _OF_OBJECTS.get(request.method)
    bucket, _, key = request.target.removeprefix("/").partition("/")
    is_path = _WITHOUT_BUCKET.fullmatch(request.headers.get("Host", ""))
    if (
        not (name and bucket and key and is_path)
        or "%" in bucket
        or "?" in key
        or "x-amz-copy-source" in request.headers
    ):
        return None
    operation = get_service_model("s3").operation_model(name)
    return name, {"Bucket": bucket, "Key": unquote(key), **_outside_body(operation, {}, request.headers)}


def _outside_body(operation: Any, query: Mapping[str, str], headers: Any) -> dict[str, Any]:
    """Return the parameters in the query and the headers of a request: most bodies say nothing of permissions."""
    in_query, in_headers = _places(operation)
    members = {name: query[key] for key, name in in_query.items() if key in query}
    for header, value in headers.items():
        if name := in_headers.get(header.lower()):
            members[name] = value
    return members


@cache
def _places(operation: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The names of an operation's parameters in the query, and in the headers, by the names that they have there."""
    in_query, in_headers = {}, {}
    members = operation.input_shape.members if operation.input_shape else {}
    for name, shape in members.items():
        location, key = shape.serialization.get("location"), shape.serialization.get("name", name)
        if location == "querystring":
            in_query[key] = name
        elif location == "header":
            in_headers[key.lower()] = name
    return in_query, in_headers
