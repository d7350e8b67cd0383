"""Temporary credentials: for whom each was issued."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, STSBackend, sts_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after

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
        missing: Roles that do not exist, although something runs as one of them.
    """

    tokens: dict[str, str] = field(default_factory=dict)
    roles: dict[str, AssumedRole] = field(default_factory=dict)
    askers: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    standing: dict[tuple[str, str], AssumedRole] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


@after(STSBackend, "assume_role", "assume_role_with_saml")
def _assumed(cloud: Cloud, session: AssumedRole, *_args: Any, **_kwargs: Any) -> None:
    sessions = cloud.state(Sessions)
    sessions.tokens[session.access_key_id] = session.session_token
    sessions.roles[session.access_key_id] = session


def environment(cloud: Cloud, role: str, name: str) -> dict[str, str]:
    """The variables with which a process signs as a session of a role, as functions and containers have them.

    Args:
        cloud: The cloud.
        role: ARN of the role.
        name: The session's name.

    Returns:
        Nothing for a role that does not exist: then the process keeps the credentials of the account's administrator,
        and the cloud's log says so.
    """
    session = assume(cloud, role, name)
    if session is None:
        return {}
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
