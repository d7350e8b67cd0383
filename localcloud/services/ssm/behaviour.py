"""AWS Systems Manager: a patch group is Windows's unless the request says which operating system it is of.

moto gap: it takes no request without the operating system.
See https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetPatchBaselineForPatchGroup.html.
"""

from __future__ import annotations

from typing import Any

from moto.ssm.models import SimpleSystemManagerBackend

from localcloud.hooks import wrap


@wrap(SimpleSystemManagerBackend, "get_patch_baseline_for_patch_group")
def _get_patch_baseline_for_patch_group(
    original: Any, self: SimpleSystemManagerBackend, patch_group: str, operating_system: str | None
) -> Any:
    return original(self, patch_group, operating_system or "WINDOWS")
