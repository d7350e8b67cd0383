"""The answers with which a REST API refuses a request.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True)
class Refusal:
    """One kind of answer.

    Attributes:
        status: The status.
        kind: What the header ``x-amzn-errortype`` says.
        message: What the body says.
    """

    status: HTTPStatus
    kind: str
    message: str


FORBIDDEN = Refusal(HTTPStatus.FORBIDDEN, "ForbiddenException", "Forbidden")
UNKNOWN = Refusal(HTTPStatus.FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token")
BAD_KEY = Refusal(
    HTTPStatus.FORBIDDEN, "UnrecognizedClientException", "The security token included in the request is invalid."
)
BAD_SIGNATURE = Refusal(
    HTTPStatus.FORBIDDEN,
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.",
)
UNSUPPORTED = Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "BadRequestException", "Unsupported Media Type")
MALFORMED = Refusal(HTTPStatus.BAD_GATEWAY, "InternalServerErrorException", "Internal server error")
FAILED = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerErrorException", "Internal server error")
TIMED_OUT = Refusal(HTTPStatus.GATEWAY_TIMEOUT, "InternalServerErrorException", "Endpoint request timed out")


class RefusedError(Exception):
    """A request is refused.

    Attributes:
        refusal: How.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
