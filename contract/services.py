"""What a service's refusal means: an outage, which passes, or something that a person must change.

Whoever talks to a service asks here, so that the same answer has the same exit code and the same words everywhere.
"""

from __future__ import annotations

from contract.errors import ExpiredError, GroundworkError, InputError, UnavailableError, phrase

_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS, _SERVER_ERROR, _NOT_IMPLEMENTED = 408, 429, 500, 501

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})

#: AWS's codes for throttling and for what passes by itself, where the HTTP status does not already say so.
_PASSING = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConcurrentModificationException",  # Neptune: another writer has the same vertex
        "EC2ThrottledException",
        "IDPCommunicationError",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "KMS.ThrottlingException",
        "KmsThrottled",
        "OverLimit",  # SQS: too many messages are in flight
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "ReadOnlyViolationException",  # Neptune: the writer has failed over to another instance
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",  # DynamoDB, as the reason of a cancelled transaction
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


def passes(status: int = 0, code: str = "") -> bool:
    """Return whether a refusal passes by itself.

    Args:
        status: The HTTP status; 0 if there is none.
        code: The code of AWS; empty if there is none.
    """
    return status_passes(status) or code in _PASSING


def status_passes(status: int) -> bool:
    """Return whether an HTTP status tells of a failure that passes by itself."""
    fails = status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED
    return fails or status in {_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS}


def service_error(place: object, service: str, *, status: int, code: str, message: str) -> GroundworkError:
    """Return the error for an error response of AWS.

    Args:
        place: What the request was about.
        service: The service's name.
        status: The HTTP status; 0 if there is none.
        code: The code of AWS.
        message: AWS's words; empty if there are none.
    """
    if code in _EXPIRED:
        return expired(place)
    if passes(status, code):
        return overloaded(place, service, code)
    return refused(place, service, message or code)


def unreachable(place: object, service: str, reason: object, *, trust: str) -> UnavailableError | InputError:
    """Return the error for a service that does not answer.

    A certificate that this machine does not trust stays untrusted, so it is an `InputError`.

    Args:
        place: What the request was about.
        service: The service's name.
        reason: Why the connection failed, in the words of its library.
        trust: The variable that names a file of further authorities to trust.
    """
    if is_untrusted(reason):
        return InputError(
            f"{place}: The certificate of {service} is not trusted: {phrase(reason)}. "
            f"If it is the right server, set {trust} to the file of the authority that signed its certificate."
        )
    return UnavailableError(f"{place}: {service} cannot be reached: {phrase(reason)}.")


def overloaded(place: object, service: str, reason: object) -> UnavailableError:
    """Return the error for a service that answers, but cannot do its work for the moment."""
    return UnavailableError(f"{place}: {service} is not available now: {phrase(reason)}.")


def refused(place: object, service: str, reason: object, advice: str = "") -> InputError:
    """Return the error for a service that refuses a request for good."""
    return InputError(f"{place}: {service} refuses the request: {phrase(reason)}. {advice}".rstrip())


def expired(place: object) -> ExpiredError:
    """Return the error for a request whose credentials have expired."""
    return ExpiredError(f"{place}: The credentials have expired. Renew them.")


def is_untrusted(reason: object) -> bool:
    """Return whether a connection failed because of the other side's certificate."""
    text = str(reason).lower()
    return "certificate verify failed" in text or "does not match host name" in text
