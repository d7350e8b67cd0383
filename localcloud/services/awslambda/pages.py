"""Pages of the lists that Lambda answers with."""

from __future__ import annotations

import json
from typing import Any

from moto.awslambda.responses import LambdaResponse

#: How many items are on a page unless the request says otherwise.
PAGE = 50


def page(request: LambdaResponse, name: str, items: list[dict[str, Any]]) -> str:
    """Return the page of a list that a request asks for, as JSON.

    Args:
        request: The request, which may have a ``Marker`` and ``MaxItems``.
        name: What the API calls the list.
        items: All of it.
    """
    start = int(request._get_param("Marker") or 0)  # noqa: SLF001 - moto's way to read a parameter
    end = start + int(request._get_param("MaxItems") or PAGE)  # noqa: SLF001
    return json.dumps({name: items[start:end], **({"NextMarker": str(end)} if len(items) > end else {})})
