"""From the outbox to the queue: every event gets there, in the order of its customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from contract.services import overloaded, passes, refused
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contract.errors import GroundworkError
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
        """Send up to ten events of different customers, and return the event_ids of those that did not get through.

        Raises:
            InputError: The queue refuses all of them.
            UnavailableError: SQS cannot be reached, or cannot take any of them now.
        """
        entries: list[Any] = [
            {
                "Id": str(number),
                "MessageBody": event.body(),
                "MessageGroupId": event.customer_id,
                "MessageDeduplicationId": event.event_id,
            }
            for number, event in enumerate(events)
        ]
        with asking_aws(self._url, service="SQS"):
            failed: list[Any] = self._client.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed", [])
        if len(failed) == len(entries):
            raise self._refused(failed)
        return [events[int(failure["Id"])].event_id for failure in failed]

    def _refused(self, failed: Sequence[Any]) -> GroundworkError:
        passing = [failure for failure in failed if not failure["SenderFault"] or passes(code=failure["Code"])]
        first = (passing or failed)[0]  # what passes counts: a retry gets those through
        reason = f"It does not take {len(failed)} events: {first.get('Message') or first['Code']}"
        return overloaded(self._url, "SQS", reason) if passing else refused(self._url, "SQS", reason)


def relay(ledger: Ledger, queue: Queue) -> int:
    """Send every event that waits, and return how many there were.

    An event leaves the outbox after the queue has it. Where this ends in between it is sent again, with the same
    identity, which the queue drops and the projections know.

    Raises:
        InputError: The queue refuses the events; what was not sent stays in the outbox, as below.
        UnavailableError: An engine cannot be reached, or the queue cannot take them now.
    """
    count = 0
    while waiting := ledger.waiting(_SENT_AT_ONCE):
        failed = set(queue.send([event for _, event in waiting]))
        through = [place for place, event in waiting if event.event_id not in failed]
        ledger.sent(through)
        count += len(through)
    return count
