"""DynamoDB's bulk operation that puts items from S3 into a table.

Unlike an import, which makes a new table, it writes into the stack's own.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BulkPutItems.html.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, retry_if_result, stop_after_delay

from contract.errors import InputError, TemporaryError, phrase
from workloads.aws import asking_aws
from workloads.errors import RefusedRowError
from workloads.movie_rental.library import packed, unpacked
from workloads.movie_rental.loads import POLLED, ROWS, Loads
from workloads.movie_rental.model import Movie

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workloads.movie_rental.loads import Refused
    from workloads.movie_rental.ports import Library
    from workloads.storage import Bucket

_PATIENCE = 3600  # seconds that a load waits for those of other processes

Json = dict[str, Any]


class DynamoLoader:
    """Writes movies into a table that has none of them, by loads.

    Args:
        place: Where its loads are put.
        table: The table's name.
        library: The same table, by requests, which tell what DynamoDB has refused.
    """

    def __init__(self, place: Bucket, table: str, library: Library) -> None:
        self._table, self._library = table, library
        self._loads = Loads(place, self._complete)
        self._client: Any = boto3.client("dynamodb", config=Config(retries={"mode": "standard", "max_attempts": 8}))

    def save(self, movies: Sequence[Movie]) -> list[Movie]:
        """Put movies. Return them with their versions: the first ones."""
        saved = [replace(movie, version=1) for movie in movies]
        lines = [json.dumps({"Item": packed(movie.item())}, default=_base64, ensure_ascii=False) for movie in saved]
        self._loads.put("movies.json", "".join(f"{line}\n" for line in lines))
        return saved

    def load(self) -> Refused:
        """Load what was put since the last load. Return the films that DynamoDB refuses, by number.

        Raises:
            InputError: DynamoDB refuses the load.
            UnavailableError: DynamoDB cannot be reached, or cannot do it now.
            TemporaryError: The load has ended early, and can be repeated.
        """
        return self._loads.load()

    def finish(self) -> bool:
        """Complete what an interrupted process has begun to load; return whether there was anything."""
        return self._loads.finish()

    def _complete(self, folder: Bucket) -> Refused:
        with asking_aws(f"Table {self._table}", service="DynamoDB"):
            operation = self._started(folder)
            ended = self._polled(operation)
        match ended["BulkOperationStatus"]:
            case "COMPLETED":
                return {}
            case "COMPLETED_WITH_ERRORS":
                return {film: error for movies in _movies(folder) for film, error in self._offered(movies)}
        reason = phrase(ended.get("FailureMessage") or ended.get("FailureCode") or "it gives no reason")
        message = f"Table {self._table}: DynamoDB has ended the load {operation}: {reason}."
        raise TemporaryError(message) if ended["BulkOperationStatus"] == "CANCELLED" else InputError(message)

    def _started(self, folder: Bucket) -> str:
        """Start a load, once other processes leave room for it; return its ARN. A load of an earlier process is it."""
        start = Retrying(
            retry=retry_if_exception(_is_busy), wait=POLLED, stop=stop_after_delay(_PATIENCE), reraise=True
        )
        started = start(
            self._client.start_bulk_put_items,
            ClientToken=folder.name,
            TableName=self._table,
            InputS3Configuration={
                "S3Bucket": folder.bucket,
                "S3KeyPrefix": f"{(folder / ROWS).key}/",
                "InputFormat": "DYNAMODB_JSON",
            },
            OutputS3Configuration={
                "S3Bucket": folder.bucket,
                "S3KeyPrefix": f"{(folder / 'report').key}/",
                "OutputType": ["ERROR"],
            },
        )
        return str(started["BulkOperationDescription"]["BulkOperationArn"])

    def _polled(self, operation: str) -> Json:
        """Return the description of an operation that has ended."""

        def description() -> Json:
            described = self._client.describe_bulk_operation(BulkOperationArn=operation)
            return dict(described["BulkOperationDescription"])

        def goes_on(described: Json) -> bool:
            return described["BulkOperationStatus"] in {"IN_PROGRESS", "CANCELLING"}

        return dict(Retrying(retry=retry_if_result(goes_on), wait=POLLED)(description))

    def _offered(self, movies: Sequence[Movie]) -> Iterator[tuple[int, RefusedRowError]]:
        """Yield the movies that the library does not take by requests either. Those that it has already stay."""
        try:
            self._library.save(movies)
        except RefusedRowError as error:
            if len(movies) == 1:
                yield int(movies[0].id), error
                return
            middle = len(movies) // 2
            for half in (movies[:middle], movies[middle:]):
                yield from self._offered(half)


def _is_busy(error: BaseException) -> bool:
    """Return whether DynamoDB has as many loads as it takes at a time."""
    codes = {"LimitExceededException", "ResourceInUseException"}
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in codes


def _movies(folder: Bucket) -> Iterator[list[Movie]]:
    """Yield the movies of a load, file by file."""
    rows = folder / ROWS
    for name in rows.names():
        items = [json.loads(line)["Item"] for line in (rows / name).read().decode().splitlines()]
        yield [Movie.of(unpacked(_decoded(item))) for item in items]


def _base64(value: object) -> str:
    """Return bytes as DynamoDB's JSON has them."""
    assert isinstance(value, bytes)  # noqa: S101 - the only values of an item that JSON does not know
    return base64.b64encode(value).decode()


def _decoded(item: Json) -> Json:
    """Return an item of DynamoDB's JSON with its bytes."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in item.items()}
