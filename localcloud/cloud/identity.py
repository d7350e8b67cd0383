"""Who a server is: it tells its folder and its process to whoever has its address."""

import json
import os
from http import HTTPStatus
from typing import Any

from moto.moto_api._internal.urls import url_paths

from localcloud.cloud.background import folder


def _tell(_request: Any, _full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """GET /moto-api/cloud."""
    identity = {"folder": str(folder()), "pid": os.getpid()}
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(identity)


ADDRESSES: dict[str, Any] = {"{0}/moto-api/cloud$": _tell}
url_paths.update(ADDRESSES)
