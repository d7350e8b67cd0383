"""What CloudFormation's own resource schemas (shipped with cfn-lint) say about types and properties."""

import json
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
    """Refuse properties that the type does not have; intrinsic functions are left alone.

    Raises:
        UnknownPropertyError: Names the first such property by its path.
    """
    if root := schema(kind):
        _check(properties, root, root, "")


def _check(value: Any, node: dict[str, Any], root: dict[str, Any], path: str) -> None:
    node = _resolved(node, root)
    if isinstance(value, list):
        for item in value:
            _check(item, node.get("items", {}), root, path)
    if not isinstance(value, dict) or _is_function(value):
        return
    known = node.get("properties")
    if not known:
        return
    for name, item in value.items():
        if name in known:
            _check(item, known[name], root, f"{path}{name}.")
        elif node.get("additionalProperties") is False:
            raise UnknownPropertyError(f"unsupported property {path}{name}")


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def _is_function(value: dict[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))
