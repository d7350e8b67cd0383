"""Fn::ForEach of the transform AWS::LanguageExtensions: parts of a template, once for each item of a list.

moto gap: it has none.

Syntax: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from typing import Any

from moto.cloudformation.exceptions import ValidationError

PREFIX = "Fn::ForEach::"


def expanded(node: Any) -> Any:
    """The node with its loops written out.

    Raises:
        ValidationError: A loop is not of the form that CloudFormation documents, or its list is not in the template.
    """
    if isinstance(node, list):
        return [expanded(item) for item in node]
    if not isinstance(node, dict):
        return node
    fields: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(name, str) and name.startswith(PREFIX):
            fields |= _written_out(name, value)
        else:
            fields[name] = expanded(value)
    return fields


def _written_out(name: str, loop: Any) -> dict[str, Any]:
    if not (isinstance(loop, list) and len(loop) == 3 and isinstance(loop[2], dict)):  # noqa: PLR2004
        raise ValidationError(message=f"Template error: {name} needs an identifier, a list and an object")
    identifier, items, body = loop
    if not isinstance(items, list) or any(isinstance(item, dict) for item in items):
        raise ValidationError(message=f"Template error: {name}: the local cloud repeats for lists of plain values only")
    fields: dict[str, Any] = {}
    for item in items:
        for key, value in expanded(_with(body, str(identifier), str(item))).items():
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
