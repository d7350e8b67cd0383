"""Subscriptions of HTTP and HTTPS endpoints: nothing is sent to them before they have confirmed that they want it.

moto gap: they are confirmed at once, and any token confirms a subscription that there is not.

Source: https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.core.utils import iso_8601_datetime_with_milliseconds
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import Subscription, sns_backends
from moto.sns.responses import SNSResponse

from localcloud.access.admission import CONFIRMATION_PATH
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import address, replace, wrap
from localcloud.services.sns import http_delivery
from localcloud.services.sns.behaviour import ADDRESS, Signer, is_pending

TOKEN = re.compile("[0-9a-f]{256,}")
log = logging.getLogger(__name__)


@dataclass
class Confirmation:
    """What confirms a subscription.

    Attributes:
        token: The token that its endpoint gets.
    """

    token: str = field(default_factory=lambda: secrets.token_hex(136))


@wrap(SNSResponse, "subscribe")
def _subscribe(cloud: Cloud, original: Any, self: SNSResponse) -> ActionResult:
    """Ask the endpoint of a new subscription to confirm it."""
    known = {*self.backend.subscriptions}
    result: ActionResult = original(self)
    if self._get_param("Protocol") not in http_delivery.PROTOCOLS:
        return result
    answer: Any = result.result
    subscription = self.backend.subscriptions[answer["SubscriptionArn"]]
    if subscription.arn not in known:
        subscription.attributes |= {"PendingConfirmation": True, "ConfirmationWasAuthenticated": False}
        cloud.background(_ask, cloud, subscription)
    if is_pending(subscription) and not self._get_bool_param("ReturnSubscriptionArn"):
        return ActionResult({"SubscriptionArn": "pending confirmation"})
    return result


def _ask(cloud: Cloud, subscription: Subscription) -> None:
    """Send an endpoint the token with which it confirms its subscription."""
    topic, token = subscription.topic, cloud.state(Confirmation, subscription).token
    query = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic.arn, "Token": token}, safe=":")
    body = {
        "Type": "SubscriptionConfirmation",
        "MessageId": str(uuid4()),
        "Token": token,
        "TopicArn": topic.arn,
        "Message": f"You have chosen to subscribe to the topic {topic.arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message.",
        "SubscribeURL": f"{cloud.endpoint}{CONFIRMATION_PATH}?{query}",
        "Timestamp": iso_8601_datetime_with_milliseconds(),
    }
    version, signer = getattr(topic, "signature_version", "1"), cloud.state(Signer)
    body |= {"SignatureVersion": version, "Signature": signer.sign(body, version)}
    body["SigningCertURL"] = f"{ADDRESS}/{signer.name}"
    text = json.dumps(body, indent=2, separators=(",", " : "))
    try:
        http_delivery.send(subscription, body["Type"], body["MessageId"], text, cloud.settings.retry_seconds)
    except http_delivery.NotDeliveredError as error:
        log.warning("%s was not asked to confirm its subscription: %s", subscription.endpoint, error)


@replace(SNSResponse, "confirm_subscription")
def _confirm_subscription(cloud: Cloud, self: SNSResponse) -> ActionResult:
    arn = _confirm(cloud, self._get_param("TopicArn") or "", self._get_param("Token") or "")
    return ActionResult({"SubscriptionArn": arn})


@address(f"{{0}}{CONFIRMATION_PATH}$")
def _visit(cloud: Cloud, _request: Any, full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """Confirm a subscription for whoever visits the address that its endpoint has got."""
    query = parse_qs(urlsplit(full_url).query)
    try:
        arn = _confirm(cloud, query.get("TopicArn", [""])[0], query.get("Token", [""])[0])
    except SNSInvalidParameter as error:
        return HTTPStatus.BAD_REQUEST, {}, str(error.message)
    result = f"<ConfirmSubscriptionResult><SubscriptionArn>{arn}</SubscriptionArn></ConfirmSubscriptionResult>"
    opening = '<ConfirmSubscriptionResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
    return HTTPStatus.OK, {"Content-Type": "text/xml"}, f"{opening}{result}</ConfirmSubscriptionResponse>"


def _confirm(cloud: Cloud, topic: str, token: str) -> str:
    """Confirm the subscription that a token belongs to, and return its ARN.

    Raises:
        SNSInvalidParameter: There is none.
    """
    if not TOKEN.fullmatch(token):
        raise SNSInvalidParameter("Invalid token")
    for subscription in list(sns_backends[ACCOUNT][REGION].subscriptions.values()):
        if subscription.topic.arn == topic and cloud.state(Confirmation, subscription).token == token:
            subscription.attributes["PendingConfirmation"] = False
            return str(subscription.arn)
    raise SNSInvalidParameter("Invalid parameter: Token")
