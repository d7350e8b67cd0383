"""E-mail of SNS, as files in the cloud's mailbox folder.

moto gap: SNS sends no e-mail, and delivers to queues and functions whose policies do not let it in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from itertools import count
from typing import Any

from moto.sns.models import Subscription

from localcloud.access import service_calls
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, wrap
from terminal import files


@dataclass
class Mailbox:
    """Counts the mails, so that no two have one name."""

    numbers: count[int] = field(default_factory=lambda: count(1))


def post(cloud: Cloud, sender: str, recipient: str, subject: str, body: str) -> None:
    """Put a mail into the mailbox; it appears there whole."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    mail.set_content(body)
    files.write(cloud.folder / "mailbox" / f"{time.time_ns()}-{next(cloud.state(Mailbox).numbers)}.eml", bytes(mail))


@wrap(Subscription, "publish")
def _deliver(cloud: Cloud, original: Any, self: Subscription, *message: Any, **options: Any) -> None:
    """Deliver in the topic's own name; where the policy of the queue or function keeps SNS out, the message is lost.

    Source: https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
    """
    if self.protocol in {"sqs", "lambda"}:
        try:
            service_calls.check(cloud, "sns.amazonaws.com", str(self.endpoint), str(self.topic.arn))
        except PermissionError:  # which is recorded as a denial
            return
    original(self, *message, **options)


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
    matcher = subscription._filter_policy_matcher  # noqa: SLF001 - set by moto from the filter policy
    if matcher is not None and not matcher.matches(message_attributes, message):
        return
    post(cloud, "no-reply@sns.amazonaws.com", subscription.endpoint, subject or "AWS Notification Message", message)
