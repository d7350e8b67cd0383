"""Refuse values that the API's own description excludes, as the front of these services does before anything else.

botocore's models come from those of the services, and say for each member its pattern, its lengths, its least and
greatest value, and the values of an enumeration. An SDK checks hardly any of them; the service names every member that
breaks one:

    1 validation error detected: Value 'one/two' at 'functionName' failed to satisfy constraint: Member must satisfy
    regular expression pattern: ...

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
        for key, item in value.items():
            yield from _broken(shape.key, key, place)
            yield from _broken(shape.value, item, f"{place}.{key}.member")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
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
    if shape.type_name in {"integer", "long", "float", "double"}:
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
