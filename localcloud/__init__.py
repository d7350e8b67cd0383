"""moto, completed: what makes the stacks and their jobs run on a laptop."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.cloud.local_cloud import LocalCloud
    from localcloud.errors import LocalCloudError

__all__ = ["LocalCloud", "LocalCloudError"]
_MODULES = {"LocalCloud": "localcloud.cloud.local_cloud", "LocalCloudError": "localcloud.errors"}


def __getattr__(name: str) -> Any:
    """Import what the package offers when it is first asked for: most of its modules need neither."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
