"""Temporary credentials: for whom each was issued."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from xml.parsers.expat import ExpatError

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.exceptions import STSClientError
from moto.sts.models import AssumedRole, STSBackend, sts_backends
from moto.sts.responses import TokenResponse

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import address, after, replace, wrap

PARTITION = "aws"
LONGEST_SECONDS = 12 * 3600  # that a session may last
ENOUGH = timedelta(hours=1)  # that a session has left for what starts with it
_log = logging.getLogger("localcloud")


@dataclass
class Sessions:
    """The temporary credentials of the cloud, by access key id.

    Attributes:
        tokens: Their session tokens.
        roles: The sessions of roles.
        askers: For credentials of ``GetSessionToken`` and ``GetFederationToken``, the caller's access key.
        limits: The policies that federated users' sessions came with.
        standing: The sessions of what runs as a role, by the role's ARN and the session's name.
        functions: The functions that have them, by their ARNs.
        missing: Roles that do not exist, although something runs as one of them.
        keys: The condition keys that a session was given with its tags and its source identity, in lower case.
    """

    tokens: dict[str, str] = field(default_factory=dict)
    roles: dict[str, AssumedRole] = field(default_factory=dict)
    askers: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    standing: dict[tuple[str, str], AssumedRole] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    keys: dict[str, dict[str, str]] = field(default_factory=dict)


@wrap(STSBackend, "assume_role_with_saml")
def _assume_role_with_saml(original: Any, self: STSBackend, **request: Any) -> AssumedRole:
    """Refuse an assertion that is none; moto gap: it ends with an error of Python's."""
    try:
        session: AssumedRole = original(self, **request)
    except (ValueError, LookupError, TypeError, ExpatError) as error:
        raise STSClientError("InvalidIdentityToken", "The SAML assertion cannot be read") from error
    return session


@replace(TokenResponse, "assume_role_with_web_identity")
def _assume_role_with_web_identity(self: TokenResponse) -> ActionResult:
    """Refuse the token of an identity provider; moto gap: it gives anybody a session, whatever the token.

    A token is worth what its signature says, and the keys for that are at the provider, outside this machine.

    Raises:
        STSClientError: The token is not one, the account has no such provider, or the local cloud cannot verify it.
    """
    issuer = _issuer(self._get_param("WebIdentityToken") or "")
    providers = iam_backends[ACCOUNT][PARTITION].open_id_providers.values()
    if issuer.removeprefix("https://") not in {provider.url.removeprefix("https://") for provider in providers}:
        message = f"No OpenIDConnect provider found in your account for {issuer}"
    else:
        message = f"The local cloud cannot verify tokens of {issuer}, whose keys are outside this machine"
    raise STSClientError("InvalidIdentityToken", message)


def _issuer(token: str) -> str:
    """Return who issued a JSON Web Token, as it says itself.

    Raises:
        STSClientError: It is not such a token.
    """
    try:
        _header, payload, _signature = token.split(".")
        return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["iss"])
    except (ValueError, LookupError, TypeError):
        message = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
        raise STSClientError("InvalidIdentityToken", message) from None


@after(STSBackend, "assume_role", "assume_role_with_saml")
def _assumed(cloud: Cloud, session: AssumedRole, *_args: Any, **_kwargs: Any) -> None:
    sessions = cloud.state(Sessions)
    sessions.tokens[session.access_key_id] = session.session_token
    sessions.roles[session.access_key_id] = session


@after(TokenResponse, "assume_role", "get_federation_token")
def _tagged(cloud: Cloud, result: ActionResult, response: TokenResponse) -> None:
    """moto gap: it forgets the tags of sessions, and their source identity."""  # noqa: D403
    issued: Any = result.result
    credentials = issued["Credentials"]
    access_key_id = credentials["AccessKeyId"] if isinstance(credentials, dict) else credentials.access_key_id
    parameters: Any = response._get_params()  # noqa: SLF001 - as moto's own operations read them
    keys = {f"aws:principaltag/{tag['Key'].lower()}": str(tag.get("Value", "")) for tag in parameters.get("Tags") or []}
    if identity := parameters.get("SourceIdentity"):
        keys["aws:sourceidentity"] = identity
    cloud.state(Sessions).keys[access_key_id] = keys


@address("{0}/moto-api/role-credentials$")
def _role_credentials(cloud: Cloud, request: Any, _full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """POST /moto-api/role-credentials: a session of a role, whomever it trusts, for the person who runs the cloud."""
    if request.method != "POST":  # a GET would need no signature
        return HTTPStatus.METHOD_NOT_ALLOWED, {}, ""
    variables = environment(cloud, json.loads(request.get_data()), "local-env")
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(variables)


def environment(cloud: Cloud, role: str, name: str, function: str = "") -> dict[str, str]:
    """Return the variables with which a process signs as a session of a role, as functions and containers have them.

    Args:
        cloud: The cloud.
        role: ARN of the role.
        name: The session's name.
        function: ARN of the function that it is for, if it is for one.

    Returns:
        Nothing for a role that does not exist: then the process keeps the credentials of the account's administrator,
        and the cloud's log says so.
    """
    session = assume(cloud, role, name)
    if session is None:
        return {}
    if function:
        cloud.state(Sessions).functions[session.access_key_id] = function
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }


def assume(cloud: Cloud, role: str, name: str) -> AssumedRole | None:
    """Start a session of a role, or go on with one of the same name; None if the role does not exist."""
    sessions = cloud.state(Sessions)
    if not exists(role):
        if role not in sessions.missing:
            sessions.missing.add(role)
            _log.warning("role %s does not exist: what runs as it has the administrator's permissions", role)
        return None
    standing = sessions.standing.get((role, name))
    if standing and standing.expiration > utcnow() + ENOUGH:
        return standing
    session: AssumedRole = sts_backends[ACCOUNT][PARTITION].assume_role(
        region_name=REGION,
        role_session_name=name[:64],
        role_arn=role,
        policy="",
        duration=LONGEST_SECONDS,
        external_id="",
    )
    sessions.standing[role, name] = session
    return session


def exists(role: str) -> bool:
    """Return whether a role with this ARN exists."""
    return any(model.arn == role for model in list(iam_backends[ACCOUNT][PARTITION].roles.values()))


@wrap(STSBackend, "get_caller_identity")
def _caller_identity(original: Any, self: STSBackend, *args: Any) -> tuple[str, str, str]:
    """Name a user as IAM does.

    moto gap: the user whose key is none of IAM's has an ARN of STS.
    """
    user_id, arn, account = original(self, *args)
    return user_id, arn.replace(f":sts::{account}:user/", f":iam::{account}:user/"), account
