"""E-mail of SNS, as files in the cloud's mailbox folder.

moto gap: SNS sends no e-mail.
"""

import time
from email.message import EmailMessage
from itertools import count
from typing import Any

from moto.sns.models import Subscription

from localcloud.cloud.background import folder
from localcloud.hooks import after
from terminal import files

_numbers = count(1)


def post(sender: str, recipient: str, subject: str, body: str) -> None:
    """Put a mail into the mailbox; it appears there whole."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    mail.set_content(body)
    files.write(folder() / "mailbox" / f"{time.time_ns()}-{next(_numbers)}.eml", bytes(mail))


@after(Subscription, "publish")
def _notified(
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
    post("no-reply@sns.amazonaws.com", subscription.endpoint, subject or "AWS Notification Message", message)
