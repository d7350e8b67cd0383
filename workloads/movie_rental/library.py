"""DynamoDB as the film library."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError
from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from contract.documents import REMOVED
from contract.errors import InputError, phrase
from contract.services import overloaded, passes
from workloads.aws import asking_aws
from workloads.errors import RefusedRowError
from workloads.movie_rental.model import Movie, Removal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from workloads.movie_rental.model import Item

_READ_AT_ONCE, _WRITTEN_AT_ONCE = 100, 25  # items: the limits of BatchGetItem and BatchWriteItem
_serialize, _deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize


class DynamoLibrary:
    """The library in a table with the keys MovieID and MovieTitle, and the indexes ByGenre and ByYear.

    A removed movie leaves an item with its keys, its version and the attribute `Removed`, which no method returns. So a
    movie that is created again gets later versions than before, and the search index can tell it from the former one.

    Args:
        table: Its name.
        patience: Seconds after which what is throttled is tried again, at most; grows up to that.
        attempts: How often it is tried.
    """

    def __init__(self, table: str, *, patience: float = 10, attempts: int = 10) -> None:
        self._table = table
        retries: Any = {"mode": "adaptive", "max_attempts": attempts}
        # Rows are made by this workload: botocore need not check each attribute again.
        config = Config(retries=retries, connect_timeout=5, parameter_validation=False)
        self._client: Any = boto3.client("dynamodb", config=config)
        self._retrying = Retrying(
            retry=retry_if_result(bool),
            wait=wait_random_exponential(multiplier=0.1, max=patience),
            stop=stop_after_attempt(attempts),
        )

    def save(self, movies: Sequence[Movie]) -> list[Movie]:
        """Write movies, unless the library has them already. Return the movies with their versions."""
        saved: list[Movie] = []
        with self._asking():
            for start in range(0, len(movies), _READ_AT_ONCE):
                saved += self._save(movies[start : start + _READ_AT_ONCE])
        return saved

    def _save(self, movies: Sequence[Movie]) -> list[Movie]:
        stored = self._read([_key(movie) for movie in movies])
        saved, changed = [], []
        for movie in movies:
            version, before = stored.get((movie.id, movie.title), (0, None))
            if before and replace(movie, version=version) == before:
                saved.append(before)
            else:
                changed.append(replace(movie, version=version + 1))
                saved.append(changed[-1])
        for start in range(0, len(changed), _WRITTEN_AT_ONCE):
            self._write(changed[start : start + _WRITTEN_AT_ONCE])
        return saved

    def _read(self, keys: Sequence[Item]) -> dict[tuple[str, str], tuple[int, Movie | None]]:
        """Return version and movie by id and title; None where the item is not a movie."""
        movies: dict[tuple[str, str], tuple[int, Movie | None]] = {}
        unread = {self._table: {"Keys": list(keys), "ConsistentRead": True}}

        def attempt() -> Any:
            nonlocal unread
            response = self._client.batch_get_item(RequestItems=unread)
            for item in map(unpacked, response["Responses"].get(self._table, [])):
                version = item.get("Version")
                try:
                    movie = Movie.of(item)
                except InputError:
                    movie = None
                movies[item["MovieID"], item["MovieTitle"]] = int(version) if isinstance(version, Decimal) else 0, movie
            unread = response.get("UnprocessedKeys") or {}
            return unread

        self._until_nothing_is_left(attempt)
        return movies

    def _write(self, movies: Sequence[Movie]) -> None:
        """Write movies; if DynamoDB refuses the batch, halve it until the refused movie is known."""
        try:
            self._put([{"PutRequest": {"Item": packed(movie.item())}} for movie in movies])
        except ClientError as error:
            details = error.response["Error"]
            if details["Code"] != "ValidationException":
                raise
            if len(movies) == 1:
                film = f"Film {movies[0].id} ({movies[0].title[:80]})"
                reason = phrase(details.get("Message", details))
                raise RefusedRowError(f"{film}: DynamoDB refuses it: {reason}.") from error
            half = len(movies) // 2
            self._write(movies[:half])
            self._write(movies[half:])

    def _put(self, requests: Sequence[Item]) -> None:
        unwritten = {self._table: list(requests)}

        def attempt() -> Any:
            nonlocal unwritten
            unwritten = self._client.batch_write_item(RequestItems=unwritten).get("UnprocessedItems") or {}
            return unwritten

        self._until_nothing_is_left(attempt)

    def _until_nothing_is_left(self, attempt: Any) -> None:
        try:
            self._retrying(attempt)
        except RetryError as error:
            reason = "It throttles requests and took only a part of them"
            raise overloaded(f"Table {self._table}", "DynamoDB", reason) from error

    def put(self, movie: Movie) -> Movie:
        """Create or change one movie, if it still has the version that the caller read (0: there is none).

        A new title is a new key: the item under the old one goes in the same transaction. If DynamoDB has written the
        movie but its response is lost, the repeated request finds what the first one wrote, which is not a conflict.
        """
        with self._asking():
            before = self._find(movie.id)
            if (before.version if before and not _is_removed(before) else 0) != movie.version:
                raise _changed(movie)
            saved = replace(movie, version=before.version + 1 if before else 1)
            same = _unchanged(before)
            item = packed(saved.item())
            try:
                if before and before.title != movie.title:
                    new = {"Item": item, "ConditionExpression": "attribute_not_exists(MovieID)"}
                    removed = {"Key": _key(before), **same}
                    transaction = [
                        {"Put": {"TableName": self._table, **new}},
                        {"Delete": {"TableName": self._table, **removed}},
                    ]
                    self._client.transact_write_items(TransactItems=transaction)
                else:
                    self._client.put_item(TableName=self._table, Item=item, **same)
            except ClientError as error:
                if "ConditionalCheckFailed" in (reasons := _reasons(error)):
                    if self._find(movie.id) == saved:
                        return saved
                    raise _changed(movie) from error
                if any(passes(code=reason) for reason in reasons):
                    raise overloaded(f"Table {self._table}", "DynamoDB", ", ".join(reasons)) from error
                raise
        return saved

    def is_empty(self) -> bool:
        """Return whether the table has no item."""
        with self._asking():
            return not self._client.scan(TableName=self._table, ConsistentRead=True, Limit=1)["Items"]

    def get(self, movie_id: str) -> Movie | None:
        """Return the movie; None if there is no such movie."""
        with self._asking():
            movie = self._find(movie_id)
        return None if movie and _is_removed(movie) else movie

    def _find(self, movie_id: str) -> Movie | None:
        """Return the movie, or what its removal has left."""
        items = self._client.query(
            TableName=self._table,
            KeyConditionExpression="MovieID = :id",
            ExpressionAttributeValues={":id": {"S": movie_id}},
            ConsistentRead=True,
        )["Items"]
        return Movie.of(unpacked(items[0])) if items else None

    def remove(self, movie_id: str) -> Removal | None:
        """Remove a movie, whatever version it has; return its removal, or None if there never was such a movie."""
        with self._asking():
            while movie := self._find(movie_id):
                if _is_removed(movie):
                    return Removal(movie.id, movie.version)
                mark = {**_key(movie), "Version": {"N": str(movie.version + 1)}, REMOVED: {"BOOL": True}}
                try:
                    self._client.put_item(TableName=self._table, Item=mark, **_unchanged(movie))
                except self._client.exceptions.ConditionalCheckFailedException:
                    continue  # somebody has changed the movie, or the response to a first attempt was lost
                return Removal(movie.id, movie.version + 1)
        return None

    def by_genre(self, genre: str) -> Iterator[tuple[str, str]]:
        """Yield MovieID and title of a genre's movies, by title."""
        yield from self._index("ByGenre", "Genre", {"S": genre})

    def by_year(self, year: int) -> Iterator[tuple[str, str]]:
        """Yield MovieID and title of a year's movies, by title."""
        yield from self._index("ByYear", "Year", {"N": str(year)})

    def _index(self, index: str, key: str, value: Item) -> Iterator[tuple[str, str]]:
        query = {
            "TableName": self._table,
            "IndexName": index,
            "KeyConditionExpression": "#key = :value",
            "ExpressionAttributeNames": {"#key": key},  # Year is a reserved word
            "ExpressionAttributeValues": {":value": value},
        }
        with self._asking():
            for page in self._client.get_paginator("query").paginate(**query):
                yield from ((item["MovieID"]["S"], item["MovieTitle"]["S"]) for item in page["Items"])

    def ask(self, statement: str, parameters: Sequence[object]) -> Iterator[Item]:
        """Yield the items of a SELECT in PartiQL; `{table}` in it stands for the table."""
        asked: Item = {"Statement": statement.replace("{table}", f'"{self._table}"')}
        if parameters:
            asked["Parameters"] = [_serialize(value) for value in parameters]
        with self._asking():
            while True:
                page = self._client.execute_statement(**asked)
                yield from (unpacked(item) for item in page["Items"])
                if not page.get("NextToken"):
                    return
                asked["NextToken"] = page["NextToken"]

    def all(self, unreadable: Callable[[Item], object] | None = None) -> Iterator[Movie]:
        """Yield every movie, in no order.

        Args:
            unreadable: Called with each item that is not a movie.

        Raises:
            InputError: An item is not a movie, and `unreadable` is missing; or DynamoDB refuses.
            UnavailableError: DynamoDB cannot be reached.
        """
        return self._scan(f"attribute_not_exists({REMOVED})", unreadable)

    def removals(self) -> Iterator[Removal]:
        """Yield every movie that was removed and not created again, in no order."""
        return (Removal(movie.id, movie.version) for movie in self._scan(f"attribute_exists({REMOVED})"))

    def _scan(self, condition: str, unreadable: Callable[[Item], object] | None = None) -> Iterator[Movie]:
        query = {"TableName": self._table, "ConsistentRead": True, "FilterExpression": condition}
        with self._asking():
            for page in self._client.get_paginator("scan").paginate(**query):
                for item in map(unpacked, page["Items"]):
                    try:
                        movie = Movie.of(item)
                    except InputError:
                        if not unreadable:
                            raise
                        unreadable(item)
                    else:
                        yield movie

    def _asking(self) -> AbstractContextManager[None]:
        return asking_aws(f"Table {self._table}", service="DynamoDB")


def _is_removed(movie: Movie) -> bool:
    return REMOVED in movie.more


def _unchanged(before: Movie | None) -> Item:
    """Return the condition that nobody has written the movie since it was read."""
    if before is None:
        return {"ConditionExpression": "attribute_not_exists(MovieID)"}
    version = {":version": {"N": str(before.version)}}
    return {"ConditionExpression": "Version = :version", "ExpressionAttributeValues": version}


def _changed(movie: Movie) -> InputError:
    return InputError(f"Movie {movie.id}: The movie was changed by somebody else. Read it again.")


def _reasons(error: ClientError) -> list[str]:
    """Return why a conditional write or a transaction was refused: codes without the suffix `Exception`."""
    cancelled: Any = error.response.get("CancellationReasons", [])
    codes = [reason.get("Code", "None") for reason in cancelled] or [error.response["Error"]["Code"]]
    return [code.removesuffix("Exception") for code in codes if code != "None"]


def _key(movie: Movie) -> Item:
    return {"MovieID": {"S": movie.id}, "MovieTitle": {"S": movie.title}}


def packed(item: Item) -> Item:
    """Return an item as DynamoDB's requests have it: each value with its type."""
    return {name: _serialize(value) for name, value in item.items()}


def unpacked(item: Item) -> Item:
    """Return an item as Python has it."""
    return {name: _deserialize(value) for name, value in item.items()}
