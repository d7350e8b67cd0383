"""How properties of CloudFormation become parameters of Amazon EC2 Auto Scaling, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, without_empty


def scaling_group(values: Properties) -> Properties:
    """Name the group in each of its tags, as the API requires."""
    owner = {"ResourceId": values["AutoScalingGroupName"], "ResourceType": "auto-scaling-group"}
    return values | without_empty(Tags=[{**tag, **owner} for tag in values.get("Tags", [])])
