"""Version 1.0 of the format in which functions get requests, and in which they answer.

REST APIs have this version only, and HTTP APIs have it as well.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from localcloud.access.signatures import SignedRequest
from localcloud.cloud.account import ACCOUNT
from localcloud.services.awslambda import http_requests
from localcloud.services.awslambda.http_requests import Answer

Json = dict[str, Any]
#: What is known of a caller in special cases only.
IDENTITY = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)
#: All that a function may answer a REST API; anything else is a malformed response.
MEMBERS = {"body", "headers", "isBase64Encoded", "multiValueHeaders", "statusCode"}


def forwarded(request: SignedRequest) -> dict[str, str]:
    """Return the headers with which API Gateway says where a request came from."""
    port = (request.headers.get("Host") or "").rpartition(":")[2]
    return {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Port": port, "X-Forwarded-Proto": "http"}


def event(
    request: SignedRequest,
    *,
    resource: str,
    parameters: Mapping[str, str],
    variables: Mapping[str, str] | None,
    identity: Mapping[str, str | None],
    about: Json,
) -> Json:
    """Return a request without its body as a function gets it.

    Args:
        request: The request.
        resource: The path of the method or the route that takes it.
        parameters: What its path has in the place of the resource's parameters.
        variables: Those of the stage.
        identity: What is known of the caller.
        about: The members of the context that differ between kinds of APIs.
    """
    now, path = datetime.now(UTC), request.url.path
    headers = {name: request.headers.get_all(name, []) for name in request.headers}
    headers |= {name: [value] for name, value in forwarded(request).items()}
    query = parse_qs(request.url.query, keep_blank_values=True)
    agent = request.headers.get("User-Agent", "")
    return {
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            "accountId": ACCOUNT,
            "domainName": request.headers.get("Host", ""),
            "extendedRequestId": str(uuid4()),
            "httpMethod": request.method,
            "identity": {**dict.fromkeys(IDENTITY), "sourceIp": "127.0.0.1", "userAgent": agent, **identity},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": str(uuid4()),
            "requestTime": f"{now:%d/%b/%Y:%H:%M:%S +0000}",
            "requestTimeEpoch": int(now.timestamp() * 1000),
            "resourcePath": resource,
            **about,
        },
        "pathParameters": dict(parameters) or None,
        "stageVariables": dict(variables) if variables else None,
        "body": None,
    }


def body(request: SignedRequest, binary_types: list[str]) -> Json:
    """Return the members of an event that are about the body.

    Args:
        request: The request.
        binary_types: The media types whose bodies are encoded in Base64.
    """
    if not request.body:
        return {"body": None, "isBase64Encoded": False}
    if is_binary(request.headers.get("Content-Type"), binary_types):
        return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}
    return {"body": request.body.decode(errors="replace"), "isBase64Encoded": False}


def is_binary(media_type: str | None, binary_types: list[str]) -> bool:
    """Return whether a media type, or the first one of a list of them, is one that an API calls binary.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/lambda-proxy-binary-media.html
    """
    first = (media_type or "").split(",")[0].partition(";")[0].strip().lower()
    return "*/*" in binary_types or first in {name.lower() for name in binary_types}


def joined(result: Json) -> Json:
    """Return a response whose headers of several values have them in one line; cookies are apart.

    Raises:
        ValueError: The headers are not valid.
    """
    several = result.get("multiValueHeaders") or {}
    if not isinstance(several, dict) or not all(isinstance(values, list) for values in several.values()):
        raise ValueError("multiValueHeaders is a map of lists")
    lower = {str(name).lower(): [_text(value) for value in values] for name, values in several.items()}
    cookies = lower.pop("set-cookie", [])
    headers = {str(name): _text(value) for name, value in (result.get("headers") or {}).items()}
    return {
        **result,
        "headers": headers | {name: ",".join(values) for name, values in lower.items()},
        "cookies": cookies,
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def response(result: Any, *, decodes: bool) -> Answer:
    """Return what a function answered a REST API.

    Args:
        result: What it returned.
        decodes: Whether the client takes a binary body; others get it in Base64.

    Raises:
        ValueError: The response is malformed.
    """
    if not isinstance(result, dict) or result.keys() - MEMBERS:
        raise ValueError(f"a response has no members but {', '.join(sorted(MEMBERS))}")
    headers = result.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str | bool) for value in headers.values()):
        raise ValueError("the values of headers are texts")
    is_encoded = bool(result.get("isBase64Encoded")) and decodes
    status = 200 if result.get("statusCode") is None else result["statusCode"]
    return http_requests.response(joined({**result, "statusCode": status, "isBase64Encoded": is_encoded}))
