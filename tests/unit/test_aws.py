"""What AWS answers instead of doing what it was asked: one line that says what to do, and an exit code."""

from __future__ import annotations

import pytest
import typer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    SSLError,
    UnauthorizedSSOTokenError,
    UnknownServiceError,
)
from botocore.parsers import ResponseParserError

from contract.errors import ExpiredError, GroundworkError, InputError, UnavailableError
from workloads.aws import asking_aws


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    """An answer of AWS."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "SubmitJob",
    )


def connection(error: type[BotoCoreError], reason: str) -> BotoCoreError:
    """A connection that fails."""
    return error(endpoint_url="https://batch", error=reason)


@pytest.mark.parametrize(
    ("error", "message", "kind"),
    [
        (refused("ExpiredTokenException"), r"The credentials have expired\. Renew them\.", ExpiredError),
        (RuntimeError("the refreshed credentials are still expired."), "The credentials have expired", ExpiredError),
        (UnauthorizedSSOTokenError(), "The credentials have expired", ExpiredError),
        (
            refused("TooManyRequestsException"),
            r"AWS is not available now: TooManyRequestsException\.",
            UnavailableError,
        ),
        (refused("ThrottlingException"), "AWS is not available now", UnavailableError),
        (refused("ProvisionedThroughputExceededException"), "AWS is not available now", UnavailableError),
        (refused("SlowDown", status=503), "AWS is not available now", UnavailableError),
        (refused("429", status=429), "AWS is not available now", UnavailableError),
        (refused("ServerException", status=500), "AWS is not available now: ServerException", UnavailableError),
        (connection(EndpointConnectionError, ""), "AWS cannot be reached: Could not connect", UnavailableError),
        (connection(ConnectionClosedError, ""), "AWS cannot be reached: Connection was closed", UnavailableError),
        (connection(SSLError, "EOF occurred in violation of protocol"), "AWS cannot be reached", UnavailableError),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), "AWS cannot be reached", UnavailableError),
        (ResponseParserError("invalid XML:\n<html>"), "AWS cannot be reached: invalid XML: <html>", UnavailableError),
        (
            refused("AccessDeniedException", "You may not batch:SubmitJob"),
            r"AWS refuses the request: You may not batch:SubmitJob\.",
            InputError,
        ),
        (refused("ResourceNotFoundException", status=404), "AWS refuses the request", InputError),
        (refused("NotImplemented", status=501), "AWS refuses the request", InputError),
        (connection(SSLError, "certificate verify failed"), "not trusted: .* set AWS_CA_BUNDLE", InputError),
        (NoCredentialsError(), "Choose an account and a region", InputError),
        (NoRegionError(), "Choose an account and a region", InputError),
        (ProfileNotFound(profile="mine"), r"profile \(mine\) could not be found\.", InputError),
        (UnknownServiceError(service_name="x", known_service_names="y"), "Unknown service", InputError),
    ],
)
def test_it_is_said_in_a_line_with_an_exit_code(error: Exception, message: str, kind: type[GroundworkError]) -> None:
    @asking_aws("Jobs")
    def ask() -> None:
        raise error

    with pytest.raises(GroundworkError, match=f"^Jobs: .*{message}") as told:
        ask()
    assert type(told.value) is kind
    assert "\n" not in str(told.value)


def test_a_code_that_means_something_here_is_told_in_these_words() -> None:
    with (
        pytest.raises(InputError, match=r"^Table t: There is no such table\.$"),
        asking_aws("Table t", reasons=REASONS),
    ):
        raise refused("NoTable")


def test_who_may_not_do_what_is_told_in_the_words_of_aws_too() -> None:
    with (
        pytest.raises(InputError, match=r"^Table t: Access is denied\. AWS says: You may not read it\.$"),
        asking_aws("Table t", reasons=REASONS),
    ):
        raise refused("AccessDenied", "You may not read it.")


REASONS = {"NoTable": "There is no such table.", "AccessDenied": "Access is denied."}


@pytest.mark.parametrize("error", [RuntimeError("of PyTorch"), typer.Exit(3), InputError("bad")])
def test_what_is_not_of_aws_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, asking_aws("Jobs"):
        raise error
    assert raised.value is error
