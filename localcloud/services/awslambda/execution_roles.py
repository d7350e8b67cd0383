"""What Lambda asks of a function's role when the function is created or changed.

moto gap: any role does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Need
from localcloud.cloud.context import Cloud

SERVICE = "lambda.amazonaws.com"
#: With which Lambda connects a function to a network.
#: Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
NETWORK = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface", "DescribeSubnets")


def check(cloud: Cloud, role: str, name: str, spec: dict[str, Any]) -> None:
    """Refuse a function whose role Lambda may not assume, or which may not do what its configuration takes.

    Args:
        cloud: The cloud.
        role: ARN of the function's role.
        name: The function's name.
        spec: The configuration, or what changes of it.

    Raises:
        InvalidParameterValueException: The role's policies do not allow it.
    """
    try:
        service_calls.check_trust(cloud, SERVICE, role)
    except PermissionError as error:
        message = "The role defined for the function cannot be assumed by Lambda."
        raise InvalidParameterValueException(f"{message} {error}") from error
    for service, need in _needed(spec):
        try:
            service_calls.check_role(cloud, role, name, need)
        except PermissionError as error:
            call = need.action.partition(":")[2]
            message = f"The provided execution role does not have permissions to call {call} on {service}"
            raise InvalidParameterValueException(f"{message}. {error}") from error


def _needed(spec: dict[str, Any]) -> Iterator[tuple[str, Need]]:
    """Yield what Lambda does as a role, with the name that its messages have for the service."""
    if (spec.get("VpcConfig") or {}).get("SubnetIds"):
        yield from (("EC2", Need(f"ec2:{action}", "*")) for action in NETWORK)
    if dead_letter := (spec.get("DeadLetterConfig") or {}).get("TargetArn"):
        service = dead_letter.split(":")[2]
        for action in service_calls.ACTIONS.get(service, ()):
            yield service.upper(), Need(action, dead_letter)
