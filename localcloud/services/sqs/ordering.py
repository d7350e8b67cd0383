"""Queues as SQS keeps them: what a receiver may get next, what is a duplicate, and where a dead letter came from.

moto gaps: a FIFO queue locks a whole group where SQS locks what follows a message in flight, and hands out messages of
groups mixed; it forgets a message as soon as it is deleted, so that a duplicate arrives; it knows no deduplication per
group; sequence numbers are random; and nobody learns which queue a dead letter comes from.

Sources: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
and using-messagededuplicationid-property.html there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import unix_time
from moto.sqs.exceptions import SQSException
from moto.sqs.models import DEDUPLICATION_TIME_IN_SECONDS, Message, Queue, SQSBackend

from localcloud.cloud.context import Cloud
from localcloud.hooks import after, replace, wrap

#: Seconds until queues use a changed attribute.
#: Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
PROPAGATION = 60
#: The first sequence number, which has 20 digits, and the step between two.
FIRST, STEP = 18_000_000_000_000_000_000, 256


@dataclass(frozen=True)
class Sent:
    """A message that a FIFO queue took: when, in seconds since the epoch, and how the sender was answered."""

    at: float
    message_id: str
    sequence_number: str


@dataclass
class Order:
    """What a FIFO queue remembers.

    Attributes:
        sent: The messages of the last five minutes by group and deduplication id; the group is empty where the
            whole queue is the scope.
        number: The sequence number of the last message.
        turns: When it was each group's turn last; the group that has waited longest comes first.
        turn: The last turn.
        scope: The deduplication scope before its last change.
        changed: When that was, as `time.monotonic` counts.
    """

    sent: dict[tuple[str, str], Sent] = field(default_factory=dict)
    number: int = FIRST
    turns: dict[str, int] = field(default_factory=dict)
    turn: int = 0
    scope: str = ""
    changed: float = 0.0

    def next_turn(self, group: str) -> None:
        """Let a group wait behind all others."""
        self.turn += 1
        self.turns[group] = self.turn


@dataclass
class Way:
    """The way of a message.

    Attributes:
        queue: ARN of the queue where it is.
        source: ARN of the queue from which it came there as a dead letter; empty if it came from none.
        moved: Whether a move task has put it there.
    """

    queue: str = ""
    source: str = ""
    moved: bool = False


@replace(Queue, "add_message")
def _add_message(cloud: Cloud, self: Queue, message: Message) -> None:
    """Put a message at a queue's end; topics, buckets and other queues do so without a request."""
    with cloud.lock("sqs"):
        if self.fifo_queue and _is_duplicate(cloud, self, message):
            return
        way = cloud.state(Way, message)
        way.queue, way.source = self.queue_arn, way.queue
        with self._messages_lock:
            self._messages.append(message)
            self._messages_lock.notify_all()


def _is_duplicate(cloud: Cloud, queue: Queue, message: Message) -> bool:
    """Number a message of a FIFO queue, or give it the id and number of the one that it repeats."""
    order, now = cloud.state(Order, queue), unix_time()
    group = str(message.group_id) if _scope(cloud, queue) == "messageGroup" else ""
    key = (group, str(message.deduplication_id))
    order.sent = {name: sent for name, sent in order.sent.items() if now - sent.at < DEDUPLICATION_TIME_IN_SECONDS}
    # no queue may drop a dead letter
    is_new = not (message.approximate_receive_count or cloud.state(Way, message).moved)
    if is_new and (sent := order.sent.get(key)):
        message.id, message.sequence_number = sent.message_id, sent.sequence_number
        return True
    order.number += STEP
    message.sequence_number = f"{order.number:020}"
    if is_new:
        order.sent[key] = Sent(now, message.id, message.sequence_number)
    return False


def _scope(cloud: Cloud, queue: Queue) -> str:
    order = cloud.state(Order, queue)
    if order.scope and time.monotonic() - order.changed < PROPAGATION:
        return order.scope
    scope: str = queue.deduplication_scope  # type: ignore[attr-defined]
    return scope


@wrap(Queue, "_set_attributes")
def _change_scope(
    cloud: Cloud, original: Any, self: Queue, attributes: dict[str, Any], now: float | None = None
) -> None:
    before = getattr(self, "deduplication_scope", "")  # a new queue has none
    original(self, attributes, now)
    if before and before != self.deduplication_scope:  # type: ignore[attr-defined]
        order = cloud.state(Order, self)
        order.scope, order.changed = before, time.monotonic()


@replace(Queue, "messages")
def _messages(cloud: Cloud, self: Queue) -> list[Message]:
    """List what a receiver may get now, in the order in which it gets it."""
    if self.fifo_queue:
        return [*_in_turn(cloud, self)]
    return [message for message in _kept(self) if message.visible and not message.delayed]


def _kept(queue: Queue) -> list[Message]:
    """List the messages that are not older than the queue keeps them."""
    oldest = (unix_time() - queue.message_retention_period) * 1000  # type: ignore[attr-defined]
    return [message for message in held(queue) if message.sent_timestamp >= oldest]


def _in_turn(cloud: Cloud, queue: Queue) -> Iterator[Message]:
    """Yield messages group by group; one that nobody may have now keeps back what follows it in its group."""
    order, groups = cloud.state(Order, queue), dict[str, list[Message]]()
    for message in _kept(queue):
        groups.setdefault(str(message.group_id), []).append(message)
    for group in groups:
        if group not in order.turns:
            order.next_turn(group)
    order.turns = {group: turn for group, turn in order.turns.items() if group in groups}
    for group in sorted(groups, key=lambda group: order.turns.get(group, 0)):
        for message in groups[group]:
            if not message.visible or message.delayed:
                break
            yield message


@replace(Queue, "pending_message_groups")
def _pending_message_groups(_self: Queue) -> set[str]:
    """Return no group: `messages` leaves out what waits for a message in flight."""
    return set()


@replace(Queue, "approximate_number_of_messages")
def _approximate_number_of_messages(self: Queue) -> int:
    return sum(message.visible and not message.delayed for message in _kept(self))


@wrap(SQSBackend, "receive_message")
def _receive_message(
    cloud: Cloud, original: Any, self: SQSBackend, name: str, *args: Any, **kwargs: Any
) -> list[Message]:
    messages: list[Message] = original(self, name, *args, **kwargs)
    queue = self.get_queue(name)
    with cloud.lock("sqs"):
        order = cloud.state(Order, queue)
        for group in dict.fromkeys(str(message.group_id) for message in messages if queue.fifo_queue):
            order.next_turn(group)
    return messages


@wrap(Queue, "delete_message")
def _delete_message(original: Any, self: Queue, receipt_handle: str) -> None:
    """Refuse a receipt handle that was never one, and for a FIFO queue one whose message is visible again."""
    message = next((item for item in self._messages if item.had_receipt_handle(receipt_handle)), None)
    if message is None and receipt_handle not in self.deleted_messages:
        problem = f'The input receipt handle "{receipt_handle}" is not a valid receipt handle.'
        raise SQSException("ReceiptHandleIsInvalid", problem)
    if message and self.fifo_queue and (message.visible or message.receipt_handle != receipt_handle):
        problem = f"Value {receipt_handle} for parameter ReceiptHandle is invalid."
        raise SQSException("InvalidParameterValue", f"{problem} Reason: The receipt handle has expired.")
    original(self, receipt_handle)


@wrap(SQSBackend, "change_message_visibility")
def _change_message_visibility(
    original: Any, self: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    if receipt_handle in self.get_queue(queue_name).deleted_messages:
        problem = "Message does not exist or is not available for visibility timeout change."
        text = f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: {problem}"
        raise SQSException("InvalidParameterValue", text)
    original(self, queue_name, receipt_handle, visibility_timeout)


@after(SQSBackend, "purge_queue")
def _purge_queue(cloud: Cloud, _: None, self: SQSBackend, queue_name: str) -> None:
    cloud.state(Order, self.get_queue(queue_name)).sent.clear()


def source_of(cloud: Cloud, queue: Queue, message_id: str) -> str:
    """Return the ARN of the queue that a message in a dead-letter queue comes from; empty if it comes from none."""
    message = next((item for item in held(queue) if item.id == message_id), None)
    return cloud.state(Way, message).source if message else ""


def held(queue: Queue) -> list[Message]:
    """List all messages of a queue, also those in flight."""
    return list(queue._messages)  # noqa: SLF001 - moto has no list of them all


def take(queue: Queue, message: Message) -> None:
    """Take a message out of a queue."""
    queue._messages.remove(message)  # noqa: SLF001
    queue.pending_messages.discard(message)
