"""Policies of functions: they decide whether another service may call the function.

moto gap: whoever names a function may call it. On AWS a rule without a permission delivers nothing, and says nothing.
"""

from collections.abc import Mapping

from moto.awslambda.utils import get_backend

from localcloud.access import policy_statements
from localcloud.cloud.account import ACCOUNT, REGION

ACTION = "lambda:InvokeFunction"


def check(arn: str, service: str, context: Mapping[str, str]) -> None:
    """Refuse what Lambda refuses a service that calls a function.

    Args:
        arn: The function, or one of its versions or aliases.
        service: The service's principal, such as ``events.amazonaws.com``.
        context: The condition keys that the service sends.

    Raises:
        PermissionError: The function's policy does not let the service call it.
    """
    function = get_backend(ACCOUNT, REGION).get_function(arn)
    statements = function.policy.statements if function.policy else []
    if not policy_statements.allow(statements, service, ACTION, context):
        raise PermissionError(f"{service} may not call {ACTION} with the function {arn}: no permission allows it")
