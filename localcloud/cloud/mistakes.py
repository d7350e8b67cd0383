"""Answer requests that are wrong with the error that the service's model has for it.

moto gap: it looks many names up without checking them, and a request for an absent one ended with a KeyError and status
500. So did a request that lacks a member, or whose body cannot be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.parsers.expat import ExpatError

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.model import OperationNotFoundError as UnknownOperationError

from localcloud.access.signatures import SignedRequest
from localcloud.cloud.error_responses import FORM, protocol

#: How services name the error for something that does not exist.
NAMES = re.compile(r"NotFound|NotExist|NoSuch|DoesNotExist")
#: How they name the error for a request that is not valid, the usual one first.
INVALID = ("ValidationException", "ValidationError", "InvalidParameterException", "InvalidParameterValueException")
#: EC2's codes for what does not exist where they are not formed from the parameter, by the parameter's resource.
EC2_CODES = {
    "Image": "InvalidAMIID.NotFound",
    "NatGateway": "NatGatewayNotFound",
    "Snapshot": "InvalidSnapshot.NotFound",
    "SourceImage": "InvalidAMIID.NotFound",
    "SourceRegion": "InvalidParameterValue",
    "SpotFleetRequest": "InvalidSpotFleetRequestId.NotFound",
    "TransitGatewayRouteTable": "InvalidRouteTableID.NotFound",
}
#: What services without such errors answer, by the protocol of the request.
WITHOUT_MODEL = {"query": "ValidationError", "json": "ValidationException", "cbor": "ValidationException"}


def absent_name(request: SignedRequest, error: Exception) -> tuple[str, str] | None:
    """Return the parameter of a request that names something absent, and the name; None if the error is another one.

    Args:
        request: The request.
        error: What was raised while it was answered. Only a KeyError for a text that the request itself contains is
            about something absent; any other error is the local cloud's own.
    """
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    if not isinstance(name, str) or not name:
        return None
    return next(((parameter, value) for parameter, value in _values(request) if value == name), None)


def not_found(model: str, operation: str | None, parameter: str, form: str) -> tuple[str, HTTPStatus]:
    """Return the code and the status with which a service says that something does not exist.

    Args:
        model: The service's name in botocore.
        operation: The operation's name; None if it is not known.
        parameter: The parameter that names what is absent, such as `DBClusterIdentifier`; empty if it is in the path.
        form: The `protocol` of the request.

    Source: the errors of the operation in botocore's model. EC2's model has none; its codes are formed from the
    resource (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).
    """
    resource = re.sub(r"(Identifier|Name|Id|Arn)s?$", "", parameter)
    if form == "ec2":
        return EC2_CODES.get(resource, f"Invalid{resource}ID.NotFound"), HTTPStatus.BAD_REQUEST
    described = _operation(model, operation) if operation else None
    shapes = [shape for shape in described.error_shapes if NAMES.search(shape.name)] if described else []
    shapes.sort(key=lambda shape: len(NAMES.split(shape.name)[0].lower().removeprefix(resource.lower())))
    if not shapes:
        return WITHOUT_MODEL.get(form, "NoSuchKey"), HTTPStatus.BAD_REQUEST
    status = shapes[0].metadata.get("error", {}).get("httpStatusCode", HTTPStatus.BAD_REQUEST)
    return str(shapes[0].metadata.get("error", {}).get("code", shapes[0].name)), HTTPStatus(status)


def missing_member(model: str, operation: str | None, error: Exception) -> str | None:
    """Return the member of an operation's input that a request lacks; None if the error is another one.

    Args:
        model: The service's name in botocore.
        operation: The operation's name; None if it is not known.
        error: What was raised while the request was answered. Only a KeyError for the name of a member is about one
            that is missing, whether moto writes it as the model does or with underscores.
    """
    name = error.args[0] if isinstance(error, KeyError) and error.args else None
    described = _operation(model, operation) if operation else None
    if not isinstance(name, str) or described is None or described.input_shape is None:
        return None
    members = {_plain(member): member for member in _members(described.input_shape, set())}
    return members.get(_plain(name))


def invalid(model: str, operation: str | None, form: str) -> str:
    """Return the code with which a service says that a request is not valid; the parameters are those of `not_found`.

    Source: the errors of the operation in botocore's model, and the errors that all services have in common
    (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html).
    """
    if form == "ec2":
        return "MissingParameter"
    described = _operation(model, operation) if operation else None
    names = {shape.name for shape in described.error_shapes} if described else set()
    return next((name for name in INVALID if name in names), WITHOUT_MODEL.get(form, "InvalidRequest"))


def unreadable(request: SignedRequest, error: Exception, form: str) -> tuple[str, str] | None:
    """Return the code and the message for a body that cannot be read; None if the error is another one.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html for XML.
    """
    if isinstance(error, ExpatError) and form == "s3":
        if not request.body:
            return "MissingRequestBodyError", "Request Body is empty"
        message = "The XML you provided was not well-formed or did not validate against our published schema"
        return "MalformedXML", message
    if isinstance(error, ValueError) and form == "json" and request.body:
        try:
            json.loads(request.body)
        except ValueError:
            return "SerializationException", "The body of the request is not JSON"
    return None


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _members(shape: Shape, seen: set[str]) -> Iterator[str]:
    """Yield the names of the members of a shape, and of those in them."""
    if shape.name in seen:
        return
    seen.add(shape.name)
    if isinstance(shape, StructureShape):
        yield from shape.members
        for member in shape.members.values():
            yield from _members(member, seen)
    elif isinstance(shape, ListShape):
        yield from _members(shape.member, seen)
    elif isinstance(shape, MapShape):
        yield from _members(shape.value, seen)


def _values(request: SignedRequest) -> Iterator[tuple[str, str]]:
    """Yield the texts in a request, each with the name of its parameter, which is empty in the path."""
    if request.headers.get("Content-Type", "").startswith(FORM):
        for key, value in parse_qsl(request.body.decode(errors="replace")):
            yield re.sub(r"(\.member)?(\.\d+)+$", "", key).rpartition(".")[2], value
    elif protocol(request, "") == "json" or request.body[:1] == b"{":
        try:
            yield from _texts("", json.loads(request.body or b"null"))
        except ValueError:
            return
    yield from parse_qsl(request.url.query)
    for segment in request.url.path.split("/"):
        yield "", unquote(segment)


def _texts(parameter: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield parameter, value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from _texts(name, member)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(parameter, item)


@cache
def _operation(model: str, operation: str) -> OperationModel | None:
    try:
        return botocore.session.Session().get_service_model(model).operation_model(operation)
    except (UnknownServiceError, UnknownOperationError):
        return None
