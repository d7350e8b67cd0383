"""The boundary to AWS: every error of boto3 becomes one of ours, with a message for people and an exit code."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from botocore.discovery import EndpointDiscoveryException
from botocore.exceptions import (
    BotoCoreError,
    CapacityNotAvailableError,
    ChecksumError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, which is not Python's
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    LoginRefreshRequired,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
    WaiterError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from contract.errors import InputError, phrase
from contract.services import expired, overloaded, service_error, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from contract.errors import GroundworkError

_EXPIRED_SIGN_IN = (LoginRefreshRequired, TokenRetrievalError, UnauthorizedSSOTokenError)

#: Errors of a connection. What cannot be parsed comes from a proxy before AWS; an `HTTPError`, from reading a body.
_UNREACHABLE = (
    ChecksumError,
    ConnectionError,
    CredentialRetrievalError,
    EndpointDiscoveryException,
    FlexibleChecksumError,
    HTTPClientError,
    HTTPError,
    IncompleteReadError,
    MetadataRetrievalError,
    ResponseParserError,
)
_OVERLOADED = (CapacityNotAvailableError, WaiterError)
_CHOOSE = 'Choose an account and a region (aws configure), or the local cloud (eval "$(groundwork local env)").'


@contextmanager
def asking_aws(
    place: object, *, service: str = "AWS", reasons: Mapping[str, str] = MappingProxyType({})
) -> Iterator[None]:
    """Turn the errors of the AWS requests inside into ours; also a decorator.

    Args:
        place: What the requests are about.
        service: The service that is asked.
        reasons: What codes of the service mean here, in sentences; for other codes, AWS's own message is given.

    Raises:
        InputError: AWS refuses the request, or this machine has no credentials or no region.
        UnavailableError: AWS cannot be reached, throttles, or fails; or the credentials have expired.
    """
    try:
        yield
    except ClientError as error:
        raise _answered(place, service, reasons, error) from error
    except (BotoCoreError, HTTPError, ResponseParserError) as error:
        raise _unanswered(place, service, error) from error
    except RuntimeError as error:  # credentials that were renewed, and have expired again
        if "expired" not in str(error):
            raise
        raise expired(place) from error


def _answered(place: object, service: str, reasons: Mapping[str, str], error: ClientError) -> GroundworkError:
    details: Any = error.response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    refusal = service_error(place, service, status=status, code=code, message=message)
    if code not in reasons or not isinstance(refusal, InputError):
        return refusal
    # Only a denial's message is worth repeating: it names who may not do what.
    explanation = f" {service} says: {phrase(message)}." if code.startswith("AccessDenied") else ""
    return InputError(f"{place}: {reasons[code]}{explanation}")


def _unanswered(place: object, service: str, error: Exception) -> GroundworkError:
    if isinstance(error, NoCredentialsError | NoRegionError):
        return InputError(f"{place}: {phrase(error)}. {_CHOOSE}")
    if isinstance(error, _EXPIRED_SIGN_IN):
        return expired(place)
    if isinstance(error, _OVERLOADED):
        return overloaded(place, service, error)
    if isinstance(error, _UNREACHABLE):
        return unreachable(place, service, error, trust="AWS_CA_BUNDLE")
    return InputError(f"{place}: {phrase(error)}.")
