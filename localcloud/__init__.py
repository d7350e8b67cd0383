"""moto, completed: what makes the stacks and their jobs run on a laptop."""

from __future__ import annotations

from localcloud.cloud.local_cloud import LocalCloud
from localcloud.errors import LocalCloudError

__all__ = ["LocalCloud", "LocalCloudError"]
