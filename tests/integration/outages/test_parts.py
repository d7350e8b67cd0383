"""A request that a service takes in part, or refuses for several reasons at once."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from contract.errors import InputError, UnavailableError
from workloads.movie_rental.events import Event
from workloads.movie_rental.library import DynamoLibrary
from workloads.movie_rental.model import Movie
from workloads.movie_rental.outbox import FifoQueue
from workloads.movie_rental.search_index import OpenSearchIndex

from .test_adapters import MOVIE, NOW

FULL = {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "The queue is full"}}
WRONG = {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "The year is not a number"}}


@pytest.mark.parametrize(
    ("items", "kind", "words"),
    [
        ([FULL, FULL], UnavailableError, "2 movies were not written: The queue is full"),
        ([WRONG, WRONG], InputError, "Film 0: OpenSearch refuses 2 films, this one because: The year is not a number"),
        ([FULL, WRONG], InputError, "Film 1: OpenSearch refuses 1 films, this one because: The year is not a number"),
    ],
)
def test_movies_that_opensearch_does_not_write(
    services: Any, items: list[dict[str, Any]], kind: type[Exception], words: str
) -> None:
    answer = {"errors": True, "items": [{"index": {"_id": str(at), **item}} for at, item in enumerate(items)]}
    made = services({}, contents={"opensearch": answer})
    with pytest.raises(kind, match=words):
        OpenSearchIndex(made.url("opensearch")).save([MOVIE, MOVIE])


def failure(number: int, code: str, *, sender: bool) -> dict[str, Any]:
    return {"Id": str(number), "SenderFault": sender, "Code": code}


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        ([failure(0, "InternalError", sender=False), failure(1, "InternalError", sender=False)], UnavailableError),
        ([failure(0, "KmsThrottled", sender=True), failure(1, "KmsThrottled", sender=True)], UnavailableError),
        ([failure(0, "KmsAccessDenied", sender=True), failure(1, "InternalError", sender=False)], UnavailableError),
        ([failure(0, "KmsAccessDenied", sender=True), failure(1, "KmsAccessDenied", sender=True)], InputError),
    ],
)
def test_events_that_sqs_does_not_take(services: Any, failed: list[Any], kind: type[Exception]) -> None:
    made = services({}, contents={"sqs": {"Failed": failed}})
    queue = FifoQueue(f"{made.url('sqs')}/123456789012/events.fifo")
    with pytest.raises(kind, match="It does not take 2 events"):
        queue.send([Event.erased(1, NOW), Event.erased(2, NOW)])


def test_events_that_sqs_takes_in_part_are_told_by_their_identity(services: Any) -> None:
    made = services({}, contents={"sqs": {"Failed": [failure(1, "InternalError", sender=False)]}})
    events = [Event.erased(1, NOW), Event.erased(2, NOW)]
    queue = FifoQueue(f"{made.url('sqs')}/123456789012/events.fifo")
    assert queue.send(events) == [events[1].event_id]


class Cancelling:
    """DynamoDB that cancels transactions and conditional writes."""

    def __init__(self, *reasons: str, code: str = "TransactionCanceledException") -> None:
        details: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        self._error = ClientError({**details, "CancellationReasons": [{"Code": reason} for reason in reasons]}, "Put")

    def query(self, **_: Any) -> Any:
        item = {"MovieID": {"S": "1"}, "MovieTitle": {"S": "Old title"}, "Version": {"N": "1"}}
        return {"Items": [item]}

    def transact_write_items(self, **_: Any) -> None:
        raise self._error

    put_item = transact_write_items


@pytest.mark.parametrize(
    ("client", "kind", "words"),
    [
        (Cancelling("None", "ConditionalCheckFailed"), InputError, "changed by somebody else"),
        (Cancelling("ThrottlingError", "None"), UnavailableError, "DynamoDB is not available now: ThrottlingError"),
        (Cancelling("TransactionConflict", "None"), UnavailableError, "TransactionConflict"),
        (Cancelling("ValidationError", "None"), InputError, "DynamoDB refuses the request"),
    ],
)
def test_a_transaction_that_dynamodb_cancels(
    services: Any, client: Cancelling, kind: type[Exception], words: str
) -> None:
    services({})
    library = DynamoLibrary("movies")
    library._client = client
    with pytest.raises(kind, match=words):
        library.put(Movie("1", "New title", version=1))


def test_a_condition_that_does_not_hold_is_a_change_of_somebody_else(services: Any) -> None:
    services({})
    library = DynamoLibrary("movies")
    library._client = Cancelling(code="ConditionalCheckFailedException")
    with pytest.raises(InputError, match="changed by somebody else"):
        library.put(Movie("1", "Old title", version=1))
