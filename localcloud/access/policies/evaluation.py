"""The decision over a request by all policies that apply to it.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, with
reference_policies_evaluation-logic_policy-eval-basics-single-account.html and ..._policy-eval-basics-cross-account.html
beside it. Organizations' policies (SCPs and RCPs) are not there: the local cloud's account is in no organization.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from localcloud.access.policies.documents import Policy, Statement
from localcloud.access.policies.patterns import Context
from localcloud.access.policies.principals import Grant, Principal


class Source(Enum):
    """The kinds of policies, as AWS's messages name them."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        principal: Who asks.
        action: Such as ``s3:GetObject``.
        resource: The ARN of the resource, ``*`` for an action that takes none, or None if nobody knows which it is.
        account: The account that owns the resource.
        context: The condition keys of the request, in lower case.
    """

    principal: Principal
    action: str
    resource: str | None
    account: str
    context: Context


@dataclass(frozen=True)
class Policies:
    """The policies that apply to a request.

    Attributes:
        identity: Of the caller: inline, managed and those of its groups.
        boundary: The caller's permissions boundary, if it has one.
        session: Of the caller's session; None for a session without, which they do not limit.
        resource: The resource's own, if it has one.
        resource_decides: Whether nothing is allowed unless the resource's policy allows it, as with keys of KMS and
            with the trust policy of a role.
    """

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None
    resource: Policy | None = None
    resource_decides: bool = False

    def all(self) -> Iterator[tuple[Source, Policy]]:
        """List every policy with its kind, in the order in which AWS looks for a denial."""
        yield from ((Source.IDENTITY, policy) for policy in self.identity)
        yield from ((Source.RESOURCE, policy) for policy in [self.resource] if policy)
        yield from ((Source.BOUNDARY, policy) for policy in [self.boundary] if policy)
        yield from ((Source.SESSION, policy) for policy in self.session or ())

    def without(self, statement: Statement) -> Policies:
        """The same policies without one of their statements."""

        def rest(policy: Policy) -> Policy:
            return Policy(policy.name, tuple(other for other in policy.statements if other is not statement))

        return replace(
            self,
            identity=tuple(rest(policy) for policy in self.identity),
            boundary=rest(self.boundary) if self.boundary else None,
            session=None if self.session is None else tuple(rest(policy) for policy in self.session),
            resource=rest(self.resource) if self.resource else None,
        )


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed, and why.

    Attributes:
        allowed: Whether it is.
        source: The kind of policy that decided: it allows, denies, or has no statement that allows.
        policy: The policy with the deciding statement; None where there is no such statement.
        statement: The deciding statement.
    """

    allowed: bool
    source: Source
    policy: Policy | None = None
    statement: Statement | None = None

    def because(self, action: str) -> str:
        """Return the end of AWS's sentence about a denial.

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
        """
        article = "an" if self.source is Source.IDENTITY else "a"
        if self.statement:
            return f"with an explicit deny in {article} {self.source.value}"
        return f"because no {self.source.value} allows the {action} action"


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide over a request.

    Args:
        request: What is asked for, by whom.
        policies: All that applies to it.
    """
    for source, policy in policies.all():
        for statement in policy.statements:
            if statement.denies and _applies(statement, request):
                return Decision(allowed=False, source=source, policy=policy, statement=statement)
    granted, by_resource = _granted(request, policies.resource)
    if not request.principal.account:  # a service, or a stranger: only the resource's policy can let it in
        return by_resource
    if request.principal.account != request.account:
        return _across_accounts(request, policies, by_resource)
    if policies.resource_decides and not granted:
        return by_resource
    if granted is Grant.DIRECT or request.principal.is_account:
        return by_resource if granted else Decision(allowed=True, source=Source.IDENTITY)
    identity_decision = _allowed(request, Source.IDENTITY, policies.identity)
    base = identity_decision if identity_decision.allowed or granted is not Grant.ISSUER else by_resource
    return _limited(request, policies, base)


def indispensable(request: Request, policies: Policies) -> Iterator[tuple[Source, Policy, Statement, Decision]]:
    """Yield the statements without which an allowed request would be denied, and the decision without each.

    Two statements that both allow a request are both dispensable: either of them may go.

    Args:
        request: What is asked for, by whom.
        policies: All that applies to it.
    """
    for source, policy in policies.all():
        for statement in policy.statements:
            if not statement.denies and _applies(statement, request):
                decision = evaluate(request, policies.without(statement))
                if not decision.allowed:
                    yield source, policy, statement, decision


def _across_accounts(request: Request, policies: Policies, by_resource: Decision) -> Decision:
    """Both accounts must allow: the caller's by its own policies, the other one by the resource's."""
    if not request.principal.is_account:
        identity_decision = _limited(request, policies, _allowed(request, Source.IDENTITY, policies.identity))
        if not identity_decision.allowed:
            return identity_decision
    return by_resource


def _limited(request: Request, policies: Policies, base: Decision) -> Decision:
    """Return a decision within the limits of boundary and session, which allow nothing by themselves."""
    limits = [
        (Source.BOUNDARY, (policies.boundary,) if policies.boundary else None),
        (Source.SESSION, policies.session),
    ]
    for source, limit in limits:
        if base.allowed and limit is not None:
            within = _allowed(request, source, limit)
            if not within.allowed:
                return within
    return base


def _allowed(request: Request, source: Source, policies: Iterable[Policy]) -> Decision:
    for policy in policies:
        for statement in policy.statements:
            if not statement.denies and _applies(statement, request):
                return Decision(allowed=True, source=source, policy=policy, statement=statement)
    return Decision(allowed=False, source=source)


def _granted(request: Request, policy: Policy | None) -> tuple[Grant, Decision]:
    """Return the best that a resource's policy grants the caller, and the decision of its statement."""
    widest, decision = Grant.NONE, Decision(allowed=False, source=Source.RESOURCE)
    for statement in policy.statements if policy else ():
        if not statement.denies and (grant := _applies(statement, request)) > widest:
            widest, decision = grant, Decision(allowed=True, source=Source.RESOURCE, policy=policy, statement=statement)
    return widest, decision


def _applies(statement: Statement, request: Request) -> Grant:
    return statement.applies(request.principal, request.action, request.resource, request.context)
