"""Whether a request is admitted: its signature is valid, and its caller is allowed to do what it asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug import Response

from localcloud.access import authentication, authorization
from localcloud.access.signatures import SignatureError, SignedRequest
from localcloud.cloud.context import Cloud
from localcloud.services.batch.reclaim import METADATA_PATH

#: Where the endpoint of a topic confirms its subscription.
CONFIRMATION_PATH = "/moto-api/sns/confirm"
#: Addresses that need no signature, because each has a secret of its own.
WITH_SECRETS = (METADATA_PATH, f"{CONFIRMATION_PATH}?")


def refusal(
    cloud: Cloud, request: SignedRequest, environ: dict[str, Any], from_owner: Callable[[], bool]
) -> Response | None:
    """Return the answer to a request that may not go on; None if it may.

    Args:
        cloud: The cloud that it is sent to.
        request: The request.
        environ: The same, as WSGI has it.
        from_owner: Whether a process of the cloud's own user sent it.
    """
    if request.target.startswith(WITH_SECRETS):
        return None
    try:
        signature = authentication.authenticate(cloud, request, from_owner)
    except SignatureError as error:
        return authentication.refused(request, error)
    return authorization.refusal(cloud, request, environ, signature) if signature else None
