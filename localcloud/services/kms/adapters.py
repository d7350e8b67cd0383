"""How properties of CloudFormation become parameters of AWS KMS, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, without_empty


def key(values: Properties) -> Properties:
    """Rename the members of tags, and turn rotation, and that a key cannot be used, into calls."""
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in values.pop("Tags", [])]
    period = without_empty(RotationPeriodInDays=values.pop("RotationPeriodInDays", None))
    rotation = [period] if values.pop("EnableKeyRotation", False) in (True, "true") else []
    disabled: list[Properties] = [{}] if values.pop("Enabled", True) in (False, "false") else []
    return values | without_empty(Tags=tags, EnableKeyRotation=rotation, Disabled=disabled)
