"""The answers with which a REST API refuses a request, and the types of response that change them.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html; of a
function that the API may not call, https://github.com/DataBiosphere/azul/issues/8301
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class Refusal:
    """One kind of answer.

    Attributes:
        status: The status.
        kind: What the header ``x-amzn-errortype`` says.
        message: What the body says.
        response_type: The type of gateway response by which an API changes it.
    """

    status: HTTPStatus
    kind: str
    message: str
    response_type: str = "DEFAULT_4XX"

    @property
    def body(self) -> str:
        """The body, unless the API has a template for it."""
        member = "Message" if self.response_type == "ACCESS_DENIED" else "message"
        return json.dumps({member: self.message}, separators=(",", ":"))


FORBIDDEN = Refusal(HTTPStatus.FORBIDDEN, "ForbiddenException", "Forbidden")
NO_KEY = Refusal(HTTPStatus.FORBIDDEN, "ForbiddenException", "Forbidden", "INVALID_API_KEY")
UNKNOWN = Refusal(
    HTTPStatus.FORBIDDEN,
    "MissingAuthenticationTokenException",
    "Missing Authentication Token",
    "MISSING_AUTHENTICATION_TOKEN",
)
BAD_KEY = Refusal(
    HTTPStatus.FORBIDDEN, "UnrecognizedClientException", "The security token included in the request is invalid."
)
BAD_SIGNATURE = Refusal(
    HTTPStatus.FORBIDDEN,
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.",
    "INVALID_SIGNATURE",
)
UNSUPPORTED = Refusal(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "BadRequestException", "Unsupported Media Type", "UNSUPPORTED_MEDIA_TYPE"
)
MALFORMED = Refusal(HTTPStatus.BAD_GATEWAY, "InternalServerErrorException", "Internal server error", "DEFAULT_5XX")
FAILED = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerErrorException", "Internal server error", "DEFAULT_5XX"
)
MISCONFIGURED = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerErrorException", "Internal server error", "API_CONFIGURATION_ERROR"
)
TIMED_OUT = Refusal(
    HTTPStatus.GATEWAY_TIMEOUT, "InternalServerErrorException", "Endpoint request timed out", "INTEGRATION_TIMEOUT"
)


class RefusedError(Exception):
    """A request is refused.

    Attributes:
        refusal: How.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
