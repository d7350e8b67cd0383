"""Files of items in S3: what bulk operations and imports read, in the name of whoever asked for it.

An object is read in pieces, and its items are given in batches, so that memory does not grow with the size of an
object. After a record that is not JSON, or that lacks an item, the rest of the object is skipped, as imports do on AWS.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Validation.html and, for what these pages
leave open, https://github.com/scylladb/scylladb/blob/master/test/alternator/test_import.py, whose tests pass on AWS.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from moto.dynamodb.exceptions import MockValidationException
from moto.s3.models import FakeKey, s3_backends

from localcloud.access import service_calls
from localcloud.access.actions.derivation import Call
from localcloud.access.callers import Caller
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.services.dynamodb.items import ItemError, Measured, Schema

Json = dict[str, Any]
PIECE = 64 * 1024
#: How many records are read between two moments at which other requests may change the table.
BATCH = 250
#: How long after a batch nothing is done, so that requests are answered in half the time.
PAUSE_SECONDS = 0.001
#: The largest record: an item of 400 KB, all of whose characters JSON may write as six.
LARGEST_RECORD = 4 * 1024 * 1024
MOST_OBJECTS = 50_000
LARGEST_OBJECT = 5 * 1024**3
SERVICE = "dynamodb.amazonaws.com"
_decoder = json.JSONDecoder()
csv.field_size_limit(LARGEST_RECORD)


class SourceError(Exception):
    """What ends an operation: ``code`` and ``message`` are those of its failure."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Source:
    """Where items are, and in which form.

    Attributes:
        bucket: The bucket's name.
        prefix: How the keys of its objects begin.
        owner: The account that has the bucket.
        form: ``DYNAMODB_JSON`` or ``CSV``.
        compression: ``GZIP`` or ``NONE``.
        delimiter: What separates the columns of CSV.
        header: The names of the columns of CSV; None if each object begins with them.
    """

    bucket: str
    prefix: str = ""
    owner: str = ACCOUNT
    form: str = "DYNAMODB_JSON"
    compression: str = "NONE"
    delimiter: str = ","
    header: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Rejected:
    """A record, or the rest of an object, that DynamoDB refuses.

    Attributes:
        key: The object's.
        index: Which record of the object it is, from 0.
        message: What is wrong.
        record: Its content, if it could be read.
    """

    key: str
    index: int
    message: str
    record: Any = None


@dataclass
class Batch:
    """Records that were read together.

    Attributes:
        items: Those that DynamoDB takes.
        rejected: Those that it refuses.
        stored: How many bytes of the objects were read.
        unpacked: How many bytes these are when they are not compressed.
    """

    items: list[Measured] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    stored: int = 0
    unpacked: int = 0


def refuse_unreadable(form: str, compression: str) -> None:
    """Refuse forms that the local cloud cannot read.

    Raises:
        MockValidationException: The form or the compression is one of them.
    """
    for value, readable in ((form, "another InputFormat"), (compression, "NONE or GZIP")):
        if value in {"ION", "ZSTD"}:
            raise MockValidationException(f"The local cloud does not read {value}: use {readable}.")


def objects(cloud: Cloud, caller: Caller | None, source: Source) -> list[FakeKey]:
    """Return the objects of a source, by their keys.

    Raises:
        SourceError: The bucket is not there or is another account's, or the caller may not list it.
    """
    check(cloud, caller, "ListObjectsV2", source.owner, Bucket=source.bucket, Prefix=source.prefix)
    backend = s3_backends[ACCOUNT]["aws"]
    with cloud.lock("s3"):
        found, *_ = backend.list_objects(backend.get_bucket(source.bucket), source.prefix, None, None, None)
    return sorted(found, key=lambda key: key.name)


def check(cloud: Cloud, caller: Caller | None, operation: str, owner: str, **parameters: str) -> None:
    """Refuse a request to S3 that a caller may not make.

    Raises:
        SourceError: It may not, or the bucket is not there or is another account's.
    """
    if parameters["Bucket"] not in s3_backends[ACCOUNT]["aws"].buckets:
        raise SourceError("S3NoSuchBucket", f"The specified bucket does not exist: {parameters['Bucket']}")
    if owner != ACCOUNT:
        raise SourceError("S3AccessDenied", f"Access Denied: {parameters['Bucket']} is not a bucket of {owner}")
    try:
        service_calls.check_session(cloud, caller, SERVICE, Call("s3", operation, parameters, ACCOUNT, REGION))
    except PermissionError as error:
        raise SourceError("S3AccessDenied", f"Access Denied: {error}") from error


def batches(
    cloud: Cloud, caller: Caller | None, source: Source, keys: Sequence[FakeKey], schema: Schema
) -> Iterator[Batch]:
    """Yield the items of objects, and what is refused.

    Raises:
        SourceError: The caller may not read an object.
    """
    for key in keys:
        check(cloud, caller, "GetObject", source.owner, Bucket=source.bucket, Key=key.name)
        reading = _Reading(key, source, schema)
        while (batch := reading.next()) is not None:
            yield batch
            time.sleep(PAUSE_SECONDS)


class _Stored(io.RawIOBase):
    """The bytes of an object, which is not copied as a whole."""

    def __init__(self, key: FakeKey) -> None:
        self._key, self.position = key, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._key.lock:
            content = self._key._value_buffer  # noqa: SLF001 - its value is a copy of all of it
            content.seek(self.position)
            piece: bytes = content.read(len(buffer))
        buffer[: len(piece)] = piece
        self.position += len(piece)
        return len(piece)


class _Reading:
    """An object that is read a batch at a time."""

    def __init__(self, key: FakeKey, source: Source, schema: Schema) -> None:
        self._key, self._source, self._schema = key.name, source, schema
        self._stored = _Stored(key)
        self._count, self._unpacked, self._ended = 0, 0, False
        self._given = (0, 0)
        plain = io.BufferedReader(self._stored, PIECE)
        packed = source.compression == "GZIP"
        self._content = io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=plain)), PIECE) if packed else plain
        self._records = self._of_csv() if source.form == "CSV" else self._of_json()

    def next(self) -> Batch | None:
        """Return the next batch; None at the end."""
        if self._ended:
            return None
        batch, before = Batch(), self._count
        try:
            for record in itertools.islice(self._records, BATCH):
                try:
                    batch.items.append(self._schema.read(self._attributes(record)))
                except ItemError as error:
                    batch.rejected.append(Rejected(self._key, self._count, str(error), record))
                self._count += 1
            self._ended = self._count - before < BATCH
        except _UnreadableError as error:
            batch.rejected.append(Rejected(self._key, self._count, str(error), error.record))
            self._ended = True
        batch.stored, batch.unpacked = self._stored.position - self._given[0], self._unpacked - self._given[1]
        self._given = (self._stored.position, self._unpacked)
        return batch

    def _attributes(self, record: Json) -> Any:
        if self._source.form == "CSV":
            return record
        if others := sorted(record.keys() - {"Item"}):
            raise ItemError(f"The local cloud takes records with an Item only, not with {', '.join(others)}")
        return record["Item"]

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines, and count their bytes."""
        try:
            for line in iter(partial(self._content.readline, LARGEST_RECORD), b""):
                self._unpacked += len(line)
                yield line
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise _UnreadableError(f"The object cannot be read as {self._source.compression}: {error}") from error

    def _of_json(self) -> Iterator[Json]:
        for line in self._lines():
            try:
                for record in _records(line):
                    if not isinstance(record, dict) or "Item" not in record:
                        raise _UnreadableError("Expected 'Item' top level container", record)
                    yield record
            except (ValueError, RecursionError) as error:
                large = f"A record has more than {LARGEST_RECORD} bytes"
                problem = large if len(line) == LARGEST_RECORD else f"Unexpected token: {error}"
                raise _UnreadableError(problem, line[:1000].decode(errors="replace")) from error

    def _of_csv(self) -> Iterator[Json]:
        rows = csv.reader(self._texts(), delimiter=self._source.delimiter)
        try:
            header = self._source.header or tuple(next(rows, ()))
            if len({*header}) < len(header):
                raise _UnreadableError(f"The header names a column twice: {', '.join(header)}")
            types = self._schema.types
            for row in rows:
                if row:
                    if len(row) != len(header):
                        problem = f"A row has {len(row)} columns, and the header has {len(header)}"
                        raise _UnreadableError(problem, row)
                    yield {name: {types.get(name, "S"): cell} for name, cell in zip(header, row, strict=True)}
        except (csv.Error, UnicodeDecodeError) as error:
            raise _UnreadableError(f"The object is not CSV in UTF-8: {error}") from error

    def _texts(self) -> Iterator[str]:
        for number, line in enumerate(self._lines()):
            yield line.decode("utf-8" if number else "utf-8-sig")


class _UnreadableError(Exception):
    """What ends an object."""

    def __init__(self, message: str, record: Any = None) -> None:
        super().__init__(message)
        self.record = record


def _records(line: bytes) -> Iterable[Any]:
    """Return the records of a line: none if it is blank, one usually, or several that follow each other."""
    try:
        return [json.loads(line)]
    except json.JSONDecodeError:
        return _one_by_one(line.decode("utf-8-sig"))


def _one_by_one(text: str) -> Iterator[Any]:
    end = 0
    while text := text[end:].strip():
        record, end = _decoder.raw_decode(text)
        yield record
