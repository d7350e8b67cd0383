"""Who a server is: it tells its folder and its process to whoever has its address."""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import Any

from localcloud.cloud.context import Cloud
from localcloud.hooks import address


@address("{0}/moto-api/cloud$")
def _tell(cloud: Cloud, _request: Any, _full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """GET /moto-api/cloud."""
    identity = {"folder": str(cloud.folder), "pid": os.getpid()}
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(identity)
