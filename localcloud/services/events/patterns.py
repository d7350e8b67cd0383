"""Event patterns: which events a rule matches, by the rules of EventBridge.

moto gaps: it checks hardly anything of a pattern, takes booleans for numbers, does not look into the objects of an
array, and TestEventPattern answers nothing.

Syntax: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html. The sentences of
errors are those of https://github.com/aws/event-ruler, which decides for EventBridge.
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.exceptions import InvalidEventPatternException
from moto.events.models import EventPattern, EventPatternParser
from moto.events.responses import EventsHandler

from localcloud.hooks import replace

Test = Callable[[Any], bool]
Match = Callable[[Any], bool]

#: Fields that an event must have here, as the API reference of TestEventPattern lists them; it may lack ``resources``.
MANDATORY = ("id", "account", "source", "time", "region", "detail-type")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
MASK_BITS = {4: 32, 6: 128}


class PatternError(ValueError):
    """EventBridge does not take the pattern."""


class _Absent:
    """What a pattern compares where the event has no such field."""


_ABSENT = _Absent()


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Match:
    """Return a function that tells whether an event matches a pattern.

    Raises:
        PatternError: EventBridge does not take the pattern.
    """
    try:
        fields = json.loads(pattern)
    except ValueError as error:
        raise PatternError(f"it is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise PatternError("Filter is not an object")
    match = _fields(fields)
    return lambda event: match(_undotted(event))


def _undotted(node: Any) -> Any:
    """Return the same fields, with each dotted name replaced by the nested fields that it stands for."""
    if isinstance(node, list):
        return [_undotted(item) for item in node]
    if not isinstance(node, dict):
        return node
    fields: dict[str, Any] = {}
    for name, value in node.items():
        first, _, rest = name.partition(".")
        item = _undotted({rest: value} if rest else value)
        if isinstance(item, dict) and isinstance(fields.get(first), dict):
            item = {**fields[first], **item}
        fields[first] = item
    return fields


def _fields(pattern: dict[str, Any]) -> Match:
    """Return the test that an object passes if it matches every field of the pattern."""
    if not pattern:
        raise PatternError("Empty objects are not allowed")
    matches = [_field(name, condition) for name, condition in pattern.items()]

    def match(value: Any) -> bool:
        if isinstance(value, list):
            return any(match(item) for item in value) if value else match(_ABSENT)
        return all(field_match(value) for field_match in matches)

    return match


def _field(name: str, condition: Any) -> Match:
    if name == "$or" and _is_alternatives(condition):
        alternatives = [_fields(alternative) for alternative in condition]
        return lambda value: any(match(value) for match in alternatives)
    first, _, rest = name.partition(".")
    if rest:
        below = _field(rest, condition)
    elif isinstance(condition, dict):
        below = _fields(condition)
    elif isinstance(condition, list):
        below = _any_of(condition)
    else:
        raise PatternError(f'"{name}" must be an object or an array')
    return lambda value: below(value.get(first, _ABSENT) if isinstance(value, dict) else _ABSENT)


def _is_alternatives(condition: Any) -> bool:
    """Return whether ``$or`` is the operator, which has two objects or more, and not a field of that name."""
    objects = isinstance(condition, list) and all(isinstance(item, dict) and item for item in condition)
    return objects and len(condition) > 1 and not all(item.keys() <= OPERATORS.keys() for item in condition)


def _any_of(alternatives: list[Any]) -> Match:
    """Return the test that a value passes if it, or an item of it, matches one of the alternatives."""
    if not alternatives:
        raise PatternError("Empty arrays are not allowed")
    tests = [_test(item) for item in alternatives]

    def match(value: Any) -> bool:
        if isinstance(value, list):
            return any(match(item) for item in value) if value else match(_ABSENT)
        return any(test(value) for test in tests)

    return match


def _test(condition: Any) -> Test:
    if isinstance(condition, list):
        raise PatternError("Match value must be String, number, true, false, or null")
    if not isinstance(condition, dict):
        return lambda value: _is_equal(value, condition)
    if len(condition) != 1:
        raise PatternError("Only one key allowed in match expression")
    ((name, operand),) = condition.items()
    if name not in OPERATORS:
        raise PatternError(f"Unrecognized match type {name}")
    return OPERATORS[name](operand)


def _is_equal(value: Any, expected: Any) -> bool:
    """Return whether values are equal as JSON: a number equals neither a boolean nor a text, but 1 equals 1.0."""
    same_kind = all(isinstance(value, kind) == isinstance(expected, kind) for kind in (bool, int | float))
    return same_kind and value == expected


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _exists(operand: Any) -> Test:
    if not isinstance(operand, bool):
        raise PatternError("exists match pattern must be either true or false.")

    def test(value: Any) -> bool:  # of leaves only: an object is none
        return (value is not _ABSENT and not isinstance(value, dict)) == operand

    return test


def _of_text(name: str, operand: Any, test: Callable[[str], bool]) -> Test:
    """Return a test of texts, by one text.

    Raises:
        PatternError: The operand is not a text.
    """
    if not isinstance(operand, str):
        raise PatternError(f"{name} match pattern must be a string")
    return lambda value: isinstance(value, str) and test(value)


def _prefix(operand: Any) -> Test:
    if _is_caseless(operand):
        return _of_text("prefix", text := operand["equals-ignore-case"], lambda v: v.lower().startswith(text.lower()))
    return _of_text("prefix", operand, lambda value: value.startswith(operand))


def _suffix(operand: Any) -> Test:
    if _is_caseless(operand):
        return _of_text("suffix", text := operand["equals-ignore-case"], lambda v: v.lower().endswith(text.lower()))
    return _of_text("suffix", operand, lambda value: value.endswith(operand))


def _is_caseless(operand: Any) -> bool:
    return isinstance(operand, dict) and [*operand] == ["equals-ignore-case"]


def _equals_ignore_case(operand: Any) -> Test:
    return _of_text("equals-ignore-case", operand, lambda value: value.lower() == operand.lower())


def _wildcard(operand: Any) -> Test:
    if not isinstance(operand, str):
        raise PatternError("wildcard match pattern must be a string")
    expression, position, before = "", 0, ""
    for character in re.findall(r"\\.?|[^\\]", operand, re.DOTALL):
        if character == before == "*":
            raise PatternError(f"Consecutive wildcard characters at pos {position}")
        if character.startswith("\\") and character not in {r"\*", r"\\"}:
            raise PatternError(f"Invalid escape character at pos {position}")
        expression += ".*" if character == "*" else re.escape(character[-1])
        position, before = position + len(character), character
    compiled = re.compile(expression, re.DOTALL)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _numeric(operand: Any) -> Test:
    """One comparison, or two that are a range."""
    if not isinstance(operand, list):
        raise PatternError("Value of numeric must be an array.")
    comparisons: list[tuple[str, float]] = []
    for index in range(0, len(operand), 2):
        sign, *limit = operand[index : index + 2]
        if not isinstance(sign, str):
            raise PatternError(f"Invalid member in numeric match: {json.dumps(sign)}")
        if sign not in COMPARISONS:
            raise PatternError(f"Unrecognized numeric range operator: {sign}")
        if comparisons and (sign[0] != "<" or comparisons[0][0][0] != ">"):
            raise PatternError(f"Bad numeric range operator: {sign}")
        if not limit or not _is_number(limit[0]):
            raise PatternError(f"Value of {'equals' if sign == '=' else sign} must be numeric")
        comparisons.append((sign, limit[0]))
    if len(comparisons) not in {1, 2}:
        raise PatternError("Too many elements in numeric expression" if comparisons else "Invalid numeric match")
    if len(comparisons) > 1 and comparisons[0][1] >= comparisons[1][1]:
        raise PatternError("Bottom must be less than top")
    return lambda value: _is_number(value) and all(COMPARISONS[sign](value, limit) for sign, limit in comparisons)


def _cidr(operand: Any) -> Test:
    if not isinstance(operand, str):
        raise PatternError("prefix match pattern must be a string")
    address, *masks = operand.split("/")
    if len(masks) != 1:
        raise PatternError("Malformed CIDR, one '/' required")
    if not re.fullmatch(r"-?\d+", masks[0]):
        raise PatternError("Malformed CIDR, mask bits must be an integer")
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        raise PatternError(f"Nonstandard IP address: {address}") from None
    if int(masks[0]) < 0:
        raise PatternError("Malformed CIDR, mask bits must not be negative")
    if int(masks[0]) >= MASK_BITS[version]:
        raise PatternError(f"IPv{version} mask bits must be < {MASK_BITS[version]}")
    network = ipaddress.ip_network(operand, strict=False)

    def test(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


def _anything_but(operand: Any) -> Test:
    """Whatever is there and is not excluded, by value or by one of the other operators."""
    excluded = _excluded(operand)
    return lambda value: (
        value is not _ABSENT and not isinstance(value, dict) and not any(test(value) for test in excluded)
    )


def _excluded(operand: Any) -> list[Test]:
    unfit = PatternError("Value of anything-but must be an array or single string/number value.")
    if isinstance(operand, dict):
        if len(operand) != 1:
            raise PatternError("Only one key allowed in match expression")
        ((name, values),) = operand.items()
        if name not in EXCLUDING:
            raise PatternError(f"Unsupported anything-but pattern: {name}")
        if isinstance(values, dict):
            raise unfit
        if isinstance(values, list) and not values:
            raise PatternError("Empty arrays are not allowed")
        texts = values if isinstance(values, list) else [values]
        _check_excluded(name, texts)
        return [OPERATORS[name](text) for text in texts]
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        raise PatternError("Empty arrays are not allowed")
    if any(not isinstance(value, str) and not _is_number(value) for value in values):
        raise (
            PatternError("Inside anything but list, start|null|boolean is not supported.")
            if values is operand
            else unfit
        )
    if len({isinstance(value, str) for value in values}) > 1:
        raise PatternError(
            "Inside anything but list, either all values are number or string, mixed type is not supported"
        )
    return [_test(value) for value in values]


def _check_excluded(name: str, texts: list[Any]) -> None:
    if all(isinstance(text, str) for text in texts):
        if name in {"prefix", "suffix"} and "" in texts:
            raise PatternError("Null prefix/suffix not allowed")
    elif name == "equals-ignore-case":
        list_of = f"Inside anything-but/{name} list"
        raise PatternError(f"{list_of}, number|start|null|boolean is not supported.")
    else:
        operator_name = "wildcard" if name == "wildcard" else "prefix/suffix"
        raise PatternError(f"{operator_name} match pattern must be a string")


OPERATORS: dict[str, Callable[[Any], Test]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
#: Operators that ``anything-but`` takes.
EXCLUDING = {"equals-ignore-case", "prefix", "suffix", "wildcard"}


@replace(EventPatternParser, "parse")
def _parse(self: EventPatternParser) -> dict[str, Any]:
    if not self.pattern:
        return {}
    try:
        compile_pattern(self.pattern)
    except PatternError as error:
        raise InvalidEventPatternException(reason=str(error)) from None
    fields: dict[str, Any] = json.loads(self.pattern)
    return fields


@replace(EventPattern, "matches_event")
def _matches_event(self: EventPattern, event: Any) -> bool:
    pattern = self.dump()
    return not pattern or compile_pattern(pattern)(event)


@replace(EventsHandler, "test_event_pattern")
def _test_event_pattern(self: EventsHandler) -> str:
    pattern = EventPattern.load(self._get_param("EventPattern"))
    return json.dumps({"Result": pattern.matches_event(_event(self._get_param("Event")))})


def _event(text: str) -> Any:
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    if not isinstance(event, dict) or any(name not in event for name in MANDATORY):
        raise JsonRESTError("ValidationException", "Parameter Event is not valid.")
    return event
