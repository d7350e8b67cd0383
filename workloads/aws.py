"""What AWS answers instead of doing what it was asked, in words for people."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError

from workloads.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: AWS's words for what passes by itself, and for credentials that ran out.
_PASSING = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "BandwidthLimitExceeded",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}

#: What a person must mend on this machine before AWS can be asked at all.
_TO_MEND = (ParamValidationError, PartialCredentialsError, ProfileNotFound)
_CHOOSE = 'choose an account and a region (aws configure), or the local cloud (eval "$(groundwork local env)")'

#: What a request to AWS may end with. Credentials that are renewed, and expired again, are a bare RuntimeError.
#: What is no answer of AWS, but of a proxy before it, is a ResponseParserError.
AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError, RuntimeError)


def expired(error: Exception) -> bool:
    """Whether one of `AWS_ERRORS` says that the credentials have expired."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _EXPIRED
    return isinstance(error, RuntimeError) and "expired" in str(error)


def explained(
    what: object, error: Exception, *, service: str = "AWS", reasons: Mapping[str, str] = MappingProxyType({})
) -> InputError:
    """One of `AWS_ERRORS` in words; an UnavailableError where the same request may succeed later.

    Args:
        what: What the request was about.
        error: How it ended.
        service: Who was asked.
        reasons: What codes of the service mean here; of other codes its own message is told.
    """
    if isinstance(error, NoCredentialsError | NoRegionError):
        return InputError(f"{what}: {str(error).removesuffix('.')}: {_CHOOSE}")
    if isinstance(error, _TO_MEND):
        return InputError(f"{what}: {' '.join(str(error).split())}")
    if expired(error):
        return UnavailableError(f"{what}: the credentials have expired: renew them, and run the same command again")
    if not isinstance(error, ClientError):
        return UnavailableError(f"{what}: {service} cannot be reached: {' '.join(str(error).split())}")
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(f"{what}: {service} is not available now ({code}): run the same command again later")
    return InputError(f"{what}: {reasons.get(code, message or code)}")


@contextmanager
def asking_aws(what: object) -> Iterator[None]:
    """Turn what AWS's requests inside end with into words, as `explained` does; also a decorator.

    Raises:
        InputError: AWS has refused, or does not answer.
    """
    try:
        yield
    except AWS_ERRORS as error:
        if isinstance(error, RuntimeError) and not expired(error):
            raise  # not of AWS
        raise explained(what, error) from error
