"""IAM: what moto's own judgement of bucket policies leaves to ours."""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from localcloud.hooks import wrap

EVERYBODY: tuple[Any, ...] = ("*", {"AWS": "*"}, {"AWS": ["*"]})


@wrap(IAMPolicyStatement, "is_action_permitted")
def _is_action_permitted(original: Any, self: IAMPolicyStatement, *args: Any, **kwargs: Any) -> PermissionResult:
    """Judge a statement only if it is about everybody, and denies without a condition if it denies.

    moto gap: it ignores principals and conditions, so "deny one role" and "deny what is not TLS" deny everything. What
    a signed request may do is decided in `localcloud.access.authorization`; moto decides only for unsigned requests.
    """
    statement = self._statement
    is_about_some = statement.get("Principal", "*") not in EVERYBODY
    if is_about_some or (statement.get("Effect") == "Deny" and "Condition" in statement):
        return PermissionResult.NEUTRAL
    permitted: PermissionResult = original(self, *args, **kwargs)
    return permitted
