"""The transform AWS::LanguageExtensions: loops are written out, and functions of what is known have their values.

moto gap: it has none.

Syntax: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-languageextensions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation.exceptions import ValidationError

PREFIX = "Fn::ForEach::"


def processed(template: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template as the transform leaves it.

    Args:
        template: As it was written.
        values: Of its parameters; those of lists are lists.

    Raises:
        ValidationError: A loop is not of the form that CloudFormation documents, or its list is not known.
    """
    known = Known(values, template.get("Mappings") or {})
    result: dict[str, Any] = _simplified(_expanded(template, known), known)
    return result


class Known:
    """What has a value before anything is made.

    Args:
        values: Of the template's parameters.
        mappings: The template's.
    """

    def __init__(self, values: Mapping[str, Any], mappings: Mapping[str, Any]) -> None:
        self._values = values
        self._mappings = mappings

    def value(self, node: Any) -> Any:
        """Return the value of a parameter or of a mapping that a node refers to; otherwise the node."""
        if not isinstance(node, dict) or len(node) != 1:
            return [self.value(item) for item in node] if isinstance(node, list) else node
        ((name, argument),) = node.items()
        if name == "Ref":
            return self._values.get(str(argument), node)
        if name != "Fn::FindInMap" or not isinstance(argument, list):
            return node
        entry: Any = self._mappings
        for key in argument[:3]:
            step = self.value(key)
            if not isinstance(entry, dict) or not isinstance(step, str) or step not in entry:
                return node
            entry = entry[step]
        return entry


def _expanded(node: Any, known: Known) -> Any:
    if isinstance(node, list):
        return [_expanded(item, known) for item in node]
    if not isinstance(node, dict):
        return node
    fields: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(name, str) and name.startswith(PREFIX):
            fields |= _written_out(name, value, known)
        else:
            fields[name] = _expanded(value, known)
    return fields


def _written_out(name: str, loop: Any, known: Known) -> dict[str, Any]:
    if not (isinstance(loop, list) and len(loop) == 3 and isinstance(loop[2], dict)):  # noqa: PLR2004
        raise ValidationError(message=f"Template error: {name} needs an identifier, a list and an object")
    identifier, items, body = loop[0], known.value(loop[1]), loop[2]
    if not isinstance(items, list) or any(isinstance(item, dict | list) for item in items):
        message = "the list must be written out, or be a parameter's or a mapping's"
        raise ValidationError(message=f"Template error: {name}: {message}")
    fields: dict[str, Any] = {}
    for item in items:
        for key, value in _expanded(_with(body, str(identifier), str(item)), known).items():
            if key in fields:
                raise ValidationError(message=f"Template error: {name} makes {key} twice")
            fields[key] = value
    return fields


def _with(node: Any, identifier: str, item: str) -> Any:
    """Return a copy with ``${Identifier}``, ``&{Identifier}`` and references to it replaced by the item."""
    if isinstance(node, str):
        plain = re.sub(r"[^A-Za-z0-9]", "", item)
        return node.replace(f"${{{identifier}}}", item).replace(f"&{{{identifier}}}", plain)
    if isinstance(node, list):
        return [_with(child, identifier, item) for child in node]
    if not isinstance(node, dict):
        return node
    if node == {"Ref": identifier}:
        return item
    return {_with(key, identifier, item): _with(value, identifier, item) for key, value in node.items()}


def _simplified(node: Any, known: Known) -> Any:
    """Return a copy in which functions of what is known have their values."""
    if isinstance(node, list):
        return [_simplified(item, known) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: _simplified(value, known) for key, value in node.items()}
    if len(copy) == 1:
        ((name, argument),) = copy.items()
        if name in FUNCTIONS and (value := FUNCTIONS[name](argument, known)) is not None:
            return value
    return copy


def _length(argument: Any, known: Known) -> int | None:
    items = known.value(argument)
    return len(items) if isinstance(items, list) else None


def _json(argument: Any, _: Known) -> str | None:
    return None if _has_functions(argument) else json.dumps(argument, separators=(",", ":"))


def _substituted(argument: Any, _: Known) -> str | None:
    return argument if isinstance(argument, str) and "${" not in argument else None


def _joined(argument: Any, _: Known) -> str | None:
    if not (isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], list)):  # noqa: PLR2004
        return None
    separator, items = argument
    return str(separator).join(items) if all(isinstance(item, str) for item in items) else None


#: What a function of what is known gives; None if it needs something that is not.
FUNCTIONS: dict[str, Callable[[Any, Known], Any]] = {
    "Fn::Join": _joined,
    "Fn::Length": _length,
    "Fn::Sub": _substituted,
    "Fn::ToJsonString": _json,
}


def _has_functions(node: Any) -> bool:
    if isinstance(node, list):
        return any(_has_functions(item) for item in node)
    if not isinstance(node, dict):
        return False
    is_function = len(node) == 1 and any(key == "Ref" or str(key).startswith("Fn::") for key in node)
    return is_function or any(_has_functions(value) for value in node.values())
