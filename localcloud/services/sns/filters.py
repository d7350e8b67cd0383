"""Filter policies: which messages a subscription gets, by the rules of SNS.

moto gaps: it knows neither ``cidr``, ``wildcard`` nor nested ``$or``, does not look into the arrays of a body, counts
combinations wrongly, and checks few operands.

Sources: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html, and
subscription-filter-policy-constraints.html there. The operators are those of EventBridge, which SNS shares, but for
what `UNSUPPORTED` says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from moto.sns.models import SNSBackend, Subscription

from localcloud.hooks import replace
from localcloud.services.events.patterns import PatternError, compile_pattern

SCOPES = ("MessageAttributes", "MessageBody")
#: The most names at the top of a policy, and the most combinations of values.
NAMES, COMBINATIONS = 5, 150
#: What EventBridge allows in ``anything-but``, and SNS does not.
ANYTHING_BUT = {"prefix"}


class FilterPolicyError(ValueError):
    """SNS does not take the filter policy."""


def check(text: str, scope: str) -> None:
    """Refuse a filter policy that SNS does not take.

    Args:
        text: The policy.
        scope: What it is about, one of `SCOPES`.

    Raises:
        FilterPolicyError: Has SNS's words.
    """
    policy = json.loads(text)
    if not policy:
        return
    for operand in _operands(policy, "anything-but"):
        for name in operand if isinstance(operand, dict) else ():
            if name not in ANYTHING_BUT:
                raise FilterPolicyError(f"FilterPolicy: Unsupported anything-but pattern: {name}")
    try:
        compile_pattern(text)
    except PatternError as error:
        raise FilterPolicyError(f"FilterPolicy: {error}") from None
    if scope == SCOPES[0] and any(isinstance(value, dict) for value in policy.values()):
        raise FilterPolicyError("Filter policy scope MessageAttributes does not support nested filter policy")
    if len(policy) > NAMES:
        raise FilterPolicyError(f"FilterPolicy: Filter policy can not have more than {NAMES} keys")
    if _combinations(policy) > COMBINATIONS:
        raise FilterPolicyError("FilterPolicy: Filter policy is too complex")


def _operands(node: Any, operator: str) -> Iterator[Any]:
    """Yield what follows an operator anywhere in a policy."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == operator:
                yield value
            yield from _operands(value, operator)
    elif isinstance(node, list):
        for item in node:
            yield from _operands(item, operator)


def _combinations(policy: dict[str, Any], depth: int = 1) -> int:
    """Return how many combinations of values SNS counts: each name counts as often as it is deep."""
    factors = []
    for name, value in policy.items():
        if name == "$or":
            factors.append(sum(_combinations(alternative, depth) for alternative in value))
        else:
            factors.append(_combinations(value, depth + 1) if isinstance(value, dict) else len(value) * depth)
    return math.prod(factors)


def is_wanted(subscription: Subscription, message: str, attributes: dict[str, Any] | None) -> bool:
    """Return whether a subscription gets a message.

    Args:
        subscription: It may have a filter policy.
        message: The message.
        attributes: The message's attributes, each with its type and value.
    """
    policy = subscription.attributes.get("FilterPolicy")
    if not policy or policy == "{}":
        return True
    if subscription.attributes.get("FilterPolicyScope") != SCOPES[1]:
        return compile_pattern(policy)({name: _value(item) for name, item in (attributes or {}).items()})
    try:
        body = json.loads(message)
    except ValueError:
        return False
    return isinstance(body, dict) and compile_pattern(policy)(body)


def _value(attribute: dict[str, Any]) -> Any:
    """Return what a policy compares of an attribute; a binary one is only there, or not."""
    kind, value = attribute["Type"], attribute["Value"]
    if kind == "Number":
        return float(value)
    if kind != "String.Array":
        return None if kind.startswith("Binary") else value
    try:
        return json.loads(value)
    except ValueError:
        return value


@replace(SNSBackend, "_validate_filter_policy")
def _validate_filter_policy(_self: SNSBackend, _value: Any, scope: str | None) -> None:
    """Check nothing here: `check` has looked at the policy when the request came."""
