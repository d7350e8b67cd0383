"""E-mail of SNS and SES, as files in the cloud's mailbox folder.

moto gap: it keeps what SES sends to itself, and SNS sends no e-mail.
"""

import json
import os
import time
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

from moto.ses.models import SESBackend
from moto.sns.models import Subscription

from localcloud.hooks import after

_numbers = count(1)


def post(sender: str, recipient: str, subject: str, body: str) -> None:
    """Put a mail into the mailbox; it appears there whole."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    mail.set_content(body)
    folder = Path(os.environ["LOCALCLOUD_FOLDER"]) / "mailbox"
    folder.mkdir(exist_ok=True)
    fresh = folder / f".{time.time_ns()}-{next(_numbers)}"
    fresh.write_bytes(bytes(mail))
    fresh.rename(folder / f"{fresh.name[1:]}.eml")


@after(Subscription, "publish")
def _notified(
    _: None,
    subscription: Subscription,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    **_kwargs: Any,
) -> None:
    if subscription.protocol not in ("email", "email-json"):
        return
    matcher = subscription._filter_policy_matcher  # noqa: SLF001 (set by moto from the filter policy)
    if matcher is not None and not matcher.matches(message_attributes, message):
        return
    if subscription.protocol == "email-json":
        topic = subscription.topic.arn
        message = json.dumps({"Type": "Notification", "MessageId": message_id, "TopicArn": topic, "Message": message})
    post("no-reply@sns.amazonaws.com", subscription.endpoint, subject or "AWS Notification Message", message)


@after(SESBackend, "send_email")
def _sent(_: Any, _backend: SESBackend, source: str, subject: str, body: str, to: dict[str, list[str]]) -> None:
    for recipient in (address for addresses in to.values() for address in addresses):
        post(source, recipient, subject, body)
