"""Identity providers of OpenID Connect: the applications whose tokens an account takes.

moto gaps: it takes providers without TLS, does not name one that exists already, and cannot change client ids.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import EntityAlreadyExists, LimitExceededException
from moto.iam.models import IAMBackend, OpenIDConnectProvider
from moto.iam.responses import IamResponse

from localcloud.hooks import add, wrap

#: Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MOST_CLIENTS = 100


@wrap(IAMBackend, "create_open_id_connect_provider")
def _create(original: Any, self: IAMBackend, url: str, *rest: Any) -> OpenIDConnectProvider:
    try:
        provider: OpenIDConnectProvider = original(self, url, *rest)
    except EntityAlreadyExists:
        raise EntityAlreadyExists(f"Provider with url {url} already exists.") from None
    return provider


@add(IamResponse, "add_client_id_to_open_id_connect_provider")
def _add_client_id(self: IamResponse) -> ActionResult:
    """Let an application's tokens in; adding one that is there already changes nothing."""
    provider, client_id = _asked(self)
    if client_id not in provider.client_id_list:
        if len(provider.client_id_list) >= MOST_CLIENTS:
            raise LimitExceededException(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MOST_CLIENTS}")
        provider.client_id_list = [*provider.client_id_list, client_id]
    return EmptyResult()


@add(IamResponse, "remove_client_id_from_open_id_connect_provider")
def _remove_client_id(self: IamResponse) -> ActionResult:
    """Let an application's tokens in no more; removing one that is not there changes nothing."""
    provider, client_id = _asked(self)
    provider.client_id_list = [known for known in provider.client_id_list if known != client_id]
    return EmptyResult()


def _asked(response: IamResponse) -> tuple[OpenIDConnectProvider, str]:
    """Return the provider and the client id that a request is about.

    Raises:
        NotFoundException: There is no such provider.
    """
    arn = response._get_param("OpenIDConnectProviderArn")  # noqa: SLF001 - as moto's own operations read it
    return response.backend.get_open_id_connect_provider(arn), str(response._get_param("ClientID"))  # noqa: SLF001
