"""How properties of CloudFormation become parameters of AWS IAM, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties


def role(values: Properties) -> Properties:
    """Add the trust policy under the name that its update operation uses."""
    return {**values, "PolicyDocument": values["AssumeRolePolicyDocument"]}


def movable(values: Properties) -> Properties:
    """Add the path of a user or a group under the name that its update operation uses."""
    return {**values, "NewPath": values["Path"]} if "Path" in values else values


#: Whom a policy can belong to, and what the API calls one of them.
HOLDERS = {"Groups": "GroupName", "Roles": "RoleName", "Users": "UserName"}


def inline_policy(values: Properties) -> Properties:
    """Put the one document on each group, role and user, under the policy's name, which may change.

    Raises:
        ValueError: It belongs to nobody.
    """
    policy = {"PolicyName": values["PolicyName"], "PolicyDocument": values.pop("PolicyDocument")}
    if not any(values.get(holders) for holders in HOLDERS):
        raise ValueError("At least one of [Groups,Roles,Users] must be non-empty.")
    calls = {
        holders: [{holder: name, **policy} for name in values[holders]]
        for holders, holder in HOLDERS.items()
        if holders in values
    }
    return {**values, **calls}


def membership(values: Properties) -> Properties:
    """Put each user into the one group, which may change."""
    users = [{"GroupName": values["GroupName"], "UserName": name} for name in values["Users"]]
    return {"Name": values["Name"], "Users": users}
