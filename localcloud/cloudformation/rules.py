"""The Rules of a template: what its parameters must fulfil together.

moto gap: it ignores them.

Syntax: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError

from localcloud.cloud.account import ACCOUNT, REGION

PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}


def check(rules: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Refuse values of parameters that break a rule.

    Args:
        rules: The template's Rules.
        values: The values of its parameters.

    Raises:
        ValidationError: Gives the rule's description of what is asserted, or names a function that is not there.
    """
    values = {**PSEUDO_PARAMETERS, **values}
    for name, rule in rules.items():
        if "RuleCondition" in rule and not _value(rule["RuleCondition"], values):
            continue
        for assertion in rule.get("Assertions", []):
            if not _value(assertion["Assert"], values):
                described = assertion.get("AssertDescription", f"the assertion of the rule {name} does not hold")
                raise ValidationError(message=f"Template validation error: {described}")


def _value(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_value(item, values) for item in node]
    if not isinstance(node, dict):
        return str(node).lower() if isinstance(node, bool) else node if isinstance(node, str) else str(node)
    ((name, argument),) = node.items()
    if name == "Ref":
        if argument not in values:
            raise ValidationError(message=f"Template error: a rule refers to {argument}, which is not a parameter")
        return values[argument]
    if name not in FUNCTIONS:
        raise ValidationError(message=f"Template error: {name} is not supported by the local cloud in Rules")
    return FUNCTIONS[name](*_value(argument, values))


def _list(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else str(value).split(",")


FUNCTIONS: dict[str, Callable[..., bool]] = {
    "Fn::And": lambda *terms: all(terms),
    "Fn::Contains": lambda items, item: str(item) in _list(items),
    "Fn::EachMemberEquals": lambda items, item: all(member == str(item) for member in _list(items)),
    "Fn::EachMemberIn": lambda items, allowed: {*_list(items)} <= {*_list(allowed)},
    "Fn::Equals": lambda left, right: str(left) == str(right),
    "Fn::Not": lambda term: not term,
    "Fn::Or": lambda *terms: any(terms),
}
