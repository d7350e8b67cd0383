"""Who asks, and whom the principal element of a statement means.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

_ACCOUNT = re.compile(r"(?:arn:[\w-]+:iam::)?(\d{12})(?::root)?")


class Grant(IntEnum):
    """How a statement means the caller; the higher, the less else is needed."""

    NONE = 0
    ACCOUNT = 1  #: Its account, which then decides by the caller's own policies.
    ISSUER = 2  #: The role, or the user, that its session comes from: the session's limits still hold.
    DIRECT = 3  #: Itself.


@dataclass(frozen=True)
class Principal:
    """The caller of an operation.

    Attributes:
        arn: Of the user, the session or the account (``...:root``); of a service its name, such as
            ``events.amazonaws.com``; empty for somebody who is not known.
        account: The account that it belongs to; empty for services and strangers.
        issuer: For a session, the ARN of its role, or of the user who asked for it.
    """

    arn: str
    account: str = ""
    issuer: str = ""

    @property
    def is_account(self) -> bool:
        """Whether it is the account's root user."""
        return self.arn.endswith(":root")

    @property
    def identities(self) -> set[str]:
        """All names by which policies know it, except those of its account."""
        return {name for name in (self.arn, self.issuer) if name}


def grant(values: Iterable[tuple[str, str]], principal: Principal, *, denies: bool, is_negated: bool) -> Grant:
    """Return how a principal element means a caller.

    Args:
        values: Pairs of a kind, such as ``AWS`` or ``Service``, and who it is.
        principal: The caller.
        denies: Whether the statement's effect is ``Deny``: then the account means everybody in it.
        is_negated: Whether it is ``NotPrincipal``, which spares nobody unless all names of the caller are in it: its
            own, its role's and its account's.
    """
    if is_negated:
        spared = {name for kind, name in values for name in [_named(kind, name)]}
        needed = principal.identities | ({_root(principal.account)} if principal.account else set())
        return Grant.NONE if "*" in spared or (needed and needed <= spared) else Grant.DIRECT
    widest = max((_means(kind, name, principal) for kind, name in values), default=Grant.NONE)
    return Grant.DIRECT if denies and widest else widest


def _means(kind: str, name: str, principal: Principal) -> Grant:
    named = _named(kind, name)
    if named == "*":
        return Grant.ISSUER if principal.issuer else Grant.DIRECT
    if named == principal.arn:
        return Grant.DIRECT
    if named == principal.issuer and named:
        return Grant.ISSUER
    return Grant.ACCOUNT if principal.account and named == _root(principal.account) else Grant.NONE


def _named(kind: str, name: str) -> str:
    match = _ACCOUNT.fullmatch(name) if kind == "AWS" else None
    return _root(match[1]) if match else name


def _root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"
