"""Deliveries of SNS: to queues and functions, e-mail as files in the cloud's mailbox folder, and what does not arrive.

moto gaps: SNS sends no e-mail, and delivers to queues and functions whose policies do not let it in. It has no
dead-letter queues, and a publisher fails because the queue of a subscription is not there. FIFO topics drop no
duplicates, a function gets made-up fields, raw delivery loses binary attributes, and all but the first hundred
subscriptions get nothing. Each message is signed with a new key, in version 2 whatever the topic says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from dataclasses import dataclass, field
from email import policy as mail_policy
from email.message import EmailMessage
from itertools import count
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from moto.core.utils import iso_8601_datetime_with_milliseconds, unix_time
from moto.sns.models import Subscription, Topic
from moto.sqs.models import DEDUPLICATION_TIME_IN_SECONDS, sqs_backends

from localcloud.access import service_calls
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap
from localcloud.services.cloudwatch.metrics import measure
from localcloud.services.sns import filters, http_delivery
from terminal import files

ADDRESS = f"https://sns.{REGION}.amazonaws.com"
#: The hash of a signature by its version.
#: Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - AWS's default

SERVICE = "sns.amazonaws.com"
#: The longest line of a mail that needs no encoding; a person may read the file as it is.
#: Source: https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
LONGEST_LINE = 998
log = logging.getLogger(__name__)


@dataclass
class Mailbox:
    """Counts the mails, so that no two have one name."""

    numbers: count[int] = field(default_factory=lambda: count(1))


def post(cloud: Cloud, sender: str, recipient: str, subject: str, body: str) -> None:
    """Put a mail into the mailbox; it appears there whole."""
    mail = EmailMessage(mail_policy.default.clone(max_line_length=LONGEST_LINE))
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail["Date"] = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    mail.set_content(body)
    files.write(cloud.folder / "mailbox" / f"{time.time_ns()}-{next(cloud.state(Mailbox).numbers)}.eml", bytes(mail))


@dataclass(frozen=True)
class Published:
    """A message that a topic has taken.

    Attributes:
        message_id: Its id.
        at: When, in seconds since the epoch.
        sequence_number: Its place among the messages of a FIFO topic; empty for another topic.
    """

    message_id: str
    at: float
    sequence_number: str = ""


@dataclass
class Sequence:
    """What a topic remembers of its messages.

    Attributes:
        published: Those of the last five minutes, by group and deduplication id; the group is empty where the whole
            topic is the scope.
        numbers: The sequence numbers by the messages' ids.
        number: The last sequence number.
    """

    published: dict[tuple[str, str], Published] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    number: int = 10**19


@dataclass
class Signer:
    """Signs the messages of a cloud."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    name: str = field(default_factory=lambda: f"SimpleNotificationService-{uuid4().hex}.pem")

    def sign(self, notification: dict[str, Any], version: str) -> str:
        """Return the signature of a notification, as SNS makes it of names and values in their order."""
        names = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
        text = "".join(f"{name}\n{notification[name]}\n" for name in names if name in notification)
        return base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), HASHES[version])).decode()


@replace(Topic, "publish")
def _publish(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    self: Topic,
    message: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> str:
    """Give a message to every subscription, unless a FIFO topic has had it in the last five minutes.

    Source: https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html
    """
    if self.fifo_topic and not deduplication_id:
        deduplication_id = hashlib.sha256(message.encode()).hexdigest()
    published, is_new = _number(cloud, self, str(group_id), str(deduplication_id))
    if is_new:
        self.sent_notifications.append((published.message_id, message, subject, message_attributes, group_id))
        for subscription in [item for item in list(self.sns_backend.subscriptions.values()) if item.topic is self]:
            subscription.publish(
                message,
                published.message_id,
                subject=subject,
                message_attributes=message_attributes,
                group_id=group_id,
                deduplication_id=deduplication_id,
                message_structure=message_structure,
            )
    return published.message_id


def _number(cloud: Cloud, topic: Topic, group: str, deduplication_id: str) -> tuple[Published, bool]:
    """Return a message's id and number, and whether the topic has not had it."""
    now = unix_time()
    if not topic.fifo_topic:
        return Published(str(uuid4()), now), True
    with cloud.lock("sns"):
        sequence = cloud.state(Sequence, topic)
        recent = {
            key: item for key, item in sequence.published.items() if now - item.at < DEDUPLICATION_TIME_IN_SECONDS
        }
        scope = getattr(topic, "fifo_throughput_scope", "Topic")
        key = (group if scope == "MessageGroup" else "", deduplication_id)
        is_new = key not in recent
        if is_new:
            sequence.number += 1000
            recent[key] = Published(str(uuid4()), now, f"{sequence.number:020}")
        sequence.published = recent
        sequence.numbers = {item.message_id: item.sequence_number for item in recent.values()}
        return recent[key], is_new


@replace(Subscription, "get_post_data")
def _notification(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    self: Subscription,
    message: str,
    message_id: str,
    subject: str | None,
    message_attributes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what an endpoint gets of a message.

    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    topic = self.topic
    notification: dict[str, Any] = {"Type": "Notification", "MessageId": message_id}
    if topic.fifo_topic:
        notification["SequenceNumber"] = cloud.state(Sequence, topic).numbers.get(message_id, "")
    notification["TopicArn"] = topic.arn
    if subject:
        notification["Subject"] = subject
    notification |= {"Message": message, "Timestamp": iso_8601_datetime_with_milliseconds()}
    if not topic.fifo_topic:
        version, signer = getattr(topic, "signature_version", "1"), cloud.state(Signer)
        notification |= {"SignatureVersion": version, "Signature": signer.sign(notification, version)}
        notification["SigningCertURL"] = f"{ADDRESS}/{signer.name}"
    notification["UnsubscribeURL"] = f"{ADDRESS}/?Action=Unsubscribe&SubscriptionArn={self.arn}"
    if message_attributes:
        notification["MessageAttributes"] = message_attributes
    return notification


@wrap(Subscription, "publish")
def _deliver(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    original: Any,
    self: Subscription,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> None:
    """Deliver in the topic's own name. What does not arrive goes to the subscription's dead-letter queue, or is lost.

    Sources: https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html and
    https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
    """
    if is_pending(self):
        return
    if message_structure == "json":
        structured = json.loads(message)
        own = structured.get(self.protocol)
        message = own if isinstance(own, str) and own else structured["default"]
    if not filters.is_wanted(self, message, message_attributes):
        return
    content = (message, message_id, subject, message_attributes)
    if self.protocol == "email":
        sender = f'"{self.topic.display_name or "AWS Notifications"}" <no-reply@sns.amazonaws.com>'
        post(cloud, sender, self.endpoint, subject or "AWS Notification Message", f"{message}\n\n{_footer(self)}")
    elif self.protocol in {"sqs", "lambda"}:
        ordered = (group_id, deduplication_id)
        try:
            service_calls.check(cloud, SERVICE, str(self.endpoint), str(self.topic.arn))
            if self.protocol == "sqs":
                _send(self, self.endpoint, content, ordered)
            else:
                _invoke(cloud, self, content)
        except Exception as error:  # noqa: BLE001 - the endpoint keeps SNS out, or is gone: not the publisher's fault
            _fail(cloud, self, content, ordered, error)
    elif self.protocol in http_delivery.PROTOCOLS:
        cloud.background(_post, cloud, self, content, (group_id, deduplication_id))
    else:
        original(self, message, message_id, subject, message_attributes)


def is_pending(subscription: Subscription) -> bool:
    """Return whether the endpoint of a subscription has not confirmed it yet."""
    return str(subscription.attributes.get("PendingConfirmation")).lower() == "true"


def _is_raw(subscription: Subscription) -> bool:
    return str(subscription.attributes.get("RawMessageDelivery")).lower() == "true"


def _post(
    cloud: Cloud, subscription: Subscription, content: tuple[Any, ...], ordered: tuple[str | None, str | None]
) -> None:
    """Send a message to an HTTP endpoint, which does not keep the publisher waiting."""
    message, message_id, subject, attributes = content
    body, raw = message, _is_raw(subscription)
    if not raw:
        notification = subscription.get_post_data(message, message_id, subject, message_attributes=attributes)
        body = json.dumps(notification, indent=2, separators=(",", " : "))
    try:
        http_delivery.send(subscription, "Notification", message_id, body, cloud.settings.retry_seconds, raw=raw)
    except http_delivery.NotDeliveredError as error:
        _fail(cloud, subscription, content, ordered, error)


def _footer(subscription: Subscription) -> str:
    """Return what stands below every e-mail of SNS."""
    return (
        "--\nIf you wish to stop receiving notifications from this topic, please click or visit the link below to "
        f"unsubscribe:\n{ADDRESS}/unsubscribe.html?SubscriptionArn={subscription.arn}&Endpoint={subscription.endpoint}"
        "\n\nPlease do not reply directly to this email. If you have any questions or comments regarding this email, "
        "please contact us at https://aws.amazon.com/support"
    )


def _send(
    subscription: Subscription,
    queue: str,
    content: tuple[Any, ...],
    ordered: tuple[str | None, str | None],
) -> None:
    """Send a message to a queue as the subscription asks for it: raw, or within a notification."""
    message, message_id, subject, attributes = content
    raw = _is_raw(subscription)
    notification = subscription.get_post_data(message, message_id, subject, message_attributes=attributes)
    group, deduplication_id = ordered
    topic_is_fifo, queue_is_fifo = subscription.topic.fifo_topic, queue.endswith(".fifo")
    if topic_is_fifo and not queue_is_fifo:
        group = deduplication_id = None
    sqs_backends[ACCOUNT][REGION].send_message(
        queue.rpartition(":")[2],
        message if raw else json.dumps(notification, indent=2, separators=(",", " : ")),
        message_attributes={name: _as_sent(item) for name, item in (attributes or {}).items()} if raw else {},
        group_id=group or (message_id if queue_is_fifo else None),
        deduplication_id=deduplication_id or (message_id if queue_is_fifo else None),
    )


def _as_sent(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute of a message as SQS has it."""
    kind, value = attribute["Type"], attribute["Value"]
    if kind.startswith("Binary"):
        return {"DataType": kind, "BinaryValue": base64.b64decode(value)}
    return {"DataType": kind, "StringValue": str(value)}


def _invoke(cloud: Cloud, subscription: Subscription, content: tuple[Any, ...]) -> None:
    """Call a function, which does not keep the publisher waiting.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    """
    message, message_id, subject, attributes = content
    notification = subscription.get_post_data(message, message_id, subject)
    notification |= {"Subject": subject, "MessageAttributes": attributes or {}}
    for name in ("SigningCertURL", "UnsubscribeURL"):
        if name in notification:
            notification[name.replace("URL", "Url")] = notification.pop(name)
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": notification,
    }
    payload = json.dumps({"Records": [record]})
    cloud.client("lambda").invoke(FunctionName=subscription.endpoint, InvocationType="Event", Payload=payload)


def _fail(
    cloud: Cloud,
    subscription: Subscription,
    content: tuple[Any, ...],
    ordered: tuple[str | None, str | None],
    error: Exception,
) -> None:
    """Count a message that its endpoint has not taken, and send it to the dead-letter queue.

    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
    """
    log.info("%s did not get a message of %s: %s", subscription.endpoint, subscription.topic.arn, error)
    measure("AWS/SNS", "NumberOfNotificationsFailed", 1, {"TopicName": subscription.topic.name})
    _dead_letter(cloud, subscription, content, ordered)


def _dead_letter(
    cloud: Cloud, subscription: Subscription, content: tuple[Any, ...], ordered: tuple[str | None, str | None]
) -> None:
    """Send what the endpoint would have got to the dead-letter queue of a subscription, if it has one."""
    policy = json.loads(subscription.attributes.get("RedrivePolicy") or "{}")
    if not (queue := policy.get("deadLetterTargetArn")):
        return
    try:
        service_calls.check(cloud, SERVICE, queue, str(subscription.topic.arn))
        _send(subscription, queue, content, ordered)
    except Exception as error:  # noqa: BLE001 - the queue keeps SNS out, or is gone
        log.warning("A message of %s is lost: %s did not get it: %s", subscription.topic.arn, queue, error)
