"""JSON patches, by which API Gateway changes what it holds: from what the parameters were to what they are.

Source: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Patch = dict[str, str]


def patches(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Patch]:
    """Return the operations that make parameters what they are now.

    Args:
        before: The former parameters, as the API names them.
        now: The wanted ones.
    """
    names = sorted(before.keys() | now.keys())
    return [patch for name in names for patch in _changes(f"/{name}", before.get(name), now.get(name))]


def _changes(path: str, before: Any, now: Any) -> Iterator[Patch]:
    """Yield what changes at a path: in a map, or a list, only the members that differ."""
    if before == now:
        return
    example = before if now is None else now
    if isinstance(example, dict):
        for key in sorted({**(before or {}), **(now or {})}):
            yield from _changes(f"{path}/{escaped(key)}", (before or {}).get(key), (now or {}).get(key))
    elif isinstance(example, list):
        yield from (_item("remove", path, item) for item in before or [] if item not in (now or []))
        yield from (_item("add", path, item) for item in now or [] if item not in (before or []))
    elif now is None:
        yield {"op": "remove", "path": path}
    else:
        yield {"op": "replace", "path": path, "value": str(now).lower() if isinstance(now, bool) else str(now)}


def _item(operation: str, path: str, item: Any) -> Patch:
    """Return the operation on an item of a list: the path names a text, and the value an object by its members."""
    if isinstance(item, dict):
        value = ":".join(member for member in item.values() if isinstance(member, str))
        return {"op": operation, "path": path, "value": value}
    return {"op": operation, "path": f"{path}/{escaped(str(item))}"}


def escaped(name: str) -> str:
    """Return a name as a path has it (RFC 6901, 3)."""
    return name.replace("~", "~0").replace("/", "~1")
