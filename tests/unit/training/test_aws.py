"""What AWS answers instead of doing what it was asked: one line that says what to do, and an exit code."""

import pytest
import typer
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError

from workloads.aws import asking_aws
from workloads.errors import InputError


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    """An answer of AWS."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "SubmitJob",
    )


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (refused("ExpiredTokenException"), "the credentials have expired: renew them", 75),
        (RuntimeError("the refreshed credentials are still expired."), "the credentials have expired: renew them", 75),
        (refused("TooManyRequestsException"), r"AWS is not available now \(TooManyRequestsException\)", 75),
        (refused("ServerException", status=500), r"AWS is not available now \(ServerException\)", 75),
        (refused("AccessDeniedException", "You may not batch:SubmitJob"), "You may not batch:SubmitJob", 2),
        (EndpointConnectionError(endpoint_url="https://batch"), "AWS cannot be reached: Could not connect", 75),
        (ResponseParserError("invalid XML:\n<html>"), "AWS cannot be reached: invalid XML: <html>", 75),
        (NoCredentialsError(), "choose an account and a region", 2),
        (NoRegionError(), "choose an account and a region", 2),
        (ProfileNotFound(profile="mine"), r"profile \(mine\) could not be found", 2),
    ],
)
def test_it_is_said_in_a_line_with_an_exit_code(error: Exception, message: str, code: int) -> None:
    @asking_aws("jobs")
    def ask() -> None:
        raise error

    with pytest.raises(InputError, match=f"^jobs: .*{message}") as told:
        ask()
    assert told.value.exit_code == code
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("error", [RuntimeError("of PyTorch"), typer.Exit(3), InputError("bad")])
def test_what_is_not_of_aws_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, asking_aws("jobs"):
        raise error
    assert raised.value is error
