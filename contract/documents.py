"""The document that the search index has of a film: one conversion, whoever writes it.

`workloads` writes documents when it migrates, the function `catalog_indexer` when the table's stream tells of a change.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, SupportsBytes

REMOVED = "Removed"
"""The attribute of what a removed film leaves in the library: its keys and its last `Version`, so that the versions of
a film go on counting if it is created again."""


def document(item: Mapping[str, Any]) -> dict[str, Any]:
    """Turn an item of the film table into its document.

    Args:
        item: Attributes by name, as boto3 gives them: `Decimal`, `bytes`, text, lists, sets, maps.

    Returns:
        The same attributes as JSON knows them. `Embedding`, the bytes of 32-bit numbers, becomes a list of numbers;
        other bytes become base64 text, and sets become sorted lists.

    Raises:
        struct.error: The length of `Embedding` is not a multiple of 4.
    """
    return {name: _numbers(value) if name == "Embedding" else _plain(value) for name, value in item.items()}


def _numbers(embedding: Any) -> Any:
    if not isinstance(embedding, SupportsBytes):
        return _plain(embedding)
    content = bytes(embedding)
    return [*struct.unpack(f"<{len(content) // 4}f", content)]


def _plain(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Decimal | list | tuple | set | frozenset | dict | SupportsBytes):
        return value  # texts are first: items have most of them, and to ask for a protocol takes long
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list | tuple):
        return [_plain(content) for content in value]
    if isinstance(value, set | frozenset):
        return sorted(_plain(content) for content in value)
    if isinstance(value, dict):
        return {key: _plain(content) for key, content in value.items()}
    return base64.b64encode(bytes(value)).decode()  # bytes, and what boto3 has for them
