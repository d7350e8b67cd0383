"""Messages of SNS to HTTP and HTTPS endpoints on this machine.

moto gap: a publisher waits for the endpoint, and fails if it is not there.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import time
from http import HTTPStatus
from urllib.parse import urlsplit

from moto.sns.models import Subscription

PROTOCOLS = {"http", "https"}
#: The attempts after the first one, and the seconds that an endpoint may take.
#: Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
RETRIES, PATIENCE_SECONDS = 3, 15
TEXT = "text/plain; charset=UTF-8"


class NotDeliveredError(Exception):
    """An endpoint has not taken a message."""


def is_reachable(endpoint: str) -> bool:
    """Return whether an endpoint is on this machine: the local cloud sends nothing anywhere else."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def send(subscription: Subscription, kind: str, message_id: str, body: str, pause: float, *, raw: bool = False) -> None:
    """Send a message to the endpoint of a subscription, again if it fails.

    Args:
        subscription: The subscription.
        kind: The message's type.
        message_id: Its id.
        body: What to send.
        pause: The seconds before it is sent again.
        raw: Whether it is sent as it was published.

    Raises:
        NotDeliveredError: The endpoint does not take it, or is not on this machine.
    """
    if not is_reachable(subscription.endpoint):
        raise NotDeliveredError("the local cloud sends to this machine only")
    headers = {
        "Content-Type": _content_type(subscription),
        "User-Agent": "Amazon Simple Notification Service Agent",
        "Accept-Encoding": "gzip,deflate",
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": str(subscription.topic.arn),
    }
    if kind == "Notification":
        headers["x-amz-sns-subscription-arn"] = str(subscription.arn)
    if raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    for attempt in range(RETRIES + 1):
        try:
            status = _post(subscription.endpoint, headers, body)
        except OSError as error:
            status, problem = HTTPStatus.SERVICE_UNAVAILABLE, str(error)
        else:
            problem = f"it answered {status}"
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        is_final = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if (is_final and status != HTTPStatus.TOO_MANY_REQUESTS) or attempt == RETRIES:
            raise NotDeliveredError(problem)
        time.sleep(pause)


def _post(endpoint: str, headers: dict[str, str], body: str) -> int:
    parts = urlsplit(endpoint)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body.encode(), headers)
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def _content_type(subscription: Subscription) -> str:
    """Return the type that the subscription's delivery policy asks for."""
    policy = json.loads(subscription.attributes.get("DeliveryPolicy") or "{}")
    return str((policy.get("requestPolicy") or {}).get("headerContentType") or TEXT)
