"""Requests for the data of Neptune and OpenSearch, which have endpoints of their own: who sends them, and may they.

moto gap: it has neither engine. The servers in front of the engines (`localcloud.engines.front`) ask here before they
answer.

Sources: https://docs.aws.amazon.com/neptune/latest/userguide/iam-dp-actions.html and
https://docs.aws.amazon.com/opensearch-service/latest/developerguide/ac.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from http import HTTPStatus
from typing import Any

from moto.rds.models import rds_backends

from localcloud.access import authentication, authorization, callers
from localcloud.access.actions.derivation import Need
from localcloud.access.authorization import Mode, Record
from localcloud.access.callers import Caller
from localcloud.access.policies.principals import Principal
from localcloud.access.signatures import SignatureError, SignedRequest, read
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import address

ANONYMOUS = Caller(Principal("anonymous"), context={"aws:principalisawsservice": "false"})
#: What the clauses of a query in openCypher need; one that only returns something reads.
CLAUSES = {
    "neptune-db:ReadDataViaQuery": r"\bMATCH\b",
    "neptune-db:WriteDataViaQuery": r"\b(CREATE|MERGE|SET)\b",
    "neptune-db:DeleteDataViaQuery": r"\b(DELETE|REMOVE)\b",
}
Json = Mapping[str, Any]


def refusal(cloud: Cloud, asked: Json) -> str | None:
    """Say why a request for data may not go on; None if it may.

    Args:
        cloud: The cloud.
        asked: What the server in front of an engine tells of it: ``resource``, the ARN of the domain or the cluster;
            ``method``, ``target`` and ``headers`` as they were sent; ``content``, the SHA-256 of the body; ``query``,
            the text of a query; ``action``, the permission that is needed where the query does not say it;
            ``from_owner``, whether a process of the cloud's own user sent it.
    """
    service, mode = str(asked["resource"]).split(":")[2], cloud.state(Record).mode
    if service == "rds" and not _uses_iam(asked["resource"]):
        return None
    request = _request(asked)
    try:
        caller = _caller(cloud, request, asked, service)
    except SignatureError as error:
        return str(error)
    if caller is None or mode is Mode.OFF:
        return None
    if caller is ANONYMOUS and service == "rds":
        return "Missing Authentication Token" if mode is Mode.ENFORCE else None
    denial = authorization.judge(cloud, caller, [*_NEEDS[service](asked)], authorization.sent_with(request))
    return str(denial) if denial and mode is Mode.ENFORCE else None


def _request(asked: Json) -> SignedRequest:
    """The request without its body, for which the digest in its headers stands."""
    headers = Message()
    for name, value in asked["headers"]:
        headers[name] = value
    if "X-Amz-Content-SHA256" not in headers:
        headers["X-Amz-Content-SHA256"] = asked["content"]
    return SignedRequest(asked["method"], asked["target"], headers, b"")


def _caller(cloud: Cloud, request: SignedRequest, asked: Json, service: str) -> Caller | None:
    """Return who sends a request; None for the account's administrator.

    Raises:
        SignatureError: The signature is wrong, or for another service.
    """
    has_password = request.headers.get("Authorization", "").startswith("Basic ")
    signature = None if has_password else read(request)
    if signature is None:
        return ANONYMOUS
    signed_for = _SIGNED_FOR[service]
    if signature.service != signed_for:
        message = f"Credential should be scoped to correct service: '{signed_for}'."
        raise SignatureError("SignatureDoesNotMatch", message, service)
    if request.headers["X-Amz-Content-SHA256"] not in {"UNSIGNED-PAYLOAD", asked["content"]}:
        message = "The value of X-Amz-Content-SHA256 is not the SHA-256 of the content."
        raise SignatureError("SignatureDoesNotMatch", message, service)
    authentication.verify(cloud, request, signature, lambda: bool(asked["from_owner"]))
    return callers.of_key(cloud, signature.access_key_id)


def _uses_iam(arn: str) -> bool:
    cluster = rds_backends[ACCOUNT][REGION].clusters.get(arn.rpartition(":")[2])
    return bool(cluster and cluster.iam_auth)


def _of_cluster(asked: Json) -> Iterator[Need]:
    """Yield what a request to Neptune needs."""
    cluster = rds_backends[ACCOUNT][REGION].clusters[asked["resource"].rpartition(":")[2]]
    resource = f"arn:aws:neptune-db:{REGION}:{ACCOUNT}:{cluster.db_cluster_resource_id}/database"
    if not asked["query"]:
        yield Need(f"neptune-db:{asked.get('action') or 'GetEngineStatus'}", resource)
        return
    needed = [action for action, clause in CLAUSES.items() if re.search(clause, asked["query"], re.IGNORECASE)]
    for action in needed or ["neptune-db:ReadDataViaQuery"]:
        yield Need(action, resource, {"neptune-db:querylanguage": "OpenCypher"})


def _of_domain(asked: Json) -> Iterator[Need]:
    """Yield what a request to OpenSearch needs: the permission of HTTP's method, on the path below the domain."""
    method = str(asked["method"]).title()
    yield Need(f"es:ESHttp{method}", f"{asked['resource']}{asked['target'].partition('?')[0]}")


_NEEDS = {"es": _of_domain, "rds": _of_cluster}
#: The names by which requests for data are signed, by the service in the resource's ARN.
_SIGNED_FOR = {"es": "es", "rds": "neptune-db"}


@address("{0}/moto-api/data-requests$")
def _data_requests(cloud: Cloud, request: Any, _full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """POST /moto-api/data-requests: why a request for data may not go on, or null."""
    if request.method != "POST":  # a GET would need no signature
        return HTTPStatus.METHOD_NOT_ALLOWED, {}, ""
    reason = refusal(cloud, json.loads(request.get_data()))
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(reason)
