"""How properties of CloudFormation become parameters of AWS IAM, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties


def role(values: Properties) -> Properties:
    """Add the trust policy under the name that its update operation uses."""
    return {**values, "PolicyDocument": values["AssumeRolePolicyDocument"]}


def inline_policy(values: Properties) -> Properties:
    """Put the one document on each role, under the policy's name, which may change."""
    policy = {"PolicyName": values["PolicyName"], "PolicyDocument": values.pop("PolicyDocument")}
    return {**values, "Roles": [{"RoleName": name, **policy} for name in values.get("Roles", [])]}
