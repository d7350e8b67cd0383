"""From the outbox to the queue: every event gets there, in the order of its customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workloads.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloads.movie_rental.events import Event
    from workloads.movie_rental.ports import Ledger, Queue

_SENT_AT_ONCE = 10  # messages: the limit of SendMessageBatch


class FifoQueue:
    """An SQS queue that keeps the order of each customer's events, and drops what it has seen.

    Args:
        url: Its URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        retries: Any = {"mode": "standard", "max_attempts": 5}
        self._client = boto3.client("sqs", config=Config(retries=retries, connect_timeout=5))

    def send(self, events: Sequence[Event]) -> list[str]:
        """Send up to ten events of different customers; the event_ids of those that did not get through."""
        entries: list[Any] = [
            {
                "Id": str(number),
                "MessageBody": event.body(),
                "MessageGroupId": event.customer_id,
                "MessageDeduplicationId": event.event_id,
            }
            for number, event in enumerate(events)
        ]
        try:
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except BotoCoreError as error:
            raise InputError(f"{self._url}: SQS cannot be reached: {error}") from error
        except ClientError as error:
            raise InputError(f"{self._url}: SQS refused: {error.response['Error'].get('Message', error)}") from error
        return [events[int(failed["Id"])].event_id for failed in answer.get("Failed", [])]


def relay(ledger: Ledger, queue: Queue) -> int:
    """Send every event that waits; how many there were.

    An event leaves the outbox after the queue has it. Where this ends in between it is sent again, with the same
    identity, which the queue drops and the projections know.

    Raises:
        InputError: An engine cannot be reached, or the queue keeps refusing; what was not sent stays in the outbox.
    """
    count = 0
    while waiting := ledger.waiting(_SENT_AT_ONCE):
        failed = set(queue.send([event for _, event in waiting]))
        through = [place for place, event in waiting if event.event_id not in failed]
        ledger.sent(through)
        count += len(through)
        if not through:
            raise InputError(f"the queue refuses {len(failed)} events; they stay in the outbox: relay them later")
    return count
