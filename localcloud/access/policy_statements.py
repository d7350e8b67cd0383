"""Policies of resources: whether their statements let a service of AWS in."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

#: The condition operators that are evaluated, also with `IfExists`; all but the first compare with patterns.
OPERATORS = ("StringEquals", "StringLike", "ArnEquals", "ArnLike")


def allow(statements: Iterable[dict[str, Any]], service: str, action: str, context: Mapping[str, str]) -> bool:
    """Whether a policy allows a service to do something, and does not deny it.

    Args:
        statements: The policy's.
        service: The service's principal, such as ``events.amazonaws.com``.
        action: What it wants to do, such as ``lambda:InvokeFunction``.
        context: The condition keys that the service sends with its request.

    Raises:
        NotImplementedError: The policy has a condition that the local cloud does not evaluate.
    """
    return {one["Effect"] for one in statements if _fits(one, service, action, context)} == {"Allow"}


def _fits(statement: dict[str, Any], service: str, action: str, context: Mapping[str, str]) -> bool:
    """Whether a statement is about this request."""
    principal = statement.get("Principal", {})
    services = _list(principal.get("Service", [])) if isinstance(principal, dict) else []
    actions = _list(statement["Action"])
    return (
        (principal == "*" or service in services)
        and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in actions)
        and all(
            _holds(operator, key, _list(values), context)
            for operator, conditions in statement.get("Condition", {}).items()
            for key, values in conditions.items()
        )
    )


def _holds(operator: str, key: str, values: list[str], context: Mapping[str, str]) -> bool:
    """Whether a condition holds; one about a key that the service does not send does not."""
    name = operator.removesuffix("IfExists")
    if name not in OPERATORS:
        raise NotImplementedError(f"the local cloud does not evaluate the condition {operator} of a policy")
    sent = {sent.lower(): value for sent, value in context.items()}.get(key.lower())
    if sent is None:
        return name != operator
    return any(value == sent if name == "StringEquals" else fnmatchcase(sent, value) for value in values)


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
