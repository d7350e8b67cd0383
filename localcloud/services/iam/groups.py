"""Groups, and the passwords of their users.

moto gaps: it deletes a group that has users or policies, moves a group to another path only together with a new name,
and forgets that a new password has to be changed.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from localcloud.hooks import wrap


@wrap(IAMBackend, "delete_group")
def _delete_group(original: Any, self: IAMBackend, group_name: str) -> None:
    group = self.groups.get(group_name)
    if group and group.users:
        raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
    if group and group.managed_policies:
        raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
    if group and group.policies:
        raise DeleteConflictException("Cannot delete entity, must delete policies first.")
    original(self, group_name)


@wrap(IAMBackend, "update_group")
def _update_group(
    original: Any, self: IAMBackend, group_name: str, new_group_name: str | None, new_path: str | None
) -> None:
    if new_group_name:
        original(self, group_name, new_group_name, new_path)
    elif new_path:
        self.get_group(group_name).path = new_path


@wrap(IamResponse, "create_login_profile")
def _create_login_profile(original: Any, self: IamResponse) -> ActionResult:
    result: ActionResult = original(self)
    user = self.backend.get_user(self._get_param("UserName"))
    user.password_reset_required = bool(self._get_param("PasswordResetRequired"))
    result.result["LoginProfile"]["PasswordResetRequired"] = user.password_reset_required  # type: ignore[index]
    return result
