"""How properties of CloudFormation become parameters of API Gateway, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties


def account(values: Properties) -> Properties:
    """Set the role for logs by a patch, which is the only way to change an account."""
    role = values.get("CloudWatchRoleArn")
    patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role or ""}
    return {**values, "PatchOperations": [patch]}


def deployment(values: Properties) -> Properties:
    """Name the settings of the stage that a deployment makes, as the API does."""
    stage = values.pop("StageDescription", None) or {}
    renamed = {"Description": "StageDescription"}
    return {**values, **{renamed.get(name, name): value for name, value in stage.items()}}


def method(values: Properties) -> Properties:
    """Put the responses of the integration beside it, because the API takes each by a call of its own."""
    integration = dict(values.get("Integration") or {})
    responses = integration.pop("IntegrationResponses", [])
    apart = {"Integration": integration} if integration else {}
    return {**values, **apart, **({"IntegrationResponses": responses} if responses else {})}
