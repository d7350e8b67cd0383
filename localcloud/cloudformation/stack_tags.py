"""The tags that CloudFormation gives to the resources of a stack: the stack's own, and those that say where they are.

Source: "Resource tag" in the AWS CloudFormation User Guide. Which types take tags, in which property, and whether
CloudFormation may give them its own tags (`aws:cloudformation:...`) is in the schemas of the types (`tagging`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.cloudformation import schemas

if TYPE_CHECKING:
    from moto.cloudformation.models import Stack

Properties = dict[str, Any]
SYSTEM = "aws:"
OWN = "aws:cloudformation:"


def of_stack(stack: Stack, logical_id: str) -> dict[str, str]:
    """Return the tags that a stack gives to one of its resources."""
    return {
        f"{OWN}stack-name": stack.name,
        f"{OWN}logical-id": logical_id,
        f"{OWN}stack-id": stack.stack_id,
        **stack.tags,
    }


def member(kind: str) -> str:
    """Return the property with the tags of a type; empty if the type takes none."""
    schema = schemas.schema(kind) or {}
    tagging = schema.get("tagging") or {}
    name = str(tagging.get("tagProperty", "")).rpartition("/")[2]
    return name if tagging.get("taggable") and name in schema["properties"] else ""


def tagged(kind: str, properties: Properties, tags: dict[str, str]) -> Properties:
    """Return the properties of a resource with the stack's tags among its own, which stay as they are.

    Args:
        kind: The resource's type, which may take no tags, or none that are CloudFormation's own.
        properties: What the template says.
        tags: The stack's tags for this resource.
    """
    schema, name = schemas.schema(kind), member(kind)
    if not schema or not name:
        return properties
    if not schema["tagging"].get("cloudFormationSystemTags"):
        tags = {key: value for key, value in tags.items() if not key.startswith(SYSTEM)}
    if schema["properties"][name].get("type") == "object":
        return {**properties, name: tags | (properties.get(name) or {})} if tags else properties
    own = properties.get(name) or []
    known = {tag.get("Key") for tag in own}
    more = {"PropagateAtLaunch": True} if kind == "AWS::AutoScaling::AutoScalingGroup" else {}
    added = [{"Key": key, "Value": value, **more} for key, value in tags.items() if key not in known]
    return {**properties, name: [*own, *added]} if added else properties
