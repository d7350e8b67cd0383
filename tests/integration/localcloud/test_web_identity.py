"""Tokens of identity providers: nobody becomes a role with one that the local cloud cannot verify."""

from __future__ import annotations

import base64
import json

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

GITHUB = "https://token.actions.githubusercontent.com"


def token(**claims: str) -> str:
    """A JSON Web Token with a signature that nobody made."""
    parts = [json.dumps({"alg": "RS256"}), json.dumps(claims), "signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def refusal(cloud: LocalCloud, text: str) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        cloud.client("sts").assume_role_with_web_identity(
            RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="pipeline", WebIdentityToken=text
        )
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("text", ["nothing-at-all", "a.b.c", "a..c", token(sub="repo:me/shop")])
def test_what_is_no_token_is_refused(cloud: LocalCloud, text: str) -> None:
    assert refusal(cloud, text) == (
        "InvalidIdentityToken",
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
    )


def test_a_provider_that_the_account_does_not_have_is_named(cloud: LocalCloud) -> None:
    code, message = refusal(cloud, token(iss="https://example.com", sub="me"))
    assert (code, message) == (
        "InvalidIdentityToken",
        "No OpenIDConnect provider found in your account for https://example.com",
    )


def test_a_token_that_cannot_be_verified_gives_no_session(cloud: LocalCloud) -> None:
    cloud.client("iam").create_open_id_connect_provider(Url=GITHUB, ClientIDList=["sts.amazonaws.com"])
    code, message = refusal(cloud, token(iss=GITHUB, sub="repo:me/shop"))
    assert code == "InvalidIdentityToken"
    assert f"cannot verify tokens of {GITHUB}" in message
