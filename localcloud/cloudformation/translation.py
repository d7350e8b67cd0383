"""Fit CloudFormation properties to an AWS API operation's input.

The two mostly use the same names, in another case; lists of tags where the API wants a map; texts where
it wants numbers, a value where it wants one wrapped, a list where it wants its items in one text. botocore knows the
shape of every input, so no service needs code of its own for that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Properties = dict[str, Any]


def fit(value: Any, shape: Any, path: str = "") -> Any:  # noqa: PLR0911 - one for each type
    """``value`` in the form that a botocore ``shape`` asks for.

    Raises:
        ValueError: A structure has no member of that name.
    """
    match shape.type_name:
        case "structure":
            alone = not isinstance(value, dict) and [*shape.members] == ["Value"]
            return _structure({"Value": value} if alone else value, shape, path)
        case "list":
            if isinstance(value, dict):
                value = [{"Key": key, "Value": item} for key, item in value.items()]
            return [fit(item, shape.member, path) for item in (value if isinstance(value, list) else [value])]
        case "map":
            if isinstance(value, list):
                value = {item["Key"]: item["Value"] for item in value}
            return {key: fit(item, shape.value, path) for key, item in value.items()}
        case "integer" | "long":
            return int(value)
        case "float" | "double":
            return float(value)
        case "boolean":
            return value in (True, "true", "True")
        case "string":
            return _text(value, shape)
        case _:
            return value


def _structure(value: Mapping[str, Any], shape: Any, path: str) -> Properties:
    names = member_names(shape)
    unknown = [name for name in value if name.lower() not in names]
    if unknown:
        raise ValueError(f"unsupported property {path}{unknown[0]}")
    fitted = {}
    for key, item in value.items():
        name = names[key.lower()]
        fitted[name] = fit(item, shape.members[name], f"{path}{key}.")
    return fitted


def _text(value: Any, shape: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list):
        return ",".join(map(str, value))
    spellings = {choice.lower(): choice for choice in getattr(shape, "enum", ())}
    return str(spellings.get(str(value).lower(), value))


def member_names(shape: Any) -> dict[str, str]:
    """Return the names of a structure's members, by their lower case."""
    return {name.lower(): name for name in shape.members} if shape else {}


def known(values: Mapping[str, Any], shape: Any) -> Properties:
    """Return the part of ``values`` that ``shape`` has members for, fitted to it."""
    names = member_names(shape)
    return _structure({key: item for key, item in values.items() if key.lower() in names}, shape, "") if names else {}


def without_empty(**values: Any) -> Properties:
    """Drop the values that are None, an empty list or an empty map."""
    return {name: item for name, item in values.items() if item not in (None, [], {})}


def as_text(value: Any) -> str:
    """Write a value as the text that an API expects: maps and lists as JSON, booleans in lower case."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
