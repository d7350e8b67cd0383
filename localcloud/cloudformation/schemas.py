"""What CloudFormation's own resource schemas (shipped with cfn-lint) say about types and properties."""

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from localcloud.cloud.account import REGION

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

# Found without importing cfn-lint, which takes longer than the rest of the server together.
SCHEMAS = Path(cast("ModuleSpec", find_spec("cfnlint")).origin or "").parent / "data" / "schemas"


class UnknownPropertyError(ValueError):
    """A property that the resource type does not have."""


class PropertyError(UnknownPropertyError):
    """A property that is missing, or whose value the schema does not allow."""


@cache
def _index() -> dict[str, str]:
    index: dict[str, str] = json.loads((SCHEMAS / "providers" / f"{REGION}.json").read_text())
    return index


@cache
def schema(kind: str) -> dict[str, Any] | None:
    """The schema of a resource type, or None when CloudFormation has no such type."""
    if kind not in _index():
        return None
    found: dict[str, Any] = json.loads((SCHEMAS / "resources" / f"{_index()[kind]}.json").read_text())
    return found


def create_only(kind: str) -> set[str]:
    """The properties whose change replaces a resource of this type."""
    paths = (schema(kind) or {}).get("createOnlyProperties", [])
    return {path.split("/")[2] for path in paths if path.count("/") == 2}  # noqa: PLR2004 (/properties/Name)


def check(kind: str, properties: dict[str, Any]) -> None:
    """Refuse properties that the type does not have, or whose values its schema does not allow.

    What is checked: required properties, allowed values, patterns, ranges, lengths. Intrinsic functions are left alone,
    since their values are not known yet. Numbers may be written as text, as CloudFormation allows.

    Raises:
        PropertyError: Names the first such property by its path, its value, and what is allowed.
    """
    if root := schema(kind):
        _check(properties, root, root, "")


def _check(value: Any, node: dict[str, Any], root: dict[str, Any], path: str) -> None:
    node = _resolved(node, root)
    if isinstance(value, dict):
        if not _is_function(value):
            _check_object(value, node, root, path)
    elif isinstance(value, list):
        _check_count(len(value), node, "Items", "items", path)
        for item in value:
            _check(item, node.get("items", {}), root, path)
    elif value is not None:
        _check_value(value, node, path)


def _check_object(value: dict[str, Any], node: dict[str, Any], root: dict[str, Any], path: str) -> None:
    known, below = node.get("properties", {}), f"{path}." if path else ""
    for name, item in value.items():
        if name in known:
            _check(item, known[name], root, below + name)
        elif known and node.get("additionalProperties") is False:
            raise UnknownPropertyError(f"unsupported property {below}{name}")
    if any(name.startswith("Fn::") for name in value):  # a macro adds properties that are not known yet
        return
    if absent := [name for name in node.get("required", []) if name not in value]:
        raise PropertyError(f"required property {below}{absent[0]} is missing")
    alternatives = node.get("requiredXor", [])
    if alternatives and sum(name in value for name in alternatives) != 1:
        raise PropertyError(f"exactly one of the properties {_listed(below + name for name in alternatives)} is needed")
    alternatives = node.get("requiredOr", [])
    if alternatives and not value.keys() & {*alternatives}:
        raise PropertyError(f"one of the properties {_listed(below + name for name in alternatives)} is needed")


def _check_value(value: Any, node: dict[str, Any], path: str) -> None:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    allowed = [str(one).lower() if isinstance(one, bool) else str(one) for one in node.get("enum", [])]
    if allowed and text not in allowed:
        raise PropertyError(f"the value {text!r} of {path} is not one of {_listed(allowed)}")
    anyhow = [str(one) for one in node.get("enumCaseInsensitive", [])]
    if anyhow and text.lower() not in {one.lower() for one in anyhow}:
        raise PropertyError(f"the value {text!r} of {path} is not one of {_listed(anyhow)}")
    pattern = _compiled(node.get("pattern", ""))
    if pattern and "{{resolve:" not in text and not pattern.search(text):
        raise PropertyError(f"the value {text!r} of {path} does not match the pattern {pattern.pattern}")
    if node.get("type") == "string" and "{{resolve:" not in text:
        _check_count(len(text), node, "Length", "characters", path)
    if node.get("type") in {"integer", "number"}:
        _check_number(text, node, path)


def _check_number(text: str, node: dict[str, Any], path: str) -> None:
    if "{{resolve:" in text:
        return
    try:
        number = float(text)
    except ValueError:
        raise PropertyError(f"the value {text!r} of {path} is not a number") from None
    if number < node.get("minimum", number):
        raise PropertyError(f"the value {text} of {path} is below the minimum of {node['minimum']}")
    if number > node.get("maximum", number):
        raise PropertyError(f"the value {text} of {path} is above the maximum of {node['maximum']}")


def _check_count(count: int, node: dict[str, Any], kind: str, unit: str, path: str) -> None:
    """Check a length, ``kind`` being ``Length`` or ``Items``, against the limits that the schema names after it."""
    least, most = node.get(f"min{kind}", count), node.get(f"max{kind}", count)
    if not least <= count <= most:
        limit = f"at least {least}" if count < least else f"at most {most}"
        raise PropertyError(f"{path} has {count} {unit}, but must have {limit}")


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    r"""A pattern of a schema; None where Python has no such syntax (``\p{L}``)."""
    if not pattern:
        return None
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def _is_function(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))
