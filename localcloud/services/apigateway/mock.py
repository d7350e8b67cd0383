"""MOCK integrations: methods that answer by themselves, as the CDK's methods for CORS preflights do.

moto gap: it keeps them and answers nothing.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.apigateway.models import Integration, IntegrationResponse

from localcloud.access.signatures import SignedRequest
from localcloud.services.apigateway.methods import HEADER
from localcloud.services.apigateway.refusals import FAILED, UNSUPPORTED, RefusedError
from localcloud.services.awslambda.http_requests import Answer

JSON = "application/json"
#: The status in a request's template, whose names API Gateway takes without quotation marks.
_STATUS = re.compile(r"[\"']?statusCode[\"']?\s*:\s*(\d{3})\b")
#: The template with which `add_cors_preflight` of the CDK chooses among several origins, and one of these.
CHOOSES_ORIGIN = '#set($origin = $input.params().header.get("Origin"))'
_ORIGIN = re.compile(r'\$origin == "(?P<same>[^"]+)"|\$origin\.matches\("(?P<pattern>[^"]+)"\)')
_ORIGIN_HEADER = "access-control-allow-origin"


def answer(integration: Integration, request: SignedRequest) -> Answer:
    """Answer a request as a method's integration says, without anything behind it.

    Args:
        integration: The integration, with its responses.
        request: The request.

    Raises:
        RefusedError: The integration says no status or has no response for it, or the request's type has no template.
    """
    response = _response(integration, _status(integration, request))
    headers = {
        name.removeprefix(HEADER).lower(): value[1:-1] for name, value in (response.response_parameters or {}).items()
    }
    templates: dict[str, Any] = response.response_templates or {}
    accepted = (request.headers.get("Accept") or JSON).split(",")[0].strip()
    text = templates.get(accepted) or templates.get(JSON) or next(iter(templates.values()), None) or ""
    if text.startswith(CHOOSES_ORIGIN):
        origin = request.headers.get("Origin", "")
        if any(_is_origin(match, origin) for match in _ORIGIN.finditer(text)):
            headers[_ORIGIN_HEADER] = origin
        text = ""
    return int(response.status_code), headers, [], text.encode()


def allowed_origins(integration: Integration, request: SignedRequest) -> list[str]:
    """Return the origins whose pages may send a request, as the method for its preflight says."""
    try:
        _, headers, _, _ = answer(integration, request)
    except RefusedError:
        return []
    return [headers[_ORIGIN_HEADER]] if _ORIGIN_HEADER in headers else []


def _is_origin(match: re.Match[str], origin: str) -> bool:
    return bool(origin) and (
        match["same"] == origin or bool(match["pattern"] and re.fullmatch(match["pattern"], origin))
    )


def _status(integration: Integration, request: SignedRequest) -> str:
    """Return the status that the request's template says, or the request itself where no template is for its type."""
    media_type = (request.headers.get("Content-Type") or JSON).partition(";")[0].strip()
    templates: dict[str, str] = integration.request_templates or {}
    behaviour = integration.passthrough_behaviour
    if media_type in templates:
        match = _STATUS.search(templates[media_type])
        if match:
            return match[1]
    elif behaviour == "NEVER" or (behaviour == "WHEN_NO_TEMPLATES" and templates):
        raise RefusedError(UNSUPPORTED)
    else:
        try:
            passed = json.loads(request.body or b"{}")
        except ValueError:
            passed = {}
        if isinstance(passed, dict) and isinstance(passed.get("statusCode"), int):
            return str(passed["statusCode"])
    raise RefusedError(FAILED)


def _response(integration: Integration, status: str) -> IntegrationResponse:
    """Return the response whose pattern a status matches, or the one without a pattern."""
    responses = list((integration.integration_responses or {}).values())
    for response in responses:
        if response.selection_pattern and re.fullmatch(response.selection_pattern, status):
            return response
    default = next((response for response in responses if not response.selection_pattern), None)
    if default is None:
        raise RefusedError(FAILED)
    return default
