"""E-mail of SNS, as files in the cloud's mailbox folder.

moto gap: SNS sends no e-mail.
"""

import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from itertools import count
from typing import Any

from moto.sns.models import Subscription

from localcloud.cloud.context import Cloud
from localcloud.hooks import after
from terminal import files


@dataclass
class Mailbox:
    """Counts the mails, so that no two have one name."""

    numbers: "count[int]" = field(default_factory=lambda: count(1))


def post(cloud: Cloud, sender: str, recipient: str, subject: str, body: str) -> None:
    """Put a mail into the mailbox; it appears there whole."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    mail.set_content(body)
    files.write(cloud.folder / "mailbox" / f"{time.time_ns()}-{next(cloud.state(Mailbox).numbers)}.eml", bytes(mail))


@after(Subscription, "publish")
def _notified(
    cloud: Cloud,
    _: None,
    subscription: Subscription,
    message: str,
    _message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    **_kwargs: Any,
) -> None:
    if subscription.protocol != "email":
        return
    matcher = subscription._filter_policy_matcher  # noqa: SLF001 (set by moto from the filter policy)
    if matcher is not None and not matcher.matches(message_attributes, message):
        return
    post(cloud, "no-reply@sns.amazonaws.com", subscription.endpoint, subject or "AWS Notification Message", message)
