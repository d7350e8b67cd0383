"""Who a caller is, by its access key, and what its own policies say."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from moto.iam.models import iam_backends

from localcloud.access import tags
from localcloud.access.policies import documents
from localcloud.access.policies.documents import Policy, PolicyError
from localcloud.access.policies.patterns import Context
from localcloud.access.policies.principals import Principal
from localcloud.access.sessions import PARTITION, Sessions, exists
from localcloud.cloud.account import ACCOUNT
from localcloud.cloud.context import Cloud
from localcloud.cloud.seed import QUALIFIER

_log = logging.getLogger("localcloud.access")
#: The person at the keyboard, as GetCallerIdentity names it: a user whose policies allow everything.
ADMINISTRATOR = Principal(f"arn:aws:iam::{ACCOUNT}:user/moto", ACCOUNT)
BOOTSTRAPPED = f"cdk-{QUALIFIER}-"  # how the names of the roles begin that the CDK's command line assumes


@dataclass(frozen=True)
class Caller:
    """A caller with what its own policies say.

    Attributes:
        principal: Who it is.
        identity: Its policies: inline, managed, and those of its groups.
        boundary: Its permissions boundary.
        session: The policies of its session; None if it came without.
        context: The condition keys about the caller, in lower case.
    """

    principal: Principal
    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None
    context: Context = field(default_factory=dict)


def of_key(cloud: Cloud, access_key_id: str) -> Caller | None:
    """Return the holder of an access key; None for the account's administrator, who may do everything."""
    sessions = cloud.state(Sessions)
    if session := sessions.roles.get(access_key_id):
        if is_bootstrapped(session.role_arn):
            return None
        caller = of_role(session.role_arn, session.session_name, session.policy)
        keys = {**caller.context, **sessions.keys.get(access_key_id, {})}
        if function := sessions.functions.get(access_key_id):
            keys["lambda:sourcefunctionarn"] = function
        return replace(caller, context=keys)
    asker = sessions.askers.get(access_key_id)
    key = iam_backends[ACCOUNT][PARTITION].access_keys.get(asker or access_key_id)
    if key is None or not key.user_name:
        return None
    caller = _of_user(key.user_name, sessions.limits.get(access_key_id))
    return replace(caller, context={**caller.context, **sessions.keys.get(access_key_id, {})})


def administrator() -> Caller:
    """Return the account's administrator, for whom the policies of resources decide nothing but who assumes a role."""
    keys = {"aws:principalarn": ADMINISTRATOR.arn, "aws:principalaccount": ACCOUNT, "aws:principaltype": "User"}
    everything = _read({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, "AdministratorAccess")
    return Caller(ADMINISTRATOR, (everything,), context=keys)


def is_bootstrapped(role: str) -> bool:
    """Return whether a role is one of the CDK's that a bootstrapped account has, and this one does without."""
    return role.rpartition("/")[2].startswith(BOOTSTRAPPED) and not exists(role)


def of_role(role: str, name: str, policy: str | None = None) -> Caller:
    """Return the caller in a session of a role.

    Args:
        role: The role's ARN.
        name: The session's name.
        policy: The session policy, if any.
    """
    model = next(
        (candidate for candidate in list(iam_backends[ACCOUNT][PARTITION].roles.values()) if candidate.arn == role),
        None,
    )
    short = role.rpartition("/")[2]
    principal = Principal(f"arn:aws:sts::{ACCOUNT}:assumed-role/{short}/{name}", ACCOUNT, role)
    session = (_read(policy, "session policy"),) if policy else None
    if model is None:  # it has been deleted since
        return Caller(principal, session=session)
    keys = {
        "aws:principalarn": role,
        "aws:principalaccount": ACCOUNT,
        "aws:principaltype": "AssumedRole",
        "aws:userid": f"{model.id}:{name}",
        **_tags(role),
    }
    return Caller(principal, _policies(model), _boundary(model.permissions_boundary_arn), session, keys)


def _of_user(name: str, limit: str | None) -> Caller:
    backend = iam_backends[ACCOUNT][PARTITION]
    user = backend.users[name]
    groups = [group for group in backend.groups.values() if user in group.users]
    identity = [policy for holder in (user, *groups) for policy in _policies(holder)]
    keys = {
        "aws:principalarn": user.arn,
        "aws:principalaccount": ACCOUNT,
        "aws:principaltype": "User",
        "aws:userid": user.id,
        "aws:username": name,
        **_tags(user.arn),
    }
    session = (_read(limit, "session policy"),) if limit else None
    boundary = _boundary(getattr(user, "permissions_boundary_arn", None))
    return Caller(Principal(user.arn, ACCOUNT), tuple(identity), boundary, session, keys)


def _tags(arn: str) -> dict[str, str]:
    return {f"aws:principaltag/{name.lower()}": value for name, value in tags.of(arn).items()}


def _policies(holder: Any) -> tuple[Policy, ...]:
    """Return the policies of a user, a group or a role."""
    inline = [_read(document, name) for name, document in list(holder.policies.items())]
    return (*inline, *(_managed(policy) for policy in list(holder.managed_policies.values())))


def _boundary(arn: Any) -> Policy | None:
    if isinstance(arn, dict):
        arn = arn.get("PermissionsBoundaryArn")
    if not arn:
        return None
    return _managed(iam_backends[ACCOUNT][PARTITION].managed_policies[arn])


def _managed(policy: Any) -> Policy:
    """Return a managed policy in its default version."""
    version = next(version for version in policy.versions if version.version_id == policy.default_version_id)
    return _read(version.document, policy.name)


def _read(document: Any, name: str) -> Policy:
    """Return a document as moto keeps it: an object or its JSON, which may be encoded as in a URL."""
    text = document if isinstance(document, str) else json.dumps(document)
    try:
        return documents.read(unquote(text) if text.startswith("%7B") else text, name)
    except PolicyError as error:  # IAM should have refused it
        _log.warning("the policy %s counts as empty: %s", name, error)
        return Policy(name, ())
