"""What one set of policies makes possible that another one does not.

Statements are compared by what they admit, not as text: an action is taken apart into the actions of AWS's reference
that it means, patterns of resources by whether one covers the other, conditions by whether one is as narrow.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from localcloud.access.policies.conditions import Condition
from localcloud.access.policies.documents import Policy, Statement

#: The actions that a pattern means.
Expand = Callable[[str], Iterable[str]]


@dataclass(frozen=True, order=True)
class Access:
    """One thing that is possible.

    Attributes:
        principal: Who: a role, or whom the policy of a resource lets in.
        action: What.
        resource: A pattern of what it is done to.
        condition: Under which conditions, as text; empty for none.
    """

    principal: str
    action: str
    resource: str
    condition: str


@dataclass(frozen=True)
class Holder:
    """A principal with its policies, or a resource with its own.

    Attributes:
        name: Whose policies they are.
        policies: The policies.
    """

    name: str
    policies: tuple[Policy, ...]


def added(old: Iterable[Holder], new: Iterable[Holder], expand: Expand) -> list[Access]:
    """Return the access that becomes possible.

    Removing a denial makes possible what it denied.

    Args:
        old: The policies before.
        new: The policies after.
        expand: Returns the actions that a pattern means.
    """
    before = {holder.name: holder for holder in old}
    accesses = [
        access for holder in new for access in _added(before.get(holder.name, Holder(holder.name, ())), holder, expand)
    ]
    return sorted(set(accesses))


@dataclass(frozen=True)
class _Grant:
    """A statement for one action, one resource and one principal."""

    denies: bool
    principal: str
    action: str
    resource: str
    all_but: bool
    conditions: tuple[Condition, ...]


def _added(old: Holder, new: Holder, expand: Expand) -> Iterator[Access]:
    before, after = _by_action(old, expand), _by_action(new, expand)
    for action, grants in after.items():
        earlier = before.get(action, [])
        for grant in grants:
            if grant.denies or any(rule.denies and _covers(rule, grant) for rule in grants):
                continue
            if not any(not rule.denies and _covers(rule, grant) for rule in earlier):
                yield _access(grant)
        for removed in earlier:
            if removed.denies and not any(rule.denies and _covers(rule, removed) for rule in grants):
                yield from (_access(grant, removed) for grant in grants if not grant.denies and _meets(removed, grant))


def _by_action(holder: Holder, expand: Expand) -> dict[str, list[_Grant]]:
    grants: dict[str, list[_Grant]] = defaultdict(list)
    for policy in holder.policies:
        for statement in policy.statements:
            for grant in _of_statement(holder.name, statement, expand):
                grants[grant.action].append(grant)
    return grants


def _of_statement(name: str, statement: Statement, expand: Expand) -> Iterator[_Grant]:
    if statement.principal is None:
        principals = [name]
    else:
        prefix = "everybody but " if statement.principal.is_negated else ""
        principals = [f"{prefix}{identifier} (by {name})" for _, identifier in statement.principal.values]
    named_actions = {action for pattern in statement.action.values for action in expand(pattern)}
    actions = (
        {action for action in expand("*") if action not in named_actions}
        if statement.action.is_negated
        else named_actions
    )
    resources = statement.resource.values if statement.resource else ("*",)
    all_but = bool(statement.resource and statement.resource.is_negated)
    for principal in principals:
        for action in actions:
            for resource in resources:
                yield _Grant(statement.denies, principal, action, resource, all_but, statement.conditions)


def _covers(wide: _Grant, narrow: _Grant) -> bool:
    """Return whether a grant covers everything that a narrower one covers."""
    return (
        wide.principal in {narrow.principal, _everybody(narrow.principal)}
        and wide.action == narrow.action
        and wide.all_but == narrow.all_but
        and (_includes(narrow.resource, wide.resource) if wide.all_but else _includes(wide.resource, narrow.resource))
        and all(
            any(_as_narrow(narrow_condition, wide_condition) for narrow_condition in narrow.conditions)
            for wide_condition in wide.conditions
        )
    )


def _meets(denial: _Grant, grant: _Grant) -> bool:
    """Return whether a denial can have been about something that a grant allows."""
    same = denial.principal in {grant.principal, _everybody(grant.principal)} and denial.action == grant.action
    return same and (denial.all_but or grant.all_but or _overlap(denial.resource, grant.resource))


def _everybody(principal: str) -> str:
    return "* (by" + principal.partition(" (by")[2]


def _as_narrow(narrow_condition: Condition, wide_condition: Condition) -> bool:
    """Return whether a condition holds only where a wider one holds."""
    if (narrow_condition.key, narrow_condition.operator, narrow_condition.quantifier) != (
        wide_condition.key,
        wide_condition.operator,
        wide_condition.quantifier,
    ):
        return False
    if narrow_condition.if_exists and not wide_condition.if_exists:
        return False
    if "Not" in narrow_condition.operator:  # each value forbids more
        return set(narrow_condition.values) >= set(wide_condition.values)
    if narrow_condition.operator in {"StringLike", "ArnLike", "ArnEquals"}:
        return all(any(_includes(wide, narrow) for wide in wide_condition.values) for narrow in narrow_condition.values)
    return set(narrow_condition.values) <= set(wide_condition.values)


@lru_cache(65536)
def _includes(wide: str, narrow: str) -> bool:
    """Return whether a pattern matches all that another pattern matches.

    A star of the narrow one can only be matched by a star: reading it as a character of its own that no literal equals
    decides it for patterns with stars; a question mark is matched by a question mark or a star.
    """
    source = "".join({"*": "[\\s\\S]*", "?": "[^*]"}.get(char, re.escape(char)) for char in wide)
    return re.fullmatch(source, narrow) is not None


@lru_cache(65536)
def _overlap(left: str, right: str) -> bool:
    """Return whether some text matches both patterns."""
    if not left or not right:
        return not (left + right).strip("*")
    if left[0] == "*":
        return _overlap(left[1:], right) or _overlap(left, right[1:])
    if right[0] == "*":
        return _overlap(right, left)
    return (left[0] == right[0] or "?" in (left[0], right[0])) and _overlap(left[1:], right[1:])


def _access(grant: _Grant, denied_before: _Grant | None = None) -> Access:
    conditions = " and ".join(_text(condition) for condition in grant.conditions)
    if denied_before:
        denied = " and ".join(_text(condition) for condition in denied_before.conditions)
        conditions += f"{' and ' if conditions else ''}what was denied before" + (f" ({denied})" if denied else "")
    resource = f"everything but {grant.resource}" if grant.all_but else grant.resource
    return Access(grant.principal, grant.action, resource, conditions)


def _text(condition: Condition) -> str:
    quantifier = f"{condition.quantifier}:" if condition.quantifier else ""
    suffix = "IfExists" if condition.if_exists else ""
    return f"{quantifier}{condition.operator}{suffix} {condition.key} {', '.join(condition.values)}"
