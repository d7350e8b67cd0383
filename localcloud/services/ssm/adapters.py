"""How properties of CloudFormation become parameters of AWS Systems Manager, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, without_empty


def parameter(values: Properties) -> Properties:
    """Set tags by a call of their own, since the operation that overwrites a parameter does not take any."""
    tags = values.pop("Tags", None)
    keys = [tag["Key"] for tag in tags] if isinstance(tags, list) else [*(tags or {})]
    tagging = {"ResourceType": "Parameter", "ResourceId": values["Name"], "Tags": tags, "TagKeys": keys}
    return values | without_empty(Tagging=tagging if tags else None)
