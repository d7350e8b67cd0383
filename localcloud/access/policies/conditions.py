"""The conditions of a statement: every operator, with `IfExists`, `ForAllValues` and `ForAnyValue`.

Sources, all in the IAM User Guide (https://docs.aws.amazon.com/IAM/latest/UserGuide/):
reference_policies_elements_condition_operators.html for the operators,
reference_policies_condition-logic-multiple-context-keys-or-values.html for several values, and
reference_policies_condition-single-vs-multi-valued-context-keys.html for sets.
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

from localcloud.access.policies.patterns import Context, Kind, matches

#: Whether a value of the request, the second argument, fits a value of the policy, the first one.
Comparison = Callable[[str, str, Context | None], bool]


@dataclass(frozen=True)
class Condition:
    """One condition of a statement: an operator, a key, and the values that it may have.

    Attributes:
        operator: Name of the operator, without prefix and suffix.
        key: The condition key, in lower case.
        values: The policy's values.
        quantifier: ``ForAllValues``, ``ForAnyValue`` or nothing.
        if_exists: Whether it holds for a request without the key.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    quantifier: str = ""
    if_exists: bool = False

    def holds(self, context: Context, variables: Context | None) -> bool:
        """Return whether the condition holds in a request.

        Args:
            context: The request's context.
            variables: The same context if the policy may use variables, otherwise None.

        Raises:
            UnresolvedError: A variable has no value.
        """
        value = context.get(self.key)
        if self.operator == "Null":
            is_absent = value is None or value == ()
            return any((expected.lower() == "true") == is_absent for expected in self.values)
        comparison, is_negated = OPERATORS[self.operator]
        actual = (value,) if isinstance(value, str) else value
        if not actual:
            if self.quantifier:
                return self.if_exists or self.quantifier == "ForAllValues"
            return self.if_exists or is_negated
        fits = [any(comparison(expected, item, variables) for expected in self.values) for item in actual]
        if self.quantifier:
            return (all if self.quantifier == "ForAllValues" else any)(fit != is_negated for fit in fits)
        return any(fits) != is_negated


def _text(kind: Kind, *, ignore_case: bool = False) -> Comparison:
    return lambda expected, actual, variables: matches(expected, actual, kind, variables, ignore_case=ignore_case)


def _numbers(compare: Callable[[float, float], bool], expected: str, actual: str, _: Context | None) -> bool:
    try:
        return compare(float(actual), float(expected))
    except ValueError:
        return False


def _moments(compare: Callable[[float, float], bool], expected: str, actual: str, _: Context | None) -> bool:
    try:
        return compare(_moment(actual), _moment(expected))
    except ValueError:
        return False


@lru_cache(1024)
def _moment(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 date, or of such a number."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _truth(expected: str, actual: str, _: Context | None) -> bool:
    return expected.lower() == actual.lower()


def _bytes(expected: str, actual: str, _: Context | None) -> bool:
    return expected == actual


def _in_network(expected: str, actual: str, _: Context | None) -> bool:
    try:
        return ipaddress.ip_address(actual) in _network(expected)
    except ValueError:
        return False


@lru_cache(1024)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


#: Every operator but Null, with whether it asks for the opposite: then no value of the policy may fit.
OPERATORS: dict[str, tuple[Comparison, bool]] = {
    "StringEquals": (_text(Kind.EXACT), False),
    "StringNotEquals": (_text(Kind.EXACT), True),
    "StringEqualsIgnoreCase": (_text(Kind.EXACT, ignore_case=True), False),
    "StringNotEqualsIgnoreCase": (_text(Kind.EXACT, ignore_case=True), True),
    "StringLike": (_text(Kind.GLOB), False),
    "StringNotLike": (_text(Kind.GLOB), True),
    "ArnEquals": (_text(Kind.ARN), False),
    "ArnLike": (_text(Kind.ARN), False),
    "ArnNotEquals": (_text(Kind.ARN), True),
    "ArnNotLike": (_text(Kind.ARN), True),
    "NumericEquals": (partial(_numbers, operator.eq), False),
    "NumericNotEquals": (partial(_numbers, operator.eq), True),
    "NumericLessThan": (partial(_numbers, operator.lt), False),
    "NumericLessThanEquals": (partial(_numbers, operator.le), False),
    "NumericGreaterThan": (partial(_numbers, operator.gt), False),
    "NumericGreaterThanEquals": (partial(_numbers, operator.ge), False),
    "DateEquals": (partial(_moments, operator.eq), False),
    "DateNotEquals": (partial(_moments, operator.eq), True),
    "DateLessThan": (partial(_moments, operator.lt), False),
    "DateLessThanEquals": (partial(_moments, operator.le), False),
    "DateGreaterThan": (partial(_moments, operator.gt), False),
    "DateGreaterThanEquals": (partial(_moments, operator.ge), False),
    "Bool": (_truth, False),
    "BinaryEquals": (_bytes, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
}
#: Operators whose values may have policy variables; in those of the others a variable is plain text.
WITH_VARIABLES = {name for name in OPERATORS if name.startswith(("String", "Arn"))}
