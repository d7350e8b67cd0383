"""Corrections of what moto gets wrong for deployed stacks."""

from typing import Any

from moto.cloudtrail.responses import CloudTrailResponse
from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from localcloud.hooks import instead


@instead(IAMPolicyStatement, "is_action_permitted")
def _is_action_permitted(original: Any, self: IAMPolicyStatement, *args: Any, **kwargs: Any) -> PermissionResult:
    """Judge a statement without its condition only where that cannot deny by mistake.

    moto gap: it ignores conditions, so "deny what is not TLS" denies everything. The local cloud is reached over plain
    HTTP and has one caller: a Deny under a condition is left to AWS.
    """
    if self._statement.get("Effect") == "Deny" and "Condition" in self._statement:
        return PermissionResult.NEUTRAL
    permitted: PermissionResult = original(self, *args, **kwargs)
    return permitted


def _lookup_events(_self: CloudTrailResponse) -> str:
    """moto gap: none; the CDK asks CloudTrail why a deployment failed, and retries for 20 s without an answer."""  # noqa: D403
    return '{"Events": []}'


setattr(CloudTrailResponse, "lookup_events", _lookup_events)  # noqa: B010 (moto has no such method)
