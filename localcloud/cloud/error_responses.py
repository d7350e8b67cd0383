"""Errors in the form in which the clients of each service read them.

moto gap: in the query protocol, an error has its message twice, under two names.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from moto.core.serialize import BaseXMLSerializer
from werkzeug import Response

from localcloud.access.signatures import S3, SignedRequest
from localcloud.cloud import cbor
from localcloud.hooks import after

REST_XML = {"cloudfront", "route53"}  # besides S3
FORM = "application/x-www-form-urlencoded"


@after(BaseXMLSerializer, "_serialize_error_metadata")
def _serialized(_: None, _serializer: BaseXMLSerializer, serialized: dict[str, Any], *_error: Any) -> None:
    """Leave out the member ``message`` of an exception, which is ``Message`` of every error in XML."""
    if "Message" in serialized:
        serialized.pop("message", None)


def protocol(request: SignedRequest, service: str) -> str:
    """Return the kind of protocol that a request speaks: ``s3``, ``ec2``, ``query``, ``json`` or ``cbor``.

    Args:
        request: The request.
        service: The service that it is signed for, by its signing name; may be empty.
    """
    kind = _content_type(request)
    if request.headers.get("Smithy-Protocol") == cbor.NAME:
        return "cbor"
    if service == "ec2":
        return "ec2"
    if kind == FORM or service in REST_XML or "Action" in request.parameters:
        return "query"
    if service in S3 or not (service or "json" in kind or "X-Amz-Target" in request.headers):
        return "s3"
    return "json"


def error_response(request: SignedRequest, service: str, code: str, message: str, status: HTTPStatus) -> Response:
    """Return an error in the form of the request's `protocol`.

    Args:
        request: The request.
        service: The service that it is signed for.
        code: The name of the error.
        message: What is wrong.
        status: HTTP's status.
    """
    form = protocol(request, service)
    if form == "cbor":
        body = cbor.encode({"__type": code, "message": message})
        return Response(body, status, {"Smithy-Protocol": cbor.NAME}, content_type=cbor.CONTENT_TYPE)
    if form == "json":
        json_type = _content_type(request) if "json" in _content_type(request) else "application/json"
        body = json.dumps({"__type": code, "message": message}).encode()
        return Response(body, status, {"x-amzn-ErrorType": code}, content_type=json_type)
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    bodies = {
        "s3": f"<Error>{inner}</Error>",
        "ec2": f"<Response><Errors><Error>{inner}</Error></Errors></Response>",
        "query": f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error></ErrorResponse>",
    }
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{bodies[form]}'
    return Response(document, status, content_type="application/xml")


def _content_type(request: SignedRequest) -> str:
    return request.headers.get_content_type() if "Content-Type" in request.headers else ""
