"""DynamoDB's answers, written in a fraction of the time that moto takes: scans consist of little else."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb import responses
from moto.dynamodb.models.dynamo_type import DynamoType

from localcloud.hooks import replace, wrap


@replace(DynamoType, "__deepcopy__")
def _copy(self: DynamoType, memo: dict[int, Any]) -> DynamoType:
    """moto gap: it remembers each text and number that it has copied, although none can contain itself."""  # noqa: D403
    copied = DynamoType.__new__(DynamoType)
    copied.type = self.type
    match self.type:
        case "L":
            copied.value = [_copy(member, memo) for member in self.value]
        case "M":
            copied.value = {name: _copy(member, memo) for name, member in self.value.items()}
        case "SS" | "NS" | "BS":
            copied.value = [*self.value]
        case _:
            copied.value = self.value
    return copied


@wrap(responses, "dynamo_to_dict")
def _plain(original: Any, value: Any) -> Any:
    """moto gap: it asks of each text and number whether it is one of six other things."""  # noqa: D403
    match value:
        case DynamoType(type="B" | "BS"):
            return original(value)
        case DynamoType():
            return {value.type: _plain(original, value.value)}
        case dict():
            return {name: _plain(original, member) for name, member in value.items()}
        case list():
            return [_plain(original, member) for member in value]
        case str() | bool():
            return value
        case _:
            return original(value)


@wrap(BaseJSONSerializer, "_serialize_type_map")
def _serialize_type_map(original: Any, self: BaseJSONSerializer, *arguments: Any) -> None:
    """moto gap: it looks for eleven kinds of content in each of DynamoDB's values, under three names."""  # noqa: D403
    serialized, values, shape, key = arguments
    if shape.value.name == "AttributeValue":
        attributes = {name: _attribute(value) for name, value in values.items()}
        self._default_serialize(serialized, attributes, shape, key)
    else:
        original(self, *arguments)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute value as JSON has it."""
    [(kind, content)] = value.items()
    match kind:
        case "N":
            content = str(content)
        case "B":
            content = _base64(content)
        case "NS":
            content = [str(number) for number in content]
        case "BS":
            content = [_base64(member) for member in content]
        case "L":
            content = [_attribute(member) for member in content]
        case "M":
            content = {name: _attribute(member) for name, member in content.items()}
    return {kind: content}


def _base64(content: str | bytes) -> str:
    return b64encode(content.encode() if isinstance(content, str) else content).decode()
