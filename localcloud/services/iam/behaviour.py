"""IAM: a Deny under a condition is left to AWS."""

from typing import Any

from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from localcloud.hooks import wrap


@wrap(IAMPolicyStatement, "is_action_permitted")
def _is_action_permitted(original: Any, self: IAMPolicyStatement, *args: Any, **kwargs: Any) -> PermissionResult:
    """Judge a statement without its condition only where that cannot deny by mistake.

    moto gap: it ignores conditions, so "deny what is not TLS" denies everything. The local cloud is reached over plain
    HTTP and has one caller: a Deny under a condition is left to AWS.
    """
    if self._statement.get("Effect") == "Deny" and "Condition" in self._statement:
        return PermissionResult.NEUTRAL
    permitted: PermissionResult = original(self, *args, **kwargs)
    return permitted
