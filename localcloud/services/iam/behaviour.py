"""IAM: what moto's own judgement of bucket policies leaves to ours, and what the answers about roles have."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.iam.exceptions import ValidationError
from moto.iam.models import IAMBackend, Role
from moto.iam.responses import IamResponse

from localcloud.hooks import after, wrap

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


class _New:
    """A role as CreateRole answers with it: moto's answer has what only GetRole tells."""

    def __init__(self, role: Role) -> None:
        self._role = role

    def __getattr__(self, name: str) -> Any:
        if name in {"max_session_duration", "role_last_used"}:
            raise AttributeError(name)
        return getattr(self._role, name)


@after(IamResponse, "create_role")
def _create_role(answer: ActionResult, _self: IamResponse) -> None:
    result: Any = answer.result
    result["Role"] = _New(result["Role"])


@wrap(IAMBackend, "attach_role_policy", "attach_group_policy", "attach_user_policy")
def _attach(original: Any, self: IAMBackend, policy_arn: str, name: str) -> None:
    if not policy_arn.startswith("arn:"):
        raise ValidationError("Invalid ARN:  Could not be parsed!")
    original(self, policy_arn, name)
