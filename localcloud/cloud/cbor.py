"""CBOR (RFC 8949), and the protocol that newer SDKs speak with it: Smithy's RPC v2.

moto gap: it has no such protocol. Services that speak it speak JSON as well, with the same names, so that a request
becomes one of JSON, and the response one of CBOR again.

Protocol: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import struct
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError, RpcV2CBORParser
from moto.core.utils import get_service_model

from localcloud.access.signatures import SignedRequest

NAME = "rpc-v2-cbor"
CONTENT_TYPE = "application/cbor"
PATH = re.compile(r"/service/(?P<service>[\w.]+)/operation/(?P<operation>\w+)")
#: The kinds of CBOR's data items that this module writes, as the first three bits of an item.
UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG = (kind << 5 for kind in range(7))
#: The constants among the items, and the head of a number of double precision.
FALSE, TRUE, NULL, DOUBLE = b"\xf4", b"\xf5", b"\xf6", b"\xfb"
EPOCH_SECONDS = 1  # the tag of a time


def encode(value: Any) -> bytes:  # noqa: PLR0911 - one for each type
    """Return a value as CBOR: a constant, number, text, bytes, time, or a list or map of such."""
    match value:
        case None:
            return NULL
        case bool():
            return TRUE if value else FALSE
        case int():
            return _head(UNSIGNED, value) if value >= 0 else _head(NEGATIVE, -1 - value)
        case float():
            return DOUBLE + struct.pack(">d", value)
        case bytes():
            return _head(BYTES, len(value)) + value
        case str():
            return _head(TEXT, len(content := value.encode())) + content
        case datetime():
            return _head(TAG, EPOCH_SECONDS) + encode(value.timestamp())
        case list():
            return _head(ARRAY, len(value)) + b"".join(map(encode, value))
        case dict():
            return _head(MAP, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
        case _:
            raise TypeError(f"CBOR has no {type(value).__name__}")


def _head(kind: int, count: int) -> bytes:
    """Return the head of an item: its kind, and how long or large it is."""
    if count < 24:  # noqa: PLR2004 - what fits into the first byte
        return bytes([kind | count])
    size = next(size for size in range(4) if count < 1 << (8 << size))
    return bytes([kind | 24 + size]) + count.to_bytes(1 << size)


def decode(content: bytes) -> Any:
    """Return the value that CBOR holds; nothing where there is none.

    Raises:
        ValueError: It is not CBOR.
    """
    try:
        return RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(content))) if content else {}
    except (ResponseParserError, struct.error, UnicodeDecodeError, IndexError, KeyError) as error:
        raise ValueError(f"the body is not CBOR: {error}") from error


def operation(request: SignedRequest, service: str) -> OperationModel | None:
    """Return the operation of a request in CBOR; None for other protocols and for services without JSON.

    Args:
        request: The request.
        service: botocore's name for the service that the request is signed for.
    """
    place = PATH.fullmatch(request.url.path)
    if request.headers.get("Smithy-Protocol") != NAME or not place or not service:
        return None
    try:
        model = get_service_model(service)
    except UnknownServiceError:
        return None
    if "json" not in model.metadata.get("protocols", ()) or place["operation"] not in model.operation_names:
        return None
    operation_model: OperationModel = model.operation_model(place["operation"])
    return operation_model


def as_json(request: SignedRequest, environ: dict[str, Any], model: OperationModel) -> dict[str, Any]:
    """Return the WSGI environment of the same request in JSON.

    Raises:
        ValueError: The body is not CBOR.
    """
    content = gzip.decompress(request.body) if request.headers.get("Content-Encoding") == "gzip" else request.body
    body = json.dumps(decode(content), default=_plain).encode()
    metadata = model.service_model.metadata
    remaining = {name: value for name, value in environ.items() if name != "HTTP_CONTENT_ENCODING"}
    return remaining | {
        "PATH_INFO": "/",
        "RAW_URI": "/",
        "REQUEST_URI": "/",
        "CONTENT_TYPE": f"application/x-amz-json-{metadata['jsonVersion']}",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_AMZ_TARGET": f"{metadata['targetPrefix']}.{model.name}",
        "wsgi.input": io.BytesIO(body),
    }


def _plain(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()


def from_json(content: bytes, status: int, model: OperationModel) -> bytes:
    """Return a response of JSON as CBOR: times and bytes get types of their own."""
    fields = json.loads(content or b"{}")
    if status >= HTTPStatus.BAD_REQUEST:
        message = fields.get("message") or fields.get("Message") or ""
        return encode({**fields, "message": message})
    return encode(_typed(fields, model.output_shape))


def _typed(value: Any, shape: Any) -> Any:  # noqa: PLR0911 - one for each type
    if value is None or shape is None:
        return value
    match shape.type_name:
        case "structure":
            members = shape.members
            return {name: _typed(item, members.get(name)) for name, item in value.items() if item is not None}
        case "list":
            return [_typed(item, shape.member) for item in value]
        case "map":
            return {key: _typed(item, shape.value) for key, item in value.items()}
        case "timestamp":
            return (
                datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else datetime.fromisoformat(value)
            )
        case "blob":
            return base64.b64decode(value)
        case "float" | "double":
            return float(value)
        case _:
            return value
