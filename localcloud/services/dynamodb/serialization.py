"""DynamoDB's answers, written in a tenth of the time."""

from __future__ import annotations

from typing import Any

from moto.core.serialize import BaseJSONSerializer

from localcloud.hooks import wrap


@wrap(BaseJSONSerializer, "_serialize_type_structure")
def _serialize_type_structure(original: Any, self: BaseJSONSerializer, *arguments: Any) -> None:
    """moto gap: it looks for eleven kinds of content in each of DynamoDB's values, under three names: slow."""  # noqa: D403
    serialized, value, shape, key = arguments
    match value:
        case {"S": str(text)} if shape.name == "AttributeValue":
            serialized[key] = {"S": text}
        case {"N": number} if shape.name == "AttributeValue":
            serialized[key] = {"N": str(number)}
        case {"B": content} if shape.name == "AttributeValue":
            serialized[key] = {"B": self._base64(content)}
        case {"L": [*values]} if shape.name == "AttributeValue":
            members: list[dict[str, Any]] = [{} for _ in values]
            for member, content in zip(members, values, strict=True):
                self._serialize_type_structure(member, content, shape, key)
            serialized[key] = {"L": [member[key] for member in members]}
        case _:
            original(self, *arguments)
