"""How properties of CloudFormation become parameters of Amazon EventBridge, where more than a name differs."""

from __future__ import annotations

import json

from localcloud.cloud.context import Cloud
from localcloud.cloudformation.translation import Properties, as_text, without_empty


def rule(values: Properties) -> Properties:
    """Put and remove targets by calls of their own, which also name the rule's event bus."""
    targets = values.pop("Targets", [])
    bus = without_empty(EventBusName=values.get("EventBusName"))
    call = {**bus, "Targets": targets, "Ids": [target["Id"] for target in targets]}
    return values | without_empty(TargetCalls=[call] if targets else None)


def event_bus(values: Properties) -> Properties:
    """Put the policy of a bus by a call of its own, before which nothing is left of the one that it had."""
    policy = values.pop("Policy", None)
    call = {"Policy": as_text(policy), "RemoveAllPermissions": True}
    return values | without_empty(PolicyCalls=[call] if policy else None)


def event_bus_policy(cloud: Cloud, values: Properties) -> Properties:
    """Put a statement into the policy of its bus, beside those that are there.

    Raises:
        ValueError: The statement is given as a whole and in parts, or not at all.
    """
    if ("Statement" in values) is bool(values.keys() & {"Action", "Condition", "Principal"}):
        raise ValueError("give either Statement, or Action and Principal")
    bus = cloud.client("events").describe_event_bus(Name=values["EventBusName"])
    policy = json.loads(bus.get("Policy", '{"Version": "2012-10-17", "Statement": []}'))
    name, statement = values["StatementId"], values.get("Statement") or _statement(values, bus["Arn"])
    others = [item for item in policy["Statement"] if item["Sid"] != name]
    policy["Statement"] = [*others, {"Resource": bus["Arn"], **statement, "Sid": name}]
    return {"EventBusName": values["EventBusName"], "StatementId": name, "Policy": policy}


def _statement(values: Properties, arn: str) -> Properties:
    """Return the statement that the properties for one account or one organization mean."""
    principal = str(values["Principal"])
    account = f"arn:aws:iam::{principal}:root" if principal.isdigit() else principal
    condition = values.get("Condition")
    return {
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": account},
        "Action": values["Action"],
        "Resource": arn,
    } | without_empty(Condition={condition["Type"]: {condition["Key"]: condition["Value"]}} if condition else None)
