"""What CloudFormation's own resource schemas (shipped with cfn-lint) say about types and properties."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from localcloud.cloud.account import REGION
from localcloud.cloudformation import json_schema

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

# Found without importing cfn-lint, which takes longer than the rest of the server together.
SCHEMAS = Path(cast("ModuleSpec", find_spec("cfnlint")).origin or "").parent / "data" / "schemas"


class PropertyError(ValueError):
    """A property that a resource type does not have, that is missing, or whose value is not allowed."""


@cache
def _index() -> dict[str, str]:
    index: dict[str, str] = json.loads((SCHEMAS / "providers" / f"{REGION}.json").read_text())
    return index


@cache
def schema(kind: str) -> dict[str, Any] | None:
    """Return the schema of a resource type, or None if CloudFormation does not know the type."""
    if kind not in _index():
        return None
    resource_schema: dict[str, Any] = json.loads((SCHEMAS / "resources" / f"{_index()[kind]}.json").read_text())
    return resource_schema


def create_only(kind: str) -> set[str]:
    """Return the properties whose change replaces a resource of this type."""
    paths = (schema(kind) or {}).get("createOnlyProperties", [])
    return {path.split("/")[2] for path in paths if path.count("/") == 2}  # noqa: PLR2004 - /properties/Name


def check(kind: str, properties: dict[str, Any]) -> None:
    """Refuse properties that the type does not have, or whose values and combinations its schema does not allow.

    The values of intrinsic functions are not known before a deployment, and are left alone.

    Raises:
        PropertyError: Names the first such property by its path, its value, and what is allowed.
    """
    root = schema(kind) or {}
    for fault in json_schema.faults(properties, {key: item for key, item in root.items() if key != "type"}, root):
        raise PropertyError(fault.problem)
    for path in root.get("readOnlyProperties", []):
        name = path.removeprefix("/properties/")
        if name in properties and path not in root.get("writeOnlyProperties", []):
            raise PropertyError(f"the property {name} is for reading: the service sets it")
