"""Refuse values that the API's own description excludes, as the front of these services does before anything else.

botocore's models come from those of the services, and say for each member its pattern, its lengths, its least and
greatest value, and the values of an enumeration. An SDK checks hardly any of them; the service names every member that
breaks one:

    1 validation error detected: Value 'one/two' at 'functionName' failed to satisfy constraint: Member must satisfy
    regular expression pattern: ...
    1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy
    constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, ...]

Only services whose answers in this form are public are checked; `CODES` has their error codes. A rule of `rules.yaml`
comes first, because it has the service's own words.

moto gap: it checks few of these members.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

#: The error of each service for such a request.
CODES = {
    "autoscaling": "ValidationError",
    "cloudformation": "ValidationError",
    "cloudwatch": "ValidationError",
    "dynamodb": "ValidationException",
    "elbv2": "ValidationError",
    "events": "ValidationException",
    "iam": "ValidationError",
    "kms": "ValidationException",
    "lambda": "ValidationException",
    "logs": "InvalidParameterException",
    "opensearch": "ValidationException",
    "secretsmanager": "ValidationException",
    "ssm": "ValidationException",
    "sts": "ValidationError",
}
#: Operations that carry data, whose content has limits of another kind, and of which there are thousands.
OF_DATA = {
    *("BatchGetItem", "BatchWriteItem", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"),
    *("TransactGetItems", "TransactWriteItems", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"),
    *("PutLogEvents", "PutMetricData", "Invoke", "PutEvents"),
}
NUMBERS = {"integer", "long", "float", "double"}
#: Java's classes of Unicode characters, and the nearest that Python has. A pattern with another class is not checked.
_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\w", r"\p{M}": r"\w", r"\p{Z}": r"\s", r"\p{Zs}": r"\s"}


def problem(shape: Shape | None, value: Any) -> str:
    """Return the service's message about a request's parameters; empty if nothing is wrong.

    Args:
        shape: botocore's of the operation's input.
        value: The parameters, as the shape names them.
    """
    broken = list(_broken(shape, value, "")) if shape else []
    count = f"{len(broken)} validation error{'s' if len(broken) > 1 else ''} detected: "
    return count + "; ".join(broken) if broken else ""


def _broken(shape: Shape, value: Any, place: str) -> Iterator[str]:
    if value is None:
        return
    shown = f"Value at '{place}'" if shape.metadata.get("sensitive") else f"Value '{_text(value)}' at '{place}'"
    for constraint in _constraints(shape, value):
        yield f"{shown} failed to satisfy constraint: Member must {constraint}"
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in shape.members.items():
            below = name[0].lower() + name[1:]
            yield from _broken(member, value.get(name), f"{place}.{below}" if place else below)
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from _broken(shape.member, item, f"{place}.{number}.member")
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        yield from _broken_entries(shape, value, place)


def _broken_entries(shape: MapShape, value: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield what is wrong with the keys and the values of a map: all that a key or a plain value must be, once."""
    shown = "Value" if shape.value.metadata.get("sensitive") else f"Value '{_text(value, shape)}'"
    told = f"{shown} at '{place}' failed to satisfy constraint: Map"
    if any(next(_constraints(shape.key, key), "") for key in value):
        yield f"{told} keys must satisfy constraint: [{', '.join(_demands(shape.key))}]"
    if isinstance(shape.value, StructureShape | ListShape | MapShape):
        for key, item in value.items():
            yield from _broken(shape.value, item, f"{place}.{key}.member")
    elif any(next(_constraints(shape.value, item), "") for item in value.values()):
        demands = [*_demands(shape.value), "Member must not be null"]
        yield f"{told} value must satisfy constraint: [{', '.join(demands)}]"


def _demands(shape: Shape) -> Iterator[str]:
    """Yield all that a key or a value of a map must be."""
    measure = "value" if shape.type_name in NUMBERS else "length"
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None:
        yield f"Member must have {measure} less than or equal to {most}"
    if least is not None:
        yield f"Member must have {measure} greater than or equal to {least}"
    if pattern := shape.metadata.get("pattern"):
        yield f"Member must satisfy regular expression pattern: {pattern}"
    if choices := getattr(shape, "enum", None):
        yield f"Member must satisfy enum value set: [{', '.join(choices)}]"


def _text(value: Any, shape: Shape | None = None) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping) and isinstance(shape, MapShape):
        return "{" + ", ".join(f"{key}={_text(item, shape.value)}" for key, item in value.items()) + "}"
    if shape and shape.type_name in {"float", "double"} and isinstance(value, int):
        return str(float(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _constraints(shape: Shape, value: Any) -> Iterator[str]:
    """Yield what a value must be and is not."""
    if isinstance(value, str):
        choices = getattr(shape, "enum", None)
        if choices and value not in choices:
            yield f"satisfy enum value set: [{', '.join(choices)}]"
        written = shape.metadata.get("pattern")
        if written and (pattern := _pattern(written)) and not pattern.fullmatch(value):
            yield f"satisfy regular expression pattern: {written}"
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name in NUMBERS:
        measure, size = "value", value
    else:
        measure, size = "length", len(value) if isinstance(value, str | bytes | list | Mapping) else None
    if isinstance(size, int | float):
        if most is not None and size > most:
            yield f"have {measure} less than or equal to {most}"
        if least is not None and size < least:
            yield f"have {measure} greater than or equal to {least}"


@cache
def _pattern(written: str) -> re.Pattern[str] | None:
    """Return a pattern as Java reads it, whose letters and digits are those of ASCII; None if Python cannot read it."""
    translated = written
    for java, python in _CLASSES.items():
        translated = translated.replace(java, python)
    try:
        return re.compile(translated, re.ASCII if translated == written else re.UNICODE)
    except re.error:
        return None
