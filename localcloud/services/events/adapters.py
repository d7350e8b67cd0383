"""How properties of CloudFormation become parameters of Amazon EventBridge, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, without_empty


def rule(values: Properties) -> Properties:
    """Put and remove targets by calls of their own, which also name the rule's event bus."""
    targets = values.pop("Targets", [])
    bus = without_empty(EventBusName=values.get("EventBusName"))
    call = {**bus, "Targets": targets, "Ids": [target["Id"] for target in targets]}
    return values | without_empty(TargetCalls=[call] if targets else None)
